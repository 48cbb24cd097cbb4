//! Points that come late: what is held back, for how long, and how it comes in then.
//!
//! When a point appears is a pure function of its minute, so that nothing that was
//! there is ever gone again. A fault of this kind concerns everything, or some
//! metrics, or one load balancer.

use crate::catalog::NAMESPACES;
use crate::rng::hash;
use crate::timeline::Span;

/// Seconds in a minute; times here are seconds after the scenario's start.
const MINUTE: i64 = 60;
/// Minutes after the end of an outage at which its points appear.
const CAUGHT_UP: i64 = 10;
/// The longest wait, minutes.
const LONGEST: i64 = 1_000_000;

/// How points that were held back come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fill {
    /// All at once.
    #[default]
    Once,
    /// Each this long after its own minute; punctual ones overtake those.
    Each,
    /// One a minute, the oldest first.
    Oldest,
    /// One a minute, the newest first.
    Newest,
    /// One a minute, in an order the span decides.
    Shuffled,
}

impl Fill {
    const WORDS: [(&'static str, Self); 5] = [
        ("once", Self::Once),
        ("each", Self::Each),
        ("oldest", Self::Oldest),
        ("newest", Self::Newest),
        ("shuffled", Self::Shuffled),
    ];

    /// The turn of the point `at` of `count`, oldest first.
    fn turn(self, at: i64, count: i64) -> i64 {
        match self {
            Self::Once | Self::Each => 0,
            Self::Oldest => at,
            Self::Newest => count - 1 - at,
            Self::Shuffled => shuffled(at, count),
        }
    }
}

/// A permutation of `0..count`.
fn shuffled(at: i64, count: i64) -> i64 {
    let prime = |step: &i64| {
        let (mut a, mut b) = (*step, count);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let step = (count * 618 / 1_000..=count).find(prime).unwrap_or(1);
    let first = (hash(&[count as u64, 108]) % count.max(1) as u64) as i64;
    (first + at * step).rem_euclid(count.max(1))
}

/// What a fault concerns: everything unless stated otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// Names of metrics; none means all.
    pub metrics: Vec<&'static str>,
    /// Name of the only load balancer.
    pub load_balancer: Option<String>,
}

/// A metric of a load balancer, by their names, or of something else.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) metric: &'a str,
    pub(crate) balancer: Option<&'a str>,
}

impl Whose {
    /// Whether this is concerned.
    pub(crate) fn holds(&self, subject: Subject) -> bool {
        let metric = self.metrics.is_empty() || self.metrics.contains(&subject.metric);
        metric && self.load_balancer.as_deref().is_none_or(|name| subject.balancer == Some(name))
    }

    /// Takes the name of a metric, or `lb=NAME`; nothing if it is neither.
    fn take(&mut self, word: &str) -> Option<()> {
        if let Some(name) = word.strip_prefix("lb=").filter(|name| !name.is_empty()) {
            self.load_balancer = Some(name.to_owned());
            return Some(());
        }
        let mut all = NAMESPACES.into_iter().flat_map(|space| space.metrics);
        self.metrics.push(all.find(|metric| metric.name == word)?.name);
        Some(())
    }

    /// Reads further words behind the numbers.
    fn read<'a>(words: impl Iterator<Item = &'a str>) -> Option<(Fill, Self)> {
        let (mut fill, mut whose) = (Fill::default(), Self::default());
        for word in words {
            match Fill::WORDS.iter().find(|known| known.0 == word) {
                Some(known) => fill = known.1,
                None => whose.take(word)?,
            }
        }
        Some((fill, whose))
    }
}

/// An outage of the publication: minutes that have no points for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The minutes without points.
    pub span: Span,
    /// Minutes after the end of the span at which the points begin to appear.
    pub wait: i64,
    /// How they come in.
    pub fill: Fill,
    /// What is missing.
    pub whose: Whose,
}

impl Gap {
    /// Reads `FROM-TO[:MINUTES]`, and behind that how they come in and whose they are.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(':').peekable();
        let span = Span::read(words.next()?)?;
        let wait = words.next_if(|word| word.parse::<i64>().is_ok());
        let wait = wait.map_or(CAUGHT_UP, |word| word.parse().unwrap_or(-1));
        let (fill, whose) = Whose::read(words)?;
        (0..=LONGEST).contains(&wait).then_some(Self { span, wait, fill, whose })
    }

    /// When the points of one of its minutes appear.
    fn appears(&self, minute: i64) -> i64 {
        let Self { span, wait, fill, .. } = self;
        if *fill == Fill::Each {
            return (minute + 1 + wait) * MINUTE;
        }
        let turn = fill.turn(minute - span.from, span.to - span.from + 1);
        (span.to + 1 + wait + turn) * MINUTE
    }
}

