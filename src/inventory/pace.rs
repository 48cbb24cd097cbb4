//! How often an account is asked about one gateway after the other, in one Region.
//!
//! AWS lets an account describe 10 things a second and 40 at once in a Region, whoever asks
//! (Elastic Load Balancing User Guide, "Request throttling for the ELB API").

use std::num::NonZeroU32;

use crate::edge::aws::TokenBucket;

/// Calls a second for a command, which somebody waits for.
const COMMAND: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// The rates of an account in a Region. They give way when AWS throttles.
#[derive(Debug)]
pub(super) struct Pace {
    unknown: TokenBucket,
    known: TokenBucket,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find out what is not known yet.
    Unknown,
    /// To see whether it has changed.
    Known,
}

impl Pace {
    /// Of the daemon, which has time: so many calls a second about what is not known, and a
    /// fifth of that about what may have changed.
    pub(super) fn of_daemon(rate: NonZeroU32) -> Self {
        let slow = NonZeroU32::new(rate.get() / 5).unwrap_or(NonZeroU32::MIN);
        let burst = |rate: NonZeroU32| rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        Self {
            unknown: TokenBucket::new(rate, burst(rate)),
            known: TokenBucket::new(slow, burst(slow)),
        }
    }

    /// Of a command.
    pub(super) fn of_command() -> Self {
        let bucket = || TokenBucket::new(COMMAND, COMMAND);
        Self { unknown: bucket(), known: bucket() }
    }

    /// Waits until a call may be made. Whoever stops waiting has made none.
    pub(super) async fn admit(&self, purpose: Purpose) {
        match purpose {
            Purpose::Unknown => self.unknown.take(1).await,
            Purpose::Known => self.known.take(1).await,
        }
    }

    /// Enters whether AWS throttled a call.
    pub(super) fn enter(&self, is_throttled: bool) {
        let enter = if is_throttled { TokenBucket::give_way } else { TokenBucket::recover };
        [&self.unknown, &self.known].into_iter().for_each(enter);
    }
}
