//! Answers no AWS would give: which ones, to which calls, and when.
//!
//! Written as `hostile=ACTION/KIND`, or `ACTION/KIND/WHEN`. The action is one of IAM as in
//! `cloudwatch:GetMetricData`, `elasticloadbalancing:*` or `*`. When is a share of the
//! calls (`0.1`), minutes of the scenario by AWS's now (`20-25`), or always. What the kinds
//! do to an answer is described where they do it: in `tree` what they do to its content, in
//! `bytes` to its form.

pub(crate) mod bytes;
pub(crate) mod tree;

use crate::faults::covers;
use crate::rng::{hash, unit};
use crate::timeline::Span;
use crate::wire::protocol::SERVICES;

/// One kind of hostile answer, to some calls at some times.
#[derive(Debug, Clone, PartialEq)]
pub struct Hostile {
    /// The action, perhaps with a star at its end.
    pub action: String,
    /// What happens to the answer.
    pub kind: Kind,
    /// When it does.
    pub when: When,
}

/// When an answer is hostile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// To every call.
    Always,
    /// To this share of the calls (0..=1).
    Share(f64),
    /// In these minutes of the scenario.
    Span(Span),
}

/// What happens to an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// It is a refusal with this code; nothing is done.
    Error(String),
    /// It is a refusal with this code and HTTP 200.
    OkError(String),
    /// There is always a further page, and this is its token.
    Token(Token),
    /// The results of `GetMetricData` are wrong in this way.
    Points(Points),
    /// Every `StatusCode` is this.
    Code(String),
    /// This many `Messages` with line breaks and control characters.
    Messages(usize),
    /// Fields of this name are missing.
    Without(String),
    /// Fields of this name have this value.
    Set(String, String),
    /// The attribute of this key has this value, or is missing.
    Attribute(String, Option<String>),
    /// Names and tags have these characters in them.
    Names(Names),
    /// It is valid and this many MiB large.
    Huge(usize),
    /// Its bytes, its head or its connection are wrong in this way.
    Wire(Wire),
}

/// The token of a further page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// An empty text.
    Empty,
    /// The same one again and again.
    Same,
    /// Another one each time.
    New,
}

/// What is wrong with points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Points {
    /// One value fewer than timestamps.
    Fewer,
    /// One value more than timestamps.
    More,
    /// Every value is this one.
    Value(f64),
    /// Every timestamp is this many seconds off.
    Shifted(i64),
    /// Every timestamp is this epoch second.
    At(i64),
    /// No result has an id that was asked for.
    UnknownIds,
    /// There is a further result nobody asked for.
    ExtraIds,
    /// Every result comes twice.
    DuplicateIds,
    /// There are no results.
    NoResults,
}

/// What is in names and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Line breaks, escape sequences and other control characters that XML allows.
    Control,
    /// Those that XML forbids, written all the same: strict parsers refuse them.
    Raw,
    /// Text from right to left, and characters that turn it.
    Rtl,
    /// 10,000 characters.
    Long,
}

/// What is wrong with the bytes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// It never comes.
    Hang,
    /// A byte of its body a second.
    Slow,
    /// Its body never ends.
    Endless,
    /// Half of its body, then the connection closes.
    Cut,
    /// Half of its body, then nothing.
    Stall,
    /// It has no body.
    Empty,
    /// Half of its body is all there is, and that is announced.
    Malformed,
    /// Its body is noise.
    Garbage,
    /// It has another content type.
    Type(String),
    /// It is somebody else's page in HTML, HTTP 200.
    Html,
    /// Another status, without a body.
    Status(u16),
    /// A redirect with this status to another place.
    Redirect(u16),
    /// A redirect with this status to where it came from.
    Loop(u16),
}

/// What is accepted, for whoever wrote something else.
pub(crate) const NEEDS: &str = "ACTION/KIND[/WHEN] as in cloudwatch:GetMetricData/hang/20-25; `nearmiss sim --help` has the \
     kinds";

/// MiB of a huge answer: the default and the most; messages: the same.
const MIB: (usize, usize) = (64, 512);
const MESSAGES: (usize, usize) = (3_000, 100_000);

