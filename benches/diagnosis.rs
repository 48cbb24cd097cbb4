//! Which cause a diagnosis names, beside the simulator's truth.
//!
//! `cargo bench --bench diagnosis --features full` diagnoses every scenario with one
//! cause, and the healthy ones, over the seeds 21 to 28, an hour into the fault and at
//! just after its last error, and prints what was named instead where it was not the cause.
//! `-- --seeds=1,2 c08 n` chooses; `--without=ec2:DescribeNetworkAcls` denies; `-v`
//! prints every diagnosis.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)] // its only reader sees the panic
#![allow(dead_code)] // the world of the tests has more

#[path = "../tests/it/wire/world.rs"]
mod world;

use std::collections::BTreeMap;

use nearmiss::diagnose::{self, Moment};
use nearmiss::edge::aws::Usage;
use nearmiss::inventory::AccountRegion;
use nearmiss_core::diagnose::Diagnosis;
use nearmiss_core::time::Minute;
use nearmiss_sim::scenarios;
use world::{ALL, START, World};

/// The last minute of the scenarios that is examined, and an hour into the fault.
const LAST: i64 = 230;
const INTO: i64 = 60;

#[derive(Default)]
struct Counts {
    first: usize,
    second: usize,
    other: BTreeMap<String, usize>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().find_map(|a| a.strip_prefix(name));
    let seeds = value("--seeds=").unwrap_or("21,22,23,24,25,26,27,28").split(',');
    let seeds: Vec<u64> = seeds.filter_map(|s| s.parse().ok()).collect();
    let denied = value("--without=").map_or(String::new(), |action| format!("denied={action}"));
    let wanted: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let verbose = args.iter().any(|a| a == "-v");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let is_one = |name: &str| {
        let numbered = name.starts_with(['c', 'n']) && name[1..3].parse::<u8>().is_ok();
        numbered && (wanted.is_empty() || wanted.iter().any(|w| name.starts_with(w.as_str())))
    };
    for scenario in scenarios().iter().filter(|one| is_one(one.name)) {
        for seed in &seeds {
            for (truth, diagnosis) in runtime.block_on(diagnoses(scenario.name, *seed, &denied)) {
                let named: Vec<&str> = diagnosis.findings.iter().map(|f| f.cause.name()).collect();
                let truth = truth.unwrap_or("healthy");
                let place = match truth {
                    "healthy" => named.is_empty().then_some(0),
                    truth => named.iter().position(|name| *name == truth),
                };
                let count = counts.entry(format!("{} ({truth})", scenario.name)).or_default();
                match place {
                    Some(0) => count.first += 1,
                    Some(1) => count.second += 1,
                    _ => {}
                }
                if place != Some(0) {
                    let first = named.first().unwrap_or(&"nothing");
                    *count.other.entry((*first).to_owned()).or_default() += 1;
                }
                if verbose || place != Some(0) {
                    println!("-- {} seed {seed} at {}: {named:?}", scenario.name, diagnosis.at);
                }
                if verbose {
                    println!("{}", diagnosis.text());
                }
            }
        }
    }
    print(&counts);
}

fn print(counts: &BTreeMap<String, Counts>) {
    let (mut all, mut firsts, mut seconds) = (0, 0, 0);
    println!("\n{:<48} {:>6} {:>6}  named instead", "scenario (cause)", "first", "second");
    for (name, count) in counts {
        let others = count.other.values().sum::<usize>();
        println!("{name:<48} {:>6} {:>6}  {:?}", count.first, count.second, count.other);
        all += count.first + others;
        firsts += count.first;
        seconds += count.second;
    }
    let share = |n: usize| {
        100.0 * f64::from(u32::try_from(n).unwrap()) / f64::from(u32::try_from(all).unwrap())
    };
    println!(
        "{all} diagnoses: top-1 {:.1} %, top-2 {:.1} %",
        share(firsts),
        share(firsts + seconds)
    );
}

/// What is diagnosed in a scenario an hour into its fault and at its end, with the truth.
async fn diagnoses(
    scenario: &str,
    seed: u64,
    faults: &str,
) -> Vec<(Option<&'static str>, Diagnosis)> {
    let world = World::of(scenario, seed, faults).await;
    let story = world.sim.story().into_iter().next().unwrap();
    let begin = START / 60;
    let into = story.fault_start.map_or(120, |fault| fault - begin + INTO);
    // Not hours after the last error: it has recovered by then.
    let hurts = |minute: &i64| {
        let truth = world.sim.truth(&story.load_balancer, begin + minute);
        truth.is_some_and(|t| t.elb_502 + t.elb_503 + t.elb_504 > 0)
    };
    let last = (into..LAST).rev().find(hurts).map_or(LAST, |minute| minute + 5);
    let mut said = Vec::new();
    for minute in [into.min(LAST), last.min(LAST)] {
        world.clock.set(START + 60 * minute + 130);
        let config = world.config(ALL);
        let mut accounts = AccountRegion::of_config(&config, &world.base).await;
        let span = config.poll.deadline;
        accounts[0].refresh(START + 60 * minute, span, span).await;
        let gateway = accounts[0].gateways.iter().find(|g| g.id.name == story.load_balancer);
        let gateway = gateway.unwrap_or_else(|| panic!("{:?}", accounts[0].troubles));
        let moment = Moment { end: Minute(begin + minute), began: None };
        let mut usage = Usage::default();
        said.push((story.cause, diagnose::of(&accounts[0], gateway, moment, &mut usage).await));
    }
    said
}
