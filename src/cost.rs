//! What CloudWatch will charge: predicted from the same tables that the queries are made
//! from.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::config::Poll;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Kind};

/// AWS bills by the month; here a month has thirty days.
const MINUTES_PER_MONTH: u64 = 30 * 24 * 60;
/// What CloudWatch charges for 1,000 metrics requested, dollars, in most Regions.
pub const PRICE_PER_1000: f64 = 0.01;

/// What all gateways cost in a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Dollars per 1,000 metrics requested.
    pub price_per_1000: f64,
    /// Gateways that are read alike.
    pub fleets: Vec<Fleet>,
    /// All gateways, by the share of the time in which they are polled fast.
    pub total: Vec<Share>,
}

/// Gateways of one kind and detail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fleet {
    /// How many.
    pub gateways: u64,
    /// Whether they have a histogram.
    pub histogram: bool,
    /// One of them, polled slowly all month.
    pub calm: Month,
    /// One of them, polled fast all month.
    pub stirring: Month,
}

/// One gateway in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// Requests that it is part of.
    pub polls: u64,
    /// Metrics that are billed for each.
    pub metrics_per_poll: u64,
    /// Metrics that are billed for its history, quarter-hour by quarter-hour.
    pub history_metrics: u64,
    /// What they cost.
    pub dollars: f64,
}

/// All gateways in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The share of the time in which a gateway is polled fast, on average.
    pub stirring: f64,
    /// What all cost.
    pub dollars: f64,
}

/// What one gateway costs in a month at one poll rate.
#[must_use]
pub fn per_month(
    poll: &Poll,
    (kind, detail): (Kind, Detail),
    rate: PollRate,
    price_per_1000: f64,
) -> Month {
    let every = match rate {
        PollRate::Slow => poll.calm_every.minutes(),
        PollRate::Fast => 1,
    };
    let by_rate = MINUTES_PER_MONTH / u64::try_from(every).unwrap_or(1).max(1);
    let polls = by_rate.min(poll.schedule.ticks_per_day() * 30);
    let metrics_per_poll = kind.spec().billed_metrics(rate, detail);
    let quarter_hours = match rate {
        PollRate::Slow => u64::try_from(PollRate::SLOW_QUARTER_HOURS).unwrap_or(1),
        PollRate::Fast => 1,
    };
    let reads = (MINUTES_PER_MONTH / 15 / quarter_hours).min(polls);
    let history_metrics = reads * kind.spec().billed_quarter_hour_metrics(rate, detail);
    #[allow(clippy::cast_precision_loss)] // a month has few polls
    let dollars = (polls * metrics_per_poll + history_metrics) as f64 * price_per_1000 / 1000.0;
    Month { polls, metrics_per_poll, history_metrics, dollars }
}

/// What these gateways cost.
#[must_use]
pub fn predict(
    poll: &Poll,
    gateways: &BTreeMap<(Kind, Detail), u64>,
    price_per_1000: f64,
) -> Prediction {
    let fleet = |(&which, &gateways): (&(Kind, Detail), &u64)| {
        let of = |rate| per_month(poll, which, rate, price_per_1000);
        let histogram = which.1 == Detail::Histogram;
        Fleet { gateways, histogram, calm: of(PollRate::Slow), stirring: of(PollRate::Fast) }
    };
    let fleets: Vec<Fleet> = gateways.iter().map(fleet).collect();
    let total = [0.0, 0.05, 0.2, 1.0]
        .map(|stirring| Share {
            stirring,
            dollars: fleets.iter().map(|f| f.dollars(stirring)).sum(),
        })
        .to_vec();
    Prediction { price_per_1000, fleets, total }
}

impl Fleet {
    /// What all cost when they are polled fast for this share of the time.
    fn dollars(&self, stirring: f64) -> f64 {
        #[allow(clippy::cast_precision_loss)] // for people
        let gateways = self.gateways as f64;
        gateways * (self.calm.dollars * (1.0 - stirring) + self.stirring.dollars * stirring)
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { price_per_1000, fleets, total } = self;
        writeln!(f, "CloudWatch GetMetricData, 30 days, ${price_per_1000} per 1,000 metrics:")?;
        for Fleet { gateways, histogram, calm, stirring } in fleets {
            let with = if *histogram { " with a histogram" } else { "" };
            writeln!(f, "{gateways} gateways{with}; one of them,")?;
            for (name, month) in [("calm", calm), ("stirring", stirring)] {
                let Month { polls, metrics_per_poll, history_metrics, dollars } = month;
                writeln!(
                    f,
                    "  {name:<8}  {polls:>6} requests x {metrics_per_poll} metrics, history {history_metrics:>6}  ${dollars:.2}"
                )?;
            }
        }
        writeln!(f, "All of them, when something stirs in")?;
        for Share { stirring, dollars } in total {
            writeln!(f, "  {:>3.0} % of the time           ${dollars:.2}", stirring * 100.0)?;
        }
        write!(f, "nearmiss_billed_metrics_requested_total counts what is really requested.")
    }
}
