//! Why an episode began: its evidence is gathered once, before it is first told.
//!
//! All gateways that have news in one poll are looked at side by side, and together
//! no longer than `[diagnosis] deadline`: an alert that has no reason by then is told
//! without one, and is not asked about again before it becomes worse. A receiver
//! that is away does not repeat the questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use super::Daemon;
use crate::analysis::Notice;
use crate::analysis::alert::Reason;
use crate::analysis::detector::Severity;
use crate::analysis::diagnosis::Diagnosis;
use crate::analysis::gateway::Identity;
use crate::analysis::notify::Receiver;
use crate::diagnose::{self, Moment};
use crate::discovery::Account;
use crate::edge::aws::Usage;

/// Gateways that are looked at side by side.
const CONCURRENCY: usize = 8;

/// What was found out of an episode, and when it was asked: once, and once more when
/// it became worse and no cause was found before.
#[derive(Debug)]
pub(super) struct Asked {
    episode: String,
    severity: Severity,
    found: Option<Arc<Diagnosis>>,
}

impl Daemon {
    /// Enters what is known of the reasons of episodes that are due to be told, and
    /// of those that are open, and finds out what is not.
    pub(super) async fn explain(&mut self, due: &mut [(Receiver, Notice)], usage: &mut Usage) {
        if !self.config.diagnosis.enabled {
            return;
        }
        let ledgers = &self.memory.gateways;
        self.asked.retain(|key, asked| {
            let records = ledgers.get(key).map_or(&[][..], |ledger| &ledger.records);
            records.iter().any(|r| r.episode.id == asked.episode && r.episode.is_open())
        });
        self.find_out(due, usage).await;
        for (_, notice) in due.iter_mut().filter(|(_, notice)| notice.episode.is_open()) {
            let asked = self.asked.get(&notice.gateway.id.key());
            let asked = asked.filter(|asked| asked.episode == notice.episode.id);
            notice.diagnosis = asked.and_then(|asked| asked.found.clone());
        }
        for (key, asked) in &self.asked {
            if let Some(report) = self.reports.get_mut(key) {
                report.diagnosis.clone_from(&asked.found);
            }
        }
    }

    async fn find_out(&mut self, due: &[(Receiver, Notice)], usage: &mut Usage) {
        let is_news = |reason: Reason| matches!(reason, Reason::Firing | Reason::Escalated);
        let mut wanted = BTreeMap::new();
        for (_, notice) in due.iter().filter(|(_, notice)| is_news(notice.reason)) {
            let key = notice.gateway.id.key();
            let (episode, severity) = (notice.episode.id.clone(), notice.episode.severity);
            let asked = self.asked.get(&key).filter(|asked| asked.episode == episode);
            let found = asked.and_then(|asked| asked.found.clone());
            let named = found.as_ref().is_some_and(|found| !found.findings.is_empty());
            if asked.is_none_or(|asked| !named && severity > asked.severity) {
                self.asked.insert(key.clone(), Asked { episode, severity, found });
                let began = Some(notice.episode.began);
                let assessed = self.memory.gateways.get(&key).map(|ledger| ledger.unassessed);
                let moment = Moment { end: assessed.unwrap_or(notice.at), began };
                wanted.insert(key, (Arc::clone(&notice.gateway), moment));
            }
        }
        let accounts = &self.accounts;
        let looks = wanted.into_iter().map(|(key, (gateway, moment))| async move {
            Some((key, look(accounts, &gateway.id, moment).await?))
        });
        let mut found = futures::stream::iter(looks).buffer_unordered(CONCURRENCY);
        let all = async {
            while let Some(looked) = found.next().await {
                let Some((key, (used, diagnosis))) = looked else { continue };
                usage.add(used);
                if let Some(asked) = self.asked.get_mut(&key) {
                    asked.found = Some(Arc::new(diagnosis));
                }
            }
        };
        // Who is late is told without a reason.
        let _ = tokio::time::timeout(self.config.diagnosis.deadline.get(), all).await;
    }
}

/// The diagnosis of a gateway at a moment, and what it took; nothing where the
/// gateway is gone.
async fn look(accounts: &[Account], id: &Identity, moment: Moment) -> Option<(Usage, Diagnosis)> {
    let in_account = |account: &Account| account.gateways.iter().find(|g| g.id == *id).cloned();
    let (account, gateway) = accounts.iter().find_map(|a| Some((a, in_account(a)?)))?;
    let mut usage = Usage::default();
    let found = Box::pin(diagnose::of(account, &gateway, moment, &mut usage)).await;
    Some((usage, found))
}
