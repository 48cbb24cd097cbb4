//! The path of a state: what is there, what is beside it, and who holds it.

use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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
    _file: File,
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
        // Whatever is in its place must not be followed, or waited for.
        let mut open = OpenOptions::new();
        open.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let made = open.clone().write(true).create(true).mode(LOCK_MODE).open(&path);
        let open = made.or_else(|_| open.open(&path));
        let unlocked = |why: io::Error| {
            warn!(
                "there is no lock on the state, and nothing keeps a second daemon away: {}: {why}",
                path.display()
            );
        };
        let mut file = match open {
            Ok(file) => file,
            Err(why) => {
                unlocked(why);
                return Ok(None);
            }
        };
        match file.try_lock() {
            Ok(()) => {
                // Whoever is refused should see which process holds it.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                Ok(Some(Lock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut text);
                let holder = match text.trim().parse::<u32>() {
                    Ok(id) => format!("the nearmiss with the process id {id}"),
                    Err(_) => "another nearmiss".to_owned(),
                };
                Err(self.in_use(holder))
            }
            Err(TryLockError::Error(why)) => {
                unlocked(why);
                Ok(None)
            }
        }
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

    pub(super) fn damaged(&self, why: String) -> StateError {
        StateError::Damaged { path: self.path.clone(), why }
    }
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
