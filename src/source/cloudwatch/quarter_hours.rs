//! Quarter-hours of gateways: what CloudWatch computes over all requests of fifteen
//! minutes, for the last fortnight and more.

use std::time::Duration;

use super::{CloudWatch, Points, Query, Usage, Wanted};
use crate::source::{Answer, QuarterHours, Stretch};
use nearmiss_core::gateway::metrics::{Leave, Percentiles};
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::gateway::{Detail, Gateway};
use nearmiss_core::series::history::{QuarterHour, QuarterHourStats};
use nearmiss_core::time::Minute;

/// Seconds in a quarter-hour.
const PERIOD: i64 = 900;

/// The quarter-hours of each gateway up to before `end`, in the order of the stretches;
/// what could not be read within `deadline` says why.
pub(super) async fn read(
    cloudwatch: &CloudWatch,
    stretches: &[Stretch],
    end: QuarterHour,
    deadline: Duration,
) -> (Vec<Answer<QuarterHours>>, Usage) {
    let wanted: Vec<Wanted> = stretches.iter().map(Stretch::wanted).collect();
    let until = end.start().start();
    let (answers, usage) = cloudwatch.read(&wanted, PERIOD, until, deadline).await;
    let of_one = |(stretch, points): (&Stretch, Answer<_>)| Ok(stretch.quarter_hours(end, points?));
    (stretches.iter().zip(answers).map(of_one).collect(), usage)
}

impl Stretch {
    fn wanted(&self) -> Wanted {
        let spec = self.gateway.id.kind.spec();
        let rows = spec.quarter_hour_rows(self.rate, self.gateway.detail);
        let queries = rows.map(|row| Query::of(&self.gateway, row.metric, row.stat));
        Wanted::of(&self.gateway, self.from.start().start(), queries.collect())
    }

    fn quarter_hours(&self, end: QuarterHour, points: Vec<Points>) -> QuarterHours {
        let spec = self.gateway.id.kind.spec();
        let Gateway { timeout, detail, .. } = self.gateway.as_ref();
        let rows = || spec.quarter_hour_rows(self.rate, *detail);
        let mut quiet =
            QuarterHourStats { timeout: timeout.seconds, ..QuarterHourStats::default() };
        rows().for_each(|row| set(&mut quiet, row.signal, 0.0));
        let mut quarter_hours: QuarterHours =
            (self.from.0..end.0).map(|q| (QuarterHour(q), quiet)).collect();
        for (row, points) in rows().zip(points) {
            for (at, value) in points.into_iter().filter(|(_, v)| v.is_finite() && *v >= 0.0) {
                let quarter_hour = QuarterHour::containing(Minute::containing(at));
                let index = usize::try_from(quarter_hour.0 - self.from.0).ok();
                if let Some((_, summary)) = index.and_then(|index| quarter_hours.get_mut(index)) {
                    set(summary, row.signal, value);
                }
            }
        }
        if *detail == Detail::Percentiles {
            for (_, summary) in &mut quarter_hours {
                let QuarterHourStats { samples, p50, p99, maximum, .. } = *summary;
                let shown = Percentiles { samples, p50, p99, maximum };
                let near = self.gateway.near_seconds();
                let (near_misses, timeouts) = shown.near_and_timed_out(near, timeout.seconds, None);
                (summary.near_misses, summary.timeouts) = (Some(near_misses), timeouts);
            }
        }
        if spec.timeouts.leave == Leave::SampleAtTimeout {
            for (_, summary) in &mut quarter_hours {
                summary.samples = (summary.samples - summary.timeouts).max(0.0);
            }
        }
        quarter_hours
    }
}

/// Enters one figure; a quantile over no requests is none.
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
        Signal::RequestCount
        | Signal::HealthyHosts
        | Signal::Answers
        | Signal::Failures
        | Signal::Within(_) => {}
    }
}
