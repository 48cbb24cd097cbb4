//! `[[gateway]]`: which gateways to watch, with which identity and timeout.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::settings::names::{RoleArn, Selector, region};
use nearmiss_core::gateway::bounds;
use nearmiss_core::gateway::{Detail, Kind};
use nearmiss_core::number::quantity::{Ratio, Span};
use nearmiss_core::pattern::Tags;

/// `[[gateway]]`: one gateway, or all that match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawSelection")]
pub struct Selection {
    /// What kind of gateway.
    pub kind: Kind,
    /// Which ones, by name or identity.
    pub selector: Selector,
    /// Which ones, by tags: all of these must be there.
    pub tags: Tags,
    /// Which of them are excluded.
    pub exclude: Vec<Exclusion>,
    /// Their Region; `None` for the one of the standard AWS chain.
    pub region: Option<String>,
    /// The role to read them with; `None` for the daemon's own identity.
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    pub external_id: Option<String>,
    /// The account whose metrics are read from a monitoring account, by CloudWatch
    /// cross-account observability; `None` to read them in the account of the gateways.
    pub monitored_account: Option<String>,
    /// Where the timeout comes from.
    pub timeout: TimeoutSetting,
    /// The near ratio.
    pub near: Ratio,
    /// Which latency figures are read.
    pub detail: Detail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSelection {
    #[serde(default)]
    kind: Kind,
    #[serde(rename = "load_balancer", alias = "name")]
    selector: Option<Selector>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    exclude: Vec<Exclusion>,
    #[serde(default, deserialize_with = "region")]
    region: Option<String>,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    monitored_account: Option<String>,
    #[serde(default)]
    timeout: TimeoutSetting,
    #[serde(default = "near_default")]
    near: Ratio,
    #[serde(default)]
    histogram: bool,
}

fn near_default() -> Ratio {
    Ratio::try_from(0.8).unwrap_or_else(|_| unreachable!("0.8 is a ratio"))
}

impl TryFrom<RawSelection> for Selection {
    type Error = String;

    fn try_from(raw: RawSelection) -> Result<Self, String> {
        if raw.selector.is_none() && raw.tags.is_empty() {
            return Err("expected load_balancer = \"...\" (an ARN, a name or a pattern) or tags = { key = \"value\" }, found neither".into());
        }
        if raw.external_id.is_some() && raw.role_arn.is_none() {
            return Err("expected role_arn beside external_id: it is the role's condition".into());
        }
        if !(0.01..=0.99).contains(&raw.near.get()) {
            return Err(format!("expected near from 0.01 to 0.99, found {}", raw.near.get()));
        }
        if raw.histogram && bounds::bound_at(raw.near.get()).is_none() {
            return Err(format!(
                "expected near to be a bucket bound ({}) beside histogram = true, found {}",
                bounds::BOUNDS[..bounds::BOUNDS.len() - 1]
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                raw.near.get()
            ));
        }
        if let Some(account) = &raw.monitored_account
            && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(format!(
                "expected monitored_account to be an account id (twelve digits), found \"{account}\""
            ));
        }
        let selector = raw.selector.map_or_else(|| Selector::try_from("*".to_owned()), Ok)?;
        if !selector.can_be(raw.kind) {
            let title = raw.kind.spec().words.title;
            return Err(format!("expected an {title}, as kind says, found \"{selector}\""));
        }
        if !raw.exclude.is_empty() && !matches!(selector, Selector::Name(_)) {
            let one = raw.kind.spec().words.one;
            return Err(format!(
                "expected exclude beside a name, a pattern or tags, found it beside one {one} alone"
            ));
        }
        let region = match (&selector, raw.region) {
            (Selector::Arn(arn), Some(region)) if arn.region != region => {
                return Err(format!(
                    "expected region = \"{}\", which is the ARN's, or none, found \"{region}\"",
                    arn.region
                ));
            }
            (Selector::Arn(arn), _) => Some(arn.region.clone()),
            (_, region) => region,
        };
        Ok(Self {
            kind: raw.kind,
            selector,
            tags: raw.tags,
            exclude: raw.exclude,
            region,
            role_arn: raw.role_arn,
            external_id: raw.external_id,
            monitored_account: raw.monitored_account,
            timeout: raw.timeout,
            near: raw.near,
            detail: if raw.histogram { Detail::Histogram } else { Detail::Figures },
        })
    }
}

