//! A chain in the terminal, and everything said of it.
//!
//! A hop is a block of lines; what is wrong stands on the line between two
//! blocks, under the outer of the hops that it is about.

use super::figure::{Figure, Origin, Timer};
use super::hop::Hop;
use super::product::Repeats;
use super::rule::{Finding, Severity};
use super::{Chain, Checkup};

/// Narrower than that, lines get longer than asked for.
const NARROWEST: usize = 40;

/// Whether the terminal takes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Ansi,
}

/// The drawing, then every finding with what to do about it. What can be copied
/// stands on one line, however long.
#[must_use]
pub fn text(checkup: &Checkup, width: usize, ink: Ink) -> String {
    let mut lines = vec![draw(&checkup.chain, &checkup.findings, width, ink)];
    for finding in &checkup.findings {
        lines.push(block(finding, width.max(NARROWEST), ink));
    }
    lines.push(summary(checkup));
    lines.join("\n\n") + "\n"
}

/// The chain, client first, in lines of at most `width` characters where words
/// allow it, with a mark for each finding that asks for something.
#[must_use]
pub fn draw(chain: &Chain, findings: &[Finding], width: usize, ink: Ink) -> String {
    let width = width.max(NARROWEST);
    let column = chain.hops.iter().map(|hop| hop.name.chars().count()).max().unwrap_or(0);
    let column = column.min(width / 3) + 2;
    let mut lines = vec![title(chain)];
    let last = chain.hops.len().saturating_sub(1);
    for (at, hop) in chain.hops.iter().enumerate() {
        lines.extend(hop_lines(hop, column, width));
        let marks = findings.iter().filter(|f| f.at == at && f.severity > Severity::Ok);
        lines.extend(marks.flat_map(|finding| mark_lines(finding, width, ink)));
        if at < last {
            lines.push("  │".to_owned());
        }
    }
    lines.join("\n")
}

fn title(chain: &Chain) -> String {
    match &chain.gateway {
        Some(gateway) => format!("chain {} (load balancer {gateway})", chain.name),
        None => format!("chain {}", chain.name),
    }
}

fn hop_lines(hop: &Hop, column: usize, width: usize) -> Vec<String> {
    let figures: Vec<_> = Timer::ALL
        .into_iter()
        .filter_map(|timer| Some((timer, hop.figures.get(&timer)?)))
        .map(|(timer, figure)| figure_words(hop, timer, figure))
        .collect();
    let known = if figures.is_empty() { "nothing is known".to_owned() } else { figures.join(", ") };
    let kind = if hop.name == hop.product.kind { "" } else { hop.product.title };
    let words = if kind.is_empty() { known } else { format!("{kind}: {known}") };
    let first = format!("  {:<column$}", hop.name);
    wrapped(&words, &first, &" ".repeat(column + 2), width)
}

fn figure_words(hop: &Hop, timer: Timer, figure: &Figure) -> String {
    let tries = match &hop.attempts {
        Some(attempts) if attempts.count > 1 => match (timer, attempts.repeats) {
            (Timer::Connect, _) | (Timer::Read, Repeats::Requests) => {
                format!(" x {}", attempts.count)
            }
            _ => String::new(),
        },
        _ => String::new(),
    };
    let from = match &figure.origin {
        Origin::Config => String::new(),
        Origin::Default { .. } => " (default)".to_owned(),
        other => format!(" ({other})"),
    };
    format!("{} {}{tries}{from}", timer.short(), figure.limit)
}

fn mark_lines(finding: &Finding, width: usize, ink: Ink) -> Vec<String> {
    let mark = match finding.severity {
        Severity::Broken => "✗",
        Severity::Weak => "!",
        Severity::Unknown | Severity::Ok => "?",
    };
    let lines = wrapped(&finding.headline, &format!("  {mark} "), "  │   ", width);
    lines.into_iter().map(|line| coloured(&line, finding.severity, ink)).collect()
}

fn block(finding: &Finding, width: usize, ink: Ink) -> String {
    let severity = match finding.severity {
        Severity::Broken => "BROKEN",
        Severity::Weak => "weak",
        Severity::Unknown => "unknown",
        Severity::Ok => "ok",
    };
    let head = format!("{severity:<8}{}  {}", finding.hops.join(" > "), finding.rule.name());
    let indent = " ".repeat(8);
    let mut lines = vec![coloured(&head, finding.severity, ink)];
    lines.extend(wrapped(&finding.text, &indent, &indent, width));
    for advice in &finding.advice {
        let next = format!("{indent}   ");
        lines.extend(wrapped(&advice.text, &format!("{indent}-> "), &next, width));
        lines.extend(advice.lines.iter().map(|l| format!("{next}   {}: {}", l.place, l.text)));
    }
    if let Some(source) = finding.source {
        let words = format!("source: {} ({}), {}", source.document, source.read, source.url);
        lines.extend(wrapped(&words, &indent, &indent, width));
    }
    lines.join("\n")
}

fn summary(checkup: &Checkup) -> String {
    let count = |severity| checkup.findings.iter().filter(|f| f.severity == severity).count();
    let counts: Vec<_> = [Severity::Broken, Severity::Weak, Severity::Unknown]
        .into_iter()
        .map(|severity| (count(severity), severity.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() {
        return format!("chain {}: in order.", checkup.chain.name);
    }
    format!("chain {}: {}.", checkup.chain.name, counts.join(", "))
}

/// Words in lines of at most `width` characters; a longer word has a line of
/// its own.
fn wrapped(words: &str, first: &str, next: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut begun = false;
    for word in words.split_whitespace() {
        let length = line.chars().count() + usize::from(begun) + word.chars().count();
        if begun && length > width {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    lines.push(line);
    lines
}

fn coloured(line: &str, severity: Severity, ink: Ink) -> String {
    let code = match (ink, severity) {
        (Ink::Plain, _) | (_, Severity::Ok) => return line.to_owned(),
        (Ink::Ansi, Severity::Broken) => "31",
        (Ink::Ansi, Severity::Weak) => "33",
        (Ink::Ansi, Severity::Unknown) => "36",
    };
    format!("\u{1b}[{code}m{line}\u{1b}[0m")
}
