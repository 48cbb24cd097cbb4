//! How AWS speaks: protocols and documents, without knowing what is said.
//!
//! `message` is what came and what goes; `recognise` finds out what is asked for in which
//! of the protocols, `input` reads the parameters; a reply is a `document`, and `write`
//! puts it in the form of the request.

pub(crate) mod cbor;
pub(crate) mod document;
pub(crate) mod ending;
pub(crate) mod input;
pub(crate) mod message;
pub(crate) mod paths;
pub(crate) mod protocol;
pub(crate) mod recognise;
pub(crate) mod write;
pub(crate) mod xml;
