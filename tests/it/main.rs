//! Everything that is tested from outside, in one binary.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backtest;
mod chain_cli;
mod chain_config;
mod cli;
mod commands;
mod config_errors;
mod deadlines;
mod delivery;
mod diagnosis;
mod documents;
mod environment;
mod faults;
mod http;
mod orders;
mod permissions;
mod probe;
mod program;
mod scenarios;
mod state;
mod world;
