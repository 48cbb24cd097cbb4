//! A chain in the terminal, and everything said of it.
//!
//! A hop is a block of lines; what is wrong is on the line between two
//! blocks, under the outer of the hops that it is about. Where a hop has several
//! sets of values, the chain is drawn once, and the sets are a table.

use std::collections::BTreeSet;

use crate::chain::figure::Repeats;
use crate::chain::figure::{Figure, Limit, Origin, Timer};
use crate::chain::finding::{Finding, Severity};
use crate::chain::hop::Hop;
use crate::chain::printable::printable;
use crate::chain::survey::{Place, Set, Survey, Told};

/// In a terminal narrower than this, lines get longer than asked for.
const NARROWEST: usize = 40;
/// Sets that the table shows; the others are in the JSON.
const MAX_ROWS: usize = 40;
/// Ranges of sets that are named.
const MAX_RANGES: usize = 6;

/// Whether the terminal takes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text alone.
    Plain,
    /// With ANSI colours.
    Ansi,
}

/// Lines, each as good or bad as what it is about.
type Lines = Vec<(String, Severity)>;

/// The drawing, the sets of values if there are several, then every finding with
/// what to do about it, in lines of at most `width` characters where words allow
/// it. What can be copied is on one line, however long.
#[must_use]
pub fn text(survey: &Survey, width: usize, ink: Ink) -> String {
    let width = width.max(NARROWEST);
    let mut parts = vec![drawing(survey, width)];
    if survey.sets.len() > 1 {
        parts.push(table(survey, width));
    }
    for (notified, others) in groups(survey) {
        parts.push(block(survey, notified, &others, width));
    }
    parts.push(vec![(summary(survey), Severity::Ok)]);
    let paint = |(line, severity): (String, Severity)| coloured(&printable(&line), severity, ink);
    let part = |lines: Lines| lines.into_iter().map(paint).collect::<Vec<_>>().join("\n");
    parts.into_iter().map(part).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Findings of the same kind about the same hops: the worst, and those of other
/// sets with other figures.
fn groups(survey: &Survey) -> Vec<(&Told, Vec<&Told>)> {
    let mut groups = Vec::<(&Told, Vec<&Told>)>::new();
    let kind = |notified: &Told| (notified.finding.rule, notified.finding.hops.clone());
    for notified in &survey.findings {
        let apart = |first: &Told| kind(first) == kind(notified) && first.sets != notified.sets;
        match groups.iter_mut().find(|(first, _)| apart(first) && !notified.sets.is_empty()) {
            Some((_, others)) => others.push(notified),
            None => groups.push((notified, Vec::new())),
        }
    }
    groups
}

fn drawing(survey: &Survey, width: usize) -> Lines {
    let chain = &survey.chain;
    let column = chain.hops.iter().map(|hop| hop.name.chars().count()).max().unwrap_or(0);
    let column = column.min(width / 3) + 2;
    let title = match &chain.gateway {
        Some(gateway) => format!("chain {} (load balancer {gateway})", chain.name),
        None => format!("chain {}", chain.name),
    };
    let mut lines = vec![(title, Severity::Ok)];
    let groups = groups(survey);
    let last = chain.hops.len().saturating_sub(1);
    for (at, hop) in chain.hops.iter().enumerate() {
        let hop = hop_lines(survey, hop, column, width);
        lines.extend(hop.into_iter().map(|line| (line, Severity::Ok)));
        for (notified, others) in &groups {
            if notified.finding.at == at && notified.finding.severity > Severity::Ok {
                lines.extend(mark_lines(survey, notified, others, width));
            }
        }
        if at < last {
            lines.push(("  │".to_owned(), Severity::Ok));
        }
    }
    lines
}

fn hop_lines(survey: &Survey, hop: &Hop, column: usize, width: usize) -> Vec<String> {
    let variants: Vec<&Hop> = variants(survey, &hop.name).collect();
    let figure = |timer| match range(&variants, timer) {
        Some(range) => Some(format!("{} {range}", Timer::short(timer))),
        None => Some(figure_words(hop, timer, hop.figures.get(&timer)?)),
    };
    let figures: Vec<_> = Timer::ALL.into_iter().filter_map(figure).collect();
    let known = if figures.is_empty() { "nothing is known".to_owned() } else { figures.join(", ") };
    let kind = if hop.name == hop.product.kind { "" } else { hop.product.title };
    let words = if kind.is_empty() { known } else { format!("{kind}: {known}") };
    let first = format!("  {:<column$}", hop.name);
    wrapped(&words, &first, &" ".repeat(column + 2), width)
}

/// A hop with the values of each set.
fn variants<'a>(survey: &'a Survey, name: &'a str) -> impl Iterator<Item = &'a Hop> {
    let hops = survey.sets.iter().flat_map(|set| &set.hops);
    hops.filter(move |hop| hop.name == name)
}

/// `5 s to 300 s`, where sets differ in a timer.
fn range(variants: &[&Hop], timer: Timer) -> Option<String> {
    let limits: BTreeSet<Option<Limit>> = variants.iter().map(|hop| hop.limit(timer)).collect();
    let (first, last) = (limits.first()?, limits.last()?);
    let shown = |limit: &Option<Limit>| limit.map_or("not known".to_owned(), |l| l.to_string());
    match (limits.len(), first) {
        (1, _) => None,
        (2, None) => Some(format!("{} or not known", shown(last))),
        (_, None) => Some("see below".to_owned()),
        _ => Some(format!("{} to {}", shown(first), shown(last))),
    }
}

fn figure_words(hop: &Hop, timer: Timer, figure: &Figure) -> String {
    let count = match &hop.attempts {
        Some(attempts) if matches!(timer, Timer::Connect | Timer::Read) => {
            let is_repeated = timer == Timer::Connect || attempts.repeats == Repeats::Requests;
            if is_repeated { hop.tried(timer) } else { 1 }
        }
        _ => 1,
    };
    let tries = if count > 1 { format!(" x {count}") } else { String::new() };
    let from = match &figure.origin {
        Origin::Config => String::new(),
        Origin::Default { .. } => " (default)".to_owned(),
        other => format!(" ({other})"),
    };
    format!("{} {}{tries}{from}", timer.short(), figure.limit)
}

fn mark_lines(survey: &Survey, notified: &Told, others: &[&Told], width: usize) -> Lines {
    let severity = notified.finding.severity;
    let mark = match severity {
        Severity::Broken => "✗",
        Severity::Weak => "!",
        Severity::Unknown | Severity::Ok => "?",
    };
    let sets = others.iter().flat_map(|other| &other.sets).chain(&notified.sets);
    let sets = numbers(survey, sets.copied().collect());
    let sets = if sets.is_empty() { sets } else { format!(" ({sets})") };
    let words = format!("{}{sets}", notified.finding.headline);
    let lines = wrapped(&words, &format!("  {mark} "), "  │   ", width);
    lines.into_iter().map(|line| (line, severity)).collect()
}

/// The sets of values, the worst first: the figures in which they differ.
fn table(survey: &Survey, width: usize) -> Lines {
    let columns = columns(survey);
    let mut rows = vec![
        ["set".to_owned()]
            .into_iter()
            .chain(columns.iter().map(|column| column.title.clone()))
            .chain(["found".to_owned(), "where".to_owned()])
            .collect::<Vec<_>>(),
    ];
    for set in survey.sets.iter().take(MAX_ROWS) {
        let values = columns.iter().map(|column| column.value(set));
        let row = [set.set.to_string()].into_iter().chain(values);
        rows.push(row.chain([found(survey, set), places(&set.places)]).collect());
    }
    let count = survey.sets.len();
    let hops: BTreeSet<&str> =
        survey.sets.iter().flat_map(|set| &set.hops).map(|hop| hop.name.as_str()).collect();
    let names = hops.into_iter().collect::<Vec<_>>().join(", ");
    let severities = survey.sets.iter().map(|set| set.severity);
    let title = format!("{names}: {count} sets of values, the worst first");
    let mut lines = vec![(title, Severity::Ok)];
    for (row, severity) in
        laid_out(&rows, width).into_iter().zip([Severity::Ok].into_iter().chain(severities))
    {
        lines.extend(row.into_iter().map(|line| (line, severity)));
    }
    if count > MAX_ROWS {
        let rest = format!("  and {} more: --format json lists all", count - MAX_ROWS);
        lines.push((rest, Severity::Ok));
    }
    lines
}

/// A figure in which sets differ.
struct Column {
    title: String,
    hop: String,
    /// Which timer, or how often it tries.
    timer: Option<Timer>,
}

impl Column {
    fn value(&self, set: &Set) -> String {
        let Some(hop) = set.hops.iter().find(|hop| hop.name == self.hop) else {
            return String::new();
        };
        match self.timer {
            Some(timer) => hop.limit(timer).map_or("?".to_owned(), |limit| limit.to_string()),
            None => hop.attempts.as_ref().map_or("?".to_owned(), |attempts| {
                let again =
                    if attempts.repeats == Repeats::Connecting { " to connect" } else { "" };
                match attempts.within {
                    Limit::Never => format!("{}{again}", attempts.count),
                    within @ Limit::After(_) => {
                        format!("{}{again} within {within}", attempts.count)
                    }
                }
            }),
        }
    }
}

/// The columns in which sets differ, from the client inwards.
fn columns(survey: &Survey) -> Vec<Column> {
    let hops: Vec<&Hop> =
        survey.sets.first().map(|set| set.hops.iter().collect()).unwrap_or_default();
    let is_one = hops.len() == 1;
    let mut columns = Vec::new();
    for hop in hops {
        for timer in Timer::ALL.into_iter().map(Some).chain([None]) {
            let short = timer.map_or("attempts", Timer::short);
            let title = if is_one { short.to_owned() } else { format!("{} {short}", hop.name) };
            let column = Column { title, hop: hop.name.clone(), timer };
            let values: BTreeSet<String> =
                survey.sets.iter().map(|set| column.value(set)).collect();
            if values.len() > 1 {
                columns.push(column);
            }
        }
    }
    columns
}

/// Rows with their cells under each other; the last cell goes on below itself.
fn laid_out(rows: &[Vec<String>], width: usize) -> Vec<Vec<String>> {
    let cells = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..cells).map(|at| widest(at).unwrap_or(0)).collect();
    let lay = |row: &Vec<String>| {
        let Some((last, others)) = row.split_last() else { return Vec::new() };
        let mut first = String::from("  ");
        for (cell, width) in others.iter().zip(&widths) {
            first.push_str(&format!("{cell:<width$}  "));
        }
        let next = " ".repeat(first.chars().count());
        wrapped(last, &first, &next, width)
    };
    rows.iter().map(lay).collect()
}

