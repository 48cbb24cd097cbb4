//! The state file: one ledger for each gateway, replaced as a whole.
//!
//! It is written beside itself, flushed to the disk and renamed, so that a
//! power cut leaves the old file or the new one. A damaged file is set aside
//! and said; one that a newer version wrote is left alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::error;

use crate::analysis::ledger::Ledger;

/// The version that this program writes.
const VERSION: u32 = 1;

/// Ledgers by the key of their gateway.
pub type Ledgers = BTreeMap<String, Ledger>;

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
    gateways: &'a Ledgers,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    gateways: Ledgers,
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
    pub fn load(&self) -> Result<Ledgers, StateError> {
        let read = |source| StateError::Read { path: self.path.clone(), source };
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledgers::new()),
            Err(error) => return Err(read(error)),
        };
        if let Ok(Version { version: found }) = serde_json::from_slice(&bytes)
            && found > VERSION
        {
            return Err(StateError::Newer { path: self.path.clone(), found });
        }
        match serde_json::from_slice::<Read>(&bytes) {
            Ok(state) => Ok(state.gateways),
            Err(problem) => {
                let mut aside = self.path.clone().into_os_string();
                aside.push(".damaged");
                fs::rename(&self.path, &aside).map_err(read)?;
                error!(
                    set_aside = %aside.display(),
                    "the state file is damaged ({problem}); open episodes will be told anew and the counters start at zero"
                );
                Ok(Ledgers::new())
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
    pub fn save(&self, gateways: &Ledgers) -> Result<(), StateError> {
        self.replace(gateways)
            .map_err(|source| StateError::Write { path: self.path.clone(), source })
    }

    fn replace(&self, gateways: &Ledgers) -> io::Result<()> {
        let directory = self.directory();
        let bytes = serde_json::to_vec(&Written { version: VERSION, gateways })?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()
    }
}
