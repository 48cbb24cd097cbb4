//! Who is notified of what, and when: routes, mutes, repeats and groups, without any
//! receiver.

// A router has routes.
#![allow(clippy::similar_names)]

use std::collections::{BTreeMap, BTreeSet};

use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::episode::{COMES_BACK, Episode, Evidence, TrackedEpisode};
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::alerting::{
    Audience, Due, Guarantee, Matcher, Mute, Receiver, ReceiverId, Repeat, Route, Router, Silence,
    Window,
};
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::gateway::{Gateway, Kind};
use nearmiss_core::notification::{Delivery, GROUP, Notification, SelfAlert, pack};
use nearmiss_core::number::quantity::Span;
use nearmiss_core::pattern::{Pattern, Tags};
use nearmiss_core::time::Minute;
use proptest::prelude::*;

use crate::made_up::named as named_gateway;

const T0: Minute = Minute(29_460_000);
const CALL: &str = "arn:aws:sns:eu-central-1:111122223333:on-call";
const TEAM: &str = "arn:aws:sns:eu-central-1:111122223333:team";
const QUEUE: &str = "arn:aws:sns:eu-central-1:111122223333:queue.fifo";

fn gateway(name: &str) -> Gateway {
    let tags = BTreeMap::from([("team".to_owned(), name.chars().take(4).collect())]);
    Gateway { tags, ..named_gateway(name) }
}

fn record(name: &str, began: Minute, severity: Severity) -> TrackedEpisode {
    let gateway = gateway(name);
    let evidence = Evidence {
        rule: Rule::NearMiss,
        why: "32 of 940 requests took more than 48 s.".into(),
        value: Some(32.0),
        threshold: 5.0,
        forecast: None,
    };
    let episode = Episode {
        id: format!("{}@{began}", gateway.id.key()),
        began,
        last_breach: began,
        severity,
        rules: BTreeMap::from([(Rule::NearMiss, began)]),
        evidence,
        quiet_minutes: 0,
        ended: None,
        abandoned: false,
        benign: false,
        requests: 940,
        near_misses: 32,
        timeouts: 0,
        returns: None,
    };
    TrackedEpisode::unnotified(&gateway, episode)
}

/// People behind an address, or programs behind a queue.
fn topic(address: &str) -> Receiver {
    let (audience, guarantee) = match address {
        QUEUE => (Audience::Programs, Guarantee::OnceInOrder),
        _ => (Audience::People, Guarantee::AtLeastOnce),
    };
    let label = address.rsplit(':').next().unwrap().to_owned();
    Receiver { id: ReceiverId::of(address), label, audience, guarantee }
}

fn route(matcher: Matcher, at_least: Severity, address: &str, goes_on: bool) -> Route {
    Route { matcher, at_least, receiver: topic(address), repeat: None, goes_on }
}

fn named(pattern: &str) -> Matcher {
    let gateway = Some(Pattern::try_from(pattern.to_owned()).unwrap());
    Matcher { gateway, ..Matcher::default() }
}

/// What is notified of one record from minute to minute, as it changes; everything is taken
/// at once.
fn story(
    router: &Router,
    record: TrackedEpisode,
    minutes: i64,
    change: impl Fn(i64, &mut TrackedEpisode),
) -> String {
    let mut records = vec![record];
    let mut said = Vec::new();
    for minute in 0..minutes {
        let Some(one) = records.first_mut() else { break };
        change(minute, one);
        if one.episode.is_open() && !router.mute.mutes(one_subject(one), T0.plus(minute)) {
            one.audible = true;
        }
        for notice in router.replay(&mut records, T0.plus(minute)) {
            said.push(format!("{minute} {} {}", notice.reason.name(), notice.episode.severity));
        }
    }
    said.join(", ")
}

fn one_subject(record: &TrackedEpisode) -> nearmiss_core::alerting::Subject<'_> {
    nearmiss_core::alerting::Subject::of(record)
}