/// How many findings of each severity a set has.
fn found(survey: &Survey, set: &Set) -> String {
    let of_set = survey.findings.iter().filter(|notified| notified.sets.contains(&set.set));
    counts(&of_set.map(|notified| &notified.finding).collect::<Vec<_>>())
}

/// `shop.example.com /api/ (shop.conf:12) and 3 more`
fn places(places: &[Place]) -> String {
    let Some(first) = places.first() else { return String::new() };
    let server = first.server.first().filter(|name| !name.is_empty());
    let server = server.map_or("server", String::as_str);
    let location = if first.location.is_empty() { "" } else { " " };
    let more = match places.len() {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    format!("{server}{location}{} ({}:{}){more}", first.location, first.file, first.line)
}

/// `sets 1-3 and 7`, where not all sets are meant.
fn numbers(survey: &Survey, mut sets: Vec<usize>) -> String {
    sets.sort_unstable();
    sets.dedup();
    if sets.is_empty() || sets.len() == survey.sets.len() {
        return String::new();
    }
    let mut ranges = Vec::<(usize, usize)>::new();
    for set in &sets {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *set => *end = *set,
            _ => ranges.push((*set, *set)),
        }
    }
    let range = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    let shown: Vec<_> = ranges.iter().take(MAX_RANGES).map(range).collect();
    let plural = if sets.len() == 1 { "set" } else { "sets" };
    let more = if ranges.len() > MAX_RANGES { ", ..." } else { "" };
    format!("{plural} {}{more}", shown.join(", "))
}

