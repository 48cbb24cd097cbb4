//! Requests that were accepted and not answered in time: slow ones, and silent ones.
//!
//! A request that timed out leaves no latency sample, so percentiles are cut off at the
//! idle timeout and may look normal while nothing answers. What tells slow from silent
//! is what came before the 504s, and whether near misses come with them.

use crate::number::quantity::{count, percent, seconds};

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::{Target, TargetGroup, TargetKind};
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::Finding;
use crate::diagnose::rise::Rise;
use crate::diagnose::series::{self, groups_in_use};
use crate::diagnose::{fix, words};
use crate::gateway::evidence::Measure;

/// Requests that took too long, or nearly: the symptom of this file.
struct Late {
    /// 504s that are no failed connections.
    unanswered: f64,
    /// Near misses above the usual.
    near: f64,
    /// How much of the errors they are, 0 to 1, or 1 without errors.
    part: f64,
}

impl Late {
    fn of(facts: &Facts) -> Option<Self> {
        let unanswered = facts.unanswered();
        let near = if facts.knows(Measure::NearMisses) {
            facts.excess(Measure::NearMisses)
        } else {
            supposed_near(facts, unanswered)
        };
        let is_apt = unanswered + near > 0.0 && !facts.is_lambda_only();
        let part = facts.part(unanswered.max(near)) * sight(facts);
        is_apt.then_some(Self { unanswered, near, part })
    }

    /// Whether near misses are a good part of it.
    fn is_slow(&self) -> bool {
        self.near > 0.15 * self.unanswered
    }

    /// Between 0.5 and 1: less where other errors are the larger part.
    fn weight(&self) -> f64 {
        (0.5 + self.part).min(1.0)
    }
}

/// Near misses where they were not asked for: as many as the 504s, when the slowest
/// answers came close to the idle timeout.
fn supposed_near(facts: &Facts, unanswered: f64) -> f64 {
    let slowest = facts.came_to(Measure::P99).or_else(|| facts.came_to(Measure::Maximum));
    let is_close = slowest.is_some_and(|slowest| slowest > 0.7 * facts.idle);
    if is_close { unanswered } else { 0.0 }
}

/// Less than 1 where the 504s may be failed connections or handshakes, as far as is known.
fn sight(facts: &Facts) -> f64 {
    let may_be_tls = facts.evidence.target_groups.is_err()
        || groups_in_use(facts.evidence).any(|group| group.protocol == "HTTPS");
    let is_blind =
        !facts.knows(Measure::ConnectionErrors) || (!facts.knows(Measure::TlsErrors) && may_be_tls);
    if is_blind { 0.15 } else { 1.0 }
}

/// A part of the requests grows until it passes the idle timeout.
pub fn slow_target(facts: &Facts) -> Option<Finding> {
    let late = Late::of(facts)?;
    let all_wait = median_waits(facts);
    let score: f64 = match (facts.rise(), late.is_slow()) {
        (Rise::Gradual, _) if !all_wait => 0.84,
        (Rise::Gradual | Rise::None, true) => 0.55,
        (Rise::Step, true) => 0.48,
        (_, false) if late.near > 0.0 => 0.52,
        (_, false) => 0.3,
    };
    // Where half of the requests wait, it is not about one endpoint.
    let score = if all_wait { score - 0.15 } else { score };
    let score = if facts.knows(Measure::P50) { score } else { score.min(0.58) };
    let title = match facts.came_to(Measure::P99) {
        Some(p99) => format!("Requests take longer and longer: p99 came to {}", seconds(p99)),
        None => "Requests take longer and longer".to_owned(),
    };
    let advice = format!(
        "Find the endpoint among the slowest requests (access logs: target_processing_time) and what it waits for; set a timeout below {} there. A longer idle timeout only buys time.",
        seconds(facts.idle)
    );
    let finding = Finding::new(Cause::SlowTarget, score * late.weight(), title, advice);
    Some(finding.because(symptoms(facts)).fixed_by(longer_idle_timeout(facts)))
}

