//! How AWS things are named in a config: load balancers, roles, Regions.
//!
//! Each name checks its form when it is read, so that an error points at it.

use std::fmt;

use serde::{Deserialize, Deserializer};

use nearmiss_core::pattern::Pattern;

/// How `load_balancer` names what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum LoadBalancer {
    /// An ARN.
    Arn(LoadBalancerArn),
    /// A CloudWatch dimension value: `app/web/50dc6c495c0c9188`.
    Dimension(String),
    /// A name, or a pattern with `*`, `?`, `[...]` or `{a,b}`.
    Name(Pattern),
}

impl LoadBalancer {
    /// Whether a load balancer with this name and dimension value is meant.
    #[must_use]
    pub fn matches(&self, name: &str, dimension: &str) -> bool {
        match self {
            Self::Arn(arn) => arn.dimension == dimension,
            Self::Dimension(value) => value == dimension,
            Self::Name(pattern) => pattern.fits(name),
        }
    }
}

impl TryFrom<String> for LoadBalancer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return LoadBalancerArn::parse(&text).map(Self::Arn);
        }
        if text.contains('/') {
            return dimension(&text).map(|value| Self::Dimension(value.to_owned()));
        }
        if text.is_empty() {
            return Err("expected a name, a pattern or an ARN, found \"\"".into());
        }
        Pattern::try_from(text).map(Self::Name)
    }
}

impl fmt::Display for LoadBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => f.write_str(&arn.text),
            Self::Dimension(value) => f.write_str(value),
            Self::Name(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

/// `app/<name>/<id>`, or why not.
fn dimension(text: &str) -> Result<&str, String> {
    match text.split('/').collect::<Vec<_>>()[..] {
        ["app", name, id] if !name.is_empty() && !id.is_empty() && !is_pattern(text) => Ok(text),
        ["app", ..] if is_pattern(text) => Err(format!(
            "expected a pattern for names (such as \"web-*\") or a whole dimension value, found \"{text}\""
        )),
        _ => Err(format!(
            "expected the dimension value of an Application Load Balancer (such as \"app/web/50dc6c495c0c9188\"), found \"{text}\""
        )),
    }
}

/// Whether it is spelled like a Region.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let is_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(is_one)
}

/// Reads a Region.
///
/// # Errors
/// When it is not spelled like one.
pub fn region<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if is_region(&text) {
        return Ok(Some(text));
    }
    let said = format!("expected a Region (such as \"eu-central-1\"), found \"{text}\"");
    Err(serde::de::Error::custom(said))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The ARN of an Application Load Balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancerArn {
    /// As written.
    pub text: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its CloudWatch dimension value.
    pub dimension: String,
}

impl LoadBalancerArn {
    /// Reads `arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID`.
    ///
    /// # Errors
    /// What was expected and what was found instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let tail = parts.get(5).and_then(|tail| tail.strip_prefix("loadbalancer/"));
        match (&parts[..], tail.map(dimension)) {
            (["arn", _, "elasticloadbalancing", region, account, _], Some(Ok(dimension)))
                if is_region(region) && !account.is_empty() =>
            {
                Ok(Self {
                    text: text.to_owned(),
                    region: (*region).to_owned(),
                    account: (*account).to_owned(),
                    dimension: dimension.to_owned(),
                })
            }
            _ => Err(format!(
                "expected an ARN such as \"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188\", found \"{text}\""
            )),
        }
    }
}

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RoleArn(String);

impl RoleArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoleArn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "iam", "", account, role]
                if !account.is_empty() && role.starts_with("role/") =>
            {
                Ok(Self(text))
            }
            _ => Err(format!(
                "expected a role's ARN (such as \"arn:aws:iam::111122223333:role/nearmiss\"), found \"{text}\""
            )),
        }
    }
}
