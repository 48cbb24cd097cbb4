//! The model: which requests end how, minute by minute, at every gateway.
//!
//! From below: `request` is one request; `scene` says what a script does in a minute,
//! `target_health` and `tasks` what follows for the targets; `arrivals` and `draft` draw
//! what arrives; `fault` strikes some of it; `queue` and `stage` let the rest wait and be
//! served; `minute` holds what ended in a minute, and `minutes` makes and keeps them all.
//! `story` and `approach` sum a whole scenario up.

pub(crate) mod approach;
pub(crate) mod arrivals;
pub(crate) mod draft;
pub(crate) mod fault;
pub(crate) mod minute;
pub(crate) mod minutes;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod scene;
pub(crate) mod stage;
pub(crate) mod story;
pub(crate) mod target_health;
pub(crate) mod tasks;
