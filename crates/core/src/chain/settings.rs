//! `[[chain]]`: the hops as a config names them.
//!
//! Every check is part of reading, so that an error points at the line: a single
//! value checks itself, a hop checks its keys against its product, and a chain
//! checks its hops.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::chain::figure::{Limit, Timer, Version};
use crate::chain::printable::printable;
use crate::chain::product::{Product, Role};
use crate::number::quantity::Span;

/// At most this many hops: more are a mistake.
const MAX_HOPS: usize = 20;
/// At most this many attempts: more are a mistake.
const MAX_ATTEMPTS: u32 = 100;
/// A name is shown in a column.
const LONGEST_NAME: usize = 60;

/// `[[chain]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// The load balancer that it passes, by name, if one is watched.
    pub gateway: Option<String>,
    /// Client first; at least two, with different names.
    pub hops: Vec<HopSettings>,
}

/// `[[chain.hop]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopSettings {
    /// Its name, by default its kind.
    pub name: String,
    /// What it is.
    pub product: &'static Product,
    /// What the config says of its timers.
    pub timers: Vec<(Timer, Limit)>,
    /// How often it tries the next hop, the first time included.
    pub attempts: Option<u32>,
    /// Its version, where defaults depend on it.
    pub version: Option<Version>,
    /// Where AWS can be asked about it.
    pub aws: Option<AwsId>,
}

/// What a hop is called where AWS can be asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsId {
    /// A distribution of `CloudFront` and which of its origins.
    Distribution {
        /// The distribution's id.
        id: String,
        /// The origin's id; without it, the only origin there is.
        origin: Option<String>,
    },
    /// An API of API Gateway, by id.
    Api(String),
    /// A function, by name or ARN.
    Function(String),
    /// A load balancer, by name or ARN.
    LoadBalancer(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    name: Name,
    gateway: Option<Name>,
    #[serde(rename = "hop", default)]
    hops: Vec<HopSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHop {
    kind: Kind,
    name: Option<Name>,
    connect_timeout: Option<Patience>,
    read_timeout: Option<Patience>,
    total_timeout: Option<Patience>,
    keep_alive: Option<KeepAlive>,
    upstream_keep_alive: Option<KeepAlive>,
    attempts: Option<Tries>,
    version: Option<HopVersion>,
    distribution_id: Option<Name>,
    origin_id: Option<Name>,
    api_id: Option<Name>,
    function: Option<Name>,
    load_balancer: Option<Name>,
}

/// A short text on one line.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = (1..=LONGEST_NAME).contains(&text.chars().count());
        let arn = text.starts_with("arn:") && text.len() <= 2_048;
        if (fits || arn) && printable(&text) == text && !text.trim().is_empty() {
            Ok(Self(text))
        } else {
            Err(format!("expected a name of 1 to {LONGEST_NAME} visible characters on one line"))
        }
    }
}

/// The name of a row of the table of products.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Kind(&'static Product);

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Product::find(&text).map(Self).ok_or_else(|| {
            let kinds: Vec<_> = Product::all().map(|product| product.kind).collect();
            format!(
                "expected a kind of hop ({}), found \"{}\"; `nearmiss chain --list-products` describes each",
                kinds.join(", "),
                printable(&text)
            )
        })
    }
}

/// How long something waits: a duration, or `"off"`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Patience(Limit);

impl TryFrom<String> for Patience {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(Limit::Never));
        }
        let span = Span::try_from(text).map_err(|problem| format!("{problem}; or \"off\""))?;
        Ok(Self(Limit::After(span.get())))
    }
}

/// How long an idle connection is kept: as [`Patience`], and `"0s"` for not at all.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct KeepAlive(Limit);

impl TryFrom<String> for KeepAlive {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "0s" {
            return Ok(Self(Limit::After(Duration::ZERO)));
        }
        let problem = |problem| format!("{problem}, or \"0s\" for connections that are not kept");
        Patience::try_from(text).map(|Patience(limit)| Self(limit)).map_err(problem)
    }
}

/// A version of three numbers.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct HopVersion(Version);

impl TryFrom<String> for HopVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// How often something is tried.
#[derive(Deserialize)]
#[serde(try_from = "u32")]
struct Tries(u32);

impl TryFrom<u32> for Tries {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        if (1..=MAX_ATTEMPTS).contains(&count) {
            Ok(Self(count))
        } else {
            Err(format!("expected attempts from 1 to {MAX_ATTEMPTS}, found {count}"))
        }
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Checked::<RawChain, Self>(PhantomData))
    }
}

impl<'de> Deserialize<'de> for HopSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Checked::<RawHop, Self>(PhantomData))
    }
}

/// Reads a table and checks it while it is still being read: a `try_from` of a
/// table in a list would point at the first of them.
struct Checked<Raw, Table>(PhantomData<(Raw, Table)>);

