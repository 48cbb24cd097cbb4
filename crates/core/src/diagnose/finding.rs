//! One candidate for a cause: how sure, by what evidence, and what to do.
//!
//! A check scores itself between 0 and 1; the words for it follow from the score.
//! Above [`CERTAIN`] lies only what the figures and the configuration both show, so
//! that "certain" is never said of a guess.

use serde::Serialize;

use crate::diagnose::cause::Cause;

/// From this score on a finding is certain.
pub const CERTAIN: f64 = 0.9;
/// From this score on a finding is likely.
pub const LIKELY: f64 = 0.6;
/// Below this score nothing is said.
pub const POSSIBLE: f64 = 0.25;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It would explain the figures, and so would something else.
    Possible,
    /// The figures point to it; the configuration is silent or was not read.
    Likely,
    /// The figures and the configuration both show it.
    Certain,
}

impl Confidence {
    /// The word for a score.
    #[must_use]
    pub fn of(score: f64) -> Self {
        match score {
            s if s >= CERTAIN => Self::Certain,
            s if s >= LIKELY => Self::Likely,
            _ => Self::Possible,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// What to run or to write in order to repair it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fix {
    /// An AWS CLI command.
    pub cli: String,
    /// The same in Terraform's HCL.
    pub terraform: String,
}

/// One candidate for the cause of what is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// How sure it is.
    pub confidence: Confidence,
    /// The same as a number between 0 and 1, by which findings are ranked.
    pub score: f64,
    /// What is the case, in one short sentence without a full stop.
    pub title: String,
    /// The evidence: sentences with figures, units and times (UTC).
    pub evidence: Vec<String>,
    /// What to do, or to look at next.
    pub advice: String,
    /// The commands for it, where the evidence holds all that they need.
    pub fix: Option<Fix>,
    /// Where AWS says so.
    pub source: &'static str,
}

impl Finding {
    /// A finding with a score, what is the case, and what to do.
    #[must_use]
    pub fn new(
        cause: Cause,
        score: f64,
        title: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let score = if score.is_finite() { score.clamp(0.0, 0.99) } else { 0.0 };
        Self {
            cause,
            confidence: Confidence::of(score),
            score,
            title: title.into(),
            evidence: Vec::new(),
            advice: advice.into(),
            fix: None,
            source: cause.source(),
        }
    }

    /// The same with more evidence.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        for sentence in evidence {
            if !sentence.is_empty() && !self.evidence.contains(&sentence) {
                self.evidence.push(sentence);
            }
        }
        self
    }

    /// The same with a fix, where there is one.
    #[must_use]
    pub fn fixed_by(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }
}
