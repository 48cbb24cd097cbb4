//! Whatever AWS does: each settled minute is counted once and correctly, nobody is notified
//! of what did not happen, and nothing that happened is left out.
//!
//! Each row runs a whole story. A row that fails names its seed; the same seed gives the
//! same story again. What late, missing and revised points do to a gateway's state is shown
//! minute by minute, and for arbitrary outages, in `crates/core/src/state/tests`.

use std::collections::HashSet;

use nearmiss::daemon::Daemon;

use super::world::{ALL, START, World, metric, page, trouble};

/// The load balancer of the story that fails, and those that do not.
const SICK: &str = "checkout";
const HEALTHY: [&str; 2] = ["web", "search"];
/// The story is over by then, and every minute of it settled.
const END: i64 = 80;
/// What is sent in any case: `firing`, `escalated`, `resolved`.
const REASONS: [&str; 3] = ["firing", "escalated", "resolved"];

/// The simulator's faults go by the number of a call, and timeouts are read again at a rate
/// of real time, in which these minutes take no time: so that a seed tells one story, they
/// are read once.
const ONCE: &str = "[discovery]\nrefresh = \"1d\"\n";

/// A story under a fault, polled every other minute; `ahead` is how far the machine's
/// clock is ahead of AWS's.
async fn story(seed: u64, faults: &str, more: &str, ahead: i64) -> (World, Daemon) {
    let world = World::of("slow_burn", seed, faults).await;
    let mut daemon = world.daemon(&format!("{ALL}{more}")).await;
    for minute in (0..END).step_by(2).chain([END - 1]) {
        poll_ahead(&world, &mut daemon, minute, ahead).await;
    }
    (world, daemon)
}

async fn poll_ahead(world: &World, daemon: &mut Daemon, minute: i64, ahead: i64) {
    let now = START + 60 * minute + 5;
    world.clock.set(now + ahead);
    world.sim.tell_now(now);
    daemon.poll(now + ahead, &mut |_| {}).await;
}

