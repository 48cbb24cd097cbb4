//! What is remembered over restarts, and where.
//!
//! A [`Store`] keeps the state of each gateway and what belongs to no gateway, and is given
//! what changed: a poll in which two gateways changed writes two gateways. There is one
//! today, a file beside the daemon ([`embedded`]). Another would be a file of its own here
//! and a line of [`open`]; its methods are futures, because a store over the network has no
//! other way.

mod embedded;
mod guard;
mod json;
mod overlay;
mod persisted;
mod place;
mod room;
mod tables;

use std::fmt;
use std::io;
use std::path::PathBuf;

use futures::future::LocalBoxFuture;

use crate::config::State;
use embedded::Embedded;
pub use json::VERSION;
pub use persisted::{GatewayStates, PersistedState, ScheduledMessage};

/// Where the state is kept. Whoever holds one is its only writer.
pub trait Store: fmt::Debug {
    /// The saved state; an empty one if there is none yet. What is damaged is set aside,
    /// which is logged as an error and does not stop the daemon.
    fn load(&mut self) -> LocalBoxFuture<'_, Result<PersistedState, StateError>>;

    /// Writes what changed since the last time, and these figures, all of it or nothing. When
    /// this returns without an error, it survives a power cut, and the state is marked as
    /// written; otherwise it is due again.
    fn save<'a>(
        &'a mut self,
        state: &'a mut PersistedState,
        figures: &'a Figures,
    ) -> LocalBoxFuture<'a, Result<(), StateError>>;

    /// What was saved of the history of these gateways.
    fn days<'a>(
        &'a mut self,
        gateways: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<HistoryDay>, StateError>>;

    /// What was saved of the newest minutes of these gateways.
    fn recent<'a>(
        &'a mut self,
        gateways: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<RecentMinutes>, StateError>>;
}

/// What CloudWatch said, saved so that it need not be asked again. What is lost of it, or
/// damaged, is read from CloudWatch again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Days of history.
    pub days: Vec<HistoryDay>,
    /// The newest minutes.
    pub recent: Vec<RecentMinutes>,
}

/// The newest minutes of a gateway as they were last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentMinutes {
    /// The key of the gateway.
    pub gateway: String,
    /// They, packed, and how they were read.
    pub record: Vec<u8>,
}

/// A day of the history of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryDay {
    /// The key of the gateway.
    pub gateway: String,
    /// Which day of UTC, counted from the Unix epoch.
    pub day: i64,
    /// Its quarter-hours, packed.
    pub record: Vec<u8>,
}

/// The store that the config names, locked against other daemons.
///
/// # Errors
/// When another daemon has it.
pub fn open(config: &State) -> Result<Box<dyn Store>, StateError> {
    Ok(Box::new(Embedded::locked(&config.path)?))
}

/// Checks that it could be written.
///
/// # Errors
/// When the directory does not exist or is not writable, or something else is in its place.
pub fn probe(config: &State) -> Result<(), StateError> {
    place::Place::new(&config.path).probe()
}

/// What was saved last, whether a daemon runs or not; an empty state if there is none yet.
/// Nothing is written.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub fn read(config: &State) -> Result<PersistedState, StateError> {
    embedded::read(&config.path)
}

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It exists and cannot be read.
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
    /// It exists and is no file.
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
    /// A newer version of the program wrote it.
    #[error("the state file {} has version {found}, and this nearmiss knows version {known}: run the newer nearmiss, or move the file away to start afresh", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The newest version of its kind that this program knows.
        known: u32,
    },
    /// It is not the one that was written last.
    #[error("the state file {} has save {found}, and save {written} was written after it: it is an older copy, or the newest part of it was lost. A daemon that starts goes on from save {found}", path.display())]
    Older {
        /// Which file.
        path: PathBuf,
        /// The number of its save.
        found: u64,
        /// The number of the save that was written last.
        written: u64,
    },
    /// Its content is invalid.
    #[error("the state file {} is damaged ({why})", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

#[cfg(test)]
mod tests;