fn block(survey: &Survey, notified: &Told, others: &[&Told], width: usize) -> Lines {
    let finding = &notified.finding;
    let severity = match finding.severity {
        Severity::Broken => "BROKEN",
        Severity::Weak => "weak",
        Severity::Unknown => "unknown",
        Severity::Ok => "ok",
    };
    let sets = numbers(survey, notified.sets.clone());
    let sets = if sets.is_empty() { sets } else { format!("  ({sets})") };
    let head = format!("{severity:<8}{}  {}{sets}", finding.hops.join(" > "), finding.rule.name());
    let indent = " ".repeat(8);
    let mut lines = wrapped(&finding.text, &indent, &indent, width);
    if !others.is_empty() {
        let sets = others.iter().flat_map(|other| other.sets.iter().copied()).collect();
        let words = format!(
            "The same with other figures in {}: --format json has them all.",
            numbers(survey, sets)
        );
        lines.extend(wrapped(&words, &indent, &indent, width));
    }
    lines.extend(advice_lines(finding, &indent, width));
    if let Some(source) = finding.source {
        lines.extend(wrapped(&format!("source: {source}"), &indent, &indent, width));
    }
    let rest = lines.into_iter().map(|line| (line, Severity::Ok));
    [(head, finding.severity)].into_iter().chain(rest).collect()
}

