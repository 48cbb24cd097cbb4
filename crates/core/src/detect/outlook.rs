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
    /// The last six hours and a quarter-hour, oldest first, ending with the newest known one.
    pub recent: Vec<(QuarterHour, Known)>,
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
        let recent = (0..=24).rev().map(|age| ending.plus(-age));
        let recent: Vec<_> = recent.map(|q| (q, history.quarter_hour(q))).collect();
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
            recent,
            recurrence: recurrence::find(history, timeout, running),
            learning_until: learning_until(first, running),
            is_read: last.is_some() || (1..=DAY).any(|age| known(&running.plus(-age))),
        }
    }

    /// What is known of a quarter-hour of the last six hours; nothing of any other.
    #[must_use]
    pub fn recent(&self, quarter_hour: QuarterHour) -> Known {
        let first = self.recent.first().map_or(quarter_hour, |(first, _)| *first);
        let index = usize::try_from(quarter_hour.0.saturating_sub(first.0)).ok();
        index.and_then(|index| self.recent.get(index)).map_or(Known::Unknown, |(_, known)| *known)
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
        size_of::<Self>()
            + self.newest.capacity() * size_of::<Compared>()
            + self.recent.capacity() * size_of::<(QuarterHour, Known)>()
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

    /// What follows from the history for this gateway at the end of `minute`,
    /// from the quarter-hours that were over by then. Computed when one of them, or
    /// what is asked, has changed.
    #[must_use]
    pub fn outlook(&mut self, gateway: &Gateway, drift: &Drift, minute: Minute) -> &Outlook {
        let running = QuarterHour::containing(minute.plus(1));
        let Self { quarter_hours, outlook } = self;
        quarter_hours.seal();
        let kept =
            outlook.take().filter(|kept| kept.is_for(quarter_hours, gateway, drift, running));
        let kept =
            kept.unwrap_or_else(|| Box::new(Outlook::of(quarter_hours, gateway, drift, running)));
        outlook.insert(kept)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let outlook = self.outlook.as_ref().map_or(0, |outlook| outlook.bytes());
        size_of::<Self>() - size_of::<QuarterHours>() + self.quarter_hours.bytes() + outlook
    }
}
