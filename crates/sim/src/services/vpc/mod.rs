//! Networks and what is in them, as EC2, ECS and Elastic Load Balancing describe them.
//!
//! In one place, so that what one of them says of an address or a security group is what
//! the others say.

pub(crate) mod firewall;
pub(crate) mod members;
pub(crate) mod network;
