//! What people and programs read.

use std::sync::Arc;

use nearmiss::analysis::Notice;
use nearmiss::analysis::alert::{Episode, Evidence, Reason};
use nearmiss::analysis::detector::{Rule, Severity};
use nearmiss::analysis::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss::analysis::message::Message;
use nearmiss::analysis::signal::Minute;
use proptest::prelude::*;

fn notice(name: &str, why: &str, reason: Reason) -> Notice {
    let gateway = Gateway {
        id: Identity {
            name: name.into(),
            region: "eu-central-1".into(),
            account: "111122223333".into(),
            dimension: format!("app/{name}/50dc6c495c0c9188"),
        },
        kind: Kind::Alb,
        timeout: Timeout { seconds: 55.0, idle_timeout: Some(60.0) },
        near: 0.8,
        detail: Detail::Figures,
    };
    let began = Minute(29_460_079);
    let episode = Episode {
        id: format!("{}@{began}", gateway.id.key()),
        began,
        last_breach: began.plus(30),
        severity: Severity::Warning,
        rules: [(Rule::NearMiss, began)].into(),
        evidence: Evidence {
            rule: Rule::NearMiss,
            why: why.into(),
            value: Some(0.017),
            threshold: 0.01,
            forecast: None,
        },
        quiet_minutes: 0,
        ended: None,
        abandoned: false,
        requests: 60_123,
        near_misses: 812,
        timeouts: 4,
    };
    Notice {
        gateway: Arc::new(gateway),
        at: began,
        provisional: true,
        reason,
        episode,
        diagnosis: None,
    }
}

#[test]
fn a_warning_reads_well_in_every_form() {
    let message =
        Message::of(&notice("checkout", "164 of 9,418 requests were slow.", Reason::Firing));
    insta::assert_snapshot!(format!(
        "SUBJECT\n{}\n\nTEXT\n{}\n\nSMS\n{}\n\nCHAT\n{:#}\n\nMACHINE\n{:#}",
        message.subject, message.text, message.sms, message.chat, message.machine
    ));
}

#[test]
fn nothing_in_a_name_can_ping_a_channel_or_break_out() {
    let name = "<!channel> @here &<script>\"\n*x*";
    let message = Message::of(&notice(name, name, Reason::Firing));
    for field in ["title", "description"] {
        let text = message.chat["content"][field].as_str().unwrap();
        assert!(!text.contains('<') && !text.contains('>'), "{text}");
        assert!(!text.contains("@here"), "{text}");
    }
    assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_name_fits_into_the_limits_of_sns(name in any::<String>(), why in "\\PC{0,3000}", over in any::<bool>()) {
        let reason = if over { Reason::Resolved } else { Reason::Firing };
        let message = Message::of(&notice(&name, &why, reason));
        prop_assert!((1..100).contains(&message.subject.len()));
        prop_assert!(message.subject.starts_with('['));
        prop_assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
        prop_assert!(message.sms.len() <= 140);
        prop_assert!(message.chat["content"]["title"].as_str().unwrap().chars().count() <= 150);
        prop_assert!(message.chat["content"]["description"].as_str().unwrap().chars().count() <= 2_500);
        prop_assert_eq!(&message.chat["version"], "1.0");
        prop_assert_eq!(&message.chat["source"], "custom");
    }
}
