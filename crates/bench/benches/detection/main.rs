//! The league: the detectors beside simpler alarms, over the simulator's long
//! scenarios.
//!
//! `cargo bench -p nearmiss-bench` replays every scenario over the seeds 3, 4 and 5, which
//! were not used to tune anything (1, 2 and 6 to 12 were), minute by minute as it would have
//! been known then: minutes and quarter-hours three minutes after their end.
//! `-- --seeds=1,2 NAME...` chooses; `--tiers` replays gateways that are polled slowly every
//! five minutes; `--cold` begins without a history; `-v` prints every alert; `--nab=FILE`
//! replays a series of timestamps and seconds instead. Then follow what no scenario has
//! enough of: forecasts of drifts, and the p99 of all requests (`--only-scenarios` leaves
//! them out). The end says how many messages each scenario sends. A figure that misses
//! its target is a failure, and named: see [`targets`].

#![allow(clippy::expect_used)] // a benchmark that cannot run can only say so to its reader
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // minutes of some weeks
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod alarms;
mod chance;
mod drifts;
mod moments;
mod quantile;
mod replay;
mod series;
mod targets;
mod volume;

use std::collections::BTreeMap;
use std::path::Path;

use alarms::{baselines, merged, obvious};
use moments::Moments;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::Detectors;
use nearmiss_core::time::Minute;
use nearmiss_sim::scenarios;
use replay::{Alert, Options, Outcome, replay};
use series::Series;
use targets::Targets;
use volume::Volume;

const WEEK: f64 = 7.0 * 1440.0;
/// How many drifts are drawn for each seed, and as many steps.
const DRIFTS: usize = 300;
/// False episodes of all harmless load balancers together, a week each.
const FALSE_EPISODES: f64 = 0.05;
/// Steps drawn at random that may be called a trend: where a quarter-hour has few requests, its
/// p99 scatters so much that a jump and a line are equally near. None of the scenarios may.
const STEPS_CALLED_TRENDS: f64 = 0.005;
/// The scenarios in which something has become slower at once, and not gradually.
const STEPS: [&str; 2] = ["b20", "b23"];
/// The scenarios of a few requests a minute.
const FEW_REQUESTS: &str = "h27";

/// From an alert to what it warned of, hours.
fn hours(from: Option<Minute>, to: Option<Minute>) -> String {
    match (from, to) {
        (Some(alert), Some(truth)) => format!("{:+.2}", truth.since(alert) as f64 / 60.0),
        (None, Some(_)) => "miss".into(),
        _ => "-".into(),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let options = Options {
        every_minute: !flag("--tiers"),
        cold: flag("--cold"),
        verbose: flag("-v"),
        workers: args.iter().find_map(|a| a.strip_prefix("--workers=")?.parse().ok()),
    };
    let value = |name: &str| args.iter().find_map(|a| a.strip_prefix(name));
    let wanted: Vec<&str> =
        args.iter().filter(|a| !a.starts_with('-')).map(String::as_str).collect();
    let seeds = value("--seeds=").unwrap_or("3,4,5").split(',').filter_map(|s| s.parse().ok());
    let seeds: Vec<u64> = seeds.collect();
    let mut total = Total::default();
    println!(
        "series: hours to the incident, to the first 504 | incident: 504>0 p99 band burn predlin | false: ours/theirs | episodes, end after recovery"
    );
    if let Some(path) = value("--nab=") {
        let series = series::nab(Path::new(path)).expect("lines of timestamp,value");
        run(&series, &options, &mut total);
    } else {
        let long = scenarios().iter().filter(|one| one.minutes >= 1440);
        let is_wanted =
            |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.starts_with(w));
        for scenario in long.filter(|one| is_wanted(one.name)) {
            for seed in &seeds {
                run(&series::of_scenario(scenario, *seed), &options, &mut total);
            }
        }
    }
    total.print();
    let mut targets = Targets::default();
    if !flag("--only-scenarios") && value("--nab=").is_none() {
        drawn(&seeds, &mut total, &mut targets);
    }
    total.volume.print();
    total.judge(&mut targets);
    if !targets.print() {
        std::process::exit(1);
    }
}

/// What no scenario has enough of.
fn drawn(seeds: &[u64], total: &mut Total, targets: &mut Targets) {
    let mut drifts = Moments::default();
    for seed in seeds {
        drifts.append(drifts::measure(DRIFTS, *seed));
    }
    drifts.print("drawn at random");
    drifts.append(std::mem::take(&mut total.moments));
    drifts.judge(targets);
    let called = seeds.iter().map(|seed| drifts::steps_called_trends(DRIFTS, *seed));
    let called: usize = called.sum();
    let drawn = DRIFTS * seeds.len();
    println!("steps drawn at random: {called} of {drawn} called a trend");
    let share = called as f64 / drawn as f64;
    targets.at_most("the share of steps that are called a trend", Some(share), STEPS_CALLED_TRENDS);
    quantile::measure(seeds.first().copied().unwrap_or_default(), targets);
}

