//! What is on a page of made-up gateways; the encoder of the crate `prometheus` is the
//! referee.

mod referee;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Arc;

use futures::FutureExt as _;
use nearmiss_core::Report;
use nearmiss_core::detect::{Evaluation, Rule, Severity, State};
use nearmiss_core::diagnose::cause::Cause;
use nearmiss_core::diagnose::finding::Finding;
use nearmiss_core::diagnose::{Diagnosis, Moment, Verdict};
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss_core::pattern::Pattern;
use nearmiss_core::series::forecast::Forecast;
use nearmiss_core::series::histogram::Histogram;
use nearmiss_core::series::snapshot::TargetGroup;
use nearmiss_core::series::window::Reading;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use prometheus::{HistogramOpts, IntCounterVec, Opts, Registry};

use super::family::unit;
use super::*;

/// A minute of January 2026.
const NOW: Minute = Minute(29_460_060);

pub(crate) fn gateway(name: &str) -> Arc<Gateway> {
    Arc::new(Gateway {
        id: Identity {
            kind: Kind::Alb,
            name: name.into(),
            ..Identity::new(
                Kind::Alb,
                "eu-central-1",
                "111122223333",
                &format!("app/{name}/50dc6c495c0c9188"),
            )
        },
        timeout: Timeout { seconds: 60.0, at_aws: Some(60.5) },
        near: 0.8,
        detail: Detail::Histogram,
        tags: [("team".to_owned(), "a \"b\"\\\n".to_owned())].into(),
    })
}

fn state() -> GatewayState {
    let mut state = GatewayState::starting(NOW);
    state.totals.requests = u64::MAX;
    state.totals.timeouts = 1 << 53;
    state.minutes.settled = 7;
    let mut histogram = Histogram::starting(3.7);
    histogram.within = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    (histogram.count, histogram.sum) = (12, 0.1 + 0.2);
    state.histogram = Some(histogram);
    state
}

fn evaluation(rule: Rule, value: Option<f64>) -> Evaluation {
    Evaluation {
        rule,
        state: if value.is_some() { State::Breaching } else { State::InsufficientData },
        severity: Severity::Critical,
        value,
        threshold: 1e-7,
        why: String::new(),
        forecast: value.map(|mid| Forecast { low: 0.0, mid, high: f64::INFINITY }),
    }
}

/// With figures that are odd in every way that a number can be.
fn report(gateway: &Arc<Gateway>) -> Report {
    let shown = Reading {
        minute: NOW,
        p50: Some(f64::NAN),
        p99: Some(f64::INFINITY),
        maximum: Some(f64::NEG_INFINITY),
        samples: 10.0,
        near_misses: 1.0,
        timeouts: 0.0,
        connection_errors: None,
        tls_errors: None,
        request_count: None,
        healthy_hosts: None,
    };
    let group = |name: &str, p99| TargetGroup { name: name.into(), p99, healthy_hosts: Some(-0.0) };
    Report {
        gateway: Arc::clone(gateway),
        reading: shown,
        provisional: true,
        shown,
        evaluations: vec![
            evaluation(Rule::NearMiss, Some(1.0 / 3.0)),
            evaluation(Rule::Drift, None),
            evaluation(Rule::Blackout, Some(1e21)),
        ],
        records: Vec::new(),
        target_groups: vec![group("blue", None), group("gr\"een", Some(0.25))],
        diagnosis: Some(Arc::new(Diagnosis {
            gateway: gateway.id.name.clone(),
            at: Moment(NOW),
            since: None,
            verdict: Verdict::Findings,
            findings: vec![Finding::new(Cause::SlowTarget, 0.9, "", "")],
            told_apart: None,
            notes: Vec::new(),
            not_checked: Vec::new(),
        })),
        rate: PollRate::Fast,
        learning_until: Some(NOW),
    }
}

/// What a poll knows of some gateways.
struct Poll {
    gateways: Vec<Arc<Gateway>>,
    reports: Vec<Option<Report>>,
    states: Vec<Option<GatewayState>>,
}

impl Poll {
    /// A gateway of which everything is known, one of which nothing is, and odd names.
    fn odd() -> Self {
        let gateways: Vec<_> = ["web", "b\\a\"t\nch", "", "zürich"].map(gateway).into();
        let reports = gateways.iter().enumerate();
        Self {
            reports: reports.map(|(place, one)| (place != 2).then(|| report(one))).collect(),
            states: vec![Some(state()), None, None, Some(GatewayState::starting(NOW))],
            gateways,
        }
    }

