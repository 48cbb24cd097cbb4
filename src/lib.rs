//! nearmiss
pub mod analysis;
pub mod check;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod discovery;
pub mod edge;
pub mod policy;
pub mod sim;
