//! How often AWS is asked: a token bucket, as AWS itself has one for each quota. Its rate
//! can be lowered while it is in use, and it goes by the clock of the runtime.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::edge::time::Stopwatch;

/// The rate is lowered to no less than this share of what it was made with.
const LEAST_SHARE: f64 = 1.0 / 32.0;
/// An answer raises a rate that was lowered by this share of what it was made with.
const RECOVERY: f64 = 1.0 / 64.0;
/// Throttled answers that come this soon after one another have one cause.
const ONE_CAUSE: Duration = Duration::from_secs(1);

/// Tokens, of which each request takes some.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    burst: f64,
    clock: Stopwatch,
    /// Whoever waits holds it, so that requests are admitted in the order in which they
    /// came.
    level: tokio::sync::Mutex<Level>,
    rate: Mutex<Rate>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    /// When it had them.
    at: Duration,
}

#[derive(Debug)]
struct Rate {
    /// Of what the bucket was made with.
    share: f64,
    /// When it was lowered last.
    lowered: Option<Duration>,
}

impl TokenBucket {
    /// A full bucket, which gets this many tokens a second and holds at most `burst`.
    #[must_use]
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let burst = f64::from(burst.get());
        Self {
            per_second: f64::from(per_second.get()),
            burst,
            clock: Stopwatch::start(),
            level: tokio::sync::Mutex::new(Level { tokens: burst, at: Duration::ZERO }),
            rate: Mutex::new(Rate { share: 1.0, lowered: None }),
        }
    }

    /// Waits until it has this many tokens, and takes them; more than it can hold are as
    /// many as it can hold. Whoever stops waiting takes none.
    pub async fn take(&self, tokens: u32) {
        let wanted = f64::from(tokens).min(self.burst);
        let mut level = self.level.lock().await;
        loop {
            let now = self.clock.elapsed();
            let per_second = self.per_second * self.rate(|rate| rate.share);
            let gained = now.saturating_sub(level.at).as_secs_f64() * per_second;
            *level = Level { tokens: self.burst.min(level.tokens + gained), at: now };
            // A timer may be a nanosecond early.
            if level.tokens >= wanted - 1e-6 {
                level.tokens -= wanted;
                return;
            }
            tokio::time::sleep(Duration::from_secs_f64((wanted - level.tokens) / per_second)).await;
        }
    }

    /// Halves the rate, because AWS throttles.
    pub fn give_way(&self) {
        let now = self.clock.elapsed();
        self.rate(|rate| {
            if rate.lowered.is_none_or(|last| now.saturating_sub(last) >= ONE_CAUSE) {
                *rate = Rate { share: (rate.share / 2.0).max(LEAST_SHARE), lowered: Some(now) };
            }
        });
    }

    /// Raises a rate that was lowered a little, because AWS answers.
    pub fn recover(&self) {
        self.rate(|rate| rate.share = (rate.share + RECOVERY).min(1.0));
    }

    fn rate<T>(&self, with: impl FnOnce(&mut Rate) -> T) -> T {
        with(&mut self.rate.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(per_second: u32, burst: u32) -> TokenBucket {
        let number = |number| NonZeroU32::new(number).unwrap();
        TokenBucket::new(number(per_second), number(burst))
    }

    /// Milliseconds that it takes to take one token this often.
    async fn takes(bucket: &TokenBucket, times: u32) -> u128 {
        let watch = Stopwatch::start();
        for _ in 0..times {
            bucket.take(1).await;
        }
        watch.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_comes_at_once_and_the_rest_at_the_rate() {
        let bucket = bucket(10, 20);
        assert_eq!(takes(&bucket, 20).await, 0);
        assert!((1000..1020).contains(&takes(&bucket, 10).await));
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(takes(&bucket, 20).await, 0, "no more than the burst is saved up");
        assert!((1000..1020).contains(&takes(&bucket, 10).await));
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_it_holds_takes_all_of_it() {
        let bucket = bucket(10, 20);
        bucket.take(1000).await;
        assert!((100..110).contains(&takes(&bucket, 1).await));
    }

    /// Requests that could return much do not wait for ever behind many small ones.
    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_admitted_first() {
        let bucket = bucket(10, 20);
        bucket.take(20).await;
        let order = Mutex::new(Vec::new());
        let one = async |tokens| {
            bucket.take(tokens).await;
            order.lock().unwrap().push(tokens);
        };
        tokio::join!(one(15), one(1), one(2));
        assert_eq!(*order.lock().unwrap(), [15, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_takes_nothing() {
        let bucket = bucket(10, 20);
        bucket.take(20).await;
        let waited = tokio::time::timeout(Duration::from_secs(1), bucket.take(20)).await;
        assert!(waited.is_err());
        assert_eq!(takes(&bucket, 10).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_rate_is_halved_once_for_each_cause_and_recovers_slowly() {
        let bucket = bucket(10, 1);
        bucket.take(1).await;
        for _ in 0..8 {
            bucket.give_way(); // eight calls were under way
        }
        assert!((2000..2020).contains(&takes(&bucket, 10).await));
        bucket.give_way();
        assert!((4000..4020).contains(&takes(&bucket, 10).await));
        (0..16).for_each(|_| bucket.recover());
        assert!((2000..2020).contains(&takes(&bucket, 10).await), "half of it");
        (0..1000).for_each(|_| bucket.recover());
        assert!((1000..1020).contains(&takes(&bucket, 10).await), "and no more than all of it");
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            bucket.give_way();
        }
        bucket.take(1).await;
        assert!((3200..3220).contains(&takes(&bucket, 1).await), "it never stops");
    }
}