    fn known(&self) -> impl Iterator<Item = Known<'_>> {
        let rest = self.reports.iter().zip(&self.states);
        self.gateways.iter().zip(rest).map(|(gateway, (report, state))| Known {
            gateway,
            report: report.as_ref(),
            state: state.as_ref(),
        })
    }

    fn samples(&self, dropped: &[&str]) -> Samples {
        let tag_labels = [("team".to_owned(), "tag_team".to_owned()), ("x".into(), "tag_x".into())];
        let dropped: Vec<_> =
            dropped.iter().map(|name| Pattern::try_from((*name).to_owned()).unwrap()).collect();
        let options = Options { tag_labels: &tag_labels, dropped: &dropped };
        Samples::collect(self.known(), options).with_process(collected(), options)
    }
}

/// What the crate `prometheus` collected.
fn collected() -> Vec<prometheus::proto::MetricFamily> {
    let registry = Registry::new();
    let opts = Opts::new("nearmiss_polls_total", "Polls \\ by \"outcome\"\nof each.");
    let polls = IntCounterVec::new(opts, &["outcome", "action"]).unwrap();
    polls.with_label_values(&["o\"k", "a"]).inc_by(3);
    registry.register(Box::new(polls)).unwrap();
    let opts = HistogramOpts::new("nearmiss_poll_duration_seconds", "How long.");
    let durations = prometheus::Histogram::with_opts(opts.buckets(vec![0.1, 1.0, 10.0])).unwrap();
    durations.observe(0.5);
    registry.register(Box::new(durations)).unwrap();
    registry.gather()
}

fn page(samples: &Samples, format: Format) -> String {
    let mut page = Vec::new();
    let length = samples.write(format, &mut page).unwrap();
    assert_eq!(length, page.len());
    String::from_utf8(page).unwrap()
}

/// A page of this many gateways of which little is known.
pub(crate) fn page_of(gateways: usize) -> Page {
    let gateways: Vec<_> = (0..gateways).map(|number| gateway(&format!("web-{number}"))).collect();
    let known = gateways.iter().map(|gateway| Known { gateway, report: None, state: None });
    let options = Options { tag_labels: &[], dropped: &[] };
    Page::new(Samples::collect(known, options), Arc::default())
}

#[test]
fn every_byte_of_the_text_is_what_the_encoder_of_the_crate_prometheus_makes_of_it() {
    let poll = Poll::odd();
    let ours = page(&poll.samples(&[]), Format::Text);
    let theirs = referee::page(poll.known());
    for (line, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {line}");
    }
    assert_eq!(ours, theirs);
    for odd in [" NaN\n", " inf\n", " -inf\n", " -0\n", " 1000000000000000000000\n", "\\n", "\\\\"]
    {
        assert!(ours.contains(odd), "{odd:?} is not on the page");
    }
    for family in gateway::FAMILIES {
        let is_absent =
            family.name.contains("silent_since") || family.name.contains("late_counted");
        let head = format!("# TYPE {} ", family.name);
        let newest = family.name == "nearmiss_data_timestamp_seconds";
        assert_eq!(ours.contains(&head), !is_absent && !newest, "{}", family.name);
    }
}

#[test]
fn a_long_page_is_the_same_as_short_ones() {
    let gateways: Vec<_> = (0..2_000).map(|number| gateway(&format!("web-{number}"))).collect();
    let poll = Poll {
        reports: gateways.iter().map(|gateway| Some(report(gateway))).collect(),
        states: gateways.iter().map(|_| Some(state())).collect(),
        gateways,
    };
    let ours = page(&poll.samples(&[]), Format::Text);
    assert!(ours.len() > 20 * 64 * 1024, "it is one of several chunks");
    assert!(ours == referee::page(poll.known()));
}

#[test]
fn open_metrics_says_what_the_text_says_in_its_own_way() {
    let samples = Poll::odd().samples(&[]);
    let (text, open) = (page(&samples, Format::Text), page(&samples, Format::OpenMetrics));
    let same = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
    let text: Vec<String> =
        text.lines().filter(same).map(|line| line.replace(" inf", " +Inf")).collect();
    let values: Vec<&str> = open.lines().filter(same).collect();
    let text: Vec<String> = text.iter().map(|line| line.replace(" -inf", " -Inf")).collect();
    assert_eq!(values, text);
    assert!(open.ends_with("\n# EOF\n"), "the end is marked");
    assert_eq!(open.matches("# EOF").count(), 1);
    for line in [
        "# HELP nearmiss_polls Polls \\\\ by \\\"outcome\\\"\\nof each.",
        "# TYPE nearmiss_requests counter",
        "# TYPE nearmiss_latency_seconds histogram",
        "# UNIT nearmiss_latency_seconds seconds",
        "# UNIT nearmiss_headroom_ratio ratio",
    ] {
        assert!(open.lines().any(|one| one == line), "{line}");
    }
    let bounds = |le: &str| open.contains(&format!("le=\"{le}\"}}"));
    assert!(bounds("1.0") && bounds("10.0") && bounds("0.1") && bounds("+Inf") && !bounds("1"));
    // The samples of a family are together, after its description.
    let mut seen = BTreeSet::new();
    for family in open.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, _) = family.split_once(' ').unwrap();
        assert!(seen.insert(family.to_owned()), "{family} twice");
        let unit = open.lines().find_map(|line| line.strip_prefix(&format!("# UNIT {family} ")));
        assert!(unit.is_none_or(|unit| family.ends_with(&format!("_{unit}"))), "{family}");
    }
}