fn worsens(at: i64) -> impl Fn(i64, &mut TrackedEpisode) {
    move |minute, record| {
        if minute >= at {
            record.episode.severity = Severity::Critical;
        }
    }
}

fn ends(at: i64) -> impl Fn(i64, &mut TrackedEpisode) {
    move |minute, record| {
        if minute == at {
            record.episode.ended = Some(T0.plus(minute));
        }
    }
}

#[test]
fn an_episode_is_told_once_per_change() {
    let router = Router::plain();
    let warning = || record("web", T0, Severity::Warning);
    let both = |minute: i64, record: &mut TrackedEpisode| {
        worsens(10)(minute, record);
        ends(20)(minute, record);
    };
    assert_eq!(story(&router, warning(), 60, |_, _| {}), "0 firing warning");
    assert_eq!(
        story(&router, warning(), 60, both),
        "0 firing warning, 10 escalated critical, 20 resolved critical"
    );
    // What was over before anybody could be notified is notified once, with its times.
    assert_eq!(story(&router, warning(), 60, ends(0)), "0 resolved warning");
}

#[test]
fn an_open_episode_is_repeated_and_a_benign_one_is_not() {
    let router = Router { repeat: Repeat::After(Span::seconds(1200)), ..Router::plain() };
    let warning = || record("web", T0, Severity::Warning);
    let repeated = "0 firing warning, 20 reminder warning, 40 reminder warning";
    assert_eq!(story(&router, warning(), 60, |_, _| {}), repeated);
    let benign = |minute: i64, record: &mut TrackedEpisode| record.episode.benign = minute >= 5;
    assert_eq!(story(&router, warning(), 60, benign), "0 firing warning");
    // What becomes worse counts as notified anew.
    let worse =
        "0 firing warning, 15 escalated critical, 35 reminder critical, 55 reminder critical";
    assert_eq!(story(&router, warning(), 60, worsens(15)), worse);
}

