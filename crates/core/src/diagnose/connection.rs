//! Connections and TLS handshakes with targets that are not established: 504 after 10 s.
//!
//! The figures say that connections fail, never why; the network's configuration does.
//! A refused connection (RST or ICMP) is answered with 502 at once, and counts as a
//! connection error too. What stands in the way without failing connections is a note.

use crate::number::quantity::{count, percent};

use crate::diagnose::cause::Cause;
use crate::diagnose::deployments::{Coincidence, Deployments};
use crate::diagnose::evidence::Scope;
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::{Finding, Fix};
use crate::diagnose::network::{Layer, Obstacle, label};
use crate::diagnose::series::groups_in_use;
use crate::diagnose::{fix, words};
use crate::gateway::evidence::Measure;

/// Failed connections beyond chance, or 504s where these were not asked for.
struct Failing {
    share: f64,
    part: f64,
    is_measured: bool,
}

impl Failing {
    fn of(facts: &Facts) -> Option<Self> {
        if facts.is_lambda_only() {
            return None;
        }
        let is_measured = facts.knows(Measure::ConnectionErrors);
        let errors =
            facts.excess(if is_measured { Measure::ConnectionErrors } else { Measure::Elb504 });
        let part = facts.part(errors);
        (errors > 0.0).then(|| Self { share: facts.as_share(errors), part, is_measured })
    }

    fn weight(&self) -> f64 {
        let measured = if self.is_measured { 1.0 } else { 0.85 };
        (0.5 + self.part).min(1.0) * measured
    }
}

/// A layer of the network as a cause: how sure it is by itself.
fn layer_score(facts: &Facts, failing: &Failing, layer: &Layer, guess: f64) -> Option<f64> {
    if !layer.obstacles.is_empty() {
        let explains = failing.share <= 2.5 * layer.share + 0.05;
        return Some(if explains { 0.96 } else { 0.8 });
    }
    let shown_elsewhere = facts.obstacles.dead.as_ref().is_some_and(|dead| !dead.is_empty());
    (!layer.is_known).then_some(if shown_elsewhere { 0.3 } else { guess })
}

/// A security group does not admit the load balancer.
pub fn security_group(facts: &Facts) -> Option<Finding> {
    let failing = Failing::of(facts)?;
    let layer = &facts.obstacles.security_groups;
    let guess = if failing.share > 0.6 { 0.58 } else { 0.53 };
    let score = layer_score(facts, &failing, layer, guess)?;
    let title = title(layer, "a security group");
    let advice = "Admit the load balancer's security group on the target port and the health-check port. Answers need no rule of their own: security groups are stateful.";
    let finding =
        Finding::new(Cause::ConnectSecurityGroup, score * failing.weight(), title, advice);
    Some(with_obstacles(finding, facts, layer))
}

/// A network ACL stops requests or answers.
pub fn network_acl(facts: &Facts) -> Option<Finding> {
    let failing = Failing::of(facts)?;
    let layer = &facts.obstacles.acls;
    let guess = if troubled_zone(facts).is_some() { 0.56 } else { 0.5 };
    let score = layer_score(facts, &failing, layer, guess)?;
    let title = title(layer, "a network ACL");
    let advice = "Allow the target port one way and TCP ports 1024-65535 the other way, on both sides: network ACLs are stateless, and answers need their own entry.";
    let finding = Finding::new(Cause::ConnectNetworkAcl, score * failing.weight(), title, advice);
    Some(with_obstacles(finding, facts, layer))
}

/// A route is missing or leads nowhere.
pub fn route(facts: &Facts) -> Option<Finding> {
    let failing = Failing::of(facts)?;
    let layer = &facts.obstacles.routes;
    let score = layer_score(facts, &failing, layer, 0.42)?;
    let title = title(layer, "a route table");
    let advice =
        "Add the route, or replace the one whose target is gone; the way back needs one too.";
    let finding = Finding::new(Cause::ConnectRoute, score * failing.weight(), title, advice);
    Some(with_obstacles(finding, facts, layer))
}

