//! The newest quarter-hours beside what is usual at their time, and why they are slower.

use crate::number::statistics::median;
use crate::series::baseline::Baseline;
use crate::series::history::{QuarterHour, QuarterHourStats};

/// How many of the newest quarter-hours are looked at for a trend: six hours.
pub const LOOKBACK: usize = 24;

/// One of the newest quarter-hours beside what is usual at its time.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Which quarter-hour.
    pub quarter_hour: QuarterHour,
    /// What it was like.
    pub summary: QuarterHourStats,
    /// What is usual at its time of day.
    pub usual: Baseline,
}

/// What makes the median slower than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slower {
    /// The work itself takes longer: slow and fast answers by the same factor.
    Work,
    /// Requests wait before they are worked on: slow and fast answers by the same time,
    /// which is a small factor for slow ones. Also where the two cannot be told apart.
    Queue,
    /// Some of the requests are much slower, and the median only follows.
    Some,
}

/// A median up to this factor above what is usual is no slower.
const SLOWER: f64 = 1.08;

/// Where the p99 is usually less than this many times the median, the same time and the
/// same factor look alike.
const APART: f64 = 4.0;

/// From this factor on there are more requests than usual.
const BUSIER: f64 = 1.25;

/// Why the medians of these quarter-hours are above what is usual; `None` where they are
/// not. Each says by what power of the median's factor the p99 has risen; the middle one
/// is believed.
#[must_use]
pub fn slower(newest: &[Compared], timeout: f64) -> Option<Slower> {
    let mut powers: Vec<f64> = newest.iter().filter_map(|one| one.power(timeout)).collect();
    Some(match median(&mut powers)? {
        power if power < 0.7 => Slower::Queue,
        power if power < 1.5 => Slower::Work,
        _ => Slower::Some,
    })
}

impl Compared {
    /// Whether there are more requests than usual, which may be why they are slower.
    #[must_use]
    pub fn is_busier(&self) -> bool {
        self.usual.requests.is_none_or(|usual| self.summary.requests() > BUSIER * usual)
    }

    /// The power of the median's factor above usual by which the p99 is above it: 1 where
    /// all answers are slower by the same factor, near 0 where by the same time, and 0
    /// where these look alike. `None` where the median is not above usual.
    fn power(&self, timeout: f64) -> Option<f64> {
        let Self { summary, usual, .. } = self;
        let p50 = usual.p50.filter(|p50| *p50 > 0.0 && usual.is_known())?;
        let median = Some(summary.p50? / p50).filter(|factor| *factor > SLOWER)?;
        let p99 = usual.typical_p99.filter(|p99| *p99 > APART * p50);
        let Some(p99) = p99 else { return Some(0.0) };
        Some((summary.effective_p99(timeout)? / p99).max(1.0).ln() / median.ln())
    }
}
