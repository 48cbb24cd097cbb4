//! All gateways together: what was counted, and the same of the week before over
//! those of which both weeks are known.

use std::collections::BTreeMap;

use crate::capacity::Facts;
use crate::capacity::limits::Limits;
use crate::capacity::row::{CapacityRow, Data, Trouble};
use crate::capacity::week::{Hour, Peak, Week};
use crate::series::history::QuarterHour;

/// Counts of some gateways.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Requests.
    pub requests: f64,
    /// Near misses.
    pub near_misses: f64,
    /// 504s.
    pub timeouts: f64,
}

impl Sums {
    fn add(&mut self, week: &Week) {
        self.requests += week.requests;
        self.near_misses += week.near_misses;
        self.timeouts += week.timeouts;
    }
}

/// An hour of all gateways, and who came closest in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Busiest {
    /// Its first quarter-hour.
    pub at: QuarterHour,
    /// Requests of all.
    pub requests: f64,
    /// The gateway that came closest to its timeout, its quarter-hour, and the share of the
    /// timeout.
    pub closest: Option<(String, Peak, f64)>,
}

/// All gateways.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// How many.
    pub gateways: usize,
    /// With requests.
    pub measured: usize,
    /// Without any.
    pub idle: usize,
    /// Of which nothing is known.
    pub unknown: usize,
    /// That came close to their timeout.
    pub close: usize,
    /// Of which only a part of the period is known.
    pub partly: usize,
    /// Measured ones whose near misses are not known in some quarter-hours.
    pub near_unknown: usize,
    /// What was counted.
    pub sums: Sums,
    /// Gateways of which both weeks are known.
    pub compared: usize,
    /// Their counts of the week before, and of this one.
    pub compared_sums: (Sums, Sums),
    /// Stretches of trouble.
    pub trouble: Trouble,
    /// The busiest hour.
    pub busiest: Option<Busiest>,
    hours: BTreeMap<QuarterHour, f64>,
}

impl Fleet {
    /// Adds a gateway.
    pub fn add(&mut self, standing: &CapacityRow) {
        let (now, before) = (&standing.now, &standing.before);
        self.gateways += 1;
        match standing.data {
            Data::Measured => self.measured += 1,
            Data::Idle => self.idle += 1,
            Data::Unknown => self.unknown += 1,
        }
        self.close += usize::from(standing.came_close());
        self.partly += usize::from(standing.data != Data::Unknown && !now.is_whole());
        self.near_unknown += usize::from(now.near_unknown > 0);
        self.sums.add(now);
        if now.is_whole() && before.is_whole() {
            self.compared += 1;
            self.compared_sums.0.add(before);
            self.compared_sums.1.add(now);
        }
        self.trouble.stretches = self.trouble.stretches.saturating_add(standing.trouble.stretches);
        self.trouble.minutes = self.trouble.minutes.saturating_add(standing.trouble.minutes);
        for hour in &now.hours {
            *self.hours.entry(hour.at).or_default() += hour.requests;
        }
    }

    /// Measured gateways that never came close.
    pub fn comfortable(&self) -> usize {
        self.measured.saturating_sub(self.close)
    }

    /// Finds the busiest hour, and who came closest in it.
    pub fn find_busiest(&mut self, facts: &[(String, &Facts<'_>)]) {
        let hours = std::mem::take(&mut self.hours);
        let busier = |a: (QuarterHour, f64), b: (QuarterHour, f64)| if b.1 > a.1 { b } else { a };
        let Some((at, requests)) = hours.into_iter().reduce(busier) else { return };
        let mut closest: Option<(String, Peak, f64)> = None;
        for (label, facts) in facts {
            let limits = Limits::of(facts);
            let Some(peak) = Hour::containing(at).read(facts.history, &limits).closest else {
                continue;
            };
            let share = peak.p99 / limits.now;
            if share.is_finite() && closest.as_ref().is_none_or(|(_, _, most)| share > *most) {
                closest = Some((label.clone(), peak, share));
            }
        }
        self.busiest = Some(Busiest { at, requests, closest });
    }
}