/// A publication that is late while it lasts; at its end the rest comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// When it is late, by AWS's now.
    pub span: Span,
    /// By how many minutes.
    pub minutes: i64,
    /// How what is still missing comes in afterwards.
    pub fill: Fill,
    /// What is late.
    pub whose: Whose,
}

impl Lag {
    /// Reads `FROM-TO:MINUTES`, and behind that how they come in and whose they are.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        let span = Span::read(words.next()?)?;
        let minutes = words.next()?.parse().ok()?;
        let (fill, whose) = Whose::read(words)?;
        (1..=LONGEST).contains(&minutes).then_some(Self { span, minutes, fill, whose })
    }

    /// When a point appears that would do so at `punctual`.
    fn appears(&self, punctual: i64) -> i64 {
        let late = punctual + self.minutes * MINUTE;
        let (begin, end) = (self.span.from * MINUTE, (self.span.to + 1) * MINUTE);
        if !(begin..end).contains(&punctual) {
            return punctual;
        }
        if late < end || self.fill == Fill::Each {
            return late;
        }
        let oldest = begin.max(end - self.minutes * MINUTE);
        let count = (end - oldest) / MINUTE;
        end + self.fill.turn((punctual - oldest) / MINUTE, count) * MINUTE
    }
}

/// A publication that is always late by the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// Seconds after the end of a minute.
    pub seconds: i64,
    /// What is late.
    pub whose: Whose,
}

impl Delay {
    /// Reads `SECONDS`, and behind that whose they are; a year at most.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        let seconds = words.next()?.parse().ok()?;
        let (fill, whose) = Whose::read(words)?;
        let fits = (0..=366 * 86_400).contains(&seconds) && fill == Fill::Once;
        fits.then_some(Self { seconds, whose })
    }
}

/// Minutes that are published in part at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partly {
    /// The minutes.
    pub span: Span,
    /// Seconds after the end of each at which it is complete.
    pub seconds: i64,
    /// What is published in part.
    pub whose: Whose,
}

impl Partly {
    /// Reads `FROM-TO:SECONDS`, and behind that whose they are.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (span, rest) = text.split_once(':')?;
        let Delay { seconds, whose } = Delay::read(rest)?;
        Some(Self { span: Span::read(span)?, seconds, whose })
    }

    /// Whether a minute of this age (seconds since its end) is incomplete.
    pub(crate) fn holds(&self, minute: i64, age: i64, subject: Subject) -> bool {
        self.span.holds(minute) && age < self.seconds && self.whose.holds(subject)
    }
}

/// Everything that makes points late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Late {
    /// Outages.
    pub gaps: Vec<Gap>,
    /// Times of a late publication.
    pub lags: Vec<Lag>,
    /// What is always late; the last one that fits counts.
    pub delays: Vec<Delay>,
    /// Minutes that are incomplete at first.
    pub partly: Vec<Partly>,
}

impl Late {
    /// When the points of a minute appear; `least` seconds after its end unless stated
    /// otherwise, or long ago.
    pub(crate) fn appears(&self, minute: i64, least: Option<i64>, subject: Subject) -> i64 {
        let own = self.delays.iter().rev().find(|one| one.whose.holds(subject));
        let least = own.map(|one| one.seconds).or(least);
        let end = (minute + 1) * MINUTE;
        let punctual = end + least.unwrap_or(0);
        let lags = self.lags.iter().filter(|one| one.whose.holds(subject));
        let lags = lags.map(|one| one.appears(punctual)).filter(|at| *at > punctual);
        let gaps = self.gaps.iter().filter(|one| one.span.holds(minute));
        let gaps = gaps.filter(|one| one.whose.holds(subject)).map(|one| one.appears(minute));
        let held = lags.chain(gaps).max();
        held.unwrap_or(i64::MIN).max(least.map_or(i64::MIN, |_| punctual))
    }

