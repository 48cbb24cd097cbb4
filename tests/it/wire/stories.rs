//! Whole stories without a fault: what of them is counted, exported and sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nearmiss::daemon::Daemon;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Kind};
use nearmiss_sim::Setup;

use super::world::{ALL, HISTOGRAMS, SCRIPT, SLOW_BURN, WHOLE, World, metric, page};
use crate::state;

/// Twenty minutes after a script: what may be late is counted by then.
const SETTLED: i64 = SCRIPT.end + 20;

/// The requests of the simulator, CloudWatch's answers about them, the page and the
/// messages are one story: only the whole way can show that no part of it adds or loses
/// anything.
#[tokio::test]
async fn a_slow_burn_from_its_first_minute_to_its_last() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(HISTOGRAMS).await;
    world.poll(&mut daemon, 0..30).await;
    target_groups_are_shown_while_something_is_unusual(&daemon);
    let mut saved = Vec::new();
    world.saved().write_json(&mut saved).unwrap();
    state::no_value_panics(std::str::from_utf8(&saved).unwrap());
    world.poll(&mut daemon, 30..40).await;
    every_metric_of_the_dashboard_is_on_the_page(&page(&daemon));
    every_metric_is_documented_in_the_words_of_its_help(&page(&daemon));
    to_its_end(&world, &mut daemon, 40, "slow_burn").await;

    assert_eq!(world.told(), SLOW_BURN);
    assert_eq!(world.heard().into_values().collect::<Vec<_>>(), [WHOLE]);
    the_warning_comes_before_the_first_504(&world, "checkout", &world.told());
    the_histogram_says_it_too(&world, &page(&daemon), "checkout", "60", "48");
    self_check_finds_that_504s_leave_no_sample(&daemon);
}

fn the_warning_comes_before_the_first_504(world: &World, gateway: &str, told: &[String]) {
    let first_504 = world.sim.first_504(gateway).unwrap();
    let minute = |line: &str| {
        let at = line.split(' ').next().unwrap().replace('Z', ":00Z");
        chrono::DateTime::parse_from_rfc3339(&at).unwrap().timestamp() / 60
    };
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("[WARNING]") && minute(&told[0]) < first_504, "{told:#?}");
    assert!(told[1].contains("[CRITICAL]") && minute(&told[1]) >= first_504, "{told:#?}");
    assert!(told[2].contains("[RESOLVED]"), "{told:#?}");
}

fn the_page_says_what_was_counted(world: &World, daemon: &Daemon) {
    let states = world.states();
    assert!(!states.is_empty());
    for (key, state) in states {
        let name = key.split('/').nth(3).unwrap();
        let totals = state.totals;
        for (metric_name, counted) in [
            ("nearmiss_requests_total", totals.requests),
            ("nearmiss_near_misses_total", totals.near_misses),
            ("nearmiss_timeouts_total", totals.timeouts),
        ] {
            let counted = f64::from(u32::try_from(counted).unwrap());
            assert_eq!(metric(daemon, metric_name, name), Some(counted), "{metric_name} of {name}");
        }
    }
}

