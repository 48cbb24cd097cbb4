//! The analysis: what a minute of a gateway means, and whether to notify.
//!
//! Pure: no IO, no clock, no log, and nothing that can fail. Missing data is a value.
//! [`assess()`] is the only way in: everything before it fetches a
//! [`Snapshot`](series::snapshot::Snapshot), everything after it acts on a [`Report`].

pub mod alerting;
pub mod answer;
pub mod assess;
pub mod capacity;
pub mod chain;
pub mod detect;
pub mod diagnose;
pub mod gateway;
pub mod late;
pub mod notification;
pub mod number;
pub mod pattern;
pub mod poll_rate;
pub mod render;
pub mod series;
pub mod state;
pub mod suggestion;
pub mod time;

pub use alerting::notice::EpisodeNotification;
pub use assess::{Report, assess};
