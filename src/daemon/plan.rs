//! What a poll asks of CloudWatch, and what it got.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::recent::Recent;
use crate::edge::aws::AwsError;
use crate::inventory::AccountRegion;
use crate::source::{Answer, Ask};
use crate::store::GatewayStates;
use nearmiss_core::Report;
use nearmiss_core::detect::LONGEST_WINDOW;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::series::snapshot::{KeptSnapshot, Snapshot};
use nearmiss_core::state::{GatewayState, RETENTION_MINUTES};
use nearmiss_core::time::Minute;

/// At most this many stretches of minutes that were empty are read again in one poll, for
/// each account.
const MAX_BACKFILLS: usize = 60;

/// A poll's requests are made and answered in pieces of at most this many minutes of
/// gateways: what it holds of them at once.
const PIECE_MINUTES: i64 = 10_000;
/// A gateway counts as this many minutes at the least, so that a piece has 250.
const LEAST_MINUTES: i64 = 40;

/// What a poll, or a piece of it, got from CloudWatch, by the keys of gateways.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The first minute that CloudWatch may still add to.
    pub(super) settled: Minute,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    /// For each gateway, the first minute about which nothing can be said yet.
    pub(super) ready: HashMap<String, Minute>,
    /// The first minute that was not read of all that were.
    pub(super) end: Option<Minute>,
    /// How many gateways were read.
    pub(super) read: usize,
    pub(super) failed: BTreeSet<String>,
    pub(super) faults: BTreeMap<String, Arc<AwsError>>,
}

impl Fetched {
    pub(super) fn nothing(settled: Minute) -> Self {
        let (snapshots, failed, faults) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { settled, snapshots, ready: HashMap::new(), end: None, read: 0, failed, faults }
    }

    /// Adds how a piece of the poll went; what it got has been dealt with.
    pub(super) fn add(&mut self, piece: Self) {
        self.end = self.end.into_iter().chain(piece.end).min();
        self.read += piece.read;
        self.failed.extend(piece.failed);
        self.faults.extend(piece.faults);
    }

    pub(super) fn enter(&mut self, gateway: &Gateway, answer: Answer<Snapshot>, recent: &Recent) {
        let key = gateway.id.key();
        // Minutes that are complete later than others are not behind.
        let end = answer.as_ref().ok().map(|one| one.end().plus(gateway.extra_delay()));
        self.end = self.end.into_iter().chain(end).min();
        match answer {
            // For one that was created anew there is another answer.
            Ok(_) if self.failed.contains(&key) => {}
            Ok(snapshot) if self.snapshots.contains_key(&key) => {
                let joined = self.snapshots.get(&key).map(|first| first.joined(&snapshot));
                self.snapshots.extend(joined.map(|joined| (key, joined)));
            }
            Ok(snapshot) => {
                let first = snapshot.first().plus(-i64::from(LONGEST_WINDOW));
                let snapshot = match recent.get(&key) {
                    Some(earlier) => snapshot.continuing(&earlier.open(), first),
                    None => snapshot,
                };
                self.snapshots.insert(key, snapshot);
                self.read += 1;
            }
            Err(fault) => {
                self.read -= usize::from(self.snapshots.remove(&key).is_some());
                self.failed.insert(key);
                self.faults.insert(fault.to_string(), fault);
            }
        }
    }

    pub(super) fn outcome(&self) -> &'static str {
        match (self.read, self.failed.is_empty()) {
            (_, true) => "ok",
            (1.., false) => "partial",
            (0, false) => "failed",
        }
    }
}

