//! Claims about the scenarios in which a level changes or something comes again.
//!
//! Only the hours around what happens are played; what leads up to them comes from the same
//! draws and would make the tests slow.

use super::tests::{MINUTE_0, from, sim};
use crate::scenario::plan::along;
use crate::traffic::scene::SeededScript;
use crate::{Sim, Truth};

const DAY: i64 = 1_440;

/// Sums and extremes of some minutes.
#[derive(Debug)]
struct Sum {
    requests: u64,
    near: u64,
    timed_out: u64,
    /// Minutes with a 504.
    bad: Vec<i64>,
    /// Mean of the minutes' p50 and p99, seconds.
    p50: f64,
    p99: f64,
    max: f64,
}

impl Sum {
    /// Requests that time out, as a share.
    fn share(&self) -> f64 {
        self.timed_out as f64 / self.requests as f64
    }
}

/// The truths of epoch minutes.
fn truths(sim: &Sim, minutes: std::ops::Range<i64>) -> Vec<Truth> {
    minutes.filter_map(|minute| sim.truth("site", minute)).collect()
}

fn sum(sim: &Sim, minutes: std::ops::Range<i64>) -> Sum {
    let all = truths(sim, minutes);
    let mean = |of: fn(&Truth) -> Option<f64>| {
        let values: Vec<f64> = all.iter().filter_map(of).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let bad = all.iter().filter(|truth| truth.elb_504 > 0);
    Sum {
        requests: all.iter().map(|truth| truth.requests).sum(),
        near: all.iter().map(|truth| truth.near_misses).sum(),
        timed_out: all.iter().map(|truth| truth.elb_504).sum(),
        bad: bad.map(|truth| truth.minute).collect(),
        p50: mean(|truth| truth.median),
        p99: mean(|truth| truth.p99),
        max: all.iter().filter_map(|truth| truth.maximum).fold(0.0, f64::max),
    }
}

/// Day and time of the script as an epoch minute.
fn at(day: i64, hour: i64, minute: i64) -> i64 {
    MINUTE_0 + (day - 1) * DAY + hour * 60 + minute
}

/// The epoch minute in which fault or event begin.
fn pivot(name: &str, seed: u64) -> i64 {
    let sim = sim(name, seed);
    let seeded = SeededScript::of(&sim.state.world().balancers[0].source, MINUTE_0);
    seeded.expect("a script").pivot
}

/// The same, and the story from an hour before it on.
fn event(name: &str, seed: u64) -> (i64, Sim) {
    let pivot = pivot(name, seed);
    (pivot, from(pivot - 60, name, seed))
}

/// Whether a number is the wanted one, within this part of it.
fn near(found: f64, wanted: f64, part: f64) -> bool {
    (found - wanted).abs() <= part * wanted
}

#[test]
fn a_step_is_flat_before_and_after_and_no_504() {
    let mut close = 0;
    for seed in 1..=4 {
        let (step, sim) = event("b20_step", seed);
        let before = sum(&sim, step - 60..step);
        let (after, late) = (sum(&sim, step + 5..step + 125), sum(&sim, step + 600..step + 720));
        assert!((3.4..5.0).contains(&before.p99) && before.max < 20.0, "{seed}: {before:?}");
        assert!((26.0..34.0).contains(&after.p99), "{seed}: {after:?}");
        assert!(near(late.p99, after.p99, 0.05), "{seed}: {after:?} {late:?}");
        assert!(near(after.p50, before.p50, 0.2), "{seed}: the others are as quick as before");
        assert_eq!((before.timed_out + after.timed_out, late.timed_out), (0, 0));
        close += u64::from(after.near + late.near > 0);
    }
    assert_eq!(close, 2, "of the four variants");
}

#[test]
fn a_stampede_comes_every_three_four_or_six_hours_and_lasts_ten_to_twenty_minutes() {
    let mut periods = Vec::new();
    for seed in 1..=3 {
        let (first, sim) = event("h22_cache_stampede", seed);
        let bad = sum(&sim, first - 60..first + 13 * 60);
        let bursts: Vec<&[i64]> = bad.bad.chunk_by(|a, b| b - a < 60).collect();
        for burst in &bursts {
            let length = burst[burst.len() - 1] - burst[0] + 1;
            assert!((9..=20).contains(&length), "{seed}: {burst:?}");
        }
        assert!((0..5).contains(&(bursts[0][0] - first)), "{seed}: {bursts:?}");
        assert!(near(bad.timed_out as f64 / bursts.len() as f64, 65.0, 0.4), "{seed}: {bad:?}");
        let gaps: Vec<i64> = bursts.windows(2).map(|pair| pair[1][0] - pair[0][0]).collect();
        let period = [180, 240, 360].into_iter().find(|one| (gaps[0] - one).abs() < 20);
        let period = period.expect("one of the three");
        assert!(gaps.iter().all(|gap| (gap - period).abs() < 20), "{seed}: {gaps:?}");
        periods.push(period);
    }
    periods.sort_unstable();
    assert_eq!(periods, [180, 240, 360], "each seed in turn");
}

/// Seconds the last request of a peak waits: x t for a load of 1 + x times what four
/// targets with three workers can serve, 0.341 s of work each.
fn expected_wait(most: f64) -> f64 {
    let knots = [(0.0, 1.0), (6.0, 5.5), (7.0, most), (10.0, most), (12.0, 4.5), (45.0, 1.0)];
    let capacity = 4.0 * 3.0 / 0.341;
    let (mut wait, mut longest) = (0.0_f64, 0.0_f64);
    for second in 0..45 * 60 {
        let load = 288.0 / 60.0 * along(&knots, f64::from(second) / 60.0) / capacity;
        wait = (wait + load - 1.0).max(0.0);
        longest = longest.max(wait);
    }
    longest
}

#[test]
fn a_weekly_peak_makes_a_queue_as_long_as_the_load_and_the_capacity_say() {
    for seed in 1..=2 {
        for (week, most) in [(0, 8.0), (1, 8.6)] {
            let peak = at(4 + 7 * week, 19, 0);
            let sim = from(peak - 30, "h23_weekly_peak", seed);
            let during = sum(&sim, peak..peak + 40);
            let medians: Vec<f64> =
                truths(&sim, peak - 10..peak + 40).iter().filter_map(|one| one.median).collect();
            let longest = medians.iter().copied().fold(0.0, f64::max);
            assert!((longest - expected_wait(most)).abs() < 10.0, "{seed}: {longest} {most}");
            let top = medians.iter().position(|one| *one >= longest).unwrap_or(0);
            assert!(medians[..top - 2].is_sorted_by(|a, b| *a < b + 1.5), "it grows: {medians:?}");
            assert!(medians[0] < 0.5 && medians[49] < 0.5, "and is gone: {medians:?}");
            assert_eq!(during.timed_out, 0, "{seed}, week {week}");
            assert!(week == 0 || during.max > 40.0, "{seed}: {during:?}");
        }
        let (fault, last) = (pivot("h23_weekly_peak", seed), at(18, 19, 0));
        assert!(fault < at(11, 19, 0) && fault > at(11, 18, 0), "before the second peak");
        let sim = from(last - 30, "h23_weekly_peak", seed);
        let during = sum(&sim, last..last + 40);
        assert!(during.timed_out > 3_000 && during.bad.len() < 12, "{seed}: {during:?}");
    }
}

#[test]
fn a_harmless_peak_has_a_short_queue_or_none() {
    for seed in 1..=2 {
        let peak = at(11, 19, 0);
        let sim = from(peak - 30, "b21_weekly_peak", seed);
        let (before, during) = (sum(&sim, peak - 30..peak), sum(&sim, peak..peak + 40));
        assert!(during.requests > 3 * before.requests, "{seed}: {during:?}");
        assert!(during.timed_out == 0 && during.near == 0, "{seed}: {during:?}");
        assert!(during.max > 4.0 && during.max < 45.0, "{seed}: {during:?}");
    }
}

#[test]
fn a_late_autoscaler_leaves_a_short_queue_every_morning() {
    for seed in 1..=2 {
        for day in [2, 5] {
            let sim = from(at(day, 6, 0), "b22_autoscaler_lag", seed);
            let morning = truths(&sim, at(day, 7, 0)..at(day, 8, 0));
            let waiting = morning.iter().filter(|one| one.median.is_some_and(|p50| p50 > 2.0));
            let minutes: Vec<i64> = waiting.map(|one| one.minute - at(day, 7, 0)).collect();
            assert!((3..=14).contains(&minutes.len()), "{seed}, {day}: {minutes:?}");
            assert!(minutes.iter().all(|minute| (34..52).contains(minute)), "{minutes:?}");
            assert!(morning.iter().all(|one| one.elb_504 == 0));
            let hosts = |hour| {
                let said = sim.summary("site", at(day, hour, 0)..at(day, hour, 5));
                said.and_then(|said| said.healthy)
            };
            assert_eq!((hosts(6), hosts(9)), (Some(3.0), Some(6.0)), "{seed}");
        }
    }
}

#[test]
fn slower_work_at_low_use_moves_all_percentiles_by_one_factor() {
    for (name, seed, factor) in [
        ("h24_slower_work", 1, 3.0),
        ("b23_slower_work", 1, 2.5),
        ("b23_slower_work", 2, 2.5),
        ("b23_slower_work", 3, 3.5),
    ] {
        let (slower, sim) = event(name, seed);
        let before = sum(&sim, slower - 60..slower);
        let after = sum(&sim, slower + 60..slower + 120);
        let factor = [2.5, 3.0, 3.5]
            .into_iter()
            .find(|one| near(after.p50, one * before.p50, 0.08))
            .unwrap_or(factor);
        assert!(near(after.p50, factor * before.p50, 0.08), "{name} {seed}: {after:?}");
        assert!(near(after.p99, factor * before.p99, 0.12), "{name} {seed}: {after:?}");
        // Little: as many more are under way as each takes longer, and none waits.
        let held = |minutes: std::ops::Range<i64>| {
            let said = sim.summary("site", minutes.clone()).expect("known");
            let rate = said.requests.unwrap_or(0.0) / minutes.clone().count() as f64 / 60.0;
            (said.sum.unwrap_or(0.0) / minutes.count() as f64 / 60.0) / rate
        };
        let work = held(slower + 60..slower + 120) / held(slower - 60..slower);
        assert!(near(work, factor, 0.08), "{name} {seed}: {work}");
        assert_eq!(after.timed_out + before.timed_out, 0, "{name} {seed}");
    }
}

#[test]
fn slower_work_that_goes_on_passes_the_timeout_with_near_misses_first() {
    let (fault, sim) = event("h24_slower_work", 1);
    let calm = sum(&sim, fault..fault + 360);
    assert_eq!((calm.timed_out, calm.near), (0, 0), "{calm:?}");
    let all = truths(&sim, fault + 360..fault + 1_200);
    let first = |of: fn(&Truth) -> u64| all.iter().find(|one| of(one) > 0).map(|one| one.minute);
    let (near, timed_out) = (first(|one| one.near_misses), first(|one| one.elb_504));
    let (near, timed_out) = (near.expect("near misses"), timed_out.expect("504s"));
    assert!(near < timed_out && (520..800).contains(&(timed_out - fault)), "{near} {timed_out}");
    let late = sum(&sim, fault + 1_000..fault + 1_190);
    assert!((0.008..0.03).contains(&late.share()), "{late:?}");
}

#[test]
fn a_small_share_of_very_many_requests_is_counted_one_by_one() {
    let mut sizes = Vec::new();
    for (name, seed) in
        (1..=3).flat_map(|seed| [("h25_small_share", seed), ("b24_small_share", seed)])
    {
        let begin = pivot(name, seed);
        let sim = from(begin + 190, name, seed);
        let late = sum(&sim, begin + 200..begin + 230);
        let allowed = if name.starts_with('h') { 0.001..0.003_1 } else { 0.000_15..0.000_35 };
        assert!(allowed.contains(&late.share()), "{name} {seed}: {late:?}");
        let per_minute = late.requests as f64 / 30.0;
        assert!((80_000.0..1_500_000.0).contains(&per_minute), "{name}: {per_minute}");
        assert!(late.p99 < 6.0 && late.p50 < 0.35, "p99 does not notice: {late:?}");
        // This many requests have hardly any noise in their percentiles.
        let truths = truths(&sim, begin + 200..begin + 230);
        let noisy = |of: fn(&Truth) -> Option<f64>, mean: f64| {
            truths.iter().filter_map(of).any(|one| !near(one, mean, 0.2))
        };
        assert!(!noisy(|one| one.p99, late.p99) && !noisy(|one| one.median, late.p50));
        for truth in &truths {
            assert_eq!(truth.samples + truth.elb_504, truth.requests, "{name}");
        }
        let said = sim.summary("site", begin + 200..begin + 230).expect("known");
        assert_eq!(said.requests, Some(late.requests as f64));
        assert_eq!(said.elb_504, Some(late.timed_out as f64));
        sizes.push((per_minute / 90_000.0).log10().round() as i64);
    }
    assert!(sizes.contains(&0) && sizes.contains(&1), "{sizes:?}");
}

#[test]
fn two_incidents_have_a_day_between_them_and_calm_after_them() {
    for seed in 1..=3 {
        let (first, sim) = event("h26_two_incidents", seed);
        let bad = sum(&sim, first - 60..first + 2_200).bad;
        let bursts: Vec<&[i64]> = bad.chunk_by(|a, b| b - a < 60).collect();
        let begins: Vec<i64> = bursts.iter().map(|burst| burst[0] - first).collect();
        assert_eq!(begins.len(), 2, "{seed}: {begins:?}");
        assert!((0..12).contains(&begins[0]), "{seed}: {begins:?}");
        assert!((1_750..1_762).contains(&begins[1]), "{seed}: {begins:?}");
        let lengths = bursts.iter().map(|burst| burst[burst.len() - 1] - burst[0] + 1);
        assert!(lengths.clone().all(|length| (20..=60).contains(&length)), "{seed}: {bursts:?}");
    }
}

#[test]
fn two_requests_a_minute_drift_past_the_timeout_within_many_hours() {
    let mut hours = Vec::new();
    for seed in 1..=3 {
        let sim = sim("h27_two_a_minute", seed);
        let story = sim.story().swap_remove(0);
        let (fault, incident) =
            (story.fault_start.expect("one"), story.incident_start.expect("one"));
        let mean = sum(&sim, fault - DAY..fault).requests as f64 / DAY as f64;
        assert!((1.7..2.3).contains(&mean), "{seed}: {mean}");
        assert_eq!((story.other_504, sum(&sim, at(1, 0, 0)..fault).near), (0, 0), "{seed}");
        assert!(story.first_504.is_some_and(|first| first <= incident), "{seed}: {story:?}");
        assert!(story.repaired.is_some_and(|repaired| incident < repaired));
        hours.push((incident - fault) / 60);
    }
    hours.sort_unstable();
    assert!(hours[0] > 9 && hours[1] > 18 && hours[2] > 28 && hours[2] < 46, "{hours:?}");
}

#[test]
fn a_daily_peak_is_harmless_in_the_first_week_and_then_reaches_the_limit() {
    for (day, harmful) in [(5, false), (8, true), (11, true)] {
        let noon = at(day, 12, 0);
        let sim = from(noon - 60, "h28_daily_peak", 2);
        let peak = sum(&sim, noon..noon + 40);
        assert_eq!(peak.timed_out > 500, harmful, "{day}: {peak:?}");
        assert_eq!(peak.max > 48.0, harmful, "{day}: {peak:?}");
        assert!(peak.bad.len() < 8, "{day}: {peak:?}");
        assert!(peak.bad.iter().all(|minute| (8..20).contains(&(minute - noon))));
    }
}

#[test]
fn a_daily_deployment_has_two_minutes_of_connection_errors() {
    for (name, seed) in [("h29_daily_deploy", 1), ("b25_daily_deploy", 1), ("b25_daily_deploy", 2)]
    {
        let harmful = name.starts_with('h');
        for day in [3, 9] {
            let begin = at(day, 10, 30);
            let sim = from(begin - 30, name, seed);
            let all = truths(&sim, begin - 30..begin + 30);
            let (mut timed_out, mut closed) = (0, 0);
            for one in &all {
                assert_eq!(one.elb_504, one.connect_failures, "{name}");
                assert_eq!(one.elb_502, one.closed, "{name}");
                let close = (begin..begin + 6).contains(&one.minute);
                assert!(close || one.elb_504 + one.closed == 0, "{name}: {one:?}");
                (timed_out, closed) = (timed_out + one.elb_504, closed + one.closed);
            }
            let want = if harmful { (day > 7, false) } else { (false, true) };
            assert_eq!((timed_out > 15, closed > 5), want, "{name}, day {day}");
            let said = sim.summary("site", begin - 30..begin + 30).expect("known");
            let errors = said.connection_errors.unwrap_or(0.0);
            assert_eq!(errors as u64, timed_out + closed, "{name}, day {day}");
        }
    }
}

#[test]
fn tenfold_bursts_are_served_as_quickly_as_anything() {
    let begin = at(2, 0, 0);
    let sim = from(begin, "b26_tenfold_bursts", 1);
    let all = truths(&sim, begin..begin + 900);
    let usual = all.iter().map(|one| one.requests).sum::<u64>() / 900;
    let bursts = all.iter().filter(|one| one.requests > 5 * usual);
    let minutes: Vec<i64> = bursts.clone().map(|one| one.minute).collect();
    let count = minutes.chunk_by(|a, b| b - a < 30).count();
    assert!((2..=4).contains(&count), "one in each five hours: {minutes:?}");
    for one in bursts {
        assert!(one.elb_504 == 0 && one.median.is_some_and(|p50| p50 < 0.5), "{one:?}");
    }
}

#[test]
fn seasonal_nights_have_hardly_a_request_and_now_and_then_a_slow_one() {
    let sim = from(at(2, 12, 0), "b27_seasonal_nights", 1);
    let (day, night) =
        (sum(&sim, at(2, 12, 0)..at(2, 22, 0)), truths(&sim, at(3, 0, 0)..at(3, 5, 0)));
    assert!(day.requests > 600 * 200, "{day:?}");
    let mean = night.iter().map(|one| one.requests).sum::<u64>() as f64 / 300.0;
    assert!((0.9..2.2).contains(&mean) && night.iter().any(|one| one.requests == 0), "{mean}");
    assert!(night.iter().all(|one| one.requests <= 8 && one.elb_504 == 0));
    let slow = night.iter().filter(|one| one.maximum.is_some_and(|most| most > 40.0)).count();
    assert!((1..=3).contains(&slow), "{slow}");
    let weekend = sum(&from(at(6, 12, 0), "b27_seasonal_nights", 1), at(6, 12, 0)..at(6, 16, 0));
    assert!(near(weekend.requests as f64 / 240.0, day.requests as f64 / 1_200.0, 0.1));
}
