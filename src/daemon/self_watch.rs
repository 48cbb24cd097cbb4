//! What the daemon reports about itself: its own trouble, when it lasts, and that it is
//! alive.
//!
//! The daemon hands in the state of both; what is sent, and who accepted it, is entered
//! there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_config::SdkConfig;
use tracing::{error, info};

use super::chats::Chats;
use crate::config::{Config, Schedule, Watcher, Zone};
use crate::edge::host;
use crate::sink::Target;
use crate::store::{PersistedState, ScheduledMessage};
use nearmiss_core::alerting::{Receiver, ReceiverId};
use nearmiss_core::notification::{
    Component, DeadMansSwitch, Delivery, Notification, SelfAlert, SelfAlertNotification,
};
use nearmiss_core::time::Minute;

/// The most lines of a self alert.
const MAX_LINES: usize = 20;

/// What the daemon knows about itself.
#[derive(Debug)]
pub(super) struct SelfWatch {
    /// The machine that it runs on, for messages.
    pub(super) host: String,
    pub(super) chats: Chats,
    /// What the log said last, by component.
    said: HashMap<&'static str, BTreeSet<String>>,
    watcher: Watcher,
    /// Who is notified, unless delivery to them is the trouble.
    usual: Receiver,
    /// All receivers that the config has.
    ways: Vec<Way>,
}

/// A receiver, and the sink that reaches it.
#[derive(Debug)]
struct Way {
    receiver: Receiver,
    /// Whether it is one whose chat channel is watched.
    is_chat: bool,
}

/// The daemon's troubles, and who accepted what about them: a part of the state.
pub(super) type SelfAlerts = BTreeMap<Component, SelfAlert>;

impl SelfWatch {
    pub(super) async fn of_config(config: &Config, base: &SdkConfig) -> Self {
        let chats = Chats::connect(config.chat_configurations(), base).await;
        Self::new(config, chats)
    }

    fn new(config: &Config, chats: Chats) -> Self {
        let way = |target: &Target| Way {
            receiver: target.receiver(),
            is_chat: target.chat_configuration().is_some(),
        };
        let watcher = config.watcher.clone();
        let usual = watcher.target.as_ref().map(|target| target.receiver());
        Self {
            host: host::name(),
            chats,
            said: HashMap::new(),
            usual: usual.unwrap_or_else(|| config.fallback()),
            ways: config.targets().map(way).collect(),
            watcher,
        }
    }

    /// Continues with another config. What the log said stays.
    pub(super) async fn follow(&mut self, config: &Config, base: &SdkConfig) {
        let said = std::mem::take(&mut self.said);
        *self = Self { said, ..Self::of_config(config, base).await };
    }

    /// Enters in `own` what is wrong with this component now; nothing means that it is
    /// well. A self alert is due when trouble lasts. Returns whether something is wrong.
    pub(super) fn note(
        &mut self,
        component: Component,
        lines: impl IntoIterator<Item = String>,
        now: Minute,
        own: &mut SelfAlerts,
    ) -> bool {
        let lines: BTreeSet<String> = lines.into_iter().collect();
        let is_wrong = !lines.is_empty();
        if is_wrong {
            let trouble = own.entry(component).or_insert_with(|| SelfAlert::starting(now));
            trouble.begin_again(now);
            trouble.lines = lines.iter().take(MAX_LINES).cloned().collect();
        } else if let Some(trouble) = own.get_mut(&component) {
            trouble.ended.get_or_insert(now);
        }
        own.retain(|_, trouble| !trouble.is_done());
        self.say(component.name(), lines);
        is_wrong
    }

    /// Logs what is wrong with a component at present: each trouble once when it begins,
    /// and once when all are over.
    pub(super) fn say(&mut self, component: &'static str, now: impl IntoIterator<Item = String>) {
        let now: BTreeSet<String> = now.into_iter().collect();
        let before = self.said.entry(component).or_default();
        for trouble in now.difference(before) {
            error!(theme = component, "{trouble}");
        }
        if now.is_empty() && !before.is_empty() {
            info!(theme = component, "all is well again");
        }
        *before = now;
    }

    /// The self alerts that are due. `failing` are the receivers that accepted nothing last
    /// time.
    pub(super) fn due(
        &self,
        own: &mut SelfAlerts,
        failing: &HashSet<ReceiverId>,
        now: Minute,
    ) -> Vec<Delivery> {
        let known: BTreeMap<ReceiverId, Receiver> =
            self.receivers().map(|receiver| (receiver.id.clone(), receiver)).collect();
        for alert in own.values_mut() {
            alert.notified.retain(|receiver, _| known.contains_key(receiver));
        }
        own.retain(|_, alert| !alert.is_done());
        let mut due = Vec::new();
        for (component, alert) in own.iter() {
            let notified = alert.notified.keys().filter(|_| alert.ended.is_some());
            let mut hearers: BTreeMap<&ReceiverId, &Receiver> = BTreeMap::new();
            hearers.extend(notified.filter_map(|id| known.get_key_value(id)));
            hearers.extend(self.watchers(*component, failing).map(|one| (&one.id, one)));
            let one = |receiver: &Receiver| self.alert(*component, alert, receiver, now);
            due.extend(hearers.into_values().filter_map(one));
        }
        due
    }

