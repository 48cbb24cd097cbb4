//! What a product does about time: the shape of a row of the table.
//!
//! The rows are data and are in [`crate::chain::products`]; every figure in them
//! carries its source, so that a doubt can be followed to a document.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::chain::figure::{Figure, Limit, Origin, Repeats, Scope, Source, Timer};

/// What part a product plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It asks.
    Client,
    /// It passes requests on.
    Proxy,
    /// It passes bytes on and knows of no requests.
    Tunnel,
    /// It works on requests. Its own code may wait for the next hop in any way.
    Server,
    /// It is called and not connected to: there is no keep-alive.
    Function,
    /// It answers queries of a server.
    Store,
}

/// What a timer is when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// After this long.
    After(Duration),
    /// Off.
    Never,
    /// The same as another timer of the product, set or not.
    As(Timer),
    /// There is such a timer, but no default that could be relied on.
    Unknown,
}

/// What a timer can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub min: Duration,
    /// The most. The same as `min` where it cannot be set at all.
    pub max: Duration,
    /// How to get more than `max`, if there is a way.
    pub beyond: Option<&'static str>,
}

/// Where a timer is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knob {
    /// The tool or the file.
    pub place: &'static str,
    /// What to write there; `{s}` stands for seconds and `{ms}` for milliseconds.
    pub template: &'static str,
}

/// One timer of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Which one.
    pub timer: Timer,
    /// What it is when nobody sets it.
    pub preset: Preset,
    /// What it bounds.
    pub scope: Scope,
    /// For which versions that holds, if not for all.
    pub note: Option<&'static str>,
    /// Whether the figure was seen in its source.
    pub confirmed: bool,
    /// What it can be set to, if that is limited.
    pub bounds: Option<Bounds>,
    /// What whoever waits outside gets when it fires.
    pub answers: &'static str,
    /// Where it is set.
    pub knobs: &'static [Knob],
    /// Where all that is documented.
    pub source: &'static Source,
}

impl Spec {
    /// A timer with what it is by itself and what it answers when it fires.
    pub(super) const fn new(
        timer: Timer,
        preset: Preset,
        answers: &'static str,
        source: &'static Source,
    ) -> Self {
        let scope = timer.scope();
        let (note, bounds, knobs) = (None, None, &[]);
        Self { timer, preset, scope, note, confirmed: true, bounds, answers, knobs, source }
    }

    /// Where the figure is known from practice, and no source that was read has it.
    pub(super) const fn unconfirmed(mut self) -> Self {
        self.confirmed = false;
        self
    }

    /// Where it bounds a statement and not a request.
    pub(super) const fn per_statement(mut self) -> Self {
        self.scope = Scope::Statement;
        self
    }

    /// With limits in seconds.
    pub(super) const fn within(mut self, min: u64, max: u64) -> Self {
        let (min, max) = (Duration::from_secs(min), Duration::from_secs(max));
        self.bounds = Some(Bounds { min, max, beyond: None });
        self
    }

    /// With limits, and how the upper one can be raised.
    pub(super) const fn raisable(mut self, min: u64, max: u64, how: &'static str) -> Self {
        let (min, max) = (Duration::from_secs(min), Duration::from_secs(max));
        self.bounds = Some(Bounds { min, max, beyond: Some(how) });
        self
    }

    /// With a lower limit that is no whole second.
    pub(super) const fn at_least(mut self, min: Duration) -> Self {
        if let Some(bounds) = self.bounds {
            self.bounds = Some(Bounds { min, ..bounds });
        }
        self
    }

    /// With the versions that the preset holds for.
    pub(super) const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// With the places where it is set.
    pub(super) const fn set(mut self, knobs: &'static [Knob]) -> Self {
        self.knobs = knobs;
        self
    }
}

