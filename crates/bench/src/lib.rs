//! How well the rules do on the simulator's worlds: `cargo bench -p nearmiss-bench`.
//!
//! A package of its own, because it needs the core and the simulator together, and neither
//! may have to build the other for its tests.
