//! The whole way, over the wire: what happens in a scenario, and what is told.

use std::collections::BTreeMap;

use nearmiss::daemon::Daemon;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Kind};
use nearmiss_sim::Setup;

use crate::world::{ALL, START, World, metric, poll};

const SCRIPT: std::ops::Range<i64> = 0..115;

async fn told(scenario: &str, seed: u64) -> (World, Vec<String>) {
    let world = World::of(scenario, seed, "").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, SCRIPT).await;
    let told = world.told();
    (world, told)
}

#[tokio::test]
async fn a_slow_burn_is_told_before_its_first_504_and_again_after_it() {
    for seed in [1, 7, 42] {
        let (world, told) = told("slow_burn", seed).await;
        let first_504 = world.sim.first_504("checkout").unwrap();
        let minute = |line: &str| {
            let at = line.split(' ').next().unwrap().replace('Z', ":00Z");
            chrono::DateTime::parse_from_rfc3339(&at).unwrap().timestamp() / 60
        };
        assert_eq!(told.len(), 3, "seed {seed}: {told:#?}");
        assert!(told[0].ends_with("[WARNING] checkout: requests come close to the timeout"));
        assert!(minute(&told[0]) < first_504, "seed {seed}: {told:#?}");
        assert!(told[1].ends_with("[CRITICAL] checkout: requests end in 504"));
        assert!(minute(&told[1]) >= first_504, "seed {seed}: {told:#?}");
        assert!(told[2].contains("[RESOLVED]"), "seed {seed}: {told:#?}");
    }
}

#[tokio::test]
async fn one_seed_tells_one_story() {
    let (_, once) = told("slow_burn", 7).await;
    let (_, again) = told("slow_burn", 7).await;
    assert_eq!(once, again);
    insta::assert_snapshot!(once.join("\n"));
}

#[tokio::test]
async fn a_queue_that_fills_up_is_told() {
    let (_, told) = told("traffic_ramp", 7).await;
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn connection_failures_are_504s_and_no_near_misses() {
    let (world, told) = told("connection_failures", 7).await;
    insta::assert_snapshot!(told.join("\n"));
    let first = &world.sim.published()[0].message;
    assert!(first.contains("unreachable"), "{first}");
}

#[tokio::test]
async fn a_healthy_day_and_a_quiet_night_are_silent() {
    for scenario in ["healthy", "quiet_night"] {
        for seed in [1, 2] {
            let (_, told) = told(scenario, seed).await;
            assert_eq!(told, Vec::<String>::new(), "{scenario}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_late_poll_tells_what_a_punctual_one_tells() {
    let (_, punctual) = told("slow_burn", 7).await;
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    for minute in SCRIPT.step_by(7).chain([114]) {
        poll(&mut daemon, minute..minute + 1).await;
    }
    let told = world.told();
    let what = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    };
    assert_eq!(what(&told), what(&punctual));
    // Later by the time to the next poll, and never earlier.
    let minute = |line: &String| line[11..16].replace(':', "").parse::<i64>().unwrap();
    for (late, punctual) in told.iter().zip(&punctual) {
        let minutes = |at: i64| at / 100 * 60 + at % 100;
        let later = minutes(minute(late)) - minutes(minute(punctual));
        assert!((0..7).contains(&later), "{late}, {punctual}");
    }
}

#[tokio::test]
async fn a_restart_in_an_episode_tells_nothing_twice_and_tells_the_end() {
    let (_, expected) = told("slow_burn", 7).await;
    let world = World::of("slow_burn", 7, "").await;
    for life in [0..25, 25..26, 26..40, 40..41, 41..115] {
        let mut daemon = world.daemon(ALL).await;
        poll(&mut daemon, life).await;
    }
    assert_eq!(world.told(), expected);
}

#[tokio::test]
async fn an_episode_that_nobody_could_be_told_of_is_told_afterwards() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, 0..10).await;
    // Five hours without the daemon: the whole episode lies in them.
    poll(&mut daemon, 310..314).await;
    let told = world.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("[RESOLVED] checkout"), "{told:#?}");
    let message = &world.sim.published()[0].message;
    assert!(message.contains("from 2026-01-05T09:1"), "the times are told: {message}");
}

#[tokio::test]
async fn the_episode_of_a_load_balancer_that_is_deleted_is_closed() {
    let mut world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, 0..25).await;
    assert_eq!(world.told().len(), 1, "the warning");
    world.becomes("connection_failures").await;
    // One that is made anew under its name within a quarter of an hour is the same.
    poll(&mut daemon, 25..40).await;
    assert_eq!(world.told().len(), 1, "it may come back");
    poll(&mut daemon, 40..48).await;
    let told = world.told();
    let closed = |line: &&String| line.contains("[CLOSED] checkout");
    assert_eq!(told.iter().filter(closed).count(), 1, "{told:#?}");
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), None);
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "payments"), Some(1.0));
}

