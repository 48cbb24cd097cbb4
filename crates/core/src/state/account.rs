//! Whether CloudWatch is late, or the traffic of one gateway has ended: the others of
//! its account know.

use crate::gateway::Gateway;
use crate::state::GatewayState;
use crate::time::Minute;

/// A gateway whose newest data is no older than this has data.
const FRESH_MINUTES: i64 = 15;
/// This many gateways do not lose their traffic together, where they are a tenth of those
/// that have any.
const MANY: usize = 10;
/// At most this many are named.
const NAMED: usize = 5;

/// CloudWatch has no data of most gateways of an account that had traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lateness {
    /// Since when, of the first of them.
    since: Minute,
    /// The names of some.
    names: Vec<String>,
}

/// Gateways of an account with steady traffic: those whose data is missing, and those
/// that have some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Without data.
    pub silent: usize,
    /// With data.
    pub fresh: usize,
}

impl Tally {
    /// Counts gateways at a poll of the minutes before `end`.
    #[must_use]
    pub fn of<'a>(
        gateways: impl Iterator<Item = (&'a Gateway, &'a GatewayState)>,
        end: Minute,
    ) -> Self {
        gateways.fold(Self::default(), |Self { silent, fresh }, (gateway, state)| {
            let end = end.plus(-gateway.extra_delay());
            let is_silent = state.silent_since().is_some();
            let has_data = state.newest_data.is_some_and(|data| end.since(data) <= FRESH_MINUTES);
            Self {
                silent: silent + usize::from(is_silent),
                fresh: fresh + usize::from(has_data && !is_silent),
            }
        })
    }

    /// Whether it is CloudWatch that is late: one gateway that falls silent beside
    /// others was shut down, or its traffic moved.
    #[must_use]
    pub fn is_late(self) -> bool {
        let Self { silent, fresh } = self;
        silent > 0 && (silent >= fresh || silent >= MANY && silent * MANY >= fresh)
    }

    /// Whether nothing is known of any gateway that has traffic.
    #[must_use]
    pub fn is_blind(self) -> bool {
        self.silent > 0 && self.fresh == 0
    }
}

impl Lateness {
    /// Whether CloudWatch is late with an account, at a poll of the minutes before `end`.
    #[must_use]
    pub fn of<'a>(
        gateways: impl Iterator<Item = (&'a Gateway, &'a GatewayState)> + Clone,
        end: Minute,
    ) -> Option<Self> {
        let tally = Tally::of(gateways.clone(), end);
        if !tally.is_late() {
            return None;
        }
        let silent = |(gateway, state): (&'a Gateway, &GatewayState)| {
            Some((state.silent_since()?, gateway.id.name.clone()))
        };
        let mut silent: Vec<(Minute, String)> = gateways.filter_map(silent).collect();
        silent.sort();
        let since = silent.first().map(|(since, _)| *since)?;
        let names = silent.into_iter().map(|(_, name)| name).take(NAMED).collect();
        Some(Self { since, names })
    }

    /// What is wrong, and the way out.
    #[must_use]
    pub fn said(&self, region: &str) -> String {
        let Self { since, names } = self;
        let names = names.join(", ");
        format!(
            "CloudWatch has had no latencies of most gateways with traffic in {region} since {since}, among them {names}: it is late, or no request reaches them any more. What comes late is counted and alerted on when it comes. See the AWS Health Dashboard if requests do reach them; if they should not, there is nothing to do: after four hours they are taken for idle."
        )
    }
}
