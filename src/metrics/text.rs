//! The page as text: Prometheus' own format, and OpenMetrics.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. It is written in chunks, so
//! that the page is never in memory as a whole, and a gateway's labels are escaped once.

use std::io::{self, Write};

use nearmiss_core::detect::Rule;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::bounds::bound_seconds;
use nearmiss_core::series::histogram::Histogram;
use prometheus::proto::{LabelPair, MetricFamily, MetricType};

use super::column::Column;
use super::family::{Family, Read, unit};
use super::gateway::{LABELS, count};
use super::samples::Samples;

/// How many bytes are written at once.
const CHUNK: usize = 64 * 1024;

/// A format of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0 as text.
    OpenMetrics,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus::TEXT_FORMAT,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Samples {
    /// Writes the whole page; returns how long it is, bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, format: Format, out: impl Write) -> io::Result<usize> {
        let mut text = Text { format, out, chunk: Vec::with_capacity(CHUNK + 1024), written: 0 };
        let labels = GatewayLabels::of(self);
        for (family, column) in &self.families {
            self.write_family(family, column, &labels, &mut text)?;
        }
        for family in &self.process {
            text.collected(family)?;
        }
        if format == Format::OpenMetrics {
            text.chunk.extend_from_slice(b"# EOF\n");
        }
        text.flush()?;
        Ok(text.written)
    }

    fn write_family(
        &self,
        family: &Family<Read>,
        column: &Column,
        labels: &GatewayLabels,
        text: &mut Text<impl Write>,
    ) -> io::Result<()> {
        let is_absent = match family.read {
            Read::Latencies => self.histograms.is_empty(),
            Read::Info => self.gateways.is_empty(),
            _ => column.is_empty(),
        };
        if is_absent {
            return Ok(());
        }
        text.head(family.name, family.kind, family.help);
        match family.read {
            Read::One(_) => text.labelled(family, column, labels, &[String::new()]),
            Read::Each { values, labels: names, .. } => {
                let more: Vec<String> =
                    (0..values).map(|place| pairs(family.labels, &names(place))).collect();
                text.labelled(family, column, labels, &more)
            }
            Read::Detector(_) => {
                let more = Rule::ALL.map(|rule| pairs(family.labels, &[rule.name()]));
                text.labelled(family, column, labels, &more)
            }
            Read::TargetGroup(_) => column.iter().try_for_each(|(place, value)| {
                let Some((gateway, name)) = self.target_groups.get(place) else { return Ok(()) };
                let more = pairs(family.labels, &[name]);
                text.sample(&[family.name], &[labels.get(gateway), &more], value)
            }),
            Read::Latencies => self.histograms.iter().try_for_each(|(gateway, histogram)| {
                let more = pairs(family.labels, &[&histogram.timeout.to_string()]);
                let labels = labels.get(*gateway).to_owned() + &more;
                text.histogram(family.name, &labels, bounds(histogram), *histogram)
            }),
            Read::Info => self.gateways.iter().enumerate().try_for_each(|(place, gateway)| {
                let more = self.info(family, gateway);
                text.sample(&[family.name], &[labels.get(place), &more], 1.0)
            }),
        }
    }

    /// The labels of a gateway's names and tags.
    fn info(&self, family: &Family<Read>, gateway: &Gateway) -> String {
        let mut labels = pairs(family.labels, &[&gateway.id.dimension]);
        for (key, label) in &self.tag_labels {
            labels += &pairs(&[label], &[gateway.tags.get(key).map_or("", String::as_str)]);
        }
        labels
    }
}

/// The labels that all series of a gateway have, as text, of all gateways.
struct GatewayLabels {
    text: String,
    ends: Vec<usize>,
}

impl GatewayLabels {
    fn of(samples: &Samples) -> Self {
        let mut labels =
            Self { text: String::new(), ends: Vec::with_capacity(samples.gateways.len()) };
        for gateway in &samples.gateways {
            let id = &gateway.id;
            let values = [&*id.name, id.kind.name(), &*id.region, &*id.account];
            labels.text += pairs(&LABELS, &values).trim_start_matches(',');
            labels.ends.push(labels.text.len());
        }
        labels
    }

    /// Those of the gateway in this place.
    fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(place).copied().unwrap_or_default();
        self.text.get(start.copied().unwrap_or_default()..end).unwrap_or_default()
    }
}

/// Labels with their values, each after a comma.
fn pairs<L: AsRef<str>, V: AsRef<str>>(labels: &[L], values: &[V]) -> String {
    let mut text = String::new();
    for (label, value) in labels.iter().zip(values) {
        text += ",";
        text += label.as_ref();
        text += "=\"";
        escape(&mut text, value.as_ref(), true);
        text += "\"";
    }
    text
}

