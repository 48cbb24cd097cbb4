//! What a scenario can say: its load balancers, where their targets run, other gateways, and
//! what goes wrong when. The scenarios themselves are in [`crate::library`].

pub(crate) mod gateway;
pub(crate) mod host;
pub(crate) mod plan;
pub(crate) mod script;
