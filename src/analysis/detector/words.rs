//! Words that several detectors share.

use super::Case;
use crate::analysis::forecast::Forecast;
use crate::analysis::quantity::{count, rough_time};
use crate::analysis::window::Window;

/// From this factor on traffic counts as more than usual.
const MORE: f64 = 1.5;

/// The traffic of the newest `minutes` as a factor of what is usual at this
/// time of day, or of the minutes before them where that is not known.
pub fn traffic(case: Case<'_>, minutes: u32) -> Option<f64> {
    let recent = case.window.newest(minutes);
    let usual = case.outlook.usual.requests.filter(|requests| *requests > 0.0);
    if let Some(requests) = usual.filter(|_| case.outlook.usual.is_known()) {
        return Some(recent.rate()? * 15.0 / requests);
    }
    let before = case.window.before(minutes).rate().filter(|rate| *rate > 0.0)?;
    Some(recent.rate()? / before)
}

/// The traffic in words, with what it means for the capacity.
pub fn traffic_words(case: Case<'_>, minutes: u32) -> String {
    let against = if case.outlook.usual.is_known() {
        "what is usual at this time"
    } else {
        "that of the minutes before"
    };
    match traffic(case, minutes) {
        None => "There is no traffic to compare with.".to_owned(),
        Some(factor) if factor > MORE => {
            format!("Traffic is {factor:.1}x {against}: a spike.")
        }
        Some(factor) if factor < 0.7 => {
            format!("Traffic is down to {factor:.1}x {against}.")
        }
        Some(factor) => {
            format!("Traffic is normal ({factor:.1}x {against}): a capacity warning, not a spike.")
        }
    }
}

/// What is usual of a count at this time of day.
pub fn usual_count(case: Case<'_>, mean: f64, most: f64) -> String {
    match (case.outlook.usual.days, case.outlook.learning_until) {
        (0, Some(until)) => {
            format!("What is usual at this time is not known yet: learning until {until}.")
        }
        (0, None) => "What is usual at this time is not known.".to_owned(),
        (days, _) => format!(
            "Usual at this time: {}, at most {} (last {days} d).",
            if mean >= 10.0 { count(mean) } else { format!("{mean:.1}") },
            count(most)
        ),
    }
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
