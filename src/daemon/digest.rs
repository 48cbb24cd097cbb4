//! The capacity report, made of what the daemon remembers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Daemon;
use crate::analysis::capacity::{Bill, Digest, Facts, Written};
use crate::analysis::history::History;
use crate::analysis::ledger::Ledger;
use crate::analysis::signal::Minute;
use crate::cost::PRICE_PER_1000;
use crate::edge::aws::Usage;
use crate::edge::control::Answer;
use crate::report::healthy;

/// The days of a report that is sent by the clock.
const WEEK: u32 = 7;
/// Healthy targets are read for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most days that a history has.
const MOST_DAYS: u32 = 14;

impl Daemon {
    /// The report that was due at `at`: made once, however often it must be sent.
    pub(super) async fn digest_of(&mut self, at: i64, usage: &mut Usage) -> Arc<Digest> {
        if let Some((made, digest)) = &self.digest
            && *made == at
        {
            return Arc::clone(digest);
        }
        let digest = Arc::new(self.make_digest(at, WEEK, usage).await);
        self.digest = Some((at, Arc::clone(&digest)));
        digest
    }

    /// The report that somebody asks for.
    pub(super) async fn report(&mut self, days: u32, now: i64) -> Answer {
        if !(1..=MOST_DAYS).contains(&days) {
            return Answer::Refused(format!("expected 1 to {MOST_DAYS} days, found {days}"));
        }
        let mut usage = Usage::default();
        let digest = self.make_digest(now, days, &mut usage).await;
        self.bill(&usage, now);
        Answer::Report(Box::new(Written::from(&digest)))
    }

    async fn make_digest(&mut self, at: i64, days: u32, usage: &mut Usage) -> Digest {
        let end = Minute::containing(at);
        let digest = self.digest(end, days, &HashMap::new());
        // Alerts wait for it.
        let looks = healthy(&mut self.accounts, &digest, PATIENCE, at, usage);
        let healthy = tokio::time::timeout(PATIENCE, looks).await.unwrap_or_default();
        if healthy.is_empty() { digest } else { self.digest(end, days, &healthy) }
    }

    fn digest(&self, end: Minute, days: u32, healthy: &HashMap<String, (f64, f64)>) -> Digest {
        let nothing = History::new();
        let gateways = self.gateways();
        let facts = gateways.iter().map(|gateway| {
            let key = gateway.id.key();
            let ledger = self.memory.gateways.get(&key);
            let report = self.known(&key);
            Facts {
                gateway,
                history: self.histories.get(&key).unwrap_or(&nothing),
                ledger,
                verdicts: report.map_or(&[], |report| &report.verdicts),
                timeouts: ledger.map_or(&[], Ledger::timeouts),
                healthy: healthy.get(&key).copied(),
                without_data: report.is_none(),
            }
        });
        Digest::of(&facts.collect::<Vec<_>>(), end, days, self.bill_of(end, days), &self.host)
    }

    /// What was billed in the days before `end`, where all of them are remembered.
    fn bill_of(&self, end: Minute, days: u32) -> Option<Bill> {
        let today = end.start().div_euclid(86_400);
        let first = today - i64::from(days);
        self.memory.billed.first_key_value().filter(|(day, _)| **day <= first)?;
        let billed_metrics =
            self.memory.billed.range(first..today).map(|(_, metrics)| metrics).sum();
        #[allow(clippy::cast_precision_loss)] // for people
        let dollars = billed_metrics as f64 * PRICE_PER_1000 / 1000.0;
        Some(Bill { billed_metrics, dollars })
    }
}
