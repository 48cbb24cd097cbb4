//! The model: the requests of every load balancer, minute by minute.

pub(crate) mod arrivals;
pub(crate) mod draft;
pub(crate) mod fitness;
pub(crate) mod minute;
pub(crate) mod minutes;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod scene;
pub(crate) mod stage;
pub(crate) mod story;
pub(crate) mod strike;
pub(crate) mod tasks;