/// Everybody that a record is due to, and why.
fn due(router: &Router, record: &TrackedEpisode, now: Minute) -> String {
    match router.due(record, now) {
        Due::Notify(due) => {
            let one = |(receiver, reason): &(Receiver, Reason)| {
                format!("{} {}", receiver.label, reason.name())
            };
            due.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn the_first_route_that_takes_an_alert_gets_it_and_the_next_while_it_goes_on() {
    let everything = Matcher::default;
    let tagged =
        || Matcher { tags: Tags::new([("team".into(), "sh*".into())]).unwrap(), ..everything() };
    let kinds = || Matcher { kind: Some(Kind::Alb), ..everything() };
    let ruled = || Matcher { rules: BTreeSet::from([Rule::Blackout]), ..everything() };
    let rows = [
        (vec![], "log firing"),
        (vec![route(named("shop-*"), Severity::Info, TEAM, false)], "team firing"),
        (vec![route(named("app/shop-*"), Severity::Info, TEAM, false)], "team firing"),
        (vec![route(named("web"), Severity::Info, TEAM, false)], "log firing"),
        (vec![route(tagged(), Severity::Info, TEAM, false)], "team firing"),
        (vec![route(kinds(), Severity::Info, TEAM, false)], "team firing"),
        (vec![route(ruled(), Severity::Info, TEAM, false)], "log firing"),
        (vec![route(everything(), Severity::Critical, CALL, false)], "log firing"),
        (
            vec![
                route(named("shop-*"), Severity::Info, TEAM, false),
                route(everything(), Severity::Info, CALL, false),
            ],
            "team firing",
        ),
        (
            vec![
                route(named("shop-*"), Severity::Info, TEAM, true),
                route(everything(), Severity::Info, CALL, false),
            ],
            "team firing, on-call firing",
        ),
        // The last one goes on, and nobody is left: the fallback is for what no route takes.
        (vec![route(named("shop-*"), Severity::Info, TEAM, true)], "team firing"),
        // One topic by two routes is notified once.
        (
            vec![
                route(named("shop-*"), Severity::Info, TEAM, true),
                route(everything(), Severity::Info, TEAM, true),
            ],
            "team firing",
        ),
    ];
    let record = record("shop-web", T0, Severity::Warning);
    for (routes, expected) in rows {
        let router = Router { routes, ..Router::plain() };
        assert_eq!(due(&router, &record, T0), expected, "{:#?}", router.routes);
    }
}

#[test]
fn who_comes_in_when_it_is_worse_hears_that_it_began_and_everybody_that_it_is_over() {
    let routes = vec![
        route(Matcher::default(), Severity::Critical, CALL, true),
        route(Matcher::default(), Severity::Info, TEAM, false),
    ];
    let router = Router { routes, ..Router::plain() };
    let mut one = record("web", T0, Severity::Warning);
    assert_eq!(due(&router, &one, T0), "team firing");
    let take = |one: &mut TrackedEpisode, topic: &str, reason| {
        let notice = EpisodeNotification::of(one, reason, T0);
        one.enter(&ReceiverId::of(topic), notice.reason, &notice.episode, T0);
    };
    take(&mut one, TEAM, Reason::Firing);
    assert_eq!(due(&router, &one, T0), "Nothing");
    one.episode.severity = Severity::Critical;
    assert_eq!(due(&router, &one, T0), "on-call firing, team escalated");
    take(&mut one, CALL, Reason::Firing);
    take(&mut one, TEAM, Reason::Escalated);
    one.episode.ended = Some(T0.plus(9));
    assert_eq!(due(&router, &one, T0.plus(9)), "on-call resolved, team resolved");
    take(&mut one, TEAM, Reason::Resolved);
    assert_eq!(due(&router, &one, T0.plus(9)), "on-call resolved");
    take(&mut one, CALL, Reason::Resolved);
    assert_eq!(due(&router, &one, T0.plus(COMES_BACK)), "Nothing", "it may come back");
    assert_eq!(due(&router, &one, T0.plus(COMES_BACK + 1)), "Done");
}

#[test]
fn who_was_told_that_it_began_is_told_that_it_ended_though_no_route_leads_there_now() {
    let mut one = record("web", T0, Severity::Warning);
    let notice = EpisodeNotification::of(&one, Reason::Firing, T0);
    one.enter(&ReceiverId::of(TEAM), notice.reason, &notice.episode, T0);
    one.episode.ended = Some(T0.plus(9));
    let elsewhere = vec![
        route(named("other"), Severity::Info, TEAM, false),
        route(named("web"), Severity::Info, CALL, false),
    ];
    let router = Router { routes: elsewhere, ..Router::plain() };
    assert_eq!(due(&router, &one, T0.plus(9)), "on-call resolved, team resolved");
    // A topic that the config no longer names cannot be notified of anything.
    let router = Router {
        routes: vec![route(named("web"), Severity::Info, CALL, false)],
        ..Router::plain()
    };
    assert_eq!(due(&router, &one, T0.plus(9)), "on-call resolved");
}

/// A state remembers addresses alone: who is behind one is what the config says now.
#[test]
fn who_is_behind_a_receiver_is_what_the_config_says_and_makes_no_second_one() {
    let mut one = record("web", T0, Severity::Warning);
    let notice = EpisodeNotification::of(&one, Reason::Firing, T0);
    one.enter(&topic(TEAM).id, notice.reason, &notice.episode, T0);
    let programs = Receiver { audience: Audience::Programs, ..topic(TEAM) };
    assert_eq!(programs, topic(TEAM));
    let stored = serde_json::to_value(&one.notified).unwrap();
    assert_eq!(stored.as_object().unwrap().keys().collect::<Vec<_>>(), [TEAM]);
    let routes = ["web", "other"].map(|name| Route {
        receiver: programs.clone(),
        ..route(named(name), Severity::Info, CALL, true)
    });
    let router = Router { routes: routes.into(), ..Router::plain() };
    assert_eq!(due(&router, &one, T0.plus(9)), "Nothing", "it was notified as people");
    // Of the end the remembered address is notified, as what it is now.
    one.episode.ended = Some(T0.plus(9));
    let router = Router { routes: router.routes[1..].to_vec(), ..Router::plain() };
    let Due::Notify(due) = router.due(&one, T0.plus(9)) else { panic!("an end") };
    let ends: Vec<_> = due.iter().map(|(to, why)| (to.id.as_str(), to.audience, *why)).collect();
    assert!(ends.contains(&(TEAM, Audience::Programs, Reason::Resolved)), "{ends:?}");
}

fn silenced(from: i64, until: i64, at_most: Severity) -> Router {
    let silence = Silence {
        id: "1".into(),
        matcher: named("web"),
        at_most,
        from: T0.plus(from),
        until: T0.plus(until),
        by: String::new(),
        comment: String::new(),
    };
    let mute = Mute { silences: vec![silence], windows: Vec::new() };
    Router { mute, ..Router::plain() }
}

fn maintained(from: i64, until: i64) -> Router {
    let window = Window { matcher: named("web"), from: T0.plus(from), until: T0.plus(until) };
    let mute = Mute { silences: Vec::new(), windows: vec![window] };
    Router { mute, ..Router::plain() }
}

#[test]
fn what_outlives_its_quiet_time_is_told_when_that_ends() {
    let web = || record("web", T0, Severity::Warning);
    for router in [silenced(0, 30, Severity::Critical), maintained(0, 30)] {
        assert_eq!(story(&router, web(), 60, |_, _| {}), "30 firing warning");
        assert_eq!(story(&router, web(), 60, ends(45)), "30 firing warning, 45 resolved warning");
        assert_eq!(story(&router, web(), 60, worsens(10)), "30 firing critical");
        // What began and ended within it never notifies.
        assert_eq!(story(&router, web(), 60, ends(20)), "");
        assert_eq!(
            story(&router, record("other", T0, Severity::Warning), 60, ends(20)),
            "0 firing warning, 20 resolved warning"
        );
    }
    // A receiver that was notified before is notified of the end, when the silence is over.
    let router = silenced(10, 30, Severity::Critical);
    assert_eq!(story(&router, web(), 60, ends(20)), "0 firing warning, 30 resolved warning");
    // What is worse than the silence notifies.
    let router = silenced(0, 30, Severity::Warning);
    let worse = "10 firing critical";
    assert_eq!(story(&router, web(), 25, worsens(10)), worse);
}

#[test]
fn a_silence_of_one_rule_hides_no_other() {
    let silence = |rules: &[Rule]| {
        let mut router = silenced(0, 30, Severity::Critical);
        router.mute.silences[0].matcher.rules = rules.iter().copied().collect();
        router
    };
    let outage = |minute, record: &mut TrackedEpisode| {
        if minute == 5 {
            record.episode.rules.insert(Rule::Blackout, T0.plus(minute));
        }
    };
    let web = || record("web", T0, Severity::Warning);
    assert_eq!(story(&silence(&[Rule::NearMiss]), web(), 20, |_, _| {}), "");
    assert_eq!(story(&silence(&[Rule::NearMiss]), web(), 20, outage), "5 firing warning");
    assert_eq!(story(&silence(&[Rule::NearMiss, Rule::Blackout]), web(), 20, outage), "");
}

fn notices(number: usize, reason: Reason) -> Vec<(Receiver, EpisodeNotification)> {
    let notice = |index: usize| {
        let record = record(&format!("web-{index:02}"), T0, Severity::Warning);
        (topic(TEAM), EpisodeNotification::of(&record, reason, T0))
    };
    (0..number).map(notice).collect()
}

/// How many members each delivery has.
fn sizes(deliveries: &BTreeMap<ReceiverId, Vec<Delivery>>) -> Vec<usize> {
    deliveries.values().flatten().map(|delivery| delivery.notices().len()).collect()
}

#[test]
fn ten_gateways_in_five_minutes_are_one_message() {
    assert_eq!(sizes(&pack(notices(GROUP - 1, Reason::Firing), |_| 0)), [1; GROUP - 1]);
    assert_eq!(sizes(&pack(notices(GROUP, Reason::Firing), |_| 0)), [GROUP]);
    // Those that were notified of a moment ago count.
    let after = pack(notices(3, Reason::Firing), |_| GROUP - 3);
    assert_eq!(sizes(&after), [3]);
    let Notification::Group(group) = &after.values().next().unwrap()[0].notification else {
        panic!("a group")
    };
    assert_eq!(group.earlier, GROUP - 3);
    // They do not make a group of ends.
    assert_eq!(sizes(&pack(notices(3, Reason::Resolved), |_| GROUP)), [1; 3]);
    assert_eq!(sizes(&pack(notices(40, Reason::Resolved), |_| 0)), [40]);
}

#[test]
fn one_gateways_many_ends_are_no_group_and_stand_before_a_beginning() {
    let end = |(number, (receiver, mut notice)): (i64, (Receiver, EpisodeNotification))| {
        notice.gateway = std::sync::Arc::new(gateway("web-00"));
        notice.episode.began = T0.plus(number);
        (receiver, notice)
    };
    let ends: Vec<_> = (0..).zip(notices(GROUP, Reason::Resolved)).map(end).collect();
    assert_eq!(sizes(&pack(ends.clone(), |_| 0)), [1; GROUP]);
    let both = notices(GROUP, Reason::Firing).into_iter().chain(ends).collect();
    let mut expected = vec![1; GROUP];
    expected.push(GROUP);
    assert_eq!(sizes(&pack(both, |_| 0)), expected);
}

#[test]
fn programs_get_each_alert_and_groups_are_the_same_whoever_makes_them() {
    let queue = |(_, notice)| (topic(QUEUE), notice);
    let due = notices(40, Reason::Firing).into_iter().map(queue).collect();
    assert_eq!(sizes(&pack(due, |_| 0)), [1; 40]);
    let id = |mut due: Vec<(Receiver, EpisodeNotification)>, turn: usize| {
        due.rotate_left(turn);
        pack(due, |_| 0).values().next().unwrap()[0].notification.id()
    };
    let first = id(notices(12, Reason::Firing), 0);
    assert_eq!(first, id(notices(12, Reason::Firing), 5));
    assert_ne!(first, id(notices(13, Reason::Firing), 0));
    assert_ne!(first, id(notices(12, Reason::Resolved), 0));
}

#[test]
fn an_own_trouble_is_told_when_it_lasts_and_when_it_is_over() {
    let receiver = ReceiverId::of(TEAM);
    let day = Repeat::default();
    let mut own = SelfAlert::starting(T0);
    assert_eq!(own.due(&receiver, 15, day, T0.plus(14)), None);
    assert_eq!(own.due(&receiver, 15, day, T0.plus(15)), Some(Reason::Firing));
    own.enter(&receiver, Reason::Firing, T0.plus(15));
    assert_eq!(own.due(&receiver, 15, day, T0.plus(100)), None);
    assert_eq!(own.due(&receiver, 15, day, T0.plus(15 + 1440)), Some(Reason::Reminder));
    own.ended = Some(T0.plus(200));
    assert!(!own.is_done());
    assert_eq!(own.due(&receiver, 15, day, T0.plus(200)), Some(Reason::Resolved));
    own.enter(&receiver, Reason::Resolved, T0.plus(200));
    assert!(own.is_done());
    // It is there again before somebody else was notified of its end: those who were
    // are notified anew.
    let other = ReceiverId::of(CALL);
    own.enter(&other, Reason::Firing, T0.plus(100));
    own.begin_again(T0.plus(300));
    assert_eq!(own.due(&receiver, 15, day, T0.plus(314)), None);
    assert_eq!(own.due(&receiver, 15, day, T0.plus(315)), Some(Reason::Firing));
    own.ended = Some(T0.plus(310));
    assert_eq!(own.due(&other, 15, day, T0.plus(310)), Some(Reason::Resolved));
    // A short one never notifies.
    let short = SelfAlert { ended: Some(T0.plus(3)), ..SelfAlert::starting(T0) };
    assert!(short.is_done());
    assert_eq!(short.due(&receiver, 15, day, T0.plus(99)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happens to an episode, to what mutes it and to its receivers: each receiver
    /// is notified of each change once, in order, and of the end last; and nothing of which
    /// somebody could be notified is forgotten.
    #[test]
    fn every_receiver_hears_a_true_story(
        worse_at in 0_i64..80,
        ends_at in 1_i64..120,
        quiet in prop::collection::vec((0_i64..120, 1_i64..40), 0..4),
        away in prop::collection::vec((0_usize..2, 0_i64..120, 1_i64..40), 0..6),
    ) {
        let silence = |(from, lasts): &(i64, i64)| Window {
            matcher: Matcher::default(),
            from: T0.plus(*from),
            until: T0.plus(from + lasts),
        };
        let windows = quiet.iter().map(silence).collect();
        let routes = vec![
            route(Matcher::default(), Severity::Info, TEAM, true),
            route(Matcher::default(), Severity::Critical, CALL, false),
        ];
        let mute = Mute { silences: Vec::new(), windows };
        let router = Router { routes, mute, ..Router::plain() };
        let receivers = [topic(TEAM), topic(CALL)];
        let is_away = |receiver: &Receiver, minute: i64| {
            away.iter().any(|(who, from, lasts)| {
                receivers[*who] == *receiver && (*from..from + lasts).contains(&minute)
            })
        };
        let mut one = record("web", T0, Severity::Warning);
        let mut heard: BTreeMap<ReceiverId, Vec<(Reason, Severity)>> = BTreeMap::new();
        let mut could_be_heard = false;
        let mut done = false;
        for minute in 0..COMES_BACK + 2 {
            let now = T0.plus(minute);
            if minute >= worse_at && one.episode.is_open() {
                one.episode.severity = Severity::Critical;
            }
            if minute == ends_at {
                one.episode.ended = Some(now);
            }
            let subject = nearmiss_core::alerting::Subject::of(&one);
            let quiet = router.mute.mutes(subject, now);
            let open = one.episode.is_open();
            one.audible |= open && !quiet;
            could_be_heard |= !quiet && (open || minute == ends_at);
            match router.due(&one, now) {
                Due::Notify(due) => {
                    prop_assert!(!quiet);
                    for (receiver, reason) in due.into_iter().filter(|(r, _)| !is_away(r, minute)) {
                        let notice = EpisodeNotification::of(&one, reason, now);
                        one.enter(&receiver.id, notice.reason, &notice.episode, now);
                        heard.entry(receiver.id).or_default().push((reason, notice.episode.severity));
                    }
                }
                Due::Done => {
                    done = true;
                    break;
                }
                Due::Muted => prop_assert!(quiet),
                // It is kept for as long as it may come back.
                Due::Nothing => prop_assert!(open || minute <= COMES_BACK),
            }
        }
        prop_assert!(done, "it is forgotten in the end");
        let team = heard.get(&receivers[0].id).cloned().unwrap_or_default();
        prop_assert_eq!(!team.is_empty(), could_be_heard, "{:?}", heard);
        for story in heard.values() {
            prop_assert_eq!(story.last().map(|(reason, _)| *reason), Some(Reason::Resolved));
            let firsts = story.iter().filter(|(reason, _)| *reason == Reason::Firing).count();
            prop_assert_eq!(firsts, usize::from(story.len() > 1));
            prop_assert!(story.windows(2).all(|two| two[0].0 < two[1].0), "{:?}", story);
        }
    }
}
