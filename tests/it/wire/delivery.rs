//! Notifications over the wire, whatever fails in between: SNS, the daemon, the disk, the
//! clock, the config.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use nearmiss::config::Config;
use nearmiss::daemon::Daemon;
use nearmiss_sim::{Published, Setup};
use serde_json::Value;

use super::world::{
    ALL, EPISODE, Heard, SCRIPT, SLOW_BURN, START, WHOLE, World, machine, metric, page, trouble,
};

/// The one episode of the story, from its beginning to its end.
fn whole() -> Heard {
    [(EPISODE.to_owned(), WHOLE.map(str::to_owned).to_vec())].into()
}

/// An episode has one beginning, no step back, and one end. If SNS accepts what it does not
/// confirm, a beginning that became worse meanwhile is sent as worse.
fn stories_are_true(heard: &Heard, case: &str) {
    assert_eq!(heard.keys().collect::<Vec<_>>(), [EPISODE], "{case}");
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

/// Each minute in which something is to be sent, or sent again, and few of the others.
fn around_what_is_sent() -> impl Iterator<Item = i64> {
    [0].into_iter().chain(10..50).chain((50..95).step_by(5)).chain(95..125)
}

/// What SNS refuses, loses, or accepts without an answer: only the wire knows whether a
/// message arrived, and not its sender.
#[tokio::test]
async fn whatever_sns_does_every_episode_is_told_in_order() {
    for fault in [
        "sns_down=12",
        "sns_out=15-60",
        "sns_throttle=0.6",
        "sns_error=0.6",
        "sns_cut=0.6",
        "sns_slow_ms=20,sns_lost=0.3,sns_throttle=0.3",
    ] {
        let world = World::of("slow_burn", 7, fault).await;
        let mut daemon = world.daemon(ALL).await;
        world.poll(&mut daemon, around_what_is_sent()).await;
        stories_are_true(&world.heard(), fault);
        assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(0.0), "{fault}");
        if fault == "sns_down=12" {
            assert_eq!(world.told()[1..], SLOW_BURN[1..], "what was refused is sent later");
            let failed = "nearmiss_notifications_total{outcome=\"failed\",receiver=\"nearmiss\"}";
            assert!(page(&daemon).contains(failed));
        }
    }
    a_fifo_topic_gets_each_alert_once_in_its_gateways_order().await;
}

async fn a_fifo_topic_gets_each_alert_once_in_its_gateways_order() {
    let fifo = "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss.fifo\"\ncontinue = true\n";
    let world = World::of("slow_burn", 7, "sns_lost=0.6").await;
    let mut daemon = world.daemon(&format!("{ALL}{fifo}")).await;
    world.poll(&mut daemon, around_what_is_sent()).await;
    stories_are_true(&world.heard(), "sns_lost=0.6");
    assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(0.0));
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

/// Six hours without SNS, and what the daemon reports about itself once it can.
#[tokio::test]
async fn an_outage_of_six_hours_hides_nothing() {
    let world = World::of("slow_burn", 7, "sns_out=10-370").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, (0..200).step_by(4)).await;
    assert_eq!(world.sim.published().len(), 0);
    // The episode, since it was first due, and that nothing is delivered.
    assert_eq!(metric(&daemon, "nearmiss_notifications_pending", ""), Some(2.0));
    let oldest = metric(&daemon, "nearmiss_notification_oldest_pending_seconds", "").unwrap();
    assert!(oldest > 7_200.0, "{oldest}");
    assert_eq!(trouble(&daemon, "delivery"), Some(1.0));
    world.poll(&mut daemon, (200..368).step_by(12).chain(369..380)).await;
    let told = world.published();
    let of = |kind: &str| told.iter().filter(|said| said["kind"] == kind).collect::<Vec<_>>();
    let episode = of("episode");
    assert_eq!(episode.len(), 1, "{told:#?}");
    assert_eq!(episode[0]["reason"], "resolved");
    assert!(episode[0]["text"].as_str().unwrap().contains("from 2026-01-05T09:1"), "{told:#?}");
    // It reports that it could not.
    assert!(of("own").iter().any(|said| said["rule"] == "delivery"), "{told:#?}");
    assert_eq!(trouble(&daemon, "delivery"), Some(0.0));
    the_report_and_the_sign_of_life_come_once_over_an_outage().await;
}

