//! The page as the crate `prometheus` writes it: every metric with copies of its labels.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::super::family::Read;
use super::super::{Family, Known, gateway};
use nearmiss_core::detect::Rule;
use nearmiss_core::gateway::bounds::bound_seconds;

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// All families of these gateways, and what the process collected.
pub(super) fn page<'a>(known: impl Iterator<Item = Known<'a>>) -> String {
    let known: Vec<Known> = known.collect();
    let mut families = Vec::new();
    for row in gateway::FAMILIES {
        let metrics: Vec<Metric> = known.iter().flat_map(|known| metrics(row, known)).collect();
        if metrics.is_empty() {
            continue;
        }
        let mut family = MetricFamily::default();
        family.set_name(row.name.to_owned());
        family.set_help(row.help.to_owned());
        family.set_field_type(row.kind);
        family.set_metric(metrics);
        families.push(family);
    }
    families.extend(super::collected());
    TextEncoder::new().encode_to_string(&families).unwrap()
}

fn metrics(row: &Family<Read>, known: &Known) -> Vec<Metric> {
    let one = |labels: Labels, value: Option<f64>| Some(metric(row, known, labels, value?));
    let report = known.report;
    match row.read {
        Read::One(read) => one(vec![], read(known)).into_iter().collect(),
        Read::Each { values, labels, read } => (0..values)
            .filter_map(|place| {
                let labels = row.labels.iter().copied().zip(labels(place)).collect();
                one(labels, read(known, place))
            })
            .collect(),
        Read::Detector(read) => Rule::ALL
            .into_iter()
            .filter_map(|rule| report?.evaluations.iter().find(|verdict| verdict.rule == rule))
            .filter_map(|verdict| one(vec![("detector", verdict.rule.name())], read(verdict)))
            .collect(),
        Read::TargetGroup(read) => report
            .iter()
            .flat_map(|report| &report.target_groups)
            .filter_map(|group| one(vec![("target_group", &group.name)], read(group)))
            .collect(),
        Read::Latencies => histogram(known).into_iter().collect(),
        Read::Info => {
            let team = known.gateway.tags.get("team").map_or("", String::as_str);
            let dimension = known.gateway.id.dimension.as_str();
            let labels = vec![("dimension", dimension), ("tag_team", team), ("tag_x", "")];
            one(labels, Some(1.0)).into_iter().collect()
        }
    }
}

fn labelled(known: &Known, more: Labels) -> Metric {
    let id = &known.gateway.id;
    let own: Labels = vec![
        ("gateway", &id.name),
        ("kind", id.kind.name()),
        ("region", &id.region),
        ("account", &id.account),
    ];
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    Metric::from_label(own.into_iter().chain(more).map(pair).collect())
}

fn metric(row: &Family<Read>, known: &Known, labels: Labels, value: f64) -> Metric {
    let mut metric = labelled(known, labels);
    if row.kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

fn histogram(known: &Known) -> Option<Metric> {
    let counted = known.state?.histogram?;
    let buckets = (0u8..).zip(counted.within).map(|(number, within)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound_seconds(number, counted.timeout));
        bucket.set_cumulative_count(within);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(counted.count);
    histogram.set_sample_sum(counted.sum);
    let mut metric = labelled(known, vec![("timeout", &counted.timeout.to_string())]);
    metric.set_histogram(histogram);
    Some(metric)
}
