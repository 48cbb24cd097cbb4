//! How the slowest requests became slow: at once, or gradually.
//!
//! Requests that passed the timeout leave no sample, so that a growth ends in what looks
//! like health; its beginning is what tells it from a hang.

use crate::diagnose::facts::Facts;
use crate::diagnose::series::{Row, largest, middle, sum};
use crate::gateway::evidence::Measure;

/// Fewer latency samples in a minute than this make its p99 its maximum.
const FEW_SAMPLES: f64 = 200.0;

/// How the slowest requests came to be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rise {
    /// They did not, or it cannot be seen.
    None,
    /// Within about six minutes.
    Step,
    /// Over a longer time.
    Gradual,
}

impl Facts<'_> {
    /// Whether the slowest requests rose at once or over time.
    #[must_use]
    pub fn rise(&self) -> Rise {
        let bins = self.slowest_by_three_minutes();
        let before = self.split.now.start.div_ceil(3).min(bins.len());
        let first = bins.get(..(before / 3).max(2).min(bins.len())).unwrap_or_default();
        let (Some(base), Some(top)) = (middle(first), largest(&bins)) else { return Rise::None };
        if top - base < (0.1 * self.idle).max(0.5 * base) {
            return Rise::None;
        }
        // Slowness grows by factors: a doubling is as far at the bottom as at the top.
        let level = |share: f64| base.max(1e-3) * (top / base.max(1e-3)).powf(share);
        let high = bins.iter().position(|bin| bin.is_some_and(|value| value >= level(0.8)));
        let high = high.unwrap_or(0);
        let low = bins[..high].iter().rposition(|bin| bin.is_some_and(|value| value < level(0.35)));
        let is_step = low.is_some_and(|low| high - low <= 2);
        if is_step && !self.is_announced() { Rise::Step } else { Rise::Gradual }
    }

    /// Whether near misses came first, and ended when the 504s came: what was slow has
    /// passed the timeout.
    fn is_announced(&self) -> bool {
        let (before, _) = self.cells(Measure::NearMisses);
        let (early, late) = before.split_at(before.len() / 2);
        let (early, late) = (sum(early), sum(late));
        late >= 3.0 + 2.0 * early && self.tally(Measure::NearMisses).now < self.unanswered()
    }

    /// The p99 of every three minutes, aligned at the split.
    fn slowest_by_three_minutes(&self) -> Row {
        let row = self.row(Measure::P99);
        let row = if row.is_empty() { self.row(Measure::Maximum) } else { row };
        let samples = middle(self.row(Measure::Samples)).unwrap_or(0.0);
        let level =
            |bin: &[Option<f64>]| if samples < FEW_SAMPLES { largest(bin) } else { middle(bin) };
        let (before, now) = row.split_at(self.split.now.start.min(row.len()));
        before.rchunks(3).rev().chain(now.chunks(3)).map(level).collect()
    }
}
