//! `nearmiss check`: would it work? One real call to each API that is needed.
//!
//! It uses the same code as the daemon, so that what passes here works there, and it sends
//! nothing unless that is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use serde::Serialize;

use crate::config::{Config, Digests, Maintenance, RouteTo, Schedule, State, Zone};
use crate::edge::aws::{self, AwsError, Scope, Usage, plain, region_of, scoped};
use crate::edge::net::trust::CaBundle;
use crate::edge::time::Clock;
use crate::inventory::{self, AccountRegion, Trouble};
use crate::sink::{SinkError, Target};
use crate::source::Ask;
use crate::source::cloudwatch::{self, Chat};
use crate::store;
use nearmiss_core::alerting::{Matcher, ReceiverId};
use nearmiss_core::detect::LONGEST_WINDOW;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::notification::Notification;
use nearmiss_core::number::quantity::{Span, count, percent, seconds};
use nearmiss_core::render::{Links, Message};
use nearmiss_core::series::window::Window;
use nearmiss_core::state::GatewayState;
use nearmiss_core::suggestion;
use nearmiss_core::time::Minute;

/// What is tried without asking AWS.
const LOCAL: [&str; 2] = ["config", "ca_bundle"];

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was tried: an IAM action, as a policy spells it.
    pub check: String,
    /// Whether it worked.
    pub ok: bool,
    /// What was found, or what went wrong.
    pub detail: String,
    /// The way out, if it failed.
    pub advice: Option<String>,
}

/// All that was tried, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether everything worked.
    pub ok: bool,
    /// The single findings.
    pub checks: Vec<Finding>,
}

impl Outcome {
    fn of(checks: Vec<Finding>) -> Self {
        Self { ok: checks.iter().all(|check| check.ok), checks }
    }
}

impl Finding {
    fn good(check: &str, detail: String) -> Self {
        Self { check: check.to_owned(), ok: true, detail, advice: None }
    }

    fn bad(check: &str, detail: String, advice: Option<String>) -> Self {
        Self { check: check.to_owned(), ok: false, detail, advice }
    }

    fn of(fault: &AwsError) -> Self {
        Self::bad(fault.action, fault.to_string(), Some(fault.advice()))
    }

    /// For a receiver, which the error does not name.
    fn of_receiver(receiver: &ReceiverId, error: &SinkError) -> Self {
        Self::bad(error.action, format!("{receiver}: {error}"), Some(error.advice.clone()))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, ok, detail, advice } in &self.checks {
            writeln!(f, "{}  {check}", if *ok { "ok    " } else { "FAILED" })?;
            for line in detail.lines() {
                writeln!(f, "        {line}")?;
            }
            if let Some(advice) = advice {
                writeln!(f, "        -> {advice}")?;
            }
        }
        let failed = self.checks.iter().filter(|check| !check.ok).count();
        match failed {
            0 if self.checks.iter().all(|check| LOCAL.contains(&check.check.as_str())) => {
                write!(f, "The config is valid. AWS was not asked.")
            }
            0 => write!(f, "Everything works: nearmiss run will watch."),
            n => write!(f, "{n} of {} checks failed.", self.checks.len()),
        }
    }
}

/// What can be checked without asking AWS: the config was read, and means this.
#[must_use]
pub fn offline(config: &Config) -> Outcome {
    let mut lines: Vec<String> = config.gateways.iter().map(ToString::to_string).collect();
    for (number, RouteTo { route, .. }) in (1..).zip(&config.routes) {
        lines.push(format!("route {number}: {route} go to {}", route.receiver.id));
    }
    lines.push(match &config.sink {
        Some(_) => format!("notifications go to {}", config.fallback().id),
        None => "notifications go to the log alone: there is no [sink.sns]".to_owned(),
    });
    let timed =
        |schedule: &Schedule, zone: Zone| format!("\"{}\" ({})", schedule.as_str(), zone.name());
    for Maintenance { matcher, schedule, timezone, duration } in &config.maintenance {
        let lasts = humantime::format_duration(duration.get());
        lines.push(format!(
            "maintenance of {matcher} by {}, for {lasts}",
            timed(schedule, *timezone)
        ));
    }
    let Digests { enabled, schedule, timezone } = &config.digest;
    if *enabled && config.sink.is_some() {
        lines.push(format!("the capacity report goes there by {}", timed(schedule, *timezone)));
    }
    if let Some(schedule) = &config.watcher.alive_schedule {
        let timed = timed(schedule, config.watcher.timezone);
        lines.push(format!("nearmiss says that it is alive by {timed}"));
    }
    let mut checks = vec![Finding::good("config", lines.join("\n"))];
    checks.extend(config.aws.ca_bundle.as_deref().map(bundle));
    Outcome::of(checks)
}

