//! What is remembered of a gateway as two records: its counters and positions, which
//! change with every minute that is counted, and its episodes, which rarely do.
//!
//! The first is some 250 bytes: minutes are written as their distance from the watermark,
//! and numbers take as many bytes as they need. The second is JSON, with the names that the
//! earlier state file had. Each record says in its first byte which form it has, so that a
//! newer program reads what an older one wrote.

use serde::{Deserialize, Serialize};

use crate::alerting::episode::TrackedEpisode;
use crate::series::arrival::Silence;
use crate::series::histogram::Histogram;
use crate::series::totals::Totals;
use crate::state::block::{self, Block};
use crate::state::counted::Counted;
use crate::state::{Former, GatewayState, Minutes};
use crate::time::Minute;
use crate::time::minute_set::MinuteSet;

/// The form of the record of counters that this program writes.
const COUNTERS: u8 = 1;
/// The same of the record of episodes.
const EPISODES: u8 = 1;

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// Its form is newer than this program.
    Newer {
        /// What kind of record it is.
        what: &'static str,
        /// Which form it has.
        found: u8,
    },
    /// It is not what any program wrote.
    Damaged {
        /// What kind of record it is.
        what: &'static str,
        /// What does not fit.
        why: String,
    },
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer { what, found } => {
                write!(f, "records of {what} of version {found}")
            }
            Self::Damaged { what, why } => write!(f, "its record of {what} is damaged: {why}"),
        }
    }
}

impl std::error::Error for RecordError {}

/// Positions are minutes before the count watermark, so that they take a byte or two.
#[derive(Serialize, Deserialize)]
struct Counters {
    count_watermark: i64,
    assess_watermark: i64,
    newest_data: Option<i64>,
    read: Option<i64>,
    counted_late: Option<i64>,
    silence: Option<(i64, f64)>,
    totals: Sums,
    minutes: [u64; 5],
    histogram: Option<Histogram>,
    /// The timeouts of counted minutes, seconds; they are referred to by their index.
    timeouts: Vec<f64>,
    remembered: Vec<(i64, u8, Sums, bool)>,
    /// From, length, timeout, active minutes, sums.
    blocks: Vec<(i64, u8, u8, u8, Sums)>,
    late: MinuteSet,
    empty: MinuteSet,
}

/// Requests, near misses and 504s.
type Sums = [u64; 3];

/// Names as in the earlier state file.
#[derive(Default, Serialize, Deserialize)]
struct Episodes {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    records: Vec<TrackedEpisode>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    incidents: Vec<(Minute, Minute)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timeouts: Vec<(Minute, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Minute>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<Former>,
}

impl GatewayState {
    /// Its counters and positions.
    #[must_use]
    pub fn counters_record(&self) -> Vec<u8> {
        let before = |minute: Minute| self.count_watermark.since(minute);
        let mut timeouts = Vec::new();
        let remembered = self.remembered.iter().map(|counted| {
            let Counted { minute, timeout, totals, idle, .. } = counted;
            (before(*minute), place(&mut timeouts, *timeout), sums(*totals), *idle)
        });
        let remembered = remembered.collect();
        let blocks = self.blocks.iter().cloned().map(|block| {
            let (from, minutes, timeout, active, requests, near_misses, late) = block.into();
            let timeout = place(&mut timeouts, timeout);
            (before(from), minutes, timeout, active, [requests, near_misses, late])
        });
        let blocks = blocks.collect();
        let Minutes { settled, idle, recovered, lost, revised } = self.minutes;
        let counters = Counters {
            count_watermark: self.count_watermark.0,
            assess_watermark: before(self.assess_watermark),
            newest_data: self.newest_data.map(before),
            read: self.read.map(before),
            counted_late: self.counted_late.map(before),
            silence: self.silence.map(|silence| (before(silence.since), silence.level)),
            totals: sums(self.totals),
            minutes: [settled, idle, recovered, lost, revised],
            histogram: self.histogram,
            timeouts,
            remembered,
            blocks,
            late: self.late.clone(),
            empty: self.empty.clone(),
        };
        // Writing to memory does not fail, and nothing of this is without a length.
        postcard::to_extend(&counters, vec![COUNTERS]).unwrap_or_default()
    }

