//! What a single answer, or its absence, says about the hops on its way: who wrote
//! it, and whose timeout ended the wait.

pub mod phase;
pub mod speaker;
pub mod timeouts;