/// A part of the requests became slow at once.
pub fn slow_subset(facts: &Facts) -> Option<Finding> {
    let late = Late::of(facts)?;
    if !late.is_slow() || median_waits(facts) {
        return None;
    }
    let score: f64 = match facts.rise() {
        Rise::Step if late.near > late.unanswered => 0.86,
        Rise::Step => 0.6,
        Rise::None | Rise::Gradual => 0.5,
    };
    let score = if facts.knows(Measure::P50) { score } else { score.min(0.58) };
    let title = format!(
        "{} of the requests became slow at once, the others did not",
        percent(facts.as_share(late.near + late.unanswered))
    );
    let advice = format!(
        "See in the access logs what the requests above {} have in common (path, client, target), and what changed at {}: a release, a query plan, a dependency.",
        seconds(facts.evidence.near * facts.idle),
        facts.since()
    );
    let finding = Finding::new(Cause::SlowSubset, score * late.weight(), title, advice);
    Some(finding.because([words::near_misses(facts)]).because(symptoms(facts)))
}

/// A part of the requests is never answered, on all targets.
pub fn hang(facts: &Facts) -> Option<Finding> {
    let late = silent(facts)?;
    let score: f64 = match facts.gap() {
        Some(gap) if gap < 0.4 => 0.5,
        Some(_) if anomalous(facts) == Some(0.0) => 0.86,
        Some(_) => 0.8,
        None => 0.62,
    };
    let score = if fits_one_target(facts) { score.min(0.7) } else { score };
    let score = if anomalous(facts) >= Some(1.0) { score.min(0.62) } else { score };
    let score = if facts.rise() == Rise::Gradual { score.min(0.64) } else { score };
    let share = percent(facts.as_share(late.unanswered));
    let title =
        format!("{share} of the requests get no answer, and the others are as fast as usual");
    let advice = "Take a thread dump of a target: look for a lock, an exhausted pool or a call to a dependency without a timeout. Latency percentiles will not show it: a 504 leaves no sample.";
    let finding = Finding::new(Cause::Hang, score * late.weight(), title, advice);
    Some(finding.because(symptoms(facts)).because([samples(facts)]))
}

/// `Content-Length` is larger than the body.
pub fn content_length(facts: &Facts) -> Option<Finding> {
    let late = silent(facts)?;
    let score = match facts.gap() {
        Some(gap) if gap < 0.4 => 0.84,
        Some(_) => 0.3,
        None => 0.5,
    };
    let title =
        "Answers begin in time and never end: Content-Length is probably larger than the body";
    let advice = format!(
        "Compare Content-Length with the bytes that come (curl -v to a target); compression behind the header and early exits are the usual reasons. The load balancer waits {} for the rest, then answers 504.",
        seconds(facts.idle)
    );
    let finding = Finding::new(Cause::ContentLength, score * late.weight(), title, advice);
    Some(finding.because(symptoms(facts)).because([samples(facts)]))
}

/// One target of several accepts requests and does not answer.
pub fn bad_target(facts: &Facts) -> Option<Finding> {
    let late = Late::of(facts)?;
    let anomalous = anomalous(facts).unwrap_or(0.0) >= 1.0;
    let fits = fits_one_target(facts);
    let score = match (anomalous, fits) {
        (true, true) => 0.93,
        (true, false) => 0.7,
        (false, true) if facts.knows(Measure::Anomalous) => 0.6,
        (false, true) => 0.74,
        (false, false) => return None,
    };
    let score =
        if median_waits(facts) || late.unanswered < late.near { score - 0.25 } else { score };
    let outlier = outlier(facts);
    let name = outlier
        .as_ref()
        .map(|(_, target, port)| crate::diagnose::network::label(&target.id, *port));
    let targets = facts.targets();
    let title = format!(
        "One target{} accepts requests and hardly answers",
        name.map(|name| format!(" ({name})")).unwrap_or_default()
    );
    let share = format!(
        "{} of the requests got 504 without a failed connection; one of {} targets gets about {}.",
        percent(facts.as_share(late.unanswered)),
        count(targets),
        percent(1.0 / targets.max(1.0)),
    );
    let finding = Finding::new(
        Cause::BadTarget,
        score * late.weight(),
        title,
        "Take it out of the target group, look at it, then replace it. Its health check passes while requests hang: let the check touch what requests need.",
    );
    Some(finding.because([share, words::anomalous(facts)]).because(symptoms(facts)).fixed_by(
        match outlier {
            Some((group, target, port)) => Some(fix::deregister(group, &target.id, port)),
            None => mitigation(facts),
        },
    ))
}

