//! What follows from a gateway's history at the end of a quarter: what is usual
//! at this time of day, how the newest quarters compare, and where they lead.
//!
//! All of it is a function of the history alone and changes once a quarter, so
//! that it may look at fourteen days while an assessment of a minute costs
//! microseconds.

use super::baseline::{Baseline, KNOWN_DAYS};
use super::detector::Drift;
use super::forecast::Trend;
use super::gateway::Gateway;
use super::history::{DAY, History, Known, Quarter, Summary};
use super::recurrence::{self, Recurrence};
use super::signal::Minute;
use super::statistics::median;

/// How many of the newest quarters are looked at for a trend: six hours.
pub const LOOKBACK: usize = 24;
/// A quarter older than this is no longer news, quarters: a calm gateway's are known late.
const NEWS: i64 = 4;

/// One of the newest quarters beside what is usual at its time.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Which quarter.
    pub quarter: Quarter,
    /// What it was like.
    pub summary: Summary,
    /// What is usual at its time of day.
    pub usual: Baseline,
}

/// What makes the median slower than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slower {
    /// The work itself takes longer: slow and fast answers by the same factor.
    Work,
    /// Requests wait before they are worked on: slow and fast answers by the same time,
    /// which is a small factor for slow ones. Also where it cannot be told from the rest.
    Queue,
    /// Some of the requests are much slower, and the median only follows.
    Some,
}

/// A median up to this factor above what is usual is no slower.
const SLOWER: f64 = 1.08;
/// Where the p99 is usually less than so many times the median, the same time and the
/// same factor look alike.
const APART: f64 = 4.0;

/// From this factor on there are more requests than usual.
const BUSIER: f64 = 1.25;

/// Why the medians of these quarters are above what is usual; `None` where they are
/// not. Each says by what power of the median's factor the p99 has risen; the middle one
/// is believed.
#[must_use]
pub fn slower(newest: &[Compared], timeout: f64) -> Option<Slower> {
    let mut powers: Vec<f64> = newest.iter().filter_map(|one| one.power(timeout)).collect();
    Some(match median(&mut powers)? {
        power if power < 0.7 => Slower::Queue,
        power if power < 1.5 => Slower::Work,
        _ => Slower::Some,
    })
}

impl Compared {
    /// Whether there are more requests than usual, which may be why they are slower.
    #[must_use]
    pub fn is_busier(&self) -> bool {
        self.usual.requests.is_none_or(|usual| self.summary.requests() > BUSIER * usual)
    }

    /// The power of the median's factor above usual by which the p99 is above it: 1 where
    /// all answers are slower by the same factor, near 0 where by the same time, and 0
    /// where these look alike. `None` where the median is not above usual.
    fn power(&self, timeout: f64) -> Option<f64> {
        let Self { summary, usual, .. } = self;
        let p50 = usual.p50.filter(|p50| *p50 > 0.0 && usual.is_known())?;
        let median = Some(summary.p50? / p50).filter(|factor| *factor > SLOWER)?;
        let p99 = usual.typical_p99.filter(|p99| *p99 > APART * p50);
        let Some(p99) = p99 else { return Some(0.0) };
        Some((summary.effective_p99(timeout)? / p99).max(1.0).ln() / median.ln())
    }
}

/// What a history says at the end of a quarter.
#[derive(Debug, Clone)]
pub struct Outlook {
    timeout: f64,
    near: f64,
    drift: Drift,
    running: Quarter,
    /// What is usual at this time of day.
    pub usual: Baseline,
    /// The newest known quarter and the two before it, newest first.
    pub newest: Vec<Compared>,
    /// The last six hours and a quarter, oldest first, ending with the newest known one.
    pub recent: Vec<(Quarter, Known)>,
    /// Where the p99 leads, if it rises as [`Drift`] wants it.
    pub trend: Option<Trend>,
    /// The time of day that comes closer to the timeout day by day.
    pub recurrence: Option<Recurrence>,
    /// When enough days are known to say what is usual; `None` once they are.
    pub learning_until: Option<Minute>,
    /// Whether any of the last day's quarters was read.
    pub is_read: bool,
}

impl Outlook {
    /// What this history says of quarters that were over when `running` began.
    #[must_use]
    pub fn of(history: &History, gateway: &Gateway, drift: &Drift, running: Quarter) -> Self {
        let timeout = gateway.timeout.seconds;
        let first = history.first_measured().unwrap_or(running);
        let over = || (1..=NEWS).map(|age| running.plus(-age));
        let known = |q: &Quarter| history.quarter(*q) != Known::Unknown;
        let last = over().find(known);
        let compare = |quarter: Quarter| match history.quarter(quarter) {
            Known::Measured(summary) => Some(Compared {
                quarter,
                summary,
                usual: Baseline::of(history, timeout, first, quarter),
            }),
            Known::Unknown | Known::Idle => None,
        };
        let newest: Vec<Compared> =
            last.into_iter().flat_map(|q| [q, q.plus(-1), q.plus(-2)]).map_while(compare).collect();
        let ending = last.unwrap_or(running.plus(-1));
        let recent = (0..=24).rev().map(|age| ending.plus(-age));
        let recent: Vec<_> = recent.map(|q| (q, history.quarter(q))).collect();
        Self {
            timeout,
            near: gateway.near,
            drift: drift.clone(),
            running,
            usual: Baseline::of(history, timeout, first, running),
            trend: drift.trend(&newest, &recent, timeout, |quarter| {
                Baseline::typical_p99_at(history, timeout, first, quarter)
            }),
            newest,
            recent,
            recurrence: recurrence::find(history, timeout, running),
            learning_until: learning_until(first, running),
            is_read: last.is_some() || (1..=DAY).any(|age| known(&running.plus(-age))),
        }
    }

    /// What is known of a quarter of the last six hours; nothing of any other.
    #[must_use]
    pub fn recent(&self, quarter: Quarter) -> Known {
        let first = self.recent.first().map_or(quarter, |(first, _)| *first);
        let index = usize::try_from(quarter.0.saturating_sub(first.0)).ok();
        index.and_then(|index| self.recent.get(index)).map_or(Known::Unknown, |(_, known)| *known)
    }

    /// Whether it was made for this.
    #[must_use]
    pub fn is_for(&self, gateway: &Gateway, drift: &Drift, running: Quarter) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        self.running == running
            && self.drift == *drift
            && same(self.timeout, gateway.timeout.seconds)
            && same(self.near, gateway.near)
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.newest.capacity() * size_of::<Compared>()
            + self.recent.capacity() * size_of::<(Quarter, Known)>()
    }
}

fn learning_until(first: Quarter, running: Quarter) -> Option<Minute> {
    let until = first.min(running).plus(KNOWN_DAYS * DAY);
    (until > running).then(|| until.start())
}
