//! Connections that targets close under a request: 502, at once, and never 504.
//!
//! Four causes look alike in the figures. What tells them apart is when: in deployments
//! (deregistration delay, stopTimeout), when tasks die by themselves, or at any time
//! (keep-alive). Without ECS's events only the bunching of the 502s is left.

use crate::number::quantity::{count, percent, seconds};

use crate::diagnose::cause::Cause;
use crate::diagnose::connection::{draining, words_coincidence};
use crate::diagnose::deployments::{
    Coincidence, Deployments, is_bunched, is_killed, is_out_of_memory, is_planned,
};
use crate::diagnose::evidence::{Service, StoppedTask, TargetGroup, TargetKind};
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::Finding;
use crate::diagnose::series::groups_in_use;
use crate::diagnose::{fix, words};
use crate::gateway::evidence::Measure;

/// ECS's default of stopTimeout, seconds.
const STOP_TIMEOUT: u32 = 30;

/// Closed connections beyond chance, and how they lie in time.
struct Closed {
    part: f64,
    planned: Option<Coincidence>,
    killed: Option<Coincidence>,
    bunched: Option<bool>,
}

impl Closed {
    fn of(facts: &Facts) -> Option<Self> {
        let closed = facts.closed();
        let by_lambda = facts.is_lambda_only()
            || facts.now(Measure::LambdaUserErrors).unwrap_or(0.0) > 0.5 * closed;
        if closed <= 0.0 || by_lambda {
            return None;
        }
        let row = facts.row(Measure::Elb502);
        let first = facts.evidence.figures.first();
        let coincidence = |times| Deployments::coincidence(times, row, first);
        Some(Self {
            part: facts.part(closed),
            planned: coincidence(facts.deployments.planned.as_slice()),
            killed: coincidence(facts.deployments.killed.as_slice()),
            bunched: is_bunched(facts.cells(Measure::Elb502).1),
        })
    }

    fn is_planned(&self) -> bool {
        self.planned.is_some_and(Coincidence::is_close)
    }

    fn is_killed(&self) -> bool {
        self.killed.is_some_and(Coincidence::is_close)
    }

    fn weight(&self) -> f64 {
        (0.5 + self.part).min(1.0)
    }
}

/// Targets close idle connections before the load balancer does.
pub fn keep_alive(facts: &Facts) -> Option<Finding> {
    let closed = Closed::of(facts)?;
    let is_explained = closed.is_planned() || closed.is_killed();
    let score = match (is_explained, facts.deployments.is_known, closed.bunched) {
        (true, ..) => 0.35,
        (false, true, Some(false)) => 0.85,
        (false, true, None) => 0.72,
        (false, false, Some(false)) => 0.7,
        (false, false, None) | (false, true, Some(true)) => 0.55,
        (false, false, Some(true)) => 0.4,
    };
    let title = format!(
        "Targets close idle connections, probably before the load balancer's idle timeout of {}",
        seconds(facts.idle)
    );
    let longer = facts.idle + 15.0;
    let advice = format!(
        "Set the target's keep-alive above {} (nginx: keepalive_timeout {longer:.0}s; Node.js: server.keepAliveTimeout = {:.0}; gunicorn: --keep-alive {longer:.0}).",
        seconds(facts.idle),
        longer * 1000.0
    );
    let finding = Finding::new(Cause::KeepAlive, score * closed.weight(), title, advice);
    let spread = match closed.bunched {
        Some(false) => "The 502s are spread over time, not bunched as deployments make them.",
        _ => "",
    };
    Some(finding.because([
        words::errors(facts, Measure::Elb502),
        spread.to_owned(),
        quiet_minutes(facts),
        not_slow(facts),
        no_deployment(facts),
    ]))
}

