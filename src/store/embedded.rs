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
//!
//! Whoever opens it verifies every page, and so does a save after somebody else wrote to it.
//! Each save has a number, which is noted beside the file: that of an older one is smaller.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};
use redb::{Builder, Database};
use rustix::fs::OFlags;
use tracing::{error, info};

use super::guard::guarded;
use super::json::{self, JsonError};
use super::overlay::Overlay;
use super::persisted::PersistedState;
use super::place::{Lock, Place, kind};
use super::room::Roomy;
use super::tables::{
    CACHE, ROOM, Unusable, Unusable::Damaged, VERSION, builder, commit, failure, keep_room,
    read_days, read_recent, read_tables, save_of,
};
use super::{Figures, HistoryDay, RecentMinutes, StateError, Store};

/// How a file of redb begins.
const MAGIC: &[u8] = b"redb";
const WHOLE_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Where each of its two commits says which format it has, and the newest that is known.
const FORMATS: [usize; 2] = [64, 192];
const FORMAT: u8 = 3;
/// What redb writes with each commit, and more: its first page, bytes.
const HEAD: usize = 4096;
/// How often a file is read that changes meanwhile, and how long is waited in between.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);
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
    /// The number of the last save.
    saved: u64,
    /// Whether damaged figures were logged.
    has_said_damaged: bool,
    lock: Option<Lock>,
}

/// The file that is being written to.
#[derive(Debug)]
struct Ours {
    /// `None` after the disk failed: it is opened again by the next save.
    database: Option<Database>,
    /// What it was when it was written to last.
    stamp: Stamp,
}

/// Which file it is, and what changes when somebody else writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
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
        figures: &'a Figures,
    ) -> LocalBoxFuture<'a, Result<(), StateError>> {
        ready(self.save_now(state, figures)).boxed_local()
    }

    fn days<'a>(
        &'a mut self,
        gateways: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<HistoryDay>, StateError>> {
        ready(self.days_now(gateways)).boxed_local()
    }

    fn recent<'a>(
        &'a mut self,
        gateways: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<RecentMinutes>, StateError>> {
        ready(self.recent_now(gateways)).boxed_local()
    }
}

impl Embedded {
    /// The file at this path, keeping other daemons away.
    pub(super) fn locked(path: &Path) -> Result<Self, StateError> {
        let place = Place::new(path);
        let lock = place.lock()?;
        let saved = lock.as_ref().and_then(Lock::saved).unwrap_or(0);
        Ok(Self { place, ours: None, follows_json: false, saved, has_said_damaged: false, lock })
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
        let read = guarded(|| {
            let database = self.open()?;
            let (state, save) = (read_tables(&database)?, save_of(&database)?);
            Ok((database, state, save))
        });
        let read = match read.unwrap_or_else(|why| Err(Damaged(why))) {
            Ok((database, state, save)) => {
                let stamp = Stamp::of(self.place.target());
                let stamp = stamp.map_err(|why| self.place.unreadable(why))?;
                self.ours = Some(Ours { database: Some(database), stamp });
                self.follow(save);
                Ok(state)
            }
            // Then nothing can be saved either, and the save will report it.
            Err(Unusable::Io(why)) if is_read_only(&why) => return read_only(&self.place),
            Err(why) => Err(state_error(why, &self.place)),
        };
        self.or_set_aside(read)
    }

    /// Goes on from the save of this number, and says if it is not the last one.
    fn follow(&mut self, save: u64) {
        if save < self.saved {
            let older = self.place.older(save, self.saved);
            error!("{older}: what was notified after it may be notified again");
        }
        self.saved = self.saved.max(save);
    }

    fn or_set_aside(
        &self,
        read: Result<PersistedState, StateError>,
    ) -> Result<PersistedState, StateError> {
        let Err(StateError::Damaged { why, .. }) = read else { return read };
        let aside = self.place.free_beside(".damaged");
        fs::rename(self.place.target(), &aside).map_err(|why| self.place.unreadable(why))?;
        error!(
            set_aside = %aside.display(),
            "the state file is damaged ({why}); open episodes will be told anew and the counters start at zero"
        );
        Ok(PersistedState::default())
    }

