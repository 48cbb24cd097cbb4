//! Quotas of calls, which an account shares among all its callers.
//!
//! A bucket holds so many calls and is filled again as time goes on, which is the time calls
//! are signed with: that one moves even where AWS's now was told. Where it stands still a
//! refused call fills the bucket as well, so that whoever asks three times gets an answer.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::faults::refusals::throttled;
use crate::parallel::lock;
use crate::services::Call;
use crate::wire::document::Failure;

/// What a refused call puts back.
const CONSOLATION: f64 = 0.5;

/// A quota.
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    /// Calls at once.
    pub(crate) burst: f64,
    /// Calls per second in the long run.
    pub(crate) rate: f64,
}

/// What is left, and the epoch second of that.
struct Bucket {
    left: f64,
    at: i64,
}

/// The buckets of every account.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<(&'static str, String), Bucket>>);

impl Quotas {
    /// Takes a call out of the bucket of its account; refuses it if there is none. A call that
    /// brings no time along is not counted.
    pub(crate) fn take(&self, quota: &Quota, call: &Call) -> Result<(), Failure> {
        let Some(now) = call.signed_at.or(call.now) else {
            return Ok(());
        };
        let mut all = lock(&self.0);
        let key = (quota.name, call.account.clone());
        let full = Bucket { left: quota.burst, at: now };
        let bucket = all.entry(key).or_insert(full);
        // A time before the last one is another story, which begins with a full bucket.
        let since = now - bucket.at;
        let filled = if since < 0 { quota.burst } else { since as f64 * quota.rate };
        bucket.left = (bucket.left + filled).min(quota.burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            bucket.left += CONSOLATION;
            return Err(throttled(&format!("{}:{}", call.service, call.operation)));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(now: Option<i64>) -> Call {
        Call {
            service: "apigateway",
            operation: "GetResources".to_owned(),
            region: "eu-central-1".to_owned(),
            foreign: false,
            caller: String::new(),
            account: "1".to_owned(),
            signed_at: now,
            now,
            number: 0,
        }
    }

    #[test]
    fn a_bucket_is_filled_by_time_and_in_the_end_by_asking() {
        let quotas = Quotas::default();
        let quota = Quota { name: "test", burst: 5.0, rate: 2.5 };
        let passed = |now: i64, times: usize| {
            (0..times).filter(|_| quotas.take(&quota, &call(Some(now))).is_ok()).count()
        };
        assert_eq!(passed(1_000, 7), 5);
        assert_eq!(passed(1_002, 5), 5);
        let refused = quotas.take(&quota, &call(Some(1_002))).expect_err("empty");
        assert_eq!((refused.status, refused.code.as_str()), (429, "TooManyRequestsException"));
        assert_eq!(passed(1_002, 6), 2);
        assert!((0..50).all(|_| quotas.take(&quota, &call(None)).is_ok()));
    }
}
