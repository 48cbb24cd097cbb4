//! Notifying: once in a poll, after everything was read and assessed.
//!
//! What is due is computed from the ledgers, so that nothing has to be kept until it
//! can be said: what a receiver did not take is due again at the next poll.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aws_config::SdkConfig;
use futures::StreamExt;
use futures::stream::select_all;

use super::diagnose::Asked;
use super::poller::Present;
use super::{Daemon, GRACE};
use crate::config::Config;
use crate::edge::aws::{AwsError, Usage};
use crate::edge::sink::{Sent, Sinks};
use crate::edge::time::Deadline;
use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::episode::TrackedEpisode;
use nearmiss_core::alerting::{Due, KEPT_MINUTES, Mute, Receiver, Router};
use nearmiss_core::capacity::Digest;
use nearmiss_core::notification::{Component, Delivery, GROUP_MINUTES, Notification, pack};
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;

/// Minutes older than this are read to catch up; what happened in them is told
/// once the present is reached, as it stands then.
const RECENT_MINUTES: i64 = 15;
/// A receiver for programs recognises what comes twice, so that its state is saved
/// only after so many.
const SAVED_TOGETHER: usize = 100;

/// Who is told, and how it went.
#[derive(Debug)]
pub(super) struct Notifier {
    pub(super) desk: Router,
    sinks: Arc<Sinks>,
    /// What was found out of open episodes, by gateway.
    pub(super) asked: HashMap<String, Asked>,
    /// Who took nothing last time.
    pub(super) failing: HashSet<Receiver>,
    /// Since when what was not taken waits (seconds since the Unix epoch).
    pub(super) waiting: HashMap<Waiting, i64>,
    /// The capacity report that is being sent, and when it was due.
    pub(super) digest: Option<(i64, Arc<Digest>)>,
}

impl Notifier {
    pub(super) async fn of_config(config: &Config, base: &SdkConfig) -> Self {
        Self {
            desk: config.desk(),
            sinks: Arc::new(Sinks::connect(config.topics(), config.links.clone(), base).await),
            asked: HashMap::new(),
            failing: HashSet::new(),
            waiting: HashMap::new(),
            digest: None,
        }
    }

    /// What was found out of a gateway's episode is another's from now on.
    pub(super) fn hand_on(&mut self, old: &str, new: &str) {
        if let Some(asked) = self.asked.remove(old) {
            self.asked.insert(new.to_owned(), asked);
        }
    }

    /// Goes on by another config. What was told stays.
    pub(super) async fn follow(&mut self, config: &Config, base: &SdkConfig) {
        let Self { desk, sinks, .. } = Self::of_config(config, base).await;
        (self.desk, self.sinks) = (desk, sinks);
    }
}

/// A receiver, and what it could not be told about.
pub(super) type Waiting = (Receiver, String);

impl Daemon {
    /// Tells everybody what they must hear at `now`, of gateways that are not being
    /// caught up with: what happened there is told once the present is reached.
    pub(super) async fn notify(
        &mut self,
        present: Present,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let Present { now, end, .. } = present;
        self.close_the_gone(Minute::containing(now));
        let due = self.due(now, end);
        self.explain(now, &due, deadline, usage).await;
        self.make_scheduled_report(now, deadline, usage).await;
        // Somebody may have asked for silence in the meantime.
        let mut due = self.due(now, end);
        self.enter_reasons(&mut due);
        let since = Minute::containing(now).plus(-GROUP_MINUTES);
        let ledgers = &self.memory.gateways;
        let mut parcels = pack(due, |receiver| {
            ledgers.values().map(|ledger| ledger.told_since(receiver, since)).sum()
        });
        for parcel in self.own_news(now) {
            parcels.entry(parcel.receiver.clone()).or_default().push(parcel);
        }
        self.send(parcels, now, deadline, usage).await;
    }

    /// What is due to be told, as things stand.
    fn due(&mut self, now: i64, end: Minute) -> Vec<(Receiver, EpisodeNotification)> {
        let minute = Minute::containing(now);
        self.notifier.desk.quiet = self.quiet(minute);
        let caught_up = |key: &String| !self.is_behind(key, end);
        let with_episodes = self.memory.gateways.iter().filter(|(_, one)| !one.records.is_empty());
        let ready: Vec<String> =
            with_episodes.map(|(key, _)| key).filter(|key| caught_up(key)).cloned().collect();
        let desk = &self.notifier.desk;
        let mut due = Vec::new();
        for key in ready {
            let Some(ledger) = self.memory.gateways.get_mut(&key) else { continue };
            ledger.listen(desk, minute);
            due.extend(ledger.due(desk, minute));
        }
        due
    }

