//! Makes the minutes of all load balancers, and remembers a bounded number of them.
//!
//! One poll asks for the same minute dozens of times, and the next one for nearly all
//! of them again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use crate::parallel::lock;
use crate::scenario::plan::Trouble;
use crate::traffic::arrivals::arrivals;
use crate::traffic::minute::{Ended, Minute};
use crate::traffic::queue;
use crate::traffic::request::{Arrival, SECOND};
use crate::traffic::scene::SeededScript;
use crate::traffic::stage::Stage;
use crate::world::{Source, Stamp};

/// Requests the cache holds at most (eight bytes each).
const CACHED_REQUESTS: usize = 6_000_000;

/// Minutes whose arrivals are kept for the minutes after them.
const RECENT_ARRIVALS: usize = 128;

/// Makes minutes, and remembers a bounded number of them.
pub(crate) struct Minutes {
    start: i64,
    script: i64,
    /// The first epoch minute of the script that is played.
    first: i64,
    played: Mutex<HashMap<u64, Arc<OnceLock<Played>>>>,
    cache: Mutex<Cache>,
    /// What was made last: a minute also sees the arrivals of the ones before it.
    recent: Mutex<VecDeque<Recent>>,
    stages: Mutex<HashMap<u64, Arc<Mutex<Stage>>>>,
}

/// Arrivals by stream and epoch minute.
type Recent = ((u64, i64), Arc<Vec<Arrival>>);

/// Arrivals by scripted minute, with their waiting time.
type Played = Vec<Vec<Arrival>>;

#[derive(Default)]
struct Cache {
    known: HashMap<(u64, i64), Arc<Minute>>,
    order: VecDeque<(u64, i64)>,
    weight: usize,
}

impl Minutes {
    /// Minutes of a scenario that starts at this epoch minute and lasts `script` minutes.
    pub(crate) fn new(start: i64, script: i64) -> Self {
        Self {
            start,
            script,
            first: start,
            played: Mutex::default(),
            cache: Mutex::default(),
            recent: Mutex::default(),
            stages: Mutex::default(),
        }
    }

    /// Leaves out what comes earlier in the script; only a queue would notice.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, minute: i64) {
        self.first = minute;
    }

    /// The requests of `source` that ended in this epoch minute.
    pub(crate) fn of(&self, source: &Source, minute: i64) -> Arc<Minute> {
        if source.idle.iter().any(|idle| idle.contains(&minute)) {
            return Arc::new(Minute::new(Ended::default(), 1));
        }
        if let Some(played) = self.staged(source, minute) {
            return played;
        }
        let key = (source.key, minute);
        if let Some(known) = lock(&self.cache).known.get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(self.make(source, minute));
        lock(&self.cache).keep(key, &made);
        made
    }

    /// A scripted minute of a script, which is kept apart from the cache.
    fn staged(&self, source: &Source, minute: i64) -> Option<Arc<Minute>> {
        let script = self.first..self.start + self.script;
        if !script.contains(&minute) {
            return None;
        }
        let seeded = SeededScript::of(source, self.start)?;
        let stage = Arc::clone(
            lock(&self.stages)
                .entry(source.key)
                .or_insert_with(|| Arc::new(Mutex::new(Stage::new(seeded, source, script)))),
        );
        lock(&stage).of(source, minute)
    }

    fn make(&self, source: &Source, minute: i64) -> Minute {
        if source.stamp == Stamp::Start {
            let mut begun = Ended::default();
            self.arriving(source, minute, |batch| {
                for arrival in batch {
                    begun.begin(arrival.request, arrival.at);
                }
            });
            return Minute::new(begun, 1);
        }
        let longest = source.longest_timeout().max(11);
        let back = i64::from(longest.div_ceil(60));
        let mut ended = Ended::default();
        for from in minute - back..=minute {
            let offset = u64::try_from(minute - from).unwrap_or(0) * u64::from(60 * SECOND);
            let inside = |arrival: &&Arrival| {
                let end = u64::from(arrival.at) + u64::from(arrival.request.took);
                end >= offset && end < offset + u64::from(60 * SECOND)
            };
            self.arriving(source, from, |batch| {
                for arrival in batch.iter().filter(inside) {
                    ended.push(arrival.request, arrival.bundled);
                }
            });
        }
        Minute::new(ended, source.plan.trouble.bundle())
    }

    /// Shows the arrivals of a minute: queued ones inside the script of an overload.
    fn arriving(&self, source: &Source, minute: i64, mut show: impl FnMut(&[Arrival])) {
        let since = minute - self.start;
        let queued = matches!(source.plan.trouble, Trouble::Overload { .. });
        if !queued || since < 0 || since >= self.script {
            return show(&self.unqueued(source, minute));
        }
        let cell = Arc::clone(lock(&self.played).entry(source.key).or_default());
        let played = cell.get_or_init(|| queue::play(source, self.start, self.script));
        if let Some(batch) = played.get(since as usize) {
            show(batch);
        }
    }

    /// The arrivals of a minute that meet no queue.
    fn unqueued(&self, source: &Source, minute: i64) -> Arc<Vec<Arrival>> {
        let key = (source.key, minute);
        if let Some((_, known)) = lock(&self.recent).iter().rev().find(|one| one.0 == key) {
            return Arc::clone(known);
        }
        let made = Arc::new(arrivals(source, self.start, minute));
        let mut recent = lock(&self.recent);
        recent.push_back((key, Arc::clone(&made)));
        if recent.len() > RECENT_ARRIVALS {
            recent.pop_front();
        }
        made
    }
}

impl Cache {
    fn keep(&mut self, key: (u64, i64), minute: &Arc<Minute>) {
        if self.known.insert(key, Arc::clone(minute)).is_some() {
            return;
        }
        self.order.push_back(key);
        self.weight += minute.weight();
        while self.weight > CACHED_REQUESTS {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.known.remove(&oldest) {
                self.weight -= gone.weight();
            }
        }
    }
}
