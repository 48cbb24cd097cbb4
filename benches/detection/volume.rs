//! How many messages a scenario sends, and whether each of them is news.

use std::collections::BTreeMap;

use nearmiss::analysis::alert::Reason;

use super::replay::{Alert, Outcome};

/// A severity rises twice at the most.
const ESCALATIONS: usize = 2;
/// Minutes between two reminders.
const REPEAT: i64 = 1440;

/// Messages of one scenario over some seeds.
#[derive(Default)]
struct Row {
    replays: usize,
    minutes: usize,
    episodes: usize,
    by_reason: BTreeMap<Reason, usize>,
    most_an_episode: usize,
    most_an_hour: usize,
}

/// Messages of all scenarios.
#[derive(Default)]
pub struct Volume {
    rows: BTreeMap<String, Row>,
    /// What was told without being news.
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
        for (id, told) in &episodes {
            row.most_an_episode = row.most_an_episode.max(told.len());
            self.noise.extend(noise(told).map(|what| format!("{name}: {id}: {what}")));
        }
    }

    /// The table. Returns whether every message was news.
    pub fn print(&self) -> bool {
        println!(
            "\nmessages: scenario, days replayed | episodes: firing + escalated + reminder + resolved | most of an episode, within an hour"
        );
        for (scenario, row) in &self.rows {
            let of = |reason| row.by_reason.get(&reason).copied().unwrap_or(0);
            println!(
                "{scenario:<24} {:>5.1} d x {} | {:>3}: {:>3} + {:>2} + {:>2} + {:>3} | {}, {}",
                row.minutes as f64 / 1440.0 / row.replays as f64,
                row.replays,
                row.episodes,
                of(Reason::Firing),
                of(Reason::Escalated),
                of(Reason::Reminder),
                of(Reason::Resolved),
                row.most_an_episode,
                row.most_an_hour,
            );
        }
        for noise in &self.noise {
            println!("NO NEWS: {noise}");
        }
        self.noise.is_empty()
    }
}

/// What is wrong with the messages of one episode, in their order.
fn noise(told: &[&Alert]) -> impl Iterator<Item = String> {
    let number = |reason| told.iter().filter(|alert| alert.reason == reason).count();
    let (firing, resolved) = (number(Reason::Firing), number(Reason::Resolved));
    let escalated = number(Reason::Escalated);
    let soon = told
        .windows(2)
        .filter(|two| two[1].reason == Reason::Reminder && two[1].at.since(two[0].at) < REPEAT);
    let wrong = [
        (firing > 1, format!("began {firing} times")),
        (resolved > 1, format!("ended {resolved} times")),
        (escalated > ESCALATIONS, format!("became worse {escalated} times")),
        (soon.count() > 0, "a reminder within a day".to_owned()),
    ];
    wrong.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what))
}
