//! Routes: which alerts go to which receiver.

use std::fmt;

use serde::Deserialize;

use crate::alerting::matcher::{Matcher, Subject};
use crate::alerting::receiver::Receiver;
use crate::detect::Severity;
use crate::number::quantity::Span;

/// Alerts that go to one receiver.
#[derive(Debug, Clone)]
pub struct Route {
    /// Which ones.
    pub matcher: Matcher,
    /// Of this severity at least.
    pub at_least: Severity,
    /// To whom.
    pub receiver: Receiver,
    /// When its receiver is notified again of an open episode, if not as the router says.
    pub repeat: Option<Repeat>,
    /// Whether the routes after it are looked at too.
    pub goes_on: bool,
}

impl Route {
    /// Whether an alert goes here.
    #[must_use]
    pub fn takes(&self, subject: Subject<'_>) -> bool {
        subject.episode.severity >= self.at_least && self.matcher.fits(subject)
    }
}

/// As a person would say it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { matcher, at_least, .. } = self;
        write!(f, "alerts ({matcher}; {at_least} and worse)")
    }
}

/// When receivers are notified again of an episode that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Repeat {
    /// Not before it changes.
    Never,
    /// After this long.
    After(Span),
}

impl Default for Repeat {
    /// Once a day.
    fn default() -> Self {
        Self::After(Span::seconds(86_400))
    }
}

impl Repeat {
    /// Whether it is time to, this many minutes after the last time.
    #[must_use]
    pub fn is_over(self, minutes: i64) -> bool {
        match self {
            Self::Never => false,
            Self::After(span) => minutes >= span.minutes(),
        }
    }
}

impl TryFrom<String> for Repeat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        match Span::try_from(text) {
            Ok(span) if span < Span::seconds(60) => {
                Err("expected a repeat_interval of at least 1m, or \"never\"".into())
            }
            Ok(span) => Ok(Self::After(span)),
            Err(problem) => Err(format!("{problem}; or \"never\"")),
        }
    }
}
