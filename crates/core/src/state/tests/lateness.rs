//! What notifications late data leads to, and when an idle gateway is idle.

use crate::alerting::notification_log::Reason;
use crate::detect::Severity;
use crate::detect::outlook::History;
use crate::gateway::signal::Signal;
use crate::gateway::{Detail, Gateway};
use crate::series::history::{QuarterHour, QuarterHourStats};
use crate::state::tests::world::{Poller, START, World, gateway};
use crate::state::{GatewayState, Minutes, Present};
use crate::time::Minute;

/// Minutes of steady traffic before anything happens.
const BEFORE: usize = 40;

fn since_start(minute: Minute) -> i64 {
    minute.0 - START
}

fn polled(world: &World, minutes: std::ops::Range<i64>) -> Poller {
    let mut poller = Poller::new();
    poller.polls(world, minutes);
    poller
}

#[test]
fn steady_traffic_that_vanishes_is_late_and_not_idle() {
    for late in [5usize, 10, 20, 30, 40, 180] {
        let world = World::steady(600, 600).silent(BEFORE..BEFORE + late, 0);
        let mut poller = polled(&world, 15..45);
        for now in 45..i64::try_from(BEFORE + late).unwrap() {
            poller.poll(&world, START + now);
            let state = poller.state();
            assert_eq!(state.minutes.idle, 0, "{late} min late, at {now}");
            // A gateway that is polled slowly is read every five minutes by the daemon;
            // here always.
            let silent = state.silent_since().map(since_start);
            assert_eq!(silent, (now > 46).then_some(40), "{late} min late, at {now}");
            assert_eq!(state.waiting().cast_signed(), now - 41, "{late} min late, at {now}");
        }
        let end = i64::try_from(BEFORE + late).unwrap() + 10;
        poller.polls(&world, end - 10..end);
        let state = poller.state();
        assert_eq!(state.silent_since(), None);
        assert_eq!(
            (since_start(state.assess_watermark), since_start(state.count_watermark)),
            (end - 2, end - 3)
        );
        assert_eq!(state.totals, world.sum(14, state.count_watermark), "{late} min late");
        assert_eq!(state.minutes, Minutes { settled: state.minutes.settled, ..Minutes::default() });
    }
}

#[test]
fn what_is_new_is_assessed_now_and_what_is_old_is_counted_when_it_comes() {
    // Twenty minutes are missing for an hour, and those after them are not.
    let world = World::steady(600, 600).silent(BEFORE..BEFORE + 20, 60).failing(62..66, 300);
    let mut poller = polled(&world, 15..67);
    let state = poller.state();
    assert_eq!(since_start(state.assess_watermark), 65, "not held back");
    assert_eq!((state.passed_over(), state.minutes.idle), (20, 0));
    assert_eq!(state.silent_since(), None);
    assert_eq!(
        poller.worst(),
        Some(Severity::Critical),
        "the present is seen: {:?}",
        poller.notified
    );
    poller.polls(&world, 67..130);
    let state = poller.state();
    assert_eq!(state.passed_over(), 0);
    assert_eq!(state.totals, world.sum(14, state.count_watermark));
    assert_eq!(state.minutes.revised, 0, "it is not a revision: it was not counted before");
}

#[test]
fn low_traffic_is_never_missed() {
    for most in 1..=3u32 {
        let mut world = World::steady(400, 0);
        let mut random = 12345u32;
        for truth in &mut world.truth {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            truth.samples = (random >> 16) % (most + 1);
        }
        world.truth[200..300].iter_mut().for_each(|truth| truth.samples = 0);
        let mut poller = Poller::new();
        for now in 15..420 {
            poller.poll(&world, START + now);
            let state = poller.state();
            assert_eq!(state.silent_since(), None, "up to {most} a minute, at {now}");
            assert!(
                now - since_start(state.count_watermark) <= 14,
                "up to {most} a minute, at {now}"
            );
        }
        assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
        assert_eq!(poller.notified, []);
    }
}

