//! The rate of requests: below an account's quotas, by our own count.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota};

use crate::config::Quotas;

/// Keeps below the quotas of an account in a Region, which others use too.
#[derive(Debug)]
pub struct RateLimiter {
    requests: DefaultDirectRateLimiter,
    datapoints: DefaultDirectRateLimiter,
    most_datapoints: NonZeroU32,
}

impl RateLimiter {
    /// For these quotas.
    #[must_use]
    pub fn of(quotas: &Quotas) -> Self {
        let limiter = |per_second| DefaultDirectRateLimiter::direct(Quota::per_second(per_second));
        Self {
            requests: limiter(quotas.requests_per_second),
            datapoints: limiter(quotas.datapoints_per_second),
            most_datapoints: quotas.datapoints_per_second,
        }
    }

    /// Waits until a request that could return this many datapoints may be sent. CloudWatch
    /// counts what it could return, not what it does; a request that could return more than
    /// a second's worth waits for a whole second.
    pub(super) async fn admit(&self, datapoints: usize) {
        let datapoints = u32::try_from(datapoints).unwrap_or(u32::MAX);
        let datapoints = NonZeroU32::new(datapoints).unwrap_or(NonZeroU32::MIN);
        self.requests.until_ready().await;
        // A limiter cannot grant more than its burst: the number is capped there.
        let _ = self.datapoints.until_n_ready(datapoints.min(self.most_datapoints)).await;
    }
}
