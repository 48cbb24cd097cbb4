//! From the wire to a cause: the evidence is gathered from six services, and judged.

use std::collections::BTreeMap;
use std::time::Duration;

use nearmiss::diagnose::{self, Moment};
use nearmiss::edge::aws::Usage;
use nearmiss::edge::evidence::TopologyReader;
use nearmiss::inventory::AccountRegion;
use nearmiss_core::diagnose::evidence::{LoadBalancer, NotChecked, Zone};
use nearmiss_core::diagnose::{Diagnosis, Verdict};
use nearmiss_core::time::Minute;
use nearmiss_sim::{Setup, scenarios};

use super::world::{ALL, START, World};

/// The diagnosis of a scenario's load balancer half an hour after its last error
/// began, and the truth.
async fn diagnosis(scenario: &str, seed: u64, faults: &str) -> (Option<&'static str>, Diagnosis) {
    Box::pin(diagnosed(World::of(scenario, seed, faults).await)).await
}

async fn diagnosed(world: World) -> (Option<&'static str>, Diagnosis) {
    let story = world.sim.story().into_iter().next().unwrap();
    let minute = story.fault_start.map_or(150, |fault| fault - START / 60 + 60).min(230);
    world.clock.set(START + 60 * minute + 130);
    let config = world.config(ALL);
    let mut accounts = AccountRegion::of_config(&config, &world.base).await;
    let span = config.poll.deadline;
    accounts[0].refresh(START + 60 * minute, span, span).await;
    let mut gateways = accounts[0].gateways.iter();
    let gateway = gateways.find(|one| one.id.name == story.load_balancer).unwrap();
    let moment = Moment { end: Minute(START / 60 + minute), began: None };
    let mut usage = Usage::default();
    let said = Box::pin(diagnose::of(&accounts[0], gateway, moment, &mut usage)).await;
    (story.cause, said)
}

/// The scenarios with one cause, or none.
fn causes() -> Vec<&'static str> {
    let names = scenarios().iter().map(|one| one.name);
    let is_numbered = |name: &&str| name[1..3].parse::<u8>().is_ok();
    names.filter(|name| name.starts_with(['c', 'n'])).filter(is_numbered).collect()
}

/// What each cause looks like to the services of AWS, as they answer: the judgement alone
/// is tested in `crates/core/src/diagnose/tests`.
#[cfg(feature = "full")]
#[tokio::test]
async fn every_cause_is_named_first_and_none_on_a_healthy_gateway() {
    let all = causes();
    assert_eq!(all.len(), 31, "{all:?}");
    for name in all {
        let (truth, said) = Box::pin(diagnosis(name, 1, "")).await;
        let named = said.findings.first().map(|finding| finding.cause.name());
        assert_eq!(named, truth, "{name}\n{}", said.text());
    }
}

#[cfg(not(feature = "full"))]
#[tokio::test]
async fn what_this_program_cannot_ask_is_said() {
    let (_, said) = Box::pin(diagnosis("c07_connect_security_group", 1, "")).await;
    let missing = said.not_checked.iter().find(|one| one.what == "security groups").unwrap();
    assert!(missing.remedy.contains("--features full"), "{missing:?}");
}

/// Services that deny, have too much to say, or do not answer in time: what is not known is
/// reported, and the rest is judged.
#[tokio::test]
async fn what_cannot_be_asked_is_said_and_the_rest_goes_on() {
    what_is_denied_is_said().await;
    of_hundreds_of_target_groups_it_is_said_how_many_were_left_out().await;
    denied_attributes_of_target_groups_leave_the_groups().await;
    who_does_not_answer_is_not_waited_for().await;
    without_figures_nothing_is_told_as_healthy().await;
}

async fn what_is_denied_is_said() {
    for denied in [
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ] {
        let (truth, said) =
            Box::pin(diagnosis("c01_slow_target", 2, &format!("denied={denied}"))).await;
        let named = said.findings.first().map(|finding| finding.cause.name());
        assert_eq!(named, truth, "{denied}\n{}", said.text());
        let text = said.text();
        // Rules are read last, and nothing depends on them here.
        assert_eq!(text.contains(denied), !denied.ends_with("Rules"), "{denied}\n{text}");
    }
}