impl Selection {
    /// Whether the config describes it in full, so that no inventory need be asked: the
    /// dimension value, and the timeout.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        let known = matches!(self.selector, Selector::Arn(_) | Selector::Dimension(_));
        known && self.tags.is_empty() && matches!(self.timeout, TimeoutSetting::Fixed(_))
    }

    /// Whether it takes tags to know which gateways it means.
    #[must_use]
    pub fn needs_tags(&self) -> bool {
        !self.tags.is_empty() || self.exclude.iter().any(|one| !one.tags.is_empty())
    }

    /// Whether it means a gateway, going by the tags alone. A gateway whose tags are not
    /// known is meant only if no tags are required.
    #[must_use]
    pub fn has_tags(&self, tags: Option<&BTreeMap<String, String>>) -> bool {
        self.tags.is_empty() || tags.is_some_and(|tags| self.tags.fit(tags))
    }
}

/// As a person would name it.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind.spec().words.key, self.selector)?;
        if !self.tags.is_empty() {
            write!(f, ", {}", self.tags)?;
        }
        for (number, one) in self.exclude.iter().enumerate() {
            f.write_str(if number == 0 { " but " } else { ", " })?;
            write!(f, "{one}")?;
        }
        Ok(())
    }
}

/// One entry of `exclude`: a name, a pattern, an ARN or a dimension value, or a table
/// with `load_balancer`, `tags` or both.
#[derive(Debug, Clone)]
pub struct Exclusion {
    selector: Option<Selector>,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExclusion {
    #[serde(rename = "load_balancer", alias = "name")]
    selector: Option<Selector>,
    #[serde(default)]
    tags: Tags,
}

impl Exclusion {
    /// Which gateways, by name or identity.
    #[must_use]
    pub fn selector(&self) -> Option<&Selector> {
        self.selector.as_ref()
    }

    /// Whether it excludes a gateway with this name, dimension value and tags. A gateway
    /// whose tags are not known is not excluded by them: to watch too much is better than
    /// to be blind.
    #[must_use]
    pub fn leaves_out(
        &self,
        name: &str,
        dimension: &str,
        tags: Option<&BTreeMap<String, String>>,
    ) -> bool {
        let is_named = self.selector.as_ref().is_none_or(|one| one.matches(name, dimension));
        is_named && (self.tags.is_empty() || tags.is_some_and(|tags| self.tags.fit(tags)))
    }
}

impl<'de> Deserialize<'de> for Exclusion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = Exclusion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, a pattern, an ARN, or { tags = { key = \"value\" } }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Exclusion, E> {
                let selector = Selector::try_from(text.to_owned()).map_err(E::custom)?;
                Ok(Exclusion { selector: Some(selector), tags: Tags::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Exclusion, A::Error> {
                let raw = RawExclusion::deserialize(MapAccessDeserializer::new(map))?;
                let RawExclusion { selector, tags } = raw;
                if selector.is_none() && tags.is_empty() {
                    return Err(serde::de::Error::custom(
                        "expected load_balancer or tags, found neither: that would leave out everything",
                    ));
                }
                Ok(Exclusion { selector, tags })
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Some(selector) if self.tags.is_empty() => write!(f, "not \"{selector}\""),
            Some(selector) => write!(f, "not \"{selector}\" with {}", self.tags),
            None => write!(f, "not those with {}", self.tags),
        }
    }
}

/// `timeout`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum TimeoutSetting {
    /// The gateway's own, followed when it changes.
    #[default]
    Auto,
    /// This one, whatever the gateway says.
    Fixed(Span),
}

impl TryFrom<String> for TimeoutSetting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match Span::try_from(text) {
            Ok(span) if span.get().as_secs() == 0 => {
                Err("expected a timeout of at least 1s".into())
            }
            Ok(span) => Ok(Self::Fixed(span)),
            Err(problem) => Err(format!("{problem}; or \"auto\"")),
        }
    }
}
