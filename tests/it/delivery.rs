//! Alerts over the wire, whatever fails in between: SNS, the daemon, the disk, the
//! clock, the config.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use nearmiss::config::Config;
use nearmiss::config::State;
use nearmiss::daemon::Daemon;
use nearmiss::store;
use nearmiss_sim::{Published, Setup};
use serde_json::Value;

use super::world::{ALL, START, World, metric};

const SCRIPT: std::ops::Range<i64> = 0..115;

/// One message as a program reads it.
fn machine(one: &Published) -> Value {
    let message: Value = serde_json::from_str(&one.message).unwrap();
    match one.structure.as_deref() {
        Some("json") => serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap(),
        _ => message,
    }
}

/// What a receiver that drops second copies by their id has heard of each episode.
fn heard(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut ids = Vec::new();
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in world.sim.published().iter().map(machine) {
        if message["kind"] != "episode" || ids.contains(&message["id"]) {
            continue;
        }
        ids.push(message["id"].clone());
        let said = format!("{} {}", message["reason"], message["severity"]).replace('"', "");
        let episode = message["episode"]["id"].as_str().unwrap().to_owned();
        heard.entry(episode).or_default().push(said);
    }
    heard
}

/// Each story has one beginning, no step back, and one end. Where SNS takes what it
/// does not confirm, a beginning that became worse meanwhile is told as worse.
fn stories_are_true(heard: &BTreeMap<String, Vec<String>>, case: &str) {
    assert!(!heard.is_empty(), "{case}");
    for (episode, story) in heard {
        let case = format!("{case}: {episode}: {story:?}");
        let rank = |said: &String| {
            let place = |all: &[&str]| all.iter().position(|one| said.contains(one)).unwrap();
            let reason = place(&["firing", "escalated", "resolved"]);
            (reason, place(&["info", "warning", "critical"]))
        };
        let ranks: Vec<_> = story.iter().map(rank).collect();
        assert!(ranks.windows(2).all(|two| two[0] < two[1]), "{case}");
        let beginnings = ranks.iter().filter(|rank| rank.0 == 0).count();
        assert!(beginnings <= 1 || case.contains("sns_lost") || case.contains("sns_cut"), "{case}");
        assert!(beginnings >= 1 || story.len() == 1, "{case}");
        assert_eq!(ranks.last().unwrap().0, 2, "{case}");
    }
}

/// Runs a future for so many steps, then drops it where it stands, as a kill would.
async fn killed_after<F: Future>(steps: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = steps;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A small generator, for seeds of these tests.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The scenario to its end without any fault.
async fn undisturbed(scenario: &str, seed: u64, minutes: std::ops::Range<i64>) -> World {
    let world = World::of(scenario, seed, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, minutes).await;
    world
}

#[tokio::test]
async fn whatever_sns_does_every_episode_is_told_in_order() {
    let faults = [
        "sns_out=15-60",
        "sns_throttle=0.6",
        "sns_error=0.6",
        "sns_lost=0.6",
        "sns_cut=0.6",
        "sns_slow_ms=20,sns_lost=0.3,sns_throttle=0.3",
    ];
    for (scenario, seed) in [("slow_burn", 1), ("traffic_ramp", 2)] {
        let expected = heard(&undisturbed(scenario, seed, SCRIPT).await);
        for fault in faults {
            let case = format!("{scenario}, seed {seed}, {fault}");
            let world = World::of(scenario, seed, fault).await;
            let mut daemon = world.daemon(ALL).await;
            world.poll(&mut daemon, SCRIPT.start..SCRIPT.end + 10).await;
            let heard = heard(&world);
            stories_are_true(&heard, &case);
            let episodes = |heard: &BTreeMap<String, Vec<String>>| -> Vec<String> {
                heard.keys().cloned().collect()
            };
            assert_eq!(episodes(&heard), episodes(&expected), "{case}");
            assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(0.0), "{case}");
        }
    }
}

#[tokio::test]
async fn an_outage_of_six_hours_hides_nothing() {
    let world = World::of("slow_burn", 7, "sns_out=10-370").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..200).await;
    assert_eq!(world.sim.published().len(), 0);
    // The episode, since it was due first, and that nothing is delivered.
    assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(2.0));
    assert!(metric(&daemon, "nearmiss_notification_oldest_pending_seconds", "").unwrap() > 7_200.0);
    assert_eq!(trouble(&daemon, "delivery"), Some(1.0));
    world.poll(&mut daemon, 200..380).await;
    let told = world.sim.published().iter().map(machine).collect::<Vec<_>>();
    let episode: Vec<_> = told.iter().filter(|said| said["kind"] == "episode").collect();
    assert_eq!(episode.len(), 1, "{told:#?}");
    assert_eq!(episode[0]["reason"], "resolved");
    assert!(episode[0]["text"].as_str().unwrap().contains("from 2026-01-05T09:1"), "{told:#?}");
    // It says of itself that it could not.
    let own: Vec<_> = told.iter().filter(|said| said["kind"] == "own").collect();
    assert!(
        own.iter().any(|said| said["rule"] == "delivery" || said["theme"] == "delivery"),
        "{told:#?}"
    );
    assert_eq!(trouble(&daemon, "delivery"), Some(0.0));
}

