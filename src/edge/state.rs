//! The state file: what is remembered, replaced as a whole.
//!
//! It is written beside itself, flushed to the disk, and then the two files change
//! places: a power cut leaves the old one or the new one. The file beside it stays for
//! the next time, with room to spare, so that a full disk does not hinder what is
//! already there from being written over. A damaged file is set aside and said; one that
//! a newer version wrote is left alone. One daemon at a time holds the lock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};
use tracing::{error, warn};

use nearmiss_core::alerting::{Receiver, ReceiverId, Silence};
use nearmiss_core::gateway::Identity;
use nearmiss_core::notification::{Component, SelfAlert};
use nearmiss_core::state::GatewayState;

/// The version that this program writes.
const VERSION: u32 = 2;

/// Ledgers by the key of their gateway.
pub type GatewayStates = BTreeMap<String, GatewayState>;

/// Everything that is remembered over restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PersistedState {
    /// What is remembered of each gateway.
    pub gateways: GatewayStates,
    /// What somebody does not want to hear of for a while.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// The daemon's own troubles, and who knows of them.
    #[serde(default)]
    pub own: BTreeMap<Component, SelfAlert>,
    /// What is sent by the clock, and until when that was done.
    #[serde(default)]
    pub sent: BTreeMap<ScheduledMessage, i64>,
    /// Metrics that CloudWatch billed, by day (counted from the Unix epoch).
    #[serde(default)]
    pub billed: BTreeMap<i64, u64>,
    /// Whether it does not say who was told: version 1 knew one receiver.
    #[serde(skip)]
    names_nobody: bool,
}

/// What is sent by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledMessage {
    /// The capacity report.
    Digest,
    /// The message that the daemon is alive.
    Alive,
}

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is there and cannot be read.
    #[error("cannot read the state file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the state file {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is there and is no file.
    #[error("the state file {} is {what}, and must be a regular file: set [state] path to one", path.display())]
    NotAFile {
        /// Which file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another daemon uses it.
    #[error("the state file {} is in use by {holder}: two daemons would tell everything twice. Stop that one, or give this one a [state] path of its own", path.display())]
    Locked {
        /// Which file.
        path: PathBuf,
        /// The other daemon.
        holder: String,
    },
    /// A newer program wrote it.
    #[error("the state file {} has version {found}, and this nearmiss knows version {VERSION}: run the newer nearmiss, or move the file away to start afresh", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    memory: &'a PersistedState,
}

#[derive(Deserialize)]
struct Version {
    version: Number,
}

/// The largest state file, in bytes: many times what ten thousand gateways take.
const MAX_BYTES: u64 = 1 << 30;
/// A file beside the state has so many bytes more than it needs, and a quarter.
const ROOM: usize = 64 * 1024;
/// The daemon's user alone may read what is remembered.
const MODE: u32 = 0o600;
/// Everybody may see who holds the lock.
const LOCK_MODE: u32 = 0o644;
/// A chain of links is followed so far.
const MAX_LINKS: usize = 40;

/// The file, whether it is there yet or not.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
    /// Where it really is: a link stays a link.
    target: PathBuf,
    /// As long as it lives, no other daemon uses the same state file. The system gives the
    /// lock back when its holder ends, however it ends.
    lock: Option<Arc<File>>,
}

