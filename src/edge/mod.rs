//! The edges: one file for each neighbour of the program. Only these touch the world. They
//! know the types of [`nearmiss_core`] and their own section of the config, and none of
//! them knows a sibling - except [`aws`], [`net`] and [`time`], the ground on which the
//! others stand.

pub mod aws;
pub mod control;
pub mod evidence;
pub mod exporter;
pub mod hops;
pub mod host;
pub mod http;
pub mod log;
pub mod net;
pub mod nginx;
pub mod probe;
pub mod systemd;
pub mod time;