#[tokio::test]
async fn what_sns_refused_is_sent_by_a_later_poll() {
    let (_, expected) = told("slow_burn", 7).await;
    let world = World::of("slow_burn", 7, "sns_down=12").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, SCRIPT).await;
    let told = world.told();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert_eq!(told[1..], expected[1..]);
    assert!(told[0].ends_with("[WARNING] checkout: requests come close to the timeout"));
    assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(0.0));
    let page = daemon.page();
    let page = std::str::from_utf8(&page.metrics).unwrap();
    assert!(
        page.contains("nearmiss_notifications_total{outcome=\"failed\",receiver=\"nearmiss\"}")
    );
}

/// Counters after the script, compared with the scenario's own truth.
async fn counters_equal_the_truth(scenario: &str, seed: u64, faults: &str) {
    let world = World::of(scenario, seed, faults).await;
    let mut daemon = world.daemon(ALL).await;
    let mut first_counted = BTreeMap::new();
    // Twenty minutes more: what a failed poll missed, or may be late, is read by then.
    for minute in SCRIPT.start..SCRIPT.end + 20 {
        poll(&mut daemon, minute..minute + 1).await;
        for (key, ledger) in world.saved_gateways() {
            first_counted.entry(key).or_insert(ledger.count_watermark.0);
        }
    }
    let ledgers = world.saved_gateways();
    assert!(!ledgers.is_empty());
    for (key, ledger) in ledgers {
        let name = key.split('/').nth(3).unwrap();
        assert!(ledger.count_watermark.0 > START / 60 + SCRIPT.end, "{key} lags: {faults}");
        let truth = world.truth(name, first_counted[&key], ledger.count_watermark.0);
        #[allow(clippy::cast_precision_loss)]
        for (metric_name, truth) in [
            ("nearmiss_requests_total", truth.0),
            ("nearmiss_near_misses_total", truth.1),
            ("nearmiss_timeouts_total", truth.2),
        ] {
            let counted = metric(&daemon, metric_name, name);
            assert_eq!(
                counted,
                Some(truth as f64),
                "{scenario}, seed {seed}, faults {faults:?}: {metric_name} of {name}"
            );
        }
    }
}

#[tokio::test]
async fn the_counters_equal_the_truth_to_the_request() {
    for scenario in ["slow_burn", "traffic_ramp", "connection_failures", "quiet_night", "healthy"] {
        counters_equal_the_truth(scenario, 7, "").await;
    }
}

#[tokio::test]
async fn a_troubled_cloudwatch_is_never_read_as_zero() {
    for (seed, faults) in
        [(1, "partial=0.05"), (2, "internal=0.05"), (3, "error500=0.3"), (4, "throttle=0.3")]
    {
        counters_equal_the_truth("slow_burn", seed, faults).await;
    }
}

#[tokio::test]
async fn a_denied_action_is_said_and_leaves_no_data() {
    let world = World::of("slow_burn", 7, "denied=cloudwatch:GetMetricData").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, 0..3).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), Some(0.0));
    assert_eq!(metric(&daemon, "nearmiss_latency_p99_seconds", "checkout"), None);
    assert_eq!(metric(&daemon, "nearmiss_polls_total{outcome=\"failed\"}", ""), Some(3.0));
    let page = daemon.page();
    assert_eq!(page.fresh_until, None, "not ready");
    let text = std::str::from_utf8(&page.metrics).unwrap();
    assert!(text.contains(
        "nearmiss_api_calls_total{action=\"cloudwatch:GetMetricData\",outcome=\"denied\"} 3"
    ));
}

#[tokio::test]
async fn one_unknown_load_balancer_does_not_blind_the_others() {
    let world = World::of("slow_burn", 7, "").await;
    let gateways =
        "[[gateway]]\nload_balancer = \"no-such\"\n[[gateway]]\nload_balancer = \"web\"\n";
    let mut daemon = world.daemon(gateways).await;
    poll(&mut daemon, 0..2).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "web"), Some(1.0));
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), None);
}

#[tokio::test]
async fn a_configured_timeout_wins_and_the_load_balancers_own_is_exported_beside_it() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon =
        world.daemon("[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"55s\"\n").await;
    poll(&mut daemon, 0..1).await;
    assert_eq!(metric(&daemon, "nearmiss_timeout_seconds", "checkout"), Some(55.0));
    assert_eq!(metric(&daemon, "nearmiss_idle_timeout_seconds", "checkout"), Some(60.0));
}

#[tokio::test]
async fn load_balancers_are_selected_by_tags() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon("[[gateway]]\ntags = { env = \"prod\" }\n").await;
    poll(&mut daemon, 0..1).await;
    assert!(metric(&daemon, "nearmiss_gateways", "").is_some_and(|n| n >= 1.0));
    drop(daemon); // the state is one daemon's
    let mut by_pattern =
        world.daemon("[[gateway]]\ntags = { env = \"pr?d\", service = \"{web,pay}*\" }\n").await;
    poll(&mut by_pattern, 0..1).await;
    assert_eq!(metric(&by_pattern, "nearmiss_gateways", ""), Some(1.0));
    assert!(metric(&by_pattern, "nearmiss_gateway_up", "web").is_some());
    drop(by_pattern);
    let mut nothing = world.daemon("[[gateway]]\ntags = { env = \"no-such\" }\n").await;
    poll(&mut nothing, 0..1).await;
    assert_eq!(metric(&nothing, "nearmiss_gateways", ""), Some(0.0));
}

