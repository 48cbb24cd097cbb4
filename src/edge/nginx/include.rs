//! Reading files, and the files that they include.
//!
//! Relative names start at the folder of the main file, as in nginx. A file that
//! is only a part of a configuration (a site, a snippet) was written for a folder
//! above it, so its includes are also looked for beside and above it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::syntax::{self, Directive, Place};
use super::{Fault, shown};

/// Bytes of one file; `mime.types` has 5 KiB.
const LARGEST: u64 = 8 << 20;
/// Bytes of all files, each as often as it is included.
const LARGEST_SUM: u64 = 64 << 20;
/// Files, each as often as it is included.
const MOST_FILES: usize = 2_000;
/// Files that include each other.
const DEEPEST: usize = 20;
/// Entries of a folder that a pattern is compared with.
const MOST_ENTRIES: usize = 20_000;

/// Files by their names, from a disk or from what `nginx -T` printed.
pub(super) struct Reader {
    main: PathBuf,
    text: String,
    dump: Option<BTreeMap<PathBuf, String>>,
    /// Where relative names start, the first one first.
    bases: Vec<PathBuf>,
    /// The files that are being read, the main one first.
    open: Vec<PathBuf>,
    files: Vec<PathBuf>,
    bytes: u64,
}

impl Reader {
    /// Opens the main file.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let main = if path.is_dir() { path.join("nginx.conf") } else { path.to_owned() };
        if path.is_dir() && !main.exists() {
            return Err(Fault::NoMain { path: path.to_owned() });
        }
        let text = from_disk(&main, None)?;
        let (main, text, dump) = match dumped(&text) {
            Some((main, files)) => {
                let text = files.get(&main).cloned().unwrap_or_default();
                (main, text, Some(files))
            }
            None => (main, text, None),
        };
        let bases = vec![folder(&main)];
        Ok(Self { main, text, dump, bases, open: Vec::new(), files: Vec::new(), bytes: 0 })
    }

    /// All directives, with those of included files in the place of the include.
    pub(super) fn directives(&mut self) -> Result<Vec<Directive>, Fault> {
        let main = self.main.clone();
        let text = std::mem::take(&mut self.text);
        let directives = syntax::parse(&text, &shown(&main))?;
        let whole = directives.iter().any(|d| matches!(d.name(), "http" | "events"));
        if !whole && self.dump.is_none() {
            self.bases.push(folder(&folder(&main)));
        }
        self.count(&main, &text)?;
        self.open.push(self.identity(&main));
        self.expand(directives)
    }

    /// The files that were read.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    fn expand(&mut self, directives: Vec<Directive>) -> Result<Vec<Directive>, Fault> {
        let mut expanded = Vec::with_capacity(directives.len());
        for mut directive in directives {
            if directive.name() == "include" && directive.block.is_none() {
                expanded.extend(self.included(&directive)?);
                continue;
            }
            if let Some(block) = directive.block.take() {
                directive.block = Some(self.expand(block)?);
            }
            expanded.push(directive);
        }
        Ok(expanded)
    }

    fn included(&mut self, directive: &Directive) -> Result<Vec<Directive>, Fault> {
        let [name] = directive.args() else {
            let what = "invalid number of arguments in \"include\" directive".to_owned();
            return Err(Fault::Syntax { place: directive.place.clone(), what });
        };
        let mut directives = Vec::new();
        for path in self.find(name, &directive.place)? {
            directives.extend(self.load(&path, &directive.place)?);
        }
        Ok(directives)
    }

    fn load(&mut self, path: &Path, from: &Place) -> Result<Vec<Directive>, Fault> {
        let identity = self.identity(path);
        if self.open.contains(&identity) {
            return Err(Fault::Loop { place: from.clone(), path: path.to_owned() });
        }
        if self.open.len() >= DEEPEST {
            return Err(too_much(
                path,
                &format!("more than {DEEPEST} files that include each other"),
            ));
        }
        let text = self.text_of(path, from)?;
        self.count(path, &text)?;
        let directives = syntax::parse(&text, &shown(path))?;
        self.open.push(identity);
        let expanded = self.expand(directives);
        self.open.pop();
        expanded
    }

    fn text_of(&self, path: &Path, from: &Place) -> Result<String, Fault> {
        match &self.dump {
            None => from_disk(path, Some(from)),
            Some(files) => files.get(path).cloned().ok_or_else(|| Fault::Missing {
                place: from.clone(),
                name: path.to_string_lossy().into_owned(),
            }),
        }
    }

    /// Counts a file that is read.
    fn count(&mut self, path: &Path, text: &str) -> Result<(), Fault> {
        self.files.push(path.to_owned());
        self.bytes += text.len() as u64;
        if self.files.len() > MOST_FILES {
            return Err(too_much(path, &format!("more than {MOST_FILES} files")));
        }
        if self.bytes > LARGEST_SUM {
            return Err(too_much(path, &format!("more than {} MiB in all", LARGEST_SUM >> 20)));
        }
        Ok(())
    }

    /// The files that an include means; none for a pattern that matches none.
    fn find(&self, name: &str, place: &Place) -> Result<Vec<PathBuf>, Fault> {
        let beside = folder(Path::new(&*place.file));
        let beside = (self.bases.len() > 1).then_some(beside);
        for base in self.bases.iter().chain(&beside) {
            let found = self.matching(&base.join(name));
            if !found.is_empty() {
                return Ok(found);
            }
        }
        if is_pattern(name) {
            return Ok(Vec::new());
        }
        Err(Fault::Missing { place: place.clone(), name: name.to_owned() })
    }

    fn matching(&self, wanted: &Path) -> Vec<PathBuf> {
        match &self.dump {
            Some(files) => match pattern(&wanted.to_string_lossy()) {
                Some(pattern) => files.keys().filter(|p| pattern.is_match(p)).cloned().collect(),
                None => files.keys().filter(|path| *path == wanted).cloned().collect(),
            },
            None => on_disk(wanted),
        }
    }

    /// What makes two names the same file.
    fn identity(&self, path: &Path) -> PathBuf {
        match self.dump {
            None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            Some(_) => path.to_owned(),
        }
    }
}

