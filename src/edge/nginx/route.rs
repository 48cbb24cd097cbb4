//! The places that pass requests on, and which timeouts apply there. Pure.
//!
//! `http`, `server`, `location` and the blocks in locations are walked; a file that is only
//! a part of a configuration is walked as if the blocks around it were there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pass::Pass;
use super::scope::{KEEPALIVE_TIMEOUT, Scope, Time};
use super::syntax::{DEEPEST, Directive, Place, Problem, flat};
use super::upstream::{Sent, Surroundings, Target};
use nearmiss_core::chain::{Doubt, Limit, Repeats, Said, Timer, Tries, Version};

/// Blocks that inherit from the block around them.
const WALKED: [&str; 5] = ["http", "server", "location", "if", "limit_except"];
/// The most places that pass requests on; more than that is a mistake.
const MAX_ROUTES: usize = 100_000;
/// Since this version nginx by default keeps connections to the servers of an upstream
/// block, and speaks HTTP/1.1 to them.
const KEEPS: Version = Version([1, 29, 7]);

/// A place that passes requests on, and what applies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// How it passes requests on.
    pub pass: Pass,
    /// Where to, as written.
    pub target: String,
    /// Where that is written.
    pub place: Place,
    to: Target,
    sent: Sent,
    scope: Arc<Scope>,
}

impl Route {
    /// The names of its server.
    #[must_use]
    pub fn server(&self) -> &[String] {
        &self.scope.server
    }

    /// The location's arguments, those of inner ones behind; empty at a server.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.scope.location
    }

    /// A time that applies here, such as `read_timeout` for `proxy_read_timeout`.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<&Time> {
        self.scope.time(Some(self.pass), name)
    }

    /// Whether the number of attempts depends on how many addresses a name has.
    #[must_use]
    pub fn counts_names(&self) -> bool {
        match &self.to {
            Target::Name => true,
            Target::Upstream(upstream) => upstream.has_names,
            Target::Address | Target::Unknown => false,
        }
    }

    /// What this says about a hop of a chain, and where. What depends on nginx's version is
    /// a doubt if the version is not known.
    pub(super) fn facts(&self, version: Option<Version>) -> Vec<(Said, Place)> {
        let own = |time: &Time| (Limit::After(time.length), time.place.clone());
        let own_times = [
            (Timer::Connect, self.time("connect_timeout").map(own)),
            (Timer::Read, self.time("read_timeout").map(own)),
            (Timer::KeepAlive, self.scope.time(None, KEEPALIVE_TIMEOUT).map(own)),
        ];
        let timers = own_times.into_iter().filter_map(|(timer, fact)| {
            let (limit, place) = fact?;
            Some((Said::Timer(timer, limit), place))
        });
        let kept = match self.upstream_keep_alive(version) {
            Ok(time) => {
                (Said::Timer(Timer::UpstreamKeepAlive, Limit::After(time.length)), time.place)
            }
            Err(doubt) => (Said::Doubt(Timer::UpstreamKeepAlive, doubt), self.place.clone()),
        };
        let tries = self.attempts().map(|(tries, place)| (Said::Attempts(tries), place));
        timers.chain([kept]).chain(tries).collect()
    }

    /// How long idle connections to the next hop are kept, or what that depends on.
    fn upstream_keep_alive(&self, version: Option<Version>) -> Result<Time, Doubt> {
        if let Some(version) = version {
            return self.kept(version >= KEEPS);
        }
        let (before, since) = (self.kept(false)?, self.kept(true)?);
        if before.length == since.length {
            return Ok(before);
        }
        Err(Doubt::Version {
            before: Limit::After(before.length),
            since: Limit::After(since.length),
            version: KEEPS,
        })
    }

    /// As above, with the defaults before or since [`KEEPS`].
    fn kept(&self, since: bool) -> Result<Time, Doubt> {
        let none = |place: &Place| Ok(Time { length: Duration::ZERO, place: place.clone() });
        let upstream = match &self.to {
            Target::Unknown => return Err(Doubt::Target),
            Target::Name | Target::Address => return none(&self.place),
            Target::Upstream(upstream) => upstream,
        };
        match &upstream.keepalive {
            Some((0, place)) => return none(place),
            None if !since => return none(&upstream.place),
            _ => {}
        }
        if let Some((0 | 1, place)) = upstream.scope.requests() {
            return none(place);
        }
        let place = match self.pass {
            Pass::Uwsgi | Pass::Scgi => Some(&self.place),
            Pass::FastCgi => match self.scope.choice("fastcgi_keep_conn") {
                Some((word, _)) if word == "on" => None,
                other => Some(other.map_or(&self.place, |(_, place)| place)),
            },
            Pass::Proxy => self.closes(since)?,
            Pass::Grpc | Pass::Memcached => None,
        };
        match (place, upstream.scope.time(None, KEEPALIVE_TIMEOUT)) {
            (Some(place), _) => none(place),
            (None, Some(time)) => Ok(time.clone()),
            (None, None) => {
                let place = upstream.keepalive.as_ref().map_or(&upstream.place, |(_, place)| place);
                Ok(Time { length: Duration::from_mins(1), place: place.clone() })
            }
        }
    }

    /// Where it says that a server closes the connection after its answer, if it does, by
    /// HTTP's own rules (RFC 9112, section 9.3).
    fn closes(&self, since: bool) -> Result<Option<&Place>, Doubt> {
        let default = if since { ("1.1", "") } else { ("1.0", "close") };
        let version = self.scope.choice("proxy_http_version");
        let (header, place) = match &self.sent {
            Sent::Unknown => return Err(Doubt::Header),
            Sent::Default => (default.1, &self.place),
            Sent::Value(value, place) => (value.as_str(), place),
        };
        let has = |wanted: &str| {
            header.split(',').any(|option| option.trim().eq_ignore_ascii_case(wanted))
        };
        Ok(match version.map_or(default.0, |(version, _)| version.as_str()) {
            "2" => None,
            "1.0" if !has("keep-alive") || has("close") => {
                Some(version.map_or(&self.place, |(_, place)| place))
            }
            _ => has("close").then_some(place),
        })
    }

    /// How often the next hop is tried when no answer comes in time; `None` if that is not
    /// known. After a connection was made, nginx does not repeat POST, and what gRPC sends
    /// is POST.
    fn attempts(&self) -> Option<(Tries, Place)> {
        let words = self.scope.next_upstream(self.pass);
        let has = |word: &str| words.is_some_and(|(words, _)| words.iter().any(|w| w == word));
        if let Some((_, place)) = words
            && (!has("timeout") || has("off"))
        {
            return Some((Tries::of(1), place.clone()));
        }
        let (count, place) = self.servers()?;
        let within = self.time("next_upstream_timeout").filter(|time| !time.length.is_zero());
        let tries = Tries {
            count,
            within: within.map_or(Limit::Never, |time| Limit::After(time.length)),
            repeats: match self.pass {
                Pass::Grpc if !has("non_idempotent") => Some(Repeats::Connecting),
                _ => None,
            },
            which: has("non_idempotent").then_some("all requests"),
        };
        Some((tries, place))
    }

    /// How many servers are tried, and what says so.
    fn servers(&self) -> Option<(u32, Place)> {
        let most = self.scope.tries(self.pass).filter(|(count, _)| *count > 0);
        let count = match &self.to {
            Target::Address | Target::Name => Some((1, &self.place)),
            Target::Upstream(upstream) => upstream.tries.map(|count| (count, &upstream.place)),
            Target::Unknown => most.filter(|(count, _)| *count == 1).map(|(_, place)| (1, place)),
        };
        let dynamic = matches!(&self.to, Target::Upstream(upstream) if upstream.is_dynamic);
        match (count, most) {
            (Some((count, _)), Some((most, place))) if *most < count => {
                Some((*most, place.clone()))
            }
            (Some((count, place)), _) => Some((count, place.clone())),
            (None, Some((most, place))) if dynamic => Some((*most, place.clone())),
            (None, _) => None,
        }
    }
}

