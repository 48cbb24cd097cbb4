//! The measured summary that all checks share: what was usual, what is now, and which
//! of the differences are more than chance.
//!
//! It is computed once, so that no two checks can disagree about a figure. A request
//! that timed out leaves no latency sample: percentiles here are those of the answered
//! requests, and shares are of all that came.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::number::statistics::wilson_lower;
use crate::time::Minute;

use crate::diagnose::deployments::Deployments;
use crate::diagnose::evidence::{Evidence, Service, TargetKind};
use crate::diagnose::network::Obstacles;
use crate::diagnose::series::{
    self, Row, groups_in_use, largest, middle, peak, peak_mean, real, slice, sum,
};
use crate::diagnose::split::{self, Split};
use crate::gateway::evidence::Measure;

/// What counts as trouble when it rises.
const TROUBLE: [Measure; 8] = [
    Measure::Elb504,
    Measure::Elb502,
    Measure::Elb503,
    Measure::NearMisses,
    Measure::ConnectionErrors,
    Measure::TlsErrors,
    Measure::Rejected,
    Measure::FailOpen,
];
/// Trouble that is wrong even where it was always there.
const ERRORS: [Measure; 3] = [Measure::Elb504, Measure::Elb502, Measure::Elb503];
/// The share of requests that errors must surely pass to count without a rise.
const STANDING_SHARE: f64 = 0.001;
/// A target is down when it was in most of this many minutes.
const STATE_MINUTES: usize = 5;
/// A known beginning is moved back to a measured one by at most this many minutes.
const EARLIER: usize = 30;

/// A count and what was to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Since the trouble began.
    pub now: f64,
    /// As many as the rate before would make.
    pub expected: f64,
    /// In the minutes before, as counted.
    pub before: f64,
    /// Whether the rise is beyond chance.
    pub is_trouble: bool,
}

/// The summary.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What it was made of.
    pub evidence: &'a Evidence,
    /// The idle timeout in force, seconds.
    pub idle: f64,
    /// Which minutes are compared.
    pub split: Split,
    /// What stands in the way of connections, by how the network is set up.
    pub obstacles: Obstacles,
    /// When ECS replaced or lost tasks.
    pub deployments: Deployments,
    rows: BTreeMap<Measure, Row>,
    tallies: BTreeMap<Measure, Tally>,
    handled: Vec<f64>,
}

impl<'a> Facts<'a> {
    /// The summary of this evidence.
    #[must_use]
    pub fn of(evidence: &'a Evidence) -> Self {
        let rows = series::rows(evidence);
        let length = rows.values().map(Vec::len).max().unwrap_or(0);
        let mut facts = Self {
            evidence,
            idle: idle_timeout(evidence),
            split: Split::quiet(length),
            obstacles: Obstacles::of(evidence),
            deployments: Deployments::of(evidence),
            handled: handled(&rows, length),
            tallies: BTreeMap::new(),
            rows,
        };
        let sought = facts.sought(length);
        facts.settle(sought.unwrap_or_else(|| Split::quiet(length)));
        if sought_in_vain(&facts) {
            facts.settle(Split::quiet(length));
            facts.forgive();
        }
        if !facts.is_trouble() && evidence.began.is_none() && facts.is_queue_near_timeout() {
            let begin = facts.queue_begins().unwrap_or(facts.split.now.start);
            facts.settle(Split::at(begin, length));
            facts.forgive();
        }
        facts.count_standing();
        facts
    }

    fn settle(&mut self, split: Split) {
        self.split = split;
        self.tallies = TROUBLE.iter().filter_map(|m| Some((*m, self.measure(*m)?))).collect();
    }

    /// None of it is trouble.
    fn forgive(&mut self) {
        self.tallies.values_mut().for_each(|tally| tally.is_trouble = false);
    }

    /// Where the trouble probably began.
    fn sought(&self, length: usize) -> Option<Split> {
        let counts = |measure: &Measure| {
            let row = self.rows.get(measure)?;
            Some(row.iter().map(|cell| cell.unwrap_or(0.0)).collect::<Vec<f64>>())
        };
        let rows: Vec<Vec<f64>> = TROUBLE.iter().filter_map(counts).collect();
        let exposure: Vec<f64> = self.handled.iter().map(|count| count.max(1.0)).collect();
        let found = split::change(&rows, &exposure);
        let found = found.map(|start| split::after_silence(start, length, |m| self.is_event(m)));
        let known = self.evidence.began.map(|began| self.place(began));
        let start = match (known, found) {
            (Some(known), Some(found)) if found < known && known - found <= EARLIER => found,
            (Some(known), _) => known,
            (None, found) => found?,
        };
        Some(Split::at(start, length))
    }

