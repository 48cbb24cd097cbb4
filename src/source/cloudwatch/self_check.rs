//! Whether CloudWatch's figures mean what nearmiss takes them to mean.
//!
//! Two things that AWS does not promise explicitly are tried once on a gateway's own
//! figures: that counts within bounds add up to the number of samples, and that a 504
//! leaves no latency sample. Everything that is counted rests on these two.

use std::time::Duration;

use super::{CloudWatch, Query, Usage, Wanted};
use crate::edge::aws::ErrorKind;
use crate::source::{Answer, SelfCheck};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::time::Minute;

/// Sums over the same minutes.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    samples: f64,
    within: f64,
    answered: f64,
    timeouts: f64,
    resets: f64,
}

impl SelfCheck {
    /// A 502 may or may not leave a sample, so the two possibilities can be distinguished
    /// only where there are more 504s than 502s.
    fn of(sums: Sums) -> Self {
        let Sums { samples, within, answered, timeouts, resets } = sums;
        let is_between = |low: f64| (low..=low + resets).contains(&samples);
        let (without, with) = (is_between(answered), is_between(answered + timeouts));
        Self {
            counts_add_up: (samples > 0.0).then(|| (samples - within).abs() < 0.5),
            timeouts_leave_no_sample: (timeouts > resets && without != with).then_some(without),
        }
    }
}

/// A bound that no latency passes: eleven days in seconds, a quarter-hour in milliseconds.
const WITHIN: &str = "TC(:1000000)";
/// Minutes in which a bound is tried.
const TRIED: i64 = 60;

impl CloudWatch {
    /// Tries whether samples are counted between bounds. CloudWatch may refuse that, or know
    /// no such count although it has samples.
    pub(super) async fn try_bounds(
        &self,
        gateway: &Gateway,
        end: Minute,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Answer<Option<bool>> {
        let metric = gateway.id.kind.spec().latency.metric;
        let queries = ["SampleCount", WITHIN].map(|stat| Query::plain(metric, stat));
        let wanted = [Wanted::of(gateway, end.plus(-TRIED).start(), queries.into())];
        let (answers, used) = self.read(&wanted, 60, end.start(), deadline).await;
        usage.add(used);
        match answers.into_iter().next() {
            Some(Ok(points)) => {
                let sums = points.iter().map(|points| points.iter().map(|point| point.1).sum());
                let sums: Vec<f64> = sums.collect();
                let [samples, within] = sums[..] else { return Ok(None) };
                Ok((samples > 0.0).then(|| (samples - within).abs() < 0.5))
            }
            Some(Err(fault)) if fault.problem == ErrorKind::Refused => Ok(Some(false)),
            Some(Err(fault)) => Err(fault),
            None => Ok(None),
        }
    }

    pub(super) async fn check(
        &self,
        gateway: &Gateway,
        (first, end): (Minute, Minute),
        deadline: Duration,
        usage: &mut Usage,
    ) -> Answer<SelfCheck> {
        let spec = gateway.id.kind.spec();
        let Some(metrics) = &spec.self_check else { return Ok(SelfCheck::default()) };
        let latency = |stat| Query::plain(spec.latency.metric, stat);
        let counted = |metric: &'static str| Query::plain(metric, "Sum");
        let mut queries = vec![latency("SampleCount"), latency(metrics.within)];
        queries.push(Query::of(gateway, spec.timeouts.metric, spec.timeouts.stat));
        queries.extend(metrics.unclear.iter().chain(metrics.answered).copied().map(counted));
        let wanted = [Wanted::of(gateway, first.start(), queries)];
        let (answers, used) = self.read(&wanted, 60, end.start(), deadline).await;
        usage.add(used);
        let points = answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))?;
        let mut sums = points.iter().map(|points| points.iter().map(|(_, value)| value).sum());
        let mut next = || -> f64 { sums.next().unwrap_or(0.0) };
        let (samples, within, timeouts) = (next(), next(), next());
        let resets = metrics.unclear.iter().map(|_| next()).sum();
        let answered = metrics.answered.iter().map(|_| next()).sum();
        Ok(SelfCheck::of(Sums { samples, within, answered, timeouts, resets }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_prove_or_refute_or_leave_it_open() {
        let all = |samples, answered, timeouts, resets| {
            SelfCheck::of(Sums { samples, within: samples, answered, timeouts, resets })
                .timeouts_leave_no_sample
        };
        assert_eq!(all(100.0, 100.0, 7.0, 0.0), Some(true));
        assert_eq!(all(103.0, 100.0, 7.0, 4.0), Some(true), "502s may leave samples");
        assert_eq!(all(107.0, 100.0, 7.0, 0.0), Some(false));
        assert_eq!(all(100.0, 100.0, 0.0, 0.0), None, "no 504, no proof");
        assert_eq!(all(103.0, 100.0, 3.0, 3.0), None, "502s or 504s?");
        assert_eq!(all(150.0, 100.0, 7.0, 0.0), None, "neither");
        let off = Sums { samples: 100.0, within: 99.0, ..Sums::default() };
        assert_eq!(SelfCheck::of(off).counts_add_up, Some(false));
        assert_eq!(SelfCheck::of(Sums::default()).counts_add_up, None);
    }

    #[test]
    fn one_refutation_outweighs_a_proof() {
        let (yes, no) = (Some(true), Some(false));
        let proof = |a, b| SelfCheck { counts_add_up: a, timeouts_leave_no_sample: b };
        assert_eq!(proof(yes, None).and(proof(no, yes)), proof(no, yes));
        assert_eq!(SelfCheck::default().and(proof(yes, no)), proof(yes, no));
    }
}
