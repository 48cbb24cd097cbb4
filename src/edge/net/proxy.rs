//! Which proxy a URL is asked through, by the variables that everybody uses.
//!
//! `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` are read as curl and the AWS CLI
//! read them: in lower case before upper case, and empty is not set. hyper's matcher parses
//! a proxy's URL and a rule of `NO_PROXY`; what it ignores (a URL that it cannot read, a
//! `*` for an address, a port) is handled here.
//!
//! Link-local addresses and those of AWS's metadata services belong to this machine alone.
//! A proxy could only ask its own, and would see the credentials in the answer: they are
//! never asked through one.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;

use super::{host, port};

/// The proxies that the environment names.
#[derive(Debug, Default)]
pub struct Proxies {
    http: Option<Result<Proxy, ProxyError>>,
    https: Option<Result<Proxy, ProxyError>>,
    none_at_all: bool,
    none: Vec<Rule>,
}

/// A proxy that speaks HTTP. Its `Display` and `Debug` leave out the password.
#[derive(Clone)]
pub struct Proxy {
    url: Uri,
    authorization: Option<HeaderValue>,
}

/// A variable that does not name a usable proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is not the URL of a proxy. The value may have a password, and is not shown.
    #[error(
        "{0} is not the URL of a proxy, such as http://proxy.example.com:3128 or http://user:password@proxy.example.com:3128 (with %40 for an @ in the password): correct or unset it"
    )]
    Url(String),
    /// It is a proxy of another kind.
    #[error("{0} names a SOCKS proxy, and nearmiss speaks to HTTP proxies alone: set {1} to one")]
    Socks(String, &'static str),
}

/// One rule of `NO_PROXY`, which may be for one port alone.
#[derive(Debug)]
struct Rule {
    hosts: Matcher,
    port: Option<u16>,
}

impl Proxies {
    /// Those of this process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    /// Those of an environment.
    #[must_use]
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            let names = [name.to_lowercase(), name.to_uppercase()];
            let values = names.into_iter().filter_map(|name| Some((get(&name)?, name)));
            let mut set = values.filter(|(value, _)| !value.trim().is_empty());
            set.next().map(|(value, name)| (name, value.trim().to_owned()))
        };
        let of = |name: &'static str| {
            let set = get(name).or_else(|| get("all_proxy"));
            set.map(|(variable, value)| Proxy::parse(&variable, &value, name))
        };
        let none = get("no_proxy").map(|(_, value)| value).unwrap_or_default();
        let rules = || none.split([',', ' ', '\t']).filter(|rule| !rule.is_empty());
        Self {
            http: of("http_proxy"),
            https: of("https_proxy"),
            none_at_all: rules().any(|rule| rule == "*"),
            none: rules().map(Rule::parse).collect(),
        }
    }

    /// The proxy for a URL; `None` where it is asked directly.
    ///
    /// # Errors
    /// When the variable for it does not name a usable proxy.
    pub fn of(&self, url: &Uri) -> Result<Option<&Proxy>, &ProxyError> {
        let proxy = match url.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        match proxy {
            Some(proxy) if !self.spares(url) => proxy.as_ref().map(Some),
            _ => Ok(None),
        }
    }

    fn spares(&self, url: &Uri) -> bool {
        self.none_at_all || is_metadata(url) || self.none.iter().any(|rule| rule.holds(url))
    }
}

impl Rule {
    fn parse(text: &str) -> Self {
        // Two colons are an IPv6 address.
        let split =
            text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let ported = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (name, port) = ported.map_or((text, None), |(host, port)| (host, Some(port)));
        let name = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        Self { hosts: Matcher::builder().all("http://any").no(name).build(), port }
    }

    fn holds(&self, url: &Uri) -> bool {
        self.port.is_none_or(|own| own == port(url)) && self.hosts.intercept(url).is_none()
    }
}

impl Proxy {
    fn parse(variable: &str, value: &str, scheme: &'static str) -> Result<Self, ProxyError> {
        let matcher = Matcher::builder().all(value).build();
        let any = matcher.intercept(&Uri::from_static("http://any/"));
        let found = any.ok_or_else(|| ProxyError::Url(variable.to_owned()))?;
        // The rest of a password with an @ is before the host.
        let is_whole = found.uri().authority().is_some_and(|all| !all.as_str().contains('@'));
        match found.uri().scheme_str() {
            Some("http" | "https") if is_whole && !host(found.uri()).is_empty() => {
                Ok(Self { url: found.uri().clone(), authorization: found.basic_auth().cloned() })
            }
            Some("http" | "https") => Err(ProxyError::Url(variable.to_owned())),
            _ => Err(ProxyError::Socks(variable.to_owned(), scheme)),
        }
    }

    /// Where it is: `http://HOST:PORT/`, without user and password.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// The value of `Proxy-Authorization`, if its URL has a user.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}", self.url.scheme_str().unwrap_or("http"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a URL belongs to a link-local address or to AWS's metadata services: those of
/// the instance (169.254.169.254, `fd00:ec2::254`), of ECS (169.254.170.2) and of EKS Pod
/// Identity (169.254.170.23, `fd00:ec2::23`).
#[must_use]
pub fn is_metadata(url: &Uri) -> bool {
    match host(url).parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V4(four)) => four.is_link_local(),
        Ok(IpAddr::V6(six)) => {
            six.is_unicast_link_local() || six.segments()[..2] == [0xfd00, 0x0ec2]
        }
        Err(_) => false,
    }
}

