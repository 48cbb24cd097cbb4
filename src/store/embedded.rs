//! The store beside the daemon: one file, written as it changes.
//!
//! The file is redb's: a tree whose pages are never overwritten while they are needed, so
//! that after a power cut it has what the last commit left, and after a failed commit what
//! was there before. It is created beside its place and renamed, with everything in it;
//! from then on each save writes what changed. If somebody removed or replaced the file, it
//! is created anew from what the daemon has in memory.
//!
//! A JSON file of an older version in its place is imported by the first save, and kept. A
//! damaged file is set aside and reported; one that a newer version wrote is left alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use rustix::fs::OFlags;
use tracing::{error, info};

use super::json::{self, JsonError};
use super::persisted::PersistedState;
use super::place::{Lock, Place, kind};
use super::room::Roomy;
use super::tables::{
    ROOM, Unusable, VERSION, builder, commit, failure, keep_room, read_days, read_tables,
};
use super::{HistoryDay, StateError, Store};

/// How a file of redb begins.
const MAGIC: &[u8] = b"redb";
/// The largest JSON file, in bytes: many times what ten thousand gateways take.
const MAX_JSON: u64 = 1 << 30;
/// Only the daemon's user may read the state.
const MODE: u32 = 0o600;

/// The file, whether it exists yet or not.
#[derive(Debug)]
pub(super) struct Embedded {
    place: Place,
    ours: Option<Ours>,
    /// Whether a JSON file of an older version is in its place.
    follows_json: bool,
    _lock: Option<Lock>,
}

/// The file that is being written to.
#[derive(Debug)]
struct Ours {
    /// `None` after the disk failed: it is opened again by the next save.
    database: Option<Database>,
    /// Which file it is: device and inode.
    id: (u64, u64),
}

impl Store for Embedded {
    fn load(&mut self) -> LocalBoxFuture<'_, Result<PersistedState, StateError>> {
        ready(self.load_now()).boxed_local()
    }

    /// It waits for the disk, for some milliseconds, and nothing else goes on meanwhile:
    /// nothing may before it is written.
    fn save<'a>(
        &'a mut self,
        state: &'a mut PersistedState,
        days: &'a [HistoryDay],
    ) -> LocalBoxFuture<'a, Result<(), StateError>> {
        ready(self.save_now(state, days)).boxed_local()
    }

    fn days<'a>(
        &'a mut self,
        gateways: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<HistoryDay>, StateError>> {
        ready(self.days_now(gateways)).boxed_local()
    }
}

impl Embedded {
    /// The file at this path, keeping other daemons away.
    pub(super) fn locked(path: &Path) -> Result<Self, StateError> {
        let place = Place::new(path);
        let lock = place.lock()?;
        Ok(Self { place, ours: None, follows_json: false, _lock: lock })
    }

    pub(super) fn load_now(&mut self) -> Result<PersistedState, StateError> {
        if !self.place.is_there()? {
            return Ok(PersistedState::default());
        }
        if !is_redb(&self.place)? {
            let read = read_json(&self.place);
            self.follows_json = read.is_ok();
            return self.or_set_aside(read);
        }
        let read = self.open().and_then(|database| {
            let state = read_tables(&database)?;
            Ok((database, state))
        });
        let read = match read {
            Ok((database, state)) => {
                let id = identify(self.place.target()).map_err(|why| self.place.unreadable(why))?;
                self.ours = Some(Ours { database: Some(database), id });
                Ok(state)
            }
            // Then nothing can be saved either, and the save will report it.
            Err(Unusable::Io(why)) if is_read_only(&why) => return read_only(&self.place),
            Err(why) => Err(state_error(why, &self.place)),
        };
        self.or_set_aside(read)
    }

    fn or_set_aside(
        &self,
        read: Result<PersistedState, StateError>,
    ) -> Result<PersistedState, StateError> {
        let Err(StateError::Damaged { why, .. }) = read else { return read };
        let aside = self.place.beside(".damaged");
        fs::rename(self.place.target(), &aside).map_err(|why| self.place.unreadable(why))?;
        error!(
            set_aside = %aside.display(),
            "the state file is damaged ({why}); open episodes will be told anew and the counters start at zero"
        );
        Ok(PersistedState::default())
    }

    fn open(&self) -> Result<Database, Unusable> {
        let file = OpenOptions::new().read(true).write(true).open(self.place.target());
        let file = Roomy::new(file.map_err(Unusable::Io)?)?;
        let mut builder = builder();
        Ok(builder.set_check_integrity_on_open(true).create_with_backend(file)?)
    }

    pub(super) fn days_now(&self, gateways: &[String]) -> Result<Vec<HistoryDay>, StateError> {
        let Some(database) = self.ours.as_ref().and_then(|ours| ours.database.as_ref()) else {
            return Ok(Vec::new());
        };
        match read_days(database, gateways) {
            // It was not written yet.
            Err(redb::Error::TableDoesNotExist(_)) => Ok(Vec::new()),
            days => days.map_err(|why| self.place.unreadable(failure(why))),
        }
    }

    pub(super) fn save_now(
        &mut self,
        state: &mut PersistedState,
        days: &[HistoryDay],
    ) -> Result<(), StateError> {
        self.place.is_there()?;
        self.write(state, days).map_err(|source| self.place.unwritable(source))?;
        state.gateways.written();
        Ok(())
    }