    fn open(&self) -> Result<Database, Unusable> {
        let file = OpenOptions::new().read(true).write(true).open(self.place.target());
        let file = file.map_err(Unusable::Io)?;
        // redb would begin a new database in it.
        if file.metadata().map_err(Unusable::Io)?.len() == 0 {
            return Err(Damaged("it is empty".to_owned()));
        }
        let file = Roomy::new(file)?;
        let mut builder = builder();
        Ok(builder.set_check_integrity_on_open(true).create_with_backend(file)?)
    }

    pub(super) fn days_now(&mut self, gateways: &[String]) -> Result<Vec<HistoryDay>, StateError> {
        self.figures(|database| read_days(database, gateways))
    }

    pub(super) fn recent_now(
        &mut self,
        gateways: &[String],
    ) -> Result<Vec<RecentMinutes>, StateError> {
        self.figures(|database| read_recent(database, gateways))
    }

    /// What is whole of these figures; that some are damaged is logged once.
    fn figures<T: Default>(
        &mut self,
        read: impl FnOnce(&Database) -> Result<(T, usize), redb::Error>,
    ) -> Result<T, StateError> {
        let found = self.with_database(read).map_err(|why| self.place.unreadable(why))?;
        let (figures, damaged) = found.unwrap_or_default();
        if damaged > 0 && !std::mem::replace(&mut self.has_said_damaged, true) {
            error!(
                damaged,
                "figures in the state file are damaged: they are not used, and are read from CloudWatch again. Is the disk failing?"
            );
        }
        Ok(figures)
    }

    /// What `work` makes of the database, if there is one. After an error it must be opened
    /// anew, which the next save does.
    fn with_database<T>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> io::Result<Option<T>> {
        let Some(ours) = &mut self.ours else { return Ok(None) };
        let Some(database) = ours.database.take() else { return Ok(None) };
        let done = guarded(|| work(&database).map(|done| (done, database)).map_err(failure));
        let (done, database) = done.map_err(io::Error::other).flatten()?;
        ours.database = Some(database);
        Ok(Some(done))
    }

    pub(super) fn save_now(
        &mut self,
        state: &mut PersistedState,
        figures: &Figures,
    ) -> Result<(), StateError> {
        self.place.is_there()?;
        self.write(state, figures).map_err(|source| self.place.unwritable(source))?;
        state.gateways.written();
        Ok(())
    }

    fn write(&mut self, state: &PersistedState, figures: &Figures) -> io::Result<()> {
        self.open_again()?;
        let next = self.saved + 1;
        let is_written = if self.ours.is_none() {
            self.create(next, state, figures)?;
            true
        } else {
            let changes = state.gateways.changes();
            let commit = |database: &_| commit(database, next, state, changes, figures);
            self.with_database(commit)?.unwrap_or_default()
        };
        if is_written {
            self.saved = next;
            // Without the note, nothing would tell that this save was lost.
            let _ = self.lock.as_mut().map(|lock| lock.note(Some(next)));
        }
        if let Some(ours) = &mut self.ours {
            ours.stamp = Stamp::of(self.place.target())?;
        }
        Ok(())
    }

    /// Verifies the file where somebody else wrote to it or an error closed it, and gives it
    /// up where it is not what was written last.
    fn open_again(&mut self) -> io::Result<()> {
        let Some(ours) = self.ours.take() else { return Ok(()) };
        let there = Stamp::of(self.place.target()).ok();
        let Some(there) = there.filter(|there| there.is_same_file(&ours.stamp)) else {
            return Ok(());
        };
        if there == ours.stamp && ours.database.is_some() {
            self.ours = Some(ours);
            return Ok(());
        }
        // redb closes it, and may stumble over what it finds there.
        let _ = guarded(|| drop(ours.database));
        let opened = guarded(|| {
            let database = self.open()?;
            let save = save_of(&database)?;
            // A save that failed may have reached the disk.
            if (self.saved..=self.saved + 1).contains(&save) {
                return Ok(database);
            }
            Err(Damaged(format!("it has save {save}, and save {} was the last", self.saved)))
        });
        match opened.unwrap_or_else(|why| Err(Damaged(why))) {
            Ok(database) => {
                let stamp = Stamp::of(self.place.target())?;
                self.ours = Some(Ours { database: Some(database), stamp });
                Ok(())
            }
            Err(Unusable::Io(why)) => {
                self.ours = Some(Ours { database: None, stamp: ours.stamp });
                Err(why)
            }
            Err(why) => {
                let why = state_error(why, &self.place);
                error!(
                    "the state file is not what nearmiss wrote last: {why}. It is written anew from what is in memory, and history is read from CloudWatch again"
                );
                Ok(())
            }
        }
    }