fn advice_lines(finding: &Finding, indent: &str, width: usize) -> Vec<String> {
    let next = format!("{indent}   ");
    let mut lines = Vec::new();
    for advice in &finding.advice {
        lines.extend(wrapped(&advice.text, &format!("{indent}-> "), &next, width));
        lines.extend(advice.lines.iter().map(|l| format!("{next}   {}: {}", l.place, l.text)));
    }
    lines
}

fn summary(survey: &Survey) -> String {
    let name = &survey.chain.name;
    if survey.sets.len() < 2 {
        let findings: Vec<_> = survey.findings.iter().map(|notified| &notified.finding).collect();
        return format!("chain {name}: {}.", counts(&findings));
    }
    let count = |severity| survey.sets.iter().filter(|set| set.severity == severity).count();
    let of = |(severity, word): (Severity, &str)| {
        let count = count(severity);
        (count > 0).then(|| format!("{count} {word}"))
    };
    let severities = [Severity::Broken, Severity::Weak, Severity::Unknown];
    let named = severities.map(|severity| (severity, severity.name()));
    let counts: Vec<_> =
        named.into_iter().chain([(Severity::Ok, "in order")]).filter_map(of).collect();
    format!("chain {name}: of {} sets of values {}.", survey.sets.len(), counts.join(", "))
}

/// `1 broken, 2 weak`, or `in order`.
fn counts(findings: &[&Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let counts: Vec<_> = [Severity::Broken, Severity::Weak, Severity::Unknown]
        .into_iter()
        .map(|severity| (count(severity), severity.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() { "in order".to_owned() } else { counts.join(", ") }
}

/// The words of a text, a number with its unit as one.
fn unbroken(text: &str) -> Vec<String> {
    let mut words = Vec::<String>::new();
    for word in text.split_whitespace() {
        let unit = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
        match words.last_mut() {
            Some(number)
                if matches!(unit, "s" | "ms") && number.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Words in lines of at most `width` characters; a longer word has a line of
/// its own.
fn wrapped(words: &str, first: &str, next: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut begun = false;
    for word in unbroken(words) {
        let length = line.chars().count() + usize::from(begun) + word.chars().count();
        if begun && length > width {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(&word);
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
