//! A day of quarter-hours in some six hundred bytes, each of them readable by itself.
//!
//! There may be a hundred thousand gateways with fourteen days each, and most of that never
//! changes again. A figure becomes a whole number: how many units it has, of which the ten
//! leading bits are kept (of counts the eleven leading ones, so that a count up to 2,047 is
//! exact). Such numbers grow with the logarithm, so that those of one day are near to each
//! other: a column says the smallest, and of each quarter-hour how far it is above that, in as
//! many bits as the largest needs. What is the same all day takes none.

use std::array;

use super::{DAY, Known, Mark, QuarterHourStats};

/// Quarter-hours in a day.
const QUARTER_HOURS: usize = 96;
const _: () = assert!(DAY == 96);
/// Whether a quarter-hour is known and what it is an example of, and nine figures.
const COLUMNS: usize = 10;
/// The smallest number of a column, and its width.
const HEAD: usize = 5;
/// In the width of a column: some of its quarter-hours have no figure, which is written as 0.
const HAS_GAPS: u8 = 0x80;
/// No column is wider, bits.
const MAX_WIDTH: u8 = 32;
/// The number of a figure that is absent.
const ABSENT: u32 = u32::MAX;

/// What a figure is counted in, and how many bits follow the leading one.
#[derive(Clone, Copy)]
struct Scale {
    unit: f64,
    bits: u32,
}

/// About a microsecond, so that whole seconds are exact.
const MICROSECOND: f64 = 1.0 / 1_048_576.0;
const COUNT: Scale = Scale { unit: 1.0, bits: 10 };
const LATENCY: Scale = Scale { unit: MICROSECOND, bits: 9 };
/// In the order of [`figures`].
const SCALES: [Scale; COLUMNS - 1] = [
    COUNT,
    LATENCY,
    LATENCY,
    LATENCY,
    LATENCY,
    COUNT,
    COUNT,
    COUNT,
    Scale { unit: 1.0 / 1024.0, bits: 16 },
];

impl Scale {
    /// Numbers grow with figures, and have no holes.
    fn number(self, figure: f64) -> u32 {
        let units = (figure / self.unit).round().min(1e18);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not below 0
        let units = units as u64;
        let shift = units.checked_ilog2().unwrap_or(0).saturating_sub(self.bits);
        let rounded = if shift == 0 { units } else { (units + (1 << (shift - 1))) >> shift };
        u32::try_from(rounded + (u64::from(shift) << self.bits)).unwrap_or(ABSENT - 1)
    }

    fn figure(self, number: u32) -> f64 {
        let shift = (number >> self.bits).saturating_sub(1);
        let leading = u64::from(number) - (u64::from(shift) << self.bits);
        #[allow(clippy::cast_precision_loss)] // few bits are set
        let units = leading.checked_shl(shift).unwrap_or(u64::MAX) as f64;
        units * self.unit
    }
}

/// The figures of a quarter-hour, as they are kept: the mean latency varies less than the sum.
fn figures(stats: &QuarterHourStats) -> [Option<f64>; COLUMNS - 1] {
    let mean = stats.sum.map(|sum| sum / stats.samples).filter(|_| stats.samples > 0.0);
    [
        Some(stats.samples),
        mean,
        stats.p50,
        stats.p99,
        stats.maximum,
        stats.near_misses,
        Some(stats.timeouts),
        stats.connection_errors,
        Some(stats.timeout),
    ]
}

fn stats(figures: [Option<f64>; COLUMNS - 1]) -> QuarterHourStats {
    let [samples, mean, p50, p99, maximum, near_misses, timeouts, connection_errors, timeout] =
        figures;
    let samples = samples.unwrap_or(0.0);
    QuarterHourStats {
        samples,
        sum: mean.map(|mean| mean * samples),
        p50,
        p99,
        maximum,
        near_misses,
        timeouts: timeouts.unwrap_or(0.0),
        connection_errors,
        timeout: timeout.unwrap_or(0.0),
    }
}

/// A day of quarter-hours, packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PackedDay(Box<[u8]>);

/// A day of quarter-hours, unpacked to be changed: numbers by column.
#[derive(Debug, Clone)]
pub(super) struct OpenDay([[u32; QUARTER_HOURS]; COLUMNS]);

