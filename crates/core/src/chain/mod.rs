//! The timeout chain: who waits how long for whom, from the client to the
//! database, and where that order is wrong.
//!
//! Two laws make a chain right. A timeout must be longer than every timeout
//! behind it, or the outer one gives up first and the work behind it is in vain.
//! A keep-alive is the reverse: whoever accepts connections must keep them
//! longer than whoever reuses them, or a request is sent into a closed connection.
//! All here is a pure function of a [`Settings`] and of what the caller found
//! out ([`Known`]); a figure that nobody knows is asked for and never guessed.

mod advice;
mod catalogue;
mod draw;
mod figure;
mod finding;
mod hop;
mod printable;
mod product;
mod products;
mod remedy;
mod rule;
mod settings;
mod survey;

use serde::Serialize;

pub use catalogue::{Key, Row};
pub use draw::{Ink, text};
pub use figure::{
    Doubt, Figure, Known, Limit, Origin, Repeats, Said, Scope, Source, Timer, Tries, Version,
};
pub use finding::{Advice, Finding, Rule, Severity};
pub use hop::{Attempts, Contradiction, Hop, Setting};
pub use printable::{printable, printable_json};
pub use product::{Bounds, Idle, Knob, Preset, Product, Retry, Reuse, Role, Spec, Sureness};
pub use remedy::{Change, Line};
pub use settings::{AwsId, HopSettings, Settings};
pub use survey::{Place, Set, Survey, Told, Variant};

/// The hops that a request passes, client first, each with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chain {
    /// Its name in the config.
    pub name: String,
    /// The load balancer that it passes, if one is named.
    pub gateway: Option<String>,
    /// Client first; at least two.
    pub hops: Vec<Hop>,
}

impl Chain {
    /// The chain with every figure that can be known: first what the config
    /// says, then `known`, then the products' defaults.
    #[must_use]
    pub fn of(settings: &Settings, known: &[Known]) -> Self {
        let hop = |(at, hop): (usize, &HopSettings)| {
            Hop::of(hop, known.iter().filter(move |known| known.hop == at))
        };
        Self {
            name: settings.name.clone(),
            gateway: settings.gateway.clone(),
            hops: settings.hops.iter().enumerate().map(hop).collect(),
        }
    }

    /// The chain with some settings changed, as advice says.
    #[must_use]
    pub fn with<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut after = self.clone();
        for change in changes {
            if let Some(hop) = after.hops.iter_mut().find(|hop| hop.name == change.hop) {
                hop.change(change.setting);
            }
        }
        after
    }

    /// What is wrong with it, or unknown, or worth knowing.
    #[must_use]
    pub fn check(self) -> Checkup {
        let findings = advice::findings(&self);
        Checkup { chain: self, findings }
    }
}

/// A chain and what the rules say of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkup {
    /// What was looked at.
    pub chain: Chain,
    /// The worst first, then from the client inwards.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// The worst of the findings.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }
}
