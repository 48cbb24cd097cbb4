//! Who is notified of what and when, without a network: the sinks are test doubles.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::edge::aws::ErrorKind;
use crate::sink::Sink;
use crate::sink::testing::{Does, Double, people, programs};
use nearmiss_core::alerting::episode::{Episode, Evidence};
use nearmiss_core::alerting::{Matcher, Route};
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss_core::render::Links;

/// Half past ten on a Monday.
const NOW: Minute = Minute(29_470_230);

fn gateway(name: &str) -> Gateway {
    let dimension = format!("app/{name}/50dc6c495c0c9188");
    let id = Identity::new(Kind::Alb, "eu-central-1", "111122223333", &dimension);
    let timeout = Timeout { seconds: 60.0, at_aws: Some(60.0) };
    Gateway { id, timeout, near: 0.8, detail: Detail::Figures, tags: BTreeMap::new() }
}

/// An episode that began at this minute, of which nobody was notified.
fn episode(gateway: &Gateway, began: Minute) -> TrackedEpisode {
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
        severity: Severity::Warning,
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
    TrackedEpisode { audible: true, ..TrackedEpisode::unnotified(gateway, episode) }
}

/// This many gateways in trouble, all read up to now.
fn trouble(gateways: usize) -> GatewayStates {
    let one = |number| {
        let gateway = gateway(&format!("web-{number:02}"));
        let mut state = GatewayState::starting(NOW);
        state.records.push(episode(&gateway, NOW.plus(-3)));
        (gateway.id.key(), state)
    };
    (0..gateways).map(one).collect()
}

/// All that a poll needs in order to notify.
struct World {
    notifier: Notifier,
    states: GatewayStates,
    silences: Vec<Silence>,
    /// The states as they were saved, each time.
    saved: Vec<GatewayStates>,
    stop: CancellationToken,
}

impl World {
    /// Everything goes to each of these receivers.
    fn new(states: GatewayStates, receivers: &[(Receiver, &Double)]) -> Self {
        let route = |(receiver, _): &(Receiver, &Double)| Route {
            matcher: Matcher::default(),
            at_least: Severity::Info,
            receiver: receiver.clone(),
            repeat: None,
            goes_on: true,
        };
        let routes = receivers.iter().map(route).collect();
        let sink = |(receiver, double): &(Receiver, &Double)| {
            let sink: Box<dyn Sink> = Box::new(Double::clone(double));
            (receiver.id.clone(), sink)
        };
        let senders = Senders::new(receivers.iter().map(sink).collect(), Links::default());
        Self {
            notifier: Notifier::new(Router { routes, ..Router::plain() }, Vec::new(), senders),
            saved: vec![states.clone()],
            states,
            silences: Vec::new(),
            stop: CancellationToken::new(),
        }
    }

    /// What is due when everything up to a minute was read.
    fn due(&mut self, minute: Minute) -> Vec<(Receiver, EpisodeNotification)> {
        let keys: Vec<String> = self.states.keys().cloned().collect();
        for key in keys {
            let state = self.states.get_mut(&key).unwrap();
            (state.assess_watermark, state.count_watermark) = (minute, minute);
        }
        let present = Present { now: minute.start(), end: minute, settled: minute };
        let reading = self.states.keys().cloned().collect();
        self.notifier.due(&mut self.states, &mut self.silences, &reading, present)
    }

    fn begin(&mut self, minute: Minute) -> Sending {
        let due = self.due(minute);
        let queues = Notifier::pack(due, Vec::new(), &self.states, minute);
        let deadline = Deadline::after(Duration::from_mins(10), self.stop.clone().into());
        self.notifier.send(queues, &deadline)
    }

    /// Enters the next delivery that was tried, and saves when that is required.
    async fn step(&mut self, sending: &mut Sending, minute: Minute) -> bool {
        let Some(sent) = sending.next().await else { return false };
        if self.notifier.enter(sending, sent, &mut self.states, minute.start()) {
            self.saved.push(self.states.clone());
        }
        true
    }

