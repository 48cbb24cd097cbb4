//! What goes wrong with publishing, apart from what every call may meet.
//!
//! Shares hash the running number of the attempt, so a further attempt may
//! succeed; faults of a time go by AWS's now. An answer may go wrong after the
//! message was accepted: then the publisher cannot know that it was.

use crate::faults::kms::Kms;
use crate::faults::refusals::{throttled, unavailable};
use crate::rng::{hash, unit};
use crate::timeline::Span;
use crate::wire::document::Failure;

/// Faults of `Publish` and of what subscribers of a topic do; the default is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SnsFaults {
    /// When every `Publish` is answered `ServiceUnavailable`, HTTP 503.
    pub out: Vec<Span>,
    /// Share (0..=1) of attempts answered `Throttling`, HTTP 400.
    pub throttle: f64,
    /// Share of attempts answered `InternalError`, HTTP 500, and not accepted.
    pub error: f64,
    /// Share of accepted messages that are answered `InternalError` all the same.
    pub lost: f64,
    /// Share of accepted messages whose answer is cut in the middle.
    pub cut: f64,
    /// Every answer to a `Publish` is held back this many milliseconds.
    pub slow_ms: u64,
    /// How KMS refuses to encrypt messages; the topics are encrypted then.
    pub kms: Option<Kms>,
    /// Names of topics the caller may not publish to.
    pub deny: Vec<String>,
    /// Topics, added to those of the setup.
    pub topics: Vec<String>,
    /// Topics of other accounts, added to those of the setup.
    pub foreign_topics: Vec<String>,
    /// When chat messages cannot be delivered.
    pub chat_failing: Vec<Span>,
}

/// How the answer to an accepted message fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// The answer is a failure.
    Lost,
    /// The answer breaks off.
    Cut,
}

impl SnsFaults {
    fn struck(seed: u64, kind: u64, attempt: u64, share: f64) -> bool {
        unit(hash(&[seed, 210, kind, attempt])) < share
    }

    /// The refusal an attempt meets before it is looked at, in this minute of the
    /// scenario if that is known.
    pub(crate) fn of_attempt(
        &self,
        seed: u64,
        attempt: u64,
        minute: Option<i64>,
    ) -> Option<Failure> {
        if minute.is_some_and(|minute| self.out.iter().any(|span| span.holds(minute))) {
            return Some(unavailable());
        }
        if Self::struck(seed, 1, attempt, self.throttle) {
            return Some(throttled("sns:Publish"));
        }
        Self::struck(seed, 2, attempt, self.error).then(internal)
    }

    /// The refusal of a message that is fine to a topic that exists.
    pub(crate) fn encryption(&self) -> Option<Failure> {
        self.kms.map(Kms::refusal)
    }

    /// How the answer fares if the attempt is accepted.
    pub(crate) fn fate(&self, seed: u64, attempt: u64) -> Fate {
        if Self::struck(seed, 3, attempt, self.lost) {
            Fate::Lost
        } else if Self::struck(seed, 4, attempt, self.cut) {
            Fate::Cut
        } else {
            Fate::Whole
        }
    }
}

/// The failure of SNS itself.
pub(crate) fn internal() -> Failure {
    let message = "The request processing has failed because of an unknown error.";
    Failure::new(500, "InternalError", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faults;

    fn read(text: &str) -> SnsFaults {
        *text.parse::<Faults>().expect("valid").sns
    }

    #[test]
    fn a_text_sets_every_fault() {
        let arn = "arn:aws:sns:us-east-1:222222222222:alerts";
        let text = format!(
            "sns_out=1-2,sns_out=5-6,sns_throttle=0.1,sns_error=0.2,sns_lost=0.3,sns_cut=0.4,\
             sns_slow_ms=50,sns_kms=KMSDisabled,sns_deny=nearmiss,topic=pages,\
             foreign_topic={arn},chat_failing=3-4"
        );
        let faults = read(&text);
        assert_eq!((faults.out.len(), faults.chat_failing.len(), faults.slow_ms), (2, 1, 50));
        let shares = [faults.throttle, faults.error, faults.lost, faults.cut];
        assert_eq!(shares.map(|share| (share * 10.0).round() as i64), [1, 2, 3, 4]);
        assert_eq!(
            (faults.kms, &faults.deny[..]),
            (Some(Kms::Disabled), &["nearmiss".to_owned()][..])
        );
        assert_eq!((&faults.topics[0][..], &faults.foreign_topics[0][..]), ("pages", arn));
    }

    #[test]
    fn a_wrong_text_says_what_would_fit() {
        for (text, fitting) in [
            ("sns_out=5", "FROM-TO"),
            ("sns_throttle=2", "between 0 and 1"),
            ("sns_error=", "between 0 and 1"),
            ("sns_slow_ms=-1", "whole number"),
            ("sns_kms=AccessDenied", "KMSAccessDenied"),
            ("sns_deny=a b", "name of a topic"),
            ("topic=x.fifo.fifo", "name of a topic"),
            ("foreign_topic=alerts", "arn:aws:sns:"),
            ("chat_failing=x", "FROM-TO"),
            ("sns_slow=1", "sns_slow_ms"),
        ] {
            let error = text.parse::<Faults>().expect_err(text).to_string();
            assert!(error.contains(fitting), "{error}");
        }
    }

    #[test]
    fn an_outage_has_its_minutes_and_shares_strike_about_that_often() {
        let code = |faults: &SnsFaults, attempt, minute| {
            faults.of_attempt(7, attempt, minute).map(|failure| (failure.status, failure.code))
        };
        let out = read("sns_out=3-4");
        assert_eq!(code(&out, 1, Some(4)), Some((503, "ServiceUnavailable".to_owned())));
        assert_eq!((code(&out, 1, Some(5)), code(&out, 1, None)), (None, None));
        let ill = read("sns_throttle=0.3,sns_error=0.3,sns_lost=0.3,sns_cut=0.3");
        let count = |code_wanted: &str| {
            let codes = (1..=10_000).filter_map(|attempt| code(&ill, attempt, None));
            codes.filter(|(_, code)| code == code_wanted).count()
        };
        assert!((2_800..3_200).contains(&count("Throttling")), "{}", count("Throttling"));
        assert!((1_900..2_300).contains(&count("InternalError")), "{}", count("InternalError"));
        let fates = |fate| (1..=10_000).filter(|attempt| ill.fate(7, *attempt) == fate).count();
        assert!((2_800..3_200).contains(&fates(Fate::Lost)));
        assert!((1_900..2_300).contains(&fates(Fate::Cut)));
    }

    #[test]
    fn kms_refuses_with_the_codes_and_statuses_of_the_model() {
        for (code, kms) in Kms::CODES {
            let refusal = kms.refusal();
            assert_eq!((Kms::read(code), refusal.code.as_str()), (Some(kms), code));
            assert_eq!(refusal.status, if code == "KMSOptInRequired" { 403 } else { 400 });
        }
        assert_eq!(Kms::read("KMSDenied"), None);
    }
}
