//! When gateways give up. AWS takes a call for each, so they are kept, and read one after
//! the other at a [`Pace`]: first what is not known, then what may have changed, the oldest
//! first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::pace::{Pace, Purpose};
use super::{CONCURRENCY, Inventory, Known};
use crate::edge::aws::{AwsError, ErrorKind, Usage};
use nearmiss_core::number::quantity;

/// At most this many that are known are queued at once: what the daemon reads in five
/// minutes.
const MOST_KNOWN: usize = 600;
/// A gateway whose answers pass its timeout is looked at again no sooner than this, seconds:
/// some requests may take longer than the timeout (uploads, Lambda).
const PASSED_AGAIN: i64 = 3_600;

/// The timeouts of gateways, seconds, by ARN.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeouts {
    known: HashMap<String, Known<f64>>,
    /// When those were read whose answers passed their timeout.
    passed: HashMap<String, i64>,
}

/// The slowest answer of a gateway, which it cannot have given if its timeout is what it was
/// when it was read.
#[derive(Debug, Clone)]
pub struct SlowAnswer {
    /// The gateway.
    pub arn: String,
    /// How long it took, seconds.
    pub took: f64,
    /// The end of its minute, seconds since the Unix epoch.
    pub until: i64,
}

impl Timeouts {
    pub(super) fn of(&self, arn: &str) -> Option<f64> {
        self.known.get(arn).map(|known| known.value)
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets those of all other gateways.
    pub(super) fn keep(&mut self, arns: &HashSet<String>) {
        self.known.retain(|arn, _| arns.contains(arn));
        self.passed.retain(|arn, _| arns.contains(arn));
    }

    /// Whether an answer shows that the timeout may have been raised since it was read, and
    /// that was not looked into lately.
    pub(super) fn is_passed(&self, answer: &SlowAnswer, now: i64) -> bool {
        let lately = self.passed.get(&answer.arn);
        self.known
            .get(&answer.arn)
            .is_some_and(|known| answer.took > known.value && known.read < answer.until)
            && lately.is_none_or(|at| !(0..PASSED_AGAIN).contains(&(now - at)))
    }

    /// Those that were read at least `every` seconds ago, the oldest first.
    pub(super) fn old(&self, now: i64, every: i64) -> Vec<String> {
        let is_old = |known: &Known<f64>| !(0..every).contains(&(now - known.read));
        let old = self.known.iter().filter(|(_, known)| is_old(known));
        let mut old: Vec<_> = old.map(|(arn, known)| (known.read, arn)).collect();
        if old.len() > MOST_KNOWN {
            old.select_nth_unstable(MOST_KNOWN);
            old.truncate(MOST_KNOWN);
        }
        old.sort_unstable();
        old.into_iter().map(|(_, arn)| arn.clone()).collect()
    }

    /// Enters what was read, `None` where the gateway is gone. Returns whether that is
    /// another than before.
    pub(super) fn enter(&mut self, arn: &str, value: Option<f64>, why: Why, now: i64) -> bool {
        let before = self.of(arn);
        match value {
            Some(value) => self.known.insert(arn.to_owned(), Known { value, read: now }),
            None => self.known.remove(arn),
        };
        if before != value {
            self.passed.remove(arn);
        } else if why == Why::Passed {
            self.passed.insert(arn.to_owned(), now);
        }
        before != value
    }
}

/// Why a timeout is read, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The gateway's answers pass what is known.
    Passed,
    /// The gateway is not watched before it is known.
    NotWatched,
    /// It is not known, and the config has another.
    NotKnown,
    /// It was read a while ago.
    Old,
}

impl Why {
    fn purpose(self) -> Purpose {
        match self {
            Self::Passed | Self::NotWatched | Self::NotKnown => Purpose::Unknown,
            Self::Old => Purpose::Known,
        }
    }

    /// Whether a poll waits for it.
    fn is_awaited(self) -> bool {
        matches!(self, Self::Passed | Self::NotWatched)
    }
}

/// A timeout that was read, or why not.
#[derive(Debug)]
pub struct ReadTimeout {
    pub(super) catalog: usize,
    pub(super) arn: String,
    pub(super) why: Why,
    pub(super) outcome: Result<Option<f64>, AwsError>,
}

/// The timeouts of one kind of gateways that are being read. It may be left alone at any
/// time, and goes on where it was.
pub struct TimeoutReader {
    catalog: usize,
    inventory: Arc<dyn Inventory>,
    pace: Arc<Pace>,
    queue: VecDeque<(String, Why)>,
    calls: FuturesUnordered<BoxFuture<'static, ReadTimeout>>,
    /// What the calls that are under way are for.
    asked: HashMap<String, Why>,
    /// Whether AWS answered since the queue was made, and whether it throttled.
    is_answered: bool,
    throttled: Option<AwsError>,
}

impl TimeoutReader {
    pub(super) fn new(catalog: usize, inventory: &Arc<dyn Inventory>, pace: &Arc<Pace>) -> Self {
        Self {
            catalog,
            inventory: Arc::clone(inventory),
            pace: Arc::clone(pace),
            queue: VecDeque::new(),
            calls: FuturesUnordered::new(),
            asked: HashMap::new(),
            is_answered: false,
            throttled: None,
        }
    }

