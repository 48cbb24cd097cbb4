//! A diagnosis for people: as text, as markdown, and in one or three lines for an alert.
//!
//! The verdict comes first, then the most probable cause with its evidence, the next
//! step and the fix; then the second candidate and what tells the two apart; then what
//! is odd, and what was not checked.

use crate::diagnose::evidence::NotChecked;
use crate::diagnose::finding::Finding;
use crate::diagnose::{Diagnosis, Verdict};

/// The longest line for an alert, characters.
const LINE: usize = 160;

/// How parts of a diagnosis are marked up.
struct Style {
    heading: fn(&str) -> String,
    cause: fn(&str) -> String,
    code: fn(&str, &str) -> String,
}

const TEXT: Style = Style {
    heading: |text| format!("{text}\n"),
    cause: ToOwned::to_owned,
    code: |_, code| {
        let indented =
            |line: &str| if line.is_empty() { String::new() } else { format!("    {line}") };
        let lines: Vec<String> = code.trim_end().lines().map(indented).collect();
        lines.join("\n") + "\n"
    },
};

const MARKDOWN: Style = Style {
    heading: |text| format!("## {text}\n\n"),
    cause: |name| format!("`{name}`"),
    code: |language, code| format!("```{language}\n{}\n```\n", code.trim_end()),
};

impl Diagnosis {
    /// One line without line breaks: what is wrong, and how sure that is.
    #[must_use]
    pub fn headline(&self) -> String {
        let first = self.findings.first();
        let line = match (self.verdict, first) {
            (Verdict::Healthy, _) => format!("{}: nothing is wrong", self.gateway),
            (Verdict::Findings, Some(first)) => {
                format!("{} ({}, {})", first.title, first.cause.name(), first.confidence.word())
            }
            (Verdict::CouldNotTell, Some(first)) => {
                let second = self.findings.get(1).map(|second| second.cause.name());
                let or = second.map(|name| format!(" or {name}")).unwrap_or_default();
                format!("{}: could not tell; perhaps {}{or}", self.gateway, first.cause.name())
            }
            (_, None) => format!("{}: could not tell what is wrong", self.gateway),
        };
        shortened(&line)
    }

    /// One line without line breaks: what to do now.
    #[must_use]
    pub fn next_step(&self) -> String {
        let grant = self.not_checked.first().map(|missing| capital(&missing.remedy));
        let line = match (self.verdict, self.findings.first()) {
            (Verdict::Healthy, _) => "Nothing to do".to_owned(),
            (_, Some(first)) => first_sentence(&first.advice).to_owned(),
            (_, None) => grant.unwrap_or_else(|| "Look again in some minutes".to_owned()),
        };
        shortened(&line)
    }

    /// Three lines for an alert: the cause, the evidence, the next step.
    #[must_use]
    pub fn summary(&self) -> String {
        let evidence = self.findings.first().and_then(|finding| finding.evidence.first());
        let evidence = evidence.map(|line| format!("{}\n", shortened(line))).unwrap_or_default();
        format!("{}\n{evidence}Next: {}", self.headline(), self.next_step())
    }

    /// The whole as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        self.written(&TEXT)
    }

    /// The whole as markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        format!("# {} at {}\n\n{}", self.gateway, self.at, self.written(&MARKDOWN))
    }

    fn written(&self, style: &Style) -> String {
        let mut text = format!("{}\n", self.opening());
        if let Some(first) = self.findings.first() {
            text.push_str(&format!("\n{}", finding(first, style, "Most likely")));
        }
        if let Some(second) = self.findings.get(1) {
            text.push_str(&format!("\n{}", candidate(second, style)));
        }
        if let Some(told_apart) = &self.told_apart {
            text.push_str(&format!("\n{}{told_apart}\n", (style.heading)("What tells them apart")));
        }
        text.push_str(&list(style, "Also possible", &self.others(style)));
        text.push_str(&list(style, "Notes", &self.notes));
        let missing: Vec<String> = self.not_checked.iter().map(not_checked).collect();
        text.push_str(&list(style, "Not checked", &missing));
        text
    }

    fn opening(&self) -> String {
        let since = self.since.map(|since| format!(" since {since}")).unwrap_or_default();
        match self.verdict {
            Verdict::Healthy => format!("{} at {}: nothing is wrong.", self.gateway, self.at),
            Verdict::Findings => {
                let cause =
                    self.findings.first().map_or(String::new(), |first| first.title.clone());
                format!("{} at {}: trouble{since}. {cause}.", self.gateway, self.at)
            }
            Verdict::CouldNotTell if self.findings.is_empty() => {
                format!(
                    "{} at {}: could not tell{since}; too little is known.",
                    self.gateway, self.at
                )
            }
            Verdict::CouldNotTell => format!(
                "{} at {}: trouble{since}, and more than one cause is possible.",
                self.gateway, self.at
            ),
        }
    }

    fn others(&self, style: &Style) -> Vec<String> {
        let others = self.findings.iter().skip(2);
        others
            .map(|other| format!("{}: {}.", (style.cause)(other.cause.name()), other.title))
            .collect()
    }
}

fn finding(finding: &Finding, style: &Style, label: &str) -> String {
    let name = (style.cause)(finding.cause.name());
    let heading = format!("{label}: {name} ({})", finding.confidence.word());
    let mut text = format!("{}{}.\n", (style.heading)(&heading), finding.cause.meaning());
    text.push_str(&list(style, "Evidence", &finding.evidence));
    text.push_str(&format!("\n{}{}\n", (style.heading)("Next step"), finding.advice));
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("\n{}", (style.heading)("Fix")));
        text.push_str(&(style.code)("sh", &fix.cli));
        text.push('\n');
        text.push_str(&(style.code)("hcl", &fix.terraform));
    }
    text.push_str(&format!("\nSource: {}\n", finding.source));
    text
}

fn candidate(second: &Finding, style: &Style) -> String {
    let name = (style.cause)(second.cause.name());
    let heading = format!("Second candidate: {name} ({})", second.confidence.word());
    format!("{}{}. {}\n", (style.heading)(&heading), second.title, second.advice)
}

fn list(style: &Style, heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{}- {}\n", (style.heading)(heading), lines.join("\n- "))
}

fn not_checked(missing: &NotChecked) -> String {
    let what = &missing.what;
    let what = if what.contains(':') { what.clone() } else { capital(what) };
    format!("{what}, because {}: {}.", missing.because, missing.remedy)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Up to the first end of a sentence.
fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

fn shortened(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= LINE {
        return line;
    }
    let kept: String = line.chars().take(LINE - 1).collect();
    format!("{}…", kept.trim_end())
}
