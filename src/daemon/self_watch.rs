//! What the daemon says of itself and by the clock: its own troubles, that it is
//! alive, whether messages reach the chat channel, and the capacity report.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_config::SdkConfig;
use tracing::{error, info};

use super::Daemon;
use super::chats::Chats;
use crate::config::{Config, Schedule, Zone};
use crate::edge::aws::Usage;
use crate::edge::host;
use crate::edge::time::Deadline;
use crate::store::ScheduledMessage;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::notification::{
    Component, DeadMansSwitch, Delivery, Notification, SelfAlert, SelfAlertNotification,
};
use nearmiss_core::time::Minute;

/// A trouble is told in so many lines at the most.
const MAX_LINES: usize = 20;
/// A capacity report waits for the history for so long, seconds.
const MAX_PATIENCE: i64 = 3_600;

/// What the daemon knows of itself.
#[derive(Debug)]
pub(super) struct SelfWatch {
    /// The machine that it runs on, for messages.
    pub(super) host: String,
    pub(super) chats: Chats,
    /// What the log said last, by theme.
    said: HashMap<&'static str, BTreeSet<String>>,
}

impl SelfWatch {
    pub(super) async fn of_config(config: &Config, base: &SdkConfig) -> Self {
        Self {
            host: host::name(),
            chats: Chats::connect(config.chat_configurations(), base).await,
            said: HashMap::new(),
        }
    }

    /// What is wrong with this theme now; nothing is well. It is told when it lasts, by
    /// what is noted in `own`. Returns whether something is wrong.
    pub(super) fn note(
        &mut self,
        theme: Component,
        lines: impl IntoIterator<Item = String>,
        now: Minute,
        own: &mut BTreeMap<Component, SelfAlert>,
    ) -> bool {
        let lines: BTreeSet<String> = lines.into_iter().collect();
        let is_wrong = !lines.is_empty();
        if is_wrong {
            let trouble = own.entry(theme).or_insert_with(|| SelfAlert::starting(now));
            trouble.begin_again(now);
            trouble.lines = lines.iter().take(MAX_LINES).cloned().collect();
        } else if let Some(trouble) = own.get_mut(&theme) {
            trouble.ended.get_or_insert(now);
        }
        own.retain(|_, trouble| !trouble.is_done());
        self.say(theme.name(), lines);
        is_wrong
    }

    /// Says in the log what is wrong with a theme at present: each trouble once when it
    /// begins, and once when all are over.
    pub(super) fn say(&mut self, theme: &'static str, now: impl IntoIterator<Item = String>) {
        let now: BTreeSet<String> = now.into_iter().collect();
        let before = self.said.entry(theme).or_default();
        for trouble in now.difference(before) {
            error!(theme, "{trouble}");
        }
        if now.is_empty() && !before.is_empty() {
            info!(theme, "all is well again");
        }
        *before = now;
    }
}

impl Daemon {
    /// What is due of it.
    pub(super) fn own_news(&mut self, now: i64) -> Vec<Delivery> {
        let minute = Minute::containing(now);
        let known: BTreeSet<Receiver> = self.receivers().collect();
        for own in self.memory.own.values_mut() {
            own.told.retain(|receiver, _| known.contains(receiver));
        }
        self.memory.own.retain(|_, own| !own.is_done());
        let watcher = &self.config.watcher;
        let mut parcels = Vec::new();
        for (theme, own) in &self.memory.own {
            for receiver in self.hearers(*theme, own) {
                let after = watcher.after.minutes();
                let due = own.due(&receiver, after, watcher.repeat_interval, minute);
                let Some(reason) = due else { continue };
                let notice = SelfAlertNotification {
                    id: format!(
                        "own/{}/{}/{}/{}",
                        self.self_watch.host,
                        theme.name(),
                        own.since,
                        own.step(&receiver, reason)
                    ),
                    theme: *theme,
                    reason,
                    since: own.since,
                    at: minute,
                    lines: own.lines.clone(),
                    host: self.self_watch.host.clone(),
                };
                parcels.push(Delivery { receiver, news: Notification::SelfAlert(notice) });
            }
        }
        parcels.extend(self.by_the_clock(now));
        parcels
    }

    /// Who hears of a trouble: its watchers, and of its end whoever heard of it.
    fn hearers(&self, theme: Component, own: &SelfAlert) -> BTreeSet<Receiver> {
        let mut hearers: BTreeSet<Receiver> = self.watchers(theme).into_iter().collect();
        if own.ended.is_some() {
            hearers.extend(own.told.keys().cloned());
        }
        hearers
    }