    /// The notifying of one poll, to its end.
    async fn poll(&mut self, minute: Minute) -> Ended {
        let mut sending = self.begin(minute);
        while self.step(&mut sending, minute).await {}
        self.notifier.finish(sending, minute.start())
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_receiver_did_not_accept_is_due_again_at_the_next_poll_and_to_it_alone() {
    let (team, call) = (Double::default(), Double::default());
    let mut world = World::new(trouble(1), &[(people("team"), &team), (people("call"), &call)]);
    team.does([Does::Fails(ErrorKind::Unreachable)]);
    let ended = world.poll(NOW).await;
    assert_eq!((team.accepted().len(), call.accepted().len()), (0, 1));
    assert_eq!(world.notifier.failing, HashSet::from([ReceiverId::of("team")]));
    assert_eq!(world.notifier.waiting.values().collect::<Vec<_>>(), [&NOW.start()]);
    assert_eq!(ended.refusals.len(), 1);
    assert!(ended.refusals[0].contains("The next poll will tell team that web-00 is firing."));
    // It has been waiting since the first time.
    team.does([Does::Fails(ErrorKind::Throttled)]);
    world.poll(NOW.plus(1)).await;
    assert_eq!(world.notifier.waiting.values().collect::<Vec<_>>(), [&NOW.start()]);
    let ended = world.poll(NOW.plus(2)).await;
    assert_eq!(team.accepted(), call.accepted());
    assert_eq!(call.tried().len(), 1, "who accepted it is not notified again");
    assert_eq!((ended.refusals.len(), world.notifier.waiting.len()), (0, 0));
    assert!(world.notifier.failing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_two_deliveries_repeats_one_at_most_and_loses_none() {
    const GATEWAYS: usize = 5;
    for (entered, loses_the_next) in (0..=GATEWAYS).flat_map(|n| [(n, false), (n, true)]) {
        let case = format!("{entered} entered, then {loses_the_next}");
        let team = Double::default();
        let receivers = [(people("team"), &team)];
        let mut world = World::new(trouble(GATEWAYS), &receivers);
        let mut sending = world.begin(NOW);
        for number in 1..=entered {
            assert!(world.step(&mut sending, NOW).await, "{case}");
            assert_eq!(team.tried().len(), number, "the next one waits until this is saved");
            assert_eq!(world.saved.len(), 1 + number, "{case}: the first is as it began");
        }
        if loses_the_next {
            let _ = sending.next().await;
        }
        drop(sending);
        let mut after = World::new(world.saved.pop().unwrap(), &receivers);
        after.poll(NOW.plus(1)).await;
        let mut accepted = team.accepted();
        let repeated = accepted.len() - GATEWAYS;
        assert_eq!(repeated, usize::from(loses_the_next && entered < GATEWAYS), "{case}");
        accepted.sort();
        accepted.dedup();
        assert_eq!(accepted.len(), GATEWAYS, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_drops_second_copies_costs_a_save_for_a_hundred() {
    let queue = Double::default();
    let mut world = World::new(trouble(SAVED_TOGETHER + 7), &[(programs("queue"), &queue)]);
    let ended = world.poll(NOW).await;
    assert_eq!(queue.accepted().len(), SAVED_TOGETHER + 7);
    assert_eq!(world.saved.len(), 2);
    assert!(ended.is_unsaved, "the last seven are saved at the end");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_made_of_ten_for_people_and_never_for_who_keeps_the_order() {
    for (gateways, messages) in [(9, 9), (10, 1), (30, 1)] {
        let (team, queue) = (Double::default(), Double::default());
        let mut world =
            World::new(trouble(gateways), &[(people("team"), &team), (programs("queue"), &queue)]);
        world.poll(NOW).await;
        assert_eq!(team.accepted().len(), messages, "of {gateways}");
        let is_group = team.accepted()[0].starts_with("group/firing/");
        assert_eq!(is_group, gateways >= 10);
        assert_eq!(queue.accepted().len(), gateways);
        assert!(world.due(NOW.plus(1)).is_empty(), "each of a group counts as notified");
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_were_sent_a_moment_ago_count_towards_the_ten() {
    let team = Double::default();
    let mut world = World::new(trouble(7), &[(people("team"), &team)]);
    world.poll(NOW).await;
    assert_eq!(team.accepted().len(), 7);
    for (key, state) in trouble(10) {
        world.states.get_or_insert_with(&key, || state);
    }
    world.poll(NOW.plus(2)).await;
    assert_eq!(team.accepted().len(), 8, "three more are one message: {:?}", team.accepted());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_episode_stands_before_the_beginning_of_the_next() {
    let queue = Double::default();
    let mut world = World::new(trouble(1), &[(programs("queue"), &queue)]);
    world.poll(NOW).await;
    let gateway = gateway("web-00");
    let records = &mut world.states.get_mut(&gateway.id.key()).unwrap().records;
    records[0].episode.ended = Some(NOW.plus(5));
    records.push(episode(&gateway, NOW.plus(7)));
    // The queue cannot be reached: `firing` does not overtake `resolved`.
    queue.does([Does::Fails(ErrorKind::Unreachable)]);
    world.poll(NOW.plus(8)).await;
    assert_eq!(queue.tried().len(), 2, "the second one was not begun");
    world.poll(NOW.plus(9)).await;
    let reasons: Vec<String> = queue
        .accepted()
        .iter()
        .map(|id| id.rsplit('/').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(reasons, ["firing", "resolved", "firing"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_daemon_is_to_stop_nothing_is_begun_and_all_of_it_waits() {
    let team = Double::default();
    let mut world = World::new(trouble(3), &[(people("team"), &team)]);
    world.stop.cancel();
    let ended = world.poll(NOW).await;
    assert_eq!(team.tried().len(), 0);
    assert_eq!(world.notifier.waiting.len(), 3);
    assert!(!ended.is_unsaved && ended.refusals.is_empty());
    assert!(world.notifier.failing.is_empty(), "nobody refused anything");
}

#[test]
fn what_is_being_caught_up_with_notifies_when_the_present_is_reached() {
    let mut world = World::new(trouble(2), &[(people("team"), &Double::default())]);
    let present = |minute: Minute| Present { now: minute.start(), end: minute, settled: minute };
    let later = NOW.plus(RECENT_MINUTES + 1);
    let both: HashSet<String> = world.states.keys().cloned().collect();
    let one: HashSet<String> = both.iter().take(1).cloned().collect();
    for (reading, minute, expected) in [
        (&both, NOW.plus(RECENT_MINUTES), 2),
        (&both, later, 0),
        (&one, later, 1),
        (&HashSet::new(), later, 2),
    ] {
        let World { notifier, states, silences, .. } = &mut world;
        let due = notifier.due(states, silences, reading, present(minute));
        assert_eq!(due.len(), expected, "{} read at {minute}", reading.len());
    }
}

#[test]
fn silences_mute_and_are_forgotten_only_when_the_time_is_certain() {
    let mut world = World::new(trouble(2), &[(people("team"), &Double::default())]);
    world.silences = vec![Silence {
        id: "1".into(),
        matcher: Matcher::default(),
        at_most: Severity::Critical,
        from: NOW,
        until: NOW.plus(30),
        by: "somebody".into(),
        comment: String::new(),
    }];
    assert_eq!(world.due(NOW.plus(1)).len(), 0);
    assert_eq!(world.notifier.muted(&world.states, NOW.plus(1)), 2);
    assert_eq!(world.due(NOW.plus(31)).len(), 2);
    assert_eq!(world.notifier.muted(&world.states, NOW.plus(31)), 0);
    // A poll without an answer from AWS may have the wrong time.
    let far = NOW.plus(40 * 24 * 60);
    let present = Present { now: far.start(), end: far, settled: far };
    let World { notifier, states, silences, .. } = &mut world;
    notifier.due(states, silences, &HashSet::new(), present);
    assert_eq!(silences.len(), 1);
    world.due(far);
    assert_eq!(world.silences.len(), 0);
}

#[test]
fn what_was_found_out_goes_with_the_name() {
    let mut world = World::new(trouble(1), &[]);
    world.notifier.hand_on("old", "new");
    assert!(world.notifier.asked.is_empty());
    assert!(world.notifier.report().is_none(), "no report is due");
}
