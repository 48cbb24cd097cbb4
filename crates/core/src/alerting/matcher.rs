//! Which alerts match: by gateway, kind, tags and rules.
//!
//! Routes, silences and maintenance windows all use it; what each of them asks of the
//! severity is its own.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alerting::episode::{Episode, TrackedEpisode};
use crate::detect::Rule;
use crate::gateway::{Gateway, Kind};
use crate::pattern::{Pattern, Tags};

/// What an alert is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Which gateway.
    pub gateway: &'a Gateway,
    /// Which episode of it.
    pub episode: &'a Episode,
}

impl<'a> Subject<'a> {
    /// What a record is about.
    #[must_use]
    pub fn of(record: &'a TrackedEpisode) -> Self {
        Self { gateway: &record.gateway, episode: &record.episode }
    }
}

/// All alerts that match each of the criteria that are given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Matcher {
    /// The gateway's name, or its CloudWatch dimension value.
    pub gateway: Option<Pattern>,
    /// What the gateway is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Tags of the gateway: all of them.
    pub tags: Tags,
    /// Rules: one of them at least is the episode's.
    pub rules: BTreeSet<Rule>,
}

impl Matcher {
    /// Whether an alert matches.
    #[must_use]
    pub fn fits(&self, subject: Subject<'_>) -> bool {
        let has_rule = self.rules.iter().any(|rule| subject.episode.rules.contains_key(rule));
        self.means(subject.gateway) && (self.rules.is_empty() || has_rule)
    }

    /// Whether an alert matches with all of its rules: what is muted hides nothing else.
    #[must_use]
    pub fn covers(&self, subject: Subject<'_>) -> bool {
        let mut rules = subject.episode.rules.keys();
        let all = self.rules.is_empty() || rules.all(|rule| self.rules.contains(rule));
        self.means(subject.gateway) && all
    }

    /// Whether alerts of a gateway can match.
    #[must_use]
    pub fn means(&self, gateway: &Gateway) -> bool {
        let named = |pattern: &Pattern| {
            pattern.fits(&gateway.id.name) || pattern.fits(&gateway.id.dimension)
        };
        self.gateway.as_ref().is_none_or(named)
            && self.kind.is_none_or(|kind| kind == gateway.id.kind)
            && self.tags.fit(&gateway.tags)
    }
}

/// As a person would say it.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.gateway.as_ref().map_or("*", Pattern::as_str))?;
        if let Some(kind) = self.kind {
            write!(f, ", kind {}", kind.name())?;
        }
        if !self.tags.is_empty() {
            write!(f, ", {}", self.tags)?;
        }
        self.rules.iter().try_for_each(|rule| write!(f, ", {rule}"))
    }
}
