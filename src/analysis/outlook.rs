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
    /// On how many of the last seven days requests ended in 504 in bursts, and
    /// the newest such quarter.
    pub burst_days: (u32, Option<Quarter>),
    /// The largest number of slow 504s in one quarter of the last seven days.
    pub worst_burst: f64,
    /// Where the p99 leads, if it rises as [`Drift`] wants it.
    pub trend: Option<Trend>,
    /// The time of day that comes closer to the timeout day by day.
    pub recurrence: Option<Recurrence>,
    /// When enough days are known to say what is usual; `None` once they are.
    pub learning_until: Option<Minute>,
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
        let (burst_days, worst_burst) = bursts(history, running);
        Self {
            timeout,
            near: gateway.near,
            drift: drift.clone(),
            running,
            usual: Baseline::of(history, timeout, first, running),
            trend: drift.trend(&newest, &recent, timeout),
            newest,
            recent,
            burst_days,
            worst_burst,
            recurrence: recurrence::find(history, timeout, running),
            learning_until: learning_until(first, running),
        }
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

/// See [`Outlook::burst_days`] and [`Outlook::worst_burst`].
fn bursts(history: &History, running: Quarter) -> ((u32, Option<Quarter>), f64) {
    let (mut days, mut newest, mut worst) = (0, None, 0.0_f64);
    for day in 0..7 {
        let mut has_burst = false;
        for age in 1..=DAY {
            let quarter = running.plus(-(day * DAY + age));
            if !history.had_timeouts(quarter) {
                continue;
            }
            let Known::Measured(summary) = history.quarter(quarter) else { continue };
            worst = worst.max(summary.slow_timeouts());
            if summary.is_burst() {
                has_burst = true;
                newest = newest.max(Some(quarter));
            }
        }
        days += u32::from(has_burst);
    }
    ((days, newest), worst)
}

fn learning_until(first: Quarter, running: Quarter) -> Option<Minute> {
    let until = first.min(running).plus(KNOWN_DAYS * DAY);
    (until > running).then(|| until.start())
}
