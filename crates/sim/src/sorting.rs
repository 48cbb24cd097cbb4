//! Sorting by a number, which is most of the work of the model.
//!
//! A radix sort moves each item three times and compares none. The standard library's
//! moves and compares them far more often, and builds for tests check every move.

/// The number of items up to which the standard library's sort is as quick.
const FEW: usize = 64;
/// Bits of a digit.
const BITS: u32 = 11;
/// Values of a digit.
const DIGITS: usize = 1 << BITS;

/// Sorts by `exact`; `rough` never falls where `exact` rises, and is equal for few.
pub(crate) fn sort<T: Copy, K: Ord>(
    items: &mut Vec<T>,
    rough: impl Fn(&T) -> u32,
    exact: impl Fn(&T) -> K,
) {
    if items.len() <= FEW {
        return items.sort_unstable_by_key(exact);
    }
    let mut sorted = items.clone();
    for shift in (0..u32::BITS).step_by(BITS as usize) {
        let digit = |one: &T| (rough(one) >> shift) as usize % DIGITS;
        let mut places = [0_usize; DIGITS];
        for one in &*items {
            places[digit(one)] += 1;
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for one in &*items {
            let place = &mut places[digit(one)];
            sorted[*place] = *one;
            *place += 1;
        }
        std::mem::swap(items, &mut sorted);
    }
    for equal in items.chunk_by_mut(|a, b| rough(a) == rough(b)) {
        if equal.len() > 1 {
            equal.sort_unstable_by_key(&exact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::hash;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        for size in [0, 1, 64, 65, 1_000, 5_000] {
            for bits in [3, 20, 40, 64] {
                let items: Vec<u64> = (0..size).map(|n| hash(&[n, bits]) >> (64 - bits)).collect();
                let (mut ours, mut theirs) = (items.clone(), items);
                sort(&mut ours, |one| (one >> 32) as u32, |one| *one);
                theirs.sort_unstable();
                assert_eq!(ours, theirs, "{size} of {bits} bits");
            }
        }
    }
}
