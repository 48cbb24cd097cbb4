//! A hop with every figure that can be known of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::chain::figure::Repeats;
use crate::chain::figure::{Doubt, Figure, Known, Limit, Origin, Said, Scope, Timer, Tries};
use crate::chain::product::{Idle, Preset, Product};
use crate::chain::settings::HopSettings;

/// What is changed of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// One of its timers is set.
    Timer(Timer, Limit),
    /// How often it tries is set.
    Attempts(u32),
    /// A timer is removed from the config, so that what was found counts.
    NotInConfig(Timer),
}

/// A hop of a chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// Its name, unique in its chain.
    pub name: String,
    /// What it is.
    #[serde(rename = "kind")]
    pub product: &'static Product,
    /// What is known of its timers.
    pub figures: BTreeMap<Timer, Figure>,
    /// How often it tries the next hop, where that is known.
    pub attempts: Option<Attempts>,
    /// Why timers are not known although its files were read.
    pub doubts: BTreeMap<Timer, Doubt>,
    /// Where the config says other than what was found out.
    pub contradictions: Vec<Contradiction>,
    /// Timers that are the same as another one of the product.
    #[serde(skip)]
    following: BTreeSet<Timer>,
}

/// How often a hop tries the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// The first time included.
    pub count: u32,
    /// No attempt begins later than that after the first one.
    #[serde(rename = "within_seconds")]
    pub within: Limit,
    /// What is tried again.
    pub repeats: Repeats,
    /// Which requests, in words.
    pub which: &'static str,
    /// Who says so.
    pub origin: Origin,
}

/// A figure of the config beside what was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// Which timer.
    pub timer: Timer,
    /// What the config says.
    #[serde(rename = "config_seconds")]
    pub config: Limit,
    /// What was found out.
    pub found: Figure,
}

