//! Where requests come from, how many, and how long they take: the traffic of one gateway.
//!
//! All that the model of the traffic knows of a gateway, whatever kind it is of. What a
//! kind makes of the requests is its own business.

use std::ops::Range;

use crate::rng::Rng;
use crate::scenario::plan::{Plan, Trouble};

/// Which minute a request counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// The one in which it ends.
    End,
    /// The one in which it begins.
    Start,
}

/// One stream of requests, and what becomes of them.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) plan: Plan,
    /// Address of its draws; two sources may share one, and so every request.
    pub(crate) stream: u64,
    /// Address of what is kept of it: sources of one stream whose requests end in the same way
    /// share it.
    pub(crate) key: u64,
    /// Minutes by which the seed moves the script of this one.
    pub(crate) shift: f64,
    /// Changes of the timeout: (epoch minute from which on, seconds).
    pub(crate) timeouts: Vec<(i64, u32)>,
    /// Epoch minutes in which nobody comes.
    pub(crate) idle: Vec<Range<i64>>,
    pub(crate) stamp: Stamp,
}

impl Source {
    /// The traffic of a plan, drawn from a stream.
    pub(crate) fn new(seed: u64, plan: Plan, stream: u64) -> Self {
        let shift = match plan.trouble {
            Trouble::Growing { .. } => Rng::new(&[seed, 4, stream]).unit() * 2.0 - 1.0,
            _ => 0.0,
        };
        let (timeouts, idle) = (Vec::new(), Vec::new());
        Self { plan, stream, key: stream, shift, timeouts, idle, stamp: Stamp::End }
    }

    /// Timeout in force in an epoch minute, seconds.
    pub(crate) fn timeout(&self, minute: i64) -> u32 {
        let before = self.timeouts.iter().rev().find(|(from, _)| *from <= minute);
        before.map_or(self.plan.timeout, |(_, seconds)| *seconds)
    }

    /// The longest timeout there ever is, seconds.
    pub(crate) fn longest_timeout(&self) -> u32 {
        let changed = self.timeouts.iter().map(|(_, seconds)| *seconds);
        changed.fold(self.plan.timeout, u32::max)
    }

    /// How many targets there are behind each target group.
    pub(crate) fn targets(&self) -> usize {
        if self.plan.groups > 0 { self.plan.targets } else { 1 }
    }
}