fn trouble(daemon: &Daemon, theme: &str) -> Option<f64> {
    let page = daemon.page();
    let text = std::str::from_utf8(&page.metrics).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("nearmiss_trouble{{theme=\"{theme}\"")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn killed_at_any_step_it_loses_nothing_and_doubles_nothing_that_an_id_does_not_show() {
    for (scenario, seed) in [("slow_burn", 7), ("traffic_ramp", 2)] {
        let expected = heard(&undisturbed(scenario, seed, SCRIPT).await);
        for life in 0..2_u64 {
            let case = format!("{scenario}, seed {seed}, lives {life}");
            let mut dice = Dice(life + 100 * seed);
            let world = World::of(scenario, seed, "").await;
            let mut kills = 0;
            let mut daemon = world.daemon(ALL).await;
            for minute in SCRIPT {
                // Most polls that could tell something are killed somewhere, some twice.
                for _ in 0..2 {
                    if dice.below(3) > 0 {
                        let steps = usize::try_from(dice.below(30)).unwrap();
                        let now = START + 60 * minute + 5;
                        world.clock.set(now);
                        let polled = killed_after(steps, daemon.poll(now, &mut |_| {})).await;
                        kills += usize::from(polled.is_none());
                        drop(daemon);
                        daemon = world.daemon(ALL).await;
                    }
                }
                world.poll(&mut daemon, minute..minute + 1).await;
            }
            assert!(kills > 30, "{case}: only {kills}");
            assert_eq!(heard(&world), expected, "{case}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_repeats_nothing() {
    let expected = heard(&undisturbed("slow_burn", 7, SCRIPT).await);
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    for (at, back) in [(0..25, 10), (25..40, 30), (40..115, 0)] {
        world.poll(&mut daemon, at.clone()).await;
        world.poll(&mut daemon, (at.end - back)..at.end).await;
    }
    assert_eq!(heard(&world), expected);
}

#[tokio::test]
async fn without_a_disk_alerts_go_on_and_the_trouble_is_told() {
    let world = World::of("slow_burn", 7, "").await;
    let expected = heard(&undisturbed("slow_burn", 7, SCRIPT).await);
    let state = world.directory.path().join("sub").join("state.json");
    std::fs::create_dir(state.parent().unwrap()).unwrap();
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[alert]\nresolve_after = \"10m\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n\
         [state]\npath = \"{}\"\n{ALL}",
        state.display()
    );
    let config = Config::parse(&text, Path::new("test.toml")).unwrap();
    let mut daemon = Daemon::start(config, &world.base).await.unwrap();
    world.poll(&mut daemon, 0..15).await;
    std::fs::remove_dir_all(state.parent().unwrap()).unwrap();
    world.poll(&mut daemon, 15..50).await;
    assert_eq!(trouble(&daemon, "state"), Some(1.0));
    std::fs::create_dir(state.parent().unwrap()).unwrap();
    world.poll(&mut daemon, 50..115).await;
    assert_eq!(trouble(&daemon, "state"), Some(0.0));
    assert_eq!(heard(&world), expected);
    let own: Vec<Value> = world.sim.published().iter().map(machine).collect();
    let own: Vec<_> =
        own.iter().filter(|said| said["kind"] == "own").map(|s| &s["reason"]).collect();
    assert_eq!(own, ["firing", "resolved"]);
    assert!(store::read(&State { path: state }).unwrap().gateways.len() == 3);
}

#[tokio::test]
async fn a_broken_config_changes_nothing_and_a_good_one_is_used() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..25).await;
    assert_eq!(world.told().len(), 1);
    let broken = Config::parse("[poll]\nschedule = \"often\"\n", Path::new("broken.toml"));
    daemon.reload(broken, START + 60 * 25).await;
    assert_eq!(
        metric(&daemon, "nearmiss_config_last_reload_successful", ""),
        Some(1.0),
        "the page is the last poll's"
    );
    world.poll(&mut daemon, 25..26).await;
    assert_eq!(metric(&daemon, "nearmiss_config_last_reload_successful", ""), Some(0.0));
    assert_eq!(trouble(&daemon, "config"), Some(1.0));
    world.poll(&mut daemon, 26..45).await;
    let told = world.told();
    for expected in ["[CRITICAL] checkout", "nearmiss: the new config cannot be used"] {
        assert!(told.iter().any(|one| one.contains(expected)), "no {expected}: {told:#?}");
    }
    daemon.reload(Ok(world.config(ALL)), START + 60 * 45).await;
    world.poll(&mut daemon, 45..115).await;
    assert_eq!(trouble(&daemon, "config"), Some(0.0));
    assert_eq!(heard(&world), heard(&undisturbed("slow_burn", 7, SCRIPT).await));
}

#[tokio::test]
async fn a_fifo_topic_gets_each_alert_once_in_its_gateways_order() {
    let fifo = "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss.fifo\"\ncontinue = true\n";
    let world = World::of("slow_burn", 7, "sns_lost=0.5").await;
    let mut daemon = world.daemon(&format!("{ALL}{fifo}")).await;
    world.poll(&mut daemon, SCRIPT).await;
    let published = world.sim.published();
    let fifo: Vec<&Published> = published.iter().filter(|one| one.group_id.is_some()).collect();
    let said: Vec<_> = fifo.iter().map(|one| machine(one)["reason"].clone()).collect();
    assert_eq!(said, ["firing", "escalated", "resolved"], "SNS drops second copies by their id");
    let attribute =
        |one: &Published, name: &str| one.attributes.get(name).cloned().unwrap_or_default();
    for one in &fifo {
        assert_eq!(attribute(one, "gateway"), "checkout");
        assert_eq!(attribute(one, "reason"), machine(one)["reason"]);
        assert_eq!(one.group_id, fifo[0].group_id);
        assert_eq!(one.structure, None);
    }
}

#[tokio::test]
async fn many_gateways_at_once_are_one_message_for_people_and_each_for_programs() {
    let topics = "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss.fifo\"\ncontinue = true\n\
                  [[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n";
    let setup = Setup {
        scenario: "fleet".into(),
        seed: 7,
        load_balancers: Some(1_000),
        ..Setup::default()
    };
    let world = World::with(setup).await;
    let mut daemon = world.daemon(&format!("{ALL}{topics}")).await;
    world.poll(&mut daemon, 0..1).await;
    // Ten minutes later all of it is read at once.
    world.poll(&mut daemon, 40..41).await;
    world.poll(&mut daemon, 41..42).await;
    let published = world.sim.published();
    let (fifo, people): (Vec<&Published>, Vec<&Published>) =
        published.iter().partition(|one| one.group_id.is_some());
    let gateways: Vec<Value> =
        fifo.iter().map(|one| machine(one)["gateway"]["name"].clone()).collect();
    assert!(gateways.len() >= 10, "{gateways:?}");
    let groups: Vec<Value> = people.iter().map(|one| machine(one)).collect();
    let group = groups.iter().find(|said| said["kind"] == "group").expect("a group");
    let members = group["members"].as_array().unwrap().len();
    let single = groups.iter().filter(|said| said["kind"] == "episode").count();
    assert_eq!(members + single, gateways.len());
    assert!(people.len() <= 10, "{}", people.len());
    // Nobody is told again.
    let before = published.len();
    world.poll(&mut daemon, 42..43).await;
    assert!(world.sim.published().len() <= before + 12);
}

#[tokio::test]
async fn a_state_of_the_version_before_is_gone_on_with() {
    let world = World::of("slow_burn", 7, "").await;
    std::fs::write(world.state(), include_str!("fixtures/state_version_1.json")).unwrap();
    // It had told a warning when it was stopped, at 09:24.
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 24..115).await;
    let heard = heard(&world);
    let episode = "eu-central-1/111122223333/app/checkout/76b19428c52d2596@2026-01-05T09:14Z";
    assert_eq!(heard[episode], ["escalated critical", "resolved critical"]);
    assert_eq!(heard.len(), 1);
    assert!(world.saved().gateways.contains_key(episode.split('@').next().unwrap()));
    let kept = world.directory.path().join("state.json.before");
    let first = include_str!("fixtures/state_version_1.json");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), first, "what was taken over is kept");
}

