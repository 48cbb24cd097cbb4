//! What CloudWatch said about one gateway, in this program's words and in SI units.
//!
//! A [`Snapshot`] is a dense table, minute by asked signal, because the
//! detectors always look at consecutive minutes and because "no value" must be
//! a value of its own: absence is never a zero here.

mod kept;

use crate::gateway::bounds::BOUNDS;
use crate::gateway::metrics::Percentiles;
use crate::gateway::signal::{Missing, Signal};
use crate::series::histogram::Buckets;
use crate::series::window::Reading;
use crate::time::Minute;
pub use kept::KeptSnapshot;

/// What is larger is no measurement: no minute has this many requests, and no request takes
/// this many seconds. Sums of what is smaller are exact to a request, and finite.
const LARGEST: f64 = 1e12;

/// Consecutive minutes of one gateway, as CloudWatch described them in answers
/// that were complete for every signal. There is no partial snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    first: Minute,
    length: usize,
    /// Where each signal stands in a row, by [`Signal::number`]; `None` for
    /// what was not asked.
    columns: [Option<u8>; Signal::COUNT],
    width: usize,
    /// Row after row, a row for each minute; what is absent is NaN, which no
    /// datapoint is.
    values: Vec<f64>,
    /// The newest figures of the target groups, where they were asked for.
    pub target_groups: Vec<TargetGroup>,
    /// Minutes of which figures are awaited, oldest first, and how many requests were
    /// answered in each as far as one can tell; see [`Snapshot::awaits`].
    awaited: Vec<(Minute, f64)>,
}

/// The newest figures of a target group.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// 99th percentile of the latency of its answered requests, seconds.
    pub p99: Option<f64>,
    /// The fewest healthy targets that any zone of the gateway saw.
    pub healthy_hosts: Option<f64>,
}

impl Snapshot {
    /// A snapshot of the minutes from `first` to before `end`, where nothing
    /// happened yet: counters are zero, measurements are absent, and so is what
    /// was not `asked` for.
    #[must_use]
    pub fn quiet(first: Minute, end: Minute, asked: &[Signal]) -> Self {
        let mut columns = [None; Signal::COUNT];
        let mut row = Vec::with_capacity(asked.len());
        for signal in asked {
            columns[signal.number()] = u8::try_from(row.len()).ok();
            row.push(if signal.missing() == Missing::Zero { 0.0 } else { f64::NAN });
        }
        let length = usize::try_from(end.since(first)).unwrap_or(0);
        Self {
            first,
            length,
            columns,
            width: row.len(),
            values: row.repeat(length),
            target_groups: Vec::new(),
            awaited: Vec::new(),
        }
    }

    /// Enters one datapoint. What lies outside the snapshot, or is no measurement
    /// (negative, infinite, not a number, absurdly large), is left out: CloudWatch may
    /// answer more than was asked, and a count below zero is no count.
    pub fn record(&mut self, signal: Signal, minute: Minute, value: f64) {
        if let Some(place) = self.place(signal, minute)
            && (0.0..=LARGEST).contains(&value)
        {
            self.values[place] = value;
        }
    }

    fn place(&self, signal: Signal, minute: Minute) -> Option<usize> {
        let row = usize::try_from(minute.since(self.first)).ok()?;
        let column = usize::from(self.columns[signal.number()]?);
        (row < self.length).then_some(row * self.width + column)
    }

    /// This snapshot with the minutes before it as an earlier one had them, from
    /// `first` on. Where the two do not meet, it stays as it is.
    #[must_use]
    pub fn continuing(self, earlier: &Self, first: Minute) -> Self {
        let first = first.max(earlier.first);
        if earlier.end() < self.first || first >= self.first {
            return self;
        }
        let asked: Vec<Signal> =
            Signal::every().filter(|signal| self.has(*signal) || earlier.has(*signal)).collect();
        let mut whole = Self::quiet(first, self.end(), &asked);
        whole.values.fill(f64::NAN);
        whole.copy(earlier, first, self.first);
        whole.copy(&self, self.first, self.end());
        whole.target_groups = self.target_groups;
        whole
    }

    /// Takes over what another snapshot has of the minutes from `first` to before `end`.
    fn copy(&mut self, from: &Self, first: Minute, end: Minute) {
        let row = |of: &Self, minute: Minute| {
            usize::try_from(minute.since(of.first)).unwrap_or(0) * of.width
        };
        for (ours, theirs) in self.columns.iter().zip(&from.columns) {
            let Some((ours, theirs)) = ours.zip(*theirs) else { continue };
            let begin = row(self, first) + usize::from(ours);
            let to = self.values.iter_mut().skip(begin);
            let values = from.values.iter().skip(row(from, first) + usize::from(theirs));
            let minutes = usize::try_from(end.since(first)).unwrap_or(0);
            let pairs = to.step_by(self.width).zip(values.step_by(from.width));
            pairs.take(minutes).for_each(|(to, value)| *to = *value);
        }
    }

