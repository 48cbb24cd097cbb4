//! nginx's files: which timeouts apply where requests are passed on.
//!
//! The files are read as nginx reads them, includes and all, from a disk or from what
//! `nginx -T` printed. Reading is here; what the text means is pure and is in `syntax`,
//! `time`, `scope`, `upstream` and `route`. What nginx would refuse is an error with its
//! file and line, except for included files that a copy lacks; what is unknown here is left
//! alone, because nginx has more modules than anybody lists.

mod include;
mod lua;
mod note;
mod pass;
mod route;
mod scope;
pub mod syntax;
#[cfg(test)]
mod tests;
mod time;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include::Reader;
use nearmiss_core::chain::{Known, Limit, Origin, Said, Timer, Version, printable};
pub use note::Note;
pub use pass::Pass;
pub use route::Route;
pub use scope::Time;
pub use syntax::Place;
use syntax::Problem;

/// Everything in nginx's files that a timeout chain needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nginx {
    /// Every place that passes requests on, in the order of the files.
    pub routes: Vec<Route>,
    /// The files that were read, each once.
    pub files: Vec<PathBuf>,
    /// What is worth knowing about how they were read.
    pub notes: Vec<Note>,
    /// nginx's version, where the input says it (`nginx -v` before `nginx -T`).
    pub version: Option<Version>,
}

/// Places that pass requests on with the same figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<'a> {
    /// The places.
    pub routes: Vec<&'a Route>,
    facts: Vec<(Said, Place)>,
}

impl Nginx {
    /// Reads a file with all that it includes, a folder that has an
    /// `nginx.conf`, or a file with what `nginx -T` printed.
    ///
    /// # Errors
    /// When the main file cannot be read, nginx would refuse one for its syntax, or they
    /// exceed the limits.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let mut reader = Reader::open(path)?;
        let directives = reader.directives()?;
        let routes = route::routes(&directives)?;
        let mut notes: Vec<Note> = reader.notes.into_iter().collect();
        if routes.iter().any(Route::counts_names) {
            notes.push(Note::Names);
        }
        Ok(Self { routes, files: reader.files, notes, version: reader.version })
    }

    /// Groups of places with the same figures, the least patient first. A chain has to be
    /// checked with each of them. Some figures depend on nginx's version; the one in the
    /// input takes precedence over `version`.
    #[must_use]
    pub fn sets(&self, version: Option<Version>) -> Vec<Set<'_>> {
        let version = self.version.or(version);
        let mut sets = HashMap::<Vec<Said>, Set<'_>>::new();
        for route in &self.routes {
            let facts = route.facts(version);
            let figures = facts.iter().map(|(said, _)| *said).collect();
            let set = sets.entry(figures).or_insert_with(|| Set { routes: Vec::new(), facts });
            set.routes.push(route);
        }
        let mut sets: Vec<_> = sets.into_values().collect();
        sets.sort_by_cached_key(|set| (set.patience(), set.first_place()));
        sets
    }
}

impl Set<'_> {
    /// What the files say, for the hop that nginx is in a chain (counted from 0 at the
    /// client). What they leave to nginx's defaults is not in it.
    #[must_use]
    pub fn known(&self, hop: usize) -> Vec<Known> {
        let known = |(said, place): &(Said, Place)| Known {
            hop,
            said: *said,
            origin: Origin::File { path: place.file.to_string(), line: place.line },
        };
        self.facts.iter().map(known).collect()
    }

    /// Where the first of its places is.
    fn first_place(&self) -> Option<Place> {
        self.routes.first().map(|route| route.place.clone())
    }

    /// How long it waits between two reads.
    fn patience(&self) -> Limit {
        let read = |(said, _): &(Said, Place)| match said {
            Said::Timer(Timer::Read, limit) => Some(*limit),
            _ => None,
        };
        self.facts.iter().find_map(read).unwrap_or(Limit::seconds(60))
    }
}

/// Why nginx's files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The main file cannot be read.
    #[error("cannot read {}", shown(path))]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder has no `nginx.conf`.
    #[error("no nginx.conf in {}: give the file itself", shown(path))]
    NoMain {
        /// Which folder.
        path: PathBuf,
    },
    /// nginx would refuse it for its syntax.
    #[error("{place}: {what}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong.
        what: String,
    },
    /// A file includes itself.
    #[error("{place}: includes {}, which is being read already", shown(path))]
    Loop {
        /// Where.
        place: Place,
        /// Which file.
        path: PathBuf,
    },
    /// It exceeds the limits.
    #[error("{}: {what}", shown(path))]
    TooMuch {
        /// Where that was noticed.
        path: PathBuf,
        /// What there is too much of.
        what: String,
    },
}

impl Fault {
    /// Whether nothing exists at the path that was given.
    #[must_use]
    pub fn is_wrong_path(&self) -> bool {
        match self {
            Self::Open { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::NoMain { .. } => true,
            Self::Syntax { .. } | Self::Loop { .. } | Self::TooMuch { .. } => false,
        }
    }
}

impl From<Problem> for Fault {
    fn from(Problem { place, what }: Problem) -> Self {
        Self::Syntax { place, what: printable(&what) }
    }
}

/// `nginx.conf:12`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A path as it is shown.
fn shown(path: &Path) -> Arc<str> {
    Arc::from(printable(&path.to_string_lossy()))
}
