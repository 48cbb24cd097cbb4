//! Which load balancers are watched: what the config says, and what AWS lets the daemon see
//! of it.

use nearmiss::daemon::Daemon;
use nearmiss::inventory::{AccountRegion, Trouble};
use nearmiss_core::number::quantity::Span;

use super::world::{ALL, START, World, metric, page, trouble};

const SPAN: u64 = 20;

/// Which gateways this config finds, whether that is all, and what is reported.
async fn found(world: &World, text: &str) -> (Vec<String>, bool, Vec<String>) {
    let accounts = AccountRegion::of_config(&world.config(text), &world.base).await;
    let mut account = accounts.into_iter().next().unwrap();
    let span = Span::seconds(SPAN);
    account.refresh(START, span, span).await;
    let names = account.gateways.iter().map(|gateway| gateway.id.name.clone()).collect();
    (names, account.is_complete(), account.troubles.iter().map(Trouble::to_string).collect())
}

pub(super) const BY_TAGS: &str = "[[gateway]]\ntags = { team = \"*\" }\n";
const BY_NAME: &str = "[[gateway]]\nload_balancer = \"checkout\"\n";
/// What a route by tags needs.
pub(super) const ROUTE: &str =
    "[[route]]\ntags = { team = \"a\" }\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\n";

/// IAM denies one action at a time: only the calls themselves show what depends on it, and
/// that nothing else does.
#[tokio::test]
async fn a_missing_permission_loses_what_needs_it_and_nothing_else() {
    without_tags_only_what_goes_by_tags_is_lost().await;
    without_the_list_what_is_named_by_its_arn_is_watched().await;
    without_attributes_what_has_a_timeout_is_watched().await;
    without_figures_there_is_no_data().await;
}

async fn without_tags_only_what_goes_by_tags_is_lost() {
    let world = World::of("slow_burn", 7, "denied=elasticloadbalancing:DescribeTags").await;
    let only_checkout = ["checkout"];

    let (names, is_known, said) = found(&world, &format!("{BY_NAME}{ROUTE}")).await;
    assert_eq!(names, only_checkout);
    assert!(is_known, "who is watched does not hang on tags");
    assert!(said[0].starts_with("elasticloadbalancing:DescribeTags in eu-central-1: "), "{said:?}");
    assert!(
        said[0].contains("The tags of 1 load balancers are not known: routes, maintenance windows, silences and labels by tags do not fit them. Allow elasticloadbalancing:DescribeTags"),
        "{said:?}"
    );

    let (names, is_known, said) = found(&world, &format!("{BY_NAME}{BY_TAGS}")).await;
    assert_eq!(names, only_checkout);
    assert!(!is_known, "more may be there");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("load_balancer \"*\", tag team=* does not find them"), "{said:?}");

    let excluding =
        "[[gateway]]\nload_balancer = \"*\"\nexclude = [\"web\", { tags = { team = \"*\" } }]\n";
    let (names, _, said) = found(&world, excluding).await;
    assert_eq!(names, ["checkout", "search"]);
    assert!(said[0].contains("exclude does not leave them out by tags"), "{said:?}");

    // The whole daemon: it reads minutes, and the trouble is on the page.
    let mut daemon = world.daemon(&format!("{BY_NAME}{ROUTE}")).await;
    world.poll(&mut daemon, 0..2).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), Some(1.0));
    assert_eq!(trouble(&daemon, "discovery"), Some(1.0));
}