#[test]
fn a_gateway_whose_traffic_ended_is_idle_after_a_bounded_time() {
    // How many others have data, and for how long the missing data is waited for.
    for (others, bound) in [(5, 60), (0, 240)] {
        let world = World::steady(BEFORE, 600);
        let mut poller = Poller::new();
        poller.others = others;
        poller.polls(&world, 15..40 + bound);
        assert_eq!(poller.state().silent_since().map(since_start), Some(40));
        assert_eq!(poller.state().minutes.idle, 0);
        poller.polls(&world, 40 + bound..44 + bound);
        let state = poller.state();
        assert_eq!(state.silent_since(), None, "{others} others");
        assert!(state.minutes.idle >= (bound - 12).unsigned_abs(), "{:?}", state.minutes);
        poller.polls(&world, 44 + bound..600);
        assert!(poller.state().minutes.idle >= 600 - 40 - 12);
        assert_eq!(poller.notified, [], "nobody is told");
    }
}

/// A fortnight without requests at this time of day, but with some an hour before.
fn quiet_at_this_time() -> History {
    let mut history = History::new();
    let now = QuarterHour::containing(Minute(START));
    for quarter_hour in (1..1344).map(|age| now.plus(-age)) {
        let busy = (quarter_hour.0 - now.0).rem_euclid(96) >= 92
            || (quarter_hour.0 - now.0).rem_euclid(96) <= 2;
        let samples = if busy { 9000.0 } else { 0.0 };
        history.enter(
            quarter_hour,
            &QuarterHourStats { samples, timeout: 60.0, ..QuarterHourStats::default() },
        );
    }
    history
}

#[test]
fn a_gateway_that_is_quiet_at_this_time_of_every_day_is_not_missed() {
    let world = World::steady(BEFORE, 600);
    let mut poller = Poller::new();
    poller.history = quiet_at_this_time();
    for now in 15..90 {
        poller.poll(&world, START + now);
        assert_eq!(poller.state().silent_since(), None, "at {now}");
    }
    assert!(poller.state().minutes.idle >= 36, "{:?}", poller.state().minutes);
}

/// How late minutes of trouble may come in.
fn ways() -> Vec<(&'static str, World)> {
    let trouble = || World::steady(400, 600).failing(60..80, 40);
    let at_once = trouble().silent(50..90, 2);
    let mut oldest_first = trouble().silent(50..90, 2);
    let mut newest_first = trouble().silent(50..90, 2);
    let mut after_newer = trouble();
    for (place, minute) in (0..40i64).zip(50..90) {
        let add = |world: &mut World, after: i64| {
            world.truth[minute].latencies_after += after;
            world.truth[minute].timeouts_after += after;
        };
        add(&mut oldest_first, place);
        add(&mut newest_first, 40 - place);
        // The 41st minute and all after it come in time.
        add(&mut after_newer, 100 + (place * 17) % 40);
    }
    vec![
        ("in time", trouble()),
        ("at once", at_once),
        ("oldest first", oldest_first),
        ("newest first", newest_first),
        ("after newer ones, in no order", after_newer),
    ]
}

#[test]
fn an_episode_is_told_with_the_severity_it_had_however_late() {
    for (way, world) in ways() {
        for restarts in [false, true] {
            let mut poller = Poller::new();
            for now in 15..330 {
                poller.poll(&world, START + now);
                if restarts && now % 7 == 0 {
                    poller.restart();
                }
            }
            assert_eq!(poller.worst(), Some(Severity::Critical), "{way}: {:?}", poller.notified);
            // The newest may be notified of first; it is one episode, and begins where it
            // began.
            assert!((60..80).contains(&poller.notified[0].0), "{way}: {:?}", poller.notified);
            let over: Vec<_> =
                poller.notified.iter().filter(|notified| notified.1 == Reason::Resolved).collect();
            assert!(over.len() == 1 && over[0].0 <= 61, "{way}: {:?}", poller.notified);
        }
    }
}

#[test]
fn an_end_that_was_told_too_mildly_is_told_again_as_bad_as_it_was() {
    // One in a hundred fails, which notifies; most of the 504s come after the end was
    // notified.
    let mut world = World::steady(400, 600).failing(60..66, 3);
    for minute in 70..74 {
        world.truth[minute].timeouts = 200;
        world.truth[minute].timeouts_after = 160;
    }
    let mut poller = Poller::new();
    poller.polls(&world, 15..225);
    let before = poller.notified.clone();
    assert_eq!(
        before.last().map(|notified| (notified.1, notified.2)),
        Some((Reason::Resolved, Severity::Warning)),
        "{before:?}"
    );
    poller.polls(&world, 225..290);
    let after = &poller.notified[before.len()..];
    assert_eq!(after, [(60, Reason::Resolved, Severity::Critical)], "{before:?}");
    assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
}

