//! Everything that is tested from outside, in one binary.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A story holds a daemon and a world, and each test has a thread of its own.
#![allow(clippy::large_futures)]

mod chain_cli;
mod chain_config;
mod cli;
mod config_errors;
mod documents;
mod environment;
mod every_command;
mod probe;
mod program;
mod state;
mod wire;