/// How a product tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often it tries by itself, the first time included; `None` where that
    /// depends on how many there are to try.
    pub attempts: Option<u32>,
    /// The most that can be set.
    pub most: u32,
    /// What is tried again.
    pub repeats: Repeats,
    /// Which requests, in words.
    pub which: &'static str,
    /// Where it is set; `{n}` stands for the attempts, `{m}` for one less.
    pub knobs: &'static [Knob],
    /// Where that is documented.
    pub source: &'static Source,
}

/// How sure it is that something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sureness {
    /// The product's documentation says that it does.
    Documented,
    /// It does for some requests: the product tries others again.
    Possible,
}

/// What happens when a product reuses a connection that the next hop is closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// How sure that is.
    pub sureness: Sureness,
    /// What whoever waits outside gets.
    pub answers: &'static str,
    /// Where that is documented.
    pub source: &'static Source,
}

/// Which connections a read timeout closes when nothing moves on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// Those to the next hop, while a response is awaited.
    Upstream,
    /// Those on both sides, at all times, as an idle timeout does.
    BothSides,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Its `kind` in the config.
    pub kind: &'static str,
    /// Its name.
    pub title: &'static str,
    /// What part it plays.
    pub role: Role,
    /// Its timers.
    pub specs: &'static [Spec],
    /// How it tries again, if it does.
    pub retry: Option<Retry>,
    /// What happens when it reuses a dead connection.
    pub reuse: Option<Reuse>,
    /// Which connections its read timeout closes when nothing moves.
    pub idle: Idle,
    /// What else it does about time, for which there is no key.
    pub also: &'static [&'static str],
}

impl Product {
    /// A row without retries.
    pub(super) const fn new(
        kind: &'static str,
        title: &'static str,
        role: Role,
        specs: &'static [Spec],
    ) -> Self {
        Self { kind, title, role, specs, retry: None, reuse: None, idle: Idle::Upstream, also: &[] }
    }

    /// With a read timeout that is an idle timeout of both sides.
    pub(super) const fn idles(mut self) -> Self {
        self.idle = Idle::BothSides;
        self
    }

    /// With what there is no key for.
    pub(super) const fn does(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }

    /// With retries.
    pub(super) const fn retries(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// With what happens when it reuses a dead connection.
    pub(super) const fn reuses(
        mut self,
        sureness: Sureness,
        answers: &'static str,
        source: &'static Source,
    ) -> Self {
        self.reuse = Some(Reuse { sureness, answers, source });
        self
    }

    /// What is known of one of its timers.
    #[must_use]
    pub fn spec(&self, timer: Timer) -> Option<&'static Spec> {
        self.specs.iter().find(|spec| spec.timer == timer)
    }

    /// Whether it makes sense to set a timer of it.
    #[must_use]
    pub fn takes(&self, timer: Timer) -> bool {
        let own_code = matches!(self.role, Role::Client | Role::Server | Role::Function);
        own_code || self.spec(timer).is_some()
    }

    /// What a timer is by itself, where that is a figure.
    pub(super) fn default(&'static self, timer: Timer) -> Option<Figure> {
        let spec = self.spec(timer)?;
        let limit = match spec.preset {
            Preset::After(length) => Limit::After(length),
            Preset::Never => Limit::Never,
            Preset::As(_) | Preset::Unknown => return None,
        };
        let origin = Origin::Default {
            product: self.title,
            source: spec.source,
            note: spec.note,
            confirmed: spec.confirmed,
        };
        Some(Figure { limit, scope: spec.scope, origin })
    }

    /// What one of its timers bounds.
    #[must_use]
    pub fn scope(&self, timer: Timer) -> Scope {
        self.spec(timer).map_or_else(|| timer.scope(), |spec| spec.scope)
    }

    /// Whether it is an nginx, so that nginx's files say something of it.
    #[must_use]
    pub fn is_nginx(&self) -> bool {
        matches!(self.kind, "nginx" | "ingress_nginx")
    }
}

/// Its `kind`.
impl Serialize for Product {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.kind)
    }
}