    pub(super) fn catalog(&self) -> usize {
        self.catalog
    }

    /// Reads these from now on, beside those that it has asked for already.
    pub(super) fn queue(&mut self, wanted: impl IntoIterator<Item = (String, Why)>) {
        let mut queued = HashSet::new();
        let asked = &self.asked;
        let is_new =
            |(arn, _): &(String, Why)| !asked.contains_key(arn) && queued.insert(arn.clone());
        self.queue = wanted.into_iter().filter(is_new).collect();
        (self.is_answered, self.throttled) = (false, None);
    }

    /// Whether it has nothing to read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.asked.is_empty()
    }

    /// Whether there is one that a poll waits for.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let queued = self.queue.iter().map(|(_, why)| why);
        queued.chain(self.asked.values()).any(|why| why.is_awaited())
    }

    /// Why nothing was read, if nothing was that a poll waited for: to have read some of
    /// many is progress in the time there was.
    pub(super) fn without_answer(&self, deadline: Duration) -> Option<AwsError> {
        let (action, region) = (self.inventory.actions().timeout, self.inventory.region());
        let is_late = self.is_awaited() && !self.is_answered;
        is_late.then(|| self.throttled.clone().unwrap_or_else(|| late(action, region, deadline)))
    }

    /// Makes the next calls, and returns the next answer; `None` when all are there. What
    /// AWS throttles is asked again; where the next call would fail as well, there is none.
    pub async fn next(&mut self) -> Option<ReadTimeout> {
        loop {
            let purpose = self.queue.front().map(|(_, why)| why.purpose());
            let may_ask = purpose.filter(|_| self.asked.len() < CONCURRENCY);
            let admitted = async {
                match may_ask {
                    Some(purpose) => self.pace.admit(purpose).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(read) = self.calls.next() => {
                    self.answered(&read);
                    return Some(read);
                }
                () = admitted, if may_ask.is_some() => self.ask(),
                else => return None,
            }
        }
    }

    /// The next answer to a call that is under way; `None` if there is none.
    pub async fn next_under_way(&mut self) -> Option<ReadTimeout> {
        let read = self.calls.next().await?;
        self.answered(&read);
        Some(read)
    }

    fn ask(&mut self) {
        let Some((arn, why)) = self.queue.pop_front() else { return };
        self.asked.insert(arn.clone(), why);
        let (catalog, inventory) = (self.catalog, Arc::clone(&self.inventory));
        self.calls.push(Box::pin(async move {
            let outcome = inventory.timeout(&arn).await;
            ReadTimeout { catalog, arn, why, outcome }
        }));
    }

    fn answered(&mut self, read: &ReadTimeout) {
        self.asked.remove(&read.arn);
        match &read.outcome {
            Err(fault) if fault.problem == ErrorKind::Throttled => {
                self.pace.enter(true);
                self.queue.push_front((read.arn.clone(), read.why));
                self.throttled = Some(fault.clone());
                return;
            }
            Err(fault) if !fault.is_about_what_was_asked() => self.queue.clear(),
            Err(_) => {}
            Ok(_) => self.pace.enter(false),
        }
        self.is_answered = true;
    }
}

impl std::fmt::Debug for TimeoutReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (queued, asked) = (self.queue.len(), self.asked.len());
        f.debug_struct("TimeoutReader")
            .field("queued", &queued)
            .field("asked", &asked)
            .finish_non_exhaustive()
    }
}

impl ReadTimeout {
    /// Counts the call.
    pub(super) fn count(&self, action: &'static str, usage: &mut Usage) {
        usage.call(action, self.outcome.as_ref().err().map(|fault| fault.problem));
    }
}

/// What failed, each kind of failure once.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(BTreeMap<String, (AwsError, BTreeSet<String>)>);

impl Faults {
    pub(super) fn add(&mut self, arn: &str, fault: AwsError) {
        let (_, arns) = self.0.entry(fault.to_string()).or_insert_with(|| (fault, BTreeSet::new()));
        arns.insert(arn.to_owned());
    }

    /// Whether this gateway's failed.
    pub(super) fn contains(&self, arn: &str) -> bool {
        self.0.values().any(|(_, arns)| arns.contains(arn))
    }

    /// Whether the next call would fail as well.
    pub(super) fn are_of_all(&self) -> bool {
        self.0.values().any(|(fault, _)| !fault.is_about_what_was_asked())
    }

    /// Each with the first gateway that it concerns; a number of the others would make a
    /// different text at each poll.
    pub(super) fn merged(&self) -> impl Iterator<Item = AwsError> {
        self.0.values().cloned().map(|(mut fault, arns)| {
            let others = if arns.len() > 1 { " and others" } else { "" };
            if let Some(arn) = arns.first() {
                fault.said = format!("{} ({arn}{others})", fault.said);
            }
            fault
        })
    }
}

/// A call that was not answered in time, or for which no time was left. Fractions of a second
/// would make another text of it at each poll.
pub(super) fn late(action: &'static str, region: &str, deadline: Duration) -> AwsError {
    let limit = quantity::seconds(deadline.as_secs_f64().ceil());
    let said = match deadline {
        Duration::ZERO => "other calls left no time for it".to_owned(),
        _ => format!("not done within {limit}"),
    };
    AwsError::incomplete(action, region, said)
}
