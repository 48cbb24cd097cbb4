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
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase, ReadableTable,
    StorageBackend, StorageError, Table, TableDefinition, TableError, WriteTransaction,
};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::json::{self, JsonError};
use super::persisted::PersistedState;
use super::place::{Lock, Place, kind};
use super::room::Roomy;
use super::{HistoryDay, StateError, Store};
use nearmiss_core::state::{GatewayState, RecordError};

/// The version of the tables that this program writes. Versions 1 and 2 were JSON.
const VERSION: u32 = 3;
/// How a file of redb begins.
const MAGIC: &[u8] = b"redb";
/// The largest JSON file, in bytes: many times what ten thousand gateways take.
const MAX_JSON: u64 = 1 << 30;
/// Memory for pages of the file, in bytes: what is written is not read again.
const CACHE: usize = 1 << 20;
/// A new file has this many bytes to spare, and as many again as are in it: a disk that
/// becomes full does not affect what fits in them.
const ROOM: usize = 256 * 1024;
/// Only the daemon's user may read the state.
const MODE: u32 = 0o600;

type Records = TableDefinition<'static, &'static str, &'static [u8]>;
/// What belongs to no gateway.
const GENERAL: Records = TableDefinition::new("general");
/// Counters and positions by gateway.
const COUNTERS: Records = TableDefinition::new("counters");
/// Episodes by gateway.
const EPISODES: Records = TableDefinition::new("episodes");

/// Packed days of history by day and gateway: what is written together is side by side.
const DAYS: TableDefinition<'static, (u32, &'static str), &'static [u8]> =
    TableDefinition::new("days");
/// How many days of UTC fourteen days can touch.
const DAYS_KEPT: u32 = 15;
/// The form of a packed day, its first byte.
const DAY_FORM: u8 = 1;

/// Which version the tables have: a little-endian `u32`.
const VERSION_KEY: &str = "version";
/// Silences and the like, as JSON.
const OTHERS_KEY: &str = "others";
/// A record that takes up room, and is deleted.
const ROOM_KEY: &str = "room";

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

/// What is kept in [`OTHERS_KEY`].
#[derive(Serialize, Deserialize)]
struct Others<S, O, T, B> {
    #[serde(default)]
    silences: S,
    #[serde(default)]
    own: O,
    #[serde(default)]
    sent: T,
    #[serde(default)]
    billed: B,
}

/// Why a file cannot be used.
enum Unusable {
    /// Which version it has.
    Newer(String),
    Damaged(String),
    Io(io::Error),
    InUse,
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

/// One process writes, and others may read what it committed.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
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

/// Writes this many bytes, and frees their pages for what will be written.
fn keep_room(database: &Database, bytes: usize) -> Result<(), redb::Error> {
    let piece = vec![0xff_u8; ROOM / 4];
    let pieces = bytes.div_ceil(piece.len());
    let write = database.begin_write()?;
    {
        let mut general = write.open_table(GENERAL)?;
        for number in 0..pieces {
            general.insert(format!("{ROOM_KEY}{number}").as_str(), piece.as_slice())?;
        }
    }
    write.commit()?;
    let write = database.begin_write()?;
    {
        let mut general = write.open_table(GENERAL)?;
        for number in 0..pieces {
            general.remove(format!("{ROOM_KEY}{number}").as_str())?;
        }
    }
    write.commit()?;
    Ok(())
}

/// Writes these gateways, and what belongs to none; what is unchanged is not written.
fn commit<'a>(
    database: &Database,
    state: &PersistedState,
    gateways: impl Iterator<Item = (&'a str, Option<&'a GatewayState>)>,
    days: &[HistoryDay],
) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    let mut is_new = false;
    {
        let mut counters = write.open_table(COUNTERS)?;
        let mut episodes = write.open_table(EPISODES)?;
        for (key, gateway) in gateways {
            is_new |= put(&mut counters, key, gateway.map(GatewayState::counters_record))?;
            is_new |= put(&mut episodes, key, gateway.map(GatewayState::episodes_record))?;
        }
        let PersistedState { silences, own, sent, billed, .. } = state;
        let others = serde_json::to_vec(&Others { silences, own, sent, billed });
        let others = others.map_err(|why| redb::Error::Io(why.into()))?;
        let mut general = write.open_table(GENERAL)?;
        is_new |= put(&mut general, OTHERS_KEY, Some(others))?;
        is_new |= put(&mut general, VERSION_KEY, Some(VERSION.to_le_bytes().to_vec()))?;
    }
    if !days.is_empty() {
        put_days(&write, days)?;
    } else if !is_new {
        return Ok(write.abort()?);
    }
    Ok(write.commit()?)
}

