//! What the daemon reports about itself, to whom and when, without a network.

use std::path::Path;

use super::*;
use nearmiss_core::alerting::notification_log::Reason;

/// Half past ten on a Monday.
const NOW: Minute = Minute(29_470_230);
const AFTER: i64 = 15;

/// Alerts go to `all` or `shop`; those of `shop` must reach a chat channel.
const TOPICS: &str = "[sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:all\"\n\
    [[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:shop\"\n\
    chat_configuration = \"ops\"\n";

fn self_watch(more: &str) -> SelfWatch {
    let text = format!("[[gateway]]\nload_balancer = \"web\"\n{more}");
    SelfWatch::new(&Config::parse(&text, Path::new("test.toml")).unwrap(), Chats::default())
}

fn id(name: &str) -> ReceiverId {
    ReceiverId::of(&format!("arn:aws:sns:eu-central-1:111122223333:{name}"))
}

/// The names of those who are notified, and why.
fn said(due: &[Delivery]) -> Vec<(&str, Reason)> {
    let mut said = Vec::new();
    for Delivery { receiver, notification } in due {
        let Notification::SelfAlert(alert) = notification else {
            panic!("a self alert: {notification:?}")
        };
        said.push((receiver.label.as_str(), alert.reason));
    }
    said
}

/// A trouble that everybody was notified of who should be.
fn heard(
    watch: &mut SelfWatch,
    persisted: &mut PersistedState,
    component: Component,
    failing: &HashSet<ReceiverId>,
) {
    watch.note(component, ["it is broken".to_owned()], NOW, &mut persisted.own);
    let due = watch.due(&mut persisted.own, failing, NOW.plus(AFTER));
    assert!(!due.is_empty());
    for one in &due {
        enter(one, persisted, NOW.plus(AFTER).start());
    }
}

#[test]
fn a_trouble_is_told_after_its_time_and_again_and_when_it_is_over() {
    let (mut watch, mut persisted) = (self_watch(TOPICS), PersistedState::default());
    let nobody = HashSet::new();
    assert!(watch.note(Component::Data, ["no data".to_owned()], NOW, &mut persisted.own));
    let due = |persisted: &mut PersistedState, minute: i64, watch: &SelfWatch| {
        let due = watch.due(&mut persisted.own, &nobody, NOW.plus(minute));
        for one in &due {
            enter(one, persisted, NOW.plus(minute).start());
        }
        said(&due).into_iter().map(|(who, why)| format!("{who} {}", why.name())).collect::<Vec<_>>()
    };
    assert_eq!(due(&mut persisted, AFTER - 1, &watch), [""; 0]);
    assert_eq!(due(&mut persisted, AFTER, &watch), ["all firing"]);
    assert_eq!(due(&mut persisted, AFTER + 1, &watch), [""; 0]);
    assert_eq!(due(&mut persisted, AFTER + 24 * 60, &watch), ["all reminder"]);
    assert!(!watch.note(Component::Data, [], NOW.plus(2_000), &mut persisted.own));
    assert_eq!(due(&mut persisted, 2_000, &watch), ["all resolved"]);
    assert!(persisted.own.is_empty(), "it is forgotten");
}

#[test]
fn what_is_not_accepted_is_due_again_under_the_same_id() {
    let (mut watch, mut persisted) = (self_watch(TOPICS), PersistedState::default());
    watch.note(Component::State, ["no disk".to_owned()], NOW, &mut persisted.own);
    let mut due = |minute| watch.due(&mut persisted.own, &HashSet::new(), NOW.plus(minute));
    let ids: Vec<String> = [AFTER, AFTER + 1].map(|at| due(at)[0].notification.id()).into();
    assert_eq!(ids[0], ids[1]);
    let expected = format!("own/{}/state/{NOW}/firing", watch.host);
    assert_eq!(ids[0], expected);
}

#[test]
fn a_short_trouble_is_never_told() {
    let (mut watch, mut persisted) = (self_watch(TOPICS), PersistedState::default());
    watch.note(Component::Data, ["no data".to_owned()], NOW, &mut persisted.own);
    watch.note(Component::Data, [], NOW.plus(AFTER - 1), &mut persisted.own);
    assert!(watch.due(&mut persisted.own, &HashSet::new(), NOW.plus(AFTER)).is_empty());
}

