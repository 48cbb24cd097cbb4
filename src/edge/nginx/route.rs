//! The places that pass requests on, and which timeouts hold there. Pure.
//!
//! `http`, `server`, `location` and the blocks in locations are walked; a file
//! that is only a part of a configuration is walked as if the blocks around it
//! were there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::scope::{Scope, Time, arguments, number};
use super::syntax::{Directive, Place, Problem};
use crate::analysis::chain::{Limit, Said, Timer};

/// Blocks that inherit from the block around them.
const WALKED: [&str; 5] = ["http", "server", "location", "if", "limit_except"];
/// `keepalive_timeout` of an upstream block that has `keepalive` alone.
const UPSTREAM_KEEP_ALIVE: Duration = Duration::from_mins(1);

/// How requests are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// `proxy_pass`
    Proxy,
    /// `fastcgi_pass`
    FastCgi,
    /// `uwsgi_pass`
    Uwsgi,
    /// `grpc_pass`
    Grpc,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Proxy, Self::FastCgi, Self::Uwsgi, Self::Grpc];

    /// What the names of its directives begin with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::FastCgi => "fastcgi",
            Self::Uwsgi => "uwsgi",
            Self::Grpc => "grpc",
        }
    }

    fn of(directive: &Directive) -> Option<Self> {
        let prefix = directive.name().strip_suffix("_pass")?;
        Self::ALL.into_iter().find(|pass| pass.prefix() == prefix)
    }
}

/// An `upstream` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Its servers that are neither down nor backup.
    pub servers: u32,
    /// How many idle connections are kept, where that is said.
    pub keepalive: Option<(u32, Place)>,
    /// How many requests a kept connection takes, where that is said.
    pub keepalive_requests: Option<(u32, Place)>,
    /// Its times, by directive: `keepalive_timeout`, `keepalive_time`.
    pub times: BTreeMap<&'static str, Time>,
}

/// A place that passes requests on, and what holds there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The names of its server.
    pub server: Arc<[String]>,
    /// The location's arguments, those of inner ones behind; empty at a server.
    pub location: String,
    /// How it passes requests on.
    pub pass: Pass,
    /// Where to, as written.
    pub target: String,
    /// Where that stands.
    pub place: Place,
    /// The times that hold, by directive; those that nobody sets are not there.
    pub times: BTreeMap<&'static str, Time>,
    /// Whether and when another server is tried: `proxy_next_upstream`.
    pub next_upstream: Option<(Vec<String>, Place)>,
    /// How many servers are tried at most: `proxy_next_upstream_tries`.
    pub tries: Option<(u32, Place)>,
    /// The upstream block that the target names.
    pub upstream: Option<Arc<Upstream>>,
}

impl Route {
    /// A time that holds here, such as `read_timeout` for `proxy_read_timeout`.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<&Time> {
        self.times.get(format!("{}_{name}", self.pass.prefix()).as_str())
    }

    /// What this says about a hop of a chain, and where.
    pub(super) fn facts(&self) -> Vec<(Said, Place)> {
        let times = [
            (Timer::Connect, self.time("connect_timeout").cloned()),
            (Timer::Read, self.time("read_timeout").cloned()),
            (Timer::KeepAlive, self.times.get("keepalive_timeout").cloned()),
            (Timer::UpstreamKeepAlive, self.upstream_keep_alive()),
        ];
        let fact = |(timer, time): (Timer, Option<Time>)| {
            let Time { length, place } = time?;
            Some((Said::Timer(timer, Limit::After(length)), place))
        };
        let attempts = self.attempts().map(|(count, place)| (Said::Attempts(count), place));
        times.into_iter().filter_map(fact).chain(attempts).collect()
    }

    /// How long idle connections to the next hop are kept; `None` where that
    /// depends on nginx's version.
    fn upstream_keep_alive(&self) -> Option<Time> {
        let upstream = self.upstream.as_ref()?;
        match (&upstream.keepalive, upstream.times.get("keepalive_timeout")) {
            (Some((0, place)), _) => Some(Time { length: Duration::ZERO, place: place.clone() }),
            (Some(_), Some(time)) => Some(time.clone()),
            (Some((_, place)), None) => {
                Some(Time { length: UPSTREAM_KEEP_ALIVE, place: place.clone() })
            }
            (None, _) => None,
        }
    }

    /// How many servers are tried when none answers in time; `None` where that
    /// is not known.
    fn attempts(&self) -> Option<(u32, Place)> {
        if let Some((words, place)) = &self.next_upstream
            && !words.iter().any(|word| word == "timeout")
        {
            return Some((1, place.clone()));
        }
        let bounded = self.time("next_upstream_timeout").is_some_and(|t| !t.length.is_zero());
        let upstream = self.upstream.as_ref().filter(|_| !bounded)?;
        let tries = self.tries.as_ref().filter(|(count, _)| *count > 0);
        match tries {
            Some((tries, place)) if *tries < upstream.servers => Some((*tries, place.clone())),
            _ => (upstream.servers > 0).then(|| (upstream.servers, upstream.place.clone())),
        }
    }
}