    fn place(&self, minute: Minute) -> usize {
        usize::try_from(minute.since(self.evidence.figures.first())).unwrap_or(0)
    }

    fn is_event(&self, minute: usize) -> bool {
        let count = |m: &Measure| self.rows.get(m).and_then(|row| *row.get(minute)?);
        TROUBLE.iter().any(|measure| count(measure).unwrap_or(0.0) > 0.0)
    }

    /// The tally of one measure over the split; `None` where it was not asked for.
    fn measure(&self, measure: Measure) -> Option<Tally> {
        let row = self.rows.get(&measure)?;
        let before = sum(slice(row, &self.split.before));
        let now = sum(slice(row, &self.split.now));
        let (exposed, exposure) =
            (self.exposure(&self.split.before), self.exposure(&self.split.now));
        let expected = if exposed > 0.0 { before / exposed * exposure } else { 0.0 };
        let ratio = if exposed > 0.0 { exposure / exposed } else { 0.0 };
        let is_trouble = now > 0.0 && now >= self.bar(measure, expected, ratio);
        Some(Tally { now, expected, before, is_trouble })
    }

    /// The count from which on a rise is more than chance: three standard deviations of
    /// a count whose mean is itself counted, in a time that is `ratio` times shorter.
    /// A split that was sought among many needs four for near misses, which may be
    /// usual.
    fn bar(&self, measure: Measure, expected: f64, ratio: f64) -> f64 {
        let spread = (expected * (1.0 + ratio) + 1.0).sqrt();
        match measure {
            Measure::NearMisses if self.split.before.is_empty() => f64::INFINITY,
            Measure::NearMisses if self.evidence.began.is_none() => {
                (expected + 4.0 * spread).max(1.5 * expected)
            }
            _ => (expected + 3.0 * spread).max(1.25 * expected),
        }
    }

    /// Errors that were always there are trouble too, when they are surely many.
    fn count_standing(&mut self) {
        let requests = self.handled_now();
        for measure in ERRORS {
            if let Some(tally) = self.tallies.get_mut(&measure) {
                let is_much = wilson_lower(tally.now, requests) > STANDING_SHARE;
                tally.is_trouble |= tally.now >= 5.0 && is_much;
            }
        }
    }

    fn exposure(&self, range: &Range<usize>) -> f64 {
        let end = range.end.min(self.handled.len());
        self.handled.get(range.start.min(end)..end).unwrap_or_default().iter().sum()
    }

    /// Requests since the trouble began: those for which a target was chosen, and 503s.
    #[must_use]
    pub fn handled_now(&self) -> f64 {
        self.exposure(&self.split.now)
    }

    /// The same in the minutes before.
    #[must_use]
    pub fn handled_before(&self) -> f64 {
        self.exposure(&self.split.before)
    }

    /// How a kind of trouble stands; all zero where it was not asked for.
    #[must_use]
    pub fn tally(&self, measure: Measure) -> Tally {
        self.tallies.get(&measure).copied().unwrap_or_default()
    }

    /// Whether a measure was asked for.
    #[must_use]
    pub fn knows(&self, measure: Measure) -> bool {
        self.rows.contains_key(&measure)
    }

    /// How many more there were than usual; zero where that may be chance.
    #[must_use]
    pub fn excess(&self, measure: Measure) -> f64 {
        let tally = self.tally(measure);
        if !tally.is_trouble {
            return 0.0;
        }
        let excess = tally.now - tally.expected;
        if excess > 0.25 * tally.now { excess } else { tally.now }
    }

    /// The excess as a share of the requests.
    #[must_use]
    pub fn share(&self, measure: Measure) -> f64 {
        self.as_share(self.excess(measure))
    }