impl PackedDay {
    /// What was packed before, if these bytes are that.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let day = Self(bytes.into());
        let widths = (0..COLUMNS).map(|column| day.head(column).map(|(_, width, _)| width));
        let widths: Vec<u8> = widths.collect::<Option<_>>()?;
        let length = COLUMNS * HEAD + widths.iter().map(|width| bytes_of(*width)).sum::<usize>();
        let is_one = widths.iter().all(|width| *width <= MAX_WIDTH) && length == bytes.len();
        is_one.then_some(day)
    }

    /// What it is as bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is known of a quarter-hour of the day.
    pub(super) fn known(&self, quarter_hour: usize) -> Known {
        if self.0.is_empty() { Known::Unknown } else { known(self.numbers(quarter_hour)) }
    }

    /// Whether it is known, and what a quarter-hour is an example of.
    pub(super) fn status(&self, quarter_hour: usize) -> (bool, Mark) {
        let number = self.number(0, COLUMNS * HEAD, quarter_hour).map_or(0, |(number, _)| number);
        status(number)
    }

    /// Whether all quarter-hours are known.
    pub(super) fn is_whole(&self) -> bool {
        match self.head(0) {
            Some((number, 0, _)) => status(number).0,
            Some(_) => (0..QUARTER_HOURS).all(|quarter_hour| self.status(quarter_hour).0),
            None => false,
        }
    }

    pub(super) fn open(&self) -> OpenDay {
        let mut open = OpenDay([[ABSENT; QUARTER_HOURS]; COLUMNS]);
        open.0[0] = [0; QUARTER_HOURS];
        if self.0.is_empty() {
            return open;
        }
        let mut at = COLUMNS * HEAD;
        for (column, numbers) in open.0.iter_mut().enumerate() {
            let Some((least, width, has_gaps)) = self.head(column) else { break };
            let next = at + bytes_of(width);
            let bytes = self.0.get(at..next).unwrap_or_default();
            at = next;
            let mut bytes = bytes.iter();
            let (mut waiting, mut bits) = (0_u64, 0);
            for number in numbers {
                while bits < width
                    && let Some(byte) = bytes.next()
                {
                    waiting |= u64::from(*byte) << bits;
                    bits += 8;
                }
                let above = u32::try_from(waiting & ((1 << width) - 1)).unwrap_or(ABSENT);
                waiting >>= width;
                bits = bits.saturating_sub(width);
                *number = number_above(least, above, has_gaps);
            }
        }
        open
    }

    fn numbers(&self, quarter_hour: usize) -> [u32; COLUMNS] {
        let mut at = COLUMNS * HEAD;
        array::from_fn(|column| match self.number(column, at, quarter_hour) {
            Some((number, next)) => {
                at = next;
                number
            }
            None => ABSENT,
        })
    }

    /// A number of a column that begins at this byte, and where the next column begins.
    fn number(&self, column: usize, at: usize, quarter_hour: usize) -> Option<(u32, usize)> {
        let (least, width, has_gaps) = self.head(column)?;
        let next = at + bytes_of(width);
        let bit = quarter_hour * usize::from(width);
        let mut window = [0; 8];
        let from = self.0.get(at + bit / 8..next)?;
        let length = from.len().min(8);
        window[..length].copy_from_slice(&from[..length]);
        let above = (u64::from_le_bytes(window) >> (bit % 8)) & ((1 << width) - 1);
        let above = u32::try_from(above).unwrap_or(ABSENT);
        Some((number_above(least, above, has_gaps), next))
    }

    /// The smallest number of a column, its width, and whether it has gaps.
    fn head(&self, column: usize) -> Option<(u32, u8, bool)> {
        let head = self.0.get(column * HEAD..(column + 1) * HEAD)?;
        let (least, width) = head.split_first_chunk()?;
        let width = *width.first()?;
        Some((u32::from_le_bytes(*least), width & !HAS_GAPS, width & HAS_GAPS != 0))
    }
}

impl OpenDay {
    /// What is known of a quarter-hour of the day.
    pub(super) fn known(&self, quarter_hour: usize) -> Known {
        known(array::from_fn(|column| self.0[column][quarter_hour]))
    }

    /// Whether it is known, and what a quarter-hour is an example of.
    pub(super) fn status(&self, quarter_hour: usize) -> (bool, Mark) {
        status(self.0[0][quarter_hour])
    }