#[derive(Default)]
struct Total {
    harmful: usize,
    caught: usize,
    weeks: f64,
    benign: BTreeMap<String, (usize, f64)>,
    base_false: BTreeMap<&'static str, usize>,
    jobs: Vec<(f64, bool)>,
    moments: Moments,
    /// With few requests: hours from the first alert to the incident, none of a miss.
    few: Vec<f64>,
    /// Steps that were called a trend.
    called_trends: Vec<String>,
    /// Harmless series without a 504 that notified of something.
    without_504: Vec<String>,
    busy: Vec<u32>,
    minutes: usize,
    bytes: usize,
    late: Vec<String>,
    volume: Volume,
}

fn run(series: &Series, options: &Options, total: &mut Total) {
    let mut detectors = Detectors::default();
    detectors.saturation.workers_per_target = options.workers;
    let week = series.first.plus(7 * 1440);
    let long = series.minutes.len() > 8 * 1440;
    let before_fault = series.fault.map_or(week, |fault| fault.plus(-360).max(series.first));
    let start = if options.cold || !long { series.first } else { week.min(before_fault) };
    let outcome = replay(series, &detectors, options, start);
    let fault = series.fault.unwrap_or(Minute(i64::MAX));
    let first = outcome.first_after(fault);
    let obvious = series.harmful.then(|| obvious(series, fault)).flatten();
    let late = obvious.is_some_and(|o| first.is_none_or(|f| f.at > o));
    let (leads, falses) = rivals(series, start, fault, total);
    let false_ones = outcome.firings(|at| at <= fault);
    println!(
        "{:<24} {:>7} {:>7} {:>4} | {leads} | {false_ones}/{falses} | {} ep, {} | calm {:.0} % | {}",
        series.name,
        hours(first.map(|f| f.at), series.incident),
        hours(first.map(|f| f.at), series.first_504),
        if late { "LATE" } else { "" },
        outcome.firings(|at| at > fault),
        end(&outcome, series),
        100.0 * outcome.calm_minutes as f64 / outcome.minutes.max(1) as f64,
        first.map_or("", |f| f.rule.name()),
    );
    if options.verbose {
        for Alert { at, reason, rule, why, .. } in &outcome.alerts {
            println!("    {at} {} {rule}: {why}", reason.name());
        }
    }
    if series.harmful && series.incident.is_some() {
        total.harmful += 1;
        let before = |at: Minute| series.recovered.is_none_or(|recovered| at < recovered);
        total.caught += usize::from(first.is_some_and(|f| before(f.at)));
        total.late.extend(late.then(|| series.name.clone()));
    }
    let until = fault.min(series.first.plus(series.minutes.len() as i64));
    total.count_false(series, false_ones, until.since(start) as f64 / WEEK);
    total.calibrate(series, &outcome, fault);
    if let (true, Some(incident)) = (series.name.starts_with(FEW_REQUESTS), series.incident) {
        total.few.push(first.map_or(0.0, |first| incident.since(first.at) as f64 / 60.0));
    }
    let is_step = STEPS.iter().any(|step| series.name.starts_with(step));
    total.called_trends.extend((is_step && outcome.drifted).then(|| series.name.clone()));
    total.volume.add(&series.name, &outcome);
    total.minutes += outcome.minutes;
    total.bytes = total.bytes.max(outcome.bytes);
    total.busy.extend(outcome.busy);
}

/// The leads and the false episodes of the other alarms.
fn rivals(series: &Series, start: Minute, fault: Minute, total: &mut Total) -> (String, String) {
    let (mut leads, mut falses) = (Vec::new(), Vec::new());
    for (name, fires) in &baselines(series, start) {
        leads.push(hours(fires.iter().find(|at| **at > fault).copied(), series.incident));
        let wrong = merged(fires).iter().filter(|at| **at <= fault).count();
        falses.push(wrong.to_string());
        *total.base_false.entry(name).or_default() += wrong;
    }
    (leads.join(" "), falses.join(","))
}

/// When the end of the last episode was notified, after the recovery.
fn end(outcome: &Outcome, series: &Series) -> String {
    let resolved = outcome.alerts.iter().rfind(|alert| alert.reason == Reason::Resolved);
    match (resolved, series.recovered) {
        (Some(alert), Some(recovered)) => {
            format!("{:+.1} h", alert.at.since(recovered) as f64 / 60.0)
        }
        _ if outcome.open_at_end => "open".into(),
        _ => "-".into(),
    }
}

