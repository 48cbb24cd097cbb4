//! A report for a person: the verdict, the phases, the evidence, the next step.
//!
//! What a server sent is printed without its control characters, because a terminal would
//! obey them.

use std::fmt;

use super::{Report, Verdict};
use crate::edge::probe::{BodyEnd, Failure, Outcome, Secured, Trust, Via, Why};
use nearmiss_core::answer::phase::Phase;
use nearmiss_core::answer::speaker::{Confidence, Evidence, Hop, Speaker};
use nearmiss_core::answer::timeouts::{Origin, Timeout};

/// The longest bar, in characters.
const BAR: u32 = 30;

pub(super) fn headline(outcome: &Outcome, verdict: Verdict, speaker: Option<&Speaker>) -> String {
    let status = outcome.answer.as_ref().map_or(0, |answer| answer.status);
    let waited = seconds(outcome.seconds_in(Phase::FirstByte).unwrap_or_default());
    match (verdict, &outcome.failure) {
        (Verdict::Answered, _) => format!("{status} after {waited}: it answered."),
        (Verdict::Error, _) => format!("{status} after {waited}, {}.", author(speaker)),
        (_, None) => "No answer.".to_owned(),
        (Verdict::Broken, Some(failure)) => {
            format!(
                "{status} after {waited}, but {}{}.",
                printable(&failure.why.to_string()),
                silence(failure)
            )
        }
        (_, Some(failure)) if ours(failure) => {
            format!(
                "No answer: we stopped waiting for {} after {}.",
                awaited(failure.phase),
                seconds(failure.seconds)
            )
        }
        (_, Some(failure)) => format!(
            "No answer: {}, after {}.",
            printable(&failure.why.to_string()),
            seconds(failure.seconds)
        ),
    }
}

fn ours(failure: &Failure) -> bool {
    failure.why == Why::TimedOut
}

fn awaited(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "the name servers",
        Phase::Connect => "a TCP connection",
        Phase::Proxy => "the proxy",
        Phase::Tls => "the TLS handshake",
        Phase::Send => "the request to leave",
        Phase::FirstByte => "the first byte",
        Phase::Body => "the body",
    }
}

fn silence(failure: &Failure) -> String {
    match failure.silent_seconds {
        silent if silent >= 0.5 => format!(", after {} of silence", seconds(silent)),
        _ => String::new(),
    }
}

fn author(speaker: Option<&Speaker>) -> String {
    match speaker.map(|speaker| (speaker.hop, speaker.confidence)) {
        Some((Some(Hop::Application), _)) => "written by the application".to_owned(),
        Some((Some(hop), Confidence::Certain)) => format!("written by {hop}"),
        Some((Some(hop), Confidence::Likely)) => format!("probably written by {hop}"),
        Some((Some(hop), _)) => format!("perhaps written by {hop}"),
        _ => "and nobody signed it".to_owned(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline)?;
        self.timeouts(f)?;
        self.phases(f)?;
        self.facts(f)?;
        self.evidence(f)?;
        for (row, next) in self.next.iter().enumerate() {
            write!(f, "{}{next}", if row == 0 { "\nNext\n  " } else { "\n  " })?;
        }
        Ok(())
    }
}