impl Hop {
    /// The hop with what the config says first, then `known`, then its
    /// product's defaults.
    pub(super) fn of<'a>(settings: &HopSettings, known: impl Iterator<Item = &'a Known>) -> Self {
        let product = settings.product;
        let mut hop = Self {
            name: settings.name.clone(),
            product,
            figures: BTreeMap::new(),
            attempts: None,
            doubts: BTreeMap::new(),
            contradictions: Vec::new(),
            following: BTreeSet::new(),
        };
        for (timer, limit) in &settings.timers {
            hop.figures.insert(*timer, hop.figure(*timer, *limit, Origin::Config));
        }
        if let Some(count) = settings.attempts {
            hop.attempts = Some(hop.tries(Tries::of(count), Origin::Config));
        }
        known.for_each(|known| hop.learn(known));
        hop.fill();
        hop
    }

    /// What is known of a timer.
    #[must_use]
    pub fn limit(&self, timer: Timer) -> Option<Limit> {
        self.figures.get(&timer).map(|figure| figure.limit)
    }

    /// How long it waits for a next hop that says nothing at all, in one attempt, and by
    /// which timer. `None` where that is not known. A bound of a statement does not bound
    /// the wait: a request may run many.
    #[must_use]
    pub fn patience(&self) -> Option<(Timer, &Figure)> {
        let known = [self.bound(Timer::Total), self.bound(Timer::Read)].into_iter().flatten();
        known.min_by_key(|(_, figure)| figure.limit)
    }

    /// As [`Hop::patience`], where it ends.
    #[must_use]
    pub fn finite_patience(&self) -> Option<(Timer, &Figure)> {
        self.patience().filter(|(_, figure)| figure.limit != Limit::Never)
    }

    /// How long a statement may take, where that ends.
    #[must_use]
    pub fn statement(&self) -> Option<&Figure> {
        let figure = self.figures.get(&Timer::Total)?;
        let ends = figure.scope == Scope::Statement && figure.limit != Limit::Never;
        ends.then_some(figure)
    }

    /// How long it keeps an idle connection that it accepted.
    #[must_use]
    pub fn accepts_idle(&self) -> Option<(Timer, &Figure)> {
        let of = |timer| self.figures.get(&timer).map(|figure| (timer, figure));
        let idle = of(Timer::Read).filter(|_| self.product.idle == Idle::BothSides);
        [of(Timer::KeepAlive), idle].into_iter().flatten().min_by_key(|(_, figure)| figure.limit)
    }

    /// How often it tries the next hop, one time after the other, when each attempt
    /// ends by this timer.
    #[must_use]
    pub fn tried(&self, timer: Timer) -> u32 {
        let each = self.limit(timer).unwrap_or(Limit::Never);
        if timer == Timer::Connect { self.begun(each) } else { self.repeated(each) }
    }

    /// How often it sends a request when each attempt ends after this long.
    pub(super) fn repeated(&self, each: Limit) -> u32 {
        let again = self.attempts.as_ref().is_some_and(|a| a.repeats == Repeats::Requests);
        if again { self.begun(each) } else { 1 }
    }

    /// How many attempts begin when each ends after this long.
    fn begun(&self, each: Limit) -> u32 {
        let Some(attempts) = &self.attempts else { return 1 };
        let each = each.length().filter(|each| !each.is_zero());
        let begun = match (attempts.within.length(), each) {
            // An attempt begins as long as less than `within` has passed.
            (Some(within), Some(each)) => within.as_millis().div_ceil(each.as_millis().max(1)),
            (Some(_), None) | (None, _) => u128::MAX,
        };
        attempts.count.min(u32::try_from(begun.max(1)).unwrap_or(u32::MAX))
    }

    /// How often it tries at most.
    #[must_use]
    pub fn connects(&self) -> u32 {
        self.attempts.as_ref().map_or(1, |attempts| attempts.count)
    }

    /// How often it sends the same request to the next hop.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.tried(Timer::Read)
    }

    /// Whether its own files were read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let of_file = |origin: &Origin| matches!(origin, Origin::File { .. });
        !self.doubts.is_empty()
            || self.figures.values().any(|figure| of_file(&figure.origin))
            || self.attempts.as_ref().is_some_and(|attempts| of_file(&attempts.origin))
    }

    /// Changes one of its settings, as advice says.
    pub(super) fn change(&mut self, setting: Setting) {
        match setting {
            Setting::Timer(timer, limit) => {
                let figure = self.figure(timer, limit, Origin::Config);
                self.set(timer, &figure);
            }
            Setting::Attempts(count) => {
                let tries = Tries::of(count);
                let before = self.attempts.take();
                let now = self.tries(tries, Origin::Config);
                let kept = before.map(|before| Attempts { count: now.count, ..before });
                self.attempts = Some(kept.unwrap_or(now));
            }
            Setting::NotInConfig(timer) => {
                let found = self.contradictions.iter().find(|differs| differs.timer == timer);
                if let Some(found) = found.map(|differs| differs.found.clone()) {
                    self.set(timer, &found);
                }
            }
        }
    }

    fn set(&mut self, timer: Timer, figure: &Figure) {
        self.following.remove(&timer);
        self.contradictions.retain(|differs| differs.timer != timer);
        self.figures.insert(timer, figure.clone());
        for spec in self.product.specs {
            if spec.preset == Preset::As(timer) && self.following.contains(&spec.timer) {
                self.figures.insert(spec.timer, Figure { scope: spec.scope, ..figure.clone() });
            }
        }
    }

    /// A timer that bounds a request, an attempt or inactivity.
    pub(super) fn bound(&self, timer: Timer) -> Option<(Timer, &Figure)> {
        let figure = self.figures.get(&timer)?;
        (figure.scope != Scope::Statement).then_some((timer, figure))
    }

    fn figure(&self, timer: Timer, limit: Limit, origin: Origin) -> Figure {
        Figure { limit, scope: self.product.scope(timer), origin }
    }

    fn learn(&mut self, known: &Known) {
        let origin = known.origin.clone();
        match known.said {
            Said::Attempts(tries) if self.attempts.is_none() => {
                self.attempts = Some(self.tries(tries, origin));
            }
            Said::Attempts(_) => {}
            Said::Timer(timer, limit) => {
                self.learn_timer(timer, self.figure(timer, limit, origin));
            }
            Said::Doubt(timer, doubt) => {
                self.doubts.entry(timer).or_insert(doubt);
            }
        }
    }

    fn learn_timer(&mut self, timer: Timer, found: Figure) {
        match self.figures.get(&timer) {
            None => {
                self.figures.insert(timer, found);
            }
            Some(figure) if figure.origin == Origin::Config && figure.limit != found.limit => {
                self.contradictions.push(Contradiction { timer, config: figure.limit, found });
            }
            Some(_) => {}
        }
    }

    /// Fills what is missing from the product's row.
    fn fill(&mut self) {
        for spec in self.product.specs {
            if let Some(figure) = self.product.default(spec.timer)
                && !self.doubts.contains_key(&spec.timer)
            {
                self.figures.entry(spec.timer).or_insert(figure);
            }
        }
        for spec in self.product.specs {
            if let Preset::As(other) = spec.preset
                && !self.figures.contains_key(&spec.timer)
                && let Some(figure) = self.figures.get(&other).cloned()
            {
                self.figures.insert(spec.timer, Figure { scope: spec.scope, ..figure });
                self.following.insert(spec.timer);
            }
        }
        if let (None, Some(retry)) = (&self.attempts, self.product.retry)
            && let Some(count) = retry.attempts
        {
            let title = self.product.title;
            let origin = Origin::Default {
                product: title,
                source: retry.source,
                note: None,
                confirmed: true,
            };
            self.attempts = Some(self.tries(Tries::of(count), origin));
        }
    }

    fn tries(&self, tries: Tries, origin: Origin) -> Attempts {
        let retry = self.product.retry;
        let repeats = retry.map_or(Repeats::Requests, |retry| retry.repeats);
        Attempts {
            count: tries.count.max(1),
            within: tries.within,
            repeats: tries.repeats.unwrap_or(repeats),
            which: tries.which.unwrap_or(retry.map_or("requests", |retry| retry.which)),
            origin,
        }
    }
}
