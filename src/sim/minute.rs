//! One minute of one load balancer: the requests that ended in it, and the truth.
//!
//! Everything anybody may ask is computed from these requests. A bounded cache
//! keeps recent minutes, because one poll asks for the same minute dozens of
//! times.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;

use super::queue;
use super::scene::Telling;
use super::stage::Stage;
use super::statistics::rank;
use super::traffic::{Arrival, Outcome, Request, SECOND, arrivals};
use super::world::Balancer;

/// Requests the cache holds at most (eight bytes each).
const CACHED_REQUESTS: usize = 6_000_000;

/// Minutes whose arrivals are kept for the minutes after them.
const RECENT_ARRIVALS: usize = 128;

/// What really happened in one minute; counts are requests, times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Epoch minute.
    pub minute: i64,
    /// Everything a target was chosen for that ended in this minute.
    pub requests: u64,
    /// Answered: leaves a `TargetResponseTime` sample.
    pub samples: u64,
    /// Answered after more than 0.8 and at most 1.0 idle timeouts.
    pub near_misses: u64,
    /// 504s of the load balancer, every kind.
    pub elb_504: u64,
    /// 504s because no connection came about within 10 s.
    pub connect_failures: u64,
    /// 504s because a body stalled; these are samples as well.
    #[serde(skip_serializing_if = "is_default")]
    pub stalled: u64,
    /// 504s because no TLS handshake came about within 10 s.
    #[serde(skip_serializing_if = "is_default")]
    pub handshakes: u64,
    /// 503s: there was no target; these are no `RequestCount`.
    #[serde(skip_serializing_if = "is_default")]
    pub elb_503: u64,
    /// Connections the load balancer did not take.
    #[serde(skip_serializing_if = "is_default")]
    pub rejected: u64,
    /// 460s: clients gave up before the idle timeout, without a sample.
    #[serde(skip_serializing_if = "is_default")]
    pub abandoned: u64,
    /// 502s of the load balancer.
    pub elb_502: u64,
    /// 5xx the targets answered themselves.
    pub target_5xx: u64,
    /// Median of the samples, seconds.
    pub median: Option<f64>,
    /// 99th percentile of the samples (nearest rank), seconds.
    pub p99: Option<f64>,
    /// Largest sample, seconds.
    pub maximum: Option<f64>,
    /// Idle timeout in force, seconds.
    pub idle_timeout: u32,
}

/// The requests that ended in one minute, fastest first.
pub(super) struct Minute {
    pub(super) requests: Vec<Request>,
    pub(super) signs: Signs,
    tally: [u32; 10],
}

/// What a minute of a tale shows apart from its requests; bits are targets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    /// Those that fail their health checks.
    pub(super) unhealthy: u16,
    /// Those that are not registered, or as good as that.
    pub(super) away: u16,
    /// Those that look unlike the others.
    pub(super) anomalous: u16,
    /// Whether the targets of a further group fail their health checks.
    pub(super) backup_down: bool,
    /// Whether the load balancer is at its limit.
    pub(super) impaired: bool,
    /// Whether `CloudWatch` has no datapoints of it.
    pub(super) hidden: bool,
}

impl Minute {
    /// A minute in which these requests ended.
    pub(super) fn new(mut requests: Vec<Request>) -> Self {
        requests.sort_unstable_by_key(|r| {
            let rest = [r.outcome as u8, r.group, r.zone, r.target];
            u64::from(r.took) << 32 | u64::from(u32::from_be_bytes(rest))
        });
        let mut tally = [0; 10];
        for request in &requests {
            tally[request.outcome as usize] += 1;
        }
        requests.shrink_to_fit();
        Self { requests, signs: Signs::default(), tally }
    }

    /// A minute of a tale.
    pub(super) fn played(requests: Vec<Request>, signs: Signs) -> Self {
        Self { signs, ..Self::new(requests) }
    }

    /// How many requests ended this way.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        u64::from(self.tally[outcome as usize])
    }

    /// 504s of every kind.
    pub(super) fn timed_out(&self) -> u64 {
        self.requests.iter().filter(|request| request.outcome.is_504()).count() as u64
    }

    /// The requests a target was chosen for.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Request> {
        let chosen =
            |request: &&Request| !matches!(request.outcome, Outcome::Refused | Outcome::Rejected);
        self.requests.iter().filter(chosen)
    }

    /// Samples in seconds, fastest first.
    fn samples(&self) -> impl Iterator<Item = f64> {
        self.requests
            .iter()
            .filter(|request| request.outcome.sampled())
            .map(|request| seconds(request.took))
    }

    /// The ground truth of this minute.
    pub(super) fn truth(&self, minute: i64, timeout: u32) -> Truth {
        let samples: Vec<f64> = self.samples().collect();
        let at = |percent: f64| match rank(samples.len() as u64, percent) {
            0 => samples.first().copied(),
            found => samples.get(found as usize - 1).copied(),
        };
        let (low, high) = (u64::from(timeout) * 800_000, u64::from(timeout) * 1_000_000);
        let near = |request: &&Request| {
            let took = u64::from(request.took);
            request.outcome.sampled() && took > low && took <= high
        };
        Truth {
            minute,
            requests: self.counted().count() as u64,
            samples: samples.len() as u64,
            near_misses: self.requests.iter().filter(near).count() as u64,
            elb_504: self.timed_out(),
            connect_failures: self.count(Outcome::Unreachable),
            stalled: self.count(Outcome::Stalled),
            handshakes: self.count(Outcome::Handshake),
            elb_503: self.count(Outcome::Refused),
            rejected: self.count(Outcome::Rejected),
            abandoned: self.count(Outcome::Abandoned),
            elb_502: self.count(Outcome::Reset),
            target_5xx: self.count(Outcome::TargetError),
            median: at(50.0),
            p99: at(99.0),
            maximum: samples.last().copied(),
            idle_timeout: timeout,
        }
    }
}

