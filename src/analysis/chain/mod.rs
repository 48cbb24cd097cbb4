//! The timeout chain: who waits how long for whom, from the client to the
//! database, and where that order is wrong.
//!
//! Two laws make a chain right. A timeout must be longer than every timeout
//! behind it, or the outer one gives up first and the work behind it is in vain.
//! A keep-alive is the reverse: whoever accepts connections must keep them
//! longer than whoever reuses them, or a request is sent into a closed door.
//! All here is a pure function of a [`Settings`] and of what the caller found
//! out ([`Known`]); a figure that nobody knows is asked for and never guessed.

mod advice;
mod draw;
mod figure;
mod hop;
mod product;
mod products;
mod rule;
mod settings;

use serde::Serialize;

pub use advice::{Advice, Line};
pub use draw::{Ink, draw, text};
pub use figure::{Figure, Known, Limit, Origin, Said, Timer};
pub use hop::{Attempts, Contradiction, Hop};
pub use product::{
    Bounds, Idle, Knob, Preset, Product, Repeats, Retry, Reuse, Role, Source, Spec, Sureness,
};
pub use rule::{Finding, Rule, Severity};
pub use settings::{AwsId, HopSettings, Settings};

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

    /// What is wrong with it, or unknown, or worth knowing.
    #[must_use]
    pub fn check(self) -> Checkup {
        let findings = rule::findings(&self);
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
