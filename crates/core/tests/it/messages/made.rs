//! Notifications to be rendered.

use std::sync::Arc;

use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::alerting::episode::{Episode, Evidence};
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::capacity::{Bill, Digest, Facts};
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::diagnose::cause::Cause;
use nearmiss_core::diagnose::finding::Finding;
use nearmiss_core::diagnose::{Diagnosis, Moment, Verdict};
use nearmiss_core::gateway::{Gateway, Timeout};
use nearmiss_core::notification::{
    Component, DeadMansSwitch, Group, Notification, SelfAlertNotification, pack,
};
use nearmiss_core::render::{Links, Template};
use nearmiss_core::series::history::{QuarterHour, QuarterHourStats};
use nearmiss_core::time::Minute;

use crate::made_up::named;

/// 2026-01-05T09:19Z.
pub const BEGAN: Minute = Minute(29_460_079);
const WHY: &str = "164 of 9,418 requests (1.7 %) took more than 44 s (80 % of the 55 s timeout) in 5 min. Traffic in these 5 min is normal (1.0x what is usual at this time): a capacity warning, not a spike.";
const FAILING: &str = "212 of 9,630 requests (2.2 %) ended in 504 in 5 min. Usual at this time: 0.2, at most 3 (last 14 d).";

pub fn template(text: &str) -> Template {
    Template::try_from(text.to_owned()).unwrap()
}

pub fn links() -> Links {
    Links {
        runbook: Some(template("https://wiki.example.com/504/{rule}?cause={cause}")),
        dashboard: Some(template(
            "https://grafana.example.com/d/nearmiss?var-gateway={gateway}&from={began}&to={now}",
        )),
    }
}

pub fn gateway(name: &str) -> Gateway {
    let timeout = Timeout { seconds: 55.0, at_aws: Some(60.0) };
    Gateway { timeout, ..named(name) }
}

pub fn notice(gateway: Gateway, why: &str, reason: Reason) -> EpisodeNotification {
    let episode = Episode {
        id: format!("{}@{BEGAN}", gateway.id.key()),
        began: BEGAN,
        last_breach: BEGAN.plus(30),
        severity: Severity::Warning,
        rules: [(Rule::NearMiss, BEGAN)].into(),
        evidence: Evidence {
            rule: Rule::NearMiss,
            why: why.into(),
            value: Some(0.017),
            threshold: 0.01,
            forecast: None,
        },
        quiet_minutes: 60,
        ended: (reason == Reason::Resolved).then(|| BEGAN.plus(90)),
        abandoned: false,
        benign: false,
        requests: 60_123,
        near_misses: 812,
        timeouts: 4,
        returns: None,
    };
    EpisodeNotification {
        gateway: Arc::new(gateway),
        at: episode.ended.unwrap_or(BEGAN.plus(4)),
        notified: episode.ended.unwrap_or(BEGAN.plus(4)),
        provisional: reason == Reason::Firing,
        reason,
        episode,
        reminders: 0,
        diagnosis: None,
    }
}

pub fn warning(reason: Reason) -> EpisodeNotification {
    notice(gateway("checkout"), WHY, reason)
}

pub fn diagnosis(words: &str) -> Diagnosis {
    let finding = Finding::new(Cause::SlowTarget, 0.7, words, "Look at the slowest statement.")
        .because(["The p99 rose from 12 s to 51 s in 40 min, at normal traffic.".to_owned()]);
    Diagnosis {
        gateway: "checkout".into(),
        at: Moment(BEGAN.plus(4)),
        since: Some(Moment(BEGAN)),
        verdict: Verdict::Findings,
        findings: vec![finding],
        told_apart: None,
        notes: Vec::new(),
        not_checked: Vec::new(),
    }
}

pub fn firing() -> Notification {
    Notification::One(warning(Reason::Firing))
}

/// Notified two hours late, with a cause.
pub fn late() -> Notification {
    let mut notice = warning(Reason::Firing);
    (notice.at, notice.notified) = (BEGAN.plus(130), BEGAN.plus(130));
    notice.provisional = false;
    notice.diagnosis = Some(Arc::new(diagnosis("Slow requests come closer to the timeout")));
    Notification::One(notice)
}

pub fn escalated() -> Notification {
    let mut notice = warning(Reason::Escalated);
    (notice.at, notice.notified) = (BEGAN.plus(22), BEGAN.plus(22));
    notice.episode.severity = Severity::Critical;
    notice.episode.rules.insert(Rule::AtLimit, BEGAN.plus(22));
    notice.episode.evidence.rule = Rule::AtLimit;
    notice.episode.evidence.why = FAILING.into();
    Notification::One(notice)
}

pub fn reminder() -> Notification {
    let mut notice = warning(Reason::Reminder);
    (notice.at, notice.notified) = (BEGAN.plus(1_565), BEGAN.plus(1_565));
    notice.episode.last_breach = BEGAN.plus(1_562);
    notice.reminders = 1;
    Notification::One(notice)
}

pub fn resolved() -> Notification {
    Notification::One(warning(Reason::Resolved))
}

pub fn closed() -> Notification {
    let mut notice = warning(Reason::Resolved);
    notice.episode.abandoned = true;
    Notification::One(notice)
}

