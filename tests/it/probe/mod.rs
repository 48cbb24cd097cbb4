//! The probe against real peers on loopback.

mod peer;
mod proxy;
mod report;
mod tls;
mod wire;
