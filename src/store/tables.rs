//! What is in the database: its tables, their records, and why it cannot be used.

use std::io::{self, ErrorKind};
#[cfg(test)]
use std::path::Path;

use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase, ReadableTable,
    StorageError, Table, TableDefinition, TableError, WriteTransaction,
};
use serde::{Deserialize, Serialize};

use super::persisted::PersistedState;
use super::{Figures, HistoryDay, RecentMinutes};
use nearmiss_core::state::{GatewayState, RecordError};

/// The version of the tables that this program writes. Versions 1 and 2 were JSON.
pub(super) const VERSION: u32 = 3;
/// Memory for pages of the file, in bytes: what is written is not read again.
pub(super) const CACHE: usize = 1 << 20;
/// A new file has this many bytes to spare, and as many again as are in it: a disk that
/// becomes full does not affect what fits in them.
pub(super) const ROOM: usize = 256 * 1024;

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
/// The newest minutes by gateway.
const RECENT: Records = TableDefinition::new("recent");
/// The form of a packed day, its first byte; the first one had no checksum.
const DAY_FORM: u8 = 2;
const DAY_FORM_UNCHECKED: u8 = 1;
/// The form of the newest minutes, their first byte.
const RECENT_FORM: u8 = 1;

/// Which version the tables have: a little-endian `u32`.
const VERSION_KEY: &str = "version";
/// Silences and the like, as JSON.
const OTHERS_KEY: &str = "others";
/// The number of the save that wrote it: a little-endian `u64`. Each has one of its own.
const SAVE_KEY: &str = "save";
/// A record that takes up room, and is deleted.
const ROOM_KEY: &str = "room";

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
pub(super) enum Unusable {
    /// Which version it has.
    Newer(String),
    Damaged(String),
    Io(io::Error),
    InUse,
}

/// One process writes, and others may read what it committed.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Writes these gateways, and what belongs to none, as the save of this number; what is
/// unchanged is not written. Returns whether anything was.
pub(super) fn commit<'a>(
    database: &Database,
    save: u64,
    state: &PersistedState,
    gateways: impl Iterator<Item = (&'a str, Option<&'a GatewayState>)>,
    figures: &Figures,
) -> Result<bool, redb::Error> {
    let write = database.begin_write()?;
    let mut is_new = false;
    {
        let mut counters = write.open_table(COUNTERS)?;
        let mut episodes = write.open_table(EPISODES)?;
        let mut recent = write.open_table(RECENT)?;
        for (key, gateway) in gateways {
            is_new |= put(&mut counters, key, gateway.map(GatewayState::counters_record))?;
            is_new |= put(&mut episodes, key, gateway.map(GatewayState::episodes_record))?;
            if gateway.is_none() {
                recent.remove(key)?;
            }
        }
        for RecentMinutes { gateway, record } in &figures.recent {
            let record = checked(RECENT_FORM, gateway, 0, record);
            recent.insert(gateway.as_str(), record.as_slice())?;
        }
        let PersistedState { silences, own, sent, billed, .. } = state;
        let others = serde_json::to_vec(&Others { silences, own, sent, billed });
        let others = others.map_err(|why| redb::Error::Io(why.into()))?;
        let mut general = write.open_table(GENERAL)?;
        is_new |= put(&mut general, OTHERS_KEY, Some(others))?;
        is_new |= put(&mut general, VERSION_KEY, Some(VERSION.to_le_bytes().to_vec()))?;
    }
    if !is_new && *figures == Figures::default() {
        write.abort()?;
        return Ok(false);
    }
    put(&mut write.open_table(GENERAL)?, SAVE_KEY, Some(save.to_le_bytes().to_vec()))?;
    put_days(&write, &figures.days)?;
    write.commit()?;
    Ok(true)
}

/// The number of the save that wrote it; 0 of a version that did not count them.
pub(super) fn save_of(database: &impl ReadableDatabase) -> Result<u64, Unusable> {
    let read = database.begin_read().map_err(redb::Error::from)?;
    let found = read.open_table(GENERAL)?.get(SAVE_KEY)?;
    let number = found.and_then(|bytes| bytes.value().try_into().ok());
    Ok(number.map_or(0, u64::from_le_bytes))
}

