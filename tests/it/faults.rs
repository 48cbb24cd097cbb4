//! Whatever AWS does: each settled minute is counted once and truly, nobody is
//! told of what did not happen, and nothing that happened stays untold.
//!
//! Each case runs a whole story with a fault over several seeds. A case that
//! fails names its seed; the same seed tells the same story again.

use std::collections::{BTreeMap, HashSet};

use nearmiss::daemon::Daemon;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use nearmiss_sim::Truth;

use crate::world::{ALL, START, World, metric};

/// The sick load balancer of the story, and the healthy ones.
const SICK: &str = "checkout";
const HEALTHY: [&str; 2] = ["web", "search"];
/// The story is over by then, and every minute of it settled.
const END: i64 = 80;
/// Up to so many minutes at the end may wait for being settled.
const OPEN_MINUTES: i64 = 16;
/// What is told in any case: it begins, becomes worse, ends.
const TOLD: [&str; 3] = ["firing", "escalated", "resolved"];

/// A story under a fault, polled once a minute; `ahead` is how far the machine's
/// clock is ahead of AWS's.
async fn story(seed: u64, faults: &str, more: &str, ahead: i64) -> (World, Daemon) {
    let world = World::of("slow_burn", seed, faults).await;
    let mut daemon = world.daemon(&format!("{ALL}{more}")).await;
    for minute in 0..END {
        let now = START + 60 * minute + 5 + ahead;
        world.clock.set(now);
        world.sim.tell_now(now - ahead);
        daemon.poll(now, &mut |_| {}).await;
    }
    (world, daemon)
}

fn ledgers(world: &World) -> BTreeMap<String, GatewayState> {
    world.saved_gateways()
}

/// What was counted of a load balancer, compared with what happened.
fn counts_are_the_truth(world: &World, case: &str) {
    for (key, ledger) in ledgers(world) {
        let name = key.split('/').nth(3).unwrap().to_owned();
        let counted = ledger.minutes.settled + ledger.minutes.idle + ledger.minutes.lost;
        let counted = counted + ledger.passed_over();
        let first = ledger.count_watermark.plus(-i64::try_from(counted).unwrap());
        let truths: Vec<Truth> = (first.0..ledger.count_watermark.0)
            .filter_map(|minute| world.sim.truth(&name, minute))
            .collect();
        let requests: u64 = truths.iter().map(|t| t.samples + t.elb_504).sum();
        let near: u64 = truths.iter().map(|t| t.near_misses).sum();
        let timeouts: u64 = truths.iter().map(|t| t.elb_504).sum();
        let totals = ledger.totals;
        assert_eq!(
            (totals.requests, totals.near_misses, totals.timeouts),
            (requests, near, timeouts),
            "{case}: {name} from {first} to {}",
            ledger.count_watermark
        );
        let missing = Minute::containing(START).plus(END).since(ledger.count_watermark);
        assert!(missing <= OPEN_MINUTES, "{case}: {missing} minutes of {name} are not counted");
        assert!(first.since(Minute::containing(START)) <= 16, "{case}: {name} begins at {first}");
        assert_eq!(ledger.minutes.lost, 0, "{case}: {name}");
    }
}

