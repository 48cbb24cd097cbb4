//! How AWS speaks: protocols and documents.

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
