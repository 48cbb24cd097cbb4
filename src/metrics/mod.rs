//! The metrics page: every family of it as one table, what a poll hands over to be shown,
//! and how that is written when somebody asks.
//!
//! - [`gateway::FAMILIES`] and [`process::FAMILIES`] are the whole list of metrics: adding
//!   one to a gateway is one row.
//! - [`Samples`] are the plain numbers of one poll. They are all that a poll hands over, so
//!   that a page which nobody asks for costs next to nothing.
//! - [`Page`] writes them in a [`Format`] and compresses them, once for all who ask.
//!
//! Nothing here depends on HTTP, or on what the config looks like.

mod column;
mod family;
pub mod gateway;
mod page;
pub mod process;
mod samples;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use family::{Family, Known};
pub use page::{Compressed, Page, Rendered, Unpacked};
pub use samples::{Options, Samples};
pub use text::Format;

/// The name of every family that can be on the page.
pub fn names() -> impl Iterator<Item = &'static str> {
    let gateways = gateway::FAMILIES.iter().map(|family| family.name);
    let process = process::FAMILIES.iter().map(|family| family.name);
    gateways.chain(process).chain(process::COLLECTED)
}
