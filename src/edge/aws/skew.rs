//! What time it is at AWS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;

use crate::edge::time::instant;

/// How far this machine's clock is from AWS's, from the `Date` header of each answer. As an
/// interceptor of a client it records; everybody else reads.
#[derive(Debug, Clone, Default)]
pub struct Skew(Arc<Mutex<Option<Heard>>>);

/// What AWS's answers said about the time.
#[derive(Debug, Clone, Copy)]
struct Heard {
    ahead: i64,
    at: Instant,
}

impl Skew {
    /// Smaller changes than this are ignored, seconds.
    const JITTER: i64 = 15;
    /// How far apart the answers of one poll can be.
    const TOGETHER: Duration = Duration::from_secs(30);

    /// Seconds that this clock is ahead of AWS's (behind, if negative); `None` until AWS
    /// has answered.
    #[must_use]
    pub fn seconds(&self) -> Option<i64> {
        self.heard().map(|heard| heard.ahead)
    }

    /// The skews of these that were heard in the same poll as the newest one, seconds: the
    /// clock may have been set since the others were heard.
    #[must_use]
    pub fn newest(all: &[&Self]) -> Vec<Option<i64>> {
        let heard: Vec<Option<Heard>> = all.iter().map(|one| one.heard()).collect();
        let last = heard.iter().flatten().map(|heard| heard.at).max();
        let is_new =
            |heard: &Heard| last.is_some_and(|last| last.duration_since(heard.at) < Self::TOGETHER);
        heard.into_iter().map(|heard| heard.filter(is_new).map(|heard| heard.ahead)).collect()
    }

    fn heard(&self) -> Option<Heard> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, ahead: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.map(|known| known.ahead);
        let same = before.filter(|before| (before - ahead).abs() <= Self::JITTER);
        *known = Some(Heard { ahead: same.unwrap_or(ahead), at: instant() });
    }
}

/// When a request was sent, by this machine's clock, Unix seconds.
#[derive(Debug)]
struct Sent(i64);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

fn clock(components: &RuntimeComponents) -> Option<i64> {
    components.time_source().map(|clock| DateTime::from(clock.now()).secs())
}

/// An answer's `Date` between its request and its arrival is no skew, however far the two
/// are apart.
fn skew(sent: i64, theirs: i64, arrived: i64) -> i64 {
    if theirs < sent { sent - theirs } else { (arrived - theirs).min(0) }
}

#[dyn_dispatch_hint]
impl Intercept for Skew {
    fn name(&self) -> &'static str {
        "Skew"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(now) = clock(components) {
            bag.interceptor_state().store_put(Sent(now));
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let (sent, arrived) = (bag.load::<Sent>(), clock(components));
        if let (Some(Sent(sent)), Some(theirs), Some(arrived)) = (sent, date, arrived) {
            self.enter(skew(*sent, theirs.secs(), arrived));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        for (sent, theirs, arrived, ahead) in
            [(100, 100, 100, 0), (100, 130, 160, 0), (400, 100, 401, 300), (100, 400, 101, -299)]
        {
            assert_eq!(skew(sent, theirs, arrived), ahead, "{sent} {theirs} {arrived}");
        }
    }
}
