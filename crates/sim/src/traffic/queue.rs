//! The overload story: first come, first served queues at the targets.
//!
//! A queue remembers, so its whole script is played once from an empty queue at
//! minute 0 and kept; before and after it the load is far below capacity and
//! requests just take their service time. A request the load balancer gave up
//! on is still worked on: targets do not notice.

use crate::scenario::plan::Trouble;
use crate::traffic::arrivals::arrivals;
use crate::traffic::request::{Arrival, SECOND, limited};
use crate::world::Source;

/// Microseconds in a minute.
const MINUTE: u64 = 60 * SECOND as u64;

/// Arrivals of every scripted minute with their waiting time added.
pub(crate) fn play(source: &Source, start: i64, minutes: i64) -> Vec<Vec<Arrival>> {
    let Trouble::Overload { workers, .. } = source.plan.trouble else {
        return Vec::new();
    };
    let targets = source.targets();
    let mut free = vec![vec![0_u64; workers]; targets];
    (0..minutes)
        .map(|since| {
            let mut batch = arrivals(source, start, start + since);
            batch.sort_by_key(|arrival| arrival.at);
            for (turn, arrival) in batch.iter_mut().enumerate() {
                let target = turn % targets;
                arrival.request.target = target as u8;
                let now = since as u64 * MINUTE + u64::from(arrival.at);
                let service = slower(arrival.request.took, target, targets);
                let took = wait_and_work(&mut free[target], now, service);
                arrival.request.took = u32::try_from(took).unwrap_or(u32::MAX);
                arrival.request = limited(arrival.request, source.timeout(start + since));
            }
            batch
        })
        .collect()
}

/// Targets differ by a few percent, so they do not all saturate at once.
fn slower(service: u32, target: usize, targets: usize) -> u64 {
    let spread = target as f64 / targets.max(2) as f64 - 0.375;
    (f64::from(service) * (1.0 + 0.08 * spread)) as u64
}

/// Takes the worker that is free first; returns waiting plus service time.
fn wait_and_work(free: &mut [u64], now: u64, service: u64) -> u64 {
    let Some(worker) = free.iter_mut().min() else {
        return service;
    };
    let begin = now.max(*worker);
    *worker = begin + service;
    *worker - now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_worker_serves_at_once_and_a_busy_one_later() {
        let mut free = [0, 0];
        assert_eq!(wait_and_work(&mut free, 10, 5), 5);
        assert_eq!(wait_and_work(&mut free, 10, 7), 7);
        assert_eq!(wait_and_work(&mut free, 11, 2), 6);
    }

    #[test]
    fn below_capacity_nobody_waits_long() {
        let mut free = [0_u64; 4];
        let longest = (0..1_000).map(|i| wait_and_work(&mut free, i * 10, 30)).max();
        assert_eq!(longest, Some(30));
    }
}
