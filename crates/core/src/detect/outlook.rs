//! What follows from a gateway's history at the end of a quarter-hour: what is usual
//! at this time of day, how the newest quarter-hours compare, and where they lead.
//!
//! All of it is a function of the history alone and changes once a quarter-hour, so
//! that it may look at fourteen days while an assessment of a minute costs
//! microseconds.

use std::ops::{Deref, DerefMut};

use crate::detect::Drift;
use crate::detect::compared::Compared;
use crate::gateway::Gateway;
use crate::series::baseline::{Baseline, KNOWN_DAYS};
use crate::series::forecast::Trend;
use crate::series::history::{DAY, Known, QuarterHour, QuarterHours};
use crate::series::recurrence::{self, Recurrence};
use crate::time::Minute;

/// A quarter-hour older than this is no longer new, quarter-hours: those of a gateway that is
/// polled slowly are known late.
const NEWS: i64 = 4;

/// Six hours, quarter-hours.
const SIX_HOURS: i64 = 24;

/// What a history says at the end of a quarter-hour.
#[derive(Debug, Clone)]
pub struct Outlook {
    timeout: f64,
    near: f64,
    drift: Drift,
    running: QuarterHour,
    changes: u64,
    /// What is usual at this time of day.
    pub usual: Baseline,
    /// The newest known quarter-hour and the two before it, newest first.
    pub newest: Vec<Compared>,
    /// The quarter-hour with which the last six hours end: the newest known one.
    ending: QuarterHour,
    /// Where the p99 leads, if it rises as [`Drift`] wants it.
    pub trend: Option<Trend>,
    /// The time of day that comes closer to the timeout day by day.
    pub recurrence: Option<Recurrence>,
    /// When enough days are known to say what is usual; `None` once they are.
    pub learning_until: Option<Minute>,
    /// Whether any of the last day's quarter-hours was read.
    pub is_read: bool,
}

impl Outlook {
    /// What this history says of quarter-hours that were over when `running` began.
    #[must_use]
    pub fn of(
        history: &QuarterHours,
        gateway: &Gateway,
        drift: &Drift,
        running: QuarterHour,
    ) -> Self {
        let timeout = gateway.timeout.seconds;
        let first = history.first_measured().unwrap_or(running);
        let over = || (1..=NEWS).map(|age| running.plus(-age));
        let known = |q: &QuarterHour| history.quarter_hour(*q) != Known::Unknown;
        let last = over().find(known);
        let compare = |quarter_hour: QuarterHour| match history.quarter_hour(quarter_hour) {
            Known::Measured(summary) => Some(Compared {
                quarter_hour,
                summary,
                usual: Baseline::of(history, timeout, first, quarter_hour),
            }),
            Known::Unknown | Known::Idle => None,
        };
        let newest: Vec<Compared> =
            last.into_iter().flat_map(|q| [q, q.plus(-1), q.plus(-2)]).map_while(compare).collect();
        let ending = last.unwrap_or(running.plus(-1));
        let recent: Vec<_> = lately(ending).map(|q| (q, history.quarter_hour(q))).collect();
        Self {
            timeout,
            near: gateway.near,
            drift: drift.clone(),
            running,
            changes: history.changes(),
            usual: Baseline::of(history, timeout, first, running),
            trend: drift.trend(&newest, &recent, timeout, |quarter_hour| {
                Baseline::typical_p99_at(history, timeout, first, quarter_hour)
            }),
            newest,
            ending,
            recurrence: recurrence::find(history, timeout, running),
            learning_until: learning_until(first, running),
            is_read: last.is_some() || (1..=DAY).any(|age| known(&running.plus(-age))),
        }
    }

    /// Whether it was made for this.
    fn is_for(
        &self,
        history: &QuarterHours,
        gateway: &Gateway,
        drift: &Drift,
        running: QuarterHour,
    ) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        self.running == running
            && self.changes == history.changes()
            && self.drift == *drift
            && same(self.timeout, gateway.timeout.seconds)
            && same(self.near, gateway.near)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.newest.capacity() * size_of::<Compared>()
    }
}

