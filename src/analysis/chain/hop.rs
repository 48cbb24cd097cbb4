//! A hop with every figure that can be known of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::{Figure, Known, Limit, Origin, Said, Timer};
use super::product::{Idle, Preset, Product, Repeats};
use super::settings::HopSettings;

/// A hop of a chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// Its name, one of a kind in its chain.
    pub name: String,
    /// What it is.
    #[serde(rename = "kind")]
    pub product: &'static Product,
    /// What is known of its timers.
    pub figures: BTreeMap<Timer, Figure>,
    /// How often it tries the next hop, where that is known.
    pub attempts: Option<Attempts>,
    /// Where the config says other than what was found out.
    pub contradictions: Vec<Contradiction>,
}

/// How often a hop tries the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// The first time included.
    pub count: u32,
    /// What is tried again.
    pub repeats: Repeats,
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
            contradictions: Vec::new(),
        };
        for (timer, limit) in &settings.timers {
            hop.figures.insert(*timer, Figure { limit: *limit, origin: Origin::Config });
        }
        if let Some(count) = settings.attempts {
            hop.attempts = Some(hop.tries(count, Origin::Config));
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

    /// How long it waits for a next hop that says nothing at all, and by which
    /// timer. `None` where that is not known.
    #[must_use]
    pub fn patience(&self) -> Option<(Timer, &Figure)> {
        let of = |timer| self.figures.get(&timer).map(|figure| (timer, figure));
        let known = [of(Timer::Total), of(Timer::Read)].into_iter().flatten();
        known.min_by_key(|(_, figure)| figure.limit)
    }

    /// As [`Hop::patience`], where it ends.
    #[must_use]
    pub fn finite_patience(&self) -> Option<(Timer, &Figure)> {
        self.patience().filter(|(_, figure)| figure.limit != Limit::Never)
    }

    /// How long it keeps an idle connection that it accepted.
    #[must_use]
    pub fn accepts_idle(&self) -> Option<(Timer, &Figure)> {
        let of = |timer| self.figures.get(&timer).map(|figure| (timer, figure));
        let idle = of(Timer::Read).filter(|_| self.product.idle == Idle::BothSides);
        [of(Timer::KeepAlive), idle].into_iter().flatten().min_by_key(|(_, figure)| figure.limit)
    }

    /// How often it tries to connect to the next hop.
    #[must_use]
    pub fn connects(&self) -> u32 {
        self.attempts.as_ref().map_or(1, |attempts| attempts.count)
    }

    /// How often it sends the same request to the next hop.
    #[must_use]
    pub fn sends(&self) -> u32 {
        let repeats = |attempts: &&Attempts| attempts.repeats == Repeats::Requests;
        self.attempts.as_ref().filter(repeats).map_or(1, |attempts| attempts.count)
    }

    fn learn(&mut self, known: &Known) {
        match known.said {
            Said::Attempts(count) => {
                if self.attempts.is_none() {
                    self.attempts = Some(self.tries(count.max(1), known.origin.clone()));
                }
            }
            Said::Timer(timer, limit) => {
                self.learn_timer(timer, Figure { limit, origin: known.origin.clone() });
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
            if let Some(figure) = self.product.default(spec.timer) {
                self.figures.entry(spec.timer).or_insert(figure);
            }
        }
        for spec in self.product.specs {
            if let Preset::As(other) = spec.preset
                && let Some(figure) = self.figures.get(&other).cloned()
            {
                self.figures.entry(spec.timer).or_insert(figure);
            }
        }
        if let (None, Some(retry)) = (&self.attempts, self.product.retry) {
            let title = self.product.title;
            let origin = Origin::Default { product: title, source: retry.source, note: None };
            self.attempts = Some(self.tries(retry.attempts, origin));
        }
    }

    fn tries(&self, count: u32, origin: Origin) -> Attempts {
        let repeats = self.product.retry.map_or(Repeats::Requests, |retry| retry.repeats);
        Attempts { count, repeats, origin }
    }
}
