//! What is true of one rule alone: its names, what it says, what to do about it.

use crate::gateway::kind::Words;

/// What is true of one rule alone; it is kept beside its detector.
#[derive(Debug)]
pub struct RuleSpec {
    /// Its name in config, metrics and messages.
    pub name: &'static str,
    /// What it says in a few words, for a title; `{end}` and `{timeouts}` are the kind's
    /// [`Words`].
    pub headline: &'static str,
    /// What its detector compares, with its unit.
    pub value: &'static str,
    /// What kind of trouble it finds.
    pub nature: Nature,
    /// How many times as long as usual it must be quiet before an episode with this rule
    /// may end: what comes once in a while is given longer.
    pub quiet_factor: u32,
    /// What to do about it, the most useful step first.
    pub next_steps: fn(&Steps<'_>) -> Vec<String>,
}

/// What kind of trouble a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Answers are late.
    Lateness,
    /// Answers will be late: it judges where things lead, and not what happens in a
    /// minute.
    Forecast,
    /// Requests fail because answers are late.
    Failure,
    /// Requests fail because nothing answers.
    Outage,
}

/// What next steps are made of.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    /// The words of the gateway's kind.
    pub words: &'a Words,
    /// From when on an answer is a near miss, with its unit.
    pub near: &'a str,
    /// The timeout, with its unit.
    pub timeout: &'a str,
}

impl Steps<'_> {
    /// About requests that are slow.
    #[must_use]
    pub fn of_slow_requests(&self) -> Vec<String> {
        let Self { words, near, timeout } = self;
        vec![
            format!("Find the slow requests: {} {near}. {}", words.find_slow, words.which_are_slow),
            "Look at what they wait for: database, lock, downstream service, or a queue in front of busy workers.".into(),
            format!("If the work is meant to take that long, make it asynchronous, or raise the {} above {timeout} - and first every timeout outside it (client, CDN).", words.timeout),
        ]
    }

    /// About requests that time out.
    #[must_use]
    pub fn of_timeouts(&self) -> Vec<String> {
        let Self { words, timeout, .. } = self;
        vec![
            words.slow_or_unreachable.into(),
            format!("If not, find what takes longer than {timeout}: {}.", words.find_timeouts),
            format!(
                "At normal traffic add capacity or remove the slow work before the next peak: it will not just bring more {}.",
                words.timeouts
            ),
        ]
    }
}
