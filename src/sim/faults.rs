//! Faults of the AWS side, chosen by hashing because there is no clock.
//!
//! Faults of a call (throttling, 500s, lost pages, internal errors of a result)
//! hash a call counter: asking again must be able to succeed, as it does at
//! AWS. A partial result hashes the query's content: data that has not arrived
//! yet stays missing however often the same window is asked for.

use std::str::FromStr;

use super::document::Failure;
use super::rng::{hash, unit};

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
    /// IAM actions that are denied, e.g. `cloudwatch:GetMetricData`.
    pub denied: Vec<String>,
    /// The first so many `Publish` calls are answered HTTP 500.
    pub sns_down: u64,
    /// Points of the last so many minutes before a query's `EndTime` are missing.
    pub late: u32,
    /// Every call is answered `ExpiredToken`.
    pub expired: bool,
    /// Every answer is held back this many milliseconds.
    pub slow_ms: u64,
}

/// Why a fault text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error(
        "unknown fault '{0}'; known: throttle, error500, partial, internal, lost_page, denied, \
         sns_down, late, expired, slow_ms"
    )]
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

impl FromStr for Faults {
    type Err = FaultError;

    /// Reads `"throttle=0.1,partial=0.05,denied=sns:Publish"`; empty text is no fault.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            faults.set(name.trim(), value.trim())?;
        }
        Ok(faults)
    }
}

impl Faults {
    fn set(&mut self, name: &str, value: &str) -> Result<(), FaultError> {
        let wrong =
            |needs| FaultError::Value { name: name.to_owned(), value: value.to_owned(), needs };
        let share = || {
            let number = value.parse::<f64>().ok();
            let number = number.filter(|share| (0.0..=1.0).contains(share));
            number.ok_or_else(|| wrong("a share between 0 and 1"))
        };
        let count = || value.parse::<u64>().map_err(|_| wrong("a whole number"));
        match name {
            "throttle" => self.throttle = share()?,
            "error500" => self.error500 = share()?,
            "partial" => self.partial = share()?,
            "internal" => self.internal = share()?,
            "lost_page" => self.lost_page = share()?,
            "sns_down" => self.sns_down = count()?,
            "slow_ms" => self.slow_ms = count()?,
            "late" => {
                self.late = value.parse().map_err(|_| wrong("a whole number of minutes"))?;
            }
            "denied" => {
                let known = ["cloudwatch:", "elasticloadbalancing:", "sns:", "sts:"];
                if !known.iter().any(|service| value.starts_with(service)) {
                    return Err(wrong("an IAM action such as sns:Publish"));
                }
                self.denied.push(value.to_owned());
            }
            "expired" => match value {
                "" | "true" => self.expired = true,
                "false" => self.expired = false,
                _ => return Err(wrong("true or false")),
            },
            _ => return Err(FaultError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// The refusal a call meets before it is looked at.
    pub(super) fn of_call(
        &self,
        seed: u64,
        call: u64,
        action: &str,
        caller: &str,
        further_page: bool,
    ) -> Option<Failure> {
        let struck = |kind: u64, share: f64| unit(hash(&[seed, 100, kind, call])) < share;
        if self.expired {
            let message = "The security token included in the request is expired";
            return Some(
                Failure::new(403, "ExpiredToken", message).shaped("ExpiredTokenException"),
            );
        }
        if self.denied.iter().any(|denied| denied.eq_ignore_ascii_case(action)) {
            return Some(denied(action, caller));
        }
        if struck(1, self.throttle) {
            return Some(Failure::new(400, "Throttling", "Rate exceeded"));
        }
        if struck(2, self.error500) || (further_page && struck(3, self.lost_page)) {
            let code = if action.starts_with("sns:") { "InternalError" } else { "InternalFailure" };
            let message = "The request processing has failed because of an unknown error.";
            return Some(Failure::new(500, code, message));
        }
        None
    }

    /// Whether the result with this running number is an internal error.
    pub(super) fn internal(&self, seed: u64, number: u64) -> bool {
        unit(hash(&[seed, 101, number])) < self.internal
    }

    /// How many of the newest points a result lacks.
    pub(super) fn missing(&self, seed: u64, content: u64) -> Option<usize> {
        let draw = hash(&[seed, 102, content]);
        (unit(draw) < self.partial).then_some(1 + (draw % 3) as usize)
    }
}

/// AWS's refusal of an action the caller may not do.
pub(super) fn denied(action: &str, caller: &str) -> Failure {
    let (service, operation) = action.split_once(':').unwrap_or(("", action));
    if service == "sns" {
        let message = format!(
            "User: {caller} is not authorized to perform: SNS:{operation} because no \
             identity-based policy allows the SNS:{operation} action"
        );
        return Failure::new(403, "AuthorizationError", message);
    }
    let message = format!(
        "User: {caller} is not authorized to perform: {action} because no identity-based \
         policy allows the {action} action"
    );
    Failure::new(403, "AccessDenied", message).shaped("AccessDeniedException")
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
    fn a_wrong_text_says_what_is_wrong() {
        for text in
            ["thrott=1", "throttle=2", "throttle=x", "late=-1", "denied=Publish", "expired=7"]
        {
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