/// 504s without near misses, at a normal latency.
fn silent(facts: &Facts) -> Option<Late> {
    let late = Late::of(facts)?;
    let is_silent = late.unanswered > 0.0 && late.near < 0.5 * late.unanswered;
    (is_silent && !median_waits(facts)).then_some(late)
}

/// Whether half of the requests wait, so that it is not about a few.
fn median_waits(facts: &Facts) -> bool {
    facts.delay().is_some()
}

/// Whether the unanswered share is about that of one target, where all are known.
fn fits_one_target(facts: &Facts) -> bool {
    let targets = facts.targets();
    let ratio = facts.as_share(facts.unanswered()) * targets;
    let few = facts.unanswered() < 30.0;
    let (low, high) = if few { (0.5, 1.6) } else { (0.62, 1.3) };
    let is_whole = series::has_all_groups(facts.evidence);
    is_whole && targets >= 2.0 && (low..=high).contains(&ratio)
}

/// How many targets are anomalous, by the figures or by the targets themselves.
fn anomalous(facts: &Facts) -> Option<f64> {
    let figures = facts.came_to(Measure::Anomalous);
    if outlier(facts).is_some() { Some(figures.unwrap_or(0.0).max(1.0)) } else { figures }
}

fn outlier<'a>(facts: &Facts<'a>) -> Option<(&'a TargetGroup, &'a Target, u16)> {
    groups_in_use(facts.evidence).find_map(|group| {
        let targets = group.targets.as_ref().ok()?;
        let target = targets.iter().find(|target| target.anomalous == Some(true))?;
        Some((group, target, target.port.or(group.port)?))
    })
}

fn mitigation(facts: &Facts) -> Option<crate::diagnose::finding::Fix> {
    let group = groups_in_use(facts.evidence).find(|group| group.kind != TargetKind::Lambda)?;
    Some(fix::target_group(
        group,
        &[
            (
                "load_balancing.algorithm.type",
                "weighted_random".to_owned(),
                "load_balancing_algorithm_type",
                "\"weighted_random\"".to_owned(),
            ),
            (
                "load_balancing.algorithm.anomaly_mitigation",
                "on".to_owned(),
                "load_balancing_anomaly_mitigation",
                "\"on\"".to_owned(),
            ),
        ],
    ))
}

fn longer_idle_timeout(facts: &Facts) -> Option<crate::diagnose::finding::Fix> {
    fix::idle_timeout(facts.evidence, (facts.idle * 2.0).min(4_000.0))
}

fn symptoms(facts: &Facts) -> Vec<String> {
    vec![
        words::errors(facts, Measure::Elb504),
        words::near_misses(facts),
        words::level(facts, Measure::P99, "p99"),
        words::level(facts, Measure::P50, "The median"),
    ]
}

/// Whether the 504s left latency samples.
fn samples(facts: &Facts) -> String {
    match facts.gap() {
        Some(gap) if gap < 0.4 => {
            "The 504s left latency samples: their targets began to answer in time.".to_owned()
        }
        Some(_) => {
            "The 504s left no latency samples: their targets never began to answer.".to_owned()
        }
        None => String::new(),
    }
}
