//! Why an episode began: its evidence is gathered once, before it is first told.
//!
//! All gateways that begin in one minute are looked at side by side, and together no
//! longer than `[diagnosis] deadline`: an alert that has no reason by then is told
//! without one, and is not asked about again before it becomes worse: neither a
//! receiver that is away nor minutes that are caught up repeat the questions.

use std::sync::Arc;

use futures::StreamExt;

use super::Daemon;
use crate::analysis::Report;
use crate::analysis::alert::Reason;
use crate::analysis::detector::Severity;
use crate::analysis::diagnosis::Diagnosis;
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
    /// Enters what is known of the reasons of these gateways' open episodes, and
    /// finds out what is not.
    pub(super) async fn explain(&mut self, reports: &mut [Report], usage: &mut Usage) {
        if !self.config.diagnosis.enabled {
            return;
        }
        let mut wanting = Vec::new();
        for report in reports.iter_mut() {
            let key = report.gateway.id.key();
            let Some(episode) = report.open_episode() else {
                self.asked.remove(&key);
                continue;
            };
            let (id, severity) = (episode.id.clone(), episode.severity);
            let asked = self.asked.get(&key).filter(|asked| asked.episode == id);
            let found = asked.and_then(|asked| asked.found.clone());
            let named = found.as_ref().is_some_and(|found| !found.findings.is_empty());
            let again = asked.is_none_or(|asked| !named && severity > asked.severity);
            report.diagnosis.clone_from(&found);
            if again && has_news(report) {
                self.asked.insert(key, Asked { episode: id, severity, found });
                wanting.push(report);
            }
        }
        let accounts = &self.accounts;
        let found = wanting.into_iter().map(|report| look(accounts, report));
        let mut found = futures::stream::iter(found).buffer_unordered(CONCURRENCY);
        let all = async {
            while let Some(looked) = found.next().await {
                let Some((key, used, diagnosis)) = looked else { continue };
                usage.add(used);
                if let Some(asked) = self.asked.get_mut(&key) {
                    asked.found = Some(diagnosis);
                }
            }
        };
        // Who is late is told without a reason.
        let _ = tokio::time::timeout(self.config.diagnosis.deadline.get(), all).await;
    }
}

/// The diagnosis of a report's open episode, which is entered there; with the
/// gateway's key and what it took.
async fn look(
    accounts: &[Account],
    report: &mut Report,
) -> Option<(String, Usage, Arc<Diagnosis>)> {
    let gateway = Arc::clone(&report.gateway);
    let account = accounts.iter().find(|account| account.gateways.contains(&gateway))?;
    let end = report.reading.minute.plus(1);
    let began = report.open_episode().map(|episode| episode.began);
    let mut usage = Usage::default();
    let moment = Moment { end, began };
    let found = Box::pin(diagnose::of(account, &gateway, moment, &mut usage)).await;
    let found = Arc::new(found);
    report.diagnosis = Some(Arc::clone(&found));
    Some((gateway.id.key(), usage, found))
}

/// Whether something is about to be told.
fn has_news(report: &Report) -> bool {
    let is_news = |reason: Reason| matches!(reason, Reason::Firing | Reason::Escalated);
    report.notices().iter().any(|notice| is_news(notice.reason))
}