    /// Creates the file beside its place, with everything in it, and moves it there.
    fn create(&mut self, save: u64, state: &PersistedState, figures: &Figures) -> io::Result<()> {
        let new = self.place.beside(".new");
        let file = make(&new)?;
        let filled =
            guarded(|| fill(file, save, state, figures)).map_err(io::Error::other).flatten();
        let database = filled.inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })?;
        if std::mem::take(&mut self.follows_json) {
            self.keep_json().inspect_err(|_| self.follows_json = true)?;
        }
        fs::rename(&new, self.place.target())?;
        File::open(self.place.directory()).and_then(|directory| directory.sync_all())?;
        let stamp = Stamp::of(self.place.target())?;
        self.ours = Some(Ours { database: Some(database), stamp });
        Ok(())
    }

    /// Gives the JSON file of the older version a second name, which stays when its first
    /// one goes.
    fn keep_json(&self) -> io::Result<()> {
        let kept = self.place.free_beside(".before");
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

/// Verifies and reads it, changing nothing. It takes no lock: redb writes to no page of its
/// last commit, and a commit changes its head.
fn read_only(place: &Place) -> Result<PersistedState, StateError> {
    // Noted before it is read, it is not a later one.
    let noted = place.saved();
    for _ in 0..ATTEMPTS {
        let file = File::open(place.target()).map_err(|why| place.unreadable(why))?;
        let head_of = |file: &File| head(file).map_err(|why| place.unreadable(why));
        let before = head_of(&file)?;
        let again = file.try_clone().map_err(|why| place.unreadable(why))?;
        let read = guarded(|| verified(file, &before)).unwrap_or_else(|why| Err(Damaged(why)));
        if head_of(&again)? == before {
            let (state, save) = read.map_err(|why| state_error(why, place))?;
            return match noted.filter(|noted| *noted > save) {
                Some(noted) => Err(place.older(save, noted)),
                None => Ok(state),
            };
        }
        thread::sleep(PAUSE);
    }
    let why = "a daemon is writing to it all the time: try again later";
    Err(place.unreadable(io::Error::other(why)))
}

/// What is in this file, every page of which has its checksum. What a crash left open is
/// repaired in memory.
fn verified(file: File, head: &[u8]) -> Result<(PersistedState, u64), Unusable> {
    let copy = Overlay::new(file, head).map_err(Unusable::Io)?;
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    let database = builder.create_with_backend(copy)?;
    Ok((read_tables(&database)?, save_of(&database)?))
}

/// The first bytes of a file; fewer if it is shorter.
fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEAD];
    let mut length = 0;
    while length < HEAD {
        match file.read_at(&mut bytes[length..], length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Whether it is a database. One of a newer redb is an error, and not damaged.
fn is_redb(place: &Place) -> Result<bool, StateError> {
    let file = File::open(place.target()).map_err(|why| place.unreadable(why))?;
    let head = head(&file).map_err(|why| place.unreadable(why))?;
    // Of a flipped bit, one of the two would know nothing.
    let [one, other] = FORMATS.map(|at| head.get(at).copied().unwrap_or(0));
    if head.starts_with(WHOLE_MAGIC) && one == other && one > FORMAT {
        return Err(place.newer(format!("{VERSION} in a database of format {one}"), VERSION));
    }
    Ok(head.starts_with(MAGIC))
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
fn fill(file: File, save: u64, state: &PersistedState, figures: &Figures) -> io::Result<Database> {
    let written = file.try_clone()?;
    let database =
        Roomy::new(file).and_then(|file| builder().create_with_backend(file)).map_err(failure)?;
    let all = state.gateways.iter().map(|(key, state)| (key.as_str(), Some(state)));
    commit(&database, save, state, all, figures).map_err(failure)?;
    let length = usize::try_from(written.metadata()?.len()).unwrap_or(0);
    keep_room(&database, length + ROOM).map_err(failure)?;
    written.sync_all()?;
    Ok(database)
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