/// `shop.example.com /api/ (shop.conf:12)`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server.first().map_or("server", String::as_str);
        let server = if server.is_empty() { "server" } else { server };
        let location = if self.location.is_empty() { "" } else { " " };
        write!(f, "{server}{location}{} ({})", self.location, self.place)
    }
}

/// Every place that passes requests on, in the order of the files.
///
/// # Errors
/// A directive that nginx would refuse for its value.
pub(super) fn routes(directives: &[Directive]) -> Result<Vec<Route>, Problem> {
    let mut upstreams = BTreeMap::new();
    collect_upstreams(directives, &mut upstreams)?;
    let mut walk = Walk { upstreams, routes: Vec::new() };
    walk.block(directives, &Scope::default())?;
    Ok(walk.routes)
}

/// Upstream blocks by name.
type Upstreams = BTreeMap<String, Arc<Upstream>>;

fn collect_upstreams(directives: &[Directive], found: &mut Upstreams) -> Result<(), Problem> {
    for directive in directives {
        match (directive.name(), &directive.block) {
            ("http", Some(block)) => collect_upstreams(block, found)?,
            ("upstream", Some(block)) => {
                let upstream = upstream(directive, block)?;
                found.insert(upstream.name.clone(), Arc::new(upstream));
            }
            _ => {}
        }
    }
    Ok(())
}

fn upstream(directive: &Directive, block: &[Directive]) -> Result<Upstream, Problem> {
    let mut scope = Scope::default();
    scope.enter(block)?;
    let mut upstream = Upstream {
        name: directive.args().first().cloned().unwrap_or_default(),
        place: directive.place.clone(),
        servers: 0,
        keepalive: None,
        keepalive_requests: scope.numbers.remove("keepalive_requests"),
        times: scope.times,
    };
    for inner in block {
        match inner.name() {
            "server" if !inner.args().iter().any(|word| word == "down" || word == "backup") => {
                upstream.servers = upstream.servers.saturating_add(1);
            }
            "keepalive_timeout" if inner.args().len() > 1 => return arguments(inner),
            "keepalive" => upstream.keepalive = Some((number(inner)?, inner.place.clone())),
            _ => {}
        }
    }
    Ok(upstream)
}

struct Walk {
    upstreams: Upstreams,
    routes: Vec<Route>,
}

impl Walk {
    fn block(&mut self, block: &[Directive], around: &Scope) -> Result<(), Problem> {
        let mut scope = around.clone();
        scope.enter(block)?;
        for directive in block {
            match (&directive.block, Pass::of(directive)) {
                (None, Some(pass)) => self.routes.push(self.route(directive, pass, &scope)),
                (Some(inner), _) if WALKED.contains(&directive.name()) => {
                    self.block(inner, &scope.within(directive))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn route(&self, directive: &Directive, pass: Pass, scope: &Scope) -> Route {
        let target = directive.args().first().cloned().unwrap_or_default();
        let name = |end: &str| format!("{}_{end}", pass.prefix());
        Route {
            server: Arc::clone(&scope.server),
            location: scope.location.clone(),
            pass,
            upstream: self.upstreams.get(host(&target)).cloned(),
            target,
            place: directive.place.clone(),
            times: scope.times.clone(),
            next_upstream: scope.words.get(name("next_upstream").as_str()).cloned(),
            tries: scope.numbers.get(name("next_upstream_tries").as_str()).cloned(),
        }
    }
}

/// The part of a target that can name an upstream block.
fn host(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}
