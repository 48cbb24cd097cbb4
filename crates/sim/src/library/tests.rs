//! Claims about the long scenarios.
//!
//! Playing them all takes a minute or two, so that is done on request only; a
//! sample of each kind and the first days of the others are played always.

use std::sync::Arc;

use super::{BENIGN, HARMFUL, LEVELS, RETURNING, scenarios};
use crate::scenario::plan::{Plan, Trouble};
use crate::scenario::script::{DAY, EVERY_DAY, Incident, Script, What, When, Who};
use crate::{Scenario, Setup, Sim, Story, Truth};

/// Monday 2026-01-05 00:00 UTC.
const START: i64 = 1_767_571_200;
pub(crate) const MINUTE_0: i64 = START / 60;

/// Harmful ones that cause no incident by their nature.
const SILENT: [&str; 3] = ["h15_client_timeout", "h16_deploy_kills", "h18_pool_exhausted"];
/// Benign ones with real 504s.
const TRICKLES: [&str; 4] =
    ["b02_few_requests", "b08_stray_504", "b09_heavy_tail", "b10_slow_quarter_hour"];
/// The benign one with a steady share of them.
const SHARE: &str = "b24_small_share";

pub(crate) fn sim(name: &str, seed: u64) -> Sim {
    Sim::new(Setup { scenario: name.to_owned(), seed, start: START, ..Setup::default() })
        .expect("a valid setup")
}

/// The same without what comes before an epoch minute, for which a queue alone matters.
pub(crate) fn from(minute: i64, name: &str, seed: u64) -> Sim {
    let mut sim = sim(name, seed);
    Arc::get_mut(&mut sim.state).expect("not shared yet").services.minutes.skip_to(minute);
    sim
}

fn long() -> impl Iterator<Item = &'static Scenario> {
    HARMFUL.iter().chain(BENIGN).chain(RETURNING).chain(LEVELS)
}

/// Every plan of a scenario with its script.
fn scripts(scenario: &Scenario) -> Vec<(&'static Plan, &'static Script)> {
    let plans = match &scenario.plans[0].trouble {
        Trouble::OneOf(plans) => plans,
        _ => scenario.plans,
    };
    let script = |plan: &'static Plan| match plan.trouble {
        Trouble::Script(script) => (plan, script),
        other => panic!("{}: {other:?}", scenario.name),
    };
    plans.iter().map(script).collect()
}

fn story(name: &str, seed: u64) -> Story {
    sim(name, seed).story().swap_remove(0)
}

/// Truths of some minutes after the start.
fn truths(sim: &Sim, minutes: std::ops::Range<i64>) -> Vec<Truth> {
    minutes.filter_map(|minute| sim.truth("site", MINUTE_0 + minute)).collect()
}

/// Checks the story of a scenario against what its table promises.
fn check(name: &str, seed: u64) {
    let story = story(name, seed);
    let Some(scenario) = long().find(|one| one.name == name) else {
        panic!("no scenario {name}");
    };
    let end = MINUTE_0 + scenario.minutes;
    assert_eq!(story.harmful, name.starts_with('h'), "{name}");
    if !story.harmful {
        assert_eq!((story.incident_start, story.fault_start), (None, None), "{name} {seed}");
        let some = name == SHARE || TRICKLES.contains(&name);
        assert_eq!(story.other_504 > 0, some, "{name} {seed}: {story:?}");
        return;
    }
    let fault = story.fault_start.expect("harmful ones have a fault");
    if SILENT.contains(&name) {
        assert_eq!((story.incident_start, story.fault_504), (None, 0), "{name} {seed}");
    } else {
        let incident = story.incident_start.expect("an incident");
        assert!(fault <= incident && incident < end, "{name} {seed}: {story:?}");
        assert!(story.first_504.is_some_and(|first| fault <= first && first <= incident));
    }
    assert!(story.other_504 <= 20, "{name} {seed}: {story:?}");
    if let Some(repaired) = story.repaired {
        assert!(story.recovered.is_some_and(|recovered| recovered > repaired && recovered < end));
    }
}

#[test]
fn tables_are_consistent() {
    for scenario in long() {
        for (plan, script) in scripts(scenario) {
            check_tale(scenario, plan, script);
        }
    }
    let count = |begin: char| long().filter(|one| one.name.starts_with(begin)).count();
    assert_eq!((count('h'), count('b')), (29, 27));
    let few = BENIGN.iter().find(|one| one.name == "b02_few_requests");
    assert_eq!(few.map(|one| scripts(one)[0].1.incident), Some(Incident::Count));
}

