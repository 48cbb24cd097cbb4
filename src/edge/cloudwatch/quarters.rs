//! Quarters of an hour of gateways: what CloudWatch computes over all requests
//! of fifteen minutes, as far back as a fortnight and more.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, CloudWatch, Points, Query, Usage, Wanted};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::series::history::{QuarterHour, QuarterHourStats};
use nearmiss_core::time::Minute;

/// Seconds in a quarter of an hour.
const PERIOD: i64 = 900;

/// Which quarters of which gateway: from this one on.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The first quarter that is needed.
    pub from: QuarterHour,
    /// Which of its signals.
    pub tier: PollRate,
}

/// Quarters, oldest first, without a hole.
pub type Quarters = Vec<(QuarterHour, QuarterHourStats)>;

impl CloudWatch {
    /// The quarters of each gateway up to before `end`, in the order of the
    /// stretches; what could not be read within `deadline` says why.
    pub async fn quarters(
        &self,
        stretches: &[Stretch],
        end: QuarterHour,
        deadline: Duration,
    ) -> (Vec<Answer<Quarters>>, Usage) {
        let wanted: Vec<Wanted> = stretches.iter().map(Stretch::wanted).collect();
        let until = end.start().start();
        let (answers, usage) = self.read(&wanted, PERIOD, until, deadline).await;
        let quarters =
            |(stretch, points): (&Stretch, Answer<_>)| Ok(stretch.quarters(end, points?));
        (stretches.iter().zip(answers).map(quarters).collect(), usage)
    }
}

impl Stretch {
    fn wanted(&self) -> Wanted {
        let rows = self.gateway.kind.quarter_rows(self.tier);
        let queries = rows.map(|row| Query::of(row.metric, row.stat.spelled_for(&self.gateway)));
        Wanted::of(&self.gateway, self.from.start().start(), queries.collect())
    }

    fn quarters(&self, end: QuarterHour, points: Vec<Points>) -> Quarters {
        let rows = || self.gateway.kind.quarter_rows(self.tier);
        let mut quiet = QuarterHourStats {
            timeout: self.gateway.timeout.seconds,
            ..QuarterHourStats::default()
        };
        rows().for_each(|row| set(&mut quiet, row.signal, 0.0));
        let mut quarters: Quarters =
            (self.from.0..end.0).map(|q| (QuarterHour(q), quiet)).collect();
        for (row, points) in rows().zip(points) {
            for (at, value) in points.into_iter().filter(|(_, v)| v.is_finite() && *v >= 0.0) {
                let quarter = QuarterHour::containing(Minute::containing(at));
                let index = usize::try_from(quarter.0 - self.from.0).ok();
                if let Some((_, summary)) = index.and_then(|index| quarters.get_mut(index)) {
                    set(summary, row.signal, value);
                }
            }
        }
        quarters
    }
}

/// Enters one figure; a quantile of nothing is no figure.
fn set(summary: &mut QuarterHourStats, signal: Signal, value: f64) {
    let measured = (value > 0.0).then_some(value);
    match signal {
        Signal::P50 => summary.p50 = measured,
        Signal::P99 => summary.p99 = measured,
        Signal::Maximum => summary.maximum = measured,
        Signal::Samples => summary.samples = value,
        Signal::Sum => summary.sum = Some(value),
        Signal::NearMisses => summary.near_misses = Some(value),
        Signal::Timeouts => summary.timeouts = value,
        // A failed TLS handshake ends in a 504 after ten seconds as well.
        Signal::ConnectionErrors | Signal::TlsErrors => {
            let errors = summary.connection_errors.unwrap_or(0.0);
            summary.connection_errors = Some(errors + value);
        }
        Signal::RequestCount | Signal::HealthyHosts | Signal::Answers | Signal::Within(_) => {}
    }
}