/// Whether the CA bundle can be used.
fn bundle(path: &Path) -> Finding {
    const CHECK: &str = "ca_bundle";
    match CaBundle::load(path) {
        Ok(_) => Finding::good(CHECK, format!("{} can be used", path.display())),
        Err(error) => {
            let way_out = "Set [aws] ca_bundle to a PEM file that the user of nearmiss may read.";
            Finding::bad(CHECK, aws::chain(&error), Some(way_out.to_owned()))
        }
    }
}

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The config alone.
    Offline,
    /// Everything that sends no message.
    Online,
    /// A test message to every receiver as well.
    SendTest,
}

/// Tries every API that the config needs.
pub async fn online(config: &Config, base: &SdkConfig, clock: Clock, extent: Extent) -> Outcome {
    let mut checks = offline(config).checks;
    checks.push(state(config));
    checks.push(identity(config, base).await);
    let mut gateways = Vec::new();
    for mut account in AccountRegion::of_config(config, base).await {
        checks.extend(of_account(&mut account, config.poll.deadline, clock).await);
        gateways.extend(account.gateways);
    }
    if !config.routes.is_empty() {
        checks.push(routes(config, &gateways));
    }
    checks.extend(maintenance(config, &gateways));
    let mut seen = BTreeSet::new();
    for target in config.targets().filter(|target| seen.insert(target.receiver().id)) {
        checks.extend(of_target(target, base, clock, extent).await);
    }
    for configuration in config.chat_configurations() {
        checks.push(of_chat(configuration, config, base, clock).await);
    }
    Outcome::of(checks)
}

/// Whether messages reached a chat channel in the last hour.
async fn of_chat(name: &str, config: &Config, base: &SdkConfig, clock: Clock) -> Finding {
    const CHECK: &str = "chat";
    let chat = Chat::connect(name, base).await;
    let deadline = config.poll.deadline.get();
    let now = clock.now();
    match chat.look(now - 3_600, now, deadline, &mut Usage::default()).await {
        Err(fault) => Finding::of(&fault),
        Ok(reached) => {
            let troubles: Vec<String> = reached.troubles().collect();
            let delivered = count(reached.delivered());
            let detail =
                format!("{name}: {delivered} messages of the last hour reached the channel");
            if troubles.is_empty() {
                Finding::good(CHECK, detail)
            } else {
                Finding::bad(CHECK, detail, Some(troubles.join("\n")))
            }
        }
    }
}

/// Whether a receiver is there, and accepts messages if one may be sent.
async fn of_target(
    target: &Target,
    base: &SdkConfig,
    clock: Clock,
    extent: Extent,
) -> Vec<Finding> {
    let receiver = target.receiver().id;
    let sends = extent == Extent::SendTest;
    let sink = target.connect(base).await;
    let sending = sink.sending();
    let untried = if sends {
        String::new()
    } else {
        format!("; nothing was sent, so {sending} is not tried (--send-test does)")
    };
    let mut findings = vec![match sink.look().await {
        Ok(()) => Finding::good(sink.looking(), format!("{receiver} is there{untried}")),
        Err(error) => Finding::of_receiver(&receiver, &error),
    }];
    if sends {
        let test = Notification::Test(Minute::containing(clock.now()));
        let message = Message::of(&test, &Links::default());
        findings.push(match sink.send(&test, &message, &mut Usage::default()).await {
            Ok(()) => Finding::good(
                sending,
                format!("{receiver} took a test message: look whether its subscribers got it"),
            ),
            Err(error) => Finding::of_receiver(&receiver, &error),
        });
    }
    findings
}

/// Which gateways each route takes, and which of them several routes would take.
fn routes(config: &Config, gateways: &[Arc<Gateway>]) -> Finding {
    const SHOWN: usize = 20;
    const FIRST: usize = 5;
    let mut lines: Vec<String> = Vec::new();
    for (number, RouteTo { route, .. }) in (1..).zip(&config.routes) {
        let meant = gateways.iter().filter(|gateway| route.matcher.means(gateway)).count();
        let note = if meant == 0 { nothing(&route.matcher, gateways) } else { String::new() };
        let receiver = &route.receiver.id;
        lines.push(format!("route {number}: {route} of {meant} gateways go to {receiver}{note}"));
    }
    let mut both: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    for gateway in gateways {
        let routes = (1..).zip(&config.routes).filter(|(_, to)| to.route.matcher.means(gateway));
        let numbers = routes.map(|(number, _): (usize, _)| number.to_string());
        both.entry(numbers.collect()).or_default().push(&gateway.id.name);
    }
    for (numbers, names) in both.iter().filter(|(numbers, _)| numbers.len() > 1).take(SHOWN) {
        let numbers = numbers.join(", ");
        let first: Vec<&str> = names.iter().copied().take(FIRST).collect();
        let more = if names.len() > FIRST { ", ..." } else { "" };
        lines.push(format!("routes {numbers} all match {} gateways ({}{more}): the first that takes an alert gets it, and the next ones where it says continue = true", names.len(), first.join(", ")));
    }
    Finding::good("routes", lines.join("\n"))
}

