//! What time it is at AWS.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;

/// How far this machine's clock is from AWS's, from the `Date` header of each
/// answer. As an interceptor of a client it listens; everybody else reads.
#[derive(Debug, Clone, Default)]
pub struct Skew(Arc<Mutex<Option<i64>>>);

impl Skew {
    /// Less than this is no news, seconds.
    const JITTER: i64 = 15;

    /// Seconds that this clock is ahead of AWS's (behind, if negative); `None`
    /// while AWS has not said what time it is.
    #[must_use]
    pub fn seconds(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, ahead: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none_or(|known| (known - ahead).abs() > Self::JITTER) {
            *known = Some(ahead);
        }
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

/// An answer's `Date` between its request and its arrival is no skew, however long
/// the two are apart.
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
