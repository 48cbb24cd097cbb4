//! The probe against real peers on loopback.

mod peer;
mod report;
mod tls;
mod wire;
