//! The table of products as people and programs read it: kinds, keys, defaults and
//! where each figure is documented.

use std::fmt;

use serde::Serialize;

use crate::chain::figure::{Limit, Scope, Timer};
use crate::chain::figure::{Repeats, Source};
use crate::chain::product::{Bounds, Preset, Product, Role, Spec};
use crate::chain::settings::ids_of;

/// One kind of hop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its `kind` in the config.
    pub kind: &'static str,
    /// Its name.
    pub title: &'static str,
    /// What part it plays.
    pub role: Role,
    /// The keys that it takes besides `name` and of which something is known.
    pub keys: Vec<Key>,
    /// The keys that it takes for what its own code may do.
    pub own: Vec<&'static str>,
    /// What else it does about time, for which there is no key.
    pub also: &'static [&'static str],
}

/// One key of a kind of hop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Key {
    /// As it is written in the config.
    pub key: &'static str,
    /// What holds without it, in words.
    pub default: String,
    /// The default in seconds, `"never"` for off; `null` where there is none to rely on.
    pub default_seconds: Option<Limit>,
    /// What it bounds, if it is about time.
    pub scope: Option<Scope>,
    /// What it can be set to, in words, if that is limited.
    pub takes: Option<String>,
    /// What whoever waits gets when it fires.
    pub answers: Option<&'static str>,
    /// Where the figure is documented.
    pub source: Option<&'static Source>,
}

impl Product {
    /// All that is known of it without a chain.
    #[must_use]
    pub fn row(&'static self) -> Row {
        let known = Timer::ALL.into_iter().filter_map(|timer| self.spec(timer));
        let keys = known.map(|spec| self.key(spec)).chain(self.attempts()).chain(self.ids());
        let own = |timer: &Timer| self.takes(*timer) && self.spec(*timer).is_none();
        Row {
            kind: self.kind,
            title: self.title,
            role: self.role,
            keys: keys.collect(),
            own: Timer::ALL.into_iter().filter(own).map(Timer::key).collect(),
            also: self.also,
        }
    }

    fn key(&'static self, spec: &'static Spec) -> Key {
        Key {
            key: spec.timer.key(),
            default: default(spec),
            default_seconds: self.default(spec.timer).map(|figure| figure.limit),
            scope: Some(spec.scope),
            takes: spec.bounds.map(bounds),
            answers: Some(spec.answers),
            source: Some(spec.source),
        }
    }

    fn attempts(&'static self) -> Option<Key> {
        let retry = self.retry?;
        let what = match retry.repeats {
            Repeats::Connecting => "connecting only",
            Repeats::Requests => retry.which,
        };
        let default = match retry.attempts {
            Some(count) => format!("{count} ({what})"),
            None => format!("as many as there are servers ({what})"),
        };
        Some(Key {
            takes: (retry.most < u32::MAX).then(|| format!("1 to {}", retry.most)),
            source: Some(retry.source),
            ..Key::bare("attempts", default)
        })
    }

    fn ids(&'static self) -> Vec<Key> {
        let version = "none: its defaults then count only where all versions share them";
        let version = self.is_nginx().then(|| Key::bare("version", version.to_owned()));
        let ids = ids_of(self.kind).iter();
        ids.map(|id| Key::bare(id, "none: AWS is not asked".to_owned())).chain(version).collect()
    }
}

impl Key {
    fn bare(key: &'static str, default: String) -> Self {
        Self {
            key,
            default,
            default_seconds: None,
            scope: None,
            takes: None,
            answers: None,
            source: None,
        }
    }
}

/// `60 s (TCP listeners)`, `off`, `as read_timeout`.
fn default(spec: &Spec) -> String {
    let value = match spec.preset {
        Preset::After(length) => Limit::After(length).to_string(),
        Preset::Never => "off".to_owned(),
        Preset::As(other) => format!("as {}", other.key()),
        Preset::Unknown => "not known: set it".to_owned(),
    };
    let doubt = (!spec.confirmed).then_some("not confirmed");
    let notes: Vec<_> = spec.note.into_iter().chain(doubt).collect();
    if notes.is_empty() { value } else { format!("{value} ({})", notes.join("; ")) }
}

fn bounds(bounds: Bounds) -> String {
    let (min, max) = (Limit::After(bounds.min), Limit::After(bounds.max));
    match (min == max, bounds.beyond) {
        (true, _) => "nothing else".to_owned(),
        (false, None) => format!("{min} to {max}"),
        (false, Some(how)) => format!("{min} to {max}, more with {how}"),
    }
}

/// The kind and its title, then a line for each key.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.title)?;
        for Key { key, default, scope, takes, source, .. } in &self.keys {
            write!(f, "\n  {key:<20} {default}")?;
            if let Some(scope) = scope {
                write!(f, ", {}", scope.words())?;
            }
            if let Some(takes) = takes {
                write!(f, "; takes {takes}")?;
            }
            if let Some(source) = source {
                write!(f, "\n  {:20} {source}", "")?;
            }
        }
        if !self.own.is_empty() {
            write!(f, "\n  {}: what its own code does", self.own.join(", "))?;
        }
        self.also.iter().try_for_each(|also| write!(f, "\n  {also}"))
    }
}
