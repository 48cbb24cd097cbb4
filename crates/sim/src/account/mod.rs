//! The simulated account: what exists in it.

pub(crate) mod world;