#[tokio::test]
async fn tags_become_labels_and_change_with_the_config() {
    let world = World::of("slow_burn", 7, "").await;
    let labelled = |tags: &str| format!("{ALL}[metrics]\ntag_labels = {tags}\n");
    let mut daemon = world.daemon(&labelled("[\"service\", \"cost-center\"]")).await;
    poll(&mut daemon, 0..1).await;
    let info = |daemon: &Daemon| {
        let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
        let is_it = |line: &&str| line.starts_with("nearmiss_gateway_info{gateway=\"web\"");
        page.lines().find(is_it).unwrap().to_owned()
    };
    let line = info(&daemon);
    assert!(line.contains(",tag_service=\"web\",tag_cost_center=\"\"} 1"), "{line}");
    daemon.reload(Ok(world.config(&labelled("[\"env\"]"))), START + 60).await;
    poll(&mut daemon, 1..2).await;
    let line = info(&daemon);
    assert!(line.contains(",tag_env=\"prod\"} 1") && !line.contains("tag_service"), "{line}");
}

#[tokio::test]
async fn an_explicit_gateway_needs_no_elastic_load_balancing() {
    let denied = "denied=elasticloadbalancing:DescribeLoadBalancers";
    let world = World::of("slow_burn", 7, denied).await;
    let mut by_name = world.daemon("[[gateway]]\nload_balancer = \"checkout\"\n").await;
    poll(&mut by_name, 0..1).await;
    assert_eq!(metric(&by_name, "nearmiss_gateways", ""), Some(0.0));
    drop(by_name);

    let arn = world.arn("checkout").await;
    let gateway = format!("[[gateway]]\nload_balancer = \"{arn}\"\ntimeout = \"60s\"\n");
    let mut explicit = world.daemon(&gateway).await;
    poll(&mut explicit, 0..2).await;
    assert!(metric(&explicit, "nearmiss_latency_p99_seconds", "checkout").is_some());
}

/// A fleet without a sick member, and its daemon after so many minutes of polls.
async fn calm_fleet(load_balancers: usize, minutes: i64) -> (World, Daemon) {
    let world = World::with(Setup {
        scenario: "fleet".into(),
        load_balancers: Some(load_balancers),
        ..Setup::default()
    })
    .await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, 0..minutes).await;
    (world, daemon)
}

#[tokio::test]
async fn a_calm_day_costs_less_than_two_alarms_and_what_was_predicted() {
    let (_world, daemon) = calm_fleet(5, 1440).await;
    let billed = metric(&daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    let a_month = billed / 5.0 * 30.0 * 0.01 / 1000.0;
    assert!(a_month <= 0.20, "${a_month:.3} per load balancer and month");
    let predicted = nearmiss::cost::per_month(
        &world_poll(),
        (Kind::Alb, Detail::Figures),
        PollRate::Slow,
        0.01,
    )
    .dollars;
    let difference = (a_month - predicted).abs() / predicted;
    assert!(difference < 0.02, "metered ${a_month:.4}, predicted ${predicted:.4}");
}

fn world_poll() -> nearmiss::config::Poll {
    nearmiss::config::Poll::default()
}

#[tokio::test]
async fn a_calm_gateway_with_little_traffic_is_not_read_more_often() {
    let world = World::of("quiet_night", 7, "").await;
    let gateway = "[[gateway]]\nload_balancer = \"*\"\ntimeout = \"300s\"\n";
    let mut daemon = world.daemon(gateway).await;
    poll(&mut daemon, 0..240).await;
    let billed = metric(&daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    let (self_check, fortnight, history) = (8.0, 5.0, f64::from(3 * 5));
    let most = f64::from(2 * (240 / 5 + 3)) + self_check + fortnight + history;
    assert!(billed <= most, "{billed} metrics in four hours, not {most}");
}

#[tokio::test]
async fn a_fleet_of_calm_gateways_takes_turns() {
    let (_world, mut daemon) = calm_fleet(200, 10).await;
    assert_eq!(metric(&daemon, "nearmiss_gateways", ""), Some(200.0));
    let mut before = metric(&daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    for minute in 10..15 {
        poll(&mut daemon, minute..minute + 1).await;
        let now = metric(&daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
        assert!((40.0..240.0).contains(&(now - before)), "minute {minute}: {}", now - before);
        before = now;
    }
}

#[tokio::test]
async fn a_timeout_below_the_load_balancers_own_counts_what_comes_after_it_too() {
    let world = World::of("slow_burn", 7, "").await;
    let gateway = "[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"30s\"\n";
    let mut daemon = world.daemon(gateway).await;
    poll(&mut daemon, 0..30).await;
    let told = world.told();
    assert!(told[0].contains("[WARNING] checkout: requests come close"), "{told:#?}");
    assert!(told[0].as_str() < "2026-01-05T09:18Z", "earlier than with 60 s: {told:#?}");
}
