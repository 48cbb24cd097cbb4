//! Why an episode began: its evidence is gathered once, before it is first told.
//!
//! All gateways that begin in one minute are looked at side by side, and together no
//! longer than `[diagnosis] deadline`: an alert that has no reason by then is told
//! without one, and its episode gets one with the next change that is told.

use std::sync::Arc;

use futures::StreamExt;

use super::Daemon;
use crate::analysis::Report;
use crate::analysis::alert::Reason;
use crate::diagnose::{self, Moment};
use crate::edge::aws::Usage;

/// Gateways that are looked at side by side.
const CONCURRENCY: usize = 8;

impl Daemon {
    /// Enters what is known of the reasons of these gateways' open episodes, and
    /// finds out what is not.
    pub(super) async fn explain(&mut self, reports: &mut [Report], usage: &mut Usage) {
        if !self.config.diagnosis.enabled {
            return;
        }
        for report in reports.iter_mut() {
            let key = report.gateway.id.key();
            match report.open_episode().map(|episode| &episode.id) {
                Some(id) => {
                    let known = self.diagnoses.get(&key).filter(|(known, _)| known == id);
                    report.diagnosis = known.map(|(_, diagnosis)| Arc::clone(diagnosis));
                }
                None => drop(self.diagnoses.remove(&key)),
            }
        }
        let accounts = &self.accounts;
        let asked = reports.iter_mut().filter(|report| wants(report)).map(async |report| {
            let gateway = Arc::clone(&report.gateway);
            let has_it = |account: &&crate::discovery::Account| account.gateways.contains(&gateway);
            let account = accounts.iter().find(has_it)?;
            let end = report.reading.minute.plus(1);
            let began = report.open_episode().map(|episode| episode.began);
            let mut usage = Usage::default();
            let moment = Moment { end, began };
            let diagnosis = Box::pin(diagnose::of(account, &gateway, moment, &mut usage)).await;
            report.diagnosis = Some(Arc::new(diagnosis));
            Some(usage)
        });
        let mut asked = futures::stream::iter(asked).buffer_unordered(CONCURRENCY);
        let all = async {
            while let Some(used) = asked.next().await {
                usage.add(used.unwrap_or_default());
            }
        };
        // Who is late is told without a reason.
        let _ = tokio::time::timeout(self.config.diagnosis.deadline.get(), all).await;
        drop(asked);
        for report in reports.iter() {
            if let (Some(diagnosis), Some(episode)) = (&report.diagnosis, report.open_episode()) {
                let known = (episode.id.clone(), Arc::clone(diagnosis));
                self.diagnoses.insert(report.gateway.id.key(), known);
            }
        }
    }
}

/// Whether something is about to be told that no reason was found for yet.
fn wants(report: &Report) -> bool {
    let is_news = |reason: Reason| matches!(reason, Reason::Firing | Reason::Escalated);
    let has_reason = report.diagnosis.as_ref().is_some_and(|known| !known.findings.is_empty());
    !has_reason && report.notices().iter().any(|notice| is_news(notice.reason))
}