#[test]
fn names_are_one_of_a_kind_in_both_formats() {
    let all: Vec<&str> = names().collect();
    let distinct: BTreeSet<&str> =
        all.iter().map(|name| name.strip_suffix("_total").unwrap_or(name)).collect();
    assert_eq!(distinct.len(), all.len());
    for family in gateway::FAMILIES {
        let is_counter = family.kind == prometheus::proto::MetricType::COUNTER;
        assert_eq!(family.name.ends_with("_total"), is_counter, "{}", family.name);
        assert_eq!(family.unit(), unit(family.name));
    }
    assert_eq!(unit("process_cpu_seconds_total"), Some("seconds"));
    assert_eq!(unit("seconds"), None);
}

#[test]
fn what_is_dropped_is_not_there_and_the_rest_is_the_same() {
    let poll = Poll::odd();
    let all = page(&poll.samples(&[]), Format::Text);
    for dropped in names() {
        let left = page(&poll.samples(&[dropped]), Format::Text);
        let mut is_of_it = false;
        let expected = all.lines().filter(|line| {
            if let Some(family) = line.strip_prefix("# HELP ") {
                is_of_it = family.split(' ').next() == Some(dropped);
            }
            !is_of_it
        });
        assert!(left.lines().eq(expected), "{dropped}");
    }
    assert_eq!(page(&poll.samples(&["*"]), Format::Text), "");
    assert_eq!(page(&poll.samples(&["*"]), Format::OpenMetrics), "# EOF\n");
}

fn text(made: &Compressed) -> String {
    let mut text = String::new();
    made.unpacked().read_to_string(&mut text).unwrap();
    assert_eq!(text.len(), made.length);
    text
}

#[tokio::test]
async fn a_page_is_made_once_for_all_who_ask_also_if_the_first_goes_away() {
    let samples = Poll::odd().samples(&[]);
    let expected = Format::ALL.map(|format| page(&samples, format));
    let held = Arc::new(std::sync::Mutex::new(()));
    let made = Page::new(samples, Arc::clone(&held));
    for (format, expected) in Format::ALL.into_iter().zip(expected) {
        let first = {
            let turn = held.lock().unwrap();
            let mut first = Box::pin(made.compressed(format));
            assert!((&mut first).now_or_never().is_none(), "another page is being written");
            drop(first);
            drop(turn);
            made.compressed(format).await.unwrap()
        };
        assert_eq!(text(&first), expected);
        let all = futures::future::join_all((0..100).map(|_| made.compressed(format))).await;
        let is_same = |one: &Option<Compressed>| {
            one.as_ref().is_some_and(|one| one.gzip.as_ptr() == first.gzip.as_ptr())
        };
        assert!(all.iter().all(is_same), "somebody has a copy of his own");
    }
    assert_eq!(made.rendered().metrics, text(&made.compressed(Format::Text).await.unwrap()));
}

/// The rows of the tables of docs/metrics.md: name, and the other cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `nearmiss_"));
    let rows = rows.filter_map(|row| row.strip_suffix(" |"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().to_owned());
        let name = cells.next().unwrap_or_default();
        (format!("nearmiss_{}", name.trim_matches('`')), cells.collect())
    })
    .collect()
}

#[test]
fn the_documents_have_every_family_and_no_other() {
    let kind = |kind| format!("{kind:?}").to_lowercase();
    let of_gateways = gateway::FAMILIES
        .iter()
        .map(|family| (family.name.to_owned(), vec![kind(family.kind), family.help.to_owned()]));
    let of_process = process::FAMILIES.iter().map(|family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let cells = vec![kind(family.kind), labels.join(", "), family.help.to_owned()];
        (family.name.to_owned(), cells)
    });
    let table: BTreeMap<String, Vec<String>> = of_gateways.chain(of_process).collect();
    let documented = documented();
    for (name, cells) in &table {
        assert_eq!(documented.get(name), Some(cells), "{name} in docs/metrics.md");
    }
    assert_eq!(documented.len(), table.len());
}

#[test]
fn the_help_says_of_each_rule_what_its_detector_compares() {
    let value = gateway::FAMILIES.iter().find(|one| one.name == "nearmiss_detector_value");
    let help = value.unwrap().help;
    for rule in Rule::ALL {
        let said = format!("{rule} {}", rule.spec().value);
        assert!(help.contains(&said), "{said}");
    }
}