async fn the_report_and_the_sign_of_life_come_once_over_an_outage() {
    let clock = "[digest]\nschedule = \"0 20 9 * * *\"\n[watcher]\nalive_schedule = \"0 0 11 * * *\"\n\
                 timezone = \"Europe/Berlin\"\n";
    let world = World::of("slow_burn", 7, "sns_out=18-24").await;
    let mut daemon = world.daemon(&format!("{ALL}{clock}")).await;
    world.poll(&mut daemon, (0..40).step_by(2)).await;
    drop(daemon);
    let mut daemon = world.daemon(&format!("{ALL}{clock}")).await;
    world.poll(&mut daemon, (40..70).step_by(2)).await;
    let told = world.published();
    let of = |kind: &str| told.iter().filter(|said| said["kind"] == kind).collect::<Vec<_>>();
    let digests = of("digest");
    assert_eq!(digests.len(), 1, "{told:#?}");
    assert_eq!(digests[0]["at"], "2026-01-05T09:20Z", "as it was due");
    assert_eq!(digests[0]["fleet"]["gateways"], 3, "{:#}", digests[0]);
    let alive = of("alive");
    assert_eq!(alive.len(), 1, "at 11:00 in Berlin it is 10:00 UTC: {told:#?}");
    assert_eq!(alive[0]["at"], "2026-01-05T10:00Z");
}

/// Runs a future for this many steps, then drops it where it is, as a kill would.
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

/// A poll can die in as many places as it has waits, and only the wire has them all: within
/// a request, between two, between a message and the state that says it was sent.
#[tokio::test]
async fn killed_at_any_step_it_loses_nothing_and_doubles_nothing_that_an_id_does_not_show() {
    for (scenario, life) in [("slow_burn", 700), ("traffic_ramp", 201)] {
        let mut dice = Dice(life);
        let world = World::of(scenario, 7, "").await;
        let mut kills = 0;
        let mut daemon = world.daemon(ALL).await;
        for minute in SCRIPT.step_by(2) {
            // Most polls that could send something are killed somewhere, some twice.
            for _ in 0..2 {
                if dice.below(3) > 0 {
                    let steps = usize::try_from(dice.below(20)).unwrap();
                    let now = START + 60 * minute + 5;
                    world.clock.set(now);
                    let polled = killed_after(steps, daemon.poll(now, &mut |_| {})).await;
                    kills += usize::from(polled.is_none());
                    drop(daemon);
                    daemon = world.daemon(ALL).await;
                }
            }
            world.poll_at(&mut daemon, minute).await;
        }
        assert!(kills > 30, "{scenario}: only {kills}");
        let heard = world.heard();
        assert_eq!(heard.into_values().collect::<Vec<_>>(), [WHOLE], "{scenario}");
    }
}

/// Late polls, restarts, a clock that steps back, hours without the daemon: conditions that
/// the daemon does not choose. What is sent is the same, because the state that is saved
/// and the minutes that CloudWatch still has fit together.
#[tokio::test]
async fn a_life_with_interruptions_tells_the_same() {
    a_late_poll_tells_what_a_punctual_one_tells().await;

    let world = World::of("slow_burn", 7, "").await;
    for life in [0..25, 25..26, 26..40, 40..41, 41..115] {
        let mut daemon = world.daemon(ALL).await;
        world.poll(&mut daemon, life.clone()).await;
        // And its clock steps back.
        let back = match life.end {
            25 => 10,
            40 => 30,
            _ => 0,
        };
        world.poll(&mut daemon, life.end - back..life.end).await;
    }
    assert_eq!(world.told(), SLOW_BURN, "nothing twice, and the end");

    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    // The whole episode lies in five hours without the daemon.
    world.poll(&mut daemon, (0..10).chain(310..314)).await;
    let told = world.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("[RESOLVED] checkout"), "{told:#?}");
    let message = &world.sim.published()[0].message;
    assert!(message.contains("from 2026-01-05T09:1"), "the times are told: {message}");

    a_state_of_the_version_before_is_gone_on_with().await;
}

async fn a_late_poll_tells_what_a_punctual_one_tells() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, SCRIPT.step_by(7).chain([114])).await;
    let told = world.told();
    let what = |line: &str| line.split_once(' ').unwrap().1.to_owned();
    assert_eq!(told.iter().map(|line| what(line)).collect::<Vec<_>>(), SLOW_BURN.map(what));
    // Later by the time to the next poll, and never earlier.
    let minute = |line: &str| {
        let number = |part: &str| part.parse::<i64>().unwrap();
        number(&line[11..13]) * 60 + number(&line[14..16])
    };
    for (late, punctual) in told.iter().zip(SLOW_BURN) {
        let later = minute(late) - minute(punctual);
        assert!((0..7).contains(&later), "{late}, {punctual}");
    }
}

async fn a_state_of_the_version_before_is_gone_on_with() {
    let world = World::of("slow_burn", 7, "").await;
    std::fs::write(world.state(), include_str!("../fixtures/state_version_1.json")).unwrap();
    // It had sent a warning when it was stopped, at 09:24.
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, (24..115).step_by(5).chain([114])).await;
    let heard = world.heard();
    assert_eq!(heard[EPISODE], ["escalated critical", "resolved critical"]);
    assert_eq!(heard.len(), 1);
    assert!(world.states().contains_key(EPISODE.split('@').next().unwrap()));
    let kept = std::fs::read_to_string(world.state().with_extension("json.before")).unwrap();
    let first = include_str!("../fixtures/state_version_1.json");
    assert_eq!(kept, first, "what was taken over is kept");
}