#[test]
fn that_alerts_are_not_delivered_goes_another_way_where_there_is_one() {
    let watch = self_watch(TOPICS);
    let hearers = |watch: &SelfWatch, component, failing: &[&str]| -> Vec<String> {
        let failing = failing.iter().map(|name| id(name)).collect();
        watch.watchers(component, &failing).map(|one| one.label.clone()).collect()
    };
    for (component, failing, expected) in [
        (Component::Delivery, &[][..], "all"),
        (Component::Delivery, &["shop"], "all"),
        (Component::Delivery, &["all"], "shop"),
        (Component::Delivery, &["all", "shop"], "all"),
        (Component::Data, &["all"], "all"),
        // That messages do not reach a channel is sent where no channel is.
        (Component::Chat, &[], "all"),
    ] {
        assert_eq!(hearers(&watch, component, failing), [expected], "{component:?} {failing:?}");
    }
    let chat = "[sink.sns]\nchat_configuration = \"ops\"\n\
        topic_arn = \"arn:aws:sns:eu-central-1:111122223333:all\"\n";
    let other = "[watcher]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:watcher\"\n";
    assert_eq!(hearers(&self_watch(chat), Component::Chat, &[]), ["all"], "there is no other");
    let watch = self_watch(&format!("{chat}{other}"));
    assert_eq!(hearers(&watch, Component::Chat, &[]), ["watcher"]);
    assert_eq!(hearers(&watch, Component::Delivery, &["all"]), ["watcher"]);
    assert_eq!(hearers(&watch, Component::Delivery, &["watcher"]), ["all"]);
    assert_eq!(hearers(&self_watch(""), Component::Delivery, &[]), ["log"]);
}

#[test]
fn whoever_heard_of_a_trouble_hears_that_it_is_over() {
    let (mut watch, mut persisted) = (self_watch(TOPICS), PersistedState::default());
    heard(&mut watch, &mut persisted, Component::Delivery, &HashSet::from([id("all")]));
    assert_eq!(
        persisted.own[&Component::Delivery].notified.keys().collect::<Vec<_>>(),
        [&id("shop")]
    );
    watch.note(Component::Delivery, [], NOW.plus(60), &mut persisted.own);
    // The usual receiver works again, and was never notified of it.
    let due = watch.due(&mut persisted.own, &HashSet::new(), NOW.plus(60));
    assert_eq!(said(&due), [("shop", Reason::Resolved)]);
}

#[test]
fn who_is_no_longer_in_the_config_keeps_no_trouble_alive() {
    let (mut watch, mut persisted) = (self_watch(TOPICS), PersistedState::default());
    heard(&mut watch, &mut persisted, Component::Data, &HashSet::new());
    let mut watch = self_watch("");
    watch.note(Component::Data, [], NOW.plus(60), &mut persisted.own);
    assert!(watch.due(&mut persisted.own, &HashSet::new(), NOW.plus(60)).is_empty());
    assert!(persisted.own.is_empty());
}

#[test]
fn that_it_is_alive_comes_by_the_clock_until_it_was_accepted() {
    let watch = self_watch(&format!("{TOPICS}[watcher]\nalive_schedule = \"0 0 * * * *\"\n"));
    let mut persisted = PersistedState::default();
    let eleven = NOW.plus(30);
    assert_eq!(watch.alive_at(&mut persisted, NOW.start()), None, "the first time, none");
    assert_eq!(watch.alive_at(&mut persisted, eleven.start()), Some(eleven));
    let at = watch.alive_at(&mut persisted, eleven.plus(2).start());
    assert_eq!(at, Some(eleven), "nobody accepted it");
    persisted.own.insert(
        Component::State,
        SelfAlert { lines: vec!["no disk".into()], ..SelfAlert::starting(NOW) },
    );
    let delivery = watch.alive(eleven, &persisted, (7, 2));
    let Notification::DeadMansSwitch(alive) = &delivery.notification else {
        panic!("{delivery:?}")
    };
    assert_eq!((alive.gateways, alive.without_data, alive.open), (7, 2, 0));
    assert_eq!(alive.troubles, ["no disk"]);
    assert_eq!(delivery.receiver.id, id("all"));
    enter(&delivery, &mut persisted, eleven.plus(2).start());
    assert_eq!(watch.alive_at(&mut persisted, eleven.plus(3).start()), None);
    assert_eq!(self_watch(TOPICS).alive_at(&mut persisted, eleven.start()), None, "nobody asks");
}