/// How many gateways each maintenance window mutes.
fn maintenance(config: &Config, gateways: &[Arc<Gateway>]) -> Option<Finding> {
    let line = |Maintenance { matcher, .. }: &Maintenance| {
        let meant = gateways.iter().filter(|gateway| matcher.means(gateway)).count();
        let note = if meant == 0 { nothing(matcher, gateways) } else { String::new() };
        format!("maintenance of {matcher}: {meant} gateways{note}")
    };
    let lines: Vec<String> = config.maintenance.iter().map(line).collect();
    (!lines.is_empty()).then(|| Finding::good("maintenance", lines.join("\n")))
}

/// The hint where no gateway matches.
fn nothing(matcher: &Matcher, gateways: &[Arc<Gateway>]) -> String {
    let names = gateways.iter().map(|gateway| gateway.id.name.as_str());
    let is_named = |name: &str| matcher.gateway.as_ref().is_none_or(|one| one.fits(name));
    match &matcher.gateway {
        Some(wanted) if !names.clone().any(is_named) => {
            let hint = suggestion::instead_of(wanted.as_str(), names);
            format!(": no gateway matches ({hint})")
        }
        _ => ": no gateway has these tags".to_owned(),
    }
}

fn state(config: &Config) -> Finding {
    const CHECK: &str = "state";
    let path = config.state.path.display();
    if config.state == State::default() && !config.state.path.parent().is_some_and(Path::exists) {
        let detail = format!("{path} is not there yet: the systemd unit makes its directory");
        return Finding::good(CHECK, detail);
    }
    match store::probe(&config.state) {
        Ok(()) => Finding::good(CHECK, format!("{path} can be written")),
        Err(error) => Finding::bad(
            CHECK,
            aws::chain(&error),
            Some("Create the directory for the user that runs nearmiss (systemd does, by StateDirectory), or set [state] path.".into()),
        ),
    }
}

/// The identity. Every partition has its own STS and every Region its endpoint, which may
/// be the only one that this machine reaches: the one in the Region of the gateways is
/// asked.
async fn identity(config: &Config, base: &SdkConfig) -> Finding {
    const ACTION: &str = "sts:GetCallerIdentity";
    let of_gateways = config.gateways.iter().filter_map(|selection| selection.region.clone());
    let of_chain = Some(region_of(base)).filter(|region| !region.is_empty());
    let of_sinks =
        config.targets().filter_map(|target| target.aws().map(|aws| aws.region.to_owned()));
    let Some(region) = of_gateways.chain(of_chain).chain(of_sinks).next() else {
        let way_out = "Set region = \"...\" in the [[gateway]], or AWS_REGION.".to_owned();
        return Finding::bad(ACTION, "no Region is known to ask in".to_owned(), Some(way_out));
    };
    let scope = Scope { region: Some(region.clone()), role_arn: None, external_id: None };
    let client = aws_sdk_sts::Client::new(&scoped(base, &scope).await);
    match client.get_caller_identity().send().await {
        Ok(identity) => {
            let arn = plain(identity.arn().unwrap_or("unknown"));
            Finding::good(ACTION, format!("you are {arn}"))
        }
        Err(error) => Finding::of(&AwsError::of(ACTION, &region, &error)),
    }
}

async fn of_account(account: &mut AccountRegion, deadline: Span, clock: Clock) -> Vec<Finding> {
    let usage = account.refresh(clock.now(), deadline, deadline).await;
    let mut findings: Vec<Finding> = account
        .troubles
        .iter()
        .map(|trouble| match trouble {
            Trouble::Call { fault, .. } => {
                Finding::bad(fault.action, trouble.said(), Some(fault.advice()))
            }
            other => Finding::bad(
                listing(account),
                other.to_string(),
                Some("Correct load_balancer, tags, exclude or region in the config.".into()),
            ),
        })
        .collect();
    if !account.gateways.is_empty() {
        findings.push(watched(account));
        findings.extend(usage.calls.iter().filter_map(|((action, outcome), calls)| {
            let worked = *outcome == "ok" && *action != listing(account);
            worked.then(|| Finding::good(action, format!("{calls} calls")))
        }));
        findings.push(metrics(account, deadline.get(), clock).await);
        findings.extend(self_check(account, deadline.get(), clock).await);
    }
    findings
}