/// What to ask for in pieces, each with the minute up to which it is asked: gateways that lag
/// behind are read in stretches, and those that are asked for as many minutes are together. A
/// gateway without a report is asked at once. One whose watermark lies in the future is asked
/// as if it were new: the answer says what time it is.
pub(super) fn asks(
    account: &AccountRegion,
    states: &GatewayStates,
    reports: &HashMap<String, Report>,
    recent: &Recent,
    calm_every: i64,
    end: Minute,
) -> Vec<(Minute, Vec<Ask>)> {
    let mut all = Vec::new();
    for gateway in &account.gateways {
        let key = gateway.id.key();
        let end = end.plus(-gateway.extra_delay());
        let known = states.get(&key).filter(|state| !state.is_ahead_of(end));
        let new = known.is_none().then(|| GatewayState::starting(end.plus(-1)));
        let Some(state) = known.or(new.as_ref()) else { continue };
        let answers = state.asks_for_answers();
        let rate = reports.get(&key).map(|report| report.rate).filter(|_| !answers);
        let is_due = rate.unwrap_or(PollRate::Fast).is_due(calm_every, &key, state.unread(), end);
        if is_due {
            let of_before = || recent.rate(&key, end.since(state.unread()));
            let rate = if answers { PollRate::Fast } else { rate.unwrap_or_else(of_before) };
            let recent = recent.get(&key).map(KeptSnapshot::span);
            let (from, until) = state.next_stretch(recent, PollRate::turn(&key), end);
            let target_groups = match rate {
                PollRate::Slow => Vec::new(),
                PollRate::Fast => account.target_groups(gateway).to_vec(),
            };
            let ask = Ask {
                gateway: Arc::clone(gateway),
                former: None,
                from,
                rate,
                answers,
                target_groups,
            };
            all.push((until, with_former(ask, state, end)));
        }
    }
    in_pieces(all)
}

/// What is asked of each gateway, each up to a minute, in pieces.
fn in_pieces(mut all: Vec<(Minute, Vec<Ask>)>) -> Vec<(Minute, Vec<Ask>)> {
    all.sort_by_key(|(until, asks)| {
        let first = asks.first();
        (*until, first.map(|ask| (ask.rate, ask.answers, ask.from)))
    });
    let mut by_end: BTreeMap<Minute, Vec<Vec<Ask>>> = BTreeMap::new();
    for (until, asks) in all {
        by_end.entry(until).or_default().push(asks);
    }
    let of_end = |(until, all): (Minute, Vec<Vec<Ask>>)| {
        let minutes = move |ask: &Ask| until.since(ask.from).max(LEAST_MINUTES);
        let of_one = move |asks: &Vec<Ask>| asks.iter().map(minutes).sum();
        let pieces = pieces(all, PIECE_MINUTES, of_one).into_iter();
        pieces.map(move |piece| (until, piece.into_iter().flatten().collect()))
    };
    by_end.into_iter().flat_map(of_end).collect()
}

/// These in pieces of at most this size, or of one that is larger, in their order.
pub(super) fn pieces<T>(all: Vec<T>, most: i64, size: impl Fn(&T) -> i64) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    let mut sum = 0;
    for one in all {
        let more = size(&one);
        sum += more;
        if let Some(piece) = pieces.last_mut().filter(|_| sum <= most) {
            piece.push(one);
        } else {
            sum = more;
            pieces.push(vec![one]);
        }
    }
    pieces
}

/// The question about a gateway, and the same about the load balancers that it replaced not
/// long ago.
fn with_former(ask: Ask, state: &GatewayState, end: Minute) -> Vec<Ask> {
    let former = state.former_dimensions(end).map(|dimension| Ask {
        former: Some(dimension.to_owned()),
        target_groups: Vec::new(),
        ..ask.clone()
    });
    let former: Vec<Ask> = former.collect();
    std::iter::once(ask).chain(former).collect()
}

/// What to read again of minutes that stayed empty, each with the hour before it.
pub(super) fn backfills(
    account: &AccountRegion,
    states: &mut GatewayStates,
    end: Minute,
) -> Vec<(Minute, Vec<Ask>)> {
    let mut all = Vec::new();
    let mut left = MAX_BACKFILLS;
    for gateway in &account.gateways {
        if left == 0 {
            break;
        }
        let key = gateway.id.key();
        if !states.get(&key).is_some_and(GatewayState::may_backfill) {
            continue;
        }
        let state = states.get_mut(&key);
        let Some((from, until)) = state.and_then(|state| state.backfill(end)) else { continue };
        left -= 1;
        let from = from.plus(1 - i64::from(LONGEST_WINDOW)).max(end.plus(-RETENTION_MINUTES));
        let ask = Ask {
            gateway: Arc::clone(gateway),
            former: None,
            from,
            rate: PollRate::Slow,
            answers: false,
            target_groups: Vec::new(),
        };
        all.push((until, vec![ask]));
    }
    in_pieces(all)
}