async fn without_the_list_what_is_named_by_its_arn_is_watched() {
    let denied = "denied=elasticloadbalancing:DescribeLoadBalancers";
    let world = World::of("slow_burn", 7, denied).await;
    let arn = World::arn("checkout").await;
    let by_arn =
        format!("[[gateway]]\nload_balancer = \"{arn}\"\n[[gateway]]\nload_balancer = \"web\"\n");
    let (names, is_known, said) = found(&world, &by_arn).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], false));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("elasticloadbalancing:DescribeLoadBalancers"), "{said:?}");

    let mut by_name = world.daemon(BY_NAME).await;
    world.poll_at(&mut by_name, 0).await;
    assert_eq!(metric(&by_name, "nearmiss_gateways", ""), Some(0.0));
    drop(by_name); // a state belongs to one daemon
    let gateway = format!("[[gateway]]\nload_balancer = \"{arn}\"\ntimeout = \"60s\"\n");
    let mut explicit = world.daemon(&gateway).await;
    world.poll(&mut explicit, 0..2).await;
    assert!(metric(&explicit, "nearmiss_latency_p99_seconds", "checkout").is_some());
}

async fn without_attributes_what_has_a_timeout_is_watched() {
    let denied = "denied=elasticloadbalancing:DescribeLoadBalancerAttributes";
    let world = World::of("slow_burn", 7, denied).await;
    let fixed = "[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"60s\"\n";
    let (names, is_known, said) = found(&world, fixed).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], true));
    assert!(!said[0].contains("not watched"), "{said:?}");
    let (names, is_known, said) =
        found(&world, &format!("{fixed}[[gateway]]\nload_balancer = \"*\"\n")).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], false));
    assert!(
        said[0].contains("2 load balancers are not watched, because their idle timeout"),
        "{said:?}"
    );
}

async fn without_figures_there_is_no_data() {
    let world = World::of("slow_burn", 7, "denied=cloudwatch:GetMetricData").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..3).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), Some(0.0));
    assert_eq!(metric(&daemon, "nearmiss_latency_p99_seconds", "checkout"), None);
    assert_eq!(metric(&daemon, "nearmiss_polls_total{outcome=\"failed\"}", ""), Some(3.0));
    assert_eq!(daemon.served().borrow().fresh_until, None, "not ready");
    let calls =
        "nearmiss_api_calls_total{action=\"cloudwatch:GetMetricData\",outcome=\"denied\"} 3";
    assert!(page(&daemon).contains(calls));
}

/// Names, patterns, tags, timeouts and other accounts, as Elastic Load Balancing, STS and
/// CloudWatch know them.
#[tokio::test]
async fn the_config_says_what_is_watched_and_how() {
    let world = World::of("slow_burn", 7, "").await;
    one_unknown_load_balancer_does_not_blind_the_others(&world).await;
    load_balancers_are_selected_by_tags(&world).await;
    tags_become_labels_and_change_with_the_config(&world).await;
    a_configured_timeout_wins().await;
    a_monitoring_account_reads_linked_ones().await;
}

async fn one_unknown_load_balancer_does_not_blind_the_others(world: &World) {
    let gateways =
        "[[gateway]]\nload_balancer = \"no-such\"\n[[gateway]]\nload_balancer = \"web\"\n";
    let mut daemon = world.daemon(gateways).await;
    world.poll(&mut daemon, 0..2).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "web"), Some(1.0));
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), None);
}

async fn load_balancers_are_selected_by_tags(world: &World) {
    for (tags, found) in [
        ("{ env = \"prod\" }", vec!["checkout", "search", "web"]),
        ("{ env = \"pr?d\", service = \"{web,pay}*\" }", vec!["web"]),
        ("{ env = \"no-such\" }", vec![]),
    ] {
        let mut daemon = world.daemon(&format!("[[gateway]]\ntags = {tags}\n")).await;
        world.poll_at(&mut daemon, 2).await;
        let is_watched = |name: &&str| metric(&daemon, "nearmiss_gateway_up", name).is_some();
        let watched: Vec<_> =
            ["checkout", "search", "web"].into_iter().filter(is_watched).collect();
        assert_eq!(watched, found, "{tags}");
        let gateways = metric(&daemon, "nearmiss_gateways", "");
        assert_eq!(gateways, Some(f64::from(u32::try_from(found.len()).unwrap())), "{tags}");
    }
}

