//! How many messages a scenario sends, and whether each of them says something new.

use std::collections::BTreeMap;

use nearmiss_core::alerting::notification_log::Reason;

use super::replay::{Alert, Outcome};
use super::targets::Targets;

/// A severity rises at most twice.
const ESCALATIONS: usize = 2;
/// Minutes between two reminders.
const REPEAT: i64 = 1440;
/// What came back may send at most this many messages on the day on which it did, and this
/// many a day from then on; that it became worse always notifies.
const FIRST_DAY: usize = 3;
const LATER_DAY: usize = 1;
/// What no text says.
const NONSENSE: [&str; 3] = ["NaN", "inf", "(0 %)"];

/// Messages of one scenario over some seeds.
#[derive(Default)]
struct Row {
    replays: usize,
    minutes: usize,
    episodes: usize,
    by_reason: BTreeMap<Reason, usize>,
    most_an_episode: usize,
    most_an_hour: usize,
    /// Of episodes that came back: the most on their first day, and the most that are no
    /// escalation on any day after it.
    most_back: Option<(usize, usize)>,
}

/// Messages of all scenarios.
#[derive(Default)]
pub struct Volume {
    rows: BTreeMap<String, Row>,
    /// What was notified without anything new.
    noise: Vec<String>,
}

impl Volume {
    /// Adds a replay. Its name is `scenario-seed`.
    pub fn add(&mut self, name: &str, outcome: &Outcome) {
        let scenario = name.rsplit_once('-').map_or(name, |(scenario, _)| scenario).to_owned();
        let row = self.rows.entry(scenario).or_default();
        row.replays += 1;
        row.minutes += outcome.minutes;
        let mut episodes: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
        for alert in &outcome.alerts {
            *row.by_reason.entry(alert.reason).or_default() += 1;
            episodes.entry(&alert.episode).or_default().push(alert);
            let hour = |other: &&Alert| (0..60).contains(&alert.at.since(other.at));
            row.most_an_hour = row.most_an_hour.max(outcome.alerts.iter().filter(hour).count());
        }
        row.episodes += episodes.len();
        for (id, notified) in &episodes {
            row.most_an_episode = row.most_an_episode.max(notified.len());
            let back = came_back(notified);
            if let Some((first, later)) = back {
                let most = row.most_back.unwrap_or_default();
                row.most_back = Some((most.0.max(first), most.1.max(later)));
            }
            self.noise.extend(noise(notified, back).map(|what| format!("{name}: {id}: {what}")));
        }
    }

    /// What was notified without anything new.
    pub fn judge(&self, targets: &mut Targets) {
        targets.none("a message that is no news", &self.noise);
    }

    /// The table.
    pub fn print(&self) {
        println!(
            "\nmessages: scenario, days replayed | episodes: firing + escalated + reminder + resolved | most of an episode, within an hour | of what came back: on its first day, on a later one"
        );
        for (scenario, row) in &self.rows {
            let of = |reason| row.by_reason.get(&reason).copied().unwrap_or(0);
            let back = row.most_back.map(|(first, later)| format!("{first}, {later}"));
            println!(
                "{scenario:<24} {:>5.1} d x {} | {:>3}: {:>3} + {:>2} + {:>2} + {:>3} | {}, {} | {}",
                row.minutes as f64 / 1440.0 / row.replays as f64,
                row.replays,
                row.episodes,
                of(Reason::Firing),
                of(Reason::Escalated),
                of(Reason::Reminder),
                of(Reason::Resolved),
                row.most_an_episode,
                row.most_an_hour,
                back.as_deref().unwrap_or("-"),
            );
        }
    }
}

/// The messages of an episode that came back: on its first day, and the most on another
/// one that are no escalation. `None` of any other episode.
fn came_back(notified: &[&Alert]) -> Option<(usize, usize)> {
    let first = notified.first().filter(|alert| alert.comes_back)?;
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for alert in notified {
        let day = alert.at.since(first.at) / REPEAT;
        let counts = day == 0 || alert.reason != Reason::Escalated;
        *days.entry(day).or_default() += usize::from(counts);
    }
    let later = days.range(1..).map(|(_, messages)| *messages).max();
    Some((days.get(&0).copied().unwrap_or(0), later.unwrap_or(0)))
}

/// What is wrong with the messages of one episode, in their order.
fn noise(notified: &[&Alert], back: Option<(usize, usize)>) -> impl Iterator<Item = String> {
    let number = |reason| notified.iter().filter(|alert| alert.reason == reason).count();
    let (firing, resolved) = (number(Reason::Firing), number(Reason::Resolved));
    let escalated = number(Reason::Escalated);
    let soon = notified
        .windows(2)
        .filter(|two| two[1].reason == Reason::Reminder && two[1].at.since(two[0].at) < REPEAT);
    let (on_first, on_later) = back.unwrap_or_default();
    let nonsense = |alert: &&&Alert| NONSENSE.iter().any(|word| alert.why.contains(word));
    let said = notified.iter().find(nonsense).map(|alert| alert.why.clone());
    let wrong = [
        (firing > 1, format!("began {firing} times")),
        (resolved > 1, format!("ended {resolved} times")),
        (back.is_none() && escalated > ESCALATIONS, format!("became worse {escalated} times")),
        (on_first > FIRST_DAY, format!("came back with {on_first} messages within a day")),
        (on_later > LATER_DAY, format!("{on_later} messages within a later day")),
        (soon.count() > 0, "a reminder within a day".to_owned()),
        (said.is_some(), format!("says \"{}\"", said.unwrap_or_default())),
    ];
    wrong.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what))
}