/// One episode of the sick one, told once for each change; none of the healthy ones.
fn the_story_was_told(world: &World, case: &str) {
    let published = world.sim.published();
    let mut reasons = Vec::new();
    let mut seen = HashSet::new();
    for one in &published {
        let message: serde_json::Value = serde_json::from_str(&one.message).unwrap();
        let machine: serde_json::Value =
            serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap();
        if machine["kind"] == "digest" {
            continue; // The story begins on a Monday at nine, and a wrong clock earlier.
        }
        if machine["kind"] == "own" {
            let theme = machine["rule"].as_str().unwrap();
            let is_awss = ["data", "credentials", "discovery", "clock"].contains(&theme);
            assert!(is_awss, "{case}: {machine}");
            continue;
        }
        let gateway = machine["gateway"]["name"].as_str().unwrap();
        assert!(!HEALTHY.contains(&gateway), "{case}: a false alert of {gateway}: {machine}");
        // A message that was taken while its answer was cut comes again, with
        // the same id.
        if seen.insert(machine["id"].to_string()) {
            reasons.push(machine["reason"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(reasons.first().map(String::as_str), Some(TOLD[0]), "{case}: {reasons:?}");
    assert!(reasons.iter().all(|reason| TOLD.contains(&reason.as_str())), "{case}: {reasons:?}");
    for reason in TOLD {
        let told = reasons.iter().filter(|told| *told == reason).count();
        assert!(told <= 1, "{case}: {reasons:?}");
    }
}

async fn holds(name: &str, faults: &str, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let case = format!("{name}, seed {seed}, faults {faults}");
        let (world, _) = story(seed, faults, "", 0).await;
        counts_are_the_truth(&world, &case);
        the_story_was_told(&world, &case);
    }
}

/// A test for each fault, so that they run side by side.
macro_rules! faults {
    ($($name:ident: $faults:literal, $seeds:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            holds(stringify!($name), $faults, $seeds).await;
        }
    )*};
}

faults! {
    nothing_is_wrong: "", 1..4;
    one_call_in_five_is_throttled: "throttle=0.2", 1..3;
    one_answer_in_five_is_an_error: "error500=0.2", 1..3;
    a_twentieth_of_the_results_is_partial: "partial=0.05", 1..3;
    a_tenth_of_the_results_fails: "internal=0.1", 1..4;
    further_pages_are_lost: "lost_page=0.3", 1..3;
    points_come_ninety_seconds_late: "publish=90", 1..3;
    points_come_three_minutes_late: "publish=180", 1..2;
    answers_are_out_of_order_and_doubled: "shuffle=0.3,duplicate=0.3", 1..4;
    one_connection_in_ten_is_cut: "cut=0.1", 1..4;
    cloudwatch_is_silent_for_a_while: "gap=20-26:6", 1..3;
    everything_is_twenty_minutes_late_for_a_while: "publish=30,lag=10-44:20", 1..2;
    latencies_are_twenty_minutes_late_for_a_while: "publish=30,lag=10-44:20:TargetResponseTime", 1..3;
    latencies_are_missing_and_come_newest_first: "publish=30,gap=20-39:1:newest:TargetResponseTime", 1..2;
    the_504s_are_late: "publish=30,gap=20-40:2:HTTPCode_ELB_504_Count", 1..3;
    what_is_missing_comes_in_any_order: "publish=30,gap=20-39:1:shuffled", 1..3;
    one_load_balancer_is_late: "publish=30,gap=20-44:1:oldest:lb=checkout", 1..2;
    minutes_are_published_in_part_at_first: "publish=30,partly=15-28:840", 1..2;
    newer_minutes_overtake_older_ones: "publish=30,gap=20-39:25:each", 1..2;
    aws_is_down_for_a_quarter_of_an_hour: "down=18-33", 1..4;
    credentials_are_expired_for_a_while: "expire=22-40", 1..3;
    cloudwatch_throttles_everything_for_a_while: "throttled=24-36", 1..3;
    everything_at_once: "throttle=0.1,error500=0.05,partial=0.03,internal=0.03,shuffle=0.2,duplicate=0.1,cut=0.03,publish=60,down=40-44", 1..6;
}

#[tokio::test]
async fn one_seed_tells_one_story_twice_under_every_fault() {
    for faults in ["throttle=0.2,internal=0.1", "publish=90,shuffle=0.3", "down=18-33"] {
        let (once, _) = story(5, faults, "", 0).await;
        let (again, _) = story(5, faults, "", 0).await;
        assert_eq!(once.told(), again.told(), "seed 5, faults {faults}");
    }
}

#[tokio::test]
async fn a_late_revision_is_noticed_and_the_count_stays() {
    let (world, daemon) = story(3, "revise_late=0.2", "", 0).await;
    let revised: Vec<u64> = ledgers(&world).values().map(|ledger| ledger.minutes.revised).collect();
    let revised = revised.iter().map(|n| f64::from(u32::try_from(*n).unwrap())).sum::<f64>();
    assert!(revised > 10.0, "{revised}");
    let shown: f64 = ["checkout", "web", "search"]
        .iter()
        .filter_map(|g| metric(&daemon, "nearmiss_late_revisions_total", g))
        .sum();
    assert!((shown - revised).abs() < 0.5, "{shown} on the page, {revised} in the state");
    the_story_was_told(&world, "revise_late=0.2, seed 3");
}

#[tokio::test]
async fn what_is_revised_before_it_settles_is_counted_as_revised() {
    for (faults, settle, seeds) in
        [("publish=20,revise=0.1", "3m", 1..4), ("revise_late=0.2", "8m", 1..3)]
    {
        for seed in seeds {
            let case = format!("{faults}, settle {settle}, seed {seed}");
            let more = format!("[poll]\nsettle = \"{settle}\"\n");
            let (world, daemon) = story(seed, faults, &more, 0).await;
            counts_are_the_truth(&world, &case);
            the_story_was_told(&world, &case);
            let revised = metric(&daemon, "nearmiss_late_revisions_total", SICK);
            assert_eq!(revised, Some(0.0), "{case}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said_and_does_no_harm() {
    for (ahead, seed) in [(300i32, 1), (-300, 2), (600, 3)] {
        let case = format!("clock {ahead} s ahead, seed {seed}");
        let (world, daemon) = story(seed, "publish=30", "", i64::from(ahead)).await;
        counts_are_the_truth(&world, &case);
        the_story_was_told(&world, &case);
        let skew = metric(&daemon, "nearmiss_clock_skew_seconds", "").unwrap();
        assert!((skew - f64::from(ahead)).abs() <= 15.0, "{case}: {skew}");
    }
}

#[tokio::test]
async fn a_timeout_that_changes_is_followed() {
    for seed in 1..4 {
        let case = format!("timeout of web becomes 120 s, seed {seed}");
        let (world, daemon) = story(seed, "timeout=web:30:120", "", 0).await;
        counts_are_the_truth(&world, &case);
        the_story_was_told(&world, &case);
        assert_eq!(metric(&daemon, "nearmiss_timeout_seconds", "web"), Some(120.0), "{case}");
    }
}

#[tokio::test]
async fn load_balancers_come_and_go() {
    for seed in 1..3 {
        let case = format!("seed {seed}");
        let faults = "create=web:30,delete=search:50";
        let (world, daemon) = story(seed, faults, "", 0).await;
        assert!(metric(&daemon, "nearmiss_requests_total", "web").unwrap() > 50_000.0, "{case}");
        assert_eq!(metric(&daemon, "nearmiss_requests_total", "search"), None, "{case}");
        the_story_was_told(&world, &case);
    }
}

#[tokio::test]
async fn a_load_balancer_that_is_made_anew_in_the_middle_of_it_is_the_same_gateway() {
    let world = World::of("slow_burn", 2, "recreate=checkout:36,recreate=web:31").await;
    let mut daemon = world.daemon(ALL).await;
    let mut before = [0.0; 2];
    let mut dimensions = HashSet::new();
    for minute in 0..END {
        world.poll(&mut daemon, minute..minute + 1).await;
        for (name, before) in [SICK, "web"].iter().zip(&mut before) {
            let counted = metric(&daemon, "nearmiss_requests_total", name).unwrap();
            assert!(counted >= *before, "{name} falls from {before} to {counted} at {minute}");
            *before = counted;
        }
        let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
        let info = |line: &&str| line.starts_with("nearmiss_gateway_info{gateway=\"checkout\"");
        dimensions.extend(page.lines().find(info).map(str::to_owned));
    }
    assert_eq!(dimensions.len(), 2, "the new dimension is said: {dimensions:?}");
    assert_eq!(ledgers(&world).len(), 3, "none is left of the old ones");
    counts_are_the_truth(&world, "made anew");
    the_story_was_told(&world, "made anew");
}

/// CloudWatch has nothing for forty minutes, in which requests come close to the timeout
/// and end in 504.
#[tokio::test]
async fn steady_traffic_that_vanishes_is_told_and_what_comes_late_is_told_as_bad_as_it_was() {
    let world = World::of("slow_burn", 3, "gap=20-59:1").await;
    let mut daemon = world.daemon(ALL).await;
    let mut ready = None;
    for minute in 0..END + 10 {
        world.poll(&mut daemon, minute..minute + 1).await;
        let up = metric(&daemon, "nearmiss_gateway_up", SICK);
        let trouble = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
        let trouble = trouble.contains("nearmiss_trouble{theme=\"data\"} 1");
        if (36..58).contains(&minute) {
            assert_eq!((up, trouble), (Some(0.0), true), "at {minute}");
            // What makes it ready is what it had before.
            let fresh = daemon.page().fresh_until;
            assert_eq!(*ready.get_or_insert(fresh), fresh, "ready at {minute}");
        } else if !(20..64).contains(&minute) {
            assert_eq!((up, trouble), (Some(1.0), false), "at {minute}");
        }
    }
    for ledger in ledgers(&world).values() {
        assert_eq!((ledger.minutes.idle, ledger.minutes.recovered), (0, 0));
    }
    counts_are_the_truth(&world, "silent");
    the_story_was_told(&world, "silent");
    let told = world.sim.published();
    let machine = |one: &nearmiss_sim::Published| -> serde_json::Value {
        let message: serde_json::Value = serde_json::from_str(&one.message).unwrap();
        serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap()
    };
    let data = told.iter().map(machine).find(|one| one["rule"] == "data" && one["kind"] == "own");
    let data = data.expect("the missing data was told").to_string();
    assert!(data.contains("checkout, search, web") && data.contains("09:20"), "{data}");
    let worst = told.iter().map(machine).any(|one| one["severity"] == "critical");
    assert!(worst, "it was critical: {told:?}");
}

/// This machine's clock, second by second.
async fn under_clock(seed: u64, ahead: impl Fn(i64) -> i64) -> (World, Daemon) {
    let world = World::of("slow_burn", seed, "publish=30").await;
    let mut daemon = world.daemon(ALL).await;
    for minute in 0..END {
        let now = START + 60 * minute + 5;
        world.clock.set(now + ahead(minute));
        world.sim.tell_now(now);
        daemon.poll(now + ahead(minute), &mut |_| {}).await;
        for (key, ledger) in ledgers(&world) {
            let position = ledger.assess_watermark.max(ledger.count_watermark);
            assert!(position.start() <= now, "{key} is at {position}, and it is {now}");
        }
    }
    (world, daemon)
}

#[tokio::test]
async fn a_clock_that_is_set_again_and_again_does_no_harm() {
    // Ahead or behind by ten minutes for two polls, by hours and days for one; AWS
    // refuses what is signed more than a quarter of an hour off.
    let jumps = |minute: i64| match minute {
        12 | 13 => 600,
        20 | 21 => -600,
        28 => 7_200,
        34 => -7_200,
        40 => 86_400 * 30,
        46 => -86_400 * 400,
        _ => 0,
    };
    let (world, _) = under_clock(2, jumps).await;
    counts_are_the_truth(&world, "a clock that jumps");
    the_story_was_told(&world, "a clock that jumps");
}

#[tokio::test]
async fn a_first_start_with_a_clock_that_is_ahead_begins_where_aws_is() {
    let world = World::of("slow_burn", 1, "publish=30").await;
    let mut finder = world.daemon(ALL).await;
    world.poll(&mut finder, 0..1).await;
    drop(finder);
    let key = ledgers(&world).into_keys().find(|key| key.contains(SICK)).unwrap();
    std::fs::remove_file(world.state()).unwrap();
    // Given as a dimension value with its timeout, nothing is asked before its minutes.
    let dimension = key.splitn(3, '/').nth(2).unwrap();
    let text = format!("[[gateway]]\nload_balancer = \"{dimension}\"\ntimeout = \"60s\"\n");
    let mut daemon = world.daemon(&text).await;
    for minute in 0..40 {
        let now = START + 60 * minute + 5;
        let ahead = if minute < 10 { 840 } else { 0 };
        world.clock.set(now + ahead);
        world.sim.tell_now(now);
        daemon.poll(now + ahead, &mut |_| {}).await;
        assert_eq!(metric(&daemon, "nearmiss_gateway_up", SICK), Some(1.0), "at {minute}");
    }
    let ledger = ledgers(&world).into_values().next().unwrap();
    let counted = ledger.minutes.settled;
    assert!((36..=39).contains(&counted), "{counted} of 40 minutes");
}

#[tokio::test]
async fn a_histogram_holds_the_truth_and_begins_anew_when_the_timeout_changes() {
    let text = "[[gateway]]\nload_balancer = \"*\"\nhistogram = true\n";
    let world = World::of("slow_burn", 4, "timeout=web:30:120").await;
    let mut daemon = world.daemon(text).await;
    world.poll(&mut daemon, 0..60).await;
    counts_are_the_truth_of(&world, &daemon, "checkout", "60", "48");
    let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
    let of_web: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("nearmiss_latency_seconds_count{gateway=\"web\""))
        .collect();
    assert!(of_web.len() == 1 && of_web[0].contains("timeout=\"120\""), "{of_web:?}");
}

/// Near misses as the difference of two buckets, 504s as what is beyond all.
fn counts_are_the_truth_of(world: &World, daemon: &Daemon, name: &str, timeout: &str, near: &str) {
    let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
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
    let key = ledgers(world).into_iter().find(|(key, _)| key.contains(&format!("/{name}/")));
    let totals = key.unwrap().1.totals;
    assert_eq!(count, totals.requests);
    assert_eq!(bucket("+Inf"), count);
    assert_eq!(bucket(timeout) - bucket(near), totals.near_misses);
    assert_eq!(count - bucket(timeout), totals.timeouts);
    assert!(totals.near_misses > 100 && totals.timeouts > 100, "{totals:?}");
}

#[tokio::test]
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
    let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
    let account = format!("account=\"{other}\"");
    let watched: Vec<&str> =
        page.lines().filter(|line| line.starts_with("nearmiss_requests_total{")).collect();
    assert!(!watched.is_empty(), "{page}");
    for line in watched {
        assert!(line.contains(&account) && !line.ends_with(" 0"), "{line}");
    }
}

#[tokio::test]
async fn target_groups_are_shown_while_something_stirs() {
    let (_, daemon) = {
        let world = World::of("slow_burn", 7, "").await;
        let mut daemon = world.daemon(ALL).await;
        world.poll(&mut daemon, 0..30).await;
        (world, daemon)
    };
    let slow = metric(&daemon, "nearmiss_target_group_latency_p99_seconds", SICK).unwrap();
    assert!(slow > 40.0, "{slow}");
    assert!(metric(&daemon, "nearmiss_target_group_healthy_hosts", SICK).unwrap() > 0.0);
    assert_eq!(metric(&daemon, "nearmiss_target_group_latency_p99_seconds", "web"), None);
}

#[tokio::test]
async fn the_self_check_finds_that_504s_leave_no_sample() {
    let (_, daemon) = story(7, "", "", 0).await;
    assert_eq!(metric(&daemon, "nearmiss_self_check", ""), Some(1.0));
    let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
    for check in ["counts_add_up", "timeouts_leave_no_sample"] {
        assert!(page.contains(&format!("nearmiss_self_check{{check=\"{check}\"}} 1")), "{check}");
    }
}
