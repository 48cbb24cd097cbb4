//! Notifying: once in a poll, after everything was read and assessed.
//!
//! What is due is computed from the gateways' states, so that no notification has to be
//! queued: what a receiver did not accept is due again at the next poll. The daemon hands
//! in the states and saves them; see [`Daemon::notify`](super::Daemon).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aws_config::SdkConfig;
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all};

use super::diagnose::Asked;
use super::poller::Present;
use crate::config::{Config, Maintenance};
use crate::edge::time::Deadline;
use crate::sink::{Senders, Sent, SinkError};
use crate::store::GatewayStates;
use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::episode::TrackedEpisode;
use nearmiss_core::alerting::{
    Due, Guarantee, KEPT_MINUTES, Mute, Receiver, ReceiverId, Router, Silence,
};
use nearmiss_core::capacity::Digest;
use nearmiss_core::notification::{Delivery, GROUP_MINUTES, Notification, pack};
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;

/// Minutes older than this are read to catch up; what happened in them is notified of once
/// the present is reached, as it stands then.
const RECENT_MINUTES: i64 = 15;
/// For a receiver that drops duplicates, it is enough that the state is saved after this
/// many deliveries.
const SAVED_TOGETHER: usize = 100;

/// Who is notified, and how it went.
#[derive(Debug)]
pub(super) struct Notifier {
    pub(super) router: Router,
    maintenance: Vec<Maintenance>,
    senders: Arc<Senders>,
    /// What was found out about open episodes, by gateway.
    pub(super) asked: HashMap<String, Asked>,
    /// The receivers that accepted nothing last time.
    pub(super) failing: HashSet<ReceiverId>,
    /// Since when the oldest delivery that was not accepted waits (seconds since the Unix
    /// epoch).
    pub(super) waiting: HashMap<Waiting, i64>,
    /// The capacity report that is being sent, and when it was due.
    pub(super) digest: Option<(i64, Arc<Digest>)>,
}

/// A receiver, and what it was not notified of yet.
pub(super) type Waiting = (ReceiverId, String);

/// What is to be delivered to each receiver, in its order.
pub(super) type Queues = BTreeMap<ReceiverId, Vec<Delivery>>;

/// Deliveries on their way, to all receivers side by side.
pub(super) struct Sending {
    sent: SelectAll<BoxStream<'static, Sent>>,
    /// How many deliveries about each subject are not accepted.
    left: HashMap<Waiting, usize>,
    refusals: BTreeMap<ReceiverId, Vec<String>>,
    /// How many were accepted since the state was saved.
    unsaved: usize,
}

/// How a round of deliveries ended.
pub(super) struct Ended {
    /// Whether something was accepted since the state was saved.
    pub(super) is_unsaved: bool,
    /// What was not accepted, and the way out: one line each.
    pub(super) refusals: Vec<String>,
}

impl Sending {
    /// The next delivery that was tried. A receiver's next delivery begins when this is
    /// called again. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Sent> {
        self.sent.next().await
    }
}

impl Notifier {
    pub(super) async fn of_config(config: &Config, base: &SdkConfig) -> Self {
        let senders = Senders::connect(config.targets(), config.links.clone(), base).await;
        Self::new(config.router(), config.maintenance.clone(), senders)
    }

    fn new(router: Router, maintenance: Vec<Maintenance>, senders: Senders) -> Self {
        Self {
            router,
            maintenance,
            senders: Arc::new(senders),
            asked: HashMap::new(),
            failing: HashSet::new(),
            waiting: HashMap::new(),
            digest: None,
        }
    }

    /// Continues with another config. What was sent stays.
    pub(super) async fn follow(&mut self, config: &Config, base: &SdkConfig) {
        let Self { router, maintenance, senders, .. } = Self::of_config(config, base).await;
        (self.router, self.maintenance, self.senders) = (router, maintenance, senders);
    }

    /// What was found out about the episode of gateway `old` belongs to `new` from now on.
    pub(super) fn hand_on(&mut self, old: &str, new: &str) {
        if let Some(asked) = self.asked.remove(old) {
            self.asked.insert(new.to_owned(), asked);
        }
    }

    /// Who must be notified of what, as things stand, except for gateways that are being
    /// caught up with: what happened there is notified of once the present is reached.
    /// `reading` are the gateways whose minutes this poll got.
    pub(super) fn due(
        &mut self,
        states: &mut GatewayStates,
        silences: &mut Vec<Silence>,
        reading: &HashSet<String>,
        Present { now, end, .. }: Present,
    ) -> Vec<(Receiver, EpisodeNotification)> {
        let minute = Minute::containing(now);
        // Without an answer from AWS in this poll the clock may have been set since the
        // last one: then nothing is forgotten.
        if !reading.is_empty() {
            silences.retain(|silence| silence.until > minute.plus(-KEPT_MINUTES));
        }
        let windows = self.maintenance.iter().flat_map(|one| one.windows(minute));
        self.router.mute = Mute { silences: silences.clone(), windows: windows.collect() };
        let is_behind = |key: &String, state: &GatewayState| {
            end.since(state.unread()) > RECENT_MINUTES && reading.contains(key)
        };
        let with_episodes = states.iter().filter(|(_, state)| !state.records.is_empty());
        let ready = with_episodes.filter(|(key, state)| !is_behind(key, state));
        let ready: Vec<String> = ready.map(|(key, _)| key.clone()).collect();
        let mut due = Vec::new();
        for key in ready {
            let Some(state) = states.get_mut(&key) else { continue };
            state.update_audible(&self.router, minute);
            due.extend(state.due(&self.router, minute));
        }
        due
    }

