//! Answers come close to the timeout: the warning before the first 504.
//!
//! "The p99 is at least `f * T`" is the same as "at least 1 % of the requests
//! took longer than `f * T`". The second form is used, because CloudWatch can
//! count it exactly (`TC(f*T:T)`), because 504s, which leave no latency
//! sample, can be added to it, and because a count stays honest when there are
//! few requests.

use serde::{Deserialize, Serialize};

use super::{Rule, Severity, State, Verdict, check_window, traffic_words};
use crate::analysis::gateway::Gateway;
use crate::analysis::quantity::{Ratio, count, percent, seconds};
use crate::analysis::signal::{Reading, Window};

/// Fires when, in `datapoints_to_alarm` of the last `evaluation_periods`
/// minutes, at least `share` of the requests were near misses or 504s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct NearMiss {
    /// The share of requests at risk that makes a minute breaching. 0.01 is
    /// "the p99 is past `near * timeout`".
    pub share: Ratio,
    /// M of "M out of N minutes".
    pub datapoints_to_alarm: u32,
    /// N of "M out of N minutes".
    pub evaluation_periods: u32,
    /// Fewer near misses than this in the N minutes never fire: one slow
    /// request in a quiet night is no trend.
    pub min_count: u32,
}

impl Default for NearMiss {
    fn default() -> Self {
        let share = Ratio::try_from(0.01).unwrap_or_else(|_| unreachable!("0.01 is a ratio"));
        Self { share, datapoints_to_alarm: 3, evaluation_periods: 5, min_count: 5 }
    }
}

/// As it stands in the config.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    share: Ratio,
    datapoints_to_alarm: u32,
    evaluation_periods: u32,
    min_count: u32,
}

impl Default for Raw {
    fn default() -> Self {
        let NearMiss { share, datapoints_to_alarm, evaluation_periods, min_count } =
            NearMiss::default();
        Self { share, datapoints_to_alarm, evaluation_periods, min_count }
    }
}

impl TryFrom<Raw> for NearMiss {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw { share, datapoints_to_alarm, evaluation_periods, min_count } = raw;
        check_window("evaluation_periods", evaluation_periods)?;
        if !(1..=evaluation_periods).contains(&datapoints_to_alarm) {
            return Err(format!(
                "expected datapoints_to_alarm between 1 and evaluation_periods ({evaluation_periods}), found {datapoints_to_alarm}"
            ));
        }
        Ok(Self { share, datapoints_to_alarm, evaluation_periods, min_count })
    }
}

impl NearMiss {
    /// The verdict on the newest minutes of the window.
    #[must_use]
    pub fn judge(&self, gateway: &Gateway, window: &Window) -> Verdict {
        let recent = window.newest(self.evaluation_periods);
        let breaching = recent.readings().iter().filter(|r| self.breaches(r)).count();
        let enough = recent.near_misses() >= f64::from(self.min_count);
        let state = if recent.requests() <= 0.0 {
            State::Unknown
        } else if breaching >= self.datapoints_to_alarm as usize && enough {
            State::Breaching
        } else {
            State::Quiet
        };
        Verdict {
            rule: Rule::NearMiss,
            state,
            severity: Severity::Warning,
            value: recent.share_at_risk(),
            threshold: self.share.get(),
            why: if state == State::Breaching {
                self.why(gateway, window, &recent)
            } else {
                String::new()
            },
        }
    }

    /// Slow requests that are cut at the timeout have neighbours that just made
    /// it; requests that fail to connect have none. So at least a tenth of what
    /// is at risk must have been answered, or it is not this rule's business.
    fn breaches(&self, reading: &Reading) -> bool {
        let at_risk = reading.near_misses + reading.timeouts;
        reading.near_misses > 0.0
            && reading.near_misses >= 0.1 * at_risk
            && at_risk >= self.share.get() * reading.requests()
    }

    fn why(&self, gateway: &Gateway, window: &Window, recent: &Window) -> String {
        let timeout = gateway.timeout.seconds;
        let near = recent.near_misses();
        let requests = recent.requests();
        let reaches = match recent.worst_effective_p99(timeout) {
            Some(p99) if p99 >= timeout => "The p99 is at the timeout. ".to_owned(),
            Some(p99) if requests >= 1000.0 => format!("The p99 reached {}. ", seconds(p99)),
            _ => String::new(),
        };
        format!(
            "{} of {} requests ({}) took more than {} ({} of the {} timeout) in {} min and were just answered; {} ended in 504. {reaches}{}",
            count(near),
            count(requests),
            percent(near / requests),
            seconds(gateway.near_seconds()),
            percent(gateway.near),
            seconds(timeout),
            recent.minutes(),
            count(recent.timeouts()),
            traffic_words(window, self.evaluation_periods),
        )
    }
}