/// Inserts days of history, and removes those that are too old.
fn put_days(write: &WriteTransaction, days: &[HistoryDay]) -> Result<(), redb::Error> {
    if days.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(DAYS)?;
    let mut newest = 0;
    for HistoryDay { gateway, day, record } in days {
        // No clock shows any other day.
        let Ok(day) = u32::try_from(*day) else { continue };
        newest = newest.max(day);
        let record = checked(DAY_FORM, gateway, day, record);
        table.insert((day, gateway.as_str()), record.as_slice())?;
    }
    let oldest = newest.saturating_sub(DAYS_KEPT - 1);
    table.retain_in((0, "")..(oldest, ""), |_, _| false)?;
    Ok(())
}

/// The days of these gateways, and how many of them are damaged.
pub(super) fn read_days(
    database: &Database,
    gateways: &[String],
) -> Result<(Vec<HistoryDay>, usize), redb::Error> {
    let (mut days, mut damaged) = (Vec::new(), 0);
    let table = match database.begin_read()?.open_table(DAYS) {
        // It was not written yet.
        Err(TableError::TableDoesNotExist(_)) => return Ok((days, damaged)),
        table => table?,
    };
    let newest = table.last()?.map_or(0, |(key, _)| key.value().0);
    for gateway in gateways {
        for day in newest.saturating_sub(DAYS_KEPT - 1)..=newest {
            let Some(found) = table.get((day, gateway.as_str()))? else { continue };
            let record = match found.value().split_first() {
                Some((&DAY_FORM_UNCHECKED, record)) => Ok(record),
                _ => unchecked(DAY_FORM, gateway, day, found.value()),
            };
            match record {
                Ok(record) => {
                    let (gateway, record) = (gateway.clone(), record.to_vec());
                    days.push(HistoryDay { gateway, day: day.into(), record });
                }
                Err(is_damaged) => damaged += usize::from(is_damaged),
            }
        }
    }
    Ok((days, damaged))
}

/// The newest minutes of these gateways, and of how many they are damaged.
pub(super) fn read_recent(
    database: &Database,
    gateways: &[String],
) -> Result<(Vec<RecentMinutes>, usize), redb::Error> {
    let (mut recent, mut damaged) = (Vec::new(), 0);
    let table = match database.begin_read()?.open_table(RECENT) {
        // An earlier version did not write it.
        Err(TableError::TableDoesNotExist(_)) => return Ok((recent, damaged)),
        table => table?,
    };
    for gateway in gateways {
        let Some(found) = table.get(gateway.as_str())? else { continue };
        match unchecked(RECENT_FORM, gateway, 0, found.value()) {
            Ok(record) => {
                let (gateway, record) = (gateway.clone(), record.to_vec());
                recent.push(RecentMinutes { gateway, record });
            }
            Err(is_damaged) => damaged += usize::from(is_damaged),
        }
    }
    Ok((recent, damaged))
}

/// A record with its form and a checksum before it. redb looks at its own checksums only when
/// it opens a file, and these are read while the daemon runs, for weeks.
fn checked(form: u8, gateway: &str, day: u32, record: &[u8]) -> Vec<u8> {
    let checksum = checksum(gateway, day, record).to_le_bytes();
    [&[form], &checksum[..], record].concat()
}

/// What [`checked`] was given; the error is whether it is damaged. What a newer version wrote
/// is not, and is read from CloudWatch again as well.
fn unchecked<'a>(form: u8, gateway: &str, day: u32, bytes: &'a [u8]) -> Result<&'a [u8], bool> {
    let (found, rest) = bytes.split_first().ok_or(true)?;
    if *found != form {
        return Err(*found < form);
    }
    let (sum, record) = rest.split_first_chunk().ok_or(true)?;
    let is_whole = u32::from_le_bytes(*sum) == checksum(gateway, day, record);
    if is_whole { Ok(record) } else { Err(true) }
}

/// The CRC-32 of a record and of what it belongs to.
fn checksum(gateway: &str, day: u32, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [&day.to_le_bytes(), gateway.as_bytes(), record] {
        hasher.update(part);
    }
    hasher.finalize()
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

pub(super) fn read_tables(database: &impl ReadableDatabase) -> Result<PersistedState, Unusable> {
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

/// Writes this many bytes, and frees their pages for what will be written.
pub(super) fn keep_room(database: &Database, bytes: usize) -> Result<(), redb::Error> {
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

/// What the disk reported, without redb's words around it.
pub(super) fn failure(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(why) => why,
        other => io::Error::other(other),
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
