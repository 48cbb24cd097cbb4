//! How AWS things are named in a config: gateways, roles, Regions.
//!
//! Each name checks its form when it is read, so that an error points at it.

use std::fmt;

use serde::{Deserialize, Deserializer};

use nearmiss_core::gateway::Kind;
use nearmiss_core::pattern::Pattern;

/// How a selection names gateways.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum Selector {
    /// An ARN.
    Arn(GatewayArn),
    /// A CloudWatch dimension value: `app/web/50dc6c495c0c9188`.
    Dimension(String),
    /// A name, or a pattern with `*`, `?`, `[...]` or `{a,b}`.
    Name(Pattern),
}

impl Selector {
    /// Whether a gateway with this name and dimension value is meant.
    #[must_use]
    pub fn matches(&self, name: &str, dimension: &str) -> bool {
        match self {
            Self::Arn(arn) => arn.dimension == dimension,
            Self::Dimension(value) => value == dimension,
            Self::Name(pattern) => pattern.fits(name),
        }
    }

    /// Whether it can mean a gateway of this kind.
    #[must_use]
    pub fn can_be(&self, kind: Kind) -> bool {
        match self {
            Self::Arn(arn) => arn.kind == kind,
            Self::Dimension(value) => is_dimension_of(kind, value),
            Self::Name(_) => true,
        }
    }
}

impl TryFrom<String> for Selector {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a name, a pattern or an ARN, found \"\"".into());
        }
        if text.starts_with("arn:") {
            return GatewayArn::parse(&text).map(Self::Arn);
        }
        let mut no_names =
            Kind::ALL.into_iter().filter(|kind| (kind.spec().forms.is_no_name)(&text)).peekable();
        if no_names.peek().is_none() {
            return Pattern::try_from(text).map(Self::Name);
        }
        if is_pattern(&text) {
            return Err(format!(
                "expected a pattern for names (such as \"web-*\") or a whole dimension value, found \"{text}\""
            ));
        }
        if no_names.clone().any(|kind| is_dimension_of(kind, &text)) {
            return Ok(Self::Dimension(text));
        }
        let form = |kind: Kind| {
            let spec = kind.spec();
            format!("an {} (such as \"{}\")", spec.words.title, spec.forms.dimension)
        };
        let forms = no_names.map(form).collect::<Vec<_>>().join(" or of ");
        Err(format!("expected the dimension value of {forms}, found \"{text}\""))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => f.write_str(&arn.text),
            Self::Dimension(value) => f.write_str(value),
            Self::Name(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

fn is_dimension_of(kind: Kind, text: &str) -> bool {
    !is_pattern(text) && (kind.spec().forms.is_dimension)(text)
}

/// Whether it has the form of a Region's name.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let is_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(is_one)
}

/// Reads a Region.
///
/// # Errors
/// When it does not have that form.
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

/// The ARN of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayArn {
    /// As written.
    pub text: String,
    /// Its kind.
    pub kind: Kind,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its CloudWatch dimension value.
    pub dimension: String,
}

impl GatewayArn {
    /// Reads `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, where service and resource
    /// are those of a kind.
    ///
    /// # Errors
    /// What was expected and what was found instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", _, service, region, account, resource] = parts[..] else {
            return Err(not_an_arn(text));
        };
        let of_kind = |kind: Kind| {
            let forms = &kind.spec().forms;
            let dimension = resource.strip_prefix(forms.arn_resource)?;
            let fits = service == forms.arn_service && is_dimension_of(kind, dimension);
            fits.then_some((kind, dimension))
        };
        let found = Kind::ALL.into_iter().find_map(of_kind);
        let (kind, dimension) = found
            .filter(|_| is_region(region) && !account.is_empty())
            .ok_or_else(|| not_an_arn(text))?;
        Ok(Self {
            text: text.to_owned(),
            kind,
            region: region.to_owned(),
            account: account.to_owned(),
            dimension: dimension.to_owned(),
        })
    }
}

fn not_an_arn(text: &str) -> String {
    let example = |kind: Kind| {
        let spec = kind.spec();
        format!("\"{}\"", spec.arn("eu-central-1", "111122223333", spec.forms.dimension))
    };
    let examples = Kind::ALL.map(example).join(" or ");
    format!("expected an ARN such as {examples}, found \"{text}\"")
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