#[test]
fn a_burst_before_a_worse_minute_is_found_however_late() {
    // A hundred 504s in five minutes are critical, more of them in one minute are not.
    let mut world = World::steady(400, 600).failing(60..65, 20).failing(80..81, 24);
    for truth in &mut world.truth[60..81] {
        truth.timeouts_after = 100;
    }
    let mut poller = Poller::new();
    poller.polls(&world, 15..150);
    assert_eq!(poller.notified, []);
    poller.polls(&world, 150..230);
    assert_eq!(poller.worst(), Some(Severity::Critical), "{:?}", poller.notified);
    assert_eq!(poller.notified[0].0, 60);
}

#[test]
fn latencies_that_are_late_make_no_outage_of_a_few_504s() {
    for stirs in [false, true] {
        // One in three thousand fails, which is worth a warning; the latencies are late.
        let in_time = World::steady(400, 3000).failing(0..400, 1);
        let mut world = in_time.clone();
        for (place, minute) in (0..60i64).zip(50..110) {
            world.truth[minute].latencies_after = 60 - place;
        }
        let mut poller = Poller::new();
        poller.stirs = stirs;
        for now in 15..109 {
            poller.poll(&world, START + now);
            let state = poller.state();
            assert!(now - since_start(state.assess_watermark) <= 4, "blind at {now}");
            let silent = state.silent_since().map(since_start);
            assert_eq!(silent, (now > 56).then_some(50), "at {now}");
        }
        assert_eq!(
            poller.state().totals.timeouts,
            world.sum(14, poller.state().count_watermark).timeouts
        );
        poller.polls(&world, 109..200);
        assert_eq!(poller.notified, polled(&in_time, 15..200).notified, "stirs: {stirs}");
        assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
    }
}

#[test]
fn an_outage_is_not_taken_for_late_latencies() {
    // Everybody gets a 504 after a minute; few clients wait for their answers.
    for (timeouts, called) in [(600, "all"), (30, "few")] {
        let world = World::steady(200, 600).unanswered(50..80).failing(51..80, timeouts);
        let mut poller = Poller::new();
        poller.stirs = true;
        poller.polls(&world, 15..56);
        assert_eq!(poller.worst(), Some(Severity::Critical), "{called}: {:?}", poller.notified);
        assert_eq!(poller.state().silent_since(), None, "{called}");
    }
}

/// Nobody is answered, and there are no 504s either: connections are refused (502).
#[test]
fn requests_without_an_answer_and_without_a_504_are_an_outage_once_the_answers_are_asked_for() {
    let mut world = World::steady(200, 600).unanswered(50..80);
    world.refused = 600;
    let mut poller = Poller::new();
    poller.stirs = true;
    poller.polls(&world, 15..56);
    assert_eq!(poller.worst(), Some(Severity::Critical), "{:?}", poller.notified);
    assert_eq!(poller.state().silent_since(), None);
}

#[test]
fn five_hundred_and_fours_that_are_alone_in_time_make_no_outage_of_themselves() {
    // Latencies, requests and answers are all late; three of six hundred fail.
    let mut world = World::steady(400, 600).failing(0..400, 3);
    for (place, minute) in (0..30i64).zip(50..80) {
        world.truth[minute].latencies_after = 30 - place;
    }
    world.counts_are_late = true;
    let in_time = World::steady(400, 600).failing(0..400, 3);
    let mut poller = Poller::new();
    poller.stirs = true;
    poller.polls(&world, 15..200);
    assert_eq!(poller.notified, polled(&in_time, 15..200).notified);
    assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
}