    /// Its episodes with who was notified of them, and what else rarely changes.
    #[must_use]
    pub fn episodes_record(&self) -> Vec<u8> {
        let episodes = Episodes {
            records: self.records.clone(),
            incidents: self.incidents.iter().copied().collect(),
            timeouts: self.timeouts.clone(),
            gone: self.gone,
            former: self.former.clone(),
        };
        let mut bytes = vec![EPISODES];
        let _ = serde_json::to_writer(&mut bytes, &episodes);
        bytes
    }

    /// What was remembered of a gateway as these two records; of the second there may be
    /// none.
    ///
    /// # Errors
    /// When a record is damaged, or newer than this program.
    pub fn of_records(counters: &[u8], episodes: Option<&[u8]>) -> Result<Self, RecordError> {
        let damaged = |what: &'static str| {
            move |why: &dyn std::fmt::Display| RecordError::Damaged { what, why: why.to_string() }
        };
        let bytes = body(counters, COUNTERS, "counters")?;
        let counters: Counters =
            postcard::from_bytes(bytes).map_err(|why| damaged("counters")(&why))?;
        let episodes = match episodes {
            Some(record) => serde_json::from_slice(body(record, EPISODES, "episodes")?)
                .map_err(|why| damaged("episodes")(&why))?,
            None => Episodes::default(),
        };
        counters.state(episodes).ok_or_else(|| damaged("counters")(&"a timeout is missing"))
    }
}

impl Counters {
    fn state(self, episodes: Episodes) -> Option<GatewayState> {
        let watermark = Minute(self.count_watermark);
        let minute = |before: i64| Minute(watermark.0.saturating_sub(before));
        let timeouts = self.timeouts;
        let timeout = |place: u8| timeouts.get(usize::from(place)).copied();
        let remembered = self.remembered.into_iter().map(|(before, place, sums, idle)| {
            Some(Counted {
                minute: minute(before),
                timeout: timeout(place)?,
                totals: totals(sums),
                idle,
                seen: None,
                buckets: None,
            })
        });
        let remembered = remembered.collect::<Option<_>>()?;
        let blocks = self.blocks.into_iter().map(|(before, minutes, place, active, sums)| {
            let [requests, near_misses, late] = sums;
            let from = minute(before);
            let written: block::Written =
                (from, minutes, timeout(place)?, active, requests, near_misses, late);
            Some(Block::from(written))
        });
        let blocks = blocks.collect::<Option<_>>()?;
        let [settled, idle, recovered, lost, revised] = self.minutes;
        Some(GatewayState {
            assess_watermark: minute(self.assess_watermark),
            totals: totals(self.totals),
            histogram: self.histogram,
            minutes: Minutes { settled, idle, recovered, lost, revised },
            newest_data: self.newest_data.map(minute),
            records: episodes.records,
            incidents: episodes.incidents.into(),
            timeouts: episodes.timeouts,
            read: self.read.map(minute),
            remembered,
            blocks,
            late: self.late,
            empty: self.empty,
            silence: self.silence.map(|(since, level)| Silence { since: minute(since), level }),
            counted_late: self.counted_late.map(minute),
            gone: episodes.gone,
            former: episodes.former,
            ..GatewayState::starting(watermark.plus(-1))
        })
    }
}

/// What follows the byte that says which form a record has.
fn body<'a>(record: &'a [u8], known: u8, what: &'static str) -> Result<&'a [u8], RecordError> {
    match record.split_first() {
        Some((form, body)) if *form == known => Ok(body),
        Some((found, _)) if *found > known => Err(RecordError::Newer { what, found: *found }),
        _ => Err(RecordError::Damaged { what, why: "there is no such version".to_owned() }),
    }
}

/// The index of a timeout among those that were seen. There are never more than 256 of them
/// within a few hours: a minute counts one.
fn place(timeouts: &mut Vec<f64>, timeout: f64) -> u8 {
    let known = timeouts.iter().position(|one| one.total_cmp(&timeout).is_eq());
    let place = known.unwrap_or_else(|| {
        timeouts.push(timeout);
        timeouts.len() - 1
    });
    u8::try_from(place).unwrap_or(u8::MAX)
}

fn sums(totals: Totals) -> Sums {
    [totals.requests, totals.near_misses, totals.timeouts]
}

fn totals([requests, near_misses, timeouts]: Sums) -> Totals {
    Totals { requests, near_misses, timeouts }
}
