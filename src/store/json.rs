//! The state as JSON: the form of older state files, which are imported, and of `nearmiss
//! state export`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

use super::PersistedState;
use nearmiss_core::gateway::Identity;

/// The version of the JSON that this program writes.
pub const VERSION: u32 = 2;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    state: &'a PersistedState,
}

#[derive(Deserialize)]
struct Version {
    version: Number,
}

/// JSON that is no state.
#[derive(Debug)]
pub enum JsonError {
    /// A newer version of the program wrote it.
    Newer(String),
    /// It was not written by this program.
    Damaged(serde_json::Error),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(f, "it has version {version}"),
            Self::Damaged(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for JsonError {}

impl PersistedState {
    /// Reads what [`PersistedState::write_json`], or an older state file, says.
    ///
    /// # Errors
    /// When it is damaged, or a newer version's.
    pub fn of_json(bytes: &[u8]) -> Result<Self, JsonError> {
        let Version { version } = serde_json::from_slice(bytes).map_err(JsonError::Damaged)?;
        let read = if version.as_u64() == Some(1) {
            first_version(bytes)
        } else if version.as_f64().is_some_and(|found| found > f64::from(VERSION)) {
            return Err(JsonError::Newer(version.to_string()));
        } else if version.as_u64() == Some(u64::from(VERSION)) {
            serde_json::from_slice(bytes)
        } else {
            Err(serde::de::Error::custom(format!("there is no version {version}")))
        };
        read.map_err(JsonError::Damaged)
    }

    /// Writes it, on one line.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn write_json(&self, to: impl std::io::Write) -> std::io::Result<()> {
        serde_json::to_writer(to, &Written { version: VERSION, state: self }).map_err(Into::into)
    }
}

/// Reads version 1, which knew one receiver and had an episode's gateway beside it and not
/// in it: its notifications count as sent to the log, until [`PersistedState::told_to`]
/// says to whom.
fn first_version(bytes: &[u8]) -> Result<PersistedState, serde_json::Error> {
    let mut state: Value = serde_json::from_slice(bytes)?;
    let gateways = state.get_mut("gateways").and_then(Value::as_object_mut);
    for (key, gateway_state) in gateways.into_iter().flatten() {
        let gateway = gateway_of(key, &gateway_state["remembered"][0]["t"]);
        let records = gateway_state.get_mut("records").and_then(Value::as_array_mut);
        for record in records.into_iter().flatten().filter_map(Value::as_object_mut) {
            let began = record.get("episode").and_then(|episode| episode.get("began"));
            let at = began.cloned().unwrap_or_default();
            let notified = match record.remove("told") {
                None | Some(Value::Null) => json!({}),
                Some(severity) => {
                    json!({ "log": { "severity": severity, "first": at, "last": at } })
                }
            };
            record.insert("gateway".to_owned(), gateway.clone());
            record.insert("audible".to_owned(), true.into());
            record.insert("told".to_owned(), notified);
        }
    }
    let state: PersistedState = serde_json::from_value(state)?;
    Ok(PersistedState { names_nobody: true, ..state })
}

/// As much of a gateway as its key says; the rest comes with its next minute.
fn gateway_of(key: &str, timeout: &Value) -> Value {
    json!({
        "id": Identity::of_key(key),
        "timeout": { "seconds": timeout.as_f64().unwrap_or(60.0), "idle_timeout": null },
        "near": 0.8,
        "detail": "figures",
    })
}
