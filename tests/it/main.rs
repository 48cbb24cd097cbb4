//! Everything that is tested from outside, in one binary.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod architecture;
mod backtest;
mod cli;
mod config_errors;
mod counting;
mod documents;
mod faults;
mod http;
mod made_up;
mod messages;
mod program;
mod properties;
mod rules;
mod scenarios;
mod world;