    /// Sends, to all receivers side by side and to each in order, and remembers at
    /// once what was taken: between the two, a crash would tell it twice.
    async fn send(
        &mut self,
        parcels: BTreeMap<Receiver, Vec<Delivery>>,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let sinks = Arc::clone(&self.notifier.sinks);
        let deadline = deadline.with_grace(GRACE);
        let mut waiting: HashMap<Waiting, usize> = HashMap::new();
        for parcel in parcels.values().flatten() {
            *waiting.entry(waits_as(parcel)).or_default() += 1;
        }
        let mut refusals: BTreeMap<Receiver, Vec<String>> = BTreeMap::new();
        let mut unsaved = 0;
        let queues = parcels.into_values().map(|queue| Box::pin(sinks.deliver(queue, &deadline)));
        let mut sent = select_all(queues);
        while let Some(Some(one)) = self.serve(now, &deadline, sent.next()).await {
            let Sent { parcel, outcome, usage: used } = one;
            usage.add(used);
            let problem = outcome.as_ref().err().map(|fault| fault.problem);
            self.publisher.exporter.telling.notified(&parcel.receiver, problem);
            if let Err(fault) = outcome {
                let said = refusal(&parcel, &fault);
                refusals.entry(parcel.receiver).or_default().push(said);
                continue;
            }
            if let Some(left) = waiting.get_mut(&waits_as(&parcel)) {
                *left -= 1;
            }
            self.enter(&parcel, now);
            unsaved += 1;
            if unsaved >= SAVED_TOGETHER || !parcel.receiver.is_for_programs() {
                self.save(now).await;
                unsaved = 0;
            }
        }
        if unsaved > 0 {
            self.save(now).await;
        }
        let before = std::mem::take(&mut self.notifier.waiting);
        let since = |key: &Waiting| before.get(key).copied().unwrap_or(now);
        let left = waiting.into_iter().filter(|(_, left)| *left > 0);
        self.notifier.waiting = left.map(|(key, _)| (key.clone(), since(&key))).collect();
        self.notifier.failing = refusals.keys().cloned().collect();
        self.trouble(Component::Delivery, refusals.into_values().flatten(), now);
    }

    /// Enters what a receiver took.
    fn enter(&mut self, parcel: &Delivery, now: i64) {
        let minute = Minute::containing(now);
        for notice in parcel.notices() {
            if let Some(ledger) = self.memory.gateways.get_mut(&notice.gateway.id.key()) {
                ledger.told(notice, &parcel.receiver, minute);
                ledger.listen(&self.notifier.desk, minute);
            }
        }
        self.enter_own(parcel, now);
    }

    /// Whether what happened there is still being read, and the present not reached.
    fn is_behind(&self, key: &str, end: Minute) -> bool {
        let Some(ledger) = self.memory.gateways.get(key) else { return false };
        end.since(ledger.unread()) > RECENT_MINUTES && self.poller.reading.contains(key)
    }

    /// The silences and maintenance windows around a minute. Without an answer of AWS in
    /// this poll the clock may have been set since the last one: then nothing is forgotten.
    fn quiet(&mut self, minute: Minute) -> Mute {
        let kept = minute.plus(-KEPT_MINUTES);
        if !self.poller.reading.is_empty() {
            self.memory.silences.retain(|silence| silence.until > kept);
        }
        let windows = self.config.maintenance.iter().flat_map(|one| one.windows(minute));
        Mute { silences: self.memory.silences.clone(), windows: windows.collect() }
    }

    /// Ends the episodes of gateways that have not been there for a while: of accounts
    /// whose load balancers were all listed.
    fn close_the_gone(&mut self, minute: Minute) {
        let watched = self.poller.watched();
        let accounts = &self.poller.accounts;
        let is_gone = |key: &String| {
            !watched.contains(key)
                && accounts.iter().all(|one| one.is_known() || !one.may_have(key))
        };
        let is_news = |(key, one): &(&String, &GatewayState)| is_gone(key) || one.is_missed();
        let news = self.memory.gateways.iter().filter(is_news);
        let news: Vec<(String, bool)> = news.map(|(key, _)| (key.clone(), !is_gone(key))).collect();
        for (key, is_there) in news {
            if let Some(one) = self.memory.gateways.get_mut(&key) {
                one.see(is_there, minute);
            }
        }
    }

    /// How many episodes are kept back.
    pub(super) fn held(&self, minute: Minute) -> usize {
        let records = self.memory.gateways.values().flat_map(|ledger| &ledger.records);
        let held = |record: &&TrackedEpisode| self.notifier.desk.due(record, minute) == Due::Held;
        records.filter(held).count()
    }
}

/// What waits for a receiver: news of one thing are one.
fn waits_as(parcel: &Delivery) -> Waiting {
    (parcel.receiver.clone(), parcel.news.about())
}

/// A line about what was not taken, with the way out.
fn refusal(parcel: &Delivery, fault: &AwsError) -> String {
    let what = match &parcel.news {
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
    let receiver = parcel.receiver.as_str();
    format!("{fault}. The next poll will tell {receiver} that {what}. {}", fault.advice())
}
