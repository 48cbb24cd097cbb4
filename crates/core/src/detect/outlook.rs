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
        let mut newest: Vec<Compared> =
            last.into_iter().flat_map(|q| [q, q.plus(-1), q.plus(-2)]).map_while(compare).collect();
        newest.shrink_to_fit();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gateway::{Detail, Identity, Kind, Timeout};
    use crate::series::history::{Mark, QuarterHourStats};

    /// The start of a day of UTC.
    const START: QuarterHour = QuarterHour(20_000 * DAY);
    /// Fourteen days and some hours.
    const LENGTH: i64 = 14 * DAY + 30;

    fn gateway() -> Gateway {
        Gateway {
            id: Identity::new(Kind::Alb, "eu-central-1", "111122223333", "app/web/1"),
            timeout: Timeout { seconds: 60.0, at_aws: None },
            near: 0.8,
            detail: Detail::Figures,
            tags: BTreeMap::new(),
        }
    }

    fn enter(history: &mut History, quarter_hour: QuarterHour) {
        #[allow(clippy::cast_precision_loss)]
        let p99 = 5.0 + (quarter_hour.0 % DAY) as f64 / 10.0;
        let stats = QuarterHourStats {
            samples: 9000.0,
            sum: Some(9000.0),
            p50: Some(0.5),
            p99: Some(p99),
            maximum: Some(2.0 * p99),
            near_misses: Some(3.0),
            timeout: 60.0,
            ..QuarterHourStats::default()
        };
        history.enter(quarter_hour, &stats);
    }

    /// A history of [`LENGTH`], and what a store has of it.
    fn saved() -> (History, BTreeMap<i64, Vec<u8>>) {
        let mut history = History::new();
        (0..LENGTH).for_each(|q| enter(&mut history, START.plus(q)));
        history.mark(START.plus(400).start(), START.plus(402).start(), Mark::Incident);
        let store = history.unsaved().map(|(day, bytes)| (day, bytes.to_vec())).collect();
        history.saved();
        (history, store)
    }

    fn bring_back(history: &mut History, store: &BTreeMap<i64, Vec<u8>>) {
        history.bring_back(store.iter().map(|(day, bytes)| (*day, bytes.as_slice())));
    }

    /// What an outlook says, at the end of the quarter-hour that is the newest plus `after`.
    fn said(history: &mut History, after: i64) -> String {
        let minute = START.plus(LENGTH - 1 + after).end().plus(-1);
        let past = history.outlook(&gateway(), &Drift::default(), minute);
        let lately: Vec<Known> = past.lately().collect();
        format!("{:?} {:?} {:?} {lately:?}", past.usual, past.newest, past.recurrence)
    }

    #[test]
    fn what_is_left_to_the_store_comes_back_as_it_was() {
        let (mut whole, store) = saved();
        let mut history = whole.clone();
        history.put_away();
        assert!(history.is_away() && history.bytes() * 3 < whole.bytes());
        let (drift, now) = (Drift::default(), START.plus(LENGTH).start().plus(-1));
        assert!(history.lacks_days(&gateway(), &drift, now));
        bring_back(&mut history, &store);
        assert!(!history.lacks_days(&gateway(), &drift, now));
        assert_eq!(said(&mut history, 0), said(&mut whole, 0));
        assert!(history.is_incident(START.plus(401)));
    }

    #[test]
    fn an_outlook_is_good_for_its_quarter_hour_and_after_that_it_is_the_one_before() {
        let (mut history, store) = saved();
        let known = said(&mut history, 0);
        history.put_away();
        assert!(!history.is_unsaved());
        assert_eq!(said(&mut history, 0), known, "the last six hours are still here");
        enter(&mut history, START.plus(LENGTH));
        let usual = |said: &str| said.split(" [Compared").next().map(str::to_owned);
        assert_eq!(
            usual(&said(&mut history, 1)),
            usual(&known),
            "nobody has brought back the days"
        );
        bring_back(&mut history, &store);
        let mut whole = saved().0;
        enter(&mut whole, START.plus(LENGTH));
        assert_eq!(said(&mut history, 1), said(&mut whole, 1));
    }

    #[test]
    fn what_the_store_has_lost_is_unknown_and_read_again() {
        let (mut history, mut store) = saved();
        let (first, end) = (START.plus(LENGTH - 14 * DAY), START.plus(LENGTH));
        assert_eq!(history.first_unknown(first, end), None);
        history.put_away();
        assert_eq!(history.first_unknown(first, end), None, "the store has it");
        let lost = START.plus(5 * DAY);
        store.remove(&(lost.0 / DAY));
        bring_back(&mut history, &store);
        assert_eq!(history.first_unknown(first, end), Some(lost));
        assert_eq!(history.first_unknown(lost.plus(DAY), end), None);
    }

    #[test]
    fn days_that_are_away_are_neither_changed_nor_saved() {
        let (mut history, store) = saved();
        history.put_away();
        history.mark(START.plus(5 * DAY).start(), START.plus(5 * DAY).end(), Mark::Incident);
        history.save_again();
        let saved: Vec<i64> = history.unsaved().map(|(day, _)| day).collect();
        assert_eq!(saved, [START.0 / DAY + 14]);
        bring_back(&mut history, &store);
        assert!(!history.is_incident(START.plus(5 * DAY)));
    }
}