    /// The self alert that is due for a receiver, if there is one.
    fn alert(
        &self,
        component: Component,
        alert: &SelfAlert,
        receiver: &Receiver,
        now: Minute,
    ) -> Option<Delivery> {
        let Watcher { after, repeat_interval, .. } = self.watcher;
        let reason = alert.due(&receiver.id, after.minutes(), repeat_interval, now)?;
        let (name, step) = (component.name(), alert.step(&receiver.id, reason));
        let notification = SelfAlertNotification {
            id: format!("own/{}/{name}/{}/{step}", self.host, alert.since),
            theme: component,
            reason,
            since: alert.since,
            at: now,
            lines: alert.lines.clone(),
            host: self.host.clone(),
        };
        Some(Delivery {
            receiver: receiver.clone(),
            notification: Notification::SelfAlert(notification),
        })
    }

    /// Who is notified of the daemon's own trouble. That alerts are not delivered is sent
    /// through another receiver, where there is one, and so is that they do not reach a
    /// chat channel.
    fn watchers(
        &self,
        component: Component,
        failing: &HashSet<ReceiverId>,
    ) -> impl Iterator<Item = &Receiver> {
        let is_broken = match component {
            Component::Delivery => failing.contains(&self.usual.id),
            Component::Chat => true,
            _ => false,
        };
        let works = |way: &&Way| match component {
            Component::Chat => !way.is_chat,
            _ => !failing.contains(&way.receiver.id),
        };
        let others = self.ways.iter().filter(|_| is_broken).filter(works);
        let others: Vec<&Receiver> = others.map(|way| &way.receiver).collect();
        if others.is_empty() { vec![&self.usual].into_iter() } else { others.into_iter() }
    }

    /// Every receiver that the config names, and the log.
    fn receivers(&self) -> impl Iterator<Item = Receiver> {
        self.ways.iter().map(|way| way.receiver.clone()).chain([Receiver::log()])
    }

    /// The time for which the message that the daemon is alive is due, if it is.
    pub(super) fn alive_at(&self, persisted: &mut PersistedState, now: i64) -> Option<Minute> {
        let Watcher { alive_schedule, timezone, .. } = &self.watcher;
        let schedule = alive_schedule.as_ref()?;
        let at = tick(persisted, ScheduledMessage::Alive, schedule, *timezone, now)?;
        Some(Minute::containing(at))
    }

    /// The message that the daemon is alive and watches this many gateways, of which some
    /// are without data.
    pub(super) fn alive(
        &self,
        at: Minute,
        persisted: &PersistedState,
        (gateways, without_data): (usize, usize),
    ) -> Delivery {
        let records = persisted.gateways.values().flat_map(|state| &state.records);
        let silences = persisted.silences.iter().filter(|silence| silence.until > at);
        let troubles = persisted.own.values().filter(|alert| alert.ended.is_none());
        let alive = DeadMansSwitch {
            at,
            host: self.host.clone(),
            gateways: gateways as u64,
            without_data: without_data as u64,
            open: records.filter(|record| record.episode.is_open()).count() as u64,
            silences: silences.count() as u64,
            troubles: troubles.flat_map(|alert| alert.lines.clone()).take(MAX_LINES).collect(),
        };
        let notification = Notification::DeadMansSwitch(alive);
        Delivery { receiver: self.usual.clone(), notification }
    }
}

/// Enters what a receiver accepted that is not about gateways.
pub(super) fn enter(delivery: &Delivery, persisted: &mut PersistedState, now: i64) {
    match &delivery.notification {
        Notification::SelfAlert(notification) => {
            if let Some(alert) = persisted.own.get_mut(&notification.theme) {
                let minute = Minute::containing(now);
                alert.enter(&delivery.receiver.id, notification.reason, minute);
            }
            persisted.own.retain(|_, alert| !alert.is_done());
        }
        Notification::Digest(_) => {
            persisted.sent.insert(ScheduledMessage::Digest, now);
        }
        Notification::DeadMansSwitch(_) => {
            persisted.sent.insert(ScheduledMessage::Alive, now);
        }
        Notification::One(_) | Notification::Group(_) | Notification::Test(_) => {}
    }
}

/// The newest tick of a schedule that was not served; none the first time.
pub(super) fn tick(
    persisted: &mut PersistedState,
    what: ScheduledMessage,
    schedule: &Schedule,
    zone: Zone,
    now: i64,
) -> Option<i64> {
    let served = persisted.sent.entry(what).or_insert(now);
    // The clock may have been ahead then.
    *served = now.min(*served);
    schedule.between(*served + 1, now + 1, zone).pop()
}

#[cfg(test)]
mod tests;
