//! Reading files, and the files that they include.
//!
//! Relative names start at the folder of the main file, as in nginx. A file that is only a
//! part of a configuration (a site, a snippet) was written for a folder above it, so its
//! includes are also looked for beside and above it.
//!
//! A configuration in a place where nginx looks for one ([`SYSTEM`]) is this machine's own,
//! and its absolute names mean what they say. Anywhere else it is a copy (a checkout, the
//! files of an image): absolute names belong to the folder that was given, and nothing of
//! this machine's own configuration is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use super::note::{Note, can_matter};
use super::scope::{arguments, wanted};
use super::syntax::{self, Directive, Place};
use super::{Fault, shown};
use nearmiss_core::chain::{Version, printable};

/// The most bytes of all files, each counted once.
const LARGEST_SUM: u64 = 128 << 20;
/// The most files, each counted once.
const MAX_FILES: usize = 20_000;
/// The most directives that can matter, of all files, each counted once.
const MAX_READ: u64 = 1_000_000;
/// The same, each counted as often as its file is included.
const MAX_INCLUDED: u64 = 4_000_000;
/// How deep files may include each other.
const DEEPEST: usize = 20;
/// How many links may lead to each other.
const MAX_LINKS: usize = 8;
/// Where nginx, `OpenResty` and their packages look for their configuration.
const SYSTEM: [&str; 8] = [
    "/etc",
    "/usr/local/etc",
    "/usr/local/nginx",
    "/usr/local/openresty",
    "/usr/share/nginx",
    "/opt/bitnami/nginx",
    "/opt/homebrew/etc",
    "/opt/nginx",
];
/// What an editor may put before a text, and nginx takes for a part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Files by their names, from a disk or from what `nginx -T` printed.
pub(super) struct Reader {
    main: PathBuf,
    text: String,
    dump: Option<BTreeMap<PathBuf, String>>,
    /// Where relative names start, the first one first.
    bases: Vec<PathBuf>,
    /// Where absolute names belong, unless they mean what they say.
    home: Option<PathBuf>,
    /// The files that are being read, the main one first.
    open: Vec<PathBuf>,
    loaded: HashMap<PathBuf, Loaded>,
    pub(super) files: Vec<PathBuf>,
    pub(super) notes: BTreeSet<Note>,
    /// The includes that were not found, each reported once.
    named: BTreeSet<String>,
    pub(super) version: Option<Version>,
    bytes: u64,
    read: u64,
}

/// A file with all that it includes.
#[derive(Clone, Default)]
struct Loaded {
    directives: Arc<[Directive]>,
    /// How many files it is, with those that are included.
    size: u64,
    /// How deep files include each other here, this one counted.
    depth: usize,
}

impl Loaded {
    fn add(&mut self, inner: &Self) {
        self.size = self.size.saturating_add(inner.size);
        self.depth = self.depth.max(inner.depth + 1);
    }
}