    /// The load balancers named.
    pub(crate) fn balancers(&self) -> impl Iterator<Item = &String> {
        let whose = self.gaps.iter().map(|one| &one.whose);
        let whose = whose.chain(self.lags.iter().map(|one| &one.whose));
        let whose = whose.chain(self.delays.iter().map(|one| &one.whose));
        let whose = whose.chain(self.partly.iter().map(|one| &one.whose));
        whose.filter_map(|whose| whose.load_balancer.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Subject = Subject { metric: "TargetResponseTime", balancer: Some("web") };
    const TIMEOUTS: Subject = Subject { metric: "HTTPCode_ELB_504_Count", balancer: Some("web") };

    fn gap(text: &str) -> Late {
        let gaps = vec![Gap::read(text).unwrap_or_else(|| panic!("{text}"))];
        Late { gaps, ..Late::default() }
    }

    fn lag(text: &str) -> Late {
        let lags = vec![Lag::read(text).unwrap_or_else(|| panic!("{text}"))];
        Late { lags, ..Late::default() }
    }

    /// Minutes after its end at which each minute appears, a minute's delay being usual.
    fn ages(late: &Late, minutes: std::ops::Range<i64>) -> Vec<i64> {
        minutes.map(|at| late.appears(at, Some(60), LATENCY) / 60 - at - 1).collect()
    }

    #[test]
    fn an_outage_is_filled_at_once_or_one_a_minute_in_any_order() {
        // Minutes 20 to 23, and one on either side.
        assert_eq!(ages(&gap("20-23:2"), 19..25), [1, 5, 4, 3, 2, 1]);
        assert_eq!(ages(&gap("20-23:2:each"), 19..25), [1, 2, 2, 2, 2, 1]);
        assert_eq!(ages(&gap("20-23:2:oldest"), 19..25), [1, 5, 5, 5, 5, 1]);
        assert_eq!(ages(&gap("20-23:2:newest"), 19..25), [1, 8, 6, 4, 2, 1]);
        let mixed = gap("20-49:0:shuffled");
        let mut at: Vec<i64> = (20..50).map(|at| mixed.appears(at, None, LATENCY) / 60).collect();
        assert!(!at.is_sorted() && !at.iter().rev().is_sorted(), "{at:?}");
        at.sort_unstable();
        assert_eq!(at, (50..80).collect::<Vec<_>>(), "each has a turn of its own");
    }

    #[test]
    fn a_lag_holds_back_while_it_lasts_and_then_lets_the_rest_in() {
        for minutes in [5, 10, 20, 30, 40, 180] {
            let once = lag(&format!("100-159:{minutes}"));
            for minute in 0..300 {
                let (punctual, at) = ((minute + 2) * 60, once.appears(minute, Some(60), LATENCY));
                let want = match punctual / 60 {
                    100..160 => (punctual + minutes * 60).min(160 * 60),
                    _ => punctual,
                };
                assert_eq!(at, want, "{minutes}, {minute}");
            }
        }
        assert_eq!(ages(&lag("10-13:2:each"), 7..13), [1, 3, 3, 3, 3, 1]);
        assert_eq!(ages(&lag("10-13:9:oldest"), 7..13), [1, 5, 5, 5, 5, 1]);
        assert_eq!(ages(&lag("10-13:9:newest"), 7..13), [1, 8, 6, 4, 2, 1]);
        assert_eq!(ages(&lag("10-13:2:newest"), 7..13), [1, 3, 3, 4, 2, 1]);
    }

    #[test]
    fn one_metric_or_one_load_balancer_may_be_late_alone() {
        let late = gap("5-6:TargetResponseTime:RequestCount");
        assert!(late.appears(5, None, LATENCY) > 0);
        assert_eq!(late.appears(5, None, TIMEOUTS), i64::MIN);
        let other = Subject { balancer: Some("api"), ..LATENCY };
        let late = lag("5-60:20:each:lb=web");
        assert_eq!(late.appears(8, Some(0), LATENCY), (9 + 20) * 60);
        assert_eq!(late.appears(8, Some(0), other), 9 * 60);
        let delays = ["60", "1200:TargetResponseTime"].map(|text| Delay::read(text).expect(text));
        let late = Late { delays: delays.into(), ..Late::default() };
        assert_eq!(late.appears(0, None, TIMEOUTS), 60 + 60);
        assert_eq!(late.appears(0, None, LATENCY), 60 + 1_200);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["5", "5-6:x", "5-6:-1", "5-6:3:4", "5-6:3:twice", "5-6:lb=", "5-6:Latencies"] {
            assert_eq!(Gap::read(text), None, "{text}");
        }
        for text in ["5-6", "5-6:0", "5-6:3:x", "6-5:3", "5-6:once"] {
            assert_eq!(Lag::read(text), None, "{text}");
        }
        for text in ["", "-1", "60:each", "60:61", "99999999999"] {
            assert_eq!(Delay::read(text), None, "{text}");
        }
        assert!(Partly::read("5-6:90:HTTPCode_ELB_504_Count").is_some());
        assert!(Partly::read("5-6").is_none() && Partly::read("90").is_none());
    }
}
