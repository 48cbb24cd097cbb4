//! Points of a result out of order or given twice.
//!
//! AWS promises no order across pages, so a client has to sort and merge. The draws depend
//! on the query's content: every page of one answer is cut from the same mess.

use crate::faults::Faults;
use crate::rng::{Rng, hash, unit};

/// Share of the points a result with duplicates repeats.
const REPEATED: f64 = 0.2;

impl Faults {
    /// Repeats and shuffles the points (epoch seconds, value) of a result.
    pub(crate) fn disorder(&self, seed: u64, content: u64, points: &mut Vec<(i64, f64)>) {
        let struck = |kind: u64, share: f64| unit(hash(&[seed, 105, kind, content])) < share;
        if struck(1, self.duplicate) {
            repeat(&mut Rng::new(&[seed, 106, content]), points);
        }
        if struck(2, self.shuffle) {
            shuffle(&mut Rng::new(&[seed, 107, content]), points);
        }
    }
}

/// Gives some points twice in a row, the first one in any case.
fn repeat(rng: &mut Rng, points: &mut Vec<(i64, f64)>) {
    let once = std::mem::take(points);
    for (at, point) in once.into_iter().enumerate() {
        let twice = rng.unit() < REPEATED || at == 0;
        points.extend(std::iter::repeat_n(point, 1 + usize::from(twice)));
    }
}

fn shuffle(rng: &mut Rng, points: &mut [(i64, f64)]) {
    for at in (1..points.len()).rev() {
        points.swap(at, rng.below(at + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_loses_nothing_and_repeats_itself() {
        let faults = Faults { shuffle: 1.0, duplicate: 1.0, ..Faults::default() };
        let straight: Vec<(i64, f64)> = (0..100).map(|n| (n * 60, n as f64)).collect();
        let (mut a, mut b) = (straight.clone(), straight.clone());
        faults.disorder(1, 2, &mut a);
        faults.disorder(1, 2, &mut b);
        assert_eq!(a, b);
        assert!(a.len() > 100 && !a.is_sorted_by_key(|point| point.0));
        a.sort_by_key(|point| point.0);
        a.dedup();
        assert_eq!(a, straight);
        let before = b.clone();
        Faults::default().disorder(1, 2, &mut b);
        assert_eq!(b, before);
    }
}