    /// Who hears of the daemon's own troubles. That alerts are not delivered goes
    /// another way, where there is one.
    fn watchers(&self, theme: Component) -> Vec<Receiver> {
        let usual = self.watcher();
        let is_broken = match theme {
            Component::Delivery => self.notifier.failing.contains(&usual),
            Component::Chat => true,
            _ => false,
        };
        if !is_broken {
            return vec![usual];
        }
        let others = self.config.topics().filter(|topic| match theme {
            Component::Chat => topic.chat_configuration.is_none(),
            _ => !self.notifier.failing.contains(&topic.receiver()),
        });
        let working: BTreeSet<_> = others.map(crate::config::Topic::receiver).collect();
        if working.is_empty() { vec![usual] } else { working.into_iter().collect() }
    }

    /// Everybody whom the config names, and the log.
    fn receivers(&self) -> impl Iterator<Item = Receiver> {
        let topics = self.config.topics().map(crate::config::Topic::receiver);
        topics.chain([Receiver::default()])
    }

    fn watcher(&self) -> Receiver {
        let topic = self.config.watcher.topic.as_ref().or(self.config.sink.sns.as_ref());
        topic.map_or_else(Receiver::default, crate::config::Topic::receiver)
    }

    /// The capacity report and the message that the daemon is alive, when it is time.
    fn by_the_clock(&mut self, now: i64) -> Vec<Delivery> {
        let mut parcels = Vec::new();
        if let Some((_, report)) = &self.notifier.digest {
            let receiver = self.notifier.desk.fallback.clone();
            parcels.push(Delivery { receiver, news: Notification::Digest(Arc::clone(report)) });
        }
        let watcher = &self.config.watcher;
        if let Some(schedule) = watcher.alive_schedule.clone()
            && let Some(at) = self.tick(ScheduledMessage::Alive, &schedule, watcher.timezone, now)
        {
            let alive = self.alive(Minute::containing(at));
            parcels.push(Delivery {
                receiver: self.watcher(),
                news: Notification::DeadMansSwitch(alive),
            });
        }
        parcels
    }

    /// Makes the capacity report when it is due, once, however often it must be sent.
    pub(super) async fn make_scheduled_report(
        &mut self,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let digest = self.config.digest.clone();
        let is_wanted = digest.enabled && self.notifier.desk.fallback != Receiver::default();
        let due = if is_wanted {
            self.tick(ScheduledMessage::Digest, &digest.schedule, digest.timezone, now)
        } else {
            None
        };
        let waits = |at: &i64| now - at < MAX_PATIENCE && self.is_reading_history(now);
        let due = due.filter(|at| !waits(at));
        let made = self.notifier.digest.take().filter(|(at, _)| due == Some(*at));
        self.notifier.digest = match (due, made) {
            (Some(at), None) => Some((at, Arc::new(self.make_report(at, deadline, usage).await))),
            (_, made) => made,
        };
    }

    /// The newest tick of a schedule that was not served; the first time, none.
    fn tick(
        &mut self,
        what: ScheduledMessage,
        schedule: &Schedule,
        zone: Zone,
        now: i64,
    ) -> Option<i64> {
        let served = self.memory.sent.entry(what).or_insert(now);
        // The clock may have been ahead then.
        *served = now.min(*served);
        let served = *served;
        schedule.between(served + 1, now + 1, zone).pop()
    }

    fn alive(&self, at: Minute) -> DeadMansSwitch {
        let ledgers = self.memory.gateways.values();
        let open = ledgers.flat_map(|ledger| &ledger.records).filter(|r| r.episode.is_open());
        let silences = self.memory.silences.iter().filter(|silence| silence.until > at);
        let gateways = self.poller.gateways().count();
        let known = |one: &&Arc<Gateway>| {
            let key = one.id.key();
            let ledger = self.memory.gateways.get(&key);
            ledger.is_some_and(|ledger| self.poller.known(ledger, &key).is_some())
        };
        let without = gateways.saturating_sub(self.poller.gateways().filter(known).count());
        let troubles = self.memory.own.values().filter(|own| own.ended.is_none());
        DeadMansSwitch {
            at,
            host: self.self_watch.host.clone(),
            gateways: gateways as u64,
            without_data: without as u64,
            open: open.count() as u64,
            silences: silences.count() as u64,
            troubles: troubles.flat_map(|own| own.lines.clone()).take(MAX_LINES).collect(),
        }
    }

    /// Enters what a receiver took of it.
    pub(super) fn enter_own(&mut self, parcel: &Delivery, now: i64) {
        let minute = Minute::containing(now);
        match &parcel.news {
            Notification::SelfAlert(notice) => {
                if let Some(own) = self.memory.own.get_mut(&notice.theme) {
                    own.enter(&parcel.receiver, notice.reason, minute);
                }
                self.memory.own.retain(|_, own| !own.is_done());
            }
            Notification::Digest(_) => {
                self.memory.sent.insert(ScheduledMessage::Digest, now);
                self.notifier.digest = None;
            }
            Notification::DeadMansSwitch(_) => {
                self.memory.sent.insert(ScheduledMessage::Alive, now);
            }
            Notification::One(_) | Notification::Group(_) | Notification::Test(_) => {}
        }
    }
}