    /// What is due, in the order in which each receiver gets it: many gateways at once as a
    /// group, and what is about no gateway last.
    pub(super) fn pack(
        due: Vec<(Receiver, EpisodeNotification)>,
        others: Vec<Delivery>,
        states: &GatewayStates,
        now: Minute,
    ) -> Queues {
        let since = now.plus(-GROUP_MINUTES);
        let mut queues = pack(due, |receiver| {
            states.values().map(|state| state.notified_since(receiver, since)).sum()
        });
        for delivery in others {
            queues.entry(delivery.receiver.id.clone()).or_default().push(delivery);
        }
        queues
    }

    /// The capacity report, while there is one to send.
    pub(super) fn report(&self) -> Option<Delivery> {
        let (_, report) = self.digest.as_ref()?;
        let notification = Notification::Digest(Arc::clone(report));
        Some(Delivery { receiver: self.router.fallback.clone(), notification })
    }

    /// Begins to send, to all receivers side by side and to each in order.
    pub(super) fn send(&self, queues: Queues, deadline: &Deadline) -> Sending {
        let mut left: HashMap<Waiting, usize> = HashMap::new();
        for delivery in queues.values().flatten() {
            *left.entry(waits_as(delivery)).or_default() += 1;
        }
        let deliver = |queue| Arc::clone(&self.senders).deliver(queue, deadline.clone()).boxed();
        let sent = select_all(queues.into_values().map(deliver));
        Sending { sent, left, refusals: BTreeMap::new(), unsaved: 0 }
    }

    /// Enters how a delivery went. Returns whether the state must be saved before the next
    /// one is sent: a crash between the two would repeat it.
    pub(super) fn enter(
        &mut self,
        sending: &mut Sending,
        Sent { delivery, outcome, .. }: Sent,
        states: &mut GatewayStates,
        now: i64,
    ) -> bool {
        if let Err(error) = outcome {
            let said = refusal(&delivery, &error);
            sending.refusals.entry(delivery.receiver.id).or_default().push(said);
            return false;
        }
        if let Some(left) = sending.left.get_mut(&waits_as(&delivery)) {
            *left -= 1;
        }
        let minute = Minute::containing(now);
        for notice in delivery.notices() {
            if let Some(state) = states.get_mut(&notice.gateway.id.key()) {
                state.notified(notice, &delivery.receiver.id, minute);
                state.update_audible(&self.router, minute);
            }
        }
        if matches!(delivery.notification, Notification::Digest(_)) {
            self.digest = None;
        }
        sending.unsaved += 1;
        let saves = sending.unsaved >= SAVED_TOGETHER
            || delivery.receiver.guarantee == Guarantee::AtLeastOnce;
        if saves {
            sending.unsaved = 0;
        }
        saves
    }

    /// Ends a round of deliveries: what was not accepted waits.
    pub(super) fn finish(&mut self, sending: Sending, now: i64) -> Ended {
        let Sending { left, refusals, unsaved, .. } = sending;
        let before = std::mem::take(&mut self.waiting);
        let since = |key: &Waiting| before.get(key).copied().unwrap_or(now);
        let left = left.into_iter().filter(|(_, left)| *left > 0);
        self.waiting = left.map(|(key, _)| (key.clone(), since(&key))).collect();
        self.failing = refusals.keys().cloned().collect();
        let refusals = refusals.into_values().flatten().collect();
        Ended { is_unsaved: unsaved > 0, refusals }
    }

    /// How many episodes are muted.
    pub(super) fn muted(&self, states: &GatewayStates, now: Minute) -> usize {
        let records = states.values().flat_map(|state| &state.records);
        let is_muted = |record: &&TrackedEpisode| self.router.due(record, now) == Due::Muted;
        records.filter(is_muted).count()
    }
}

/// What waits for a receiver: all notifications about one subject count as one.
fn waits_as(delivery: &Delivery) -> Waiting {
    (delivery.receiver.id.clone(), delivery.notification.about())
}

/// A line about what was not accepted, with the way out.
fn refusal(delivery: &Delivery, error: &SinkError) -> String {
    let what = match &delivery.notification {
        Notification::One(notice) => {
            format!("{} is {}", notice.gateway.id.name, notice.reason.name())
        }
        Notification::Group(group) => {
            format!("{} gateways are {}", group.notices.len(), group.reason.name())
        }
        Notification::SelfAlert(own) => own.theme.headline().to_owned(),
        Notification::DeadMansSwitch(_) => "the daemon is alive".to_owned(),
        Notification::Digest(_) => "there is a capacity report".to_owned(),
        Notification::Test(_) => "this is a test".to_owned(),
    };
    let receiver = &delivery.receiver.id;
    format!("{error}. The next poll will tell {receiver} that {what}. {}", error.advice)
}

#[cfg(test)]
mod tests;
