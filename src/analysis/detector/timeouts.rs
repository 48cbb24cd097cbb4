//! Requests end in 504: what the near misses warned of has come.
//!
//! A 504 at normal traffic says that the capacity, not the load, has changed;
//! so the verdict always says how the traffic compares. A single 504 a day is
//! the background of any large service and stays silent.

use serde::{Deserialize, Serialize};

use super::{Rule, Severity, State, Verdict, check_window, traffic_words};
use crate::analysis::gateway::Gateway;
use crate::analysis::quantity::{Ratio, count, percent, seconds};
use crate::analysis::signal::Window;

/// Fires when at least `min_count` requests ended in 504 within
/// `evaluation_periods` minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Timeouts {
    /// How many 504s it takes.
    pub min_count: u32,
    /// Within how many minutes.
    pub evaluation_periods: u32,
    /// From this share of all requests on it is critical, below a warning.
    pub critical_share: Ratio,
}

impl Default for Timeouts {
    fn default() -> Self {
        let critical_share =
            Ratio::try_from(0.001).unwrap_or_else(|_| unreachable!("0.001 is a ratio"));
        Self { min_count: 3, evaluation_periods: 5, critical_share }
    }
}

/// As it stands in the config.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    min_count: u32,
    evaluation_periods: u32,
    critical_share: Ratio,
}

impl Default for Raw {
    fn default() -> Self {
        let Timeouts { min_count, evaluation_periods, critical_share } = Timeouts::default();
        Self { min_count, evaluation_periods, critical_share }
    }
}

impl TryFrom<Raw> for Timeouts {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw { min_count, evaluation_periods, critical_share } = raw;
        check_window("evaluation_periods", evaluation_periods)?;
        if min_count == 0 {
            return Err(
                "expected min_count of at least 1, found 0: it would always fire".to_owned()
            );
        }
        Ok(Self { min_count, evaluation_periods, critical_share })
    }
}

impl Timeouts {
    /// The verdict on the newest minutes of the window.
    #[must_use]
    pub fn judge(&self, gateway: &Gateway, window: &Window) -> Verdict {
        let recent = window.newest(self.evaluation_periods);
        let timeouts = recent.timeouts();
        let state = if recent.requests() <= 0.0 {
            State::Unknown
        } else if timeouts >= f64::from(self.min_count) {
            State::Breaching
        } else {
            State::Quiet
        };
        let critical = recent.timeout_share().is_some_and(|s| s >= self.critical_share.get());
        Verdict {
            rule: Rule::Timeouts,
            state,
            severity: if critical { Severity::Critical } else { Severity::Warning },
            value: (state != State::Unknown).then_some(timeouts),
            threshold: f64::from(self.min_count),
            why: if state == State::Breaching {
                self.why(gateway, window, &recent)
            } else {
                String::new()
            },
        }
    }

    fn why(&self, gateway: &Gateway, window: &Window, recent: &Window) -> String {
        format!(
            "{} of {} requests ({}) ended in 504 in {} min. {} {}",
            count(recent.timeouts()),
            count(recent.requests()),
            percent(recent.timeout_share().unwrap_or_default()),
            recent.minutes(),
            cause(gateway, recent),
            traffic_words(window, self.evaluation_periods),
        )
    }
}

/// What the rest of the window says about the 504s. The p99 of the answered
/// requests is used as it was observed: here the point is that it is blind.
fn cause(gateway: &Gateway, recent: &Window) -> String {
    let (near, timeouts) = (recent.near_misses(), recent.timeouts());
    let timeout = gateway.timeout.seconds;
    let explains = |errors: &f64| *errors >= 0.5 * timeouts;
    if let Some(errors) = recent.connection_errors().filter(explains) {
        return format!(
            "{} connections to targets failed in the same time (limit 10 s): the targets are unreachable, not slow.",
            count(errors)
        );
    }
    if let Some(errors) = recent.tls_errors().filter(explains) {
        return format!(
            "{} TLS handshakes with targets failed in the same time (limit 10 s): look at the targets' TLS, not at their speed.",
            count(errors)
        );
    }
    if near >= 0.1 * timeouts {
        return format!(
            "{} more were answered in the last {} before the {} timeout: the targets are too slow.",
            count(near),
            seconds(timeout - gateway.near_seconds()),
            seconds(timeout),
        );
    }
    let Some(p99) = recent.readings().iter().filter_map(|r| r.p99).reduce(f64::max) else {
        return "No target answered any request.".to_owned();
    };
    if p99 >= gateway.near_seconds() {
        return format!("The answered requests are slow as well (p99 {}).", seconds(p99));
    }
    let unreachable = match recent.connection_errors() {
        Some(_) => "",
        None => "the targets may be unreachable (connect timeout, 10 s), or ",
    };
    format!(
        "Requests that were answered are not slow (p99 {}): {unreachable}some requests hang.",
        seconds(p99)
    )
}