fn from_disk(path: &Path, from: Option<&Place>) -> Result<String, Fault> {
    let fault = |source| Fault::Open { path: path.to_owned(), from: from.cloned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_much(path, &format!("more than {} MiB", LARGEST >> 20)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn too_much(path: &Path, what: &str) -> Fault {
    Fault::TooMuch { path: path.to_owned(), what: what.to_owned() }
}

/// The files of what `nginx -T` printed, and the main one, which comes first.
fn dumped(text: &str) -> Option<(PathBuf, BTreeMap<PathBuf, String>)> {
    let header = |line: &str| {
        let name = line.strip_prefix("# configuration file ")?.strip_suffix(':')?;
        Some(PathBuf::from(name))
    };
    let mut main = None;
    let mut files = BTreeMap::<PathBuf, String>::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(path) = header(line) {
            main.get_or_insert_with(|| path.clone());
            current = Some(files.entry(path).or_default());
        } else if let Some(text) = &mut current {
            text.push_str(line);
            text.push('\n');
        }
    }
    main.map(|main| (main, files))
}

/// The files on the disk that a path means, component by component, in order.
fn on_disk(wanted: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in wanted.components() {
        found = match pattern_of(component) {
            Some(pattern) => found.iter().flat_map(|path| entries(path, &pattern)).collect(),
            None => found.iter().map(|path| path.join(component)).collect(),
        };
    }
    found.retain(|path| path.exists());
    found
}

/// The entries of a folder that match; hidden ones only where that is asked for.
fn entries(folder: &Path, (pattern, hidden): &(GlobMatcher, Hidden)) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(here) else { return Vec::new() };
    let names = entries.take(MOST_ENTRIES).filter_map(|entry| Some(entry.ok()?.file_name()));
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

/// The pattern that a name is, if it is one. Braces mean themselves, as in nginx.
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
