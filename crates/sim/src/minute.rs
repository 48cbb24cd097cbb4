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
use super::statistics::{Pool, rank};
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
    /// 502s of the load balancer, every kind.
    pub elb_502: u64,
    /// 502s because nobody listened at the target; these leave no sample.
    #[serde(skip_serializing_if = "is_default")]
    pub closed: u64,
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
    /// Requests, each with how many alike it stands for.
    requests: Vec<Request>,
    /// The same for requests that stand for `bundle` each.
    bundles: Vec<Request>,
    bundle: u32,
    pub(super) signs: Signs,
    tally: [u32; 11],
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

/// Requests that end in one minute, in any order.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) single: Vec<Request>,
    pub(super) bundled: Vec<Request>,
}

impl Ended {
    /// Takes a request, which may stand for many.
    pub(super) fn push(&mut self, request: Request, bundled: bool) {
        if bundled { self.bundled.push(request) } else { self.single.push(request) }
    }
}

impl Minute {
    /// A minute in which these requests ended; a bundled one stands for `bundle`.
    pub(super) fn new(ended: Ended, bundle: u32) -> Self {
        let Ended { single: mut requests, bundled: mut bundles } = ended;
        let mut tally = [0; 11];
        for (list, times) in [(&mut requests, 1), (&mut bundles, bundle)] {
            list.sort_unstable_by_key(|r| {
                let rest = [r.outcome as u8, r.group, r.zone, r.target];
                u64::from(r.took) << 32 | u64::from(u32::from_be_bytes(rest))
            });
            for request in &*list {
                tally[request.outcome as usize] += times;
            }
            list.shrink_to_fit();
        }
        Self { requests, bundles, bundle, signs: Signs::default(), tally }
    }

    /// A minute of a tale.
    pub(super) fn played(ended: Ended, bundle: u32, signs: Signs) -> Self {
        Self { signs, ..Self::new(ended, bundle) }
    }

    /// The minute with about this share of its requests, drawn by the number of each.
    pub(super) fn thinned(&self, share: f64, draw: impl Fn(u64) -> f64) -> Self {
        let mut ended = Ended::default();
        for (at, request) in (0_u64..).zip(self.requests.iter().chain(&self.bundles)) {
            if draw(at) < share {
                ended.push(*request, at >= self.requests.len() as u64);
            }
        }
        Self { signs: self.signs, ..Self::new(ended, self.bundle) }
    }

    /// Every request, with how many alike it stands for.
    pub(super) fn requests(&self) -> impl Iterator<Item = (Request, u64)> {
        let single = self.requests.iter().map(|request| (*request, 1));
        single.chain(self.bundles.iter().map(|request| (*request, u64::from(self.bundle))))
    }

    /// How many requests ended.
    pub(super) fn ended(&self) -> u64 {
        self.tally.iter().map(|count| u64::from(*count)).sum()
    }

    /// What it takes to keep the minute, in requests.
    fn weight(&self) -> usize {
        self.requests.len() + self.bundles.len() + 16
    }

    /// How many requests ended this way.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        u64::from(self.tally[outcome as usize])
    }

    /// 504s of every kind.
    pub(super) fn timed_out(&self) -> u64 {
        let kinds = [Outcome::Unreachable, Outcome::TimedOut, Outcome::Stalled, Outcome::Handshake];
        kinds.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Samples with how often each comes; in order, unless there are bundles.
    pub(super) fn samples(&self) -> impl Iterator<Item = (Request, u64)> {
        self.requests().filter(|(request, _)| request.outcome.sampled())
    }

    /// The ground truth of this minute.
    pub(super) fn truth(&self, minute: i64, timeout: u32) -> Truth {
        let samples =
            Pool::new(self.samples().map(|(one, times)| (seconds(one.took), times)).collect());
        let at = |percent: f64| samples.at(rank(samples.count(), percent));
        let (low, high) = (u64::from(timeout) * 800_000, u64::from(timeout) * 1_000_000);
        let near = |(request, times): (Request, u64)| {
            let took = u64::from(request.took);
            if took > low && took <= high { times } else { 0 }
        };
        let no_target = self.count(Outcome::Refused) + self.count(Outcome::Rejected);
        Truth {
            minute,
            requests: self.ended() - no_target,
            samples: samples.count(),
            near_misses: self.samples().map(near).sum(),
            elb_504: self.timed_out(),
            connect_failures: self.count(Outcome::Unreachable),
            stalled: self.count(Outcome::Stalled),
            handshakes: self.count(Outcome::Handshake),
            elb_503: self.count(Outcome::Refused),
            rejected: self.count(Outcome::Rejected),
            abandoned: self.count(Outcome::Abandoned),
            elb_502: self.count(Outcome::Reset) + self.count(Outcome::Closed),
            closed: self.count(Outcome::Closed),
            target_5xx: self.count(Outcome::TargetError),
            median: at(50.0),
            p99: at(99.0),
            maximum: at(100.0),
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
    pub(super) fn new(start: i64, script: i64) -> Self {
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
    pub(super) fn skip_to(&mut self, minute: i64) {
        self.first = minute;
    }

    /// The requests of `balancer` that ended in this epoch minute.
    pub(super) fn of(&self, balancer: &Balancer, minute: i64) -> Arc<Minute> {
        if balancer.idle.iter().any(|idle| idle.contains(&minute)) {
            return Arc::new(Minute::new(Ended::default(), 1));
        }
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
        let script = self.first..self.start + self.script;
        if !script.contains(&minute) {
            return None;
        }
        let telling = Telling::of(balancer, self.start)?;
        let stage = Arc::clone(
            lock(&self.stages)
                .entry(balancer.stream)
                .or_insert_with(|| Arc::new(Mutex::new(Stage::new(telling, balancer, script)))),
        );
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
        let mut ended = Ended::default();
        for from in minute - back..=minute {
            let offset = u64::try_from(minute - from).unwrap_or(0) * u64::from(60 * SECOND);
            let inside = |arrival: &&Arrival| {
                let end = u64::from(arrival.at) + u64::from(arrival.request.took);
                end >= offset && end < offset + u64::from(60 * SECOND)
            };
            self.arriving(balancer, from, |batch| {
                for arrival in batch.iter().filter(inside) {
                    ended.push(arrival.request, arrival.bundled);
                }
            });
        }
        Minute::new(ended, balancer.plan.trouble.bundle())
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

/// A lock that a panic elsewhere cannot take away.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
