//! Who must be notified of what, now: routes, mutes, repeats and groups.
//!
//! A function of what is known. An episode's [`TrackedEpisode`] says what each receiver has
//! taken; [`Router::due`] compares that with how the episode stands and with who may be
//! notified at this moment. What was not taken is due again, what is muted is not sent, and
//! nothing here remembers anything.

pub mod episode;
mod matcher;
mod mute;
pub mod notice;
pub mod notification_log;
mod receiver;
mod route;

use crate::EpisodeNotification;
use crate::alerting::episode::{Episode, TrackedEpisode};
use crate::alerting::notification_log::{NotificationLogEntry, Reason};
use crate::time::Minute;
pub use matcher::{Matcher, Subject};
pub use mute::{
    KEPT_MINUTES, LONGEST_COMMENT, MAX_SILENCES, Mute, SILENCE_SECONDS, Silence, Window,
};
pub use receiver::{Audience, Guarantee, Receiver, ReceiverId};
pub use route::{Repeat, Route};

/// What is to be done about an episode's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Every receiver was notified of everything.
    Nothing,
    /// There is something to notify of, and a silence or maintenance window mutes it.
    Muted,
    /// These are to be notified, each for its reason.
    Notify(Vec<(Receiver, Reason)>),
    /// It is over, and nobody needs to be notified of it any more.
    Done,
}

impl Due {
    /// Nobody needs to be notified again of an episode that is over. It is kept for as long
    /// as it may come back.
    fn over(episode: &Episode, now: Minute) -> Self {
        let kept = 0..=episode.comes_back_within();
        let is_kept = kept.contains(&now.since(episode.last_breach)) && !episode.abandoned;
        if is_kept { Self::Nothing } else { Self::Done }
    }
}

/// Where alerts go, and when they do not.
#[derive(Debug, Clone, Default)]
pub struct Router {
    /// In order; the first that fits, and the next ones while they say `continue`.
    pub routes: Vec<Route>,
    /// Who is notified of what no route fits.
    pub fallback: Receiver,
    /// When receivers are notified again of an open episode.
    pub repeat: Repeat,
    /// What is muted at present.
    pub mute: Mute,
}

impl Router {
    /// Everything to the log at once, once.
    #[must_use]
    pub fn plain() -> Self {
        Self { repeat: Repeat::Never, ..Self::default() }
    }

    /// The receivers of an alert, and how often each is reminded.
    #[must_use]
    pub fn receivers(&self, subject: Subject<'_>) -> Vec<(&Receiver, Repeat)> {
        let mut found: Vec<(&Receiver, Repeat)> = Vec::new();
        for route in self.routes.iter().filter(|route| route.takes(subject)) {
            if !found.iter().any(|(known, _)| **known == route.receiver) {
                found.push((&route.receiver, route.repeat.unwrap_or(self.repeat)));
            }
            if !route.goes_on {
                return found;
            }
        }
        if found.is_empty() {
            found.push((&self.fallback, self.repeat));
        }
        found
    }

    /// Every receiver that alerts can go to.
    pub fn known(&self) -> impl Iterator<Item = &Receiver> {
        self.routes.iter().map(|route| &route.receiver).chain([&self.fallback])
    }

    /// What receivers that take everything at once are notified of, which the records then
    /// say: for looking back, where nobody is waited for.
    pub fn replay(
        &self,
        records: &mut Vec<TrackedEpisode>,
        now: Minute,
    ) -> Vec<EpisodeNotification> {
        let mut said = Vec::new();
        for record in records.iter_mut() {
            let Due::Notify(due) = self.due(record, now) else { continue };
            for (receiver, reason) in due {
                let notice = EpisodeNotification::of(record, reason, now);
                record.enter(&receiver.id, reason, &notice.episode, now);
                said.push(notice);
            }
        }
        records.retain(|record| self.due(record, now) != Due::Done);
        said
    }

    /// What is to be done about a record at the end of minute `now`.
    #[must_use]
    pub fn due(&self, record: &TrackedEpisode, now: Minute) -> Due {
        let subject = Subject::of(record);
        let episode = &record.episode;
        if let Some(ended) = episode.ended
            && !record.audible
            && self.mute.mutes(subject, ended)
        {
            return Due::over(episode, now);
        }
        let mut receivers = self.receivers(subject);
        let notified = record.notified.keys();
        for known in notified.filter_map(|id| self.known().find(|known| known.id == *id)) {
            if !receivers.iter().any(|(receiver, _)| *receiver == known) {
                receivers.push((known, Repeat::Never));
            }
        }
        let due = receivers.into_iter().filter_map(|(receiver, repeat)| {
            let reason = reason(record, record.notified.get(&receiver.id), repeat, now)?;
            Some((receiver.clone(), reason))
        });
        let due: Vec<_> = due.collect();
        match (due.is_empty(), episode.is_open()) {
            (true, true) => Due::Nothing,
            (true, false) => Due::over(episode, now),
            (false, _) if self.mute.mutes(subject, now) => Due::Muted,
            (false, _) => Due::Notify(due),
        }
    }
}

/// Why a receiver that was notified of this much must be notified of a record, if it must.
fn reason(
    record: &TrackedEpisode,
    notified: Option<&NotificationLogEntry>,
    repeat: Repeat,
    now: Minute,
) -> Option<Reason> {
    let episode = &record.episode;
    let worse = episode.returns.map_or(0, |returns| returns.worse);
    match (episode.is_open(), notified) {
        (_, Some(notified)) if notified.over => None,
        (false, _) => Some(Reason::Resolved),
        // What came and went while muted needs no notification while it stays away.
        (true, None) => (record.audible || episode.goes_on()).then_some(Reason::Firing),
        (true, Some(notified))
            if episode.severity > notified.severity || worse > notified.worse =>
        {
            Some(Reason::Escalated)
        }
        (true, Some(notified)) => {
            let is_trouble = !episode.benign && episode.goes_on();
            let again = is_trouble && repeat.is_over(now.since(notified.last).abs());
            again.then_some(Reason::Reminder)
        }
    }
}
