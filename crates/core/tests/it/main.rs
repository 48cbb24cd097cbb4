//! The core from outside: what it says, when, and to whom.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chain;
mod made_up;
mod messages;
mod notify;
mod properties;
mod rules;