    /// Enters what CloudWatch said of a quarter-hour; nothing forgets it. What it is an example
    /// of stays.
    pub(super) fn enter(&mut self, quarter_hour: usize, said: Option<&QuarterHourStats>) {
        self.0[0][quarter_hour] = self.0[0][quarter_hour] & !1 | u32::from(said.is_some());
        let figures = said.filter(|said| said.requests() > 0.0).map(figures).unwrap_or_default();
        for (column, (figure, scale)) in figures.into_iter().zip(SCALES).enumerate() {
            let sane = figure.filter(|figure| figure.is_finite() && *figure >= 0.0);
            self.0[column + 1][quarter_hour] = sane.map_or(ABSENT, |figure| scale.number(figure));
        }
    }

    /// Says what a quarter-hour is an example of.
    pub(super) fn mark(&mut self, quarter_hour: usize, mark: Mark) {
        let number = match mark {
            Mark::Usual => 0,
            Mark::Incident => 1,
            Mark::Benign => 2,
        };
        self.0[0][quarter_hour] = self.0[0][quarter_hour] & 1 | number << 1;
    }

    pub(super) fn pack(&self) -> PackedDay {
        let mut heads = Vec::with_capacity(COLUMNS * HEAD + 12 * 50);
        let mut rest = Vec::with_capacity(12 * 50);
        for column in &self.0 {
            let there = || column.iter().copied().filter(|number| *number != ABSENT);
            let (least, most) = (there().min().unwrap_or(ABSENT), there().max().unwrap_or(ABSENT));
            let has_gaps = least != ABSENT && column.contains(&ABSENT);
            let range = most - least + u32::from(has_gaps);
            let width = u8::try_from(u32::BITS - range.leading_zeros()).unwrap_or(MAX_WIDTH);
            heads.extend(least.to_le_bytes());
            heads.push(if has_gaps { width | HAS_GAPS } else { width });
            write(
                &mut rest,
                width,
                column.iter().map(|number| match *number {
                    ABSENT if least == ABSENT || has_gaps => 0,
                    number => number - least + u32::from(has_gaps),
                }),
            );
        }
        heads.append(&mut rest);
        PackedDay(heads.into())
    }
}

fn known(numbers: [u32; COLUMNS]) -> Known {
    if !status(numbers[0]).0 {
        return Known::Unknown;
    }
    let figures = array::from_fn(|column| {
        let number = numbers[column + 1];
        (number != ABSENT).then(|| SCALES[column].figure(number))
    });
    let stats = stats(figures);
    if stats.requests() <= 0.0 { Known::Idle } else { Known::Measured(stats) }
}

fn status(number: u32) -> (bool, Mark) {
    let mark = match number >> 1 {
        1 => Mark::Incident,
        2 => Mark::Benign,
        _ => Mark::Usual,
    };
    (number & 1 == 1, mark)
}

/// The number that is written as a distance from the least of its column.
fn number_above(least: u32, above: u32, has_gaps: bool) -> u32 {
    match (has_gaps, above) {
        (false, above) => least.saturating_add(above),
        (true, 0) => ABSENT,
        (true, above) => least.saturating_add(above - 1),
    }
}

/// Bytes of a column: 96 quarter-hours are always whole bytes.
fn bytes_of(width: u8) -> usize {
    usize::from(width) * QUARTER_HOURS / 8
}