impl Hostile {
    /// Reads `ACTION/KIND` or `ACTION/KIND/WHEN`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (action, rest) = text.split_once('/')?;
        // A kind may have a slash in it, as content types do.
        let when = rest.rsplit_once('/').and_then(|(kind, when)| Some((kind, When::read(when)?)));
        let (kind, when) = when.unwrap_or((rest, When::Always));
        let kind = Kind::read(kind)?;
        let service = action.split_once(':').map(|parts| parts.0);
        let known = action == "*" || SERVICES.iter().any(|one| Some(one.prefix) == service);
        known.then(|| Self { action: action.to_owned(), kind, when })
    }

    fn strikes(&self, draw: u64, action: &str, minute: Option<i64>) -> bool {
        let now = match self.when {
            When::Always => true,
            When::Share(share) => unit(draw) < share,
            When::Span(span) => minute.is_some_and(|minute| span.holds(minute)),
        };
        now && covers(&self.action, action)
    }
}

/// What happens to the answer to the call of this running number, in this minute of
/// the scenario if that is known.
pub(crate) fn strikes<'a>(
    all: &'a [Hostile],
    (seed, number): (u64, u64),
    action: &str,
    minute: Option<i64>,
) -> Vec<&'a Kind> {
    let draw = |at: u64| hash(&[seed, 109, at, number]);
    let struck = (0_u64..).zip(all).filter(|(at, one)| one.strikes(draw(*at), action, minute));
    struck.map(|(_, one)| &one.kind).collect()
}

impl When {
    fn read(text: &str) -> Option<Self> {
        if let Some(span) = Span::read(text) {
            return Some(Self::Span(span));
        }
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share))?;
        Some(Self::Share(share))
    }
}

impl Kind {
    /// Reads a word, or a word with something behind a colon.
    fn read(text: &str) -> Option<Self> {
        let (word, value) = match text.split_once(':') {
            Some((word, value)) => (word, Some(value)),
            None => (text, None),
        };
        if let Some(wire) = Wire::read(word, value) {
            return Some(Self::Wire(wire));
        }
        if let Some(points) = Points::read(word, value) {
            return Some(Self::Points(points));
        }
        let limited = |(usual, most): (usize, usize)| match value {
            None => Some(usual),
            Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)),
        };
        let owned = || value.filter(|value| !value.is_empty()).map(str::to_owned);
        Some(match word {
            "error" => Self::Error(owned()?),
            "ok_error" => Self::OkError(owned()?),
            "token" => Self::Token(Token::read(value?)?),
            "code" => Self::Code(owned()?),
            "messages" => Self::Messages(limited(MESSAGES)?),
            "huge" => Self::Huge(limited(MIB)?),
            "without" => Self::Without(owned()?),
            "set" => {
                let (field, value) = value?.split_once('=')?;
                Self::Set(field.to_owned(), value.to_owned())
            }
            "attribute" => match value?.split_once('=') {
                Some((key, value)) => Self::Attribute(key.to_owned(), Some(value.to_owned())),
                None => Self::Attribute(owned()?, None),
            },
            "names" => Self::Names(Names::read(value?)?),
            _ => return None,
        })
    }
}

impl Token {
    fn read(word: &str) -> Option<Self> {
        match word {
            "empty" => Some(Self::Empty),
            "same" => Some(Self::Same),
            "new" => Some(Self::New),
            _ => None,
        }
    }
}

impl Names {
    fn read(word: &str) -> Option<Self> {
        match word {
            "control" => Some(Self::Control),
            "raw" => Some(Self::Raw),
            "rtl" => Some(Self::Rtl),
            "long" => Some(Self::Long),
            _ => None,
        }
    }
}

/// 2100-01-01, epoch seconds.
const YEAR_2100: i64 = 4_102_444_800;

impl Points {
    fn read(word: &str, value: Option<&str>) -> Option<Self> {
        Some(match (word, value?) {
            ("values", "fewer") => Self::Fewer,
            ("values", "more") => Self::More,
            ("values", number) => Self::Value(number.parse().ok()?),
            ("times", "1970") => Self::At(0),
            ("times", "2100") => Self::At(YEAR_2100),
            ("times", "unaligned") => Self::Shifted(37),
            ("times", "outside") => Self::Shifted(-86_400),
            ("times", seconds) => {
                let far = |seconds: &i64| seconds.abs() <= 100_000_000_000;
                Self::Shifted(seconds.parse().ok().filter(far)?)
            }
            ("ids", "unknown") => Self::UnknownIds,
            ("ids", "extra") => Self::ExtraIds,
            ("ids", "duplicate") => Self::DuplicateIds,
            ("ids", "none") => Self::NoResults,
            _ => return None,
        })
    }
}

