//! Why an episode began: its evidence is gathered once, before its first notification.
//!
//! All gateways that are due to be notified of in one poll are diagnosed side by side, and
//! together for no longer than `[diagnosis] deadline`: an alert that has no cause by then
//! is sent without one, and is not diagnosed again before it becomes worse. A receiver that
//! cannot be reached does not repeat the diagnosis.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use super::Daemon;
use crate::diagnose::{self, Moment};
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::Severity;
use nearmiss_core::diagnose::Diagnosis;
use nearmiss_core::gateway::{Gateway, Identity};

/// At most this many gateways are diagnosed side by side.
const CONCURRENCY: usize = 8;

/// What is to be diagnosed, by the key of its gateway.
type Wanted = BTreeMap<String, (Arc<Gateway>, Moment)>;

/// What was found about an episode, and when it was diagnosed: once, and once more when it
/// became worse and no cause had been found.
#[derive(Debug)]
pub(super) struct Asked {
    episode: String,
    severity: Severity,
    found: Option<Arc<Diagnosis>>,
}

impl Daemon {
    /// Finds out why the episodes began that are due to be notified of, where that is not
    /// known. What comes too late is sent without a cause.
    pub(super) async fn explain(
        &mut self,
        now: i64,
        due: &[(Receiver, EpisodeNotification)],
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        if !self.config.diagnosis.enabled {
            return;
        }
        let states = &self.persisted.gateways;
        self.notifier.asked.retain(|key, asked| {
            let records = states.get(key).map_or(&[][..], |state| &state.records);
            records.iter().any(|r| r.episode.id == asked.episode && r.episode.is_open())
        });
        let wanted = self.unexplained(due);
        if wanted.is_empty() {
            return;
        }
        let accounts: Arc<[AccountRegion]> = self.poller.accounts.clone().into();
        let looks = wanted.into_iter().map(|(key, (gateway, moment))| {
            let accounts = Arc::clone(&accounts);
            async move { Some((key, look(&accounts, &gateway.id, moment).await?)) }
        });
        let deadline = deadline.keeping(deadline.left() / 2);
        let deadline = deadline.within(self.config.diagnosis.deadline.get());
        let mut found = futures::stream::iter(looks).buffer_unordered(CONCURRENCY);
        while let Some(Some(looked)) = self.serve(now, &deadline, found.next()).await {
            let Some((key, (used, diagnosis))) = looked else { continue };
            usage.add(used);
            if let Some(asked) = self.notifier.asked.get_mut(&key) {
                asked.found = Some(Arc::new(diagnosis));
            }
        }
    }

    /// The episodes that notifications are due for and that were not diagnosed yet, with
    /// the moment to diagnose.
    fn unexplained(&mut self, due: &[(Receiver, EpisodeNotification)]) -> Wanted {
        let is_news = |reason: Reason| matches!(reason, Reason::Firing | Reason::Escalated);
        let known = &mut self.notifier.asked;
        let mut wanted = BTreeMap::new();
        let news = due.iter().filter(|(_, notice)| is_news(notice.reason));
        for (_, notice) in news.filter(|(_, notice)| notice.gateway.id.kind.has_causes()) {
            let key = notice.gateway.id.key();
            let (episode, severity) = (notice.episode.id.clone(), notice.episode.severity);
            let asked = known.get(&key).filter(|asked| asked.episode == episode);
            let found = asked.and_then(|asked| asked.found.clone());
            let named = found.as_ref().is_some_and(|found| !found.findings.is_empty());
            if asked.is_none_or(|asked| !named && severity > asked.severity) {
                known.insert(key.clone(), Asked { episode, severity, found });
                let began = Some(notice.episode.began);
                let assessed =
                    self.persisted.gateways.get(&key).map(|state| state.assess_watermark);
                let moment = Moment { end: assessed.unwrap_or(notice.at), began };
                wanted.insert(key, (Arc::clone(&notice.gateway), moment));
            }
        }
        wanted
    }

    /// Enters the causes that are known: in the notifications, and for the page.
    pub(super) fn enter_reasons(&mut self, due: &mut [(Receiver, EpisodeNotification)]) {
        let known = &self.notifier.asked;
        for (_, notice) in due.iter_mut().filter(|(_, notice)| notice.episode.is_open()) {
            let asked = known.get(&notice.gateway.id.key());
            let asked = asked.filter(|asked| asked.episode == notice.episode.id);
            notice.diagnosis = asked.and_then(|asked| asked.found.clone());
        }
        for (key, asked) in known {
            if let Some(report) = self.poller.reports.get_mut(key) {
                report.diagnosis.clone_from(&asked.found);
            }
        }
    }
}

/// The diagnosis of a gateway at a moment, and what AWS was asked for it; nothing if the
/// gateway is gone.
async fn look(
    accounts: &[AccountRegion],
    id: &Identity,
    moment: Moment,
) -> Option<(Usage, Diagnosis)> {
    let in_account =
        |account: &AccountRegion| account.gateways.iter().find(|g| g.id == *id).cloned();
    let (account, gateway) = accounts.iter().find_map(|a| Some((a, in_account(a)?)))?;
    let mut usage = Usage::default();
    let found = Box::pin(diagnose::of(account, &gateway, moment, &mut usage)).await;
    Some((usage, found))
}