impl Total {
    fn count_false(&mut self, series: &Series, episodes: usize, weeks: f64) {
        self.weeks += weeks;
        if series.harmful && episodes == 0 {
            return;
        }
        if !series.harmful && episodes > 0 && !series.has_504() {
            self.without_504.push(series.name.clone());
        }
        let (name, weeks) = if series.harmful {
            (format!("(before fault) {}", series.name), 0.0)
        } else {
            (series.name.clone(), weeks)
        };
        let cell = self.benign.entry(name).or_default();
        *cell = (cell.0 + episodes, cell.1 + weeks);
    }

    /// Forecasts beside the truth. Of a job that recurs only where that is the fault.
    fn calibrate(&mut self, series: &Series, outcome: &Outcome, fault: Minute) {
        let Some(incident) = series.incident else { return };
        for (notified, is_close) in outcome.drifts.iter().zip([false, true]) {
            let Some((at, forecast)) = *notified else { continue };
            self.moments.add(is_close, at, forecast, series.at_timeout(fault), Some(incident));
        }
        let mut known = None;
        for (from, forecast) in &outcome.jobs {
            // What is known of a job changes once a day: the same date is no new forecast.
            let date = from.0 + (forecast.mid / 60.0).round() as i64;
            if known.replace(date).is_some_and(|old: i64| (old - date).abs() <= 120) {
                continue;
            }
            // It is forecast to its first 504; its incident is later.
            let left = series.first_504.map_or(0.0, |truth| truth.since(*from) as f64 * 60.0);
            if left > 300.0 && *from > fault && series.name.starts_with("h09") {
                let covered = (forecast.low..=forecast.high).contains(&left);
                self.jobs.push((forecast.mid / left, covered));
            }
        }
    }

    /// False episodes of the harmless series, and their weeks.
    fn false_episodes(&self) -> (usize, f64) {
        let benign = self.benign.iter().filter(|(n, _)| !n.starts_with('('));
        benign.fold((0, 0.0), |(e, w), (_, (x, y))| (e + x, w + y))
    }

    fn judge(&self, targets: &mut Targets) {
        let share = |part: f64, of: f64| (of > 0.0).then(|| part / of);
        let recall = share(self.caught as f64, self.harmful as f64);
        targets.at_least("recall", recall, 1.0);
        let (episodes, weeks) = self.false_episodes();
        let false_ones = share(episodes as f64, weeks);
        targets.at_most("false episodes a load-balancer-week", false_ones, FALSE_EPISODES);
        targets.none("told of though nothing ended in 504", &self.without_504);
        targets.none("a step that is called a trend", &self.called_trends);
        let least = self.few.iter().copied().reduce(f64::min);
        let before = 1.0 / 60.0;
        targets.at_least("two requests a minute: hours before the incident", least, before);
        self.volume.judge(targets);
    }

    fn print(&mut self) {
        println!("\nrecall {}/{}; late: {:?}", self.caught, self.harmful, self.late);
        let (episodes, weeks) = self.false_episodes();
        println!(
            "benign: {episodes} episodes in {weeks:.0} LB-weeks = {:.3} per LB-week",
            episodes as f64 / weeks
        );
        for (name, (episodes, _)) in self.benign.iter().filter(|(_, (e, _))| *e > 0) {
            println!("  {name}: {episodes}");
        }
        println!("baselines, false episodes in all {:.0} weeks: {:?}", self.weeks, self.base_false);
        println!(
            "steps of the scenarios called a trend: {:?}; told without a 504: {:?}",
            self.called_trends, self.without_504
        );
        self.few.sort_by(f64::total_cmp);
        println!("two requests a minute: told {:?} hours before the incident", self.few);
        self.jobs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let covered = self.jobs.iter().filter(|job| job.1).count();
        let median = self.jobs.get(self.jobs.len() / 2).map_or(f64::NAN, |job| job.0);
        println!(
            "recurring job, to its first 504: n {}, median est/true {median:.2}, range covers {covered}",
            self.jobs.len()
        );
        self.moments.print("in the scenarios");
        // The slowest are those in which another process ran.
        self.busy.sort_unstable();
        let kept = &self.busy[..self.busy.len() * 199 / 200];
        let mean = kept.iter().map(|n| f64::from(*n)).sum::<f64>() / kept.len().max(1) as f64;
        println!(
            "{:.2} us per assessment (mean without the slowest 0.5 %), {} bytes per history",
            mean / 1e3,
            self.bytes
        );
    }
}
