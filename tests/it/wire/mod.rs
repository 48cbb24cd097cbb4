//! The daemon, and commands, against a simulated AWS over HTTP.
//!
//! These tests are the dear ones: what a made-up snapshot can show belongs beside the code
//! instead. A story is run once, and looked at by as many assertions as it has something
//! to say about; each test says what only the wire can show.

mod cloudwatch;
mod commands;
mod deadlines;
mod delivery;
mod diagnosis;
mod processes;
mod stories;
mod watched;
mod world;

pub(crate) use world::START;