async fn of_hundreds_of_target_groups_it_is_said_how_many_were_left_out() {
    for scenario in ["c01_slow_target", "c06_hang", "c18_keep_alive", "n01_healthy"] {
        let setup = Setup { scenario: scenario.to_owned(), ..Setup::default() };
        let setup = Setup { target_groups: Some(250), ..setup };
        let (truth, said) = Box::pin(diagnosed(World::with(setup).await)).await;
        let named = said.findings.first().map(|finding| finding.cause.name());
        assert_eq!(named, truth, "{scenario}\n{}", said.text());
        let told = |what: &str| said.not_checked.iter().any(|one| one.what == what);
        assert!(told("150 of 250 target groups"), "{:?}", said.not_checked);
        assert!(told("figures of 90 of 100 target groups"), "{:?}", said.not_checked);
    }
}

async fn denied_attributes_of_target_groups_leave_the_groups() {
    let faults = "denied=elasticloadbalancing:DescribeTargetGroupAttributes";
    let (truth, said) = Box::pin(diagnosis("c24_unhealthy_targets", 2, faults)).await;
    let missing = said.not_checked.iter().map(|one| one.what.as_str());
    let missing: Vec<&str> = missing.filter(|what| !is_unbuilt(what)).collect();
    assert_eq!(missing, ["target groups' attributes"]);
    let first = said.findings.first().unwrap();
    assert_eq!(Some(first.cause.name()), truth, "{}", said.text());
    assert!(first.evidence.iter().any(|text| text.contains("Target.")), "{}", said.text());
}

/// Whether it is left out because the feature `full` is missing.
fn is_unbuilt(what: &str) -> bool {
    let parts = ["security groups", "subnets", "network ACLs", "route tables", "VPCs"];
    let others = ["network interfaces", "ECS services", "Lambda functions"];
    !cfg!(feature = "full") && (parts.contains(&what) || others.contains(&what))
}

async fn who_does_not_answer_is_not_waited_for() {
    let world = World::of("n01_healthy", 1, "slow_ms=60000").await;
    let inquiry = TopologyReader::new(&world.base, Duration::from_millis(100));
    let late = |missing: Option<NotChecked>| {
        let missing = missing.unwrap();
        assert_eq!(missing.because, "it took longer than 0.1 s", "{}", missing.what);
    };
    late(inquiry.load_balancer("arn:aws:elasticloadbalancing:::loadbalancer/app/a/1").await.err());
    late(inquiry.target_groups("arn:aws:elasticloadbalancing:::loadbalancer/app/a/1").await.err());
    if cfg!(feature = "full") {
        late(inquiry.services(&[]).await.err());
        let balancer = Ok(LoadBalancer {
            name: "a".to_owned(),
            arn: "arn:aws:elasticloadbalancing:::loadbalancer/app/a/1".to_owned(),
            state: String::new(),
            vpc: "vpc-1".to_owned(),
            security_groups: vec!["sg-1".to_owned()],
            zones: vec![Zone { name: String::new(), subnet: "subnet-1".to_owned() }],
            attributes: Ok(BTreeMap::new()),
        });
        let network = inquiry.network(&balancer, &mut []).await;
        late(network.interfaces.err());
        late(network.security_groups.err());
        late(network.subnets.err());
        late(network.acls.err());
        late(network.route_tables.err());
        late(network.vpc_blocks.err());
    }
}

async fn without_figures_nothing_is_told_as_healthy() {
    for faults in ["denied=cloudwatch:GetMetricData", "internal=1"] {
        let (_, said) = Box::pin(diagnosis("n01_healthy", 1, faults)).await;
        assert_eq!(said.verdict, Verdict::CouldNotTell, "{faults}\n{}", said.text());
        assert!(said.text().contains("GetMetricData"), "{faults}\n{}", said.text());
    }
}