fn title(layer: &Layer, what: &str) -> String {
    match layer.obstacles.first() {
        Some(_) => {
            let touched = layer.obstacles.iter().flat_map(|obstacle| &obstacle.targets);
            let targets = touched.collect::<std::collections::BTreeSet<_>>().len();
            let plural = if targets == 1 { "" } else { "s" };
            format!(
                "{} stops the load balancer's connections to {targets} target{plural}",
                capital(what)
            )
        }
        None => format!(
            "{} may stop the load balancer's connections; it could not be checked",
            capital(what)
        ),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn with_obstacles(finding: Finding, facts: &Facts, layer: &Layer) -> Finding {
    let fix = layer.obstacles.iter().find_map(|obstacle| obstacle.barrier.fix.clone());
    let said = layer.obstacles.iter().take(3).map(obstacle);
    finding.because(said).because(symptoms(facts)).fixed_by(fix)
}

/// An obstacle with what it touches, in one sentence.
#[must_use]
pub fn obstacle(obstacle: &Obstacle) -> String {
    let zones: Vec<&String> = obstacle.zones.iter().filter(|zone| !zone.is_empty()).collect();
    let from = if zones.is_empty() {
        String::new()
    } else {
        format!(" (nodes in {})", words::list(zones))
    };
    format!("{}; touched: {}{from}.", obstacle.barrier.because, words::list(&obstacle.targets))
}

/// A registered target does not accept connections.
pub fn dead_target(facts: &Facts) -> Option<Finding> {
    let failing = Failing::of(facts)?;
    let dead = facts.obstacles.dead.as_deref();
    let network =
        [&facts.obstacles.security_groups, &facts.obstacles.acls, &facts.obstacles.routes];
    let is_clean = network.iter().all(|layer| layer.obstacles.is_empty() && layer.is_known);
    let score = match dead {
        Some(dead) if !dead.is_empty() => 0.95,
        Some(_) if is_clean => 0.55,
        Some(_) => 0.35,
        None if unhealthy_target(facts).is_some() && failing.share < 0.6 => 0.57,
        None => 0.54,
    };
    let names = dead.unwrap_or_default();
    let title = match names {
        [] if facts.refused() > 0.5 * facts.excess(Measure::ConnectionErrors) => {
            "Targets refuse connections".to_owned()
        }
        [] => "A target does not accept connections".to_owned(),
        names => format!("Nothing lives at {}, which is still registered", words::list(names)),
    };
    let known = match names {
        [] => String::new(),
        names => format!("No network interface in use has the address of {}.", words::list(names)),
    };
    let finding = Finding::new(
        Cause::ConnectDeadTarget,
        score * failing.weight(),
        title,
        "Deregister it, and see why it was left behind (a pod or task that died without deregistering). If it lives, look at its port, its firewall and its full accept queue (ss -lnt).",
    );
    Some(finding.because([known]).because(symptoms(facts)).fixed_by(deregister(facts, names)))
}

fn deregister(facts: &Facts, names: &[String]) -> Option<Fix> {
    let name = names.first()?;
    groups_in_use(facts.evidence).find_map(|group| {
        let targets = group.targets.as_ref().ok()?;
        let port = |target: &crate::diagnose::evidence::Target| target.port.or(group.port);
        let found = targets
            .iter()
            .find(|target| port(target).is_some_and(|port| label(&target.id, port) == *name))?;
        Some(fix::deregister(group, &found.id, port(found)?))
    })
}

fn unhealthy_target<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let targets = groups_in_use(facts.evidence).filter_map(|group| group.targets.as_ref().ok());
    let mut unhealthy = targets.flatten().filter(|target| target.reason == "Target.Timeout");
    unhealthy.next().map(|target| target.id.as_str())
}

/// Draining targets get last requests after they have gone.
pub fn deploy_race(facts: &Facts) -> Option<Finding> {
    let failing = Failing::of(facts)?;
    let draining = draining(facts);
    let times = [facts.deployments.planned.as_slice(), &facts.deployments.killed].concat();
    let measure = if failing.is_measured { Measure::ConnectionErrors } else { Measure::Elb504 };
    let first = facts.evidence.figures.first();
    let coincidence = Deployments::coincidence(&times, facts.row(measure), first);
    let is_close = coincidence.is_some_and(Coincidence::is_close);
    let score = match (is_close, draining.is_empty()) {
        (true, false) => 0.93,
        (true, true) => 0.85,
        (false, false) if coincidence.is_none_or(|c| !c.is_denied()) => 0.74,
        (false, false) => 0.45,
        (false, true) => return None,
    };
    let score = if failing.share > 0.5 { score - 0.3 } else { score };
    let title = "Targets get last requests after they have gone, in deployments";
    let names = match draining.as_slice() {
        [] => String::new(),
        names => format!("Draining: {}.", words::list(names)),
    };
    let gone = match facts.obstacles.gone.as_slice() {
        [] => String::new(),
        gone => format!("Draining, and without a network interface: {}.", words::list(gone)),
    };
    let finding = Finding::new(
        Cause::DeployRace,
        score * failing.weight(),
        title,
        "Let a target that is to stop go on accepting for 15 s or more after its deregistration (a preStop sleep in Kubernetes; in ECS, handle SIGTERM by finishing, not by closing the port).",
    );
    let when = coincidence.map(|c| words_coincidence(c, "connection errors")).unwrap_or_default();
    Some(finding.because([names, gone, when]).because(symptoms(facts)))
}

/// How failures coincide with deployments, in a sentence.
#[must_use]
pub fn words_coincidence(coincidence: Coincidence, what: &str) -> String {
    format!(
        "{} of the {what} lie in the {} of the time in which ECS stopped tasks.",
        percent(coincidence.inside),
        percent(coincidence.covered)
    )
}

/// The draining targets of groups in use.
#[must_use]
pub fn draining(facts: &Facts) -> Vec<String> {
    let groups = groups_in_use(facts.evidence);
    let targets = groups.filter_map(|group| Some((group, group.targets.as_ref().ok()?)));
    let draining = targets.flat_map(|(group, targets)| {
        let chosen = targets.iter().filter(|target| target.state == "draining");
        chosen.map(|target| label(&target.id, target.port.or(group.port).unwrap_or_default()))
    });
    draining.collect()
}

/// TLS handshakes with targets fail or take too long.
pub fn tls_handshake(facts: &Facts) -> Option<Finding> {
    let errors = facts.excess(Measure::TlsErrors);
    if errors <= 0.0 {
        return None;
    }
    let is_https = groups_in_use(facts.evidence).any(|group| group.protocol == "HTTPS");
    let fits = errors >= 0.3 * (facts.excess(Measure::Elb504) + facts.excess(Measure::Elb502));
    let score = match (is_https, fits) {
        (true, true) => 0.94,
        (true, false) => 0.7,
        (false, true) => 0.85,
        (false, false) => 0.6,
    };
    let title = "TLS handshakes with targets fail or take longer than 10 s";
    let groups = groups_in_use(facts.evidence).filter(|group| group.protocol == "HTTPS");
    let names: Vec<String> = groups.map(|group| group.name.clone()).collect();
    let protocol = match names.as_slice() {
        [] => String::new(),
        names => format!("The target group's protocol is HTTPS ({}).", words::list(names)),
    };
    let finding = Finding::new(
        Cause::TlsHandshake,
        score * facts.part(errors).mul_add(0.5, 0.5).max(0.75),
        title,
        "Time the handshake from the load balancer's subnet (openssl s_client -connect TARGET:PORT). A target without CPU or entropy is slow; a wrong protocol or cipher fails at once, with 502.",
    );
    Some(finding.because([
        words::metric(facts, Measure::TlsErrors),
        words::errors(facts, Measure::Elb504),
        words::errors(facts, Measure::Elb502),
        protocol,
    ]))
}

fn symptoms(facts: &Facts) -> Vec<String> {
    let zone = troubled_zone(facts).map(|zone| format!("The failures are those of {zone} alone."));
    let ten = "A connection that does not come about within 10 s is answered with 504.";
    vec![
        words::metric(facts, Measure::ConnectionErrors),
        words::errors(facts, Measure::Elb504),
        words::errors(facts, Measure::Elb502),
        zone.unwrap_or_default(),
        if facts.excess(Measure::Elb504) > 0.0 { ten.to_owned() } else { String::new() },
        refused(facts),
    ]
}

fn refused(facts: &Facts) -> String {
    let refused = facts.refused();
    if refused < 1.0 {
        return String::new();
    }
    format!(
        "About {} connections were refused at once (RST or ICMP), which is 502.",
        count(refused)
    )
}

/// The only zone with failures, of several that were measured.
fn troubled_zone<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let figures = &facts.evidence.figures;
    let zones = figures.scopes().filter_map(|scope| {
        let Scope::Zone(name) = scope else { return None };
        let errors = |measure| figures.row(scope, measure);
        let row = errors(Measure::ConnectionErrors).or_else(|| errors(Measure::Elb504))?;
        let now = crate::diagnose::series::slice(row, &facts.split.now);
        Some((name.as_str(), crate::diagnose::series::sum(now)))
    });
    let zones: Vec<(&str, f64)> = zones.collect();
    let all: f64 = zones.iter().map(|(_, errors)| errors).sum();
    let troubled = zones.iter().find(|(_, errors)| *errors > 0.9 * all && all > 0.0)?;
    (zones.len() > 1).then_some(troubled.0)
}
