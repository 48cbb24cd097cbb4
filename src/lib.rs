//! nearmiss warns people that their AWS load balancers are about to answer 504, before they
//! do, and says why.
//!
//! A poll is a function. Everything before [`nearmiss_core::assess()`] fetches a
//! [`Snapshot`](nearmiss_core::series::snapshot::Snapshot); everything after it acts on a
//! [`Report`](nearmiss_core::Report). Only the [`edge`]s touch the world, and what is
//! remembered between polls is one [`GatewayState`](nearmiss_core::state::GatewayState) per
//! gateway.
//!
//! - [`nearmiss_core`] is the analysis: no IO, no clock, nothing that can fail.
//! - [`nearmiss_sim`] is an AWS to try it against, and knows nothing of the rest.
//! - An [`edge`] knows the core, its section of the config ([`settings`]) and the ground that
//!   all stand on ([`edge::aws`], [`edge::net`], [`edge::time`]), but no sibling.
//! - A [`sink`] takes notifications; its section of the config is a type of its own.
//! - [`daemon`] is the loop that joins them; the other modules are what the commands do.
//!
//! `ARCHITECTURE.md` has the map, the data flow of a poll, the invariants, the decisions
//! and why they were made, and how to add a detector, a cause, a command and the like.

pub mod backtest;
pub mod chain;
pub mod check;
pub mod config;
pub mod cost;
pub mod daemon;
pub mod demo;
pub mod diagnose;
pub mod edge;
pub mod exit;
pub mod inventory;
pub mod metrics;
pub mod policy;
pub mod probe;
pub mod report;
pub mod settings;
pub mod silence;
pub mod sink;
pub mod source;
pub mod store;
