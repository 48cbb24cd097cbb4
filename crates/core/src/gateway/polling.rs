//! At which rate a gateway is polled: what it costs, and how soon it notifies.
//!
//! CloudWatch bills each metric of each request, however many minutes it spans. A gateway
//! with nothing unusual is therefore asked for its least signals, several minutes at once;
//! one that has something unusual, for everything every minute. Nothing is missed by that:
//! the minutes are read all the same, only later.

use crate::time::Minute;

/// At which rate a gateway is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PollRate {
    /// Far from its timeout: asked every few minutes for its least signals.
    Slow,
    /// Asked every minute for all signals.
    Fast,
}

impl PollRate {
    /// Whether a gateway whose first unread minute is `unread` must be asked for the
    /// minutes up to before `end`. Those that are polled slowly take turns: `key` decides
    /// in which of the `calm_every` minutes one has its turn.
    #[must_use]
    pub fn is_due(self, calm_every: i64, key: &str, unread: Minute, end: Minute) -> bool {
        let waiting = end.since(unread);
        let its_turn = || (end.0 + Self::turn(key)).rem_euclid(calm_every.max(1)) == 0;
        waiting > 0 && (self == Self::Fast || waiting >= calm_every || its_turn())
    }

    /// A number that sets gateways apart, so that not all have their turn at once.
    #[must_use]
    pub fn turn(key: &str) -> i64 {
        key.bytes().fold(0, |sum, byte| (sum * 31 + i64::from(byte)) % 9973)
    }

    /// The quarter-hours of a gateway that is polled slowly are read once this many are
    /// over.
    pub const SLOW_QUARTER_HOURS: i64 = 4;

    /// Whether a gateway with this many unknown quarter-hours must be asked for them.
    #[must_use]
    pub fn wants_quarter_hours(self, waiting: i64) -> bool {
        waiting > 0 && (self == Self::Fast || waiting >= Self::SLOW_QUARTER_HOURS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polls(rate: PollRate, calm_every: i64, key: &str, minutes: i64) -> Vec<i64> {
        let mut unread = Minute(0);
        let mut polls = Vec::new();
        for end in 1..=minutes {
            if rate.is_due(calm_every, key, unread, Minute(end)) {
                polls.push(end - unread.0);
                unread = Minute(end);
            }
        }
        polls
    }

    #[test]
    fn a_calm_gateway_is_asked_every_five_minutes_for_five_minutes() {
        for key in ["a", "b", "eu-central-1/1/app/web/50dc6c495c0c9188"] {
            let polls = polls(PollRate::Slow, 5, key, 101);
            assert!(polls[1..].iter().all(|minutes| *minutes == 5), "{key}: {polls:?}");
            assert!((20..=21).contains(&polls.len()), "{key}: {polls:?}");
        }
    }

    #[test]
    fn a_fast_polled_gateway_is_asked_every_minute() {
        assert_eq!(polls(PollRate::Fast, 5, "a", 10), [1; 10]);
        assert_eq!(polls(PollRate::Slow, 1, "a", 10), [1; 10]);
    }

    #[test]
    fn calm_gateways_take_turns() {
        let turns = (0..1000).map(|i| polls(PollRate::Slow, 5, &format!("gateway-{i}"), 5)[0]);
        let mut gateways = [0; 6];
        turns.for_each(|turn| gateways[usize::try_from(turn).unwrap()] += 1);
        assert!(gateways[1..].iter().all(|n| *n > 150), "{gateways:?}");
    }

    #[test]
    fn a_poll_that_comes_late_asks_for_all_that_waits() {
        assert!(PollRate::Slow.is_due(5, "a", Minute(0), Minute(7)));
        assert!(!PollRate::Fast.is_due(5, "a", Minute(7), Minute(7)));
        assert!(!PollRate::Slow.is_due(5, "a", Minute(9), Minute(7)), "the clock went back");
    }
}
