//! What CloudWatch may still owe: minutes of a steady traffic that are empty, or that
//! lack their latencies.
//!
//! An answer that is complete and empty looks the same when there were no requests and when
//! CloudWatch lags behind. What came before tells them apart as far as they can be:
//! where every minute had its requests, a minute without any is late or the end of the
//! traffic; where they came now and then, it is a minute without any. Each metric may
//! be late by itself. 504s without latencies are an outage or half an answer: an outage
//! where the 504s are as many as the requests that came, or where targets are known to
//! have answered none.

use crate::gateway::signal::Signal;
use crate::series::snapshot::Snapshot;
use crate::time::Minute;

/// At least this many minutes with at least this many requests each make a steady traffic,
/// in which an empty minute is not a minute without requests (Poisson: e^-14 is one in a
/// million).
const STEADY_MINUTES: i64 = 10;
const STEADY_REQUESTS: f64 = 14.0;
/// The share of the requests that came that must have ended in 504 to explain why none was
/// answered: half, because the first of them are still waiting.
const EXPLAINED: f64 = 0.5;

/// What is known of the minutes of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals {
    /// The first of the minutes at the end of which nothing can be said yet: they are
    /// empty after traffic, or it is not known whether targets answered. The end of the
    /// snapshot where there is none.
    pub undecided: Minute,
    /// Since when the latencies of a steady traffic are missing, up to the end.
    pub silent: Option<Silence>,
    /// Minutes of which figures are missing although later ones are there, or other
    /// figures of the same: how many requests were answered in each, as far as one can
    /// tell.
    pub awaited: Vec<(Minute, f64)>,
    /// Whether the answers by their status codes would tell more.
    pub asks_for_answers: bool,
}

/// A steady traffic whose latencies are missing.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Silence {
    /// The first minute without.
    pub since: Minute,
    /// Requests a minute before it.
    pub level: f64,
}

/// Minutes without a latency sample, from the first to before the last.
struct Run {
    from: Minute,
    end: Minute,
    /// Requests a minute before it, where they were steady.
    level: Option<f64>,
}

/// What is missing of a minute without samples.
enum Owed {
    /// Nothing: no request was answered.
    Nothing,
    /// All of it.
    All,
    /// The latencies of this many requests.
    Latencies(f64),
    /// It is not known whether any request was answered, but this many may have been.
    Unsure(f64),
}

impl Snapshot {
    /// What is known of its minutes. `before` is the silence that went on at its
    /// beginning.
    #[must_use]
    pub fn arrivals(&self, before: Option<Silence>) -> Arrivals {
        let mut arrivals = Arrivals {
            undecided: self.end(),
            silent: None,
            awaited: Vec::new(),
            asks_for_answers: false,
        };
        if self.last_active().is_none() {
            // There was no request in all of it: an idle gateway is judged as it is.
            return arrivals;
        }
        let runs = self.runs(before);
        for run in &runs {
            self.look_at(run, &mut arrivals);
        }
        arrivals
    }

    fn look_at(&self, run: &Run, arrivals: &mut Arrivals) {
        let explained = self.is_explained(run);
        let (mut undecided, mut is_owed, mut unsure) = (None, false, false);
        for minute in (run.from.0..run.end.0).map(Minute) {
            let owed = if explained { Owed::Nothing } else { self.owed(run, minute) };
            unsure = matches!(owed, Owed::Unsure(_));
            let is_open = unsure || self.is_empty(minute);
            undecided = undecided.filter(|_| is_open).or(is_open.then_some(minute));
            is_owed = !matches!(owed, Owed::Nothing);
            arrivals.awaited.extend(owed.answered().map(|answered| (minute, answered)));
        }
        if run.end == self.end() {
            let silence = |level| Silence { since: run.from, level };
            arrivals.undecided = undecided.unwrap_or(self.end());
            arrivals.silent = run.level.filter(|_| is_owed).map(silence);
            arrivals.asks_for_answers = unsure;
        }
    }

