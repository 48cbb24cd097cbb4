//! A metric source for unit tests, without HTTP.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, ready};

use super::{Answer, Answers, Ask, Healthy, Means, MetricSource, QuarterHours, SelfCheck, Stretch};
use crate::edge::aws::{AwsError, Usage};
use nearmiss_core::diagnose::evidence::Figures;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::series::history::QuarterHour;
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;

type Minutes = dyn Fn(&Ask, Minute) -> Option<Snapshot> + Send + Sync;

/// Answers minutes as a function says, and nothing else.
pub(crate) struct Made(Box<Minutes>);

impl Made {
    /// `None` is an answer that does not come.
    pub(crate) fn new(
        minutes: impl Fn(&Ask, Minute) -> Option<Snapshot> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self(Box::new(minutes)))
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made")
    }
}

fn nothing() -> Arc<AwsError> {
    Arc::new(AwsError::incomplete("cloudwatch:GetMetricData", "here", "nothing came"))
}

/// No answer to any of these.
fn none<T: Send + 'static>(asks: usize) -> Answers<'static, T> {
    let answers = (0..asks).map(|_| Err(nothing())).collect();
    Box::pin(ready((answers, Usage::default())))
}

impl MetricSource for Made {
    fn minutes<'a>(&'a self, asks: &'a [Ask], end: Minute, _: Duration) -> Answers<'a, Snapshot> {
        let answers = asks.iter().map(|ask| (self.0)(ask, end).ok_or_else(nothing));
        Box::pin(ready((answers.collect(), Usage::default())))
    }

    fn quarter_hours<'a>(
        &'a self,
        stretches: &'a [Stretch],
        _: QuarterHour,
        _: Duration,
    ) -> Answers<'a, QuarterHours> {
        none(stretches.len())
    }

    fn healthy<'a>(
        &'a self,
        asks: &'a [Healthy],
        _: &'a [Minute],
        _: Duration,
    ) -> Answers<'a, Means> {
        none(asks.len())
    }

    fn figures<'a>(
        &'a self,
        _: &'a Gateway,
        _: (&'a [String], &'a [String]),
        _: (Minute, Minute),
        _: Duration,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Figures>> {
        Box::pin(ready(Err(nothing())))
    }

    fn has_bounds<'a>(
        &'a self,
        _: &'a Gateway,
        _: Minute,
        _: Duration,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Option<bool>>> {
        Box::pin(ready(Err(nothing())))
    }

    fn self_check<'a>(
        &'a self,
        _: &'a Gateway,
        _: (Minute, Minute),
        _: Duration,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<SelfCheck>> {
        Box::pin(ready(Err(nothing())))
    }
}
