//! What is remembered over restarts, and which of it is not written yet.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use nearmiss_core::alerting::{Receiver, ReceiverId, Silence};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::notification::{Component, SelfAlert};
use nearmiss_core::state::{self, GatewayState, Succession};
use nearmiss_core::time::Minute;

/// Everything that is remembered over restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PersistedState {
    /// The state of each gateway.
    pub gateways: GatewayStates,
    /// The silences in force.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// The daemon's own troubles, and who was notified of them.
    #[serde(default)]
    pub own: BTreeMap<Component, SelfAlert>,
    /// What is sent by the clock, and up to when that was done.
    #[serde(default)]
    pub sent: BTreeMap<ScheduledMessage, i64>,
    /// Metrics that CloudWatch billed, by day (counted from the Unix epoch).
    #[serde(default)]
    pub billed: BTreeMap<i64, u64>,
    /// Whether it does not say who was notified: version 1 knew one receiver.
    #[serde(skip)]
    pub(super) names_nobody: bool,
}

/// What is sent by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledMessage {
    /// The capacity report.
    Digest,
    /// The message that the daemon is alive.
    Alive,
}

impl PersistedState {
    /// What version 1 notified, it notified this receiver of.
    pub fn attribute_to(&mut self, receiver: &ReceiverId) {
        if !std::mem::take(&mut self.names_nobody) {
            return;
        }
        let log = Receiver::log().id;
        let keys: Vec<String> = self.gateways.keys().cloned().collect();
        for key in keys {
            let Some(state) = self.gateways.get_mut(&key) else { continue };
            for record in &mut state.records {
                if let Some(notified) = record.notified.remove(&log) {
                    record.notified.entry(receiver.clone()).or_insert(notified);
                }
            }
        }
    }
}

/// States by the key of their gateway. It is read like the map that it is; changes are
/// recorded, so that only they are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GatewayStates {
    states: BTreeMap<String, GatewayState>,
    /// Keys of those that may have changed or been removed since they were written.
    #[serde(skip)]
    changed: BTreeSet<String>,
}

impl PartialEq for GatewayStates {
    fn eq(&self, other: &Self) -> bool {
        self.states == other.states
    }
}

impl Deref for GatewayStates {
    type Target = BTreeMap<String, GatewayState>;

    fn deref(&self) -> &Self::Target {
        &self.states
    }
}

impl IntoIterator for GatewayStates {
    type Item = (String, GatewayState);
    type IntoIter = std::collections::btree_map::IntoIter<String, GatewayState>;

    fn into_iter(self) -> Self::IntoIter {
        self.states.into_iter()
    }
}

impl FromIterator<(String, GatewayState)> for GatewayStates {
    /// As they were written.
    fn from_iter<T: IntoIterator<Item = (String, GatewayState)>>(states: T) -> Self {
        Self { states: states.into_iter().collect(), changed: BTreeSet::new() }
    }
}

impl GatewayStates {
    /// One of them, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut GatewayState> {
        let state = self.states.get_mut(key)?;
        note(&mut self.changed, key);
        Some(state)
    }

    /// One of them, to be changed; created if it does not exist.
    pub fn get_or_insert_with(
        &mut self,
        key: &str,
        new: impl FnOnce() -> GatewayState,
    ) -> &mut GatewayState {
        note(&mut self.changed, key);
        self.states.entry(key.to_owned()).or_insert_with(new)
    }

    /// Removes all others.
    pub fn retain(&mut self, keep: impl Fn(&str, &GatewayState) -> bool) {
        let changed = &mut self.changed;
        self.states.retain(|key, state| {
            let is_kept = keep(key, state);
            if !is_kept {
                note(changed, key);
            }
            is_kept
        });
    }

    /// Passes states on to successors: see [`state::succeed`].
    pub fn succeed(&mut self, watched: &[&Gateway], now: Minute) -> Vec<Succession> {
        let all = state::succeed(&mut self.states, watched, now);
        self.changed.extend(all.iter().flat_map(|(old, new)| [old.clone(), new.clone()]));
        all
    }

    /// Those that may have changed since they were written; removed ones have no state.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&str, Option<&GatewayState>)> {
        self.changed.iter().map(|key| (key.as_str(), self.states.get(key)))
    }

    /// Marks everything as written.
    pub(super) fn written(&mut self) {
        self.changed.clear();
    }
}

fn note(changed: &mut BTreeSet<String>, key: &str) {
    if !changed.contains(key) {
        changed.insert(key.to_owned());
    }
}
