//! The rate of requests: below an account's quotas, by our own count.

use crate::config::Quotas;
use crate::edge::aws::TokenBucket;

/// Keeps below the quotas of an account in a Region, which others use too.
#[derive(Debug)]
pub struct RateLimiter {
    requests: TokenBucket,
    datapoints: TokenBucket,
}

impl RateLimiter {
    /// For these quotas; of each, a second's worth may be used at once.
    #[must_use]
    pub fn of(quotas: &Quotas) -> Self {
        let limiter = |per_second| TokenBucket::new(per_second, per_second);
        Self {
            requests: limiter(quotas.requests_per_second),
            datapoints: limiter(quotas.datapoints_per_second),
        }
    }

    /// Waits until a request that could return this many datapoints may be sent. CloudWatch
    /// counts what it could return, not what it does; a request that could return more than
    /// a second's worth waits for a whole second.
    pub(super) async fn admit(&self, datapoints: usize) {
        self.requests.take(1).await;
        self.datapoints.take(u32::try_from(datapoints).unwrap_or(u32::MAX).max(1)).await;
    }
}
