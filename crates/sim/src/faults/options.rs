//! What is no fault but can be chosen in the same text: how many gateways there are, and what
//! AWS documents nowhere.
//!
//! Where nobody knows what AWS does, what is harder for a watcher is the default.

use crate::catalog::NAMESPACES;

/// Functions a simulator may have at most.
const MAX_FUNCTIONS: usize = 2_000;

/// The choices; the default is what is harder for a watcher.
#[allow(clippy::struct_excessive_bools)] // Each is a question of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How many functions there are; the last one of the scenario is repeated.
    pub functions: Option<usize>,
    /// Namespaces that take statistics of trimmed values, besides those that AWS documents.
    pub trimmed: Vec<&'static str>,
    /// Whose requests leave a sample of the latency when they time out.
    pub sampled: Vec<Sampled>,
    /// Whether the dimension of a VPC Lattice service is its name and not its id.
    pub lattice_named: bool,
    /// Whether VPC Lattice publishes nothing for a minute without requests, instead of zeros.
    pub lattice_silent: bool,
    /// Whether ECS Service Connect publishes response times in seconds.
    pub connect_seconds: bool,
    /// Whether `OriginLatency` has statistics that are no percentiles.
    pub origin_statistics: bool,
    /// Another custom metric than that of the scenario.
    pub custom: Option<CustomMetric>,
}

/// Kinds of latency of which nobody knows whether timed-out requests leave a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// `IntegrationLatency` of REST APIs and HTTP APIs.
    Integration,
    /// `Latency` of HTTP APIs.
    HttpApi,
    /// `OriginLatency` of distributions.
    CloudFront,
    /// `RequestTime` of VPC Lattice.
    Lattice,
    /// `TargetResponseTime` of ECS Service Connect.
    Connect,
    /// A custom metric.
    Custom,
}

impl Sampled {
    const WORDS: [(&'static str, Self); 6] = [
        ("integration", Self::Integration),
        ("http_api", Self::HttpApi),
        ("cloudfront", Self::CloudFront),
        ("lattice", Self::Lattice),
        ("connect", Self::Connect),
        ("custom", Self::Custom),
    ];
}

/// A metric of response times that somebody publishes himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomMetric {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub metric: String,
    /// `Seconds` or `Milliseconds`.
    pub unit: String,
    /// Whether it is published as statistic sets, which have no percentiles.
    pub sets: bool,
    /// Names and values of its dimensions.
    pub dimensions: Vec<(String, String)>,
}

impl CustomMetric {
    /// Reads `NAMESPACE|METRIC|UNIT|raw` or `NAMESPACE|METRIC|UNIT|sets`, and behind that
    /// perhaps `|NAME=VALUE;NAME=VALUE`.
    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let [namespace, metric, unit, how, rest @ ..] = &parts[..] else {
            return None;
        };
        let dimensions = match rest {
            [] => Some(Vec::new()),
            [pairs] => pairs
                .split(';')
                .map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    let whole = !name.is_empty() && !value.is_empty();
                    whole.then(|| (name.to_owned(), value.to_owned()))
                })
                .collect(),
            _ => None,
        };
        let own = !namespace.is_empty() && !namespace.starts_with("AWS/") && !metric.is_empty();
        let known = ["Seconds", "Milliseconds"].contains(unit) && ["raw", "sets"].contains(how);
        (own && known).then_some(Self {
            namespace: (*namespace).to_owned(),
            metric: (*metric).to_owned(),
            unit: (*unit).to_owned(),
            sets: *how == "sets",
            dimensions: dimensions?,
        })
    }
}

/// What an option of this name takes, if there is one.
pub(crate) fn needs(name: &str) -> Option<&'static str> {
    match name {
        "functions" => Some("a number of functions, 1 to 2000"),
        "trimmed" => Some("a namespace such as AWS/Lambda"),
        "sampled" => Some("integration, http_api, cloudfront, lattice, connect or custom"),
        "lattice_dimension" => Some("id or name"),
        "lattice_idle" => Some("zero or nothing"),
        "connect_unit" => Some("Milliseconds or Seconds"),
        "origin_statistics" => Some("percentiles or all"),
        "custom" => {
            Some("NAMESPACE|METRIC|Seconds or Milliseconds|raw or sets|NAME=VALUE;NAME=VALUE")
        }
        _ => None,
    }
}

impl Options {
    /// Takes the value of an option; nothing if it does not fit.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let either = |no: &str, yes: &str| match value {
            _ if value == no => Some(false),
            _ if value == yes => Some(true),
            _ => None,
        };
        match name {
            "functions" => {
                let count = value.parse().ok();
                self.functions = Some(count.filter(|count| (1..=MAX_FUNCTIONS).contains(count))?);
            }
            "trimmed" => {
                let known = NAMESPACES.into_iter().find(|space| space.name == value);
                self.trimmed.push(known?.name);
            }
            "sampled" => {
                let known = Sampled::WORDS.iter().find(|known| known.0 == value);
                self.sampled.push(known?.1);
            }
            "lattice_dimension" => self.lattice_named = either("id", "name")?,
            "lattice_idle" => self.lattice_silent = either("zero", "nothing")?,
            "connect_unit" => self.connect_seconds = either("Milliseconds", "Seconds")?,
            "origin_statistics" => self.origin_statistics = either("percentiles", "all")?,
            "custom" => self.custom = Some(CustomMetric::read(value)?),
            _ => return None,
        }
        Some(())
    }

    /// Whether requests that time out leave a sample of such a latency.
    pub(crate) fn samples(&self, what: Sampled) -> bool {
        self.sampled.contains(&what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Faults;

    #[test]
    fn options_are_read_with_the_faults() {
        let text = "throttle=0.1,functions=2000,trimmed=AWS/Lambda,sampled=integration,\
                    lattice_dimension=name,custom=Shop/Web|Time|Seconds|sets|Env=prod;Tier=a";
        let options = text.parse::<Faults>().expect("readable").options;
        assert_eq!((options.functions, options.lattice_named), (Some(2_000), true));
        assert_eq!(options.trimmed, ["AWS/Lambda"]);
        assert!(options.samples(Sampled::Integration) && !options.samples(Sampled::Lattice));
        let custom = options.custom.expect("given");
        assert_eq!((custom.sets, custom.dimensions.len()), (true, 2));
        assert_eq!(*"".parse::<Faults>().expect("nothing").options, Options::default());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        for text in [
            "functions=0",
            "functions=2001",
            "trimmed=AWS/Nothing",
            "sampled=alb",
            "lattice_idle=often",
            "custom=AWS/Lambda|Duration|Seconds|raw",
            "custom=Shop|Time|Days|raw",
            "custom=Shop|Time|Seconds|raw|Env",
        ] {
            let error = text.parse::<Faults>().expect_err(text).to_string();
            let name = text.split('=').next().unwrap_or("");
            assert!(error.contains(name) && error.contains(" needs "), "{error}");
        }
    }
}