/// Whether a URL belongs to this machine itself.
#[must_use]
pub fn is_loopback(url: &Uri) -> bool {
    let name = host(url);
    let address = name.parse().map(|address: IpAddr| address.to_canonical().is_loopback());
    address.unwrap_or_else(|_| name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from(|name| {
            let one = variables.iter().find(|(known, _)| *known == name);
            one.map(|(_, value)| (*value).to_owned())
        })
    }

    fn through(variables: &[(&str, &str)], url: &str) -> String {
        let proxies = proxies(variables);
        let url = url.parse().unwrap();
        match proxies.of(&url) {
            Ok(proxy) => proxy.map_or_else(|| "directly".to_owned(), ToString::to_string),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn variables_are_read_as_curl_and_the_aws_cli_read_them() {
        const URL: &str = "https://monitoring.eu-central-1.amazonaws.com/";
        for (variables, expected) in [
            (&[][..], "directly"),
            (&[("https_proxy", "http://a:1")], "http://a:1"),
            (&[("HTTPS_PROXY", "http://a:1")], "http://a:1"),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")], "http://b:2"),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", " ")], "http://a:1"),
            (&[("HTTP_PROXY", "http://a:1")], "directly"),
            (&[("ALL_PROXY", "http://a:1")], "http://a:1"),
            (&[("all_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:2")], "http://b:2"),
            (&[("HTTPS_PROXY", "")], "directly"),
            (&[("HTTPS_PROXY", "a.example:3128")], "http://a.example:3128"),
            (&[("HTTPS_PROXY", "https://a.example:3128")], "https://a.example:3128"),
            (&[("HTTPS_PROXY", "http://me:s3cret@a:1")], "http://a:1"),
        ] {
            assert_eq!(through(variables, URL), expected, "{variables:?}");
        }
        assert_eq!(through(&[("HTTP_PROXY", "http://a:1")], "http://b.example/"), "http://a:1");
        assert_eq!(through(&[("HTTPS_PROXY", "http://a:1")], "http://b.example/"), "directly");
    }

    #[test]
    fn no_proxy_spares_hosts_domains_addresses_networks_and_ports() {
        for (rules, url, spared) in [
            ("amazonaws.com", "https://sns.us-east-1.amazonaws.com/", true),
            (".amazonaws.com", "https://sns.us-east-1.amazonaws.com/", true),
            ("*.amazonaws.com", "https://sns.us-east-1.amazonaws.com/", true),
            ("AMAZONAWS.COM.", "https://sns.us-east-1.amazonaws.com/", true),
            ("zonaws.com", "https://sns.us-east-1.amazonaws.com/", false),
            ("a.example other.example", "http://other.example/", true),
            ("a.example, other.example", "http://other.example/", true),
            ("*", "http://192.0.2.1/", true),
            ("*", "https://a.example/", true),
            ("192.0.2.0/24", "http://192.0.2.9/", true),
            ("192.0.2.0/24", "http://192.0.3.9/", false),
            ("::1", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8081", "http://[::1]:8080/", false),
            ("a.example:8080", "http://a.example:8080/", true),
            ("a.example:8080", "http://a.example/", false),
            ("a.example:443", "https://a.example/", true),
            ("", "http://a.example/", false),
            (",,", "http://a.example/", false),
        ] {
            for name in ["NO_PROXY", "no_proxy"] {
                let found = through(&[("ALL_PROXY", "http://p:1"), (name, rules)], url);
                assert_eq!(found == "directly", spared, "{name}={rules} for {url}: {found}");
            }
        }
    }

    #[test]
    fn metadata_is_never_asked_through_a_proxy() {
        let all = [("ALL_PROXY", "http://p:1")];
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials/1",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest/api/token",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
        ] {
            assert_eq!(through(&all, url), "directly", "{url}");
        }
        assert_eq!(through(&all, "http://[fd00:ec3::254]/"), "http://p:1");
        assert_eq!(through(&all, "http://127.0.0.1/"), "http://p:1");
    }

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for (url, own) in [
            ("http://127.0.0.1:5/", true),
            ("http://[::1]/", true),
            ("http://LOCALHOST:80/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), own, "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_password() {
        for (value, says) in [
            ("http://me:s3cret@p@a:1", "HTTPS_PROXY is not the URL of a proxy"),
            ("not a url s3cret", "HTTPS_PROXY is not the URL of a proxy"),
            ("ftp://me:s3cret@a:1", "HTTPS_PROXY is not the URL of a proxy"),
            ("socks5://me:s3cret@a:1", "HTTPS_PROXY names a SOCKS proxy"),
        ] {
            let said = through(&[("HTTPS_PROXY", value)], "https://a.example/");
            assert!(said.starts_with(says) && !said.contains("s3cret"), "{value}: {said}");
        }
        let both = [("ALL_PROXY", "socks5h://a:1"), ("https_proxy", "http://b:2")];
        assert_eq!(through(&both, "https://a.example/"), "http://b:2");
        assert!(through(&both, "http://a.example/").contains("set http_proxy to one"));
        let proxy = proxies(&[("https_proxy", "http://me:s3%63ret@a:1")]);
        let url = "https://b.example/".parse().unwrap();
        let proxy = proxy.of(&url).unwrap().unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic bWU6czNjcmV0");
        assert!(!format!("{proxy:?} {proxy}").contains("me:"));
    }
}
