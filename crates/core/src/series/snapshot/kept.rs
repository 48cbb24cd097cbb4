//! A snapshot as it is kept from one poll to the next: each signal in as few bytes as lose
//! nothing. Most counts are small, and many signals are the same all the time.

use serde::{Deserialize, Serialize};

use super::{LARGEST, Snapshot};
use crate::gateway::signal::Signal;
use crate::time::Minute;

/// No snapshot that is kept has more minutes.
const MAX_MINUTES: usize = 24 * 60;

/// A [`Snapshot`], packed. It loses nothing but which minutes are awaited, which is determined
/// anew by each poll.
#[derive(Debug, Clone)]
pub struct KeptSnapshot {
    /// All of it but the values.
    frame: Snapshot,
    /// Column after column.
    bytes: Box<[u8]>,
}

/// A [`KeptSnapshot`] as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    first: i64,
    length: usize,
    /// The numbers of the signals, column after column.
    signals: Vec<u8>,
    columns: Vec<u8>,
}

/// How a column is written; its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One value, which is that of all minutes.
    Same,
    /// Whole numbers in one, two or four bytes, of which the largest stands for an absent
    /// value.
    One,
    Two,
    Four,
    /// Values as they are.
    Full,
}

impl Form {
    const ALL: [Self; 5] = [Self::Same, Self::One, Self::Two, Self::Four, Self::Full];

    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let bits = |value: f64| value.to_bits();
        let mut others = values.clone();
        let first = others.next().map(bits);
        if others.all(|value| Some(bits(value)) == first) {
            return Self::Same;
        }
        let is_whole = |value: &f64| value.fract() == 0.0 && value.is_sign_positive();
        let present = values.filter(|value| !value.is_nan());
        if !present.clone().all(|value| is_whole(&value)) {
            return Self::Full;
        }
        match present.fold(0.0, f64::max) {
            most if most < f64::from(u8::MAX) => Self::One,
            most if most < f64::from(u16::MAX) => Self::Two,
            most if most < f64::from(u32::MAX) => Self::Four,
            _ => Self::Full,
        }
    }

    /// Bytes of a value.
    fn width(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Same | Self::Full => 8,
        }
    }

    fn write(self, value: f64, to: &mut Vec<u8>) {
        match self {
            Self::Same | Self::Full => to.extend(value.to_le_bytes()),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // see `of`
            _ => {
                let number = if value.is_nan() { u32::MAX } else { value as u32 };
                to.extend(&number.to_le_bytes()[..self.width()]);
            }
        }
    }

    fn read(self, bytes: &[u8]) -> f64 {
        let mut whole = [0; 8];
        let length = bytes.len().min(8);
        whole[..length].copy_from_slice(&bytes[..length]);
        match self {
            Self::Same | Self::Full => f64::from_le_bytes(whole),
            _ if bytes.iter().all(|byte| *byte == u8::MAX) => f64::NAN,
            #[allow(clippy::cast_precision_loss)] // four bytes at the most
            _ => u64::from_le_bytes(whole) as f64,
        }
    }
}

impl Snapshot {
    /// Its minutes from `from` on, in fewer bytes.
    #[must_use]
    pub fn kept(mut self, from: Minute) -> KeptSnapshot {
        let surplus = usize::try_from(from.since(self.first)).unwrap_or(0).min(self.length);
        let values = std::mem::take(&mut self.values);
        let values = values.get(surplus * self.width..).unwrap_or_default();
        self.first = self.first.max(from.min(self.end()));
        self.length -= surplus;
        self.awaited = Vec::new();
        let mut bytes = Vec::with_capacity(values.len() * 4);
        for column in 0..self.width {
            let values = values.iter().skip(column).step_by(self.width).copied();
            let form = Form::of(values.clone());
            bytes.push(form as u8);
            let written = if form == Form::Same { 1 } else { self.length };
            values.take(written).for_each(|value| form.write(value, &mut bytes));
        }
        KeptSnapshot { frame: self, bytes: bytes.into() }
    }
}

impl KeptSnapshot {
    /// The first minute, and the minute after the last one.
    #[must_use]
    pub fn span(&self) -> (Minute, Minute) {
        (self.frame.first(), self.frame.end())
    }

