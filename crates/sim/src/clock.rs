//! AWS's now: the time a client signs with, moved by the `clock` fault - or what
//! whoever runs the simulator says it is, because SDKs correct the time they sign
//! with by the `Date` of the answers.
//!
//! The simulator has no clock, so a request brings the time along. Whatever
//! depends on now (publication, the account's changes, retention) asks here and
//! falls silent for a request that carries no time.
//!
//! Now is the latest of the times brought along so far: a client that corrects its clock by
//! slow answers signs with times that lag behind, and answers dated by these would make it
//! lag further. A time much older than the latest is no lag but another story, which begins
//! there.

use std::sync::Mutex;

use chrono::{DateTime, NaiveDateTime};

use crate::parallel::lock;
use crate::wire::document::Failure;
use crate::wire::message::Incoming;

/// Seconds a signature may be older or younger than AWS's now.
const TOLERANCE: i64 = 900;

/// Seconds a signature may lag behind the latest one and still be made now.
pub(crate) const LAG: i64 = 120;

/// AWS's now after a request that was made at `brought`, both epoch seconds.
fn later(latest: Option<i64>, brought: i64) -> i64 {
    latest.filter(|latest| (brought..=brought + LAG).contains(latest)).unwrap_or(brought)
}

/// AWS's clock, which only moves when it is set or a request brings a time.
pub(crate) struct Clock {
    /// Seconds by which clients are ahead.
    ahead: i64,
    /// Seconds for which answers are held back.
    held: i64,
    /// What it was set to, epoch seconds.
    told: Mutex<Option<i64>>,
    /// Its now after the latest call that brought a time, epoch seconds.
    latest: Mutex<Option<i64>>,
}

impl Clock {
    /// A clock that knows no time yet; clients are `ahead` seconds, and answers are held
    /// back for `held` seconds.
    pub(crate) fn new(ahead: i64, held: i64) -> Self {
        Self { ahead, held, told: Mutex::default(), latest: Mutex::default() }
    }

    /// Says what AWS's now is, epoch seconds.
    pub(crate) fn tell(&self, now: i64) {
        *lock(&self.told) = Some(now);
    }

    /// AWS's now for a request signed at this time, if either is known.
    pub(crate) fn now(&self, signed_at: Option<i64>) -> Option<i64> {
        if let told @ Some(_) = *lock(&self.told) {
            return told;
        }
        let brought = signed_at? - self.ahead;
        let mut latest = lock(&self.latest);
        *latest = Some(later(*latest, brought));
        *latest
    }

    /// The date of an answer to a request made at AWS's `now`: it was held back,
    /// and others may have come in the meantime.
    pub(crate) fn date(&self, now: i64) -> i64 {
        if let Some(told) = *lock(&self.told) {
            return told;
        }
        later(*lock(&self.latest), now) + self.held
    }
}

/// When a request was signed, epoch seconds.
pub(crate) fn signed_at(request: &Incoming) -> Option<i64> {
    let date = request.headers.get("x-amz-date")?;
    let date = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok()?;
    Some(date.and_utc().timestamp())
}

/// Epoch seconds as a `Date` header, e.g. `Mon, 05 Jan 2026 09:13:00 GMT`.
pub(crate) fn http_date(epoch: i64) -> String {
    written(epoch, "%a, %d %b %Y %H:%M:%S GMT")
}

/// AWS's refusal of a signature too far from its now (both epoch seconds).
pub(crate) fn out_of_time(signed: i64, now: i64) -> Option<Failure> {
    let stamp = |epoch| written(epoch, "%Y%m%dT%H%M%SZ");
    let (oldest, youngest) = (now - TOLERANCE, now + TOLERANCE);
    let (given, here) = (stamp(signed), stamp(now));
    let message = if signed < oldest {
        let limit = stamp(oldest);
        format!("Signature expired: {given} is now earlier than {limit} ({here} - 15 min.)")
    } else if signed > youngest {
        let limit = stamp(youngest);
        format!("Signature not yet current: {given} is still later than {limit} ({here} + 15 min.)")
    } else {
        return None;
    };
    Some(Failure::new(403, "SignatureDoesNotMatch", message).shaped("InvalidSignatureException"))
}

fn written(epoch: i64, format: &str) -> String {
    let time = DateTime::from_timestamp(epoch, 0);
    time.map(|time| time.format(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn now_never_goes_back_by_a_little_and_never_runs_ahead() {
        assert_eq!(later(None, 1_000), 1_000);
        assert_eq!(later(Some(1_000), 1_007), 1_007);
        assert_eq!(later(Some(1_007), 980), 1_007);
        assert_eq!(later(Some(1_007), 887), 1_007);
        assert_eq!(later(Some(1_007), 886), 886);
    }

    #[test]
    fn fifteen_minutes_are_tolerated_either_way_and_no_second_more() {
        assert_eq!(out_of_time(10_000, 10_900), None);
        assert_eq!(out_of_time(10_000, 9_100), None);
        let text = |signed, now| out_of_time(signed, now).map(|failure| failure.message);
        let (old, young) = (text(10_000, 10_901), text(10_000, 9_099));
        assert!(old.is_some_and(|text| text.starts_with("Signature expired: 19700101T024640Z")));
        assert!(young.is_some_and(|text| text.starts_with("Signature not yet current")));
    }
}