impl Reader {
    /// Opens the main file.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let main = if path.is_dir() { path.join("nginx.conf") } else { path.to_owned() };
        if path.is_dir() && !main.exists() {
            return Err(Fault::NoMain { path: path.to_owned() });
        }
        let text = text_of(&main, LARGEST_SUM).map_err(|problem| match problem {
            Unread::Io(source) => Fault::Open { path: main.clone(), source },
            Unread::TooMuch => too_large(&main),
        })?;
        let (main, text, dump, version) = match dumped(&text) {
            Some(Dump { main, mut files, version }) => {
                let text = files.remove(&main).unwrap_or_default();
                (main, text, Some(files), version)
            }
            None => (main, text, None, None),
        };
        let is_copy = dump.is_none() && !is_system(&main);
        let home = is_copy.then(|| folder(&main));
        let bases = vec![folder(&main)];
        let (open, loaded) = (Vec::new(), HashMap::new());
        let (files, notes, named) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let (bytes, read) = (0, 0);
        Ok(Self {
            main,
            text,
            dump,
            bases,
            home,
            open,
            loaded,
            files,
            notes,
            named,
            version,
            bytes,
            read,
        })
    }

    /// All directives that can matter, with those of included files behind the include.
    pub(super) fn directives(&mut self) -> Result<Arc<[Directive]>, Fault> {
        let main = self.main.clone();
        let text = std::mem::take(&mut self.text);
        let directives = self.parse(&main, &text)?;
        drop(text);
        let whole = directives.iter().any(|d| matches!(d.name(), "http" | "events"));
        if !whole && self.dump.is_none() {
            self.bases.push(folder(&folder(&main)));
        }
        self.open.push(self.identity(&main));
        let loaded = self.followed(&main, directives)?;
        Ok(loaded.directives)
    }

    /// The directives of one file, which counts towards the limits.
    fn parse(&mut self, path: &Path, text: &str) -> Result<Vec<Directive>, Fault> {
        self.files.push(path.to_owned());
        self.bytes += text.len() as u64;
        if self.files.len() > MAX_FILES {
            return Err(too_much(path, &format!("more than {MAX_FILES} files")));
        }
        if self.bytes > LARGEST_SUM {
            return Err(too_large(path));
        }
        let plain = text.strip_prefix(BYTE_ORDER_MARK);
        if plain.is_some() {
            self.notes.insert(Note::ByteOrderMark { file: shown(path) });
        }
        Ok(syntax::parse(plain.unwrap_or(text), &shown(path), wanted)?)
    }

    /// The directives of a file with its includes followed.
    fn followed(&mut self, path: &Path, mut directives: Vec<Directive>) -> Result<Loaded, Fault> {
        let mut loaded = Loaded { depth: 1, ..Loaded::default() };
        self.follow(&mut directives, "", &mut loaded)?;
        if loaded.depth > DEEPEST {
            let what = format!("more than {DEEPEST} files that include each other");
            return Err(too_much(path, &what));
        }
        if self.read > MAX_READ || loaded.size > MAX_INCLUDED {
            return Err(too_much(path, "more directives than anybody writes"));
        }
        loaded.directives = directives.into();
        Ok(loaded)
    }

    fn follow(
        &mut self,
        directives: &mut [Directive],
        block: &str,
        loaded: &mut Loaded,
    ) -> Result<(), Fault> {
        for directive in directives {
            self.read += 1;
            loaded.size = loaded.size.saturating_add(1);
            let name = directive.name().to_owned();
            if let Some(inner) = &mut directive.block {
                self.follow(inner, &name, loaded)?;
            } else if name == "include" {
                self.include(directive, block, loaded)?;
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        directive: &mut Directive,
        block: &str,
        loaded: &mut Loaded,
    ) -> Result<(), Fault> {
        let [name] = directive.args() else { return Ok(arguments(directive)?) };
        for path in self.find(&name.clone(), &directive.place, block)? {
            if let Some(file) = self.load(&path, &directive.place, block)? {
                loaded.add(&file);
                directive.included.push(Arc::clone(&file.directives));
            }
        }
        Ok(())
    }

    /// A file with all that it includes; `None` where it cannot be read.
    fn load(&mut self, path: &Path, from: &Place, block: &str) -> Result<Option<Loaded>, Fault> {
        let identity = self.identity(path);
        if self.open.contains(&identity) {
            return Err(Fault::Loop { place: from.clone(), path: path.to_owned() });
        }
        if let Some(loaded) = self.loaded.get(&identity) {
            return Ok(Some(loaded.clone()));
        }
        if self.open.len() >= DEEPEST {
            let what = format!("more than {DEEPEST} files that include each other");
            return Err(too_much(path, &what));
        }
        let text = match self.text_of(path) {
            Ok(text) => text,
            Err(Unread::TooMuch) => return Err(too_large(path)),
            Err(Unread::Io(error)) => {
                self.unread(&path.to_string_lossy(), from, block, &error.to_string());
                return Ok(None);
            }
        };
        let directives = self.parse(path, &text)?;
        drop(text);
        self.open.push(identity.clone());
        let loaded = self.followed(path, directives);
        self.open.pop();
        let loaded = loaded?;
        self.loaded.insert(identity, loaded.clone());
        Ok(Some(loaded))
    }

    fn text_of(&self, path: &Path) -> Result<String, Unread> {
        match &self.dump {
            None => text_of(path, LARGEST_SUM.saturating_sub(self.bytes)),
            Some(files) => files.get(path).cloned().ok_or_else(|| Unread::Io(not_there())),
        }
    }

    /// Reports that something was not read, once, if it can matter.
    fn unread(&mut self, name: &str, from: &Place, block: &str, why: &str) {
        if can_matter(name, block) && self.named.insert(name.to_owned()) {
            let (name, why) = (printable(name), printable(why));
            self.notes.insert(Note::Unread { name, place: from.clone(), why });
        }
    }

    /// The files that an include means.
    fn find(&mut self, name: &str, place: &Place, block: &str) -> Result<Vec<PathBuf>, Fault> {
        let found = if self.dump.is_none() && Path::new(name).is_absolute() {
            self.find_absolute(Path::new(name))?
        } else {
            let beside = folder(Path::new(&*place.file));
            let beside = (self.bases.len() > 1).then_some(beside);
            let mut bases = self.bases.iter().chain(&beside);
            bases.find_map(|base| self.matching(&base.join(name)).transpose()).transpose()?
        };
        if found.is_none() && is_pattern(name) {
            if can_matter(name, block) && self.named.insert(name.to_owned()) {
                let (name, place) = (printable(name), place.clone());
                self.notes.insert(Note::NothingMatches { name, place });
            }
        } else if found.is_none() {
            self.unread(name, place, block, &not_there().to_string());
        }
        Ok(found.unwrap_or_default())
    }

    /// An absolute name: as it is, or below the folder of a copy.
    fn find_absolute(&mut self, name: &Path) -> Result<Option<Vec<PathBuf>>, Fault> {
        let Some(home) = self.home.clone() else { return self.matching(name) };
        if home.canonicalize().is_ok_and(|home| name.starts_with(home)) {
            return self.matching(name);
        }
        for (at, tail) in tails(name) {
            if tail.components().count() == 1 && is_pattern(&tail.to_string_lossy()) {
                continue; // it would mean everything
            }
            let mut found = self.matching(&home.join(tail))?.unwrap_or_default();
            found.retain(|path| !self.open.contains(&self.identity(path)));
            if !found.is_empty() {
                let from: PathBuf = name.components().take(at + 1).collect();
                self.notes.insert(Note::Moved { from: shown(&from), to: shown(&home) });
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The files that a name means, if there are any.
    fn matching(&self, wanted: &Path) -> Result<Option<Vec<PathBuf>>, Fault> {
        let found: Vec<PathBuf> = match &self.dump {
            Some(files) => match pattern(&wanted.to_string_lossy()) {
                Some(pattern) => files.keys().filter(|p| pattern.is_match(p)).cloned().collect(),
                None => files.keys().filter(|path| *path == wanted).cloned().collect(),
            },
            None => on_disk(wanted)?.into_iter().filter_map(|path| self.at_home(path, 0)).collect(),
        };
        Ok((!found.is_empty()).then_some(found))
    }

    /// A file of a copy, with links in it followed: one that leads to this machine's own
    /// configuration belongs to the folder as well.
    fn at_home(&self, path: PathBuf, links: usize) -> Option<PathBuf> {
        let Some(home) = &self.home else { return Some(path) };
        let target = std::fs::read_link(&path).ok().filter(|target| target.is_absolute());
        let Some(target) = target.filter(|target| !target.starts_with(home)) else {
            let away = path.canonicalize().is_ok_and(|real| is_below_system(&real));
            return (!away).then_some(path);
        };
        let mut moved = tails(&target).map(|(_, tail)| home.join(tail));
        let moved = moved.find(|moved| *moved != path && moved.symlink_metadata().is_ok());
        self.at_home(moved?, links + 1).filter(|_| links < MAX_LINKS)
    }

    /// What makes two names the same file.
    fn identity(&self, path: &Path) -> PathBuf {
        match self.dump {
            None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            Some(_) => path.to_owned(),
        }
    }
}

/// Why a file was not read.
enum Unread {
    Io(std::io::Error),
    TooMuch,
}

fn not_there() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::NotFound, "it is not there")
}

fn text_of(path: &Path, most: u64) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Unread::Io)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > most {
        return Err(Unread::TooMuch);
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(other) => String::from_utf8_lossy(other.as_bytes()).into_owned(),
    })
}

