//! What a poll hands over to be shown: plain numbers, and whose they are.

use std::sync::Arc;

use nearmiss_core::detect::Rule;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::pattern::Pattern;
use nearmiss_core::series::histogram::Histogram;
use nearmiss_core::series::snapshot::TargetGroup;
use prometheus::proto::MetricFamily;

use super::column::Column;
use super::family::{Family, Known, Read};
use super::gateway::{self, evaluation};

/// How the page is configured.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The tags that are labels of `nearmiss_gateway_info`: key and label.
    pub tag_labels: &'a [(String, String)],
    /// The names of families that are left out.
    pub dropped: &'a [Pattern],
}

impl Options<'_> {
    /// Whether the family of this name is on the page.
    fn keeps(&self, name: &str) -> bool {
        !self.dropped.iter().any(|pattern| pattern.fits(name))
    }
}

/// All samples of one poll: some hundred bytes a gateway, without a label or a name.
#[derive(Debug, Default)]
pub struct Samples {
    pub(super) gateways: Vec<Arc<Gateway>>,
    pub(super) tag_labels: Vec<(String, String)>,
    pub(super) families: Vec<(&'static Family<Read>, Column)>,
    pub(super) target_groups: TargetGroups,
    /// The gateways that have one, by place.
    pub(super) histograms: Vec<(usize, Histogram)>,
    /// What the daemon counts about itself.
    pub(super) process: Vec<MetricFamily>,
}

/// The target groups that there are figures of.
#[derive(Debug, Default)]
pub(super) struct TargetGroups {
    /// Whose each is, and where its name ends.
    groups: Vec<(usize, usize)>,
    names: String,
}

impl TargetGroups {
    fn push(&mut self, gateway: usize, group: &TargetGroup) {
        self.names.push_str(&group.name);
        self.groups.push((gateway, self.names.len()));
    }

    /// The place of its gateway, and its name.
    pub(super) fn get(&self, place: usize) -> Option<(usize, &str)> {
        let (gateway, end) = *self.groups.get(place)?;
        let start = place.checked_sub(1).and_then(|before| self.groups.get(before));
        Some((gateway, self.names.get(start.map_or(0, |(_, end)| *end)..end)?))
    }
}

impl Samples {
    /// Reads everything that the page shows of these gateways.
    #[must_use]
    pub fn collect<'a>(known: impl Iterator<Item = Known<'a>>, options: Options) -> Self {
        let families = gateway::FAMILIES.iter();
        let families = families.filter(|family| options.keeps(family.name));
        let mut samples = Self {
            tag_labels: options.tag_labels.to_vec(),
            families: families.map(|family| (family, Column::default())).collect(),
            ..Self::default()
        };
        known.for_each(|known| samples.push(&known));
        samples.families.iter_mut().for_each(|(_, column)| column.pack());
        samples
    }

    /// How many gateways they are of.
    #[must_use]
    pub fn gateways(&self) -> usize {
        self.gateways.len()
    }

    /// Adds what the daemon counts about itself.
    #[must_use]
    pub fn with_process(mut self, process: Vec<MetricFamily>, options: Options) -> Self {
        self.process = process;
        self.process.retain(|family| options.keeps(family.name()));
        self
    }

    fn push(&mut self, known: &Known) {
        let place = self.gateways.len();
        let groups = known.report.map_or(&[][..], |report| &report.target_groups);
        for (family, column) in &mut self.families {
            match family.read {
                Read::One(read) => column.push(read(known)),
                Read::Each { values, read, .. } => {
                    for value in 0..values {
                        column.push(read(known, value));
                    }
                }
                Read::Detector(read) => {
                    for rule in Rule::ALL {
                        column.push(evaluation(known, rule).and_then(read));
                    }
                }
                Read::TargetGroup(read) => {
                    for group in groups {
                        column.push(read(group));
                    }
                }
                Read::Latencies => {
                    let histogram = known.state.and_then(|state| state.histogram);
                    self.histograms.extend(histogram.map(|histogram| (place, histogram)));
                }
                Read::Info => {}
            }
        }
        for group in groups {
            self.target_groups.push(place, group);
        }
        self.gateways.push(Arc::clone(known.gateway));
    }
}