/// Idle connections are more frequent in quiet minutes: the share of 502s in the
/// quieter half of the minutes against the busier half.
fn quiet_minutes(facts: &Facts) -> String {
    let (_, requests) = facts.cells(Measure::Requests);
    let (_, errors) = facts.cells(Measure::Elb502);
    let middle = crate::diagnose::series::middle(requests).unwrap_or(0.0);
    let share = |is_chosen: fn(f64, f64) -> bool| {
        let pairs =
            requests.iter().zip(errors).filter_map(|(r, e)| Some(((*r)?, e.unwrap_or(0.0))));
        let chosen = pairs.filter(|(requests, _)| is_chosen(*requests, middle));
        let (all, bad) = chosen.fold((0.0, 0.0), |sum, (r, e)| (sum.0 + r, sum.1 + e));
        if all > 0.0 { bad / all } else { 0.0 }
    };
    let (quiet, busy) = (share(|r, m| r <= m), share(|r, m| r > m));
    if busy > 0.0 && quiet > 1.3 * busy {
        format!(
            "In quiet minutes {} of the requests got 502, in busy ones {}.",
            percent(quiet),
            percent(busy)
        )
    } else {
        String::new()
    }
}

fn not_slow(facts: &Facts) -> String {
    let is_slow = facts.excess(Measure::NearMisses) + facts.excess(Measure::Elb504) > 0.0;
    if is_slow { String::new() } else { words::level(facts, Measure::P99, "Nothing is slow: p99") }
}

fn no_deployment(facts: &Facts) -> String {
    let quiet = facts.deployments.planned.is_empty() && facts.deployments.killed.is_empty();
    if facts.deployments.is_known && quiet {
        "ECS stopped no task at that time.".to_owned()
    } else {
        String::new()
    }
}

/// The deregistration delay cuts the longest requests.
pub fn deregistration_delay(facts: &Facts) -> Option<Finding> {
    let closed = Closed::of(facts)?;
    let longest = facts.longest();
    let short = groups_in_use(facts.evidence)
        .filter_map(|group| Some((group, delay(group)?)))
        .find(|(_, delay)| longest.is_some_and(|longest| *delay < longest));
    let readable = facts.evidence.target_groups.is_ok()
        && groups_in_use(facts.evidence).all(|group| group.attributes.is_ok());
    let score = match (closed.is_planned(), short.is_some()) {
        (true, true) => 0.93,
        (true, false) if !readable => 0.58,
        (true, false) => 0.4,
        (false, true) => unplanned(facts, &closed),
        (false, false) if closed.bunched == Some(true) && !readable => 0.5,
        (false, false) if facts.deployments.is_known => 0.25,
        (false, false) => 0.3,
    };
    let killed_short = closed.is_planned() && kills(facts).is_some_and(|kill| kill.explicit < 15);
    let score = if killed_short && planned_kills(facts) > 0 { score - 0.08 } else { score };
    let title = match short {
        Some((_, delay)) => {
            format!("The deregistration delay of {} cuts longer requests", seconds(delay))
        }
        None => "Requests are probably cut when targets are deregistered".to_owned(),
    };
    let wanted = (longest.unwrap_or(facts.idle) * 1.25 / 10.0).ceil() * 10.0;
    let wanted = wanted.clamp(10.0, 3_600.0);
    let is_long = readable && short.is_none() && longest.is_some();
    let advice = if is_long {
        "See whether targets were deregistered at those times (deployments, scaling). The delay is long enough for the longest requests: if so, the process closes too early.".to_owned()
    } else {
        format!(
            "Set the deregistration delay to {}, above the longest requests{}.",
            seconds(wanted),
            longest.map(|longest| format!(" ({})", seconds(longest))).unwrap_or_default()
        )
    };
    let finding = Finding::new(Cause::DeregistrationDelay, score * closed.weight(), title, advice);
    let setting = short.map(|(group, delay)| {
        format!(
            "deregistration_delay.timeout_seconds of {} is {}; the longest request took {}.",
            group.name,
            seconds(delay),
            seconds(longest.unwrap_or(0.0))
        )
    });
    let key = "deregistration_delay.timeout_seconds";
    let value = format!("{wanted:.0}");
    let fix = short.map(|(group, _)| {
        fix::target_group(group, &[(key, value.clone(), "deregistration_delay", value)])
    });
    let when = closed.planned.map(|c| words_coincidence(c, "502s")).unwrap_or_default();
    let drains = draining(facts);
    let drains = if drains.is_empty() {
        String::new()
    } else {
        format!("Draining: {}.", words::list(&drains))
    };
    Some(
        finding
            .because([
                words::errors(facts, Measure::Elb502),
                setting.unwrap_or_default(),
                when,
                drains,
            ])
            .fixed_by(fix),
    )
}