fn too_large(path: &Path) -> Fault {
    too_much(path, &format!("more than {} MiB in all", LARGEST_SUM >> 20))
}

fn too_much(path: &Path, what: &str) -> Fault {
    Fault::TooMuch { path: path.to_owned(), what: what.to_owned() }
}

/// Whether a file is a part of this machine's own configuration, by its name or by its real
/// path.
fn is_system(path: &Path) -> bool {
    let names = [std::path::absolute(path), path.canonicalize()];
    names.iter().flatten().any(|name| is_below_system(name))
}

fn is_below_system(path: &Path) -> bool {
    SYSTEM.iter().any(|system| path.starts_with(system))
}

/// The ends of an absolute path, the longest first, and how many of its parts are left out.
fn tails(path: &Path) -> impl Iterator<Item = (usize, PathBuf)> {
    let parts: Vec<Component<'_>> = path.components().skip(1).collect();
    let tail = move |at: usize| Some((at, parts.get(at..)?.iter().collect()));
    (0..path.components().count().saturating_sub(1)).filter_map(tail)
}

/// What `nginx -T` printed.
struct Dump {
    /// The first of the files.
    main: PathBuf,
    files: BTreeMap<PathBuf, String>,
    /// What `nginx -v` printed before it.
    version: Option<Version>,
}