    /// The stretches without samples, oldest first.
    fn runs(&self, before: Option<Silence>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut level = before.map(|silence| silence.level);
        for minute in self.minutes().filter(|minute| !self.has_samples(*minute)) {
            let active_since = runs.last().map_or(self.first(), |run| run.end);
            if let Some(run) = runs.last_mut().filter(|run| run.end == minute) {
                run.end = minute.plus(1);
            } else {
                level = self.level(active_since, minute, level);
                runs.push(Run { from: minute, end: minute.plus(1), level });
            }
        }
        runs
    }

    fn has_samples(&self, minute: Minute) -> bool {
        self.value(Signal::Samples, minute).is_some_and(|samples| samples > 0.0)
    }

    /// Requests a minute in the active minutes from `from` to before `end`, where they
    /// were steady. The last of them may be known only in part. Where they are too few
    /// to tell, they go on as what was before, if they are as many.
    fn level(&self, from: Minute, end: Minute, before: Option<f64>) -> Option<f64> {
        let samples = |minute: i64| self.value(Signal::Samples, Minute(minute)).unwrap_or(0.0);
        let steady = |last: i64| {
            let first = last + 1 - STEADY_MINUTES;
            let all = first >= from.0 && (first..=last).all(|m| samples(m) >= STEADY_REQUESTS);
            #[allow(clippy::cast_precision_loss)] // 5
            all.then(|| (first..=last).map(samples).sum::<f64>() / STEADY_MINUTES as f64)
        };
        let goes_on = || {
            let active = end.since(from);
            let whole = if active > 1 { end.0 - 1 } else { end.0 };
            let as_many = || (from.0..whole).all(|m| samples(m) >= STEADY_REQUESTS);
            before.filter(|_| active <= STEADY_MINUTES && as_many())
        };
        steady(end.0 - 1).or_else(|| steady(end.0 - 2)).or_else(goes_on)
    }

    /// Whether the 504s of a minute are about as many as the requests that came in it.
    fn is_explained(&self, run: &Run) -> bool {
        (run.from.0..run.end.0).map(Minute).any(|minute| {
            let failed = self.failed(minute);
            failed > 0.0 && failed >= EXPLAINED * self.came(run, minute).unwrap_or(f64::INFINITY)
        })
    }

    /// Requests that ended in 504, or will: failed connections do after ten seconds.
    fn failed(&self, minute: Minute) -> f64 {
        let value = |signal| self.value(signal, minute).unwrap_or(0.0);
        value(Signal::Timeouts).max(value(Signal::ConnectionErrors) + value(Signal::TlsErrors))
    }

    /// Requests that came in a minute: as CloudWatch counted them, unless that count is
    /// late itself, or as before.
    fn came(&self, run: &Run, minute: Minute) -> Option<f64> {
        let failed = self.failed(minute);
        let counted = self.value(Signal::RequestCount, minute);
        counted.filter(|came| *came > 0.0 && *came >= EXPLAINED * failed).or(run.level)
    }

    fn owed(&self, run: &Run, minute: Minute) -> Owed {
        let Some(level) = run.level else { return Owed::Nothing };
        if self.is_empty(minute) {
            return Owed::All;
        }
        let came = self.came(run, minute).unwrap_or(level);
        let left = (came - self.failed(minute)).max(0.0);
        let count_is_late = self.value(Signal::RequestCount, minute).is_some_and(|n| n <= 0.0);
        match self.value(Signal::Answers, minute) {
            Some(answers) if answers > 0.0 => Owed::Latencies(answers),
            Some(_) if count_is_late => Owed::Latencies(left),
            Some(_) => Owed::Nothing,
            None => Owed::Unsure(left),
        }
    }
}

impl Owed {
    /// How many requests were answered, as far as one can tell, where something is owed.
    fn answered(&self) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::All => Some(0.0),
            Self::Latencies(answered) | Self::Unsure(answered) => Some(*answered),
        }
    }
}
