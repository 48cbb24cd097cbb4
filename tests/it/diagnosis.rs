//! From the wire to a cause: the evidence is gathered, judged, told and exported.

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

use crate::program::{config, program, text};
use crate::world::{ALL, START, World, metric};

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

#[tokio::test]
async fn what_is_denied_is_said_and_the_rest_goes_on() {
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
        assert!(denied.ends_with("Rules") || text.contains(denied), "{denied}\n{text}");
    }
}

#[tokio::test]
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

#[tokio::test]
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

/// Whether it is left out for want of the feature `full`.
fn is_unbuilt(what: &str) -> bool {
    let parts = ["security groups", "subnets", "network ACLs", "route tables", "VPCs"];
    let others = ["network interfaces", "ECS services", "Lambda functions"];
    !cfg!(feature = "full") && (parts.contains(&what) || others.contains(&what))
}

#[tokio::test]
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

#[tokio::test]
async fn without_figures_nothing_is_told_as_healthy() {
    for faults in ["denied=cloudwatch:GetMetricData", "internal=1"] {
        let (_, said) = Box::pin(diagnosis("n01_healthy", 1, faults)).await;
        assert_eq!(said.verdict, Verdict::CouldNotTell, "{faults}\n{}", said.text());
        assert!(said.text().contains("GetMetricData"), "{faults}\n{}", said.text());
    }
}

#[tokio::test]
async fn an_alert_names_the_cause_and_so_does_the_page() {
    let world = World::of("connection_failures", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 10..40).await;
    let published = world.sim.published();
    let first: serde_json::Value = serde_json::from_str(&published[0].message).unwrap();
    let machine: serde_json::Value = serde_json::from_str(first["sqs"].as_str().unwrap()).unwrap();
    let cause = machine["causes"][0]["cause"].as_str().unwrap_or_default().to_owned();
    assert!(cause.starts_with("connect_"), "{machine:#}");
    assert!(first["email"].as_str().unwrap().contains("\nWhy\n"), "{first:#}");
    assert_eq!(metric(&daemon, "nearmiss_incident_cause", "payments"), Some(1.0));
    let page = daemon.page();
    let page = std::str::from_utf8(&page.metrics).unwrap();
    assert!(page.contains(&format!("cause=\"{cause}\"")), "{cause}");
}

#[test]
fn a_chain_is_read_from_aws_and_drawn_and_its_exit_code_says_whether_it_holds() {
    let (_sim, address) = crate::program::sim(&["--scenario", "n01_healthy"]);
    let directory = tempfile::tempdir().unwrap();
    let chain = |behind: &str| {
        format!(
            "[[gateway]]\nload_balancer = \"site\"\n[[chain]]\nname = \"shop\"\n\
             [[chain.hop]]\nkind = \"client\"\ntotal_timeout = \"90s\"\n\
             [[chain.hop]]\nkind = \"alb\"\nload_balancer = \"site\"\n\
             [[chain.hop]]\nkind = \"app\"\n{behind}"
        )
    };
    let run = |text: &str, format: &str| {
        let path = config(directory.path(), text);
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
        command.args(["chain", "--config", &path, "--format", format]).output().unwrap()
    };
    let good = run(&chain("total_timeout = \"50s\"\nkeep_alive = \"75s\"\n"), "text");
    assert_eq!(good.status.code(), Some(0), "{}{}", text(&good.stdout), text(&good.stderr));
    let bad = run(&chain("total_timeout = \"80s\"\nkeep_alive = \"15s\"\n"), "json");
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad.stderr));
    let said: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    let rules: Vec<&str> = said["chains"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["rule"].as_str())
        .collect();
    assert!(rules.contains(&"outer_gives_up_first"), "{rules:?}");
    assert!(rules.contains(&"keep_alive_too_short"), "{rules:?}");
    let none = run("[[gateway]]\nload_balancer = \"site\"\n", "text");
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("no [[chain]]"), "{}", text(&none.stderr));
}

#[test]
fn diagnose_ends_with_what_it_found_and_names_what_is_watched() {
    let (_sim, address) =
        crate::program::sim(&["--scenario", "c18_keep_alive", "--start", "-200m"]);
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), "[[gateway]]\nload_balancer = \"site\"\n");
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
        command.args(["diagnose", "--config", &path]).args(arguments).output().unwrap()
    };
    let found = run(&["site"]);
    assert_eq!(found.status.code(), Some(1), "{}{}", text(&found.stdout), text(&found.stderr));
    assert!(text(&found.stdout).contains("keep_alive"), "{}", text(&found.stdout));
    let before = run(&["site", "--at", "-120m", "--format", "json"]);
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stdout));
    assert!(text(&run(&["site", "--format", "markdown"]).stdout).starts_with("# site at"));
    let unknown = run(&["sight"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is site"), "{}", text(&unknown.stderr));
}