/// The last six hours and a quarter-hour, oldest first.
fn lately(ending: QuarterHour) -> impl Iterator<Item = QuarterHour> {
    (0..=SIX_HOURS).rev().map(move |age| ending.plus(-age))
}

/// An outlook, and the quarter-hours that it was made of.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    outlook: &'a Outlook,
    quarter_hours: &'a QuarterHours,
}

impl Deref for Past<'_> {
    type Target = Outlook;

    fn deref(&self) -> &Outlook {
        self.outlook
    }
}

impl Past<'_> {
    /// What is known of the last six hours and a quarter-hour, oldest first, ending with the
    /// newest known one.
    pub fn lately(&self) -> impl Iterator<Item = Known> {
        lately(self.outlook.ending)
            .map(|quarter_hour| self.quarter_hours.quarter_hour(quarter_hour))
    }

    /// What is known of one of them; nothing of any other quarter-hour.
    #[must_use]
    pub fn recent(&self, quarter_hour: QuarterHour) -> Known {
        let age = self.outlook.ending.0.saturating_sub(quarter_hour.0);
        let is_recent = (0..=SIX_HOURS).contains(&age);
        if is_recent { self.quarter_hours.quarter_hour(quarter_hour) } else { Known::Unknown }
    }
}

fn learning_until(first: QuarterHour, running: QuarterHour) -> Option<Minute> {
    let until = first.min(running).plus(KNOWN_DAYS * DAY);
    (until > running).then(|| until.start())
}

/// Fourteen days of a gateway, and what follows from them.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The days, as CloudWatch reported them.
    quarter_hours: QuarterHours,
    /// What follows, kept until something changes.
    outlook: Option<Box<Outlook>>,
}

impl Deref for History {
    type Target = QuarterHours;

    fn deref(&self) -> &QuarterHours {
        &self.quarter_hours
    }
}

impl DerefMut for History {
    fn deref_mut(&mut self) -> &mut QuarterHours {
        &mut self.quarter_hours
    }
}

impl From<QuarterHours> for History {
    /// What was saved.
    fn from(quarter_hours: QuarterHours) -> Self {
        Self { quarter_hours, outlook: None }
    }
}

impl History {
    /// A gateway of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether [`outlook`](Self::outlook) would need days that only the store has.
    #[must_use]
    pub fn lacks_days(&self, gateway: &Gateway, drift: &Drift, minute: Minute) -> bool {
        let running = QuarterHour::containing(minute.plus(1));
        let fits = |kept: &Outlook| kept.is_for(&self.quarter_hours, gateway, drift, running);
        self.quarter_hours.is_away() && !self.outlook.as_deref().is_some_and(fits)
    }

    /// What follows from the history for this gateway at the end of `minute`,
    /// from the quarter-hours that were over by then. Computed when one of them, or
    /// what is asked, has changed; while days are only in the store, it is the one before.
    #[must_use]
    pub fn outlook(&mut self, gateway: &Gateway, drift: &Drift, minute: Minute) -> Past<'_> {
        let running = QuarterHour::containing(minute.plus(1));
        let Self { quarter_hours, outlook } = self;
        quarter_hours.seal();
        let is_good = |kept: &Outlook| {
            kept.is_for(quarter_hours, gateway, drift, running) || quarter_hours.is_away()
        };
        let kept = outlook.take().filter(|kept| is_good(kept)).unwrap_or_else(|| {
            quarter_hours.unpack();
            let made = Outlook::of(quarter_hours, gateway, drift, running);
            quarter_hours.pack();
            Box::new(made)
        });
        Past { outlook: outlook.insert(kept), quarter_hours }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let outlook = self.outlook.as_ref().map_or(0, |outlook| outlook.bytes());
        size_of::<Self>() - size_of::<QuarterHours>() + self.quarter_hours.bytes() + outlook
    }
}
