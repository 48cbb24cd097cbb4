//! Words that several detectors share.

use crate::detect::Case;
use crate::number::quantity::{count, rough_time, telling};
use crate::number::statistics::beyond_chance;
use crate::series::forecast::Forecast;
use crate::series::window::Window;

/// From this factor on traffic counts as more than usual.
const MORE: f64 = 1.5;
/// Up to this factor it counts as less.
const LESS: f64 = 0.7;
/// Fewer requests than this are written as they are: a factor of a few is chance.
const FEW: f64 = 20.0;

/// The traffic of some minutes beside that of another time of the same length.
struct Traffic {
    requests: f64,
    usual: f64,
    minutes: usize,
    against: &'static str,
}

impl Traffic {
    /// The newest `minutes` beside what is usual at this time of day, or beside the
    /// minutes before them where that is not known.
    fn of(case: Case<'_>, minutes: u32) -> Option<Self> {
        let recent = case.window.newest(minutes);
        let usual = case.outlook.usual.requests.filter(|_| case.outlook.usual.is_known());
        let (rate, against) = match usual {
            Some(requests) => (requests / 15.0, "what is usual at this time"),
            None => (case.window.before(minutes).rate()?, "that of the minutes before"),
        };
        #[allow(clippy::cast_precision_loss)] // tens of minutes
        let usual = rate * recent.minutes() as f64;
        let requests = recent.requests();
        (usual > 0.0).then_some(Self { requests, usual, minutes: recent.minutes(), against })
    }
}

/// The traffic in words, with what it means for the capacity.
pub fn traffic_words(case: Case<'_>, minutes: u32) -> String {
    let Some(Traffic { requests, usual, minutes, against }) = Traffic::of(case, minutes) else {
        return "There is no traffic to compare with.".to_owned();
    };
    let factor = requests / usual;
    let is_few = requests.max(usual) < FEW;
    match factor {
        _ if is_few => format!(
            "Traffic is low: {} requests in {minutes} min, {against} is {}.",
            count(requests),
            few(usual)
        ),
        f if f > MORE && requests > beyond_chance(usual) => {
            format!("Traffic in these {minutes} min is {f:.1}x {against}: a spike.")
        }
        f if f < LESS => format!("Traffic in these {minutes} min is down to {f:.1}x {against}."),
        f => format!(
            "Traffic in these {minutes} min is normal ({f:.1}x {against}): a capacity warning, not a spike."
        ),
    }
}

/// A count over this many minutes.
#[derive(Clone, Copy)]
pub struct Over(pub f64, pub u32);

/// What is usual of a count of `what` at this time of day: its mean, and the most.
pub fn usual_count(case: Case<'_>, what: &str, mean: Over, most: Over) -> String {
    let usual = &case.outlook.usual;
    match (usual.days, case.outlook.learning_until) {
        (0, Some(_)) if !case.outlook.is_read => {
            "What is usual at this time is not known yet: the history is being read.".to_owned()
        }
        (0, Some(until)) => {
            format!("What is usual at this time is not known yet: learning until {until}.")
        }
        (0, None) => "What is usual at this time is not known.".to_owned(),
        _ if usual.most_at_risk.is_none() => {
            "What is usual at this time is not known: no day was without trouble, or the timeout is new."
                .to_owned()
        }
        (days, _) => {
            let span = if most.1 == mean.1 { String::new() } else { format!(" in {} min", most.1) };
            format!(
                "Usual at this time: {} {what} in {} min, at most {}{span} (last {days} d).",
                few(mean.0),
                mean.1,
                count(most.0)
            )
        }
    }
}

/// A count that may be a fraction of one.
fn few(value: f64) -> String {
    if value >= 10.0 { count(value) } else { telling(value) }
}

/// A forecast: `in about 3 h (2 h to 5 h)`.
pub fn in_about(forecast: Forecast) -> String {
    format!(
        "in about {} ({} to {})",
        rough_time(forecast.mid),
        rough_time(forecast.low),
        rough_time(forecast.high)
    )
}

/// `12 of 340 requests in 15 min`.
pub fn of_requests(events: f64, window: Window<'_>) -> String {
    format!(
        "{} of {} requests in {} min",
        count(events),
        count(window.requests()),
        window.minutes()
    )
}
