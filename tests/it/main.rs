//! Everything that is tested from outside, in one binary.

mod architecture;
mod cli;
mod config_errors;
mod counting;
mod documents;
mod http;
mod messages;
mod scenarios;
mod world;