/// The score of a delay that is too short, without knowing that something was deregistered
/// then.
fn unplanned(facts: &Facts, closed: &Closed) -> f64 {
    let is_denied = closed.planned.is_some_and(Coincidence::is_denied);
    match closed.bunched {
        _ if is_denied || closed.is_killed() => 0.35,
        Some(true) if !draining(facts).is_empty() => 0.78,
        Some(true) => 0.66,
        None if !draining(facts).is_empty() => 0.68,
        None => 0.5,
        Some(false) => 0.42,
    }
}

fn delay(group: &TargetGroup) -> Option<f64> {
    let value = group.attribute("deregistration_delay.timeout_seconds")?;
    value.parse().ok().filter(|seconds: &f64| group.kind != TargetKind::Lambda && *seconds >= 0.0)
}

/// Tasks are killed in the middle of requests.
pub fn task_killed(facts: &Facts) -> Option<Finding> {
    let closed = Closed::of(facts)?;
    let killed: Vec<&StoppedTask> = stopped(facts).filter(|task| is_killed(task)).collect();
    let unread = is_unread(facts);
    let score = match (killed.is_empty(), closed.is_killed()) {
        (false, true) => 0.95,
        (false, false) if closed.killed.is_some_and(Coincidence::is_denied) => 0.45,
        (false, false) => 0.68,
        (true, _) if unread && closed.bunched == Some(true) => 0.48,
        (true, _) if unread && closed.bunched.is_none() => 0.4,
        (true, _) => return None,
    };
    let out_of_memory = killed.iter().filter(|task| is_out_of_memory(task)).count();
    let title = match (killed.len(), out_of_memory) {
        (0, _) => "Targets may be killed in the middle of requests".to_owned(),
        (tasks, 0) => {
            format!("{tasks} ECS tasks were killed in the middle of requests (exit code 137)")
        }
        (tasks, _) => {
            format!("{tasks} ECS tasks were killed in the middle of requests, for lack of memory")
        }
    };
    let advice = if out_of_memory > 0 {
        "Give the container more memory, or find what grows (its memory limit is in the task definition). Each kill cuts every request in flight."
    } else {
        "See why they were killed: stoppedReason, the container's exit code, the host's kernel log (OOM killer)."
    };
    let finding = Finding::new(Cause::TaskKilled, score * closed.weight(), title, advice);
    let when = closed.killed.map(|c| words_coincidence(c, "502s")).unwrap_or_default();
    Some(
        finding
            .because([words::errors(facts, Measure::Elb502), when])
            .because(killed.iter().take(3).map(|task| ended(task))),
    )
}

/// How a task ended, in a sentence.
fn ended(task: &StoppedTask) -> String {
    let at = task.stopping.or(task.stopped);
    let at = at.map(|at| format!(" at {}", words::time(at))).unwrap_or_default();
    let exits = task.exits.iter().map(|(code, reason)| {
        let code = code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
        if reason.is_empty() { code } else { format!("{code}, {reason}") }
    });
    let exits = exits.collect::<Vec<_>>().join("; ");
    format!("Task {} stopped{at}: {}, {} ({exits}).", task.id, task.code, task.reason)
}

