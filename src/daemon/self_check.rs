//! The self-check: do CloudWatch's figures mean what nearmiss takes them to mean?

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use tracing::{error, info};

use super::poller::Poller;
use super::{Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use crate::source::SelfCheck;
use nearmiss_core::Report;
use nearmiss_core::time::Minute;

/// How often an account is tried at most; what is open then stays open.
const MAX_ATTEMPTS: u8 = 10;
/// How many minutes of one gateway are compared.
const MINUTES: i64 = 60;
/// Fewer 504s than this in a gateway's newest minute are not worth a request.
const ENOUGH_TIMEOUTS: f64 = 3.0;

impl Daemon {
    /// Tries what is still open in each account, on the gateway that can show it.
    pub(super) async fn check_figures(
        &mut self,
        now: i64,
        end: Minute,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let left = allotment(deadline);
        let Poller { accounts, reports, .. } = &mut self.poller;
        let mut checks = Vec::new();
        for (index, account) in accounts.iter_mut().enumerate() {
            let Some(report) = telling(account, reports) else { continue };
            account.self_check_attempts += 1;
            let (metrics, gateway) = (Arc::clone(&account.metrics), Arc::clone(&report.gateway));
            checks.push(async move {
                let mut used = Usage::default();
                let minutes = (end.plus(-MINUTES), end);
                let proof = metrics.self_check(&gateway, minutes, left, &mut used).await;
                (index, gateway, proof, used)
            });
        }
        let proofs = self.serve(now, deadline, futures::future::join_all(checks)).await;
        for (index, gateway, proof, used) in proofs.into_iter().flatten() {
            usage.add(used);
            // A failed attempt is not reported: the poll itself reports what fails.
            let (Ok(proof), account) = (proof, &mut self.poller.accounts[index]) else { continue };
            tell(account, proof, &gateway.id.name);
            account.self_check = account.self_check.and(proof);
        }
        let accounts = self.poller.accounts.iter();
        let all = accounts.fold(SelfCheck::default(), |all, account| all.and(account.self_check));
        for (check, holds) in [
            ("counts_add_up", all.counts_add_up),
            ("timeouts_leave_no_sample", all.timeouts_leave_no_sample),
        ] {
            if let Some(holds) = holds {
                let proofs = &self.publisher.exporter.self_check;
                proofs.with_label_values(&[check]).set(i64::from(holds));
            }
        }
    }
}

/// The gateway of an account that can show what is still open there.
fn telling<'a>(
    account: &AccountRegion,
    reports: &'a HashMap<String, Report>,
) -> Option<&'a Report> {
    let SelfCheck { counts_add_up, timeouts_leave_no_sample } = account.self_check;
    let open = counts_add_up.is_none() || timeouts_leave_no_sample.is_none();
    if !open || account.self_check_attempts >= MAX_ATTEMPTS {
        return None;
    }
    let tried = account.gateways.iter().filter(|one| one.id.kind.spec().self_check.is_some());
    let keys = tried.map(|gateway| gateway.id.key());
    let reports = keys.filter_map(|key| reports.get(&key));
    let telling = reports.filter(|Report { reading, .. }| {
        let first = counts_add_up.is_none() && reading.samples > 0.0;
        first || reading.timeouts >= ENOUGH_TIMEOUTS
    });
    telling.max_by(|a, b| most_telling(a, b))
}

fn most_telling(a: &Report, b: &Report) -> Ordering {
    let (a, b) = (a.reading, b.reading);
    a.timeouts.total_cmp(&b.timeouts).then(a.samples.total_cmp(&b.samples))
}

/// Logs what was not known before.
fn tell(account: &AccountRegion, proof: SelfCheck, gateway: &str) {
    let region = &account.region;
    if account.self_check.counts_add_up.is_none() {
        match proof.counts_add_up {
            Some(true) => info!(region, gateway, "self-check: CloudWatch's counts add up"),
            Some(false) => error!(
                region,
                gateway,
                "self-check: CloudWatch's counts within bounds do not add up to its number of samples; counts of near misses may be wrong"
            ),
            None => {}
        }
    }
    if account.self_check.timeouts_leave_no_sample.is_none() {
        match proof.timeouts_leave_no_sample {
            Some(true) => info!(region, gateway, "self-check: 504s leave no latency sample"),
            Some(false) => error!(
                region,
                gateway,
                "self-check: 504s leave a latency sample here; nearmiss_requests_total counts them twice"
            ),
            None => {}
        }
    }
}