    /// A count as a share of the requests since the trouble began.
    #[must_use]
    pub fn as_share(&self, events: f64) -> f64 {
        let handled = self.handled_now();
        if handled > 0.0 { (events / handled).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The count of a measure since the trouble began, of whatever kind.
    #[must_use]
    pub fn now(&self, measure: Measure) -> Option<f64> {
        self.rows.get(&measure).map(|row| sum(slice(row, &self.split.now)))
    }

    /// Whether anything that a client may notice, or nearly, rose beyond chance.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        TROUBLE.iter().any(|measure| self.tally(*measure).is_trouble)
    }

    /// 504s that are not failed connections or handshakes: the target accepted the
    /// request and did not answer in time.
    #[must_use]
    pub fn unanswered(&self) -> f64 {
        let all = self.excess(Measure::Elb504);
        let connections = self.excess(Measure::ConnectionErrors)
            - self.refused().min(self.excess(Measure::ConnectionErrors));
        let left = all - connections - self.excess(Measure::TlsErrors);
        if left >= (0.1 * all).max(3.0).min(all) { left.max(0.0) } else { 0.0 }
    }

    /// Failed connections that were answered at once (RST or ICMP): 502, not 504.
    #[must_use]
    pub fn refused(&self) -> f64 {
        let errors = self.excess(Measure::ConnectionErrors);
        (errors - self.excess(Measure::Elb504)).clamp(0.0, self.excess(Measure::Elb502))
    }

    /// 502s that are not refused connections: a connection was closed under a request.
    #[must_use]
    pub fn closed(&self) -> f64 {
        let left = self.excess(Measure::Elb502) - self.refused();
        if left > 0.1 * self.excess(Measure::Elb502) { left } else { 0.0 }
    }

    /// How much of the errors a part of them is, 0 to 1.
    #[must_use]
    pub fn part(&self, events: f64) -> f64 {
        let all: f64 = ERRORS.iter().map(|measure| self.excess(*measure)).sum();
        if all > 0.0 { (events / all).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// What a level was usually: the median over the earlier half of the comparison.
    #[must_use]
    pub fn usual(&self, measure: Measure) -> Option<f64> {
        middle(slice(self.rows.get(&measure)?, &self.split.usual))
    }

    /// What a level came to: the highest median of five minutes since.
    #[must_use]
    pub fn came_to(&self, measure: Measure) -> Option<f64> {
        peak(slice(self.rows.get(&measure)?, &self.split.now), 5)
    }

    /// The median of a state over the newest five minutes.
    #[must_use]
    pub fn state(&self, measure: Measure) -> Option<f64> {
        let row = self.rows.get(&measure)?;
        middle(slice(row, &(row.len().saturating_sub(STATE_MINUTES)..row.len())))
    }

    /// The longest answered request, seconds.
    #[must_use]
    pub fn longest(&self) -> Option<f64> {
        let whole = self.split.before.start..self.split.now.end;
        let most = |measure: Measure| largest(slice(self.rows.get(&measure)?, &whole));
        most(Measure::Maximum).or_else(|| most(Measure::P99))
    }

    /// The minutes of a row before and since the trouble began.
    #[must_use]
    pub fn cells(&self, measure: Measure) -> (&[Option<f64>], &[Option<f64>]) {
        let row = self.rows.get(&measure).map(Vec::as_slice).unwrap_or_default();
        (slice(row, &self.split.before), slice(row, &self.split.now))
    }

    /// A whole row.
    #[must_use]
    pub fn row(&self, measure: Measure) -> &[Option<f64>] {
        self.rows.get(&measure).map(Vec::as_slice).unwrap_or_default()
    }

    /// Requests per second: usually, and in the busiest ten minutes since.
    #[must_use]
    pub fn traffic(&self) -> Option<(f64, f64)> {
        let cells: Row = self.handled.iter().map(|count| Some(*count)).collect();
        let usual = peak_mean(slice(&cells, &self.split.usual), usize::MAX)?;
        let from = self.split.now.start.saturating_sub(5);
        let now = peak_mean(slice(&cells, &(from..self.split.now.end)), 10)?;
        (usual > 0.0).then_some((usual / 60.0, now / 60.0))
    }

    /// How many times the usual traffic there was.
    #[must_use]
    pub fn traffic_ratio(&self) -> Option<f64> {
        self.traffic().map(|(usual, now)| now / usual)
    }

    /// Healthy targets: usually, and in the worst five minutes since.
    #[must_use]
    pub fn healthy(&self) -> Option<(f64, f64)> {
        let usual = self.usual(Measure::Healthy)?;
        let row = slice(self.rows.get(&Measure::Healthy)?, &self.split.now);
        let negated: Row = row.iter().map(|cell| cell.map(|value| -value)).collect();
        Some((usual, -peak(&negated, 5)?))
    }

    /// How many targets there were before, of whatever state.
    #[must_use]
    pub fn targets(&self) -> f64 {
        let usual = |measure: Measure| self.usual(measure).or_else(|| self.state(measure));
        let figures =
            usual(Measure::Healthy).unwrap_or(0.0) + usual(Measure::Unhealthy).unwrap_or(0.0);
        if figures >= 1.0 && series::has_all_groups(self.evidence) {
            return figures;
        }
        let targets = series::groups_in_use(self.evidence)
            .filter_map(|group| group.targets.as_ref().ok())
            .flatten();
        real(targets.filter(|target| target.state != "unused").count())
    }

    /// Requests that left no latency sample beyond what was usual, as a multiple of the
    /// unanswered ones: 1 where those never began to answer, 0 where all did.
    #[must_use]
    pub fn gap(&self) -> Option<f64> {
        let unanswered = self.unanswered();
        let missing = |range: &Range<usize>| {
            let requests = sum(slice(self.rows.get(&Measure::Requests)?, range));
            Some(requests - sum(slice(self.rows.get(&Measure::Samples)?, range)))
        };
        let others = self.closed() + self.excess(Measure::ConnectionErrors);
        let usual = if self.handled_before() > 0.0 {
            missing(&self.split.before)? / self.handled_before() * self.handled_now()
        } else {
            0.0
        };
        let gap = (missing(&self.split.now)? - usual - others) / unanswered;
        (unanswered >= 5.0).then_some(gap)
    }

    /// Whether the target groups that are in use have Lambda functions only.
    #[must_use]
    pub fn is_lambda_only(&self) -> bool {
        let mut groups = series::groups_in_use(self.evidence).peekable();
        groups.peek().is_some() && groups.all(|group| group.kind == TargetKind::Lambda)
    }

    /// The minute at a place in a row.
    #[must_use]
    pub fn minute(&self, place: usize) -> Minute {
        self.evidence.figures.first().plus(i64::try_from(place).unwrap_or(0))
    }

    /// When the trouble began, as far as the figures say.
    #[must_use]
    pub fn since(&self) -> Minute {
        self.minute(self.split.now.start)
    }
}

/// The idle timeout of the load balancer, or the timeout that the config gives the gateway.
fn idle_timeout(evidence: &Evidence) -> f64 {
    let attribute = |balancer: &crate::diagnose::evidence::LoadBalancer| {
        balancer.attribute("idle_timeout.timeout_seconds")?.parse().ok()
    };
    let idle = evidence.load_balancer.as_ref().ok().and_then(attribute).unwrap_or(evidence.timeout);
    if idle.is_finite() && idle > 0.0 { idle } else { 60.0 }
}

/// Requests by minute. `RequestCount` only has those for which a target was chosen,
/// which leaves out 503s.
fn handled(rows: &BTreeMap<Measure, Row>, length: usize) -> Vec<f64> {
    let cell = |measure: Measure, minute: usize| {
        rows.get(&measure).and_then(|row| *row.get(minute)?).unwrap_or(0.0)
    };
    let minute = |minute: usize| {
        let answered = cell(Measure::Samples, minute) + cell(Measure::Elb504, minute);
        cell(Measure::Requests, minute).max(answered) + cell(Measure::Elb503, minute)
    };
    (0..length).map(minute).collect()
}

/// Whether the trouble is over, or was chance: none of it is in the newest half hour.
fn sought_in_vain(facts: &Facts) -> bool {
    let is_recent = |measure: &Measure| {
        let row = facts.row(*measure);
        let recent = facts.split.now.start.max(row.len().saturating_sub(split::RECENT))..row.len();
        let expected =
            facts.exposure(&recent) * facts.tally(*measure).expected / facts.handled_now().max(1.0);
        sum(slice(row, &recent)) >= (1.25 * expected).max(1.0)
    };
    let mut troubles = TROUBLE.iter().filter(|measure| facts.tally(**measure).is_trouble);
    facts.evidence.began.is_none() && !troubles.any(is_recent)
}

/// The ECS service that registers in the target groups in use, where it is one.
#[must_use]
pub fn only_service<'a>(facts: &Facts<'a>) -> Option<&'a Service> {
    let services = facts.evidence.services.as_ref().ok()?;
    let arns: Vec<&String> = groups_in_use(facts.evidence).map(|group| &group.arn).collect();
    let is_its = |service: &&Service| {
        arns.is_empty() || service.target_groups.iter().any(|arn| arns.contains(&arn))
    };
    let mut found = services.iter().filter(is_its);
    found.next().filter(|_| found.next().is_none())
}