/// Near misses as the difference of two buckets, 504s as what is beyond all.
fn the_histogram_says_it_too(world: &World, page: &str, name: &str, timeout: &str, near: &str) {
    let start = format!("{{gateway=\"{name}\"");
    let value = |series: &str, label: &str| -> u64 {
        let is_it = |line: &&str| {
            line.strip_prefix(series).is_some_and(|rest| rest.starts_with(&start))
                && line.contains(label)
        };
        let line = page.lines().find(is_it).unwrap_or_else(|| panic!("{series} {label}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let bucket = |le: &str| value("nearmiss_latency_seconds_bucket", &format!("le=\"{le}\""));
    let count = value("nearmiss_latency_seconds_count", "");
    let state = world.states().into_iter().find(|(key, _)| key.contains(&format!("/{name}/")));
    let totals = state.unwrap().1.totals;
    assert_eq!(count, totals.requests);
    assert_eq!(bucket("+Inf"), count);
    assert_eq!(bucket(timeout) - bucket(near), totals.near_misses);
    assert_eq!(count - bucket(timeout), totals.timeouts);
    assert!(totals.near_misses > 100 && totals.timeouts > 100, "{totals:?}");
}

fn target_groups_are_shown_while_something_is_unusual(daemon: &Daemon) {
    let slow = metric(daemon, "nearmiss_target_group_latency_p99_seconds", "checkout").unwrap();
    assert!(slow > 40.0, "{slow}");
    let hosts = metric(daemon, "nearmiss_target_group_healthy_hosts", "checkout").unwrap();
    assert!(hosts > 0.0, "{hosts}");
    assert_eq!(metric(daemon, "nearmiss_target_group_latency_p99_seconds", "web"), None);
}

fn self_check_finds_that_504s_leave_no_sample(daemon: &Daemon) {
    for check in ["counts_add_up", "timeouts_leave_no_sample"] {
        let name = format!("nearmiss_self_check{{check=\"{check}\"}}");
        assert_eq!(metric(daemon, &name, ""), Some(1.0), "{check}");
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn every_metric_of_the_dashboard_is_on_the_page(page: &str) {
    let dashboard = read("grafana/nearmiss.json");
    let names: BTreeSet<&str> = dashboard
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("nearmiss_") || word.starts_with("process_"))
        .collect();
    assert!(names.len() > 10, "the dashboard names too few metrics: {names:?}");
    // It takes hours of growth to make one of these; their names are in the documents.
    let (rare, names): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| *name == "nearmiss_forecast_seconds");
    let documented = read("docs/metrics.md");
    assert!(rare.iter().all(|name| documented.contains(&format!("`{name}`"))), "{rare:?}");
    for name in names {
        let is_it = |line: &str| line.strip_prefix(name).is_some_and(|r| r.starts_with(['{', ' ']));
        assert!(page.lines().any(is_it), "{name} is in the dashboard and not on the page");
    }
}

fn every_metric_is_documented_in_the_words_of_its_help(page: &str) {
    let documented = read("docs/metrics.md");
    let helps: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        .filter(|(name, _)| name.starts_with("nearmiss_"))
        .collect();
    assert!(helps.len() > 25, "{helps:?}");
    for (name, help) in helps {
        let row = documented.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(
            row.is_some_and(|row| row.contains(help)),
            "{name}: {help}\nis not in docs/metrics.md"
        );
    }
}

/// A scenario from its first minute to its last.
async fn run(scenario: &str, seed: u64) -> World {
    let world = World::of(scenario, seed, "").await;
    let mut daemon = world.daemon(ALL).await;
    to_its_end(&world, &mut daemon, 0, scenario).await;
    world
}

/// Its counters are the truth, to the request.
async fn to_its_end(world: &World, daemon: &mut Daemon, from: i64, scenario: &str) {
    world.poll(daemon, from..SETTLED).await;
    world.counts_are_the_truth(scenario);
    world.is_counted_up_to(SETTLED, scenario);
    the_page_says_what_was_counted(world, daemon);
}

/// As above, where other things happen: a queue that fills up is forecast from
/// CloudWatch's own figures, and a failure to connect is diagnosed by what further
/// services say.
#[tokio::test]
async fn other_ways_to_fail_are_told_by_what_they_are() {
    let world = run("slow_burn", 42).await;
    the_warning_comes_before_the_first_504(&world, "checkout", &world.told());
    let world = run("traffic_ramp", 7).await;
    insta::assert_snapshot!("a_queue_that_fills_up", world.told().join("\n"));
    let world = World::of("connection_failures", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..40).await;
    the_cause_is_in_the_message_and_on_the_page(&world, &daemon);
    to_its_end(&world, &mut daemon, 40, "connection_failures").await;
    insta::assert_snapshot!("connection_failures", world.told().join("\n"));
}

fn the_cause_is_in_the_message_and_on_the_page(world: &World, daemon: &Daemon) {
    let message: serde_json::Value =
        serde_json::from_str(&world.sim.published()[0].message).unwrap();
    let first = &world.published()[0];
    assert!(first.to_string().contains("unreachable"), "no near misses: {first:#}");
    let cause = first["causes"][0]["cause"].as_str().unwrap_or_default();
    assert!(cause.starts_with("connect_"), "{first:#}");
    assert!(message["email"].as_str().unwrap().contains("\nWhy\n"), "{message:#}");
    let of_cause = format!("cause=\"{cause}\"");
    let page = page(daemon);
    let is_it = |line: &&str| line.starts_with("nearmiss_incident_cause{");
    let lines: Vec<&str> = page.lines().filter(is_it).collect();
    assert!(
        lines.iter().any(|line| line.contains(&of_cause) && line.contains("gateway=\"payments\"")),
        "{cause}: {lines:?}"
    );
}

/// Where nothing happens nobody is notified, whatever a real distribution of latencies
/// looks like in CloudWatch's percentiles.
#[tokio::test]
async fn a_healthy_day_and_a_quiet_night_are_silent() {
    for (scenario, seed) in [("healthy", 1), ("quiet_night", 2), ("healthy", 7), ("quiet_night", 7)]
    {
        let world = run(scenario, seed).await;
        assert_eq!(world.told(), [""; 0], "{scenario}, seed {seed}");
    }
}

/// A fleet with no unhealthy member, and its daemon.
async fn healthy_fleet(load_balancers: usize) -> (World, Daemon) {
    let setup = Setup {
        scenario: "fleet".into(),
        load_balancers: Some(load_balancers),
        ..Setup::default()
    };
    let world = World::with(setup).await;
    let daemon = world.daemon(ALL).await;
    (world, daemon)
}

fn billed(daemon: &Daemon) -> f64 {
    metric(daemon, "nearmiss_billed_metrics_requested_total", "").unwrap()
}

/// CloudWatch bills what it is asked for: only the requests that were made over a whole
/// day, with all that comes once an hour or a day, can be compared with what `nearmiss
/// cost` predicts.
#[tokio::test]
async fn a_day_without_anything_costs_what_was_predicted() {
    let (world, mut daemon) = healthy_fleet(2).await;
    world.poll(&mut daemon, 0..1440).await;
    let a_month = billed(&daemon) / 2.0 * 30.0 * 0.01 / 1000.0;
    assert!(a_month <= 0.20, "${a_month:.3} per load balancer and month");
    let predicted = nearmiss::cost::per_month(
        &nearmiss::config::Poll::default(),
        (Kind::Alb, Detail::Figures),
        PollRate::Slow,
        0.01,
    )
    .dollars;
    let difference = (a_month - predicted).abs() / predicted;
    assert!(difference < 0.02, "metered ${a_month:.4}, predicted ${predicted:.4}");

    a_gateway_with_little_traffic_is_not_read_more_often().await;
    a_fleet_of_healthy_gateways_takes_turns().await;
}

async fn a_gateway_with_little_traffic_is_not_read_more_often() {
    let world = World::of("quiet_night", 7, "").await;
    let gateway = "[[gateway]]\nload_balancer = \"*\"\ntimeout = \"300s\"\n";
    let mut daemon = world.daemon(gateway).await;
    world.poll(&mut daemon, 0..240).await;
    let billed = billed(&daemon);
    let (self_check, fortnight, history) = (8.0, 5.0, f64::from(3 * 5));
    let most = f64::from(2 * (240 / 5 + 3)) + self_check + fortnight + history;
    assert!(billed <= most, "{billed} metrics in four hours, not {most}");
}

async fn a_fleet_of_healthy_gateways_takes_turns() {
    let (world, mut daemon) = healthy_fleet(200).await;
    world.poll(&mut daemon, 0..10).await;
    assert_eq!(metric(&daemon, "nearmiss_gateways", ""), Some(200.0));
    let mut before = billed(&daemon);
    for minute in 10..15 {
        world.poll_at(&mut daemon, minute).await;
        let now = billed(&daemon);
        assert!((40.0..240.0).contains(&(now - before)), "minute {minute}: {}", now - before);
        before = now;
    }
}
