//! What people and programs read.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says so by failing

mod document;
mod hostile;
mod made;
mod schema;

use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::Severity;
use nearmiss_core::notification::Notification;
use nearmiss_core::render::{Links, Message};
use nearmiss_core::time::Minute;

fn of(news: &Notification) -> Message {
    Message::of(news, &made::links())
}

#[test]
fn every_kind_reads_well_in_every_form() {
    for (name, news) in made::all() {
        let message = of(&news);
        assert_eq!(schema::faults(&message), [""; 0], "{name}");
        insta::assert_snapshot!(name, forms(&message));
    }
}

fn forms(message: &Message) -> String {
    let attributes: Vec<String> =
        message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "SUBJECT\n{}\n\nTEXT\n{}\n\nSMS\n{}\n\nCHAT\n{:#}\n\nMACHINE\n{:#}\n\nATTRIBUTES\n{}",
        message.subject,
        message.text,
        message.sms,
        message.chat,
        message.machine,
        attributes.join("\n"),
    )
}

#[test]
fn all_news_of_one_thing_is_one_thread() {
    for episode in [
        [made::firing(), made::escalated(), made::reminder(), made::resolved()],
        [Reason::Firing, Reason::Escalated, Reason::Reminder, Reason::Resolved].map(made::own),
    ] {
        let messages = episode.map(|news| of(&news).chat);
        let threads: Vec<_> = messages.iter().map(|chat| &chat["metadata"]["threadId"]).collect();
        assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
        let mut ids: Vec<String> = messages.iter().map(|chat| chat["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }
}

#[test]
fn the_id_is_the_same_everywhere() {
    for (name, news) in made::all() {
        let message = of(&news);
        let attribute = &message.attributes.iter().find(|(name, _)| *name == "id").unwrap().1;
        assert_eq!(message.machine["id"], attribute.as_str(), "{name}");
        assert_eq!(message.chat["id"], attribute.as_str(), "{name}");
    }
}

#[test]
fn only_what_is_told_late_says_so() {
    let mut notice = made::warning(Reason::Firing);
    for (minutes, is_late) in [(0, false), (29, false), (30, true), (3_000, true)] {
        notice.notified = Minute(made::BEGAN.0 + minutes);
        let text = of(&Notification::One(notice.clone())).text;
        assert_eq!(text.contains("is told here only now"), is_late, "{text}");
    }
}

#[test]
fn a_group_is_as_bad_as_its_worst() {
    let news = made::mixed_group();
    let message = of(&news);
    let attributes: Vec<&str> =
        message.attributes.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(attributes[..4], [Severity::Critical.name(), "many", "near_miss", "firing"]);
}

#[test]
fn a_group_has_only_links_that_hold_for_all() {
    let links = |runbook: &str| Links { runbook: Some(made::template(runbook)), dashboard: None };
    for (runbook, has_it) in [
        ("https://x.example.com/", true),
        ("https://x.example.com/{rule}/{region}/{severity}", true),
        ("https://x.example.com/{gateway}", false),
    ] {
        let message = Message::of(&made::group(Reason::Firing), &links(runbook));
        assert_eq!(message.machine["links"].get("runbook").is_some(), has_it, "{runbook}");
    }
    let mixed = Message::of(&made::mixed_group(), &links("https://x.example.com/{rule}"));
    assert_eq!(mixed.machine["links"].as_object().unwrap().len(), 0, "two rules, two Regions");
}

#[test]
fn a_message_needs_no_links() {
    let message = Message::of(&made::firing(), &Links::default());
    let links = message.machine["links"].as_object().unwrap();
    assert_eq!(links.keys().collect::<Vec<_>>(), ["console"]);
}
