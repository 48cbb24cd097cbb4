//! What the daemon says of itself and by the clock: its own troubles, that it is
//! alive, and the capacity report.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Daemon;
use crate::analysis::gateway::Gateway;
use crate::analysis::notify::{Alive, News, Own, OwnNotice, Parcel, Receiver, Theme};
use crate::analysis::signal::Minute;
use crate::config::{Schedule, Zone};
use crate::edge::aws::Usage;
use crate::edge::state::Regular;

/// A trouble is told in so many lines at the most.
const MOST_LINES: usize = 20;
/// A capacity report waits for the history for so long, seconds.
const MOST_PATIENCE: i64 = 3_600;

impl Daemon {
    /// What is wrong with this theme now; nothing is well. Said in the log when it
    /// changes, and told when it lasts.
    pub(super) fn trouble(
        &mut self,
        theme: Theme,
        lines: impl IntoIterator<Item = String>,
        now: i64,
    ) {
        let lines: BTreeSet<String> = lines.into_iter().collect();
        self.exporter.trouble(theme, !lines.is_empty());
        let minute = Minute::containing(now);
        if lines.is_empty() {
            if let Some(own) = self.memory.own.get_mut(&theme) {
                own.ended.get_or_insert(minute);
            }
        } else {
            let own = self.memory.own.entry(theme).or_insert_with(|| Own::starting(minute));
            own.begin_again(minute);
            own.lines = lines.iter().take(MOST_LINES).cloned().collect();
        }
        self.memory.own.retain(|_, own| !own.is_done());
        self.troubles.tell(theme.name(), lines);
    }

    /// What is due of it.
    pub(super) async fn own_news(&mut self, now: i64, usage: &mut Usage) -> Vec<Parcel> {
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
                let notice = OwnNotice {
                    id: format!(
                        "own/{}/{}/{}/{}",
                        self.host,
                        theme.name(),
                        own.since,
                        own.step(&receiver, reason)
                    ),
                    theme: *theme,
                    reason,
                    since: own.since,
                    at: minute,
                    lines: own.lines.clone(),
                    host: self.host.clone(),
                };
                parcels.push(Parcel { receiver, news: News::Own(notice) });
            }
        }
        parcels.extend(self.by_the_clock(now, usage).await);
        parcels
    }

    /// Who hears of a trouble: its watchers, and of its end whoever heard of it.
    fn hearers(&self, theme: Theme, own: &Own) -> BTreeSet<Receiver> {
        let mut hearers: BTreeSet<Receiver> = self.watchers(theme).into_iter().collect();
        if own.ended.is_some() {
            hearers.extend(own.told.keys().cloned());
        }
        hearers
    }

    /// Who hears of the daemon's own troubles. That alerts are not delivered goes
    /// another way, where there is one.
    fn watchers(&self, theme: Theme) -> Vec<Receiver> {
        let usual = self.watcher();
        let is_broken = match theme {
            Theme::Delivery => self.failing.contains(&usual),
            Theme::Chat => true,
            _ => false,
        };
        if !is_broken {
            return vec![usual];
        }
        let others = self.config.topics().filter(|topic| match theme {
            Theme::Chat => topic.chat_configuration.is_none(),
            _ => !self.failing.contains(&topic.receiver()),
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
    async fn by_the_clock(&mut self, now: i64, usage: &mut Usage) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        let digest = self.config.digest.clone();
        if digest.enabled
            && self.desk.fallback != Receiver::default()
            && let Some(at) = self.tick(Regular::Digest, &digest.schedule, digest.timezone, now)
            && !(now - at < MOST_PATIENCE && self.is_reading_history(now))
        {
            let report = self.digest_of(at, usage).await;
            let receiver = self.desk.fallback.clone();
            parcels.push(Parcel { receiver, news: News::Digest(report) });
        }
        let watcher = &self.config.watcher;
        if let Some(schedule) = watcher.alive_schedule.clone()
            && let Some(at) = self.tick(Regular::Alive, &schedule, watcher.timezone, now)
        {
            let alive = self.alive(Minute::containing(at));
            parcels.push(Parcel { receiver: self.watcher(), news: News::Alive(alive) });
        }
        parcels
    }

    /// The newest tick of a schedule that was not served; the first time, none.
    fn tick(&mut self, what: Regular, schedule: &Schedule, zone: Zone, now: i64) -> Option<i64> {
        let served = self.memory.sent.entry(what).or_insert(now);
        // The clock may have been ahead then.
        *served = now.min(*served);
        let served = *served;
        schedule.between(served + 1, now + 1, zone).pop()
    }

    fn alive(&self, at: Minute) -> Alive {
        let ledgers = self.memory.gateways.values();
        let open = ledgers.flat_map(|ledger| &ledger.records).filter(|r| r.episode.is_open());
        let silences = self.memory.silences.iter().filter(|silence| silence.until > at);
        let gateways = self.gateways();
        let with_data = |one: &&Arc<Gateway>| self.known(&one.id.key()).is_some();
        let without = gateways.iter().filter(|one| !with_data(one)).count();
        let troubles = self.memory.own.values().filter(|own| own.ended.is_none());
        Alive {
            at,
            host: self.host.clone(),
            gateways: gateways.len() as u64,
            without_data: without as u64,
            open: open.count() as u64,
            silences: silences.count() as u64,
            troubles: troubles.flat_map(|own| own.lines.clone()).take(MOST_LINES).collect(),
        }
    }

    /// Enters what a receiver took of it.
    pub(super) fn enter_own(&mut self, parcel: &Parcel, now: i64) {
        let minute = Minute::containing(now);
        match &parcel.news {
            News::Own(notice) => {
                if let Some(own) = self.memory.own.get_mut(&notice.theme) {
                    own.enter(&parcel.receiver, notice.reason, minute);
                }
                self.memory.own.retain(|_, own| !own.is_done());
            }
            News::Digest(_) => {
                self.memory.sent.insert(Regular::Digest, now);
                self.digest = None;
            }
            News::Alive(_) => {
                self.memory.sent.insert(Regular::Alive, now);
            }
            News::One(_) | News::Group(_) | News::Test(_) => {}
        }
    }
}