    fn write(&mut self, state: &PersistedState, days: &[HistoryDay]) -> io::Result<()> {
        let there = identify(self.place.target()).ok();
        let Some(mut ours) = self.ours.take().filter(|ours| Some(ours.id) == there) else {
            return self.create(state, days);
        };
        let database = match ours.database.take() {
            Some(database) => database,
            None => match self.open() {
                Ok(database) => database,
                Err(Unusable::Io(why)) => {
                    self.ours = Some(ours);
                    return Err(why);
                }
                // The daemon has everything that was in it in memory.
                Err(_) => return self.create(state, days),
            },
        };
        let changes = state.gateways.changes();
        let saved = commit(&database, state, changes, days).map_err(failure);
        // After an error the database must be opened anew.
        ours.database = saved.is_ok().then_some(database);
        self.ours = Some(ours);
        saved
    }

    /// Creates the file beside its place, with everything in it, and moves it there.
    fn create(&mut self, state: &PersistedState, days: &[HistoryDay]) -> io::Result<()> {
        let new = self.place.beside(".new");
        let file = make(&new)?;
        let (database, id) = fill(file, state, days).inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })?;
        if std::mem::take(&mut self.follows_json) {
            self.keep_json().inspect_err(|_| self.follows_json = true)?;
        }
        fs::rename(&new, self.place.target())?;
        File::open(self.place.directory()).and_then(|directory| directory.sync_all())?;
        self.ours = Some(Ours { database: Some(database), id });
        Ok(())
    }

    /// Gives the JSON file of the older version a second name, which stays when its first
    /// one goes.
    fn keep_json(&self) -> io::Result<()> {
        let kept = self.place.beside(".before");
        match fs::remove_file(&kept) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        // Some file systems allow only one name for a file.
        fs::hard_link(self.place.target(), &kept)
            .or_else(|_| fs::copy(self.place.target(), &kept).map(drop))?;
        let _ = fs::remove_file(self.place.beside(".spare"));
        info!(
            kept = %kept.display(),
            "the JSON state file is taken over: from now on the state is a database, which `nearmiss state export` prints as JSON; the file is kept"
        );
        Ok(())
    }
}

/// What was saved last, whether a daemon continues to write or not.
pub(super) fn read(path: &Path) -> Result<PersistedState, StateError> {
    let place = Place::new(path);
    match place.is_there()? {
        false => Ok(PersistedState::default()),
        true if is_redb(&place)? => read_only(&place),
        true => read_json(&place),
    }
}

fn read_only(place: &Place) -> Result<PersistedState, StateError> {
    let read = match builder().open_read_only(place.target()) {
        Err(DatabaseError::RepairAborted) => repaired(place).and_then(|copy| read_tables(&copy)),
        opened => opened.map_err(Unusable::from).and_then(|database| read_tables(&database)),
    };
    read.map_err(|why| state_error(why, place))
}

/// A copy in memory of a file that a crash left open: to repair the file itself is the next
/// daemon's task, and it may not be writable.
fn repaired(place: &Place) -> Result<Database, Unusable> {
    let bytes = fs::read(place.target()).map_err(Unusable::Io)?;
    let copy = InMemoryBackend::new();
    let filled = copy.set_len(bytes.len() as u64).and_then(|()| copy.write(0, &bytes));
    filled.map_err(|why| Unusable::Damaged(why.to_string()))?;
    Ok(Builder::new().set_check_integrity_on_open(true).create_with_backend(copy)?)
}

fn is_redb(place: &Place) -> Result<bool, StateError> {
    let mut begin = Vec::new();
    let file = File::open(place.target()).map_err(|why| place.unreadable(why))?;
    let read = file.take(MAGIC.len() as u64).read_to_end(&mut begin);
    read.map_err(|why| place.unreadable(why))?;
    Ok(begin == MAGIC)
}

fn read_json(place: &Place) -> Result<PersistedState, StateError> {
    let mut bytes = Vec::new();
    let file = File::open(place.target()).map_err(|why| place.unreadable(why))?;
    file.take(MAX_JSON + 1).read_to_end(&mut bytes).map_err(|why| place.unreadable(why))?;
    if bytes.len() as u64 > MAX_JSON {
        let why = "it is larger than 1 GiB, which no nearmiss writes";
        return Err(place.unreadable(io::Error::other(why)));
    }
    PersistedState::of_json(&bytes).map_err(|error| match error {
        JsonError::Newer(found) => place.newer(found, json::VERSION),
        JsonError::Damaged(why) => place.damaged(why.to_string()),
    })
}

/// An empty file that no other user can read.
fn make(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => fs::remove_file(path)?,
        Ok(there) => {
            let what = kind(there.file_type());
            let path = path.display();
            return Err(io::Error::other(format!("{path} is in the way: it is {what}")));
        }
        Err(_) => {}
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Writes everything to a new file, synced to the disk and with room to spare.
fn fill(
    file: File,
    state: &PersistedState,
    days: &[HistoryDay],
) -> io::Result<(Database, (u64, u64))> {
    let metadata = file.metadata()?;
    let written = file.try_clone()?;
    let database =
        Roomy::new(file).and_then(|file| builder().create_with_backend(file)).map_err(failure)?;
    let all = state.gateways.iter().map(|(key, state)| (key.as_str(), Some(state)));
    commit(&database, state, all, days).map_err(failure)?;
    let length = usize::try_from(written.metadata()?.len()).unwrap_or(0);
    keep_room(&database, length + ROOM).map_err(failure)?;
    written.sync_all()?;
    Ok((database, (metadata.dev(), metadata.ino())))
}

fn identify(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

fn is_read_only(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn state_error(why: Unusable, place: &Place) -> StateError {
    match why {
        Unusable::Newer(found) => place.newer(found, VERSION),
        Unusable::Damaged(why) => place.damaged(why),
        Unusable::Io(why) => place.unreadable(why),
        Unusable::InUse => place.in_use("another program".to_owned()),
    }
}