fn dumped(text: &str) -> Option<Dump> {
    let header = |line: &str| {
        let name = line.strip_prefix("# configuration file ")?.trim_end().strip_suffix(':')?;
        Some(PathBuf::from(name))
    };
    let said = |line: &str| line.strip_prefix("nginx version: ")?.trim_end().parse().ok();
    let (mut main, mut version) = (None, None);
    let mut files = BTreeMap::<PathBuf, String>::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(path) = header(line) {
            main.get_or_insert_with(|| path.clone());
            current = Some(files.entry(path).or_default());
        } else if let Some(text) = &mut current {
            text.push_str(line);
            text.push('\n');
        } else {
            version = version.or_else(|| said(line));
        }
    }
    main.map(|main| Dump { main, files, version })
}

/// The files on the disk that a path means, component by component, in order.
fn on_disk(wanted: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = vec![PathBuf::new()];
    for component in wanted.components() {
        found = match pattern_of(component) {
            Some(pattern) => {
                let all = found.iter().flat_map(|path| entries(path, &pattern));
                all.take(MAX_FILES + 1).collect()
            }
            None => found.iter().map(|path| path.join(component)).collect(),
        };
        if found.len() > MAX_FILES {
            return Err(too_much(wanted, &format!("more than {MAX_FILES} files")));
        }
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    Ok(found)
}

/// The entries of a folder that match; hidden ones only where that is asked for.
fn entries(folder: &Path, (pattern, hidden): &(GlobMatcher, Hidden)) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(here) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let shown = |name: &std::ffi::OsString| {
        *hidden == Hidden::Too || !name.as_encoded_bytes().starts_with(b".")
    };
    let mut names: Vec<_> = names.filter(shown).filter(|name| pattern.is_match(name)).collect();
    names.sort();
    names.iter().map(|name| folder.join(name)).collect()
}

/// Whether a pattern means hidden files.
#[derive(PartialEq, Eq)]
enum Hidden {
    Too,
    Not,
}

fn pattern_of(component: Component<'_>) -> Option<(GlobMatcher, Hidden)> {
    let Component::Normal(name) = component else { return None };
    let name = name.to_string_lossy();
    let hidden = if name.starts_with('.') { Hidden::Too } else { Hidden::Not };
    Some((pattern(&name)?, hidden))
}

/// The pattern that a name is, if it is one. Braces stand for themselves, as in nginx.
fn pattern(name: &str) -> Option<GlobMatcher> {
    if !is_pattern(name) {
        return None;
    }
    let plain = name.replace('{', "[{]").replace('}', "[}]");
    let glob = GlobBuilder::new(&plain).literal_separator(true).backslash_escape(true).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// The folder of a file, or the one above a folder.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}