#[tokio::test]
async fn the_report_and_the_sign_of_life_come_by_the_clock_once_even_over_an_outage() {
    let clock = "[digest]\nschedule = \"0 20 9 * * *\"\n[watcher]\nalive_schedule = \"0 0 11 * * *\"\n\
                 timezone = \"Europe/Berlin\"\n";
    let world = World::of("slow_burn", 7, "sns_out=18-24").await;
    let mut daemon = world.daemon(&format!("{ALL}{clock}")).await;
    world.poll(&mut daemon, 0..40).await;
    drop(daemon);
    let mut daemon = world.daemon(&format!("{ALL}{clock}")).await;
    world.poll(&mut daemon, 40..70).await;
    let told: Vec<Value> = world.sim.published().iter().map(machine).collect();
    let of =
        |kind: &str| -> Vec<&Value> { told.iter().filter(|one| one["kind"] == kind).collect() };
    let digests = of("digest");
    assert_eq!(digests.len(), 1, "{told:#?}");
    assert_eq!(digests[0]["at"], "2026-01-05T09:20Z", "as it was due");
    assert_eq!(digests[0]["fleet"]["gateways"], 3, "{:#}", digests[0]);
    let alive = of("alive");
    assert_eq!(alive.len(), 1, "at 11:00 in Berlin it is 10:00 UTC: {told:#?}");
    assert_eq!(alive[0]["at"], "2026-01-05T10:00Z");
}