impl StateFile {
    /// The file at this path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let mut target = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Ok(to) = fs::read_link(&target) else { break };
            target = target.parent().unwrap_or(Path::new("")).join(to);
        }
        Self { path: path.to_owned(), target, lock: None }
    }

    /// The same, keeping other daemons away. Where the directory cannot be written, nothing can be
    /// remembered either, and there is no lock.
    ///
    /// # Errors
    /// When another daemon has it.
    pub fn locked(mut self) -> Result<Self, StateError> {
        let path = self.beside(".lock");
        // Nothing that stands there in its place may be followed, or waited for.
        let mut open = OpenOptions::new();
        open.read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
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
                return Ok(self);
            }
        };
        match file.try_lock() {
            Ok(()) => {
                // Whoever is refused wants to know by whom.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                self.lock = Some(Arc::new(file));
                Ok(self)
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut text);
                let holder = match text.trim().parse::<u32>() {
                    Ok(id) => format!("the nearmiss with the process id {id}"),
                    Err(_) => "another nearmiss".to_owned(),
                };
                Err(StateError::Locked { path: self.path.clone(), holder })
            }
            Err(TryLockError::Error(why)) => {
                unlocked(why);
                Ok(self)
            }
        }
    }

    /// What was remembered; nothing when there is no file. A damaged file is
    /// renamed to `<name>.damaged`, which is an error in the log and not an end.
    ///
    /// # Errors
    /// When the file cannot be read, is none, or is a newer version's.
    pub fn load(&self) -> Result<PersistedState, StateError> {
        let read = |source| StateError::Read { path: self.path.clone(), source };
        if !self.is_there()? {
            return Ok(PersistedState::default());
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.target).map_err(read)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(read(io::Error::other(
                "it is larger than 1 GiB, which no nearmiss writes",
            )));
        }
        let version = serde_json::from_slice(&bytes).map(|Version { version }| version);
        let parsed = match version {
            Ok(version) if version.as_u64() == Some(1) => first_version(&bytes),
            Ok(version) if version.as_f64().is_some_and(|found| found > f64::from(VERSION)) => {
                let found = version.to_string();
                return Err(StateError::Newer { path: self.path.clone(), found });
            }
            Ok(version) if version.as_u64() != Some(u64::from(VERSION)) => {
                Err(serde::de::Error::custom(format!("there is no version {version}")))
            }
            Ok(_) => serde_json::from_slice::<PersistedState>(&bytes),
            Err(problem) => Err(problem),
        };
        match parsed {
            Ok(memory) => Ok(memory),
            Err(problem) => {
                let aside = self.beside(".damaged");
                fs::rename(&self.target, &aside).map_err(read)?;
                error!(
                    set_aside = %aside.display(),
                    "the state file is damaged ({problem}); open episodes will be told anew and the counters start at zero"
                );
                Ok(PersistedState::default())
            }
        }
    }

    /// Whether there is a file, and not something else in its place.
    fn is_there(&self) -> Result<bool, StateError> {
        match fs::metadata(&self.target) {
            Ok(file) if file.is_file() => Ok(true),
            Ok(other) => {
                Err(StateError::NotAFile { path: self.path.clone(), what: kind(other.file_type()) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StateError::Read { path: self.path.clone(), source }),
        }
    }

    /// Whether it could be written: makes a file beside it, without a name.
    ///
    /// # Errors
    /// When the directory is not there or does not allow it, or something else is in its
    /// place.
    pub fn probe(&self) -> Result<(), StateError> {
        self.is_there()?;
        let made = tempfile::tempfile_in(self.directory());
        made.map(drop).map_err(|source| StateError::Write { path: self.path.clone(), source })
    }

    fn directory(&self) -> &Path {
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// The path of the file with something more at its end.
    fn beside(&self, end: &str) -> PathBuf {
        let mut path: OsString = self.target.clone().into_os_string();
        path.push(end);
        path.into()
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When the disk or the directory does not allow it; the old file stays.
    pub fn save(&self, memory: &PersistedState) -> Result<(), StateError> {
        self.is_there()?;
        self.replace(memory).map_err(|source| StateError::Write { path: self.path.clone(), source })
    }

    fn replace(&self, memory: &PersistedState) -> io::Result<()> {
        let bytes = serde_json::to_vec(&Written { version: VERSION, memory })?;
        let spare = self.beside(".spare");
        fill(&spare, bytes)?;
        let target = &self.target;
        match renameat_with(CWD, &spare, CWD, target, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // The first time there is nothing to change places with, and some file
            // systems cannot do it.
            Err(_) => fs::rename(&spare, target)?,
        }
        let synced = File::open(self.directory()).and_then(|directory| directory.sync_all());
        if synced.is_err() {
            // Who knows which of the two has the name after a power cut: neither may be
            // written over.
            let _ = fs::remove_file(&spare);
        }
        synced
    }
}

/// Writes over a file that may be there, on the room that it has, or else makes it larger
/// than it must be. What follows the text is blank, which JSON allows.
fn fill(path: &Path, mut bytes: Vec<u8>) -> io::Result<()> {
    if let Ok(there) = fs::symlink_metadata(path)
        && !there.is_file()
    {
        return Err(io::Error::other(format!(
            "{} is in the way: it is {}",
            path.display(),
            kind(there.file_type())
        )));
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(flags(OFlags::NOFOLLOW))
        .open(path)?;
    let has = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let wants = bytes.len() + bytes.len() / 4 + ROOM;
    let fits = (bytes.len()..=wants.saturating_mul(4)).contains(&has);
    let room = if fits { has } else { wants };
    bytes.resize(room, b' ');
    file.write_all(&bytes)?;
    file.set_len(room as u64)?;
    file.sync_all()
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// What stands where a file should.
fn kind(found: FileType) -> &'static str {
    match found {
        dir if dir.is_dir() => "a directory",
        link if link.is_symlink() => "a link",
        fifo if fifo.is_fifo() => "a FIFO",
        socket if socket.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Reads version 1, which knew one receiver and had an episode's gateway beside it
/// and not in it: what was told counts as told to the log, until
/// [`PersistedState::told_to`] says to whom.
fn first_version(bytes: &[u8]) -> Result<PersistedState, serde_json::Error> {
    let mut state: Value = serde_json::from_slice(bytes)?;
    let gateways = state.get_mut("gateways").and_then(Value::as_object_mut);
    for (key, ledger) in gateways.into_iter().flatten() {
        let gateway = gateway_of(key, &ledger["remembered"][0]["t"]);
        let records = ledger.get_mut("records").and_then(Value::as_array_mut);
        for record in records.into_iter().flatten().filter_map(Value::as_object_mut) {
            let began = record.get("episode").and_then(|episode| episode.get("began"));
            let at = began.cloned().unwrap_or_default();
            let told = match record.remove("told") {
                None | Some(Value::Null) => json!({}),
                Some(severity) => {
                    json!({ "log": { "severity": severity, "first": at, "last": at } })
                }
            };
            record.insert("gateway".to_owned(), gateway.clone());
            record.insert("audible".to_owned(), true.into());
            record.insert("told".to_owned(), told);
        }
    }
    let memory: PersistedState = serde_json::from_value(state)?;
    Ok(PersistedState { names_nobody: true, ..memory })
}

/// As much of a gateway as its key says; the rest comes with its next minute.
fn gateway_of(key: &str, timeout: &Value) -> Value {
    json!({
        "id": Identity::of_key(key),
        "kind": "alb",
        "timeout": { "seconds": timeout.as_f64().unwrap_or(60.0), "idle_timeout": null },
        "near": 0.8,
        "detail": "figures",
    })
}

impl PersistedState {
    /// What version 1 told it told this receiver.
    pub fn told_to(&mut self, receiver: &ReceiverId) {
        if !std::mem::take(&mut self.names_nobody) {
            return;
        }
        let log = Receiver::log().id;
        for record in self.gateways.values_mut().flat_map(|ledger| &mut ledger.records) {
            if let Some(told) = record.told.remove(&log) {
                record.told.entry(receiver.clone()).or_insert(told);
            }
        }
    }
}

#[cfg(test)]
mod tests;
