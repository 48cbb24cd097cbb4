//! Whatever AWS or a config says, a message is one that its receivers take.

use std::sync::Arc;

use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::diagnose::cause::Cause;
use nearmiss_core::diagnose::finding::{Finding, Fix};
use nearmiss_core::notification::{Component, DeadMansSwitch, Notification, SelfAlertNotification};
use nearmiss_core::render::{Links, Message};
use nearmiss_core::time::Minute;
use proptest::prelude::*;

use super::made;
use super::schema::faults;

/// Names that somebody could think of.
const NAMES: &[&str] = &[
    "",
    " ",
    "checkout",
    "<!channel> @here &<script>\"\n*x*",
    "<!here> <!everyone> <@U012AB3CD> <#C012AB3CD>",
    "@channel @everyone",
    "<https://evil.example|Runbook>",
    "|Runbook> <https://evil.example",
    "*bold* _italic_ ~gone~ `code` ```block```",
    ":fire::fire: :rotating_light:",
    "pay\u{202e}tuokcehc\u{2066}\u{2069}",
    "zero\u{200b}width\u{feff}\u{2060}\u{ad}",
    "\u{301}\u{301}\u{301}lone marks \u{301}\u{20dd}",
    "line\r\nbreak\u{2028}and\u{2029}more\u{85}\u{b}\u{0}\u{7f}",
    "&amp; &lt; &",
    "שלום مرحبا 日本語 👩‍👩‍👧 é",
    "_",
    "a:b:c @a _b",
    ":`:",
    "\\\"\\\"{{}}",
];

/// Every kind of notification with this text in every field that comes from outside.
fn news(text: &str, reason: Reason) -> Vec<Notification> {
    let one = || hostile(text, reason);
    let mut known = one();
    known.diagnosis = Some(Arc::new(hostile_diagnosis(text)));
    let own = SelfAlertNotification {
        id: text.into(),
        theme: Component::Chat,
        reason,
        since: made::BEGAN,
        at: made::BEGAN.plus(60),
        lines: vec![text.into(); 100],
        host: text.into(),
    };
    let alive = DeadMansSwitch {
        at: made::BEGAN,
        host: text.into(),
        gateways: 1,
        without_data: 1,
        open: u64::MAX,
        silences: 0,
        troubles: vec![text.into(); 100],
    };
    let mut nowhere = one();
    Arc::make_mut(&mut nowhere.gateway).id.region = String::new();
    vec![
        Notification::One(one()),
        Notification::One(known),
        made::any_group(text, reason, vec![one(); 60], usize::MAX),
        made::any_group(text, reason, vec![one(), nowhere], 0),
        made::any_group(text, reason, Vec::new(), 0),
        Notification::SelfAlert(own),
        Notification::DeadMansSwitch(alive),
        Notification::Test(made::BEGAN),
    ]
}

fn hostile(text: &str, reason: Reason) -> EpisodeNotification {
    let mut gateway = made::gateway(text);
    gateway.id.region = text.into();
    gateway.id.account = text.into();
    gateway.tags.insert(text.into(), text.into());
    made::notice(gateway, text, reason)
}

fn hostile_diagnosis(text: &str) -> nearmiss_core::diagnose::Diagnosis {
    let finding = Finding::new(Cause::ConnectRoute, 0.95, text, text)
        .because((0..30).map(|n| format!("{n}{text}")))
        .fixed_by(Some(Fix { cli: text.into(), terraform: text.into() }));
    let mut diagnosis = made::diagnosis(text);
    diagnosis.gateway = text.into();
    diagnosis.findings = vec![finding; 5];
    diagnosis.told_apart = Some(text.into());
    diagnosis
}

fn check(text: &str, reason: Reason, links: &Links) {
    for news in news(text, reason) {
        let message = Message::of(&news, links);
        let start: String = text.chars().take(80).collect();
        assert_eq!(faults(&message), [""; 0], "{start:?} in {:?}", message.subject);
    }
}