impl Report {
    fn timeouts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fits[..] {
            [] => {}
            [one] => writeln!(f, "This fits {}.", limit(&one.timeout))?,
            several => {
                writeln!(
                    f,
                    "This fits {} timeouts, and the time alone cannot tell which:",
                    several.len()
                )?;
                for fit in several {
                    writeln!(f, "  {}", limit(&fit.timeout))?;
                }
            }
        }
        for timeout in &self.near {
            writeln!(f, "This was close to {}.", limit(timeout))?;
        }
        Ok(())
    }

    fn phases(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.outcome.seconds.max(1e-6);
        let failed = self.outcome.failure.as_ref().map(|failure| failure.phase);
        writeln!(f)?;
        for timing in &self.outcome.phases {
            let bar = bar(timing.start / whole, timing.seconds / whole);
            let end = if failed == Some(timing.phase) { "x" } else { "" };
            let (phase, length) = (timing.phase, seconds(timing.seconds));
            writeln!(f, "{}", format!("  {phase:<14}{length:>9}  {bar}{end}").trim_end())?;
        }
        writeln!(f, "  {:<14}{:>9}\n", "in all", seconds(self.outcome.seconds))
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = &self.outcome;
        writeln!(f, "Asked  {} {}", method(outcome), printable(&outcome.url))?;
        if let Some(address) = outcome.address {
            writeln!(f, "At     {address}{}", outcome.tls.as_ref().map_or_else(String::new, tls))?;
        }
        if let Some(Via { url, tunnel }) = &outcome.proxy {
            let where_its_way_is = if *tunnel { "\"proxy\"" } else { "\"first byte\"" };
            writeln!(f, "Via    the proxy {}", printable(url))?;
            writeln!(
                f,
                "       DNS and TCP connect are the way to it; its own way on is in {where_its_way_is}"
            )?;
        }
        for tried in &outcome.tried {
            if let Some(why) = &tried.why {
                writeln!(f, "Tried  {}: {why}, after {}", tried.address, seconds(tried.seconds))?;
            }
        }
        if let Some(answer) = &outcome.answer {
            let end = match answer.body_end {
                BodyEnd::Complete => "",
                BodyEnd::AtOurLimit => ", and there is more",
                BodyEnd::Broken => ", incomplete",
            };
            writeln!(f, "Body   {} bytes{end}", answer.body_bytes)?;
            if let Some(location) = &answer.location {
                writeln!(f, "To     {} (not followed)", printable(location))?;
            }
        }
        let cause = outcome.failure.as_ref().and_then(|failure| failure.cause.as_ref());
        cause.map_or(Ok(()), |cause| writeln!(f, "Cause  {}", printable(cause)))
    }

    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(speaker) = &self.speaker else { return Ok(()) };
        if !speaker.path.is_empty() {
            let path: Vec<String> = speaker.path.iter().map(ToString::to_string).collect();
            writeln!(f, "Seen   {}", path.join(", "))?;
        }
        if self.verdict != Verdict::Error {
            return Ok(());
        }
        let all: Vec<&Evidence> = speaker.evidence.iter().chain(&speaker.traces).collect();
        for (row, Evidence { seen, means, source, .. }) in all.into_iter().enumerate() {
            let head = if row == 0 { "\nWhy\n" } else { "" };
            writeln!(f, "{head}  {}\n    {means}\n    {source}", printable(seen))?;
        }
        Ok(())
    }
}

fn method(outcome: &Outcome) -> &'static str {
    match outcome.method {
        crate::edge::probe::Method::Get => "GET",
        crate::edge::probe::Method::Head => "HEAD",
    }
}

fn tls(tls: &Secured) -> String {
    let until = tls.certificate_expires.as_deref();
    let until = until.map_or_else(String::new, |until| format!(", certificate until {until}"));
    let checked = match tls.trust {
        Trust::Verified => "",
        Trust::Anybody => ", not checked",
    };
    format!(" ({}{until}{checked})", tls.version)
}

fn limit(timeout: &Timeout) -> String {
    let origin = match timeout.origin {
        Origin::Default => "the default",
        Origin::Fixed => "fixed",
        Origin::Configured => "as configured",
    };
    let Timeout { hop, name, .. } = timeout;
    format!("{hop} {}: {} ({origin})", printable(name), seconds(timeout.seconds))
}

/// A part of the timeline, at its place. What took time has at least one character.
fn bar(start: f64, share: f64) -> String {
    let columns = |share: f64| {
        (0..BAR).take_while(|column| f64::from(*column) + 0.5 <= share * f64::from(BAR)).count()
    };
    let from = columns(start).min(columns(1.0) - 1);
    let length = columns(share).clamp(1, columns(1.0) - from);
    format!("{}{}", " ".repeat(from), "#".repeat(length))
}

/// `0.2 ms`, `48 ms`, `1.25 s`, `60.2 s`.
fn seconds(value: f64) -> String {
    match value {
        v if v < 0.001 => format!("{:.1} ms", v * 1e3),
        v if v < 1.0 => format!("{:.0} ms", v * 1e3),
        v if v < 10.0 => format!("{v:.2} s"),
        v => format!("{} s", format!("{v:.1}").trim_end_matches(".0")),
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