fn watched(account: &AccountRegion) -> Finding {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = account
        .gateways
        .iter()
        .take(SHOWN)
        .map(|gateway| {
            let differs = gateway.timeout.mismatch().map_or_else(String::new, |own| {
                let words = &gateway.id.kind.spec().words;
                format!(" (configured; the {}'s {} is {})", words.one, words.timeout, seconds(own))
            });
            format!(
                "{} in {}: timeout {}{differs}, near from {} ({})",
                gateway.id.name,
                gateway.id.region,
                seconds(gateway.timeout.seconds),
                seconds(gateway.near_seconds()),
                percent(gateway.near),
            )
        })
        .collect();
    if account.gateways.len() > SHOWN {
        lines.push(format!("and {} more", account.gateways.len() - SHOWN));
    }
    lines.extend(account.notes.iter().cloned());
    Finding::good(listing(account), lines.join("\n"))
}

/// The call that lists what an account has.
fn listing(account: &AccountRegion) -> &'static str {
    account.kinds().next().map_or("inventory", |kind| inventory::actions(kind).list)
}

/// Whether CloudWatch's figures mean what nearmiss takes them to mean, for one gateway.
async fn self_check(account: &AccountRegion, deadline: Duration, clock: Clock) -> Option<Finding> {
    const CHECK: &str = "self-check";
    let has_check = |gateway: &&Arc<Gateway>| gateway.id.kind.spec().self_check.is_some();
    let gateway = account.gateways.iter().find(has_check)?;
    let end = Minute::containing(clock.now()).plus(-5);
    let minutes = (end.plus(-60), end);
    let usage = &mut Usage::default();
    let proof = account.metrics.self_check(gateway, minutes, deadline, usage).await.ok()?;
    let say = |holds: Option<bool>, yes: &str, no: &str, open: &str| match holds {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => open.to_owned(),
    };
    let lines = [
        say(
            proof.counts_add_up,
            "counts within bounds add up to the samples",
            "counts within bounds do not add up to the samples: near misses may be wrong",
            "no request in the last hour: whether counts add up is not known",
        ),
        say(
            proof.timeouts_leave_no_sample,
            "504s leave no latency sample",
            "504s leave a latency sample: requests are counted too high by the 504s",
            "too few 504s in the last hour to see whether they leave a latency sample",
        ),
    ];
    let refuted =
        proof.counts_add_up == Some(false) || proof.timeouts_leave_no_sample == Some(false);
    let detail = format!("{}: {}", gateway.id.name, lines.join("\n"));
    let advice = "Please report it: nearmiss counts on it.".to_owned();
    Some(if refuted {
        Finding::bad(CHECK, detail, Some(advice))
    } else {
        Finding::good(CHECK, detail)
    })
}

/// The daemon's own query, for one gateway.
async fn metrics(account: &AccountRegion, deadline: Duration, clock: Clock) -> Finding {
    let end = Minute::containing(clock.now()).plus(-1);
    let from = GatewayState::starting(end.plus(-1)).needs_from(LONGEST_WINDOW);
    let asks: Vec<Ask> = account
        .gateways
        .iter()
        .take(1)
        .map(|gateway| {
            let gateway = gateway.clone();
            Ask {
                gateway,
                former: None,
                from,
                rate: PollRate::Fast,
                answers: false,
                target_groups: Vec::new(),
            }
        })
        .collect();
    let (answers, _) = account.metrics.minutes(&asks, end, deadline).await;
    match answers.first() {
        Some(Ok(snapshot)) => {
            let readings = snapshot.readings(end.plus(-1), LONGEST_WINDOW);
            let window = Window::over(&readings);
            let name = asks.first().map_or("", |ask| &ask.gateway.id.name);
            let note = if window.requests() > 0.0 {
                ""
            } else {
                " (no request is fine, if there was no traffic)"
            };
            Finding::good(
                cloudwatch::ACTION,
                format!(
                    "{name}: {} requests in the last {} min{note}",
                    count(window.requests()),
                    window.minutes()
                ),
            )
        }
        Some(Err(fault)) => Finding::of(fault),
        None => Finding::bad(cloudwatch::ACTION, "nothing to ask for".into(), None),
    }
}
