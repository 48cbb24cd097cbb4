//! A set of minutes, kept as ranges: a silence of days takes eight bytes.
//!
//! There may be a hundred thousand gateways in one process, and what is remembered of
//! each of them - which minutes were empty, which are awaited - is mostly one stretch.

use serde::{Deserialize, Serialize};

use crate::time::Minute;

/// A set has at most this many ranges; the oldest are given up first.
const MAX_RANGES: usize = 256;

/// Minutes since the Unix epoch, as ranges that neither touch nor overlap, oldest
/// first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub struct MinuteSet(Vec<Range>);

/// From the first to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: u32,
    end: u32,
}

impl From<Vec<(u32, u32)>> for MinuteSet {
    /// Reads first minutes and lengths, in any order.
    fn from(ranges: Vec<(u32, u32)>) -> Self {
        let mut set = Self::default();
        for (from, length) in ranges {
            set.add(Range { from, end: from.saturating_add(length) });
        }
        set
    }
}

impl From<MinuteSet> for Vec<(u32, u32)> {
    fn from(set: MinuteSet) -> Self {
        set.0.into_iter().map(|range| (range.from, range.end - range.from)).collect()
    }
}

impl MinuteSet {
    /// Whether there is no minute in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many minutes are in it.
    #[must_use]
    pub fn minutes(&self) -> u64 {
        self.0.iter().map(|range| u64::from(range.end - range.from)).sum()
    }

    /// Whether this minute is in it.
    #[must_use]
    pub fn contains(&self, minute: Minute) -> bool {
        u32::try_from(minute.0).is_ok_and(|minute| {
            let after = self.0.partition_point(|range| range.end <= minute);
            self.0.get(after).is_some_and(|range| range.from <= minute)
        })
    }

    /// Its ranges, each from its first minute to before the second one, oldest first.
    #[must_use]
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (Minute, Minute)> {
        self.0.iter().map(|range| (Minute(range.from.into()), Minute(range.end.into())))
    }

    /// Its minutes from `from` to before `end`, oldest first.
    pub fn within(&self, from: Minute, end: Minute) -> impl Iterator<Item = Minute> {
        let common = move |(first, last): (Minute, Minute)| first.max(from).0..last.min(end).0;
        self.ranges().flat_map(common).map(Minute)
    }

    /// Puts the minutes from `from` to before `end` in. What no clock will show before
    /// the year 10000 is left out.
    pub fn insert(&mut self, from: Minute, end: Minute) {
        let (from, end) = (u32::try_from(from.0.max(0)), u32::try_from(end.0.max(0)));
        if let (Ok(from), Ok(end)) = (from, end) {
            self.add(Range { from, end });
        }
    }

    fn add(&mut self, mut new: Range) {
        if new.from >= new.end {
            return;
        }
        let first = self.0.partition_point(|range| range.end < new.from);
        let after = self.0.partition_point(|range| range.from <= new.end);
        if let Some(touched) = self.0.get(first..after).filter(|touched| !touched.is_empty()) {
            new.from = new.from.min(touched[0].from);
            new.end = new.end.max(touched[touched.len() - 1].end);
        }
        self.0.splice(first..after, [new]);
        let surplus = self.0.len().saturating_sub(MAX_RANGES);
        self.0.drain(..surplus);
    }

    /// Takes one minute out. Returns whether it was in.
    pub fn remove(&mut self, minute: Minute) -> bool {
        let Some(index) = self.ranges().position(|(from, end)| (from..end).contains(&minute))
        else {
            return false;
        };
        let Range { from, end } = self.0[index];
        let minute = u32::try_from(minute.0).unwrap_or(from);
        let parts = [Range { from, end: minute }, Range { from: minute + 1, end }];
        self.0.splice(index..=index, parts.into_iter().filter(|part| part.from < part.end));
        true
    }

    /// Takes out the minutes before `kept`.
    pub fn forget_before(&mut self, kept: Minute) {
        let _ = self.take_before(kept);
    }

    /// Takes out the minutes before `kept`, and returns them.
    #[must_use]
    pub fn take_before(&mut self, kept: Minute) -> Self {
        let kept = u32::try_from(kept.0.max(0)).unwrap_or(u32::MAX);
        let cut = self.0.partition_point(|range| range.end <= kept);
        let mut before: Vec<Range> = self.0.drain(..cut).collect();
        if let Some(first) = self.0.first_mut().filter(|first| first.from < kept) {
            before.push(Range { from: first.from, end: kept });
            first.from = kept;
        }
        Self(before)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(i64, i64),
        Remove(i64),
        Forget(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..80i64, 0..9i64).prop_map(|(from, length)| Step::Insert(from, from + length)),
            4 => (0..90i64).prop_map(Step::Remove),
            1 => (0..90i64).prop_map(Step::Forget),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn it_is_a_set_and_its_ranges_neither_touch_nor_overlap(steps in steps()) {
            let (mut set, mut plain) = (MinuteSet::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(from, end) => {
                        set.insert(Minute(from), Minute(end));
                        plain.extend(from..end);
                    }
                    Step::Remove(minute) => {
                        prop_assert_eq!(set.remove(Minute(minute)), plain.remove(&minute));
                    }
                    Step::Forget(kept) => {
                        let before = set.take_before(Minute(kept));
                        let later = plain.split_off(&kept);
                        prop_assert_eq!(before.minutes(), plain.len() as u64);
                        plain = later;
                    }
                }
                let text = serde_json::to_string(&set).unwrap();
                prop_assert_eq!(&serde_json::from_str::<MinuteSet>(&text).unwrap(), &set);
                let all: Vec<i64> = set.within(Minute(0), Minute(100)).map(|m| m.0).collect();
                prop_assert_eq!(all, plain.iter().copied().collect::<Vec<_>>());
                prop_assert!((0..100).all(|m| set.contains(Minute(m)) == plain.contains(&m)));
                let ranges: Vec<_> = set.ranges().collect();
                prop_assert!(ranges.windows(2).all(|two| two[0].1 < two[1].0), "{:?}", ranges);
            }
        }
    }

    #[test]
    fn what_is_damaged_or_out_of_time_is_put_in_order_and_there_is_a_limit() {
        let set: MinuteSet = serde_json::from_str("[[30,5],[10,3],[12,4],[4294967295,9]]").unwrap();
        assert_eq!(set.minutes(), 11);
        let mut set = MinuteSet::default();
        set.insert(Minute(i64::MIN), Minute(2));
        set.insert(Minute(5), Minute(i64::MAX));
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(Minute(0), Minute(2))]);
        for minute in 0..1000 {
            set.insert(Minute(2 * minute), Minute(2 * minute + 1));
        }
        assert_eq!(set.ranges().count(), MAX_RANGES);
        assert!(set.contains(Minute(1998)) && !set.contains(Minute(4)));
    }
}
