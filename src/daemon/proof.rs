//! The self-check: do CloudWatch's figures mean what is made of them?

use std::cmp::Ordering;

use tracing::{error, info};

use super::Daemon;
use crate::analysis::Report;
use crate::analysis::signal::Minute;
use crate::discovery::Account;
use crate::edge::aws::Usage;
use crate::edge::cloudwatch::Proof;

/// An account is tried so often; what is open then stays open.
const MOST_ATTEMPTS: u8 = 10;
/// Over so many minutes of one gateway.
const MINUTES: i64 = 60;
/// Fewer 504s in a gateway's newest minute prove nothing worth a request.
const ENOUGH_TIMEOUTS: f64 = 3.0;

impl Daemon {
    /// Tries what is still open in each account, on the gateway that can tell.
    pub(super) async fn prove(&mut self, end: Minute, usage: &mut Usage) {
        let deadline = self.config.poll.deadline.get();
        for account in &mut self.accounts {
            let Proof { counts_add_up, timeouts_leave_no_sample } = account.proof;
            let open = counts_add_up.is_none() || timeouts_leave_no_sample.is_none();
            if !open || account.proof_attempts >= MOST_ATTEMPTS {
                continue;
            }
            let keys = account.gateways.iter().map(|gateway| gateway.id.key());
            let reports = keys.filter_map(|key| self.reports.get(&key));
            let telling = reports.filter(|Report { reading, .. }| {
                let first = counts_add_up.is_none() && reading.samples > 0.0;
                first || reading.timeouts >= ENOUGH_TIMEOUTS
            });
            let Some(report) = telling.max_by(|a, b| most_telling(a, b)) else { continue };
            let minutes = (end.plus(-MINUTES), end);
            account.proof_attempts += 1;
            let proof = account.cloudwatch.prove(&report.gateway, minutes, deadline, usage).await;
            // A failed attempt is no news: the poll itself tells what fails.
            if let Ok(proof) = proof {
                tell(account, proof, &report.gateway.id.name);
                account.proof = account.proof.and(proof);
            }
        }
        let all = self.accounts.iter().fold(Proof::default(), |all, a| all.and(a.proof));
        for (check, holds) in [
            ("counts_add_up", all.counts_add_up),
            ("timeouts_leave_no_sample", all.timeouts_leave_no_sample),
        ] {
            if let Some(holds) = holds {
                self.exporter.proofs.with_label_values(&[check]).set(i64::from(holds));
            }
        }
    }
}

fn most_telling(a: &Report, b: &Report) -> Ordering {
    let (a, b) = (a.reading, b.reading);
    a.timeouts.total_cmp(&b.timeouts).then(a.samples.total_cmp(&b.samples))
}

/// Says what was not known before.
fn tell(account: &Account, proof: Proof, gateway: &str) {
    let region = &account.region;
    if account.proof.counts_add_up.is_none() {
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
    if account.proof.timeouts_leave_no_sample.is_none() {
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
