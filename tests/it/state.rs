//! A state file that contains anything but what it should.

use std::collections::BTreeSet;
use std::sync::Arc;

use nearmiss::edge::exporter::Exporter;
use nearmiss::metrics::Known;
use nearmiss::store::PersistedState;
use nearmiss_core::alerting::Router;
use nearmiss_core::notification::Notification;
use nearmiss_core::render::{Links, Message};
use nearmiss_core::time::Minute;
use serde_json::{Value, json};

use crate::wire::START;

/// The pointers of all values of a JSON text, one for those that differ only in a number.
fn places(value: &Value, path: &str, seen: &mut BTreeSet<String>, all: &mut Vec<String>) {
    let general: Vec<&str> =
        path.split('/').map(|part| if part.parse::<u32>().is_ok() { "#" } else { part }).collect();
    let general = general.join("/");
    let kind = general.replace("app~1web~1", "app~1*~1").replace("app~1search~1", "app~1*~1");
    if seen.insert(kind.replace("app~1checkout~1", "app~1*~1")) {
        all.push(path.to_owned());
    }
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                places(value, &format!("{path}/{number}"), seen, all);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                places(value, &format!("{path}/{}", escaped(key)), seen, all);
            }
        }
        _ => {}
    }
}

/// Everything that is done with a saved state, except asking AWS.
fn use_it(text: &str) {
    let Ok(memory) = PersistedState::of_json(text.as_bytes()) else { return };
    let now = Minute::containing(START).plus(40);
    let exporter = Exporter::new(std::iter::empty()).unwrap();
    for (_, mut state) in memory.gateways {
        let router = Router::plain();
        state.skip_to(now.plus(-10));
        state.update_audible(&router, now);
        for (_, notice) in state.due(&router, now) {
            let _ = Message::of(&Notification::One(notice), &Links::default()).text.len();
        }
        for record in &state.records.clone() {
            let gateway = &Arc::new(record.gateway.clone());
            let known = Known { gateway, report: None, state: Some(&state) };
            let page = exporter.page(std::iter::once(known)).rendered().metrics;
            assert!(String::from_utf8(page.to_vec()).unwrap().contains("nearmiss_gateway_up"));
        }
    }
}

/// Each value of a state that a daemon saved, made into something that it is not.
pub(crate) fn no_value_panics(saved: &str) {
    let state: Value = serde_json::from_str(saved).unwrap();
    let mut all = Vec::new();
    places(&state, "", &mut BTreeSet::new(), &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let odd = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_992_i64),
        json!(1e308),
        json!(-1e308),
        json!(4e-320),
        json!(""),
        json!("\u{1b}[31m\u{202e}"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "": {} }),
    ];
    for place in &all {
        for value in &odd {
            let mut state = state.clone();
            *state.pointer_mut(place).unwrap() = value.clone();
            use_it(&state.to_string());
        }
    }
}