#[test]
fn what_stayed_empty_for_half_a_day_is_read_again_until_it_comes_and_costs_little() {
    // Ten hours are missing, and come five hours after the data is there again.
    let minutes = 40 + 600 + 900;
    let world = World::steady(minutes, 600).silent(BEFORE..BEFORE + 600, 300);
    let mut poller = Poller::new();
    poller.only_counts = true;
    poller.polls(&world, 15..minutes.try_into().unwrap());
    let state = poller.state();
    assert_eq!(state.totals, world.sum(14, state.count_watermark));
    assert!(state.minutes.recovered >= 350, "{:?}", state.minutes);
    let polls = u64::try_from(minutes).unwrap() - 15;
    let more = poller.requests - polls;
    assert!((1..=50).contains(&more), "{more} requests more");
    // Fifteen minutes with each poll, and five hours three times an hour.
    let rows = poller.rows / i64::try_from(polls).unwrap();
    assert!(rows <= 80, "{rows} minutes a poll");
}

#[test]
fn what_never_comes_is_given_up_by_the_time_cloudwatch_forgets_it() {
    let minutes = 40 + 100 + 18 * 1440;
    let world = World::steady(minutes, 20).silent(BEFORE..BEFORE + 300, 1_000_000);
    let mut poller = Poller::new();
    poller.only_counts = true;
    let mut requests = 0;
    for now in (15..i64::try_from(minutes).unwrap()).step_by(5) {
        poller.poll(&world, START + now);
        requests += 1;
    }
    let state = poller.state();
    assert_eq!(state.minutes.idle, 300);
    let more = poller.requests - requests;
    assert!((15..=40).contains(&more), "{more} requests more");
    let text = serde_json::to_string(state).unwrap();
    assert!(!text.contains("\"empty\"") && text.len() < 2_500, "{} bytes: {text}", text.len());
}

#[test]
fn a_gateway_takes_little_memory_and_little_of_the_state() {
    let idle = World::steady(20, 3);
    let mut poller = Poller::new();
    poller.only_counts = true;
    poller.polls(&idle, 15..700);
    let text = serde_json::to_string(poller.state()).unwrap();
    assert!(text.len() < 1_700, "{} bytes: {text}", text.len());
    assert!(size_of::<GatewayState>() <= 640, "{} bytes", size_of::<GatewayState>());
}

#[test]
fn no_count_breaks_a_total() {
    let mut state = GatewayState::starting(Minute(START));
    let mut before = state.totals;
    let values = [1e308, f64::MAX, f64::INFINITY, -5.0, f64::NAN, 0.5, 3.4, 1e12];
    for (end, value) in (START + 2..).map(Minute).zip(values) {
        let world = World::of(Vec::new());
        let mut snapshot = world.snapshot(Minute(START - 20), end, end.0 + 5, &Signal::ALL);
        for signal in Signal::ALL {
            snapshot.record(signal, end.plus(-1), value);
        }
        let present = Present { end, settled: end, is_late: false };
        state.receive(&gateway(), &mut snapshot, present, || false);
        state.assess_watermark = end;
        let now = state.totals;
        assert!(now.requests >= before.requests && now.timeouts >= before.timeouts, "{value}");
        before = now;
    }
    assert_eq!(before.timeouts, 1 + 3 + 1_000_000_000_000);
}

#[test]
fn what_is_taken_away_is_noticed_and_nothing_else() {
    let mut world = World::steady(60, 10);
    let mut poller = polled(&world, 15..51);
    let before = poller.state().totals.requests;
    for (now, requests, revised) in [(12, 2, 1), (12, 2, 1), (11, 2, 2), (13, 3, 3)] {
        world.truth[44].samples = now;
        poller.poll(&world, START + 50);
        let state = poller.state();
        let counted = (state.totals.requests - before, state.minutes.revised);
        assert_eq!(counted, (requests, revised), "{now}");
        poller.restart();
    }
}

#[test]
fn a_histogram_has_what_came_late() {
    let gateway = Gateway { detail: Detail::Histogram, ..gateway().as_ref().clone() };
    let world = World::steady(100, 600).silent(30..50, 40).failing(40..45, 6);
    let mut poller = Poller::new();
    poller.gateway = gateway.into();
    poller.polls(&world, 15..110);
    let state = poller.state();
    let histogram = state.histogram.unwrap();
    // It begins with the poll after the one that began it.
    assert_eq!(histogram.count, state.totals.requests);
    assert_eq!(histogram.count - histogram.within[9], state.totals.timeouts);
    assert_eq!(state.totals.timeouts, 30);
}