    /// The same minutes of two gateways as of one: counts are added, and of measurements
    /// the larger is taken.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for signal in Signal::every().filter(|signal| self.has(*signal)) {
            for minute in self.minutes() {
                let (ours, theirs) = (self.value(signal, minute), other.value(signal, minute));
                let value = match signal.missing() {
                    Missing::Zero => Some(ours.unwrap_or(0.0) + theirs.unwrap_or(0.0)),
                    Missing::Absent => ours.into_iter().chain(theirs).reduce(f64::max),
                };
                if let Some(value) = value {
                    both.record(signal, minute, value);
                }
            }
        }
        both
    }

    fn has(&self, signal: Signal) -> bool {
        self.columns[signal.number()].is_some()
    }

    /// What one signal was in one minute; `None` where it is absent, was not
    /// asked, or the minute is outside.
    #[must_use]
    pub fn value(&self, signal: Signal, minute: Minute) -> Option<f64> {
        Some(self.values[self.place(signal, minute)?]).filter(|value| !value.is_nan())
    }

    /// The first minute.
    #[must_use]
    pub fn first(&self) -> Minute {
        self.first
    }

    /// The minute after the last one.
    #[must_use]
    pub fn end(&self) -> Minute {
        self.first.plus(i64::try_from(self.length).unwrap_or(i64::MAX))
    }

    /// The newest minute with a request.
    #[must_use]
    pub fn last_active(&self) -> Option<Minute> {
        self.minutes().rev().find(|minute| !self.is_empty(*minute))
    }

    /// Its minutes, oldest first.
    pub fn minutes(&self) -> impl DoubleEndedIterator<Item = Minute> + use<> {
        (self.first.0..self.end().0).map(Minute)
    }

    /// Whether there were no requests, as far as was asked.
    #[must_use]
    pub fn is_empty(&self, minute: Minute) -> bool {
        let counts = [Signal::Samples, Signal::Timeouts, Signal::RequestCount, Signal::Answers];
        counts.iter().all(|signal| self.value(*signal, minute).unwrap_or(0.0) <= 0.0)
    }

    /// Says that figures of these minutes are awaited, oldest first, and how many
    /// requests were answered in each as far as one can tell. Then the readings have
    /// that many.
    pub fn awaits(&mut self, minutes: Vec<(Minute, f64)>) {
        self.awaited = minutes;
    }

    /// Whether figures of this minute are awaited.
    #[must_use]
    pub fn is_awaited(&self, minute: Minute) -> bool {
        self.awaited.binary_search_by_key(&minute, |(minute, _)| *minute).is_ok()
    }

    /// What CloudWatch has said of one minute; `None` outside the snapshot.
    #[must_use]
    pub fn reading(&self, minute: Minute) -> Option<Reading> {
        if minute < self.first || minute >= self.end() {
            return None;
        }
        let value = |signal: Signal| self.value(signal, minute);
        let count = |signal: Signal| value(signal).unwrap_or(0.0);
        Some(Reading {
            minute,
            p50: value(Signal::P50),
            p99: value(Signal::P99),
            maximum: value(Signal::Maximum),
            samples: count(Signal::Samples),
            near_misses: count(Signal::NearMisses),
            timeouts: count(Signal::Timeouts),
            connection_errors: value(Signal::ConnectionErrors),
            tls_errors: value(Signal::TlsErrors),
            request_count: value(Signal::RequestCount),
            healthy_hosts: value(Signal::HealthyHosts),
        })
    }

    /// The histogram of one minute; `None` where it was not asked.
    #[must_use]
    pub fn buckets(&self, minute: Minute) -> Option<Buckets> {
        let mut within = [0.0; BOUNDS.len()];
        for (bound, count) in (0u8..).zip(&mut within) {
            *count = self.value(Signal::Within(bound), minute)?;
        }
        Some(Buckets { within, sum: self.value(Signal::Sum, minute)? })
    }

    /// Near misses as the difference of two buckets, where they were not asked
    /// for by themselves: `from` and `to` are numbers of bounds, without `to`
    /// everything above `from` is near.
    pub fn count_near_misses(&mut self, from: u8, to: Option<u8>) {
        let upper = to.map_or(Signal::Samples, Signal::Within);
        let minutes = (self.first.0..self.end().0).map(Minute);
        let near = |minute: Minute| {
            let all = self.value(upper, minute)?;
            Some((minute, (all - self.value(Signal::Within(from), minute)?).max(0.0)))
        };
        for (minute, count) in minutes.filter_map(near).collect::<Vec<_>>() {
            self.record(Signal::NearMisses, minute, count);
        }
    }

    /// Near misses and timeouts as percentiles show them, where they were not counted;
    /// `near` and `timeout` are seconds.
    pub fn estimate_near_misses(&mut self, near: f64, timeout: f64) {
        for minute in (self.first.0..self.end().0).map(Minute) {
            let value = |signal| self.value(signal, minute);
            let (near_misses, timeouts) = Percentiles {
                samples: value(Signal::Samples).unwrap_or(0.0),
                p50: value(Signal::P50),
                p99: value(Signal::P99),
                maximum: value(Signal::Maximum),
            }
            .near_and_timed_out(near, timeout, value(Signal::Failures));
            self.record(Signal::NearMisses, minute, near_misses);
            self.record(Signal::Timeouts, minute, timeouts);
        }
    }

    /// Takes timeouts out of the samples, where each of them left one. There are no more of
    /// them than requests that failed, where those were counted.
    pub fn part_timeouts(&mut self) {
        for minute in (self.first.0..self.end().0).map(Minute) {
            let value = |signal| self.value(signal, minute);
            let Some((samples, all)) = value(Signal::Samples).zip(value(Signal::Timeouts)) else {
                continue;
            };
            let timeouts = all.min(value(Signal::Failures).unwrap_or(all));
            self.record(Signal::Timeouts, minute, timeouts);
            self.record(Signal::Samples, minute, (samples - timeouts).max(0.0));
        }
    }

    /// The `length` minutes that end with `last` as they are judged, oldest first;
    /// fewer where the snapshot begins later.
    #[must_use]
    pub fn readings(&self, last: Minute, length: u32) -> Vec<Reading> {
        let first = last.plus(1 - i64::from(length)).max(self.first);
        let minutes = first.0..last.plus(1).min(self.end()).0;
        minutes.filter_map(|minute| self.judged(Minute(minute))).collect()
    }

    /// What one minute was like, as far as one can tell while figures of it are awaited.
    fn judged(&self, minute: Minute) -> Option<Reading> {
        let reading = self.reading(minute)?;
        let place = self.awaited.binary_search_by_key(&minute, |(minute, _)| *minute);
        Some(match place.ok().and_then(|place| self.awaited.get(place)) {
            Some((_, answered)) => Reading { samples: *answered, ..reading },
            None => reading,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_zero_for_counters_and_nothing_for_measurements() {
        let snapshot = Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]);
        let reading = snapshot.reading(Minute(11)).unwrap();
        assert_eq!((reading.samples, reading.p99), (0.0, None));
        assert_eq!(snapshot.reading(Minute(12)), None);
    }

    #[test]
    fn what_is_outside_or_absurd_is_left_out() {
        let mut snapshot = Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]);
        for (minute, value) in
            [(9, 1.0), (12, 1.0), (10, -1.0), (10, f64::NAN), (11, f64::INFINITY)]
        {
            snapshot.record(Signal::Timeouts, Minute(minute), value);
        }
        let quiet = Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]);
        assert_eq!(snapshot.readings(Minute(11), 2), quiet.readings(Minute(11), 2));
    }

    #[test]
    fn a_minute_reads_as_utc() {
        assert_eq!(Minute::containing(1_767_605_639).to_string(), "2026-01-05T09:33Z");
        assert_eq!(Minute(i64::MAX).to_string(), "1970-01-01T00:00Z");
    }

    #[test]
    fn two_load_balancers_as_one_have_all_requests_of_both() {
        let snapshot = |end: i64, samples: f64, p99: f64| {
            let asked = [Signal::Samples, Signal::P99];
            let mut snapshot = Snapshot::quiet(Minute(10), Minute(end), &asked);
            snapshot.record(Signal::Samples, Minute(10), samples);
            snapshot.record(Signal::P99, Minute(10), p99);
            snapshot
        };
        let both = snapshot(12, 5.0, 2.0).joined(&snapshot(11, 7.0, 1.0));
        let minute = |minute| both.reading(Minute(minute)).map(|r| (r.samples, r.p99));
        assert_eq!(minute(10), Some((12.0, Some(2.0))));
        assert_eq!(minute(11), Some((0.0, None)));
    }
}
