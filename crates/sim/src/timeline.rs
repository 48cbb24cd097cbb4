//! What changes in the account while the scenario goes on.
//!
//! A change names a load balancer and a minute of the scenario. From the list of
//! changes follow lives (which load balancer of a name exists when) and idle
//! timeouts by minute; nothing is switched at run time, so the order of requests
//! does not matter.

use std::ops::Range;

/// Minutes of the scenario, both ends included; they may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first minute.
    pub from: i64,
    /// The last minute.
    pub to: i64,
}

impl Span {
    /// Reads `FROM-TO`, such as `20-25` or `-10--5`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let dash = text.char_indices().skip(1).find(|(_, c)| *c == '-')?.0;
        let (from, to) = (minute(&text[..dash])?, minute(&text[dash + 1..])?);
        (from <= to).then_some(Self { from, to })
    }

    /// Whether this minute of the scenario belongs to it.
    pub(crate) fn holds(self, minute: i64) -> bool {
        (self.from..=self.to).contains(&minute)
    }
}

/// One change of one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Name of the load balancer.
    pub name: String,
    /// Minute of the scenario from which on it holds.
    pub minute: i64,
    /// What changes.
    pub event: Event,
}

/// What can happen to a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The idle timeout becomes this many seconds.
    Timeout(u32),
    /// It comes into being; before, it did not exist.
    Create,
    /// It is deleted; its past metrics stay readable.
    Delete,
    /// It is deleted and at once created again under another ARN.
    Recreate,
    /// Nobody comes any more for this many minutes, or ever.
    Idle(Option<i64>),
}

impl Change {
    /// Reads `NAME:MINUTE`, for `timeout` `NAME:MINUTE:SECONDS`, and for `idle` also
    /// `NAME:MINUTE:MINUTES`.
    pub(crate) fn read(kind: &str, text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (name, from) = (parts.next()?, minute(parts.next()?)?);
        let event = match kind {
            "timeout" => {
                let seconds = parts.next()?.parse().ok();
                Event::Timeout(seconds.filter(|seconds| (1..=4_000).contains(seconds))?)
            }
            "idle" => {
                let length = parts.next().map(|text| minute(text).filter(|length| *length > 0));
                Event::Idle(length.map_or(Some(None), |length| length.map(Some))?)
            }
            "create" => Event::Create,
            "delete" => Event::Delete,
            _ => Event::Recreate,
        };
        let complete = parts.next().is_none() && !name.is_empty();
        complete.then(|| Self { name: name.to_owned(), minute: from, event })
    }
}

/// A minute of the scenario; a hundred years at most, so that sums fit.
fn minute(text: &str) -> Option<i64> {
    text.parse().ok().filter(|minute: &i64| minute.abs() <= 52_560_000)
}

/// The lives of the load balancers of one name in epoch minutes, oldest first;
/// `start` is the epoch minute of the scenario's minute 0.
pub(crate) fn lives(changes: &[Change], name: &str, start: i64) -> Vec<Range<i64>> {
    let mut events = of(changes, name);
    events.retain(|one| !matches!(one.event, Event::Timeout(_) | Event::Idle(_)));
    let created = events.first().is_some_and(|one| one.event == Event::Create);
    let mut since = (!created).then_some(i64::MIN);
    let mut lives = Vec::new();
    for one in events {
        let at = start + one.minute;
        let ended = since.filter(|_| one.event != Event::Create);
        lives.extend(ended.map(|begun| begun..at));
        since = match one.event {
            Event::Delete => None,
            Event::Create => since.or(Some(at)),
            _ => Some(at),
        };
    }
    lives.extend(since.map(|begun| begun..i64::MAX));
    lives
}

/// Idle timeouts of a name as (epoch minute from which on, seconds), in order.
pub(crate) fn timeouts(changes: &[Change], name: &str, start: i64) -> Vec<(i64, u32)> {
    let events = of(changes, name).into_iter();
    let timed = events.filter_map(|one| match one.event {
        Event::Timeout(seconds) => Some((start + one.minute, seconds)),
        _ => None,
    });
    timed.collect()
}

/// Epoch minutes in which nobody comes to the load balancers of a name.
pub(crate) fn idle(changes: &[Change], name: &str, start: i64) -> Vec<Range<i64>> {
    let events = of(changes, name).into_iter();
    let idle = events.filter_map(|one| match one.event {
        Event::Idle(length) => Some((start + one.minute, length)),
        _ => None,
    });
    idle.map(|(from, length)| from..length.map_or(i64::MAX, |length| from + length)).collect()
}

fn of<'a>(changes: &'a [Change], name: &str) -> Vec<&'a Change> {
    let mut own: Vec<&Change> = changes.iter().filter(|one| one.name == name).collect();
    own.sort_by_key(|one| one.minute);
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(texts: &[(&str, &str)]) -> Vec<Change> {
        texts.iter().map(|(kind, text)| Change::read(kind, text).expect("readable")).collect()
    }

    #[test]
    fn spans_may_lie_before_the_start() {
        assert_eq!(Span::read("20-25"), Some(Span { from: 20, to: 25 }));
        assert_eq!(Span::read("-10--5"), Some(Span { from: -10, to: -5 }));
        assert!(
            ["", "-", "5", "-5", "6-5", "a-b", "1-2-3"].iter().all(|t| Span::read(t).is_none())
        );
    }

    #[test]
    fn changes_are_read_with_exactly_their_parts() {
        let change = Change { name: "a".to_owned(), minute: -3, event: Event::Timeout(90) };
        assert_eq!(Change::read("timeout", "a:-3:90"), Some(change));
        assert!(Change::read("timeout", "a:3").is_none());
        assert!(Change::read("timeout", "a:3:0").is_none());
        assert!(Change::read("delete", "a:3:4").is_none());
        assert!(Change::read("idle", "a:3:0").is_none() && Change::read("idle", "a").is_none());
        assert!(Change::read("create", ":3").is_none());
    }

    #[test]
    fn lives_follow_from_the_changes_in_any_order() {
        let two = changes(&[("delete", "a:30"), ("create", "a:10"), ("delete", "b:1")]);
        let ends = |name| match &lives(&two, name, 100)[..] {
            [life] => Some((life.start, life.end)),
            _ => None,
        };
        assert_eq!(ends("a"), Some((110, 130)));
        assert_eq!(ends("b"), Some((i64::MIN, 101)));
        assert_eq!(ends("c"), Some((i64::MIN, i64::MAX)));
        let again = changes(&[("recreate", "a:5"), ("delete", "a:7"), ("create", "a:9")]);
        assert_eq!(lives(&again, "a", 0), [i64::MIN..5, 5..7, 9..i64::MAX]);
    }

    #[test]
    fn nobody_comes_for_a_while_or_ever() {
        let list = changes(&[("idle", "a:9:30"), ("idle", "a:50"), ("idle", "b:1")]);
        assert_eq!(idle(&list, "a", 100), [109..139, 150..i64::MAX]);
        let ends: Vec<i64> = lives(&list, "a", 100).into_iter().map(|life| life.end).collect();
        assert_eq!(ends, [i64::MAX], "it lives on");
        assert!(idle(&list, "c", 100).is_empty());
    }

    #[test]
    fn timeouts_are_in_order_of_their_minutes() {
        let list = changes(&[("timeout", "a:9:30"), ("timeout", "a:2:90"), ("create", "a:1")]);
        assert_eq!(timeouts(&list, "a", 100), [(102, 90), (109, 30)]);
    }
}