/// A stopTimeout that is set, seconds, and where.
struct Kill<'a> {
    service: &'a Service,
    container: &'a str,
    explicit: u32,
}

/// The shortest stopTimeout that somebody set.
fn kills<'a>(facts: &Facts<'a>) -> Option<Kill<'a>> {
    let services = facts.evidence.services.as_deref().unwrap_or_default();
    let all = services.iter().flat_map(|service| {
        let containers = service.containers.as_deref().unwrap_or_default();
        containers.iter().filter_map(move |container| {
            Some(Kill { service, container: &container.name, explicit: container.stop_timeout? })
        })
    });
    all.min_by_key(|kill| kill.explicit)
}

/// Containers are killed before they could finish.
pub fn ecs_stop_timeout(facts: &Facts) -> Option<Finding> {
    let closed = Closed::of(facts)?;
    let kill = kills(facts);
    let longest = facts.longest().unwrap_or(facts.idle);
    let short = kill.as_ref().filter(|kill| f64::from(kill.explicit) < longest);
    let by_kill = planned_kills(facts);
    let kept_long = groups_in_use(facts.evidence).filter_map(delay).all(|delay| delay >= longest);
    let score = match (short.is_some(), by_kill > 0, closed.is_planned()) {
        (true, true, true) => 0.95,
        (true, false, true) if kept_long => 0.86,
        (true, false, true) => 0.66,
        (false, true, true) => 0.68,
        (true, _, false) if !closed.planned.is_some_and(Coincidence::is_denied) => 0.5,
        (true, _, false) => 0.35,
        (false, _, true) => 0.45,
        (false, true, false) => 0.4,
        (false, false, false) if is_unread(facts) && closed.bunched == Some(true) => 0.45,
        (false, false, false) => return None,
    };
    let title = match &kill {
        Some(kill) => format!(
            "Containers are killed {} s after SIGTERM, before their requests end",
            kill.explicit
        ),
        None => format!(
            "Containers may be killed (after {STOP_TIMEOUT} s by default) before their requests end"
        ),
    };
    let wanted = (longest * 1.25 / 10.0).ceil() * 10.0;
    let advice = format!(
        "Set stopTimeout of the container to {} in the task definition (Fargate allows up to 120 s), and let the process finish its requests on SIGTERM.",
        seconds(wanted.clamp(10.0, 120.0))
    );
    let finding = Finding::new(Cause::EcsStopTimeout, score * closed.weight(), title, advice);
    let setting = kill.map(|kill| {
        format!(
            "stopTimeout of container {} ({}) is {} s; the longest request took {}.",
            kill.container,
            kill.service.name,
            kill.explicit,
            seconds(longest)
        )
    });
    let killed = match by_kill {
        0 => String::new(),
        tasks => format!(
            "{} tasks that ECS stopped ended with exit code 137 (SIGKILL).",
            count(crate::diagnose::series::real(tasks))
        ),
    };
    let when = closed.planned.map(|c| words_coincidence(c, "502s")).unwrap_or_default();
    Some(finding.because([
        words::errors(facts, Measure::Elb502),
        setting.unwrap_or_default(),
        killed,
        when,
    ]))
}

/// Tasks that ECS stopped as planned, and then had to kill.
fn planned_kills(facts: &Facts) -> usize {
    let is_killed = |task: &StoppedTask| task.exits.iter().any(|(code, _)| *code == Some(137));
    stopped(facts).filter(|t| is_planned(t) && is_killed(t) && !is_out_of_memory(t)).count()
}

fn stopped<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a StoppedTask> {
    let services = facts.evidence.services.as_deref().unwrap_or_default();
    services.iter().filter_map(|service| service.stopped.as_ref().ok()).flatten()
}

fn is_unread(facts: &Facts) -> bool {
    let services = facts.evidence.services.as_ref();
    services.map_or(true, |services| services.iter().any(|service| service.stopped.is_err()))
}
