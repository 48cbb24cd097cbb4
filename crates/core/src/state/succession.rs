//! A gateway that is deleted and created again under its name is the same gateway.
//!
//! Its ARN and its CloudWatch dimension are new, its name, Region and account are not:
//! within those a name is unique. What is remembered of the old one goes on: its open
//! episode, what is usual, its counters - which are one series, because their labels are
//! the same. For some hours both dimensions are read and added up, so that neither the last
//! requests of the one nor the first of the other are missing.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::gateway::{Gateway, Identity};
use crate::state::GatewayState;
use crate::state::limits::LATE_MINUTES;
use crate::state::limits::RETENTION_MINUTES;
use crate::time::Minute;

/// At most this many former dimension values are remembered.
const MAX_FORMER: usize = 4;
/// How many minutes an episode outlives its gateway: one that is created again is away for
/// a while.
const MISSED_MINUTES: i64 = 15;

/// What a gateway was before it was created again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Its CloudWatch dimension value then.
    pub dimension: String,
    /// The first minute at which it was known to have a successor.
    pub until: Minute,
}

/// What succeeds what: the old key, and the new one.
pub type Succession = (String, String);

/// Hands on what is remembered of gateways that are not watched any more to those of the
/// same kind, name, Region and account that are watched and of which nothing is remembered.
/// Where the account is not known, a name says nothing.
pub fn succeed(
    states: &mut BTreeMap<String, GatewayState>,
    watched: &[&Gateway],
    now: Minute,
) -> Vec<Succession> {
    let keys: HashSet<String> = watched.iter().map(|gateway| gateway.id.key()).collect();
    let mut all = Vec::new();
    for gateway in watched.iter().filter(|gateway| !gateway.id.account.is_empty()) {
        let key = gateway.id.key();
        let Some(name) = gateway.id.lasting_key().filter(|_| !states.contains_key(&key)) else {
            continue;
        };
        let is_old = |(old, _): &(&String, &GatewayState)| {
            old.strip_prefix(&name).is_some_and(|rest| !rest.contains('/')) && !keys.contains(*old)
        };
        let namesakes = states.range(name.clone()..).take_while(|(old, _)| old.starts_with(&name));
        let newest = namesakes.filter(is_old).max_by_key(|(_, state)| state.assess_watermark);
        let Some(old) = newest.map(|(old, _)| old.clone()) else { continue };
        if let Some(mut state) = states.remove(&old) {
            state.goes_on_as(gateway, &old, now);
            states.insert(key.clone(), state);
            all.push((old, key));
        }
    }
    all
}

impl GatewayState {
    /// From now on it is this gateway's.
    fn goes_on_as(&mut self, gateway: &Gateway, old: &str, now: Minute) {
        let Identity { dimension, .. } = Identity::of_key(old);
        self.former.push(Former { dimension, until: now });
        let surplus = self.former.len().saturating_sub(MAX_FORMER);
        self.former.drain(..surplus);
        self.gone = None;
        for record in self.records.iter_mut().filter(|record| record.episode.is_open()) {
            record.gateway.clone_from(gateway);
        }
    }

    /// The dimension values under which its minutes may still be found at a poll of the
    /// minutes before `end`, besides its own.
    pub fn former_dimensions(&self, end: Minute) -> impl Iterator<Item = &str> {
        let recent = self.former.iter().filter(move |f| end.since(f.until) < LATE_MINUTES);
        recent.map(|former| former.dimension.as_str())
    }

    /// What its gateway was in the last fifteen days, oldest first.
    pub fn former(&self, now: Minute) -> impl Iterator<Item = &Former> {
        self.former.iter().filter(move |former| now.since(former.until) < RETENTION_MINUTES)
    }

    /// Whether its gateway was not there when it was looked for last.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.gone.is_some()
    }

    /// Notes whether its gateway is there. Its episodes end when it was gone for longer
    /// than it takes to create one again: nobody watches any more. Where it is there and
    /// never was missed, nothing changes ([`GatewayState::is_missed`]).
    pub fn see(&mut self, is_there: bool, now: Minute) {
        if is_there {
            self.gone = None;
            return;
        }
        let gone = self.gone.get_or_insert(now);
        *gone = (*gone).min(now);
        if now.since(*gone) >= MISSED_MINUTES {
            self.records.iter_mut().for_each(|record| record.episode.abandon());
        }
    }
}
