//! What CloudWatch will charge: predicted from the same tables that the queries
//! are made of.

use std::fmt;

use serde::Serialize;

use crate::analysis::gateway::Kind;
use crate::analysis::tier::Tier;
use crate::config::Poll;

/// AWS bills by the month; here it has thirty days.
const MINUTES_PER_MONTH: u64 = 30 * 24 * 60;

/// What a number of gateways costs in a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// How many gateways.
    pub gateways: u64,
    /// Dollars per 1,000 metrics requested.
    pub price_per_1000: f64,
    /// One gateway, all month calm.
    pub calm: Month,
    /// One gateway, all month stirring.
    pub stirring: Month,
    /// All gateways, if so many percent of the time something stirs.
    pub total: Vec<Share>,
}

/// One gateway in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// Requests that it is part of.
    pub polls: u64,
    /// Metrics that are billed for each.
    pub metrics_per_poll: u64,
    /// What they cost.
    pub dollars: f64,
}

/// All gateways in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The share of the time in which a gateway stirs, on average.
    pub stirring: f64,
    /// What all cost.
    pub dollars: f64,
}

/// What one gateway costs in a month of one tier.
#[must_use]
pub fn per_month(poll: &Poll, kind: Kind, tier: Tier, price_per_1000: f64) -> Month {
    let every = match tier {
        Tier::Calm => poll.calm_every.minutes(),
        Tier::Stirring => 1,
    };
    let by_tier = MINUTES_PER_MONTH / u64::try_from(every).unwrap_or(1).max(1);
    let polls = by_tier.min(poll.schedule.ticks_per_day() * 30);
    let metrics_per_poll = kind.billed_metrics(tier);
    #[allow(clippy::cast_precision_loss)] // a month has few polls
    let dollars = (polls * metrics_per_poll) as f64 * price_per_1000 / 1000.0;
    Month { polls, metrics_per_poll, dollars }
}

/// What so many gateways cost.
#[must_use]
pub fn predict(poll: &Poll, kind: Kind, gateways: u64, price_per_1000: f64) -> Prediction {
    let of = |tier| per_month(poll, kind, tier, price_per_1000);
    let (calm, stirring) = (of(Tier::Calm), of(Tier::Stirring));
    #[allow(clippy::cast_precision_loss)] // for people
    let all = gateways as f64;
    let share = |share: f64| Share {
        stirring: share,
        dollars: all * (calm.dollars * (1.0 - share) + stirring.dollars * share),
    };
    let total = [0.0, 0.05, 0.2, 1.0].map(share).to_vec();
    Prediction { gateways, price_per_1000, calm, stirring, total }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "CloudWatch GetMetricData, 30 days, ${} per 1,000 metrics:",
            self.price_per_1000
        )?;
        for (name, month) in [("calm", self.calm), ("stirring", self.stirring)] {
            let Month { polls, metrics_per_poll, dollars } = month;
            writeln!(
                f,
                "  one gateway, {name:<8}  {polls:>6} requests x {metrics_per_poll} metrics  ${dollars:.2}"
            )?;
        }
        writeln!(f, "{} gateways, when something stirs in", self.gateways)?;
        for Share { stirring, dollars } in &self.total {
            writeln!(f, "  {:>3.0} % of the time           ${dollars:.2}", stirring * 100.0)?;
        }
        write!(f, "nearmiss_billed_metrics_requested_total counts what is really requested.")
    }
}
