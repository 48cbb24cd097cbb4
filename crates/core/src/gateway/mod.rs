//! What is watched: a gateway, and where CloudWatch keeps each of its signals.

pub mod bounds;
pub mod evidence;
pub mod kind;
pub mod metrics;
pub mod polling;
pub mod signal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use kind::Dated;
pub use kind::{Detail, Kind};

/// Which gateway, for people and for metric labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// What it is.
    #[serde(default)]
    pub kind: Kind,
    /// Its name, for people: no part of what it is known by.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// The account that owns it; empty where only a dimension value is known.
    pub account: String,
    /// Its CloudWatch dimension value, such as `app/web/50dc6c495c0c9188`; see
    /// [`kind::KindSpec::dimensions_of`].
    pub dimension: String,
}

impl Identity {
    /// The gateway with this dimension value, under the name that is in it.
    #[must_use]
    pub fn new(kind: Kind, region: &str, account: &str, dimension: &str) -> Self {
        Self {
            kind,
            name: (kind.spec().forms.name)(dimension).to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            dimension: dimension.to_owned(),
        }
    }

    /// A key that is unique over kinds, accounts and Regions, and stable over restarts.
    /// That of a load balancer has no kind: older states know it by that key.
    #[must_use]
    pub fn key(&self) -> String {
        let Self { kind, region, account, dimension, .. } = self;
        let known_by = if *kind == Kind::Alb { String::new() } else { format!("{}:", kind.name()) };
        format!("{known_by}{region}/{account}/{dimension}")
    }

    /// The identity of a key; a part that it lacks is empty.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let of_prefix =
            |kind: Kind| Some((kind, key.strip_prefix(kind.name())?.strip_prefix(':')?));
        let found = Kind::ALL.into_iter().find_map(of_prefix);
        let (kind, rest) = found.unwrap_or((Kind::Alb, key));
        let mut parts = rest.splitn(3, '/');
        let mut next = || parts.next().unwrap_or_default();
        let (region, account, dimension) = (next(), next(), next());
        Self::new(kind, region, account, dimension)
    }

    /// What the keys of all gateways that are or were this one under its name begin with:
    /// one that is deleted and created again has another dimension value. `None` where a
    /// dimension value lasts.
    #[must_use]
    pub fn lasting_key(&self) -> Option<String> {
        let lasting = (self.kind.spec().forms.lasting)(&self.dimension)?;
        Some(Self { dimension: format!("{lasting}/"), ..self.clone() }.key())
    }

    /// Its ARN, where the account is known.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        let Self { kind, region, account, dimension, .. } = self;
        (!account.is_empty()).then(|| kind.spec().arn(region, account, dimension))
    }
}

/// The limit after which a gateway answers 504, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timeout {
    /// The limit in force for every comparison, seconds; above zero.
    pub seconds: f64,
    /// What the gateway itself is set to, seconds, where AWS was asked.
    #[serde(rename = "idle_timeout")]
    pub at_aws: Option<f64>,
}

impl Timeout {
    /// Whether the gateway itself waits longer.
    #[must_use]
    pub fn is_below_the_gateways_own(&self) -> bool {
        self.at_aws.is_some_and(|own| own > self.seconds)
    }

    /// What the gateway has, when it is not what the config says.
    #[must_use]
    pub fn mismatch(&self) -> Option<f64> {
        self.at_aws.filter(|own| (own - self.seconds).abs() > 1e-9)
    }
}

/// One watched gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Which one.
    pub id: Identity,
    /// When it gives up.
    pub timeout: Timeout,
    /// The near ratio `f`, between 0 and 1: an answer later than `f * timeout`
    /// is a near miss.
    pub near: f64,
    /// How much of its latency is read.
    pub detail: Detail,
    /// Its tags, where the config asks for any.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Gateway {
    /// `f * T`, seconds.
    #[must_use]
    pub fn near_seconds(&self) -> f64 {
        self.near * self.timeout.seconds
    }

    /// How many minutes later than others its minutes are complete: a request that
    /// CloudWatch dates by its start may still end in a timeout.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // timeouts are days at the most
    pub fn extra_delay(&self) -> i64 {
        match self.id.kind.spec().dated {
            Dated::AtItsEnd => 0,
            Dated::AtItsStart => (self.timeout.seconds / 60.0).ceil() as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Stat;

    /// A gateway for tests.
    fn gateway(timeout: f64, near: f64) -> Gateway {
        Gateway {
            id: Identity::new(
                Kind::Alb,
                "eu-central-1",
                "111122223333",
                "app/web/50dc6c495c0c9188",
            ),
            timeout: Timeout { seconds: timeout, at_aws: None },
            near,
            detail: Detail::Figures,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn bounds_are_spelled_as_cloudwatch_reads_them() {
        for (timeout, near, spelled) in [
            (60.0, 0.8, "TC(48:60)"),
            (35.0, 0.8, "TC(28:35)"),
            (1.0, 0.8, "TC(0.8:1)"),
            (0.1, 0.333, "TC(0.033:0.1)"),
            (4000.0, 0.95, "TC(3800:4000)"),
        ] {
            assert_eq!(Stat::CountNearTimeout.spelled_for(&gateway(timeout, near)), spelled);
        }
    }

    #[test]
    fn a_key_says_whose_it_is() {
        let id = gateway(60.0, 0.8).id;
        assert_eq!(id.key(), "eu-central-1/111122223333/app/web/50dc6c495c0c9188");
        assert_eq!(id.name, "web");
        assert_eq!(Identity::of_key(&id.key()), id);
        let odd = Identity::of_key("eu-central-1//web");
        assert_eq!((odd.name.as_str(), odd.account.as_str()), ("web", ""));
        assert_eq!(Identity::of_key("").key(), "//");
    }

    #[test]
    fn a_load_balancer_that_is_made_anew_has_a_key_that_begins_as_before() {
        let id = gateway(60.0, 0.8).id;
        let lasting = id.lasting_key().unwrap();
        assert_eq!(lasting, "eu-central-1/111122223333/app/web/");
        assert!(id.key().starts_with(&lasting));
    }

    #[test]
    fn a_gateway_of_an_older_state_is_a_load_balancer() {
        let older = serde_json::json!({
            "id": {
                "name": "web",
                "region": "eu-central-1",
                "account": "111122223333",
                "dimension": "app/web/50dc6c495c0c9188",
            },
            "kind": "alb",
            "timeout": { "seconds": 60.0, "idle_timeout": null },
            "near": 0.8,
            "detail": "figures",
        });
        assert_eq!(serde_json::from_value::<Gateway>(older).unwrap(), gateway(60.0, 0.8));
    }
}
