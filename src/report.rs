//! `nearmiss report`: the capacity report, now.
//!
//! A running daemon has everything for it in memory, and is asked. If none runs, the same
//! history is read from CloudWatch.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use crate::config::Config;
use crate::edge::aws::{self, BaseError, Usage};
use crate::edge::control::{self, Answer, Command, ControlError};
use crate::edge::host;
use crate::edge::time::Clock;
use crate::inventory::{AccountRegion, MAX_TARGET_GROUPS, Trouble};
use crate::source::{Healthy, Stretch};
use nearmiss_core::capacity::{Digest, Facts, Written};
use nearmiss_core::detect::outlook::History;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Gateway, Identity};
use nearmiss_core::series::history::{QUARTER_HOURS, QuarterHour};
use nearmiss_core::time::Minute;

/// Healthy targets are read for at most this many gateways, those with the least headroom:
/// with plenty of headroom nobody asks where the targets went.
const MAX_HEALTHY: usize = 100;
/// How many minutes after its end a quarter-hour is known.
const PUBLISHED_AFTER: i64 = 3;

/// A report, and remarks on it.
#[derive(Debug)]
pub struct Made {
    /// The report.
    pub report: Written,
    /// Where it comes from, and what could not be read.
    pub remarks: Vec<String>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The daemon was asked and did not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// AWS cannot be asked.
    #[error(transparent)]
    Aws(#[from] BaseError),
    /// The daemon refused to make it.
    #[error("{0}")]
    Refused(String),
}

/// The report on the last `days`: the daemon's, or else one made from CloudWatch.
///
/// # Errors
/// When a daemon runs and gives none.
pub async fn report(config: &Config, days: u32, clock: Clock) -> Result<Made, ReportError> {
    match control::ask(&config.control.socket, &Command::Report { days }).await {
        Ok(Answer::Report(report)) => Ok(Made { report: *report, remarks: Vec::new() }),
        Ok(Answer::Refused(why)) => Err(ReportError::Refused(why)),
        Ok(_) => Err(ReportError::Refused("the daemon answered something else".to_owned())),
        Err(ControlError::Nobody { path, source }) if is_absent(&source) => {
            let (base, _) = aws::base(&config.aws, config.poll.deadline.get()).await?;
            let mut made = from_cloudwatch(config, &base, days, clock).await;
            let remark = format!(
                "no daemon answers on {}: this report is made of CloudWatch's figures alone, without episodes and what the rules say",
                path.display()
            );
            made.remarks.insert(0, remark);
            Ok(made)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether no daemon runs, as opposed to one that this user may not ask.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

async fn from_cloudwatch(config: &Config, base: &SdkConfig, days: u32, clock: Clock) -> Made {
    let mut accounts = AccountRegion::of_config(config, base).await;
    let deadline = config.poll.deadline;
    let now = clock.now();
    let mut usage = Usage::default();
    let mut remarks = Vec::new();
    let end = Minute::containing(now).plus(-PUBLISHED_AFTER);
    let mut histories = HashMap::new();
    for account in &mut accounts {
        usage.add(account.refresh(now, deadline, deadline).await);
        remarks.extend(account.troubles.iter().map(Trouble::to_string));
        let (read, faults, used) =
            fortnight(account, QuarterHour::containing(end), deadline.get()).await;
        usage.add(used);
        histories.extend(read);
        remarks.extend(faults);
    }
    let digest =
        |accounts: &[AccountRegion], healthy: &_| digest(accounts, &histories, healthy, end, days);
    let first = digest(&accounts, &HashMap::new());
    let (healthy, used) = healthy(accounts.clone(), &first, deadline.get(), now).await;
    usage.add(used);
    let digest = digest(&accounts, &healthy);
    remarks.push(format!("CloudWatch bills {} metrics for it", usage.billed_metrics));
    Made { report: Written::from(&digest), remarks }
}

fn digest(
    accounts: &[AccountRegion],
    histories: &HashMap<String, History>,
    healthy: &HashMap<String, (f64, f64)>,
    end: Minute,
    days: u32,
) -> Digest {
    let nothing = History::new();
    let gateways = accounts.iter().flat_map(|account| &account.gateways);
    let facts = gateways.map(|gateway| {
        let key = gateway.id.key();
        Facts {
            gateway,
            history: histories.get(&key).unwrap_or(&nothing),
            state: None,
            evaluations: &[],
            timeouts: &[],
            healthy: healthy.get(&key).copied(),
            without_data: !histories.contains_key(&key),
        }
    });
    Digest::of(&facts.collect::<Vec<_>>(), end, days, None, &host::name())
}

/// Fourteen days of every gateway, and why some have none.
async fn fortnight(
    account: &AccountRegion,
    end: QuarterHour,
    deadline: Duration,
) -> (HashMap<String, History>, Vec<String>, Usage) {
    let from = end.plus(-i64::try_from(QUARTER_HOURS).unwrap_or(0));
    let stretch =
        |gateway: &Arc<Gateway>| Stretch { gateway: gateway.clone(), from, rate: PollRate::Fast };
    let stretches: Vec<Stretch> = account.gateways.iter().map(stretch).collect();
    let (answers, usage) = account.metrics.quarter_hours(&stretches, end, deadline).await;
    let mut histories = HashMap::new();
    let mut faults = HashSet::new();
    for (stretch, answer) in stretches.iter().zip(answers) {
        match answer {
            Ok(quarter_hours) => {
                let mut history = History::new();
                for (quarter_hour, summary) in &quarter_hours {
                    history.enter(*quarter_hour, summary);
                }
                histories.insert(stretch.gateway.id.key(), history);
            }
            Err(fault) => drop(faults.insert(format!("{fault}. {}", fault.advice()))),
        }
    }
    (histories, faults.into_iter().collect(), usage)
}

/// The healthy targets, before and in the period of a report, of the gateways that came
/// closest to their timeout in it. What cannot be read stays unknown.
pub fn healthy(
    accounts: Vec<AccountRegion>,
    digest: &Digest,
    deadline: Duration,
    now: i64,
) -> impl Future<Output = (HashMap<String, (f64, f64)>, Usage)> + use<> {
    let close: HashSet<String> = digest.closest().take(MAX_HEALTHY).map(Identity::key).collect();
    let between = digest.weeks();
    async move {
        let is_close = |gateway: &&Arc<Gateway>| close.contains(&gateway.id.key());
        let (mut known, mut usage) = (HashMap::new(), Usage::default());
        for mut account in accounts {
            account.find_target_groups(is_close, now, deadline, &mut usage).await;
            let of = |gateway: &Arc<Gateway>| Healthy {
                gateway: gateway.clone(),
                target_groups: account.target_groups(gateway).to_vec(),
            };
            let asks = account.gateways.iter().filter(is_close).map(of);
            // With more groups than these, some would be missing from the sum.
            let asks: Vec<Healthy> = asks
                .filter(|ask| (1..MAX_TARGET_GROUPS).contains(&ask.target_groups.len()))
                .collect();
            let (answers, used) = account.metrics.healthy(&asks, &between, deadline).await;
            usage.add(used);
            for (ask, answer) in asks.iter().zip(answers) {
                if let Ok([Some(before), Some(now)]) = answer.as_deref() {
                    known.insert(ask.gateway.id.key(), (*before, *now));
                }
            }
        }
        (known, usage)
    }
}
