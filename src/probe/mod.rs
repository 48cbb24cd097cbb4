//! `nearmiss probe URL`: one request, and what it says about the hops on the way.
//!
//! It joins the wire, which knows no hop, to the two tables that do, and adds what to do
//! next. The [`Report`] is made by a pure function of an outcome, so that a test can judge
//! an answer that no test server gives.

mod advice;
mod args;
mod text;

use std::sync::Arc;

use serde::Serialize;

pub use args::{Configured, Format, ProbeArgs};

use crate::edge::net::proxy::Proxies;
use crate::edge::probe::{Failure, Options, Outcome, Why, probe};
use crate::exit::{COULD_NOT_TELL, FINDING};
use nearmiss_core::answer::phase::Phase;
use nearmiss_core::answer::speaker::{Seen, Speaker, speaker};
use nearmiss_core::answer::timeouts::{End, Fit, Timeout, candidates, fits, unset};

/// From which share of a timeout on an answer counts as a near miss.
const NEAR: f64 = 0.8;

/// What one request says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The verdict in one word.
    pub verdict: Verdict,
    /// The verdict in one line.
    pub headline: String,
    /// Who wrote the answer; `None` if there is none.
    pub speaker: Option<Speaker>,
    /// The timeouts that the wait fits. More than one is ambiguous.
    pub fits: Vec<Fit>,
    /// The timeouts that a good answer came close to: from 80 % of them on.
    pub near: Vec<Timeout>,
    /// What to do next.
    pub next: Vec<&'static str>,
    /// What happened.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A report in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A whole answer below 500.
    Answered,
    /// An answer of 500 or more.
    Error,
    /// A good head without all of its body.
    Broken,
    /// Nothing that could be called an answer.
    NoAnswer,
    /// The question could not be asked.
    NotAsked,
}

impl Verdict {
    fn of(outcome: &Outcome) -> Self {
        let status = outcome.answer.as_ref().map(|answer| answer.status);
        match (status, outcome.failure.as_ref().map(|failure| &failure.why)) {
            (Some(500..), _) => Self::Error,
            (Some(_), None) => Self::Answered,
            (Some(_), Some(_)) => Self::Broken,
            (None, Some(Why::NameNotFound | Why::NameServers | Why::NoProxy { .. })) => {
                Self::NotAsked
            }
            (None, _) => Self::NoAnswer,
        }
    }

    /// The exit code: 0 answered, 1 an error or no answer, 3 the question could not be
    /// asked.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Error | Self::Broken | Self::NoAnswer => FINDING,
            Self::NotAsked => COULD_NOT_TELL,
        }
    }
}

/// Asks, and makes the report.
pub async fn run(args: &ProbeArgs) -> Report {
    let options = Options { proxies: Arc::new(Proxies::from_env()), ..args.options() };
    let outcome = probe(&args.url, &options).await;
    Report::of(outcome, &args.configured())
}

impl Report {
    /// Judges an outcome; `configured` are the timeouts that were given.
    #[must_use]
    pub fn of(outcome: Outcome, configured: &[Timeout]) -> Self {
        let verdict = Verdict::of(&outcome);
        let speaker = outcome.answer.as_ref().map(|answer| {
            let (status, body) = (answer.status, answer.body_start.as_str());
            speaker(&Seen { status, headers: &answer.headers, body })
        });
        let fits = wait(&outcome).map_or_else(Vec::new, |(seconds, end)| {
            let hop = speaker.as_ref().and_then(|speaker| speaker.hop);
            fits(seconds, end.phase(), &candidates(hop, end, configured))
        });
        let near = match verdict {
            Verdict::Answered => near(&outcome, speaker.as_ref(), configured),
            _ => Vec::new(),
        };
        let headline = text::headline(&outcome, verdict, speaker.as_ref());
        let next = advice::next(&outcome, verdict, speaker.as_ref(), &fits, &near);
        Self { verdict, headline, speaker, fits, near, next, outcome }
    }
}

/// The wait that another hop's timeout may have ended, in seconds, and how it ended. Our
/// own timeout says nothing about theirs.
fn wait(outcome: &Outcome) -> Option<(f64, End)> {
    match (&outcome.answer, &outcome.failure) {
        (Some(answer), _) if answer.status >= 500 => {
            Some((outcome.seconds_in(Phase::FirstByte)?, End::Answered(answer.status)))
        }
        (_, Some(failure)) => Some((failure.silent_seconds, closed(failure)?)),
        _ => None,
    }
}

fn closed(failure: &Failure) -> Option<End> {
    match (&failure.why, failure.phase) {
        (Why::ClosedEarly | Why::Reset, Phase::FirstByte) => Some(End::Closed),
        (Why::ShortBody { .. } | Why::BrokenBody | Why::Reset, Phase::Body) => Some(End::CutOff),
        _ => None,
    }
}

fn near(outcome: &Outcome, speaker: Option<&Speaker>, configured: &[Timeout]) -> Vec<Timeout> {
    let waited = outcome.seconds_in(Phase::FirstByte).unwrap_or_default();
    let path = speaker.map_or(&[][..], |speaker| &speaker.path);
    let known = unset(configured).filter(|known| path.contains(&known.hop));
    let close = |timeout: &&Timeout| (timeout.seconds * NEAR..timeout.seconds).contains(&waited);
    configured.iter().chain(known).filter(close).cloned().collect()
}