/// Both formats escape line feeds, backslashes and, in values of labels, quotes.
fn escape(text: &mut String, value: &str, with_quotes: bool) {
    for c in value.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\\' => text.push_str("\\\\"),
            '"' if with_quotes => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

/// The bounds of a gateway's histogram, seconds, with how many requests are within each.
fn bounds(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let timeout = histogram.timeout;
    (0u8..).map(move |number| bound_seconds(number, timeout)).zip(histogram.within)
}

/// A page that is being written.
struct Text<W> {
    format: Format,
    out: W,
    chunk: Vec<u8>,
    written: usize,
}

impl<W: Write> Text<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.chunk)?;
        self.written += self.chunk.len();
        self.chunk.clear();
        Ok(())
    }

    /// What a family is. OpenMetrics wants the name of a counter without `_total`, the
    /// unit, and quotes in the help escaped.
    fn head(&mut self, name: &str, kind: MetricType, help: &str) {
        let is_open = self.format == Format::OpenMetrics;
        let family = if is_open { name.strip_suffix("_total").unwrap_or(name) } else { name };
        let mut text = String::new();
        if !help.is_empty() {
            text += &format!("# HELP {family} ");
            escape(&mut text, help, is_open);
            text += "\n";
        }
        let kind = format!("{kind:?}").to_lowercase();
        text += &format!("# TYPE {family} {kind}\n");
        if let Some(unit) = unit(name).filter(|_| is_open) {
            text += &format!("# UNIT {family} {unit}\n");
        }
        self.chunk.extend_from_slice(text.as_bytes());
    }

    /// One line. `labels` are pieces, the first of them without a comma in front.
    fn sample(&mut self, name: &[&str], labels: &[&str], value: f64) -> io::Result<()> {
        let chunk = &mut self.chunk;
        for piece in name {
            chunk.extend_from_slice(piece.as_bytes());
        }
        if labels.iter().any(|piece| !piece.is_empty()) {
            chunk.push(b'{');
            for piece in labels {
                chunk.extend_from_slice(piece.as_bytes());
            }
            chunk.push(b'}');
        }
        chunk.push(b' ');
        number(chunk, value, self.format)?;
        chunk.push(b'\n');
        if chunk.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// The samples of a column, one gateway after the other; `more` are the labels beside
    /// the gateway's, one for each of its samples.
    fn labelled(
        &mut self,
        family: &Family<Read>,
        column: &Column,
        labels: &GatewayLabels,
        more: &[String],
    ) -> io::Result<()> {
        column.iter().try_for_each(|(place, value)| {
            let (gateway, one) = (place / more.len(), place % more.len());
            self.sample(&[family.name], &[labels.get(gateway), &more[one]], value)
        })
    }

    fn histogram(
        &mut self,
        name: &str,
        labels: &str,
        bounds: impl Iterator<Item = (f64, u64)>,
        histogram: impl Into<Sums>,
    ) -> io::Result<()> {
        let Sums { count: all, sum } = histogram.into();
        let separator = if labels.is_empty() { "" } else { "," };
        for (bound, within) in bounds {
            let bound = match self.format {
                Format::Text => bound.to_string(),
                Format::OpenMetrics => format!("{bound:?}"),
            };
            let le = [labels, separator, "le=\"", &bound, "\""];
            self.sample(&[name, "_bucket"], &le, count(within))?;
        }
        self.sample(&[name, "_bucket"], &[labels, separator, "le=\"+Inf\""], count(all))?;
        self.sample(&[name, "_sum"], &[labels], sum)?;
        self.sample(&[name, "_count"], &[labels], count(all))
    }

    /// A family that the crate `prometheus` collected.
    fn collected(&mut self, family: &MetricFamily) -> io::Result<()> {
        let (name, kind) = (family.name(), family.get_field_type());
        self.head(name, kind, family.help());
        for metric in family.get_metric() {
            let of = |read: fn(&LabelPair) -> &str| metric.get_label().iter().map(read).collect();
            let (names, values): (Vec<&str>, Vec<&str>) =
                (of(LabelPair::name), of(LabelPair::value));
            let labels = pairs(&names, &values);
            let labels = labels.trim_start_matches(',');
            match kind {
                MetricType::COUNTER => {
                    self.sample(&[name], &[labels], metric.get_counter().get_value())?;
                }
                MetricType::HISTOGRAM => {
                    let histogram = metric.get_histogram();
                    let bounds = histogram.get_bucket().iter();
                    let bounds = bounds.map(|b| (b.upper_bound(), b.cumulative_count()));
                    self.histogram(name, labels, bounds, histogram)?;
                }
                _ => self.sample(&[name], &[labels], metric.get_gauge().get_value())?,
            }
        }
        Ok(())
    }
}

/// What a histogram has beside its buckets.
struct Sums {
    count: u64,
    sum: f64,
}

impl From<Histogram> for Sums {
    fn from(histogram: Histogram) -> Self {
        Self { count: histogram.count, sum: histogram.sum }
    }
}

impl From<&prometheus::proto::Histogram> for Sums {
    fn from(histogram: &prometheus::proto::Histogram) -> Self {
        Self { count: histogram.get_sample_count(), sum: histogram.get_sample_sum() }
    }
}

/// A value as the crate `prometheus` writes it, so that a page is the same byte for byte;
/// OpenMetrics asks for another spelling of the infinities.
fn number(chunk: &mut Vec<u8>, value: f64, format: Format) -> io::Result<()> {
    if value.is_infinite() && format == Format::OpenMetrics {
        chunk.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
        return Ok(());
    }
    write!(chunk, "{value}")
}
