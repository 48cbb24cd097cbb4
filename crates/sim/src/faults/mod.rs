//! Faults of the AWS side, chosen by hashing because there is no clock.
//!
//! Faults of a call (throttling, 500s, lost pages, internal errors of a result) hash a call
//! counter: asking again must be able to succeed, as it does at AWS. A partial result
//! hashes the query's content: data that has not arrived yet stays missing however often
//! the same window is asked for. Faults of a time go by AWS's now, see [`crate::clock`];
//! how a text is read is described in [`crate::faults::text`].

pub(crate) mod disorder;
pub mod hostile;
pub(crate) mod kms;
pub mod late;
pub(crate) mod list;
pub mod options;
pub(crate) mod refusals;
pub(crate) mod sns;
pub(crate) mod text;

use crate::faults::hostile::Hostile;
use crate::faults::late::Late;
use crate::faults::list::names;
use crate::faults::options::Options;
use crate::faults::refusals::{denied, expired, throttled, unavailable};
use crate::faults::sns::SnsFaults;
use crate::rng::{hash, unit};
use crate::timeline::{Change, Span};
use crate::wire::document::Failure;
use crate::wire::ending::Ending;

/// Which faults the simulated services show; the default is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Share (0..=1) of calls answered `Throttling`, HTTP 400.
    pub throttle: f64,
    /// Share of calls answered with an internal error, HTTP 500.
    pub error500: f64,
    /// Share of `GetMetricData` results that lack their newest points (`PartialData`).
    pub partial: f64,
    /// Share of `GetMetricData` results answered `InternalError` without values.
    pub internal: f64,
    /// Share of calls for a further page answered with HTTP 500.
    pub lost_page: f64,
    /// IAM actions that are denied, e.g. `cloudwatch:GetMetricData` or `ecs:*`.
    pub denied: Vec<String>,
    /// How many of the first `Publish` calls are answered HTTP 500.
    pub sns_down: u64,
    /// For how many minutes before a query's `EndTime` points are missing.
    pub late: u32,
    /// Every call is answered `ExpiredToken`.
    pub expired: bool,
    /// Every answer is held back this many milliseconds.
    pub slow_ms: u64,
    /// Seconds by which the client's clock is ahead of AWS's; negative if behind.
    pub clock: Option<i64>,
    /// Accounts or Regions whose answers bear a wrong date, and by how many seconds.
    pub dates: Vec<(String, i64)>,
    /// How many seconds after its end a minute's points begin to exist.
    pub publish: Option<i64>,
    /// Share of a load balancer's minutes reported low until 150 s after their end.
    pub revise: f64,
    /// The same until 7 minutes after their end.
    pub revise_late: f64,
    /// Points that are missing for a while, late, or incomplete at first.
    pub late_points: Box<Late>,
    /// Share of `GetMetricData` results whose points are out of order.
    pub shuffle: f64,
    /// Share of `GetMetricData` results that repeat some points.
    pub duplicate: f64,
    /// Share of answers that break off in the middle of the body.
    pub cut: f64,
    /// Share of answers that stop in the middle of the body and stay open.
    pub stall: f64,
    /// When every call is answered `ExpiredToken`.
    pub expire: Vec<Span>,
    /// When every call is answered HTTP 503.
    pub down: Vec<Span>,
    /// When every `GetMetricData` is throttled.
    pub throttled: Vec<Span>,
    /// Whether old points are gone and old times want long periods.
    pub retention: bool,
    /// Changes of the account, added to those of the setup.
    pub changes: Vec<Change>,
    /// Linked accounts, added to those of the setup.
    pub linked: Vec<String>,
    /// The external id of the setup, unless that has one.
    pub external_id: Option<String>,
    /// Answers no AWS would give.
    pub hostile: Vec<Hostile>,
    /// What AWS documents nowhere, and how many gateways there are.
    pub options: Box<Options>,
    /// Faults of SNS alone.
    pub sns: Box<SnsFaults>,
}

/// Why a fault text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("unknown fault '{0}'; known: {known}", known = names())]
    Unknown(String),
    /// The value does not fit the fault.
    #[error("fault '{name}' needs {needs}, not '{value}'")]
    Value {
        /// The fault.
        name: String,
        /// What it was given.
        value: String,
        /// What it takes.
        needs: &'static str,
    },
}

impl Faults {
    /// The refusal a call meets before it is looked at.
    pub(crate) fn of_call(
        &self,
        seed: u64,
        call: u64,
        action: &str,
        caller: &str,
        further_page: bool,
    ) -> Option<Failure> {
        let struck = |kind: u64, share: f64| unit(hash(&[seed, 100, kind, call])) < share;
        if self.expired {
            return Some(expired(action));
        }
        if self.denied.iter().any(|denied| covers(denied, action)) {
            return Some(denied(action, caller));
        }
        if struck(1, self.throttle) {
            return Some(throttled(action));
        }
        if struck(2, self.error500) || (further_page && struck(3, self.lost_page)) {
            let code = if action.starts_with("sns:") { "InternalError" } else { "InternalFailure" };
            let message = "The request processing has failed because of an unknown error.";
            return Some(Failure::new(500, code, message));
        }
        None
    }

    /// The refusal every call meets in this minute of the scenario, by AWS's now.
    pub(crate) fn of_minute(&self, minute: i64, action: &str) -> Option<Failure> {
        let now = |spans: &[Span]| spans.iter().any(|span| span.holds(minute));
        if now(&self.down) {
            return Some(unavailable());
        }
        if now(&self.expire) {
            return Some(expired(action));
        }
        (action == "cloudwatch:GetMetricData" && now(&self.throttled)).then(|| throttled(action))
    }