impl<'de, Raw, Table> Visitor<'de> for Checked<Raw, Table>
where
    Raw: Deserialize<'de>,
    Table: TryFrom<Raw, Error = String>,
{
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table, A::Error> {
        let raw = Raw::deserialize(MapAccessDeserializer::new(map))?;
        Table::try_from(raw).map_err(serde::de::Error::custom)
    }
}

impl TryFrom<RawChain> for Settings {
    type Error = String;

    fn try_from(raw: RawChain) -> Result<Self, String> {
        let RawChain { name: Name(name), gateway, hops } = raw;
        if !(2..=MAX_HOPS).contains(&hops.len()) {
            return Err(format!(
                "expected 2 to {MAX_HOPS} [[chain.hop]] in chain \"{name}\", found {}",
                hops.len()
            ));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = hops.iter().find(|hop| !names.insert(&hop.name)) {
            return Err(format!(
                "expected each hop of chain \"{name}\" to have its own name, found \"{}\" twice",
                twice.name
            ));
        }
        let asks = |hop: &&HopSettings| hop.product.role == Role::Client;
        if let Some(inner) = hops.iter().skip(1).find(asks) {
            return Err(format!(
                "expected a client only as the first hop of chain \"{name}\", found \"{}\" behind another",
                inner.name
            ));
        }
        Ok(Self { name, gateway: gateway.map(|Name(name)| name), hops })
    }
}

impl TryFrom<RawHop> for HopSettings {
    type Error = String;

    fn try_from(raw: RawHop) -> Result<Self, String> {
        let product = raw.kind.0;
        let patience = |limit: &Option<Patience>| limit.as_ref().map(|patience| patience.0);
        let kept = |limit: &Option<KeepAlive>| limit.as_ref().map(|kept| kept.0);
        let timers: Vec<_> = [
            (Timer::Connect, patience(&raw.connect_timeout)),
            (Timer::Read, patience(&raw.read_timeout)),
            (Timer::Total, patience(&raw.total_timeout)),
            (Timer::KeepAlive, kept(&raw.keep_alive)),
            (Timer::UpstreamKeepAlive, kept(&raw.upstream_keep_alive)),
        ]
        .into_iter()
        .filter_map(|(timer, limit)| Some((timer, limit?)))
        .collect();
        check_timers(product, &timers)?;
        let name = raw.name.as_ref().map_or_else(|| product.kind.to_owned(), |n| n.0.clone());
        let attempts = raw.attempts.as_ref().map(|tries| tries.0);
        let version = raw.version.as_ref().map(|version| version.0);
        if version.is_some() && !product.is_nginx() {
            return Err(format!("{} takes no version: only nginx does", product.kind));
        }
        Ok(Self { aws: aws_id(product, raw)?, name, product, timers, attempts, version })
    }
}

fn check_timers(product: &Product, timers: &[(Timer, Limit)]) -> Result<(), String> {
    let Some((timer, _)) = timers.iter().find(|(timer, _)| !product.takes(*timer)) else {
        return Ok(());
    };
    let has: Vec<_> =
        Timer::ALL.into_iter().filter(|t| product.takes(*t)).map(Timer::key).collect();
    Err(format!("{} has no {}; it has {}", product.kind, timer.key(), has.join(", ")))
}

/// The id, if it is one that this kind of hop has.
fn aws_id(product: &Product, raw: RawHop) -> Result<Option<AwsId>, String> {
    let RawHop { distribution_id, origin_id, api_id, function, load_balancer, .. } = raw;
    let given = [
        ("distribution_id", distribution_id.is_some()),
        ("origin_id", origin_id.is_some()),
        ("api_id", api_id.is_some()),
        ("function", function.is_some()),
        ("load_balancer", load_balancer.is_some()),
    ];
    let taken = ids_of(product.kind);
    let wrong = given.iter().find(|(key, given)| *given && !taken.contains(key));
    if let Some((key, _)) = wrong {
        let ids = if taken.is_empty() { "none".to_owned() } else { taken.join(", ") };
        return Err(format!("{} takes no {key}; ids that it takes: {ids}", product.kind));
    }
    if origin_id.is_some() && distribution_id.is_none() {
        return Err("expected distribution_id beside origin_id".into());
    }
    let origin = origin_id.map(|Name(id)| id);
    Ok(distribution_id
        .map(|Name(id)| AwsId::Distribution { id, origin })
        .or(api_id.map(|Name(id)| AwsId::Api(id)))
        .or(function.map(|Name(name)| AwsId::Function(name)))
        .or(load_balancer.map(|Name(name)| AwsId::LoadBalancer(name))))
}

/// The ids that a kind of hop takes.
pub(super) fn ids_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "cloudfront" => &["distribution_id", "origin_id"],
        "api_gateway_rest"
        | "api_gateway_rest_stream"
        | "api_gateway_http"
        | "api_gateway_websocket" => &["api_id"],
        "lambda" => &["function"],
        "alb" | "nlb" | "classic_elb" => &["load_balancer"],
        _ => &[],
    }
}