/// The disk is gone, and a config that cannot be used is read: the daemon reports both
/// itself, over the same wire as the story, which goes on.
#[tokio::test]
async fn without_a_disk_or_a_good_config_alerts_go_on_and_the_trouble_is_told() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..15).await;
    std::fs::remove_dir_all(world.disk()).unwrap();
    world.poll(&mut daemon, 15..25).await;
    let broken = Config::parse("[poll]\nschedule = \"often\"\n", Path::new("broken.toml"));
    daemon.reload(broken, START + 60 * 25).await;
    let reloaded = "nearmiss_config_last_reload_successful";
    assert_eq!(metric(&daemon, reloaded, ""), Some(1.0), "the page is the last poll's");
    world.poll(&mut daemon, 25..50).await;
    assert_eq!(metric(&daemon, reloaded, ""), Some(0.0));
    assert_eq!((trouble(&daemon, "state"), trouble(&daemon, "config")), (Some(1.0), Some(1.0)));
    let told = world.sim.published();
    let of_config = "nearmiss: the new config cannot be used";
    assert!(told.iter().any(|one| one.subject.as_deref().unwrap_or_default().contains(of_config)));

    std::fs::create_dir(world.disk()).unwrap();
    daemon.reload(Ok(world.config(ALL)), START + 60 * 50).await;
    world.poll(&mut daemon, 50..115).await;
    assert_eq!((trouble(&daemon, "state"), trouble(&daemon, "config")), (Some(0.0), Some(0.0)));
    assert_eq!(world.heard(), whole());
    let of_state = |said: &&Value| said["kind"] == "own" && said["rule"] == "state";
    let all = world.published();
    let own: Vec<_> = all.iter().filter(of_state).map(|said| &said["reason"]).collect();
    assert_eq!(own, ["firing", "resolved"]);
    assert_eq!(world.states().len(), 3);
}

/// A hundred alerts at once are more than SNS accepts and anybody reads: how many messages
/// they become shows where they arrive.
#[tokio::test]
async fn many_gateways_at_once_are_one_message_for_people_and_each_for_programs() {
    let topics = "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss.fifo\"\ncontinue = true\n\
                  [[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n";
    let setup =
        Setup { scenario: "fleet".into(), seed: 7, load_balancers: Some(500), ..Setup::default() };
    let world = World::with(setup).await;
    let mut daemon = world.daemon(&format!("{ALL}{topics}")).await;
    // Forty minutes later all of it is read at once.
    world.poll(&mut daemon, [0, 40, 41]).await;
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
    // Nobody is notified again.
    let before = published.len();
    world.poll_at(&mut daemon, 42).await;
    assert!(world.sim.published().len() <= before + 12);
}

/// Fourteen days of a gateway are billed as five metrics: what was read is still there
/// after a restart, and only the bill of the wire shows it.
#[tokio::test]
async fn a_restart_reads_only_the_history_that_was_missed() {
    let world = World::of("healthy", 7, "").await;
    let billed =
        |daemon: &Daemon| metric(daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    let mut costs = Vec::new();
    for life in 0..3 {
        let mut daemon = world.daemon(ALL).await;
        world.poll(&mut daemon, 5 * life..5 * life + 3).await;
        costs.push(billed(&daemon));
    }
    let gateways = f64::from(u32::try_from(world.states().len()).unwrap());
    assert!(costs[1] <= costs[0] - 5.0 * gateways, "{costs:?}");
    assert!(costs[2] <= costs[0] - 5.0 * gateways, "{costs:?}");
}

/// Where nothing was unusual, a restart bills two metrics for each gateway, however it ended
/// before: a daemon that is dropped saves nothing more.
#[tokio::test]
async fn a_restart_reads_the_minutes_that_were_missed_at_the_rate_of_before() {
    let world = World::of("healthy", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    world.poll(&mut daemon, 0..33).await;
    drop(daemon);
    let mut daemon = world.daemon(ALL).await;
    world.poll_at(&mut daemon, 36).await;
    let billed = metric(&daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    let gateways = f64::from(u32::try_from(world.states().len()).unwrap());
    assert!((billed - 2.0 * gateways).abs() < 0.5, "{billed} of {gateways}");
    let up = page(&daemon);
    let up = up.lines().filter(|l| l.starts_with("nearmiss_gateway_up{") && l.ends_with(" 1"));
    assert!((f64::from(u32::try_from(up.count()).unwrap()) - gateways).abs() < 0.5);
}
