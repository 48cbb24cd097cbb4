//! What is said of a chain, and how bad it is.

use serde::Serialize;

use crate::chain::figure::Source;
use crate::chain::remedy::{Change, Line, Remedy};

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What, in a sentence.
    pub text: String,
    /// The same for programs; empty where it takes a decision.
    pub changes: Vec<Change>,
    /// What to write where; of those for one hop, one is enough.
    pub lines: Vec<Line>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong; it is worth knowing.
    Ok,
    /// A figure is missing, so that nothing can be said.
    Unknown,
    /// Something goes wrong for some requests, or work is done in vain.
    Weak,
    /// The order is wrong: requests fail for no other reason.
    Broken,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Weak => "weak",
            Self::Broken => "broken",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A hop gives up before the one behind it does.
    OuterGivesUpFirst,
    /// Connections are closed that a caller still wants to reuse.
    KeepAliveTooShort,
    /// A figure that the product does not take.
    OutOfBounds,
    /// The config says other than what was found out.
    ConfigDiffers,
    /// Connecting takes longer than the caller waits.
    ConnectsTooLong,
    /// Attempts take longer than the caller waits, or multiply.
    RetriesMultiply,
    /// Nothing ends the work that nobody waits for any more.
    Endless,
    /// A figure is missing.
    NotKnown,
    /// What no request can outlive.
    Ceiling,
    /// One counts the whole request, the other the silence in it.
    SemanticsDiffer,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::OuterGivesUpFirst,
        Self::KeepAliveTooShort,
        Self::OutOfBounds,
        Self::ConfigDiffers,
        Self::ConnectsTooLong,
        Self::RetriesMultiply,
        Self::Endless,
        Self::NotKnown,
        Self::Ceiling,
        Self::SemanticsDiffer,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OuterGivesUpFirst => "outer_gives_up_first",
            Self::KeepAliveTooShort => "keep_alive_too_short",
            Self::OutOfBounds => "out_of_bounds",
            Self::ConfigDiffers => "config_differs",
            Self::ConnectsTooLong => "connects_too_long",
            Self::RetriesMultiply => "retries_multiply",
            Self::Endless => "endless",
            Self::NotKnown => "not_known",
            Self::Ceiling => "ceiling",
            Self::SemanticsDiffer => "semantics_differ",
        }
    }
}

/// One thing to say about a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The hops that it depends on, by name, client first.
    pub hops: Vec<String>,
    /// The hop that it is drawn under, counted from 0 at the client.
    pub at: usize,
    /// A few words with the figures, for a drawing.
    pub headline: String,
    /// The whole story, in one or two sentences.
    pub text: String,
    /// What to do, the best first.
    pub advice: Vec<Advice>,
    /// Where the fact behind it is documented.
    pub source: Option<&'static Source>,
}

/// A finding before it is known what helps.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) finding: Finding,
    /// What may end it, the best first: each is tried before it is given.
    pub(super) remedies: Vec<Remedy>,
    /// What is given in any case: it takes a decision that nobody can try.
    pub(super) plain: Vec<String>,
    /// What is given if nothing else is.
    pub(super) otherwise: Option<String>,
}

impl Draft {
    pub(super) fn of(finding: Finding) -> Self {
        Self { finding, remedies: Vec::new(), plain: Vec::new(), otherwise: None }
    }

    pub(super) fn ended_by(mut self, remedies: impl IntoIterator<Item = Option<Remedy>>) -> Self {
        self.remedies.extend(remedies.into_iter().flatten());
        self
    }

    pub(super) fn and(mut self, plain: Option<String>) -> Self {
        self.plain.extend(plain);
        self
    }

    pub(super) fn or(mut self, otherwise: String) -> Self {
        self.otherwise = Some(otherwise);
        self
    }
}