/// One episode of the one that fails, sent once for each change; none of the others.
fn the_story_was_told(world: &World, case: &str) {
    let mut reasons = Vec::new();
    let mut seen = HashSet::new();
    for machine in world.published() {
        if machine["kind"] == "digest" {
            continue; // The story begins on a Monday at nine, and a wrong clock earlier.
        }
        if machine["kind"] == "own" {
            let component = machine["rule"].as_str().unwrap();
            let is_awss = ["data", "credentials", "discovery", "clock"].contains(&component);
            assert!(is_awss, "{case}: {machine}");
            continue;
        }
        let gateway = machine["gateway"]["name"].as_str().unwrap();
        assert!(!HEALTHY.contains(&gateway), "{case}: a false alert of {gateway}: {machine}");
        // A message that was accepted while its answer was cut comes again, with the
        // same id.
        if seen.insert(machine["id"].to_string()) {
            reasons.push(machine["reason"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(reasons.first().map(String::as_str), Some(REASONS[0]), "{case}: {reasons:?}");
    let is_known = |reason: &String| REASONS.contains(&reason.as_str());
    assert!(reasons.iter().all(is_known), "{case}: {reasons:?}");
    for reason in REASONS {
        let times = reasons.iter().filter(|told| *told == reason).count();
        assert!(times <= 1, "{case}: {reasons:?}");
    }
}

fn holds(world: &World, case: &str) {
    world.counts_are_the_truth(case);
    world.is_counted_up_to(END, case);
    the_story_was_told(world, case);
}

/// Each row of faults and a seed; the first gives the same story twice.
async fn all_hold(rows: &[(&str, u64)]) {
    for (at, (faults, seed)) in rows.iter().enumerate() {
        let case = format!("faults {faults:?}, seed {seed}");
        let (world, _) = story(*seed, faults, ONCE, 0).await;
        holds(&world, &case);
        if at == 0 {
            let (again, _) = story(*seed, faults, ONCE, 0).await;
            assert_eq!(world.told(), again.told(), "{case}: one seed tells one story");
        }
    }
}

/// Refusals, errors, broken connections and half answers reach the daemon through the
/// SDK's own retries and errors, which nothing but the wire has.
#[tokio::test]
async fn a_cloudwatch_that_refuses_and_breaks_off_is_never_read_as_zero() {
    all_hold(&[
        ("throttle=0.2,internal=0.1", 5),
        ("throttle=0.3", 4),
        ("error500=0.3", 3),
        ("partial=0.05", 1),
        ("internal=0.1", 2),
        ("lost_page=0.3", 1),
        ("cut=0.1", 3),
        ("down=18-33", 1),
        ("expire=22-40", 2),
        ("throttled=24-36", 1),
    ])
    .await;
}

/// Points out of order, twice, and a story in which everything happens at once: the code
/// that reads the wire puts in order what CloudWatch sends.
#[tokio::test]
async fn answers_in_any_order_are_one_story() {
    all_hold(&[
        ("publish=90,shuffle=0.3", 5),
        ("shuffle=0.3,duplicate=0.3", 1),
        ("throttle=0.1,error500=0.05,partial=0.03,internal=0.03,shuffle=0.2,duplicate=0.1,cut=0.03,publish=60,down=40-44", 1),
        ("throttle=0.1,error500=0.05,partial=0.03,internal=0.03,shuffle=0.2,duplicate=0.1,cut=0.03,publish=60,down=40-44", 4),
    ])
    .await;
}

/// Late points, as the requests for them decide: which minutes are asked for again, and
/// that no answer is taken for the whole of a minute too early.
#[tokio::test]
async fn what_comes_late_is_counted_when_it_comes() {
    all_hold(&[
        ("publish=90", 1),
        ("publish=180", 2),
        ("gap=20-26:6", 1),
        ("publish=30,lag=10-44:20", 1),
        ("publish=30,lag=10-44:20:TargetResponseTime", 2),
        ("publish=30,gap=20-39:1:newest:TargetResponseTime", 1),
        ("publish=30,gap=20-40:2:HTTPCode_ELB_504_Count", 2),
        ("publish=30,gap=20-39:1:shuffled", 1),
        ("publish=30,gap=20-44:1:oldest:lb=checkout", 1),
        ("publish=30,partly=15-28:840", 1),
        ("publish=30,gap=20-39:25:each", 1),
    ])
    .await;
}

/// What changes after it was read: the simulator revises a minute as CloudWatch does, and
/// what was counted stays or follows, as the settings say.
#[tokio::test]
async fn a_late_revision_is_noticed_and_the_count_stays() {
    let (world, daemon) = story(3, "revise_late=0.2", "", 0).await;
    let revised: u64 = world.states().values().map(|state| state.minutes.revised).sum();
    let revised = f64::from(u32::try_from(revised).unwrap());
    assert!(revised > 10.0, "{revised}");
    let shown = |name| metric(&daemon, "nearmiss_late_revisions_total", name);
    let shown: f64 = ["checkout", "web", "search"].into_iter().filter_map(shown).sum();
    assert!((shown - revised).abs() < 0.5, "{shown} on the page, {revised} in the state");
    the_story_was_told(&world, "revise_late=0.2, seed 3");

    for (faults, settle, seed) in [("publish=20,revise=0.1", "3m", 1), ("revise_late=0.2", "8m", 2)]
    {
        let case = format!("{faults}, settle {settle}, seed {seed}");
        let more = format!("[poll]\nsettle = \"{settle}\"\n");
        let (world, daemon) = story(seed, faults, &more, 0).await;
        holds(&world, &case);
        let revised = metric(&daemon, "nearmiss_late_revisions_total", SICK);
        assert_eq!(revised, Some(0.0), "{case}: what is revised before it settles");
    }
}

/// AWS dates its answers, and refuses what is signed more than a quarter of an hour off: a
/// wrong clock of this machine shows only on the wire.
#[tokio::test]
async fn a_clock_that_is_wrong_is_said_and_does_no_harm() {
    for (ahead, seed) in [(300i32, 1), (-300, 2), (600, 3)] {
        let case = format!("clock {ahead} s ahead, seed {seed}");
        let (world, daemon) = story(seed, "publish=30", "", i64::from(ahead)).await;
        holds(&world, &case);
        let skew = metric(&daemon, "nearmiss_clock_skew_seconds", "").unwrap();
        assert!((skew - f64::from(ahead)).abs() <= 15.0, "{case}: {skew}");
    }
    a_clock_that_is_set_again_and_again_does_no_harm().await;
    a_first_start_with_a_clock_that_is_ahead_begins_where_aws_is().await;
}

/// Ahead or behind by ten minutes for two polls, by hours and days for one.
async fn a_clock_that_is_set_again_and_again_does_no_harm() {
    let jumps = |minute: i64| match minute {
        12 | 13 => 600,
        20 | 21 => -600,
        28 => 7_200,
        34 => -7_200,
        40 => 86_400 * 30,
        46 => -86_400 * 400,
        _ => 0,
    };
    let world = World::of("slow_burn", 2, "publish=30").await;
    let mut daemon = world.daemon(ALL).await;
    for minute in 0..END {
        poll_ahead(&world, &mut daemon, minute, jumps(minute)).await;
        let now = START + 60 * minute + 5;
        for (key, state) in world.states() {
            let position = state.assess_watermark.max(state.count_watermark);
            assert!(position.start() <= now, "{key} is at {position}, and it is {now}");
        }
    }
    holds(&world, "a clock that jumps");
}

async fn a_first_start_with_a_clock_that_is_ahead_begins_where_aws_is() {
    let world = World::of("slow_burn", 7, "publish=30").await;
    // Given as a dimension value with its timeout, nothing is asked before its minutes.
    let arn = World::arn(SICK).await;
    let dimension = arn.split_once("loadbalancer/").unwrap().1;
    let text = format!("[[gateway]]\nload_balancer = \"{dimension}\"\ntimeout = \"60s\"\n");
    let mut daemon = world.daemon(&text).await;
    for minute in 0..40 {
        let ahead = if minute < 10 { 840 } else { 0 };
        poll_ahead(&world, &mut daemon, minute, ahead).await;
        assert_eq!(metric(&daemon, "nearmiss_gateway_up", SICK), Some(1.0), "at {minute}");
    }
    let state = world.states().into_values().next().unwrap();
    let counted = state.minutes.settled;
    assert!((36..=39).contains(&counted), "{counted} of 40 minutes");
}

/// CloudWatch has nothing for forty minutes, in which requests come close to the timeout
/// and end in 504. Readiness, the page and the self alert follow from one answer without
/// points after the other, which only a whole daemon gets.
#[tokio::test]
async fn steady_traffic_that_vanishes_is_told_and_what_comes_late_is_told_as_bad_as_it_was() {
    let world = World::of("slow_burn", 3, "gap=20-59:1").await;
    let mut daemon = world.daemon(ALL).await;
    let mut ready = None;
    for minute in 0..END + 10 {
        world.poll_at(&mut daemon, minute).await;
        let shown = (metric(&daemon, "nearmiss_gateway_up", SICK), trouble(&daemon, "data"));
        if (36..58).contains(&minute) {
            assert_eq!(shown, (Some(0.0), Some(1.0)), "at {minute}");
            // What makes it ready is the data from before.
            let fresh = daemon.served().borrow().fresh_until;
            assert_eq!(*ready.get_or_insert(fresh), fresh, "ready at {minute}");
        } else if !(20..64).contains(&minute) {
            assert_eq!(shown, (Some(1.0), Some(0.0)), "at {minute}");
        }
    }
    for state in world.states().values() {
        assert_eq!((state.minutes.idle, state.minutes.recovered), (0, 0));
    }
    holds(&world, "silent");
    let told = world.published();
    let data = told.iter().find(|one| one["rule"] == "data" && one["kind"] == "own");
    let data = data.expect("the missing data was told").to_string();
    assert!(data.contains("checkout, search, web") && data.contains("09:20"), "{data}");
    let worst = told.iter().any(|one| one["severity"] == "critical");
    assert!(worst, "it was critical: {told:?}");
}

/// Timeouts, load balancers and their ARNs change while the daemon watches: what CloudWatch
/// has under the old dimension and under the new one is one gateway.
#[tokio::test]
async fn load_balancers_come_go_and_change() {
    let faults = "recreate=checkout:36,timeout=web:40:120,delete=search:50";
    let world = World::of("slow_burn", 2, faults).await;
    let mut daemon = world.daemon(super::world::HISTOGRAMS).await;
    let mut before = [0.0; 2];
    let mut dimensions = HashSet::new();
    for minute in 0..END {
        world.poll_at(&mut daemon, minute).await;
        // Timeouts are read again at a rate of real time.
        let timeout = |daemon: &Daemon| metric(daemon, "nearmiss_timeout_seconds", "web");
        while minute == 50 && timeout(&daemon) != Some(120.0) {
            world.poll_at(&mut daemon, minute).await;
        }
        for (name, before) in [SICK, "web"].iter().zip(&mut before) {
            let Some(counted) = metric(&daemon, "nearmiss_requests_total", name) else {
                // It was found deleted, and the next list has the one in its place.
                assert!(*name == SICK && (36..=41).contains(&minute), "{name} at {minute}");
                continue;
            };
            assert!(counted >= *before, "{name} falls from {before} to {counted} at {minute}");
            *before = counted;
        }
        let page = page(&daemon);
        let info = |line: &&str| line.starts_with("nearmiss_gateway_info{gateway=\"checkout\"");
        dimensions.extend(page.lines().find(info).map(str::to_owned));
    }
    assert_eq!(dimensions.len(), 2, "the new dimension is said: {dimensions:?}");
    let mut names: Vec<_> = world.states().into_keys().collect();
    names.retain(|key| key.contains(SICK));
    assert_eq!(names.len(), 1, "none is left of the old one");
    world.counts_are_the_truth(faults);
    the_story_was_told(&world, faults);
    assert_eq!(metric(&daemon, "nearmiss_requests_total", "search"), None);
    let page = page(&daemon);
    let is_webs = |line: &&str| line.starts_with("nearmiss_latency_seconds_count{gateway=\"web\"");
    let of_web: Vec<&str> = page.lines().filter(is_webs).collect();
    assert!(of_web.len() == 1 && of_web[0].contains("timeout=\"120\""), "{of_web:?}");

    a_new_one_is_found_and_the_episode_of_a_deleted_one_is_closed().await;
}

async fn a_new_one_is_found_and_the_episode_of_a_deleted_one_is_closed() {
    let world = World::of("slow_burn", 7, "create=web:20,delete=checkout:25").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..25).await;
    assert_eq!(world.told().len(), 1, "the warning");
    // One that is created anew under its name within a quarter of an hour is the same.
    world.poll(&mut daemon, 25..40).await;
    assert_eq!(world.told().len(), 1, "it may come back");
    world.poll(&mut daemon, 40..50).await;
    let told = world.told();
    let closed = |line: &&String| line.contains("[CLOSED] checkout");
    assert_eq!(told.iter().filter(closed).count(), 1, "{told:#?}");
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), None);
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "search"), Some(1.0));
    assert!(metric(&daemon, "nearmiss_requests_total", "web").unwrap() > 10_000.0);
}
