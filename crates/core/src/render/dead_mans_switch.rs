//! That the daemon is alive, in one line.

use serde_json::json;

use crate::detect::Severity;
use crate::notification::DeadMansSwitch;
use crate::render::escape::name;
use crate::render::words::{List, MessageContent, RESOLVED, number, things};

/// The words of a sign of life.
pub fn words(alive: &DeadMansSwitch) -> MessageContent {
    let DeadMansSwitch { at, host, gateways, without_data, open, silences, troubles } = alive;
    let wrong = wrong(alive);
    let is_well = wrong.is_empty();
    let severity = if is_well { Severity::Info } else { Severity::Warning };
    let mut words = MessageContent::new("alive", "alive", severity);
    words.id = format!("alive/{host}/{at}");
    words.thread = format!("alive/{host}");
    words.at = Some(*at);
    let colon = if is_well { "" } else { ": " };
    words.title = format!("[ALIVE] nearmiss on {}{colon}{}", name(host), wrong.join(", "));
    words.emoji = if is_well { RESOLVED } else { words.emoji };
    words.paragraphs = vec![format!(
        "It watches {}, {} of them without data; {} open, {} in force, {} of its own.",
        things(*gateways, "gateway"),
        number(*without_data),
        things(*open, "episode"),
        things(*silences, "silence"),
        things(troubles.len(), "trouble"),
    )];
    words.list = List::of(troubles.clone());
    words.facts = vec![("Host", host.clone()), ("Told", at.to_string())];
    words.context = vec![("host", host.clone())];
    words.machine = json!({
        "host": host,
        "gateways": gateways,
        "without_data": without_data,
        "open_episodes": open,
        "silences": silences,
        "troubles": troubles,
    });
    words
}

/// What is wrong with the watching itself, for the title.
fn wrong(alive: &DeadMansSwitch) -> Vec<String> {
    let without = (alive.without_data > 0)
        .then(|| format!("{} without data", things(alive.without_data, "gateway")));
    let troubles = alive.troubles.len();
    let own = (troubles > 0).then(|| format!("{} of its own", things(troubles, "trouble")));
    without.into_iter().chain(own).collect()
}
