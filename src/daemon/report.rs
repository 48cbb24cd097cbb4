//! The capacity report, made of what the daemon has in memory.
//!
//! The numbers of healthy targets are all that it asks AWS for. The weekly report waits for
//! them within its poll; whoever asks for a report is answered soon, with or without them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Daemon, self_watch};
use crate::config::Digests;
use crate::cost::PRICE_PER_1000;
use crate::edge::aws::Usage;
use crate::edge::control::Answer;
use crate::edge::time::Deadline;
use crate::report::healthy;
use crate::store::ScheduledMessage;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::capacity::{Bill, Digest, Facts, Written};
use nearmiss_core::detect::outlook::History;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;

/// How many days a scheduled report covers.
const WEEK: u32 = 7;
/// How long healthy targets may be read for a scheduled report.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a report that somebody waits for.
const SHORT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a scheduled report waits for the history at most, seconds.
const MAX_WAIT: i64 = 3_600;
/// The most days that a history has.
const MAX_DAYS: u32 = 14;

/// Healthy targets by gateway, before and in the period of a report.
pub(super) type HealthyTargets = HashMap<String, (f64, f64)>;

/// A report that can be made now.
pub(super) struct Looked {
    pub(super) days: u32,
    pub(super) end: Minute,
    pub(super) healthy: HealthyTargets,
    pub(super) usage: Usage,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl Daemon {
    /// Makes the capacity report when it is due, once, however often it must be sent.
    pub(super) async fn make_scheduled_report(
        &mut self,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let Digests { enabled, schedule, timezone } = &self.config.digest;
        let is_wanted = *enabled && self.notifier.router.fallback != Receiver::log();
        let due = if is_wanted {
            let digest = ScheduledMessage::Digest;
            self_watch::tick(&mut self.persisted, digest, schedule, *timezone, now)
        } else {
            None
        };
        let waits = |at: &i64| now - at < MAX_WAIT && self.is_reading_history(now);
        let due = due.filter(|at| !waits(at));
        let made = self.notifier.digest.take().filter(|(at, _)| due == Some(*at));
        self.notifier.digest = match (due, made) {
            (Some(at), None) => Some((at, Arc::new(self.make_report(at, deadline, usage).await))),
            (_, made) => made,
        };
    }

    /// The report that was due at `at`.
    async fn make_report(&mut self, at: i64, deadline: &Deadline, usage: &mut Usage) -> Digest {
        let end = Minute::containing(at);
        let digest = self.digest(end, WEEK, &HashMap::new()).await;
        let look = self.look_at_targets(&digest, at, TIMEOUT);
        let (healthy, used) =
            self.serve(at, &deadline.within(TIMEOUT), look).await.unwrap_or_default();
        usage.add(used);
        if healthy.is_empty() { digest } else { self.digest(end, WEEK, &healthy).await }
    }

    /// The report that somebody asks for: healthy targets are read first, within a time
    /// limit.
    pub(super) async fn start_report(
        &mut self,
        days: u32,
        now: i64,
        answer: oneshot::Sender<Answer>,
    ) {
        if !(1..=MAX_DAYS).contains(&days) {
            let said = format!("expected 1 to {MAX_DAYS} days, found {days}");
            let _ = answer.send(Answer::Refused(said));
            return;
        }
        let end = Minute::containing(now);
        let digest = self.digest(end, days, &HashMap::new()).await;
        let look = self.look_at_targets(&digest, now, SHORT_TIMEOUT);
        self.commands.wait_for(async move {
            let looked = tokio::time::timeout(SHORT_TIMEOUT, look).await;
            let (healthy, usage) = looked.unwrap_or_default();
            Looked { days, end, healthy, usage, answer }
        });
    }

    /// Answers the requests for a report.
    pub(super) async fn finish_report(&mut self, looked: Looked, now: i64) {
        let Looked { days, end, healthy, usage, answer } = looked;
        self.bill(&usage, now);
        let digest = self.digest(end, days, &healthy).await;
        let _ = answer.send(Answer::Report(Box::new(Written::from(&digest))));
    }

    fn look_at_targets(
        &self,
        digest: &Digest,
        now: i64,
        timeout: Duration,
    ) -> impl Future<Output = (HealthyTargets, Usage)> + use<> {
        healthy(self.poller.accounts.clone(), digest, timeout, now)
    }

    async fn digest(&mut self, end: Minute, days: u32, healthy: &HealthyTargets) -> Digest {
        self.with_all_days(|daemon| daemon.digest_of_all(end, days, healthy)).await
    }

    fn digest_of_all(&self, end: Minute, days: u32, healthy: &HealthyTargets) -> Digest {
        let nothing = History::new();
        let facts = self.poller.gateways().map(|gateway| {
            let key = gateway.id.key();
            let state = self.persisted.gateways.get(&key);
            let report = state.and_then(|state| self.poller.known(state, &key));
            Facts {
                gateway,
                history: self.poller.histories.get(&key).unwrap_or(&nothing),
                state,
                evaluations: report.map_or(&[], |report| &report.evaluations),
                timeouts: state.map_or(&[], GatewayState::timeouts),
                healthy: healthy.get(&key).copied(),
                without_data: report.is_none(),
            }
        });
        let host = &self.self_watch.host;
        Digest::of(&facts.collect::<Vec<_>>(), end, days, self.bill_of(end, days), host)
    }

    /// What was billed in the days before `end`, if all of them are recorded.
    fn bill_of(&self, end: Minute, days: u32) -> Option<Bill> {
        let today = end.start().div_euclid(86_400);
        let first = today - i64::from(days);
        self.persisted.billed.first_key_value().filter(|(day, _)| **day <= first)?;
        let billed_metrics =
            self.persisted.billed.range(first..today).map(|(_, metrics)| metrics).sum();
        #[allow(clippy::cast_precision_loss)] // for people
        let dollars = billed_metrics as f64 * PRICE_PER_1000 / 1000.0;
        Some(Bill { billed_metrics, dollars })
    }
}
