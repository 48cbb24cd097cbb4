//! Long stories as data: days of requests, a service behind them, and steps.
//!
//! A script has few, orthogonal ingredients. Classes say how long requests
//! take, steps change something (load, pace, targets, outcome, timeout, client)
//! and a [`When`] says in which episodes they do. All curves are knots of
//! (minutes since the episode began, value), exponential in between, so a new
//! story is a new table and not new code.
//!
//! Weekdays and times of day are real UTC ones, taken from the epoch minute: a
//! script with weekdays in it wants a `Setup::start` that is a Monday 00:00 UTC.

/// Minutes in a day.
pub(crate) const DAY: i64 = 1_440;
/// Bits of weekdays.
pub(crate) const MONDAY_TO_FRIDAY: u8 = 0b001_1111;
pub(crate) const SATURDAY: u8 = 0b010_0000;
pub(crate) const SUNDAY: u8 = 0b100_0000;
pub(crate) const WEEKEND: u8 = SATURDAY | SUNDAY;
pub(crate) const EVERY_DAY: u8 = MONDAY_TO_FRIDAY | WEEKEND;
/// Day 8 at 10:00, when things go wrong unless stated otherwise.
pub(crate) const DAY_8: i64 = 7 * DAY + 600;
/// An episode without an end.
pub(crate) const EVER: i64 = 1_000_000;

/// A curve: (minutes since the episode began, value).
pub(crate) type Knots = &'static [(f64, f64)];

/// One load balancer's long story.
#[derive(Debug)]
pub(crate) struct Script {
    /// What goes wrong, in standard words; `None` if nothing harmful does.
    pub(crate) cause: Option<&'static str>,
    /// Minute after the start that [`When::Pivot`] counts from: the fault's
    /// start, or the event of a benign script.
    pub(crate) pivot: i64,
    /// Minutes after the pivot at which the cause is gone, if it ever is.
    pub(crate) repaired: Option<i64>,
    /// How an incident is recognised.
    pub(crate) incident: Incident,
    /// Relative difference of the load between seeds, either way.
    pub(crate) spread: f64,
    /// Workers per target; 0 means that nobody ever waits.
    pub(crate) workers: usize,
    /// How many equal requests a draw of a bundled class stands for.
    pub(crate) bundle: u32,
    /// Classes of requests; the shares add up to 1, and bundled classes come last.
    pub(crate) mix: &'static [Class],
    pub(crate) steps: &'static [Step],
}

/// When 504s are an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incident {
    /// At least three in five minutes and more than 1 % of the requests.
    Share,
    /// At least five in thirty minutes: recurring jobs, trickles, little traffic.
    Count,
    /// At least five and more than 0.1 % of the requests of an hour, which an objective
    /// of 99.9 % does not allow: very many requests.
    Objective,
}

/// One class of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class {
    /// Share of all requests.
    pub(crate) share: f64,
    /// Median service time in seconds.
    pub(crate) median: f64,
    /// Lognormal sigma, or with `normal` the standard deviation in seconds.
    pub(crate) sigma: f64,
    pub(crate) normal: bool,
    /// The service ends by itself after this many seconds.
    pub(crate) most: f64,
    /// Bytes keep flowing, so the idle timeout never fires.
    pub(crate) flowing: bool,
    /// Number of the target group that serves it.
    pub(crate) group: u8,
    /// Relative difference between seeds, either way.
    pub(crate) spread: f64,
    /// Whether one draw stands for many requests: of a load balancer with hundreds
    /// of thousands a minute only what is rare is drawn one by one. A bundle fits no
    /// queue, so that a script with one has no workers.
    pub(crate) bundled: bool,
}

/// Something that changes a script during episodes.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) when: When,
    pub(crate) what: What,
}

/// The episodes of a step; whole minutes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// From and until this many minutes after the pivot.
    Pivot(i64, i64),
    /// On these weekdays (bits) at this minute of the day, moved by up to
    /// `wobble` minutes either way, while the day of the script is in `within`.
    Clock { days: u8, at: i64, length: i64, wobble: i64, within: (i64, i64) },
    /// Once in every block of this many minutes, at a random place in it.
    Random { every: i64, length: i64 },
    /// Again and again from the pivot on, once in this many minutes, each time moved by up
    /// to `wobble` minutes either way.
    Every { every: i64, length: i64, wobble: i64 },
}

/// What a change of pace concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    All,
    Class(usize),
    Jobs,
    Target(usize),
    /// Requests through the load balancer node of this zone (index).
    Zone(u8),
    /// This many targets, picked by the seed.
    Pick(usize),
    /// The target of this number, counted from the first one the seed picks.
    Nth(usize),
    /// The targets in the zone the seed picks.
    TargetZone,
    /// Requests through the node in the zone the seed picks.
    NodeZone,
}

