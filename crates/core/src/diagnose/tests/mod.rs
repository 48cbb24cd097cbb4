//! What the diagnosis claims, over many gateways.

mod faults;
mod fixes;
mod healthy;
mod network;
mod queue;
mod scene;

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::{Checked, Evidence, Figures, NotChecked, Scope};
use crate::diagnose::finding::{Confidence, Fix};
use crate::diagnose::{Diagnosis, Verdict, diagnose};
use crate::gateway::evidence::Measure;
use faults::with;
use healthy::{HEALTHY, without};
use proptest::prelude::*;
use scene::{Scene, Setting};

const SEEDS: u64 = 12;

fn said(diagnosis: &Diagnosis) -> String {
    let findings = diagnosis.findings.iter().take(3);
    findings.map(|f| format!("{} {:.2}", f.cause.name(), f.score)).collect::<Vec<_>>().join(", ")
}

fn place(diagnosis: &Diagnosis, cause: Cause) -> Option<usize> {
    diagnosis.findings.iter().position(|finding| finding.cause == cause)
}

fn is_wrongly_certain(diagnosis: &Diagnosis, cause: Cause) -> bool {
    let first = diagnosis.findings.first();
    first.is_some_and(|f| f.confidence == Confidence::Certain && f.cause != cause)
}

#[test]
fn each_cause_is_found() {
    let mut wrong = Vec::new();
    let (mut first, mut second, mut all) = (0, 0, 0);
    for cause in Cause::ALL {
        for seed in 0..SEEDS {
            let setting = Setting::drawn(seed * 31 + 7);
            let diagnosis = diagnose(&with(cause, setting).evidence);
            let place = place(&diagnosis, cause);
            all += 1;
            first += i32::from(place == Some(0));
            second += i32::from(place.is_some_and(|place| place < 2));
            if place != Some(0) || is_wrongly_certain(&diagnosis, cause) {
                wrong.push(format!(
                    "{} {place:?}: {} | {setting:?}",
                    cause.name(),
                    said(&diagnosis)
                ));
            }
            assert!(!is_wrongly_certain(&diagnosis, cause), "{wrong:?}");
        }
    }
    let shown = wrong.join("\n");
    eprintln!("{first} first, {second} in the first two, of {all}\n{shown}");
    assert!(f64::from(first) >= 0.97 * f64::from(all), "{shown}");
    assert_eq!(second, all, "{shown}");
}

