//! Where requests are passed on to: upstream blocks, and how nginx finds them by name.
//! Pure.
//!
//! The rules are those of nginx's own `ngx_http_upstream_add` and
//! `ngx_http_upstream_init_round_robin`: names are compared without regard to
//! letter case, a port after the name of a block is refused, and each address
//! that is not down is one try, backup or not.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::pass::Pass;
use super::scope::{Scope, number};
use super::syntax::{Directive, Place, Problem, flat};

/// The variable that is empty in all requests but those for web sockets.
const UPGRADE: &str = "$http_upgrade";

/// An `upstream` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upstream {
    /// Where it is written.
    pub(super) place: Place,
    /// How many servers are tried at most, those for backup included; `None` if something
    /// other than the block decides, or none is up.
    pub(super) tries: Option<u32>,
    /// Whether something other than the block decides, such as Lua.
    pub(super) is_dynamic: bool,
    /// Whether a server is given by a name, which may have several addresses.
    pub(super) has_names: bool,
    /// How many idle connections are kept, if that is set.
    pub(super) keepalive: Option<(u32, Place)>,
    /// `keepalive_timeout`, `keepalive_requests`.
    pub(super) scope: Scope,
}

impl Upstream {
    fn of(directive: &Directive, block: &[Directive]) -> Result<Self, Problem> {
        let mut upstream = Self {
            place: directive.place.clone(),
            tries: None,
            is_dynamic: false,
            has_names: false,
            keepalive: None,
            scope: Scope::default(),
        };
        upstream.scope.enter(block)?;
        let mut up = 0_u32;
        for inner in flat(block) {
            let name = inner.name();
            if name == "server" && !inner.args().iter().any(|word| word == "down") {
                up = up.saturating_add(1);
                upstream.has_names |= inner.args().first().is_some_and(|host| !is_address(host));
            } else if name == "keepalive" {
                upstream.keepalive = Some((number(inner)?, inner.place.clone()));
            } else if name == "state" || name.starts_with("balancer_by_lua") {
                upstream.is_dynamic = true;
            } else if name == super::scope::KEEPALIVE_TIMEOUT && inner.args().len() > 1 {
                return super::scope::arguments(inner);
            }
        }
        upstream.tries = (up > 0 && !upstream.is_dynamic).then_some(up);
        Ok(upstream)
    }
}

/// Where a place passes requests on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// To an upstream block.
    Upstream(Arc<Upstream>),
    /// To one address.
    Address,
    /// To a name, which may have several addresses.
    Name,
    /// To the value of a variable that is not known here.
    Unknown,
}

/// The `Connection` header that is sent on with a usual request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// nginx's own.
    Default,
    /// This one; an empty one is none.
    Value(String, Place),
    /// It depends on the request.
    Unknown,
}

/// What the blocks around the servers define.
#[derive(Default)]
pub(super) struct Surroundings {
    /// Upstream blocks by name, in lower case.
    upstreams: HashMap<String, Arc<Upstream>>,
    /// The values of the variables of maps in usual requests, where they are known.
    usual: HashMap<String, String>,
}

impl Surroundings {
    /// Reads the `upstream` and `map` blocks.
    pub(super) fn of(directives: &[Directive]) -> Result<Self, Problem> {
        let mut found = Self::default();
        found.collect(directives)?;
        Ok(found)
    }

    fn collect(&mut self, directives: &[Directive]) -> Result<(), Problem> {
        for directive in flat(directives) {
            match (directive.name(), &directive.block, directive.args()) {
                ("http", Some(block), _) => self.collect(block)?,
                ("upstream", Some(block), [name]) => {
                    let upstream = Arc::new(Upstream::of(directive, block)?);
                    self.upstreams.insert(name.to_ascii_lowercase(), upstream);
                }
                ("map", Some(block), [source, variable]) if source == UPGRADE => {
                    let value = |key: &str| {
                        let mut entries = flat(block).filter(|entry| entry.name() == key);
                        entries.find_map(|entry| entry.args().first().cloned())
                    };
                    let usual = value("").or_else(|| value("default")).unwrap_or_default();
                    self.usual.insert(variable.clone(), usual);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where `proxy_pass` or the like passes requests on to.
    pub(super) fn target(
        &self,
        directive: &Directive,
        pass: Pass,
        scope: &Scope,
    ) -> Result<Target, Problem> {
        let written = directive.args().first().map_or("", String::as_str);
        let is_fixed = !written.contains('$');
        let text = scope.resolved(written);
        let scheme = pass.schemes().iter().find_map(|scheme| {
            text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme))
        });
        if scheme.is_none() && pass == Pass::Proxy {
            return if text.contains('$') {
                Ok(Target::Unknown)
            } else {
                Err(Problem::at(directive, "invalid URL prefix".to_owned()))
            };
        }
        let rest = text.get(scheme.map_or(0, str::len)..).unwrap_or_default();
        if is_unix(rest) {
            return Ok(Target::Address);
        }
        let host = host(rest);
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !host.starts_with('[') => (name, Some(port)),
            _ => (host, None),
        };
        if name.contains('$') {
            return Ok(Target::Unknown);
        }
        match (self.upstreams.get(&name.to_ascii_lowercase()), port) {
            (Some(upstream), None) => Ok(Target::Upstream(Arc::clone(upstream))),
            (Some(_), Some(port)) if is_fixed => {
                let what = format!("upstream \"{name}\" may not have port {port}");
                Err(Problem::at(directive, what))
            }
            _ if is_address(name) => Ok(Target::Address),
            _ => Ok(Target::Name),
        }
    }

    /// The `Connection` header that is sent on.
    pub(super) fn connection(&self, scope: &Scope) -> Sent {
        let Some((written, place)) = &scope.connection else { return Sent::Default };
        let text = scope.resolved(written);
        let usual = self.usual.get(&text.replace(['{', '}'], "")).cloned();
        let value = usual.unwrap_or(text);
        if value.contains('$') { Sent::Unknown } else { Sent::Value(value, place.clone()) }
    }
}

/// The server's part of a target without its scheme: up to a path, a question mark
/// or a variable that begins with one.
fn host(text: &str) -> &str {
    let ends = ["$request_uri", "$uri", "$is_args", "$args"];
    let variable = ends.iter().filter_map(|end| text.find(end)).min();
    let end = text.find(['/', '?']).into_iter().chain(variable).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

fn is_unix(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:"))
}

/// Whether a server is given by one address and not by a name.
fn is_address(text: &str) -> bool {
    let name = text.rsplit_once(':').map_or(text, |(name, _)| name);
    is_unix(text) || text.starts_with('[') || name.parse::<Ipv4Addr>().is_ok()
}