/// Many gateways, each third with another rule and severity.
pub fn members(count: usize, reason: Reason) -> Vec<EpisodeNotification> {
    let member = |number: usize| {
        let mut notice = notice(gateway(&format!("shop-{number:02}")), FAILING, reason);
        let severity =
            if number.is_multiple_of(3) { Severity::Critical } else { Severity::Warning };
        let rule = if number.is_multiple_of(3) { Rule::AtLimit } else { Rule::NearMiss };
        notice.episode.severity = severity;
        notice.episode.evidence.rule = rule;
        notice.episode.began = BEGAN.plus(i64::try_from(number % 4).unwrap());
        notice
    };
    (1..=count).map(member).collect()
}

pub fn grouped(notices: Vec<EpisodeNotification>, earlier: usize) -> Notification {
    let receiver = Receiver::log();
    let due = notices.into_iter().map(|notice| (receiver.clone(), notice)).collect();
    let mut deliveries = pack(due, |_| earlier).remove(&receiver.id).unwrap();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0).notification
}

pub fn group(reason: Reason) -> Notification {
    let mut notices = members(14, reason);
    for notice in &mut notices {
        notice.episode.evidence.rule = Rule::AtLimit;
    }
    grouped(notices, 9)
}

pub fn mixed_group() -> Notification {
    let mut notices = members(48, Reason::Firing);
    Arc::make_mut(&mut notices[1].gateway).id.region = "eu-west-1".into();
    grouped(notices, 0)
}

/// A group whose fields are given, whatever they are.
pub fn any_group(
    id: &str,
    reason: Reason,
    notices: Vec<EpisodeNotification>,
    earlier: usize,
) -> Notification {
    Notification::Group(Group { id: id.into(), reason, at: BEGAN.plus(7), notices, earlier })
}

pub fn own(reason: Reason) -> Notification {
    let minutes = match reason {
        Reason::Firing | Reason::Escalated => 15,
        Reason::Reminder => 1_450,
        Reason::Resolved => 95,
    };
    let lines = match reason {
        Reason::Resolved => Vec::new(),
        _ => vec![
            "cloudwatch:GetMetricData in eu-central-1: AccessDenied. The gateways concerned are without data. Allow cloudwatch:GetMetricData: `nearmiss iam-policy` prints the policy that is needed.".into(),
        ],
    };
    Notification::SelfAlert(SelfAlertNotification {
        id: format!("own/data@{BEGAN}/{}", reason.name()),
        theme: Component::Data,
        reason,
        since: BEGAN,
        at: BEGAN.plus(minutes),
        lines,
        host: "watch-1".into(),
    })
}

pub fn alive() -> Notification {
    Notification::DeadMansSwitch(DeadMansSwitch {
        at: BEGAN,
        host: "watch-1".into(),
        gateways: 214,
        without_data: 0,
        open: 2,
        silences: 1,
        troubles: Vec::new(),
    })
}

pub fn ailing() -> Notification {
    Notification::DeadMansSwitch(DeadMansSwitch {
        at: BEGAN,
        host: "watch-1".into(),
        gateways: 214,
        without_data: 3,
        open: 2,
        silences: 0,
        troubles: vec!["cloudwatch:GetMetricData in eu-west-1: Throttling. The gateways concerned are without data. Wait; the next poll tries again. If it lasts, another client uses up the account's quota.".into()],
    })
}

/// A fortnight of a gateway that grows, and of one that nobody asked.
pub fn digest() -> Notification {
    let end = Minute(29_470_080); // 2026-01-12T08:00Z
    let last = QuarterHour::containing(end);
    let mut history = History::new();
    for age in 1..=14 * 96_i64 {
        let p99 = 44.0 - 0.01 * f64::from(u32::try_from(age).unwrap());
        let summary = QuarterHourStats {
            samples: 3_000.0,
            sum: Some(9_000.0),
            p50: Some(2.0),
            p99: Some(p99),
            maximum: Some(p99 + 2.0),
            near_misses: Some(if age < 96 { 3.0 } else { 0.0 }),
            timeouts: 0.0,
            connection_errors: Some(0.0),
            timeout: 55.0,
        };
        history.enter(last.plus(-age), &summary);
    }
    let (known, unknown) = (gateway("checkout"), gateway("<!channel> & co"));
    let nothing = History::new();
    let facts = |gateway, history, without_data| Facts {
        gateway,
        history,
        state: None,
        evaluations: &[],
        timeouts: &[],
        healthy: None,
        without_data,
    };
    let facts = [facts(&known, &history, false), facts(&unknown, &nothing, true)];
    let bill = Bill { billed_metrics: 4_536, dollars: 0.045 };
    Notification::Digest(Arc::new(Digest::of(&facts, end, 7, Some(bill), "monitor-1")))
}

/// Every kind of notification, by name.
pub fn all() -> Vec<(&'static str, Notification)> {
    vec![
        ("firing", firing()),
        ("late", late()),
        ("escalated", escalated()),
        ("reminder", reminder()),
        ("resolved", resolved()),
        ("closed", closed()),
        ("group", group(Reason::Firing)),
        ("mixed_group", mixed_group()),
        ("group_escalated", group(Reason::Escalated)),
        ("group_reminder", group(Reason::Reminder)),
        ("group_resolved", group(Reason::Resolved)),
        ("own", own(Reason::Firing)),
        ("own_reminder", own(Reason::Reminder)),
        ("own_resolved", own(Reason::Resolved)),
        ("alive", alive()),
        ("ailing", ailing()),
        ("digest", digest()),
        ("test", Notification::Test(BEGAN)),
    ]
}