fn check_tale(scenario: &Scenario, plan: &Plan, script: &Script) {
    let name = scenario.name;
    let shares: f64 = script.mix.iter().map(|class| class.share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{name}");
    assert!((1..=15).contains(&plan.targets) && plan.groups == 1, "{name}");
    assert!(script.pivot < scenario.minutes && scenario.minutes % DAY == 0, "{name}");
    assert_eq!(script.cause.is_some(), name.starts_with('h'), "{name}");
    let bundled = script.mix.iter().filter(|class| class.bundled).count();
    assert!(script.mix.is_sorted_by_key(|class| class.bundled), "{name}");
    assert!(bundled == 0 || (script.workers == 0 && script.bundle > 1), "{name}");
    for step in script.steps {
        match step.what {
            What::Slow(Who::Class(at), _) => assert!(at < script.mix.len(), "{name}"),
            What::Slow(Who::Target(at), _) | What::Pause { target: at, .. } => {
                assert!(at < plan.targets, "{name}");
            }
            _ => {}
        }
        match step.when {
            When::Clock { days, .. } => assert!(days > 0 && days <= EVERY_DAY, "{name}"),
            When::Random { every, length } => assert!(length < every, "{name}"),
            When::Every { every, length, wobble } => assert!(length + 2 * wobble < every, "{name}"),
            When::Pivot(from, until) => assert!(from < until, "{name}"),
        }
    }
}

#[test]
fn sampled_stories_keep_what_their_tables_promise() {
    for name in ["h08_spike", "h12_retry_storm", "b02_few_requests", "b09_heavy_tail"] {
        check(name, 3);
    }
}

#[test]
fn the_same_seed_plays_the_same_in_any_order_and_another_differs() {
    for scenario in long() {
        let window = 580..640;
        let sim = |name, seed| from(MINUTE_0 + 570, name, seed);
        let (a, b) = (sim(scenario.name, 7), sim(scenario.name, 7));
        let _ = b.truth("site", MINUTE_0 + 700);
        let first = truths(&a, window.clone());
        assert_eq!(first, truths(&b, window.clone()), "{}", scenario.name);
        let other = truths(&sim(scenario.name, 8), window.clone());
        let silent = scenario.name == "b16_no_history";
        assert_eq!(first == other, silent, "{}", scenario.name);
    }
}

#[test]
fn every_long_scenario_is_healthy_on_its_first_day_and_every_request_ends_once() {
    for scenario in long() {
        let sim = sim(scenario.name, 2);
        let day = truths(&sim, 0..400);
        for truth in &day {
            let lost = truth.elb_504 - truth.stalled + truth.abandoned + truth.closed;
            let ended = truth.samples + lost;
            assert_eq!(ended, truth.requests, "{}", scenario.name);
        }
        let failed: u64 = day.iter().map(|truth| truth.elb_504).sum();
        assert!(failed <= 12 || scenario.name == SHARE, "{}: {failed}", scenario.name);
    }
}

#[test]
fn a_nightly_job_runs_at_night_and_nowhere_else() {
    let sim = sim("b01_nightly_job", 4);
    let near = |range| truths(&sim, range).iter().map(|truth| truth.near_misses).sum::<u64>();
    assert!(near(115..140) >= 20);
    assert_eq!(near(140..DAY + 110), 0);
    assert!(near(DAY + 115..DAY + 140) >= 20);
}

#[test]
fn silent_nights_have_no_datapoints_and_gaps_hide_requests() {
    let quiet = sim("b15_silent_nights", 1);
    assert!(quiet.summary("site", MINUTE_0 + 60..MINUTE_0 + 75).is_some_and(|one| {
        one.samples.is_none() && one.requests.is_none() && one.p99.is_none()
    }));
    let noon = quiet.summary("site", MINUTE_0 + 720..MINUTE_0 + 735).expect("known");
    assert!(noon.samples.is_some_and(|samples| samples > 1_000.0));
    let whole: u64 = truths(&quiet, 720..735).iter().map(|truth| truth.samples).sum();
    assert_eq!(noon.samples, Some(whole as f64));
}

#[test]
fn flowing_uploads_outlast_the_idle_timeout() {
    let sim = sim("b18_slow_uploads", 1);
    let hour = truths(&sim, 600..660);
    assert!(hour.iter().all(|truth| truth.elb_504 == 0));
    assert!(hour.iter().any(|truth| truth.maximum.is_some_and(|longest| longest > 90.0)));
}

#[test]
fn minutes_outside_the_script_are_healthy() {
    let (before, after) = (sim("h06_hang", 1), sim("h19_data_growth", 1));
    let early = truths(&before, -60..0);
    assert!(early.iter().all(|truth| truth.requests > 50 && truth.elb_504 == 0));
    let late = truths(&after, 17 * DAY..17 * DAY + 60);
    assert!(late.iter().all(|truth| truth.requests > 50 && truth.elb_504 == 0));
}

#[test]
fn scenario_names_are_unique_and_every_plan_has_a_name_aws_accepts() {
    for (index, one) in scenarios().iter().enumerate() {
        assert!(scenarios()[..index].iter().all(|other| other.name != one.name));
        assert!(
            one.plans
                .iter()
                .all(|plan| { plan.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') })
        );
    }
}
