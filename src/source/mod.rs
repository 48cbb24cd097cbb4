//! Where the figures of gateways come from.
//!
//! An answer is whole or nothing: what is not known of one gateway says why, and its
//! neighbours keep theirs.

pub mod cloudwatch;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::edge::aws::{AwsError, Usage};
use nearmiss_core::diagnose::evidence::Figures;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::series::history::{QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;

/// The answer about one gateway, or why it did not come.
pub type Answer<T> = Result<T, Arc<AwsError>>;

/// What was asked of several gateways, in the order of asking, and the calls it took.
pub type Answers<'a, T> = BoxFuture<'a, (Vec<Answer<T>>, Usage)>;

/// Numbers of healthy targets, on average; `None` where no hour is known.
pub type Means = Vec<Option<f64>>;

/// Where the figures of gateways come from. What could not be read within `deadline` says
/// why, and the calls that an answer took are in its [`Usage`].
pub trait MetricSource: fmt::Debug + Send + Sync {
    /// The minutes of each gateway up to before `end`, in the order of the asks.
    fn minutes<'a>(
        &'a self,
        asks: &'a [Ask],
        end: Minute,
        deadline: Duration,
    ) -> Answers<'a, Snapshot>;

    /// The quarter-hours of each gateway up to before `end`, in the order of the
    /// stretches.
    fn quarter_hours<'a>(
        &'a self,
        stretches: &'a [Stretch],
        end: QuarterHour,
        deadline: Duration,
    ) -> Answers<'a, QuarterHours>;

    /// The healthy targets of each gateway, on average, from one minute to the next of
    /// `between`.
    fn healthy<'a>(
        &'a self,
        asks: &'a [Healthy],
        between: &'a [Minute],
        deadline: Duration,
    ) -> Answers<'a, Means>;

    /// The figures of the minutes from the first to before the second, of a gateway, its
    /// zones and its target groups (dimension values).
    fn figures<'a>(
        &'a self,
        gateway: &'a Gateway,
        parts: (&'a [String], &'a [String]),
        minutes: (Minute, Minute),
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Figures>>;

    /// Whether CloudWatch counts the samples of a gateway's latency between bounds; `None`
    /// where it had none in the hour before `end`.
    fn has_bounds<'a>(
        &'a self,
        gateway: &'a Gateway,
        end: Minute,
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Option<bool>>>;

    /// What the minutes of a gateway from the first to before the second show about the
    /// figures themselves.
    fn self_check<'a>(
        &'a self,
        gateway: &'a Gateway,
        minutes: (Minute, Minute),
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<SelfCheck>>;
}

/// Which minutes of which gateway.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The dimension value that it had before it was created anew, if that is asked for
    /// instead of its own.
    pub former: Option<String>,
    /// The first minute that is needed.
    pub from: Minute,
    /// Which of its signals.
    pub rate: PollRate,
    /// Whether targets' answers are asked for too: see [`Signal::Answers`].
    pub answers: bool,
    /// The dimension values of its target groups, where they are asked for too.
    pub target_groups: Vec<String>,
}

/// Which quarter-hours of which gateway: from this one on.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The first quarter-hour that is needed.
    pub from: QuarterHour,
    /// Which of its signals.
    pub rate: PollRate,
}

/// Quarter-hours, oldest first, without a hole.
pub type QuarterHours = Vec<(QuarterHour, QuarterHourStats)>;

/// The healthy targets of which gateway.
#[derive(Debug, Clone)]
pub struct Healthy {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The dimension values of its target groups.
    pub target_groups: Vec<String>,
}

/// What one gateway's figures show; `None` where they show nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SelfCheck {
    /// Whether the count of samples up to a very high bound is the number of
    /// samples.
    pub counts_add_up: Option<bool>,
    /// Whether requests that ended in 504 are missing from the samples.
    pub timeouts_leave_no_sample: Option<bool>,
}

impl SelfCheck {
    /// What either of two checks knows; a failed one takes precedence.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(a), Some(b)) => Some(a && b),
            (a, b) => a.or(b),
        };
        Self {
            counts_add_up: both(self.counts_add_up, other.counts_add_up),
            timeouts_leave_no_sample: both(
                self.timeouts_leave_no_sample,
                other.timeouts_leave_no_sample,
            ),
        }
    }
}