/// `shop.example.com /api/ (shop.conf:12)`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server().first().map_or("server", String::as_str);
        let server = if server.is_empty() { "server" } else { server };
        let location = if self.location().is_empty() { "" } else { " " };
        write!(f, "{server}{location}{} ({})", self.location(), self.place)
    }
}

/// Every place that passes requests on, in the order of the files.
///
/// # Errors
/// A directive that nginx would refuse for its value.
pub(super) fn routes(directives: &[Directive]) -> Result<Vec<Route>, Problem> {
    let mut walk = Walk { around: Surroundings::of(directives)?, routes: Vec::new() };
    walk.block(directives, Scope::default(), 0)?;
    Ok(walk.routes)
}

struct Walk {
    around: Surroundings,
    routes: Vec<Route>,
}

impl Walk {
    fn block(
        &mut self,
        block: &[Directive],
        mut scope: Scope,
        depth: usize,
    ) -> Result<(), Problem> {
        scope.enter(block)?;
        let scope = Arc::new(scope);
        for directive in flat(block) {
            match (&directive.block, Pass::of(directive.name())) {
                (None, Some(pass)) => self.pass(directive, pass, &scope)?,
                (Some(_), _) if depth > DEEPEST => {
                    let what = format!("more than {DEEPEST} blocks in each other");
                    return Err(Problem::at(directive, what));
                }
                (Some(inner), _) if WALKED.contains(&directive.name()) => {
                    self.block(inner, scope.within(directive), depth + 1)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn pass(
        &mut self,
        directive: &Directive,
        pass: Pass,
        scope: &Arc<Scope>,
    ) -> Result<(), Problem> {
        if self.routes.len() >= MAX_ROUTES {
            let what = format!("more than {MAX_ROUTES} places that pass requests on");
            return Err(Problem::at(directive, what));
        }
        let to = self.around.target(directive, pass, scope)?;
        self.routes.push(Route {
            pass,
            target: directive.args().first().cloned().unwrap_or_default(),
            place: directive.place.clone(),
            to,
            sent: self.around.connection(scope),
            scope: Arc::clone(scope),
        });
        Ok(())
    }
}
