//! How often an account is asked about one gateway after the other, in one Region.
//!
//! AWS lets an account describe 10 things a second and 40 at once in a Region, whoever asks
//! (Elastic Load Balancing User Guide, "Request throttling for the ELB API").

use std::num::NonZeroU32;

use crate::edge::aws::TokenBucket;

/// Calls a second about what is not known yet, and how many may be made at once.
const UNKNOWN: (u32, u32) = (10, 20);
/// The same about what is known, and may have changed.
const KNOWN: (u32, u32) = (2, 5);
/// The same for a command, which somebody waits for.
const COMMAND: (u32, u32) = (100, 100);

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
    /// Of the daemon, which has time.
    pub(super) fn of_daemon() -> Self {
        Self::new(UNKNOWN, KNOWN)
    }

    /// Of a command.
    pub(super) fn of_command() -> Self {
        Self::new(COMMAND, COMMAND)
    }

    fn new(unknown: (u32, u32), known: (u32, u32)) -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let bucket = |(rate, burst)| TokenBucket::new(number(rate), number(burst));
        Self { unknown: bucket(unknown), known: bucket(known) }
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
