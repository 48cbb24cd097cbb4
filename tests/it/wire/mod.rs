//! The daemon, and commands, against a simulated AWS over HTTP.
//!
//! These tests are the expensive ones: what a made-up snapshot can show belongs beside the
//! code instead. A story is run once, and checked by as many assertions as there is
//! something to check; each test says what only the wire can show.

mod cloudwatch;
mod commands;
mod deadlines;
mod delivery;
mod diagnosis;
mod functions;
mod processes;
mod stories;
mod watched;
mod world;

pub(crate) use world::START;
