//! What time it is: everything goes by AWS's clock where this machine's differs.

use super::Daemon;
use nearmiss_core::notification::Component;

/// A clock that is wrong by no more than this many seconds does no harm: minutes
/// are read only after they have settled.
const CLOCK_TOLERANCE: i64 = 30;

impl Daemon {
    /// What time it is at AWS, as far as that is known, when it is `local` here: where the
    /// two differ, AWS's time counts. Seconds since the Unix epoch.
    pub(super) fn aws_time(&self, local: i64) -> i64 {
        local.saturating_sub(clock_error(self.poller.clock_skew()))
    }

    /// Reports what is wrong with the clocks.
    pub(super) fn note_clock(&mut self, now: i64) {
        let skew = self.poller.clock_skew();
        self.publisher.exporter.clock_skew.set(skew.unwrap_or(0));
        let said = clock_troubles(&self.poller.clock_skews());
        self.trouble(Component::Clock, said, now);
    }
}

/// Seconds that this machine's clock is ahead of AWS's, going by the accounts: what most of
/// them say, and of two the one that differs less.
pub(super) fn agreed(mut skews: Vec<i64>) -> Option<i64> {
    skews.sort_unstable();
    let middle = skews.len().checked_sub(1)? / 2;
    let (low, high) = (skews[middle], skews[skews.len() / 2]);
    Some(if low.abs() <= high.abs() { low } else { high })
}

/// The difference that matters, of the one that was agreed upon, seconds.
pub(super) fn clock_error(skew: Option<i64>) -> i64 {
    skew.filter(|skew| skew.saturating_abs() > CLOCK_TOLERANCE).unwrap_or(0)
}

/// What is wrong with the clocks, one line each.
pub(super) fn clock_troubles(skews: &[(&str, i64)]) -> Vec<String> {
    let agreed = agreed(skews.iter().map(|(_, skew)| *skew).collect()).unwrap_or(0);
    let which = |skew: i64| if skew > 0 { "ahead of" } else { "behind" };
    let mut said = Vec::new();
    if clock_error(Some(agreed)) != 0 {
        said.push(format!(
            "this machine's clock is {} s {} AWS's, going by the Date header of its answers: nearmiss goes by AWS's clock. Set this one right (see chronyc tracking, timedatectl)",
            agreed.saturating_abs(),
            which(agreed)
        ));
    }
    let others = skews.iter().filter(|(_, skew)| clock_error(Some(skew - agreed)) != 0);
    said.extend(others.map(|(region, skew)| {
        let off = agreed - skew;
        format!(
            "the Date header of AWS's answers in {region} is {} s {} that of the others and is not believed: does a proxy answer in the place of AWS there?",
            off.saturating_abs(),
            which(off)
        )
    }));
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_accounts_say_what_time_it_is_and_of_two_the_one_that_doubts_less() {
        for (skews, expected) in [
            (vec![], None),
            (vec![7200], Some(7200)),
            (vec![0, 7200], Some(0)),
            (vec![-7200, 3], Some(3)),
            (vec![7200, 7190, 0], Some(7190)),
            (vec![0, -90_000, 1, 90_000], Some(0)),
        ] {
            assert_eq!(agreed(skews.clone()), expected, "{skews:?}");
        }
        assert_eq!(clock_error(Some(-30)), 0);
        assert_eq!(clock_error(Some(-31)), -31);
        assert_eq!(clock_error(None), 0);
    }

    #[test]
    fn a_wrong_clock_and_an_account_that_disagrees_are_both_said() {
        let said = |skews: &[i64]| {
            let skews: Vec<_> = skews.iter().map(|skew| ("eu-west-1", *skew)).collect();
            clock_troubles(&skews)
        };
        assert!(said(&[]).is_empty() && said(&[0, 20, -20]).is_empty());
        let ahead = said(&[7200, 7201]);
        assert!(ahead.len() == 1 && ahead[0].contains("7200 s ahead of AWS's"), "{ahead:?}");
        let other = said(&[0, 0, 7200]);
        assert!(other.len() == 1 && other[0].contains("7200 s behind that of"), "{other:?}");
    }
}