fn write(to: &mut Vec<u8>, width: u8, numbers: impl Iterator<Item = u32>) {
    let (mut waiting, mut bits) = (0_u64, 0);
    for number in numbers {
        waiting |= u64::from(number) << bits;
        bits += width;
        while bits >= 8 {
            to.push(waiting.to_le_bytes()[0]);
            waiting >>= 8;
            bits -= 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(kept: Option<f64>, given: Option<f64>, share: f64) -> bool {
        match (kept, given) {
            (Some(kept), Some(given)) => (kept - given).abs() <= share * given + MICROSECOND,
            (kept, given) => kept == given,
        }
    }

    fn quarter_hour() -> impl Strategy<Value = Option<QuarterHourStats>> {
        let latency = || prop::option::of(1e-5..4000.0_f64);
        let count = || (0..3000_u32).prop_map(f64::from);
        let stats = (0..5_000_000_u32, latency(), latency(), latency(), count(), count());
        prop::option::of(stats.prop_map(|(samples, p50, p99, maximum, near, timeouts)| {
            let samples = f64::from(samples);
            QuarterHourStats {
                samples,
                sum: p50.filter(|_| samples > 0.0).map(|p50| p50 * samples),
                p50,
                p99,
                maximum,
                near_misses: Some(near),
                timeouts,
                connection_errors: None,
                timeout: 60.0,
            }
        }))
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_entered_to_a_tenth_of_a_percent(
            quarter_hours in prop::collection::vec(quarter_hour(), QUARTER_HOURS),
            marked in prop::collection::vec(0..3_u8, QUARTER_HOURS),
        ) {
            let mut open = PackedDay::default().open();
            for (index, (said, mark)) in quarter_hours.iter().zip(&marked).enumerate() {
                open.enter(index, said.as_ref());
                open.mark(index, [Mark::Usual, Mark::Incident, Mark::Benign][usize::from(*mark)]);
            }
            let day = open.pack();
            prop_assert_eq!(&PackedDay::of_bytes(day.bytes()).unwrap(), &day);
            let opened = day.open();
            prop_assert_eq!(&opened.pack(), &day, "nothing is lost by opening it");
            for index in 0..QUARTER_HOURS {
                prop_assert_eq!(opened.known(index), day.known(index));
                prop_assert_eq!(opened.status(index), day.status(index));
            }
            for (index, (said, mark)) in quarter_hours.iter().zip(marked).enumerate() {
                prop_assert_eq!(day.status(index).0, said.is_some());
                prop_assert_eq!(day.status(index).1 == Mark::Incident, mark == 1);
                let Some(said) = said else {
                    prop_assert_eq!(day.known(index), Known::Unknown);
                    continue;
                };
                if said.requests() <= 0.0 {
                    prop_assert_eq!(day.known(index), Known::Idle);
                    continue;
                }
                let Known::Measured(kept) = day.known(index) else { panic!("{index} is lost") };
                prop_assert!(close(Some(kept.samples), Some(said.samples), 0.0005));
                prop_assert!(close(kept.sum, said.sum, 0.0025), "{:?} {:?}", kept.sum, said.sum);
                for (kept, said) in [(kept.p50, said.p50), (kept.p99, said.p99), (kept.maximum, said.maximum)] {
                    prop_assert!(close(kept, said, 0.001), "{:?} {:?}", kept, said);
                }
                prop_assert!(close(kept.near_misses, said.near_misses, 0.0005));
                prop_assert_eq!(kept.timeout.to_bits(), 60_f64.to_bits());
                if said.timeouts < 2048.0 {
                    let (kept, said) = (kept.timeouts.to_bits(), said.timeouts.to_bits());
                    prop_assert_eq!(kept, said, "a small count is exact");
                }
            }
        }
    }

    #[test]
    fn a_busy_day_takes_some_six_hundred_bytes_and_an_idle_one_fifty() {
        let mut open = PackedDay::default().open();
        let mut random = 7_u64;
        for quarter_hour in 0..QUARTER_HOURS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            #[allow(clippy::cast_precision_loss)]
            let noise = 0.8 + 0.4 * (random >> 40) as f64 / f64::from(1 << 24);
            #[allow(clippy::cast_precision_loss)]
            let day = 2.0 + (quarter_hour as f64 / 96.0 * std::f64::consts::TAU).sin();
            let stats = QuarterHourStats {
                samples: (9000.0 * day * noise).round(),
                sum: Some(900.0 * day * noise),
                p50: Some(0.08 * noise),
                p99: Some(0.4 * day * noise),
                maximum: Some(2.0 * day * noise),
                near_misses: Some(0.0),
                timeout: 60.0,
                ..QuarterHourStats::default()
            };
            open.enter(quarter_hour, Some(&stats));
        }
        let day = open.pack();
        assert!((450..700).contains(&day.bytes().len()), "{} bytes", day.bytes().len());
        assert!(day.is_whole());
        (0..QUARTER_HOURS).for_each(|q| open.enter(q, Some(&QuarterHourStats::default())));
        assert_eq!(open.pack().bytes().len(), COLUMNS * HEAD);
    }

    #[test]
    fn what_is_no_day_is_none() {
        for length in (0..COLUMNS * HEAD).chain([60, 1000]) {
            assert_eq!(PackedDay::of_bytes(&vec![0; length]), None, "{length}");
            assert_eq!(PackedDay::of_bytes(&vec![0xff; length]), None, "{length}");
        }
    }
}
