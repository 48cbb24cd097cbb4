//! The path of a state: what is there, what is beside it, and who holds it.

use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tracing::warn;

use super::StateError;

/// Everybody may see who holds the lock.
const LOCK_MODE: u32 = 0o644;
/// How many links are followed at most.
const MAX_LINKS: usize = 40;

/// Where a state is, whether it exists yet or not.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    /// Where it really is: a link stays a link.
    target: PathBuf,
}

/// As long as it lives, no other daemon uses the same state. The system releases the lock
/// when its holder ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// The number of the save that is known to be on the disk.
    saved: Option<u64>,
}

impl Lock {
    /// The number of the save that is known to be on the disk.
    pub(super) fn saved(&self) -> Option<u64> {
        self.saved
    }

    /// Says which process this is, and which save is on the disk. It is not waited for: after
    /// a power cut there may be an earlier number, which is no harm.
    pub(super) fn note(&mut self, saved: Option<u64>) -> io::Result<()> {
        self.saved = saved;
        let number = saved.map_or_else(String::new, |number| format!("{number}\n"));
        let text = format!("{}\n{number}", std::process::id());
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}

impl Place {
    /// The state at this path.
    pub(super) fn new(path: &Path) -> Self {
        let mut target = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Ok(to) = fs::read_link(&target) else { break };
            target = target.parent().unwrap_or(Path::new("")).join(to);
        }
        Self { path: path.to_owned(), target }
    }

    /// Where it really is.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Locks out other daemons. If the directory cannot be written, nothing can be saved
    /// either, and there is no lock.
    pub(super) fn lock(&self) -> Result<Option<Lock>, StateError> {
        let path = self.beside(".lock");
        let open = unfollowed();
        let made = open.clone().write(true).create(true).mode(LOCK_MODE).open(&path);
        let open = made.or_else(|_| open.open(&path));
        let unlocked = |why: io::Error| {
            warn!(
                "there is no lock on the state, and nothing keeps a second daemon away: {}: {why}",
                path.display()
            );
        };
        let file = match open {
            Ok(file) => file,
            Err(why) => {
                unlocked(why);
                return Ok(None);
            }
        };
        let (holder, saved) = said(&file);
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file, saved };
                // Whoever is refused should see which process holds it.
                let _ = lock.note(saved);
                Ok(Some(lock))
            }
            Err(TryLockError::WouldBlock) => {
                let holder = match holder {
                    Some(id) => format!("the nearmiss with the process id {id}"),
                    None => "another nearmiss".to_owned(),
                };
                Err(self.in_use(holder))
            }
            Err(TryLockError::Error(why)) => {
                unlocked(why);
                Ok(None)
            }
        }
    }

    /// The number of the save that is known to be on the disk, where a daemon noted one.
    pub(super) fn saved(&self) -> Option<u64> {
        said(&unfollowed().open(self.beside(".lock")).ok()?).1
    }

    /// Whether there is a file, and not something else in its place.
    pub(super) fn is_there(&self) -> Result<bool, StateError> {
        match fs::metadata(&self.target) {
            Ok(file) if file.is_file() => Ok(true),
            Ok(other) => {
                Err(StateError::NotAFile { path: self.path.clone(), what: kind(other.file_type()) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    /// Checks that it could be written: creates a file beside it, without a name.
    pub(super) fn probe(&self) -> Result<(), StateError> {
        self.is_there()?;
        let made = tempfile::tempfile_in(self.directory());
        made.map(drop).map_err(|source| self.unwritable(source))
    }

    /// The directory that it is in.
    pub(super) fn directory(&self) -> &Path {
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Its path with a suffix.
    pub(super) fn beside(&self, end: &str) -> PathBuf {
        let mut path: OsString = self.target.clone().into_os_string();
        path.push(end);
        path.into()
    }

    /// Its path with a suffix and, if something is there, a number.
    pub(super) fn free_beside(&self, end: &str) -> PathBuf {
        let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        let numbered = (2_u64..).map(|number| self.beside(&format!("{end}.{number}")));
        let mut all = std::iter::once(self.beside(end)).chain(numbered);
        all.find(is_free).unwrap_or_else(|| self.beside(end))
    }

    pub(super) fn unreadable(&self, source: io::Error) -> StateError {
        StateError::Read { path: self.path.clone(), source }
    }

    pub(super) fn unwritable(&self, source: io::Error) -> StateError {
        StateError::Write { path: self.path.clone(), source }
    }

    pub(super) fn in_use(&self, holder: String) -> StateError {
        StateError::Locked { path: self.path.clone(), holder }
    }

    pub(super) fn newer(&self, found: String, known: u32) -> StateError {
        StateError::Newer { path: self.path.clone(), found, known }
    }

    pub(super) fn older(&self, found: u64, written: u64) -> StateError {
        StateError::Older { path: self.path.clone(), found, written }
    }

    pub(super) fn damaged(&self, why: String) -> StateError {
        StateError::Damaged { path: self.path.clone(), why }
    }
}

/// For reading what must not be followed, or waited for, whatever it is.
fn unfollowed() -> OpenOptions {
    let mut open = OpenOptions::new();
    open.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    open
}

/// Which process a lock says holds it, and which save it says is on the disk.
fn said(lock: &File) -> (Option<u32>, Option<u64>) {
    let mut text = String::new();
    let _ = lock.take(64).read_to_string(&mut text);
    let mut lines = text.lines();
    let mut line = || lines.next().map(str::trim);
    (line().and_then(|id| id.parse().ok()), line().and_then(|number| number.parse().ok()))
}

/// What is there instead of a file.
pub(super) fn kind(found: FileType) -> &'static str {
    match found {
        dir if dir.is_dir() => "a directory",
        link if link.is_symlink() => "a link",
        fifo if fifo.is_fifo() => "a FIFO",
        socket if socket.is_socket() => "a socket",
        _ => "a device",
    }
}