/// Inserts days of history, and removes those that are too old.
fn put_days(write: &WriteTransaction, days: &[HistoryDay]) -> Result<(), redb::Error> {
    let mut table = write.open_table(DAYS)?;
    let mut newest = 0;
    for HistoryDay { gateway, day, record } in days {
        // No clock shows any other day.
        let Ok(day) = u32::try_from(*day) else { continue };
        newest = newest.max(day);
        let record = [&[DAY_FORM], record.as_slice()].concat();
        table.insert((day, gateway.as_str()), record.as_slice())?;
    }
    let oldest = newest.saturating_sub(DAYS_KEPT - 1);
    table.retain_in((0, "")..(oldest, ""), |_, _| false)?;
    Ok(())
}

fn read_days(database: &Database, gateways: &[String]) -> Result<Vec<HistoryDay>, redb::Error> {
    let table = database.begin_read()?.open_table(DAYS)?;
    let mut days = Vec::new();
    let newest = table.last()?.map_or(0, |(key, _)| key.value().0);
    for gateway in gateways {
        for day in newest.saturating_sub(DAYS_KEPT - 1)..=newest {
            let found = table.get((day, gateway.as_str()))?;
            let record = found.as_ref().and_then(|found| found.value().split_first());
            // What a newer version packed is read from CloudWatch again.
            if let Some((&DAY_FORM, record)) = record {
                let (gateway, record) = (gateway.clone(), record.to_vec());
                days.push(HistoryDay { gateway, day: day.into(), record });
            }
        }
    }
    Ok(days)
}

/// Inserts a record, or removes it. Returns whether that changes anything.
fn put(
    table: &mut Table<'_, &'static str, &'static [u8]>,
    key: &str,
    record: Option<Vec<u8>>,
) -> Result<bool, StorageError> {
    let Some(record) = record else { return Ok(table.remove(key)?.is_some()) };
    if table.get(key)?.is_some_and(|there| there.value() == record) {
        return Ok(false);
    }
    table.insert(key, record.as_slice())?;
    Ok(true)
}

fn read_tables(database: &impl ReadableDatabase) -> Result<PersistedState, Unusable> {
    let read = database.begin_read().map_err(|why| Unusable::from(redb::Error::from(why)))?;
    let table = |name: Records| read.open_table(name).map_err(Unusable::from);
    let general = table(GENERAL)?;
    let of_general = |key: &str| general.get(key).map_err(Unusable::from);
    let version = of_general(VERSION_KEY)?.and_then(|bytes| bytes.value().try_into().ok());
    match version.map(u32::from_le_bytes) {
        Some(VERSION) => {}
        Some(found) if found > VERSION => return Err(Unusable::Newer(found.to_string())),
        _ => return Err(Unusable::Damaged("it does not say which version it has".to_owned())),
    }
    let others = of_general(OTHERS_KEY)?;
    let others = others.as_ref().map_or(&b"{}"[..], |others| others.value());
    let others: Others<_, _, _, _> =
        serde_json::from_slice(others).map_err(|why| Unusable::Damaged(why.to_string()))?;
    let episodes = table(EPISODES)?;
    let mut gateways = Vec::new();
    for entry in table(COUNTERS)?.iter()? {
        let (key, counters) = entry?;
        let log = episodes.get(key.value())?;
        let log = log.as_ref().map(redb::AccessGuard::value);
        let state = GatewayState::of_records(counters.value(), log)?;
        gateways.push((key.value().to_owned(), state));
    }
    let Others { silences, own, sent, billed } = others;
    let gateways = gateways.into_iter().collect();
    Ok(PersistedState { gateways, silences, own, sent, billed, ..PersistedState::default() })
}

fn identify(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

fn is_read_only(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// What the disk reported, without redb's words around it.
fn failure(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(why) => why,
        other => io::Error::other(other),
    }
}

fn state_error(why: Unusable, place: &Place) -> StateError {
    match why {
        Unusable::Newer(found) => place.newer(found, VERSION),
        Unusable::Damaged(why) => place.damaged(why),
        Unusable::Io(why) => place.unreadable(why),
        Unusable::InUse => place.in_use("another program".to_owned()),
    }
}

impl From<redb::Error> for Unusable {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Io(why)
                if !matches!(why.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                Self::Io(why)
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<DatabaseError> for Unusable {
    fn from(error: DatabaseError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<TableError> for Unusable {
    fn from(error: TableError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<StorageError> for Unusable {
    fn from(error: StorageError) -> Self {
        redb::Error::from(error).into()
    }
}

impl From<RecordError> for Unusable {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Newer { .. } => Self::Newer(format!("{VERSION} with {error}")),
            RecordError::Damaged { .. } => Self::Damaged(error.to_string()),
        }
    }
}

/// The error that a newer version wrote it.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn say_version(path: &Path, version: u32) {
    let database = builder().open(path).unwrap();
    let write = database.begin_write().unwrap();
    let record = version.to_le_bytes().to_vec();
    put(&mut write.open_table(GENERAL).unwrap(), VERSION_KEY, Some(record)).unwrap();
    write.commit().unwrap();
}