/// For counts that only some scenarios have.
fn is_default<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

/// Microseconds as seconds.
pub(super) fn seconds(micros: u32) -> f64 {
    f64::from(micros) / f64::from(SECOND)
}

/// Makes minutes, and remembers a bounded number of them.
pub(super) struct Minutes {
    start: i64,
    script: i64,
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
    pub(super) fn new(start: i64, script: i64) -> Self {
        Self {
            start,
            script,
            played: Mutex::default(),
            cache: Mutex::default(),
            recent: Mutex::default(),
            stages: Mutex::default(),
        }
    }

    /// The requests of `balancer` that ended in this epoch minute.
    pub(super) fn of(&self, balancer: &Balancer, minute: i64) -> Arc<Minute> {
        if let Some(played) = self.staged(balancer, minute) {
            return played;
        }
        let key = (balancer.stream, minute);
        if let Some(known) = lock(&self.cache).known.get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(self.make(balancer, minute));
        lock(&self.cache).keep(key, &made);
        made
    }

    /// A scripted minute of a tale, which is kept apart from the cache.
    fn staged(&self, balancer: &Balancer, minute: i64) -> Option<Arc<Minute>> {
        if !(self.start..self.start + self.script).contains(&minute) {
            return None;
        }
        let telling = Telling::of(balancer, self.start)?;
        let stage =
            Arc::clone(lock(&self.stages).entry(balancer.stream).or_insert_with(|| {
                Arc::new(Mutex::new(Stage::new(telling, balancer, self.script)))
            }));
        lock(&stage).of(balancer, minute)
    }

    /// The idle timeout in force in this epoch minute, seconds.
    pub(super) fn timeout(&self, balancer: &Balancer, minute: i64) -> u32 {
        let usual = balancer.timeout(minute);
        let scripted = (self.start..self.start + self.script).contains(&minute);
        let telling = Telling::of(balancer, self.start).filter(|_| scripted);
        telling.map_or(usual, |telling| telling.scene(minute, true).timeout(usual))
    }

    fn make(&self, balancer: &Balancer, minute: i64) -> Minute {
        let longest = balancer.longest_timeout().max(11);
        let back = i64::from(longest.div_ceil(60));
        let mut ended = Vec::new();
        for from in minute - back..=minute {
            let offset = u64::try_from(minute - from).unwrap_or(0) * u64::from(60 * SECOND);
            let inside = |arrival: &&Arrival| {
                let end = u64::from(arrival.at) + u64::from(arrival.request.took);
                end >= offset && end < offset + u64::from(60 * SECOND)
            };
            self.arriving(balancer, from, |batch| {
                ended.extend(batch.iter().filter(inside).map(|arrival| arrival.request));
            });
        }
        Minute::new(ended)
    }

    /// Shows the arrivals of a minute: queued ones inside the script of an overload.
    fn arriving(&self, balancer: &Balancer, minute: i64, mut show: impl FnMut(&[Arrival])) {
        let since = minute - self.start;
        let queued = matches!(balancer.plan.trouble, super::scenario::Trouble::Overload { .. });
        if !queued || since < 0 || since >= self.script {
            return show(&self.unqueued(balancer, minute));
        }
        let cell = Arc::clone(lock(&self.played).entry(balancer.stream).or_default());
        let played = cell.get_or_init(|| queue::play(balancer, self.start, self.script));
        if let Some(batch) = played.get(since as usize) {
            show(batch);
        }
    }

    /// The arrivals of a minute that meet no queue.
    fn unqueued(&self, balancer: &Balancer, minute: i64) -> Arc<Vec<Arrival>> {
        let key = (balancer.stream, minute);
        if let Some((_, known)) = lock(&self.recent).iter().rev().find(|one| one.0 == key) {
            return Arc::clone(known);
        }
        let made = Arc::new(arrivals(balancer, self.start, minute));
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
        self.weight += minute.requests.len() + 16;
        while self.weight > CACHED_REQUESTS {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.known.remove(&oldest) {
                self.weight -= gone.requests.len() + 16;
            }
        }
    }
}

/// A lock that a panic elsewhere cannot take away.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