    /// It as a record, for [`of_record`](Self::of_record): without the figures of target
    /// groups.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        let Snapshot { first, length, columns, .. } = &self.frame;
        let column = |signal: Signal| columns.get(signal.number()).copied().flatten();
        let mut signals: Vec<Signal> = Signal::every().filter(|s| column(*s).is_some()).collect();
        signals.sort_by_key(|signal| column(*signal));
        let number = |signal: &Signal| u8::try_from(signal.number()).unwrap_or(u8::MAX);
        let signals = signals.iter().map(number).collect();
        let saved =
            Saved { first: first.0, length: *length, signals, columns: self.bytes.to_vec() };
        // Writing to memory does not fail.
        postcard::to_allocvec(&saved).unwrap_or_default()
    }

    /// What was recorded, if these bytes are that.
    #[must_use]
    pub fn of_record(record: &[u8]) -> Option<Self> {
        let Saved { first, length, signals, columns: bytes } = postcard::from_bytes(record).ok()?;
        let mut columns = [None; Signal::COUNT];
        for (column, number) in (0_u8..).zip(&signals) {
            let place = columns.get_mut(usize::from(*number)).filter(|place| place.is_none())?;
            *place = Some(column);
        }
        let frame = Snapshot {
            first: Minute(first),
            length,
            columns,
            width: signals.len(),
            values: Vec::new(),
            target_groups: Vec::new(),
            awaited: Vec::new(),
        };
        let kept = Self { frame, bytes: bytes.into() };
        let fits = length <= MAX_MINUTES && kept.is_whole();
        (fits && kept.open().values.iter().all(|value| !(*value < 0.0 || *value > LARGEST)))
            .then_some(kept)
    }

    /// Whether its bytes are those of its columns.
    fn is_whole(&self) -> bool {
        let mut rest = &self.bytes[..];
        for _ in 0..self.frame.width {
            let Some((form, bytes)) = rest.split_first() else { return false };
            let form = Form::ALL.into_iter().find(|one| *one as u8 == *form);
            let length = form.map(|form| {
                let written =
                    if form == Form::Same { 1.min(self.frame.length) } else { self.frame.length };
                written * form.width()
            });
            let Some(next) = length.and_then(|length| bytes.get(length..)) else { return false };
            rest = next;
        }
        rest.is_empty()
    }

    /// The snapshot that it was.
    #[must_use]
    pub fn open(&self) -> Snapshot {
        let Snapshot { length, width, .. } = self.frame;
        let mut values = vec![f64::NAN; width * length];
        let mut rest = &self.bytes[..];
        for column in 0..width {
            let Some((form, bytes)) = rest.split_first() else { break };
            let form = Form::ALL.into_iter().find(|one| *one as u8 == *form).unwrap_or(Form::Full);
            let places = values.iter_mut().skip(column).step_by(width);
            let written = if form == Form::Same { length.min(1) } else { length };
            let Some((bytes, next)) = bytes.split_at_checked(written * form.width()) else { break };
            if form == Form::Same {
                places.for_each(|place| *place = form.read(bytes));
            } else {
                let written = bytes.chunks(form.width());
                places.zip(written).for_each(|(place, bytes)| *place = form.read(bytes));
            }
            rest = next;
        }
        Snapshot { values, ..self.frame.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gateway::signal::Signal;

    const ASKED: [Signal; 4] =
        [Signal::P99, Signal::Samples, Signal::Timeouts, Signal::HealthyHosts];

    fn value() -> impl Strategy<Value = Option<f64>> {
        let whole = |most: u32| (0..most).prop_map(f64::from);
        prop::option::of(prop_oneof![
            Just(0.0),
            Just(7.0),
            whole(300),
            whole(70_000),
            whole(u32::MAX).prop_map(|number| 2.0 * number),
            0.0..60.0_f64
        ])
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            columns in prop::collection::vec(prop::collection::vec(value(), 0..70), 4),
            of_one_kind in prop::bool::ANY,
            surplus in -5..70_i64,
        ) {
            let first = Minute(1_000);
            let mut snapshot = Snapshot::quiet(first, first.plus(60), &ASKED);
            for (signal, values) in ASKED.into_iter().zip(&columns) {
                for (minute, value) in (0..).zip(values) {
                    let value = if of_one_kind { values[0] } else { *value };
                    if let Some(value) = value {
                        snapshot.record(signal, first.plus(minute), value);
                    }
                }
            }
            let before = snapshot.clone();
            let from = first.plus(surplus);
            let kept = snapshot.kept(from);
            let begin = from.max(first).min(before.end());
            prop_assert_eq!(kept.span(), (begin, before.end()));
            let opened = kept.open();
            for minute in before.minutes().filter(|minute| *minute >= from) {
                for signal in Signal::every() {
                    let (was, is) = (before.value(signal, minute), opened.value(signal, minute));
                    prop_assert_eq!(was.map(f64::to_bits), is.map(f64::to_bits));
                }
            }
            let record = kept.record();
            let read = KeptSnapshot::of_record(&record).unwrap();
            prop_assert_eq!(read.span(), kept.span());
            prop_assert_eq!(&read.bytes, &kept.bytes);
            prop_assert_eq!(read.frame.columns, kept.frame.columns);
            prop_assert!(KeptSnapshot::of_record(&record[..record.len() - 1]).is_none());
        }
    }

    #[test]
    fn an_empty_snapshot_is_kept() {
        let kept = Snapshot::quiet(Minute(5), Minute(5), &ASKED).kept(Minute(0));
        assert_eq!((kept.open().first(), kept.open().end()), (Minute(5), Minute(5)));
    }

    #[test]
    fn an_hour_of_small_counts_takes_a_byte_for_each() {
        let mut snapshot = Snapshot::quiet(Minute(0), Minute(60), &ASKED);
        for (minute, number) in snapshot.minutes().zip(0_u8..) {
            snapshot.record(Signal::Samples, minute, f64::from(number));
            snapshot.record(Signal::P99, minute, 1.0 / (1.0 + f64::from(number)));
        }
        // Two columns that are the same all the time, one of bytes, one of values.
        assert_eq!(snapshot.kept(Minute(0)).bytes.len(), 2 * 9 + 61 + 481);
    }
}