    /// Seconds by which answers to a caller of this account in this Region are dated wrong.
    pub(crate) fn misdated(&self, account: &str, region: &str) -> i64 {
        let whose = |one: &&(String, i64)| one.0 == account || one.0 == region;
        self.dates.iter().filter(whose).map(|one| one.1).sum()
    }

    /// How far the answer to the call of this running number gets.
    pub(crate) fn ending(&self, seed: u64, call: u64) -> Ending {
        let struck = |kind: u64, share: f64| unit(hash(&[seed, 103, kind, call])) < share;
        if struck(1, self.stall) {
            Ending::Stall
        } else if struck(2, self.cut) {
            Ending::Cut
        } else {
            Ending::Whole
        }
    }

    /// Whether the result with this running number is an internal error.
    pub(crate) fn internal(&self, seed: u64, number: u64) -> bool {
        unit(hash(&[seed, 101, number])) < self.internal
    }

    /// Whether any result lacks points, or has them out of order or twice.
    pub(crate) fn spoils_points(&self) -> bool {
        self.partial > 0.0 || self.shuffle > 0.0 || self.duplicate > 0.0
    }

    /// How many of the newest points a result lacks.
    pub(crate) fn missing(&self, seed: u64, content: u64) -> Option<usize> {
        let draw = hash(&[seed, 102, content]);
        (unit(draw) < self.partial).then_some(1 + (draw % 3) as usize)
    }
}

/// Whether an action of a policy, perhaps with a star at its end, covers this one.
pub(crate) fn covers(denied: &str, action: &str) -> bool {
    match denied.strip_suffix('*') {
        Some(begin) => {
            action.get(..begin.len()).is_some_and(|part| part.eq_ignore_ascii_case(begin))
        }
        None => denied.eq_ignore_ascii_case(action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_sets_what_it_names() {
        let faults: Faults =
            "throttle=0.1, late=3,denied=sns:Publish,denied=sts:AssumeRole,expired"
                .parse()
                .expect("valid");
        assert!((faults.throttle - 0.1).abs() < 1e-12);
        assert_eq!((faults.late, faults.denied.len(), faults.expired), (3, 2, true));
        assert_eq!("".parse(), Ok(Faults::default()));
    }

    #[test]
    fn several_actions_may_be_denied_and_each_service_refuses_in_its_own_words() {
        let text = "denied=ec2:DescribeNetworkAcls,ecs:*,late=3,denied=lambda:Get*";
        let faults: Faults = text.parse().expect("valid");
        assert_eq!((faults.denied.len(), faults.late), (3, 3));
        let code = |action: &str| {
            let refused = faults.of_call(1, 1, action, "me", false);
            refused.map(|failure| (failure.status, failure.code))
        };
        let some = |status, code: &str| Some((status, code.to_owned()));
        assert_eq!(code("ec2:DescribeNetworkAcls"), some(403, "UnauthorizedOperation"));
        assert_eq!(code("ec2:DescribeSubnets"), None);
        assert_eq!(code("ecs:ListClusters"), some(400, "AccessDeniedException"));
        assert_eq!(code("lambda:GetFunctionConfiguration"), some(403, "AccessDeniedException"));
        let busy = Faults { throttle: 1.0, ..Faults::default() };
        for (action, want) in [
            ("ec2:DescribeVpcs", "RequestLimitExceeded"),
            ("lambda:GetFunctionConfiguration", "TooManyRequestsException"),
            ("sns:Publish", "Throttling"),
        ] {
            let refused = busy.of_call(1, 1, action, "me", false);
            assert_eq!(refused.map(|failure| failure.code).as_deref(), Some(want));
        }
        assert!("ecs:*".parse::<Faults>().is_err(), "an action without denied before it");
    }

    #[test]
    fn faults_of_a_time_and_changes_may_be_repeated() {
        let text = "clock=-30,publish=90,gap=20-25,gap=30-31:15,expire=1-2,down=3-4,\
                    throttled=5-6,timeout=a:5:90,recreate=a:9,retention,linked=222222222222";
        let faults: Faults = text.parse().expect("valid");
        assert_eq!((faults.clock, faults.publish, faults.retention), (Some(-30), Some(90), true));
        assert_eq!(
            (faults.late_points.gaps.len(), faults.changes.len(), faults.linked.len()),
            (2, 2, 1)
        );
        let code = |minute, action| faults.of_minute(minute, action).map(|failure| failure.code);
        assert_eq!(code(2, "sns:Publish").as_deref(), Some("ExpiredToken"));
        assert_eq!(code(3, "sns:Publish").as_deref(), Some("ServiceUnavailable"));
        assert_eq!(code(5, "sns:Publish"), None);
        assert_eq!(code(6, "cloudwatch:GetMetricData").as_deref(), Some("Throttling"));
        assert_eq!(code(7, "cloudwatch:GetMetricData"), None);
    }

    #[test]
    fn a_wrong_text_says_what_is_wrong() {
        for text in [
            "thrott=1",
            "throttle=2",
            "throttle=x",
            "late=-1",
            "denied=Publish",
            "expired=7",
            "publish=-1",
            "clock=1e9",
            "gap=5",
            "gap=5-6:x",
            "down=6-5",
            "timeout=a:5",
            "external_id=",
        ] {
            let error = text.parse::<Faults>().expect_err(text).to_string();
            assert!(error.contains(text.split('=').next().unwrap_or("")), "{error}");
        }
    }

    #[test]
    fn a_share_strikes_about_that_often_and_a_later_call_can_succeed() {
        let faults = Faults { throttle: 0.3, ..Faults::default() };
        let struck = (0..10_000)
            .filter(|call| faults.of_call(5, *call, "sns:Publish", "me", false).is_some())
            .count();
        assert!((2_800..3_200).contains(&struck), "{struck}");
    }
}