const REASONS: [Reason; 4] =
    [Reason::Firing, Reason::Escalated, Reason::Reminder, Reason::Resolved];

#[test]
fn nothing_in_a_name_can_ping_a_channel_or_break_out() {
    for name in NAMES {
        for reason in REASONS {
            check(name, reason, &made::links());
        }
    }
}

#[test]
fn long_names_fit() {
    for name in ["x", "\"", "\\", "\u{0}", "<", "@", "日", "\u{301}", "👩", ":a", "_ ", "&"] {
        check(&name.repeat(10_000), Reason::Firing, &made::links());
    }
}

#[test]
fn own_links_survive_every_name() {
    let static_links = Links {
        runbook: Some(made::template("https://wiki.example.com/@team?a=1&b=2")),
        dashboard: Some(made::template("https://g.example.com/{severity}")),
    };
    for name in NAMES.iter().map(|name| (*name).to_owned()).chain(["日\"".repeat(10_000)]) {
        let message =
            Message::of(&Notification::One(hostile(&name, Reason::Firing)), &static_links);
        let description = message.chat["content"]["description"].as_str().unwrap();
        for link in [
            "<https://wiki.example.com/%40team?a=1&amp;b=2|Runbook>",
            "<https://g.example.com/warning|Dashboard>",
        ] {
            assert!(description.contains(link), "{description}");
        }
        assert!(message.text.contains("\nRunbook        https://wiki.example.com/@team?a=1&b=2\n"));
        assert_eq!(message.machine["links"]["dashboard"], "https://g.example.com/warning");
    }
}

#[test]
fn ten_thousand_gateways_fit_into_one_message() {
    let news = made::grouped(made::members(10_000, Reason::Firing), 0);
    let message = Message::of(&news, &made::links());
    assert_eq!(faults(&message), [""; 0]);
    assert!(message.text.contains("and 9,960 more"), "{}", message.text);
    let description = message.chat["content"]["description"].as_str().unwrap();
    assert!(description.contains("and 9,980 more"), "{description}");
    assert_eq!(message.machine["total"], 10_000);
    let listed = message.machine["members"].as_array().unwrap();
    assert_eq!(message.machine["listed"], listed.len());
    assert!((100..=500).contains(&listed.len()), "{}", listed.len());
    println!("{} members in {} bytes", listed.len(), message.per_protocol().len());
}

/// Texts of every sort, most of them no names at all.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,400}",
        "[<>&@*_~`:|\"'\\\\ \n\u{202e}\u{200b}\u{301}a-c!#]{0,300}",
        ("\\PC{1,3}", 1..10_000usize).prop_map(|(text, times)| text.repeat(times / text.len())),
        (any::<char>(), 1..10_000usize).prop_map(|(c, times)| c.to_string().repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_fits_into_every_form(text in any_text(), reason in 0..4usize) {
        for news in news(&text, REASONS[reason]) {
            let faults = faults(&Message::of(&news, &made::links()));
            prop_assert!(faults.is_empty(), "{faults:?}");
        }
    }

    #[test]
    fn any_group_fits_into_one_message(
        names in prop::collection::vec(any_text(), 0..8),
        count in 0..700usize,
        reason in 0..4usize,
        earlier in any::<usize>(),
        began in any::<i64>(),
    ) {
        let member = |number: usize| {
            let name = names.get(number % names.len().max(1)).map_or("", String::as_str);
            let mut notice = hostile(name, REASONS[reason]);
            notice.episode.began = Minute(began);
            notice.episode.severity = [Severity::Info, Severity::Critical][number % 2];
            notice.episode.evidence.rule = Rule::ALL[number % 8];
            notice
        };
        // All of a long text in each of many members is only slow.
        let longest = names.iter().map(String::len).max().unwrap_or_default();
        let count = count.min(4_000_000 / (longest + 1));
        let news = made::any_group("x", REASONS[reason], (0..count).map(member).collect(), earlier);
        let faults = faults(&Message::of(&news, &made::links()));
        prop_assert!(faults.is_empty(), "{faults:?}");
    }
}
