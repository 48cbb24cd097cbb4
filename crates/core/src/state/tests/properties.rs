//! Any order of polls, gaps, restarts and lateness counts each request once, and no
//! counter ever falls.

use proptest::prelude::*;

use crate::series::totals::Totals;
use crate::state::tests::world::{Poller, START, Truth, World};
use crate::state::{GatewayState, Minutes};
use crate::time::Minute;

/// Minutes in which something happens.
const MINUTES: usize = 300;
/// Nothing is later than this, minutes.
const LATEST: i64 = 180;

/// How CloudWatch reports some minutes: late, and how.
#[derive(Debug, Clone)]
struct Outage {
    from: usize,
    minutes: usize,
    wait: i64,
    /// Whether latencies, 504s or both are late.
    metrics: (bool, bool),
    /// Whether a part of the samples is there in time.
    in_part: bool,
    filled: Filled,
}

#[derive(Debug, Clone, Copy)]
enum Filled {
    AtOnce,
    OldestFirst,
    NewestFirst,
    Shuffled(u64),
}

fn outage() -> impl Strategy<Value = Outage> {
    let metrics =
        prop_oneof![2 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    let filled = prop_oneof![
        Just(Filled::AtOnce),
        Just(Filled::OldestFirst),
        Just(Filled::NewestFirst),
        (1..1000u64).prop_map(Filled::Shuffled),
    ];
    (5..MINUTES, 1..90usize, 0..30i64, metrics, any::<bool>(), filled).prop_map(
        |(from, minutes, wait, metrics, in_part, filled)| Outage {
            from,
            minutes,
            wait,
            metrics,
            in_part,
            filled,
        },
    )
}

impl Outage {
    fn strike(&self, world: &mut World) {
        let end = (self.from + self.minutes).min(MINUTES);
        let length = i64::try_from(end - self.from).unwrap();
        for (place, minute) in (0..length).zip(self.from..end) {
            let order = match self.filled {
                Filled::AtOnce => 0,
                Filled::OldestFirst => place,
                Filled::NewestFirst => length - place,
                Filled::Shuffled(seed) => {
                    (place.unsigned_abs() * 7919 * seed % length.unsigned_abs()).cast_signed()
                }
            };
            let after = (length - place + self.wait + order).min(LATEST);
            let truth: &mut Truth = &mut world.truth[minute];
            if self.in_part {
                truth.early = truth.samples / 3;
            }
            if self.metrics.0 {
                truth.latencies_after = truth.latencies_after.max(after);
            }
            if self.metrics.1 {
                truth.timeouts_after = truth.timeouts_after.max(after);
            }
        }
    }
}

/// Traffic: steady, now and then, or none; with near misses and 504s or without.
fn traffic() -> impl Strategy<Value = Vec<Truth>> {
    let kind = prop_oneof![Just((200u32, 260u32)), Just((0, 4)), Just((0, 20)), Just((0, 1))];
    let phase = (kind, 20..150usize, 0..3u32, 0..3u32).prop_flat_map(
        |((low, high), length, near, failed)| {
            let minute = (low..high, 0..=near, 0..=failed, 0..3i64).prop_map(
                move |(n, near, failed, after)| Truth {
                    samples: n,
                    near: near.min(n),
                    timeouts: failed,
                    latencies_after: after,
                    timeouts_after: after,
                    early: 0,
                },
            );
            prop::collection::vec(minute, length)
        },
    );
    prop::collection::vec(phase, 1..6).prop_map(|phases| {
        let mut all: Vec<Truth> = phases.into_iter().flatten().take(MINUTES).collect();
        all.resize(MINUTES, Truth::default());
        all
    })
}

/// What happens at a minute besides the poll.
#[derive(Debug, Clone, Copy)]
enum Step {
    Poll,
    Fails,
    Restarts,
    /// The clock is behind by this many minutes.
    Behind(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(vec![Step::Poll]),
        2 => (1..6usize).prop_map(|n| vec![Step::Fails; n]),
        1 => (20..30usize).prop_map(|n| vec![Step::Fails; n]),
        1 => Just(vec![Step::Restarts]),
        1 => prop_oneof![0..5i64, 0..600i64].prop_map(|minutes| vec![Step::Behind(minutes)]),
    ];
    prop::collection::vec(step, 60).prop_map(|steps| steps.into_iter().flatten().collect())
}

fn rises(before: (Totals, Minutes), state: &GatewayState) -> bool {
    let (totals, minutes) = before;
    let now = (state.totals, state.minutes);
    now.0.requests >= totals.requests
        && now.0.near_misses >= totals.near_misses
        && now.0.timeouts >= totals.timeouts
        && now.1.settled >= minutes.settled
        && now.1.idle >= minutes.idle
        && now.1.recovered >= minutes.recovered
        && now.1.lost >= minutes.lost
        && now.1.revised >= minutes.revised
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_request_is_counted_once_and_no_counter_falls(
        traffic in traffic(),
        outages in prop::collection::vec(outage(), 0..4),
        steps in steps(),
        stirs in any::<bool>(),
        others in prop_oneof![Just(0usize), Just(9)],
    ) {
        let mut world = World::of(traffic);
        for outage in outages {
            outage.strike(&mut world);
        }
        let mut poller = Poller::new();
        (poller.stirs, poller.others, poller.only_counts) = (stirs, others, true);
        let start = START + 15;
        let last = START + i64::try_from(MINUTES).unwrap() + LATEST + 80;
        let mut before = None;
        let mut steps = steps.into_iter();
        for now in start..last {
            match steps.next().unwrap_or(Step::Poll) {
                Step::Fails if poller.state.is_some() => continue,
                Step::Restarts => poller.restart(),
                Step::Behind(minutes) if poller.state.is_some() => {
                    poller.poll_up_to(&world, now, Minute(now - 1 - minutes));
                    continue;
                }
                Step::Poll | Step::Fails | Step::Behind(_) => {}
            }
            poller.poll(&world, now);
            let state = poller.state();
            if let Some(before) = before {
                prop_assert!(rises(before, state), "{:?} {:?}", before, state);
            }
            before = Some((state.totals, state.minutes));
            let most = world.sum(14, state.count_watermark);
            prop_assert!(state.totals.requests <= most.requests, "counted twice at {now}");
            let Minutes { settled, idle, lost, .. } = state.minutes;
            let passed = state.count_watermark.0 - (start - 1);
            prop_assert_eq!(settled + idle + lost + state.passed_over(), passed.unsigned_abs());
        }
        let state = poller.state();
        prop_assert!(state.count_watermark.0 >= last - 13, "{} of {}", state.count_watermark.0, last);
        prop_assert_eq!(state.totals, world.sum(14, state.count_watermark));
    }

    /// A minute of which CloudWatch knows only a part for up to ten minutes.
    #[test]
    fn what_is_revised_is_counted_in_the_end(
        minutes in prop::collection::vec((0..50u32, 0..50u32, 0..10i64), 120),
        steps in steps(),
    ) {
        let truth = minutes.into_iter().map(|(samples, early, latencies_after)| {
            Truth { samples, early: early.min(samples), latencies_after, ..Truth::default() }
        });
        let world = World::of(truth.collect());
        let mut poller = Poller::new();
        poller.only_counts = true;
        // No poll fails for longer than what is remembered.
        let mut steps = steps.into_iter().filter(|step| !matches!(step, Step::Fails));
        for now in START + 15..START + 160 {
            if matches!(steps.next(), Some(Step::Restarts)) {
                poller.restart();
            }
            poller.poll(&world, now);
        }
        prop_assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
    }
}
