//! The network that EC2, ECS and the load balancers describe alike.

pub(crate) mod firewall;
pub(crate) mod members;
pub(crate) mod network;