impl Wire {
    fn read(word: &str, value: Option<&str>) -> Option<Self> {
        let status = |usual: Option<u16>, fits: fn(u16) -> bool| match value {
            None => usual,
            Some(text) => text.parse().ok().filter(|status| fits(*status)),
        };
        let redirect = || status(Some(301), |status| [301, 302, 303, 307, 308].contains(&status));
        let wire = match word {
            "type" => return Some(Self::Type(value.unwrap_or("text/html").to_owned())),
            "status" => return status(None, |one| (200..=599).contains(&one)).map(Self::Status),
            "redirect" => return redirect().map(Self::Redirect),
            "loop" => return redirect().map(Self::Loop),
            "hang" => Self::Hang,
            "slow" => Self::Slow,
            "endless" => Self::Endless,
            "cut" => Self::Cut,
            "stall" => Self::Stall,
            "empty" => Self::Empty,
            "malformed" => Self::Malformed,
            "garbage" => Self::Garbage,
            "html" => Self::Html,
            _ => return None,
        };
        value.is_none().then_some(wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Kind> {
        Hostile::read(&format!("sns:Publish/{text}")).map(|one| one.kind)
    }

    #[test]
    fn every_kind_is_read() {
        for (text, want) in [
            ("hang", Kind::Wire(Wire::Hang)),
            ("type", Kind::Wire(Wire::Type("text/html".to_owned()))),
            ("type:text/csv", Kind::Wire(Wire::Type("text/csv".to_owned()))),
            ("status:418", Kind::Wire(Wire::Status(418))),
            ("redirect", Kind::Wire(Wire::Redirect(301))),
            ("loop:307", Kind::Wire(Wire::Loop(307))),
            ("error:ExpiredToken", Kind::Error("ExpiredToken".to_owned())),
            ("token:new", Kind::Token(Token::New)),
            ("values:inf", Kind::Points(Points::Value(f64::INFINITY))),
            ("values:1e308", Kind::Points(Points::Value(1e308))),
            ("values:fewer", Kind::Points(Points::Fewer)),
            ("times:1970", Kind::Points(Points::At(0))),
            ("times:-60", Kind::Points(Points::Shifted(-60))),
            ("ids:duplicate", Kind::Points(Points::DuplicateIds)),
            ("messages", Kind::Messages(3_000)),
            ("huge:1", Kind::Huge(1)),
            ("without:MessageId", Kind::Without("MessageId".to_owned())),
            ("set:Name=x=y", Kind::Set("Name".to_owned(), "x=y".to_owned())),
            ("attribute:k=", Kind::Attribute("k".to_owned(), Some(String::new()))),
            ("attribute:k", Kind::Attribute("k".to_owned(), None)),
            ("names:rtl", Kind::Names(Names::Rtl)),
        ] {
            assert_eq!(kind(text), Some(want), "{text}");
        }
        let nan = kind("values:NaN");
        assert!(matches!(nan, Some(Kind::Points(Points::Value(value))) if value.is_nan()));
        for text in [
            "",
            "hung",
            "hang:1",
            "status",
            "status:99",
            "loop:200",
            "token",
            "token:old",
            "values",
            "values:x",
            "times:x",
            "times:1e9",
            "ids:some",
            "messages:0",
            "huge:513",
            "error",
            "without:",
            "set:a",
            "attribute:",
            "names:odd",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_is_hostile_to_some_calls_at_some_times() {
        let read = |text| Hostile::read(text).expect(text);
        let all = [
            read("cloudwatch:GetMetricData/hang/3-4"),
            read("cloudwatch:*/cut/0.3"),
            read("*/empty"),
        ];
        let count = |number, action, minute| strikes(&all, (1, number), action, minute).len();
        assert_eq!(count(1, "sns:Publish", Some(3)), 1);
        let often = (0..1_000).filter(|n| count(*n, "cloudwatch:ListMetrics", None) == 2).count();
        assert!((260..340).contains(&often), "{often}");
        let hung = |minute| {
            let kinds = strikes(&all, (1, 1), "cloudwatch:GetMetricData", minute);
            kinds.contains(&&Kind::Wire(Wire::Hang))
        };
        assert_eq!(
            [Some(2), Some(3), Some(4), Some(5), None].map(hung),
            [false, true, true, false, false]
        );
        for text in ["Publish/hang", "aws:X/hang", "sns:Publish", "*/hang/5", "*/hang/1/2"] {
            assert_eq!(Hostile::read(text), None, "{text}");
        }
    }
}
