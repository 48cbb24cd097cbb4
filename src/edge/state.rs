//! The state file: what is remembered, replaced as a whole.
//!
//! It is written beside itself, flushed to the disk and renamed, so that a
//! power cut leaves the old file or the new one. A damaged file is set aside
//! and said; one that a newer version wrote is left alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::error;

use crate::analysis::ledger::Ledger;
use crate::analysis::notify::{Own, Receiver, Silence, Theme};

/// The version that this program writes.
const VERSION: u32 = 2;

/// Ledgers by the key of their gateway.
pub type Ledgers = BTreeMap<String, Ledger>;

/// Everything that is remembered over restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// What is remembered of each gateway.
    pub gateways: Ledgers,
    /// What somebody does not want to hear of for a while.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// The daemon's own troubles, and who knows of them.
    #[serde(default)]
    pub own: BTreeMap<Theme, Own>,
    /// What is sent by the clock, and until when that was done.
    #[serde(default)]
    pub sent: BTreeMap<Regular, i64>,
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
pub enum Regular {
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
    /// A newer program wrote it.
    #[error("the state file {} has version {found}, and this nearmiss knows version {VERSION}: run the newer nearmiss, or move the file away to start afresh", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    memory: &'a Memory,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The file, whether it is there yet or not.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file at this path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// What was remembered; nothing when there is no file. A damaged file is
    /// renamed to `<name>.damaged`, which is an error in the log and not an end.
    ///
    /// # Errors
    /// When the file cannot be read, or is a newer version's.
    pub fn load(&self) -> Result<Memory, StateError> {
        let read = |source| StateError::Read { path: self.path.clone(), source };
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
            Err(error) => return Err(read(error)),
        };
        let parsed = match serde_json::from_slice(&bytes) {
            Ok(Version { version: 1 }) => first_version(&bytes),
            Ok(Version { version: found }) if found > VERSION => {
                return Err(StateError::Newer { path: self.path.clone(), found });
            }
            _ => serde_json::from_slice::<Memory>(&bytes),
        };
        match parsed {
            Ok(memory) => Ok(memory),
            Err(problem) => {
                let mut aside = self.path.clone().into_os_string();
                aside.push(".damaged");
                fs::rename(&self.path, &aside).map_err(read)?;
                error!(
                    set_aside = %aside.display(),
                    "the state file is damaged ({problem}); open episodes will be told anew and the counters start at zero"
                );
                Ok(Memory::default())
            }
        }
    }

    /// Whether it could be written: makes and removes a file beside it.
    ///
    /// # Errors
    /// When the directory is not there or does not allow it.
    pub fn probe(&self) -> Result<(), StateError> {
        let made = tempfile::NamedTempFile::new_in(self.directory());
        made.map(drop).map_err(|source| StateError::Write { path: self.path.clone(), source })
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When the disk or the directory does not allow it; the old file stays.
    pub fn save(&self, memory: &Memory) -> Result<(), StateError> {
        self.replace(memory).map_err(|source| StateError::Write { path: self.path.clone(), source })
    }

    fn replace(&self, memory: &Memory) -> io::Result<()> {
        let directory = self.directory();
        let bytes = serde_json::to_vec(&Written { version: VERSION, memory })?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()
    }
}

/// Reads version 1, which knew one receiver and had an episode's gateway beside it
/// and not in it: what was told counts as told to the log, until
/// [`Memory::told_to`] says to whom.
fn first_version(bytes: &[u8]) -> Result<Memory, serde_json::Error> {
    let mut state: Value = serde_json::from_slice(bytes)?;
    let gateways = state["gateways"].as_object_mut();
    for (key, ledger) in gateways.into_iter().flatten() {
        let gateway = gateway_of(key, &ledger["remembered"][0]["t"]);
        for record in ledger["records"].as_array_mut().into_iter().flatten() {
            let at = record["episode"]["began"].clone();
            let told = record["told"].take();
            record["gateway"].clone_from(&gateway);
            record["audible"] = true.into();
            record["told"] = match told {
                Value::Null => json!({}),
                severity => json!({ "log": { "severity": severity, "first": at, "last": at } }),
            };
        }
    }
    let memory: Memory = serde_json::from_value(state)?;
    Ok(Memory { names_nobody: true, ..memory })
}

/// As much of a gateway as its key says; the rest comes with its next minute.
fn gateway_of(key: &str, timeout: &Value) -> Value {
    let mut parts = key.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (region, account, dimension) = (next(), next(), next());
    let name = dimension.split('/').nth(1).unwrap_or(dimension);
    json!({
        "id": { "name": name, "region": region, "account": account, "dimension": dimension },
        "kind": "alb",
        "timeout": { "seconds": timeout.as_f64().unwrap_or(60.0), "idle_timeout": null },
        "near": 0.8,
        "detail": "figures",
    })
}

impl Memory {
    /// What version 1 told it told this receiver.
    pub fn told_to(&mut self, receiver: &Receiver) {
        if !std::mem::take(&mut self.names_nobody) {
            return;
        }
        let log = Receiver::default();
        for record in self.gateways.values_mut().flat_map(|ledger| &mut ledger.records) {
            if let Some(told) = record.told.remove(&log) {
                record.told.entry(receiver.clone()).or_insert(told);
            }
        }
    }
}