#[test]
fn nothing_is_named_on_healthy_gateways() {
    let mut wrong = Vec::new();
    for name in HEALTHY {
        for seed in 0..SEEDS * 6 {
            let setting = Setting::drawn(seed * 17 + 3);
            let diagnosis = diagnose(&without(name, setting).evidence);
            if diagnosis.verdict != Verdict::Healthy {
                wrong.push(format!("{name}: {} | {setting:?}", said(&diagnosis)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn denied<T>(part: &mut Checked<T>, what: &str) {
    *part = Err(NotChecked {
        what: what.to_owned(),
        because: format!("the action for {what} is denied"),
        remedy: format!("grant the action for {what}"),
    });
}

type Forget = fn(&mut Evidence);

/// Without one part, or without all of EC2.
const PARTS: [(&str, Forget); 14] = [
    ("idle timeout", |e| denied(&mut e.load_balancer.as_mut().unwrap().attributes, "idle timeout")),
    ("delay", |e| denied(&mut e.target_groups.as_mut().unwrap()[0].attributes, "delay")),
    ("load balancer", |e| denied(&mut e.load_balancer, "load balancer")),
    ("target groups", |e| denied(&mut e.target_groups, "target groups")),
    ("targets", |e| denied(&mut e.target_groups.as_mut().unwrap()[0].targets, "targets")),
    ("security groups", |e| denied(&mut e.network.security_groups, "security groups")),
    ("subnets", |e| denied(&mut e.network.subnets, "subnets")),
    ("network ACLs", |e| denied(&mut e.network.acls, "network ACLs")),
    ("routes", |e| denied(&mut e.network.route_tables, "routes")),
    ("VPC", |e| denied(&mut e.network.vpc_blocks, "VPC")),
    ("interfaces", |e| denied(&mut e.network.interfaces, "interfaces")),
    ("services", |e| denied(&mut e.services, "services")),
    ("functions", |e| denied(&mut e.functions, "functions")),
    ("EC2", |e| {
        denied(&mut e.network.security_groups, "security groups");
        denied(&mut e.network.subnets, "subnets");
        denied(&mut e.network.acls, "network ACLs");
        denied(&mut e.network.route_tables, "routes");
        denied(&mut e.network.vpc_blocks, "VPC");
        denied(&mut e.network.interfaces, "interfaces");
    }),
];

/// The same figures without one measure, as if it had not been asked for.
fn forget(figures: &Figures, measure: Measure) -> Figures {
    let mut left = Figures::between(figures.first(), figures.end());
    let scopes: Vec<Scope> = figures.scopes().cloned().collect();
    for scope in scopes {
        for kept in MEASURES.into_iter().filter(|kept| *kept != measure) {
            let Some(row) = figures.row(&scope, kept) else { continue };
            left.ask(scope.clone(), kept, None);
            for (minute, value) in (0..).zip(row) {
                if let Some(value) = value {
                    left.record(&scope, kept, figures.first().plus(minute), *value);
                }
            }
        }
    }
    left
}

const MEASURES: [Measure; 22] = [
    Measure::Requests,
    Measure::Samples,
    Measure::Sum,
    Measure::P50,
    Measure::P90,
    Measure::P99,
    Measure::Maximum,
    Measure::NearMisses,
    Measure::Elb504,
    Measure::Elb502,
    Measure::Elb503,
    Measure::Elb4xx,
    Measure::Target5xx,
    Measure::ConnectionErrors,
    Measure::TlsErrors,
    Measure::Rejected,
    Measure::Healthy,
    Measure::Unhealthy,
    Measure::Anomalous,
    Measure::FailOpen,
    Measure::LambdaUserErrors,
    Measure::LambdaInternalErrors,
];

/// What is left of the diagnosis is right, or says that it could not tell.
fn honest(cause: Cause, evidence: &Evidence, without: &str, wrong: &mut Vec<String>) {
    let diagnosis = diagnose(evidence);
    let found = place(&diagnosis, cause).is_some_and(|place| place < 2);
    let honest = found || diagnosis.verdict == Verdict::CouldNotTell;
    if !honest || is_wrongly_certain(&diagnosis, cause) {
        wrong.push(format!("{} without {without}: {}", cause.name(), said(&diagnosis)));
    }
}

#[test]
fn without_a_part_of_the_evidence_it_is_right_or_says_so() {
    let mut wrong = Vec::new();
    for cause in Cause::ALL {
        for seed in 0..4 {
            let whole = with(cause, Setting { seed, ..Setting::plain() }).evidence;
            for (name, forget) in PARTS {
                let mut evidence = whole.clone();
                forget(&mut evidence);
                honest(cause, &evidence, name, &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_measure_it_is_right_or_says_so() {
    let mut wrong = Vec::new();
    for cause in Cause::ALL {
        let whole = with(cause, Setting::plain()).evidence;
        for measure in MEASURES {
            let mut evidence = whole.clone();
            evidence.figures = forget(&whole.figures, measure);
            honest(cause, &evidence, &format!("{measure:?}"), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A gateway as it may be drawn: any figures, with holes.
fn drawn(cells: &[(usize, i64, Option<f64>)], calm: bool) -> Evidence {
    let mut evidence =
        without("plain", Setting { before: 20, since: 20, ..Setting::plain() }).evidence;
    let first = evidence.figures.first();
    let mut figures = Figures::between(first, first.plus(40));
    for (place, minute, value) in cells {
        let measure = MEASURES[*place % MEASURES.len()];
        let group = Scope::TargetGroup("web".to_owned());
        for scope in [Scope::All, group] {
            figures.ask(scope.clone(), measure, None);
            let Some(value) = value else { continue };
            if !calm || !TROUBLING.contains(&measure) {
                figures.record(&scope, measure, first.plus(*minute), *value);
            }
        }
    }
    evidence.figures = figures;
    evidence
}

/// Trouble, and what a queue is seen by.
const TROUBLING: [Measure; 10] = [
    Measure::P50,
    Measure::NearMisses,
    Measure::Elb504,
    Measure::Elb502,
    Measure::Elb503,
    Measure::ConnectionErrors,
    Measure::TlsErrors,
    Measure::Rejected,
    Measure::Unhealthy,
    Measure::FailOpen,
];

fn absurd() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        Just(Some(0.0)),
        Just(Some(f64::MAX)),
        Just(Some(f64::MIN_POSITIVE)),
        (0.0..100.0).prop_map(Some),
        (0.0..1e15).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_figures_are_diagnosed(
        cells in prop::collection::vec((0usize..22, -2i64..45, absurd()), 0..400),
        began in prop::option::of(-10i64..60),
        timeout in prop_oneof![Just(0.0), Just(f64::MAX), Just(-1.0), 1.0..4000.0],
        part in 0..PARTS.len(),
        forgets in any::<bool>(),
    ) {
        let mut evidence = drawn(&cells, false);
        evidence.began = began.map(|minute| evidence.figures.first().plus(minute));
        evidence.timeout = timeout;
        if forgets {
            PARTS[part].1(&mut evidence);
        }
        let diagnosis = diagnose(&evidence);
        prop_assert_eq!(&diagnosis, &diagnose(&evidence));
        prop_assert!(diagnosis.findings.iter().all(|finding| finding.score.is_finite()));
        prop_assert!(!diagnosis.text().is_empty() && !diagnosis.markdown().is_empty());
        prop_assert!(diagnosis.summary().lines().count() <= 3);
    }

    #[test]
    fn without_trouble_no_cause_is_named(
        cells in prop::collection::vec((0usize..22, -2i64..45, absurd()), 0..400),
        began in prop::option::of(-10i64..60),
        part in 0..PARTS.len(),
    ) {
        let mut evidence = drawn(&cells, true);
        evidence.began = began.map(|minute| evidence.figures.first().plus(minute));
        PARTS[part].1(&mut evidence);
        let diagnosis = diagnose(&evidence);
        prop_assert_eq!(diagnosis.cause(), None);
        prop_assert!(diagnosis.verdict != Verdict::Findings);
    }
}

#[test]
fn no_evidence_at_all_is_no_verdict() {
    let mut evidence = Scene::healthy(Setting::plain()).evidence;
    evidence.figures = Figures::between(scene::FIRST, scene::FIRST);
    for (_, forget) in PARTS.iter().filter(|(name, _)| *name != "targets") {
        forget(&mut evidence);
    }
    let diagnosis = diagnose(&evidence);
    assert_eq!((diagnosis.verdict, diagnosis.cause()), (Verdict::CouldNotTell, None));
    assert_eq!(diagnosis.not_checked.len(), 10);
}

#[test]
fn a_target_that_is_gone_and_a_closed_group_look_alike_without_ec2() {
    let mut evidence = with(Cause::ConnectDeadTarget, Setting::plain()).evidence;
    let (_, forget) = PARTS.iter().find(|(name, _)| *name == "EC2").unwrap();
    forget(&mut evidence);
    let diagnosis = diagnose(&evidence);
    assert_eq!(diagnosis.verdict, Verdict::CouldNotTell);
    let first: Vec<Cause> = diagnosis.findings.iter().take(2).map(|f| f.cause).collect();
    assert_eq!(first, [Cause::ConnectDeadTarget, Cause::ConnectSecurityGroup]);
    assert!(diagnosis.told_apart.is_some());
}

#[test]
fn people_can_read_it() {
    for cause in [
        Cause::SlowTarget,
        Cause::ConnectSecurityGroup,
        Cause::ConnectNetworkAcl,
        Cause::KeepAlive,
        Cause::UnhealthyTargets,
    ] {
        let mut evidence = with(cause, Setting::plain()).evidence;
        denied(&mut evidence.functions, "lambda:GetFunctionConfiguration");
        let diagnosis = diagnose(&evidence);
        insta::assert_snapshot!(format!("text of {}", cause.name()), diagnosis.text());
    }
    let diagnosis = diagnose(&with(Cause::ConnectNetworkAcl, Setting::plain()).evidence);
    insta::assert_snapshot!("markdown", diagnosis.markdown());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&diagnosis).unwrap());
    let healthy = diagnose(&without("own_errors", Setting::plain()).evidence);
    insta::assert_snapshot!("healthy", healthy.text());
}

#[test]
fn an_alert_has_three_short_lines() {
    let lines: Vec<String> = Cause::ALL
        .into_iter()
        .map(|cause| diagnose(&with(cause, Setting::plain()).evidence).summary())
        .collect();
    assert!(lines.iter().all(|text| text.lines().all(|line| line.chars().count() <= 170)));
    insta::assert_snapshot!("alerts", lines.join("\n\n"));
}

/// All fixes, one after the other: what `scripts/check_fixes.sh` gives to the real
/// parsers.
#[test]
fn all_fixes() {
    let mut fixes = Vec::new();
    for cause in Cause::ALL {
        for seed in 0..4 {
            let diagnosis = diagnose(&with(cause, Setting { seed, ..Setting::plain() }).evidence);
            fixes.extend(diagnosis.findings.into_iter().filter_map(|finding| finding.fix));
        }
    }
    fixes.sort();
    fixes.dedup();
    let said = |fix: &Fix| format!("$ {}\n\n{}", fix.cli, fix.terraform);
    insta::assert_snapshot!("fixes", fixes.iter().map(said).collect::<Vec<_>>().join("\n---\n"));
}
#[test]
fn it_is_found_after_minutes_and_after_hours() {
    let mut wrong = Vec::new();
    for since in [8, 100, 140] {
        for cause in Cause::ALL {
            for seed in 0..3 {
                let before = if since > 90 { 100 } else { 60 };
                let is_known = seed != 1;
                let setting = Setting { before, since, is_known, ..Setting::drawn(seed * 13 + 5) };
                let diagnosis = diagnose(&with(cause, setting).evidence);
                if place(&diagnosis, cause) != Some(0) || is_wrongly_certain(&diagnosis, cause) {
                    wrong.push(format!("{since} min {}: {}", cause.name(), said(&diagnosis)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_remains_ambiguous_is_said_to_be() {
    let plain = Setting::plain();
    let mut keep_alive = with(Cause::KeepAlive, plain).evidence;
    denied(&mut keep_alive.services, "services");
    let mut hang = with(Cause::Hang, plain).evidence;
    hang.figures = forget(&hang.figures, Measure::Samples);
    let mut bad_target = with(Cause::BadTarget, plain).evidence;
    bad_target.figures = forget(&bad_target.figures, Measure::Anomalous);
    bad_target.target_groups.as_mut().unwrap()[0].targets.as_mut().unwrap()[1].anomalous = None;
    for (evidence, expected) in [
        (keep_alive, [Cause::KeepAlive, Cause::DeregistrationDelay]),
        (hang, [Cause::Hang, Cause::ContentLength]),
        (bad_target, [Cause::BadTarget, Cause::Hang]),
    ] {
        let diagnosis = diagnose(&evidence);
        let first: Vec<Cause> = diagnosis.findings.iter().take(2).map(|f| f.cause).collect();
        assert_eq!(first, expected, "{}", said(&diagnosis));
        assert!(diagnosis.findings[0].confidence < Confidence::Certain);
        assert!(diagnosis.told_apart.is_some());
    }
}

#[test]
fn an_idle_timeout_of_ten_seconds_is_told_from_a_failed_connection_by_the_count_only() {
    let setting = Setting { timeout: 10.0, ..Setting::plain() };
    let diagnosis = diagnose(&with(Cause::Hang, setting).evidence);
    assert_eq!(diagnosis.cause(), Some(Cause::Hang));
    assert!(diagnosis.told_apart.unwrap().contains("10 s of the connection timeout"));
}

#[test]
fn a_refused_connection_is_no_keep_alive() {
    let mut scene = Scene::healthy(Setting::plain());
    scene.run(|shape, _| {
        if shape.at >= 0 {
            shape.refused = 0.25;
        }
    });
    let diagnosis = diagnose(&scene.evidence);
    assert_eq!(diagnosis.cause(), Some(Cause::ConnectDeadTarget), "{}", said(&diagnosis));
    assert!(diagnosis.findings[0].title.contains("refuse"));
    assert_eq!(place(&diagnosis, Cause::KeepAlive), None);
}
