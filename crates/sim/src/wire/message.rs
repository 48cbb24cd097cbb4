//! A request and an answer, without the HTTP library that carries them.
//!
//! This is what tests that need no connection begin and end with.

use std::collections::BTreeMap;

use crate::wire::ending::Ending;

/// A request as far as the services care.
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What stands behind the question mark.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An answer ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) ending: Ending,
    /// How long it is held back, milliseconds.
    pub(crate) held: u64,
}