/// What strikes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never gets an answer.
    Hang,
    /// No connection is established.
    Unreachable,
    /// The connection is established, the TLS handshake fails.
    Handshake,
    /// Its connection was just closed by the target; likelier in quiet minutes.
    Stale,
    /// There is no target for it.
    Refused,
    /// The load balancer takes no further connection.
    Rejected,
    /// The target answers with a 5xx.
    Error,
    /// Nobody listens at the target.
    Closed,
}

/// Something that changes what AWS describes, and no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Targets that are not up are deregistered instead of failing their checks.
    ScaledIn,
    /// No target is registered.
    Emptied,
    /// The registered targets are stopped.
    Unused,
    /// These targets look unlike the others.
    Anomalous(Who),
    /// The load balancer lacks what it needs to scale.
    Impaired,
    /// The targets of a further group fail their health checks.
    BackupDown,
    /// Whom the targets' security groups no longer admit.
    Closed(Closed),
    /// What a network ACL in the zone the seed picks lacks.
    Acl(Acl),
    /// The load balancer's subnet in the zone the seed picks has lost its route to
    /// the targets; the route may still be there as a black hole.
    Unrouted { blackhole: bool },
    /// The network interfaces of these targets are gone.
    Gone(Who),
}

/// Whom security groups do not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Nobody is admitted.
    All,
    /// These targets have a group that admits health checks only.
    Targets(Who),
    /// The load balancer's subnet in the zone the seed picks is not covered.
    Zone,
}

/// What a network ACL lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acl {
    /// The targets' subnet lets nothing out to ephemeral ports.
    TargetsOut,
    /// The targets' subnet lets out to the upper half of them only.
    TargetsHalf,
    /// The load balancer's subnet lets nothing in to ephemeral ports.
    BalancerIn,
}

/// What a step does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// Multiplies the load.
    Load(Knots),
    /// Multiplies service times.
    Slow(Who, Knots),
    /// How many of the first targets are up, by minutes since the episode began.
    Up(&'static [(i64, usize)]),
    /// All targets fail their health checks; requests go to all of them anyway.
    FailOpen,
    /// This share takes this many seconds of service.
    Hang(f64, f64),
    /// This share first waits this many seconds.
    Wait(f64, f64),
    /// This share finds no connection.
    Unreachable(f64),
    /// This share gets its headers in time and the rest of its body never.
    Stall(f64),
    /// The target stops every `every` minutes, at first for `seconds` seconds, and for
    /// `growth` seconds more per hour of the episode.
    Pause { target: usize, every: i64, seconds: f64, growth: f64 },
    /// `count` requests, one each `spacing` seconds, apart from the mix.
    Job { count: u32, spacing: f64, seconds: f64, sigma: f64 },
    /// Target after target (five minutes each) is down for two minutes and `slow`
    /// times as slow for three. What it works on is cut off after `cut` seconds, if
    /// at all; in its first minute a share `race` of all requests still goes to it.
    Roll { cut: Option<f64>, race: f64, slow: f64 },
    /// Every `every` minutes another target dies with what it works on, and is replaced two
    /// minutes later.
    Die { every: i64 },
    /// These targets fail their health checks.
    Sick(Who, Reason),
    /// A share of these requests is struck.
    Strike(Who, f64, Fault),
    /// Something is described differently.
    Shown(Shown),
    /// Another idle timeout, seconds.
    Timeout(u32),
    /// Clients give up after this many seconds.
    Patience(u32),
    /// Clients repeat a request up to this many times after a 504, a second later.
    Retries(u8),
    /// An event whose handling failed or timed out is handled again up to this many times: a
    /// minute later, then two minutes after that.
    Redeliver(u8),
    /// Whoever finds no worker free is turned away at once instead of waiting, and a worker
    /// stops at the timeout.
    Limit,
    /// Queues are emptied and clients stop repeating.
    Restart,
    /// `CloudWatch` has no datapoints.
    Gap,
}

/// The everyday mix: mostly quick, 3 % reports.
pub(crate) const WEB: &[Class] =
    &[Class { share: 0.97, ..QUICK }, Class { share: 0.03, median: 3.0, sigma: 0.5, ..QUICK }];

/// The quick class of the everyday mix.
pub(crate) const QUICK: Class = Class {
    share: 1.0,
    median: 0.25,
    sigma: 0.7,
    normal: false,
    most: f64::INFINITY,
    flowing: false,
    group: 0,
    spread: 0.1,
    bundled: false,
};

/// A script in which nothing happens.
pub(crate) const CALM: Script = Script {
    cause: None,
    pivot: DAY_8,
    repaired: None,
    incident: Incident::Share,
    spread: 0.1,
    workers: 0,
    bundle: 1,
    mix: WEB,
    steps: &[],
};

/// Why a target fails its health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Timeout,
    Mismatch,
    Failed,
}