async fn tags_become_labels_and_change_with_the_config(world: &World) {
    let labelled = |tags: &str| format!("{ALL}[metrics]\ntag_labels = {tags}\n");
    let mut daemon = world.daemon(&labelled("[\"service\", \"cost-center\"]")).await;
    world.poll_at(&mut daemon, 3).await;
    let info = |daemon: &Daemon| {
        let page = page(daemon);
        let is_it = |line: &&str| line.starts_with("nearmiss_gateway_info{gateway=\"web\"");
        page.lines().find(is_it).unwrap().to_owned()
    };
    let line = info(&daemon);
    assert!(line.contains(",tag_service=\"web\",tag_cost_center=\"\"} 1"), "{line}");
    daemon.reload(Ok(world.config(&labelled("[\"env\"]"))), START + 60 * 4).await;
    world.poll_at(&mut daemon, 4).await;
    let line = info(&daemon);
    assert!(line.contains(",tag_env=\"prod\"} 1") && !line.contains("tag_service"), "{line}");
}

/// The load balancer's own is exported beside it, and what comes after the configured one
/// counts as well.
async fn a_configured_timeout_wins() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon =
        world.daemon("[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"30s\"\n").await;
    world.poll(&mut daemon, 0..20).await;
    assert_eq!(metric(&daemon, "nearmiss_timeout_seconds", "checkout"), Some(30.0));
    assert_eq!(metric(&daemon, "nearmiss_idle_timeout_seconds", "checkout"), Some(60.0));
    let told = world.told();
    assert!(told[0].contains("[WARNING] checkout: requests come close"), "{told:#?}");
    assert!(told[0].as_str() < super::world::SLOW_BURN[0], "earlier than with 60 s: {told:#?}");
}

async fn a_monitoring_account_reads_linked_ones() {
    let other = "222222222222";
    let world = World::of("slow_burn", 7, &format!("linked={other},external_id=secret")).await;
    let role = format!("arn:aws:iam::{other}:role/nearmiss");
    let mut daemon = world
        .daemon(&format!(
            "[[gateway]]\nload_balancer = \"*\"\nrole_arn = \"{role}\"\nexternal_id = \"secret\"\nmonitored_account = \"{other}\"\n"
        ))
        .await;
    world.poll(&mut daemon, 0..10).await;
    let page = page(&daemon);
    let account = format!("account=\"{other}\"");
    let watched: Vec<&str> =
        page.lines().filter(|line| line.starts_with("nearmiss_requests_total{")).collect();
    assert!(!watched.is_empty(), "{page}");
    for line in watched {
        assert!(line.contains(&account) && !line.ends_with(" 0"), "{line}");
    }
}

/// Timeouts are read again once a day here; that one was raised shows in the answers that
/// come after it, and only CloudWatch and Elastic Load Balancing together say so.
#[tokio::test]
async fn answers_above_the_timeout_show_that_it_was_raised() {
    let world = World::of("slow_burn", 7, "timeout=checkout:40:120").await;
    let mut daemon = world.daemon(&format!("{ALL}[discovery]\nrefresh = \"1d\"\n")).await;
    world.poll(&mut daemon, 0..40).await;
    assert_eq!(metric(&daemon, "nearmiss_timeout_seconds", "checkout"), Some(60.0));
    let calls = "nearmiss_api_calls_total{action=\"elasticloadbalancing:DescribeLoadBalancerAttributes\",outcome=\"ok\"}";
    assert_eq!(metric(&daemon, calls, ""), Some(3.0), "one for each load balancer");
    world.poll(&mut daemon, 40..60).await;
    assert_eq!(metric(&daemon, "nearmiss_timeout_seconds", "checkout"), Some(120.0));
    assert_eq!(metric(&daemon, calls, ""), Some(4.0), "one more, and not one a poll");
}
