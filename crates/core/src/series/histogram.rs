//! Latency as a true histogram: counts within bounds, which may be added.
//!
//! Percentiles of several minutes, zones or gateways cannot be averaged; counts within
//! bounds can be added, and a quantile can be read off the sum. The bounds are shares of
//! the timeout, densest near it, because that is where the question lies, and no closer
//! than a tenth of it to each other, because CloudWatch's own precision is not known to be
//! better.

use serde::{Deserialize, Serialize};

use crate::gateway::bounds::BOUNDS;
use crate::number::whole;

/// One minute's answered requests by latency.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Buckets {
    /// Requests answered within each bound, cumulative.
    pub within: [f64; BOUNDS.len()],
    /// All latencies together, seconds.
    pub sum: f64,
}

impl Buckets {
    /// Adds another minute's.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.within.iter_mut().zip(other.within) {
            *count += other;
        }
        self.sum += other.sum;
    }

    /// How much more there is in each than there was.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        let mut more = *self;
        for (count, before) in more.within.iter_mut().zip(before.within) {
            *count = (*count - before).max(0.0);
        }
        more.sum = (more.sum - before.sum).max(0.0);
        more
    }
}

/// Requests by latency since the timeout is what it is. A 504 is beyond every
/// bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The timeout that the bounds are shares of, seconds.
    pub timeout: f64,
    /// Requests answered within each bound, cumulative.
    pub within: [u64; BOUNDS.len()],
    /// Requests, answered or ended in 504.
    pub count: u64,
    /// Latencies of the answered requests, and the timeout for each 504, which
    /// is too much for those that failed to connect; seconds.
    pub sum: f64,
}

impl Histogram {
    /// Nothing counted yet.
    #[must_use]
    pub fn starting(timeout: f64) -> Self {
        Self { timeout, within: [0; BOUNDS.len()], count: 0, sum: 0.0 }
    }

    /// Adds a minute with these requests, 504s among them. Nothing that CloudWatch can
    /// say makes it fall, or infinite.
    pub fn add(&mut self, minute: &Buckets, requests: u64, timeouts: u64) {
        for (total, count) in self.within.iter_mut().zip(minute.within) {
            *total = total.saturating_add(whole(count));
        }
        self.count = self.count.saturating_add(requests);
        #[allow(clippy::cast_precision_loss)] // a minute's 504s
        let sum = self.sum + minute.sum.max(0.0) + self.timeout * timeouts as f64;
        self.sum = sum.min(f64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_add_up_and_a_504_is_beyond_every_bound() {
        let mut histogram = Histogram::starting(60.0);
        let minute = Buckets { within: [1., 2., 3., 4., 5., 6., 7., 8., 9., 10.], sum: 100.0 };
        histogram.add(&minute, 13, 2);
        histogram.add(&minute, 13, 2);
        assert_eq!((histogram.within[9], histogram.count), (20, 26));
        assert!((histogram.sum - 440.0).abs() < 1e-9);
    }

    #[test]
    fn no_count_makes_it_fall_or_infinite() {
        let mut histogram = Histogram::starting(60.0);
        let mut before = histogram;
        for value in [3.0, 1e308, f64::MAX, f64::INFINITY, -5.0, f64::NAN, 0.4] {
            let minute = Buckets { within: [value; 10], sum: value };
            histogram.add(&minute, whole(value), whole(value));
            assert!(histogram.sum.is_finite() && histogram.sum >= before.sum, "{value}");
            assert!(histogram.count >= before.count, "{value}");
            assert!(histogram.within[0] >= before.within[0], "{value}");
            before = histogram;
        }
    }
}
