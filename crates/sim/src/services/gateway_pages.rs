//! What services that describe gateways have in common: whose they are, and pages.

use crate::scenario::gateway::Kind;
use crate::services::Call;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::{Gateway, World};

/// The gateways of a kind that the caller's account has at the time of the call, in the
/// region of the call.
pub(crate) fn present<'a>(
    world: &'a World,
    call: &Call,
    of: impl Fn(Kind) -> bool,
) -> Vec<&'a Gateway> {
    let minute = world.minute(call.now);
    let all = world.gateways.iter().filter(|one| of(one.plan.kind));
    let own = all.filter(|one| one.account == call.account && one.life.contains(&minute));
    own.collect()
}

/// Names of the fields that make pages.
pub(crate) struct Pages {
    /// Field of the list.
    pub(crate) list: &'static str,
    /// Parameter that limits a page, what it is without one, and the most it may be.
    pub(crate) limit: (&'static str, i64, i64),
    /// Whether more than the most is cut instead of refused.
    pub(crate) cut: bool,
    /// Parameter that asks for a further page, and the field that tells of it.
    pub(crate) token: (&'static str, &'static str),
    /// How a wrong parameter is refused.
    pub(crate) refusal: &'static str,
}

impl Pages {
    /// Cuts a page out of a list, and writes what is on it.
    pub(crate) fn cut<T>(&self, input: Input, all: &[T], write: impl Fn(&T) -> Value) -> Reply {
        let wrong = |message: String| Failure::new(400, self.refusal, message);
        let (name, usual, most) = self.limit;
        // Some of these services take numbers as text and others as numbers.
        let asked = input.integer(name)?.unwrap_or(usual);
        if asked < 1 || (asked > most && !self.cut) {
            return Err(wrong(format!("{name} must be between 1 and {most}")));
        }
        let from = match input.text(self.token.0)? {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|from| from.parse::<usize>().ok())
                .filter(|from| *from < all.len())
                .ok_or_else(|| wrong(format!("Invalid {}: {token}", self.token.0)))?,
        };
        let until = (from + asked.min(most) as usize).min(all.len());
        let items = all[from..until].iter().map(write).collect();
        let more = (until < all.len()).then(|| (self.token.1, format!("page-{until}").into()));
        Ok(Value::record([(self.list, Value::List(items))]).with(more))
    }
}

/// The tags of a gateway as a map.
pub(crate) fn tag_map(one: &Gateway) -> Value {
    Value::Map(one.tags.clone())
}

/// The tags of a gateway as a list of keys and values.
pub(crate) fn tag_list(one: &Gateway) -> Vec<Value> {
    let tag = |(key, value): &(String, String)| {
        Value::record([("Key", key.as_str().into()), ("Value", value.as_str().into())])
    };
    one.tags.iter().map(tag).collect()
}
