//! `[metrics]`: which tags of gateways are labels, and what is not on the page.

use serde::Deserialize;

use crate::metrics;
use nearmiss_core::pattern::Pattern;
use nearmiss_core::suggestion;

/// The most tags that may be labels: each is on a series of every gateway.
const MAX_LABELS: usize = 20;
/// The longest key of a tag that AWS allows, in characters.
const LONGEST_KEY: usize = 128;

/// `[metrics]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Tags that are labels of `nearmiss_gateway_info`.
    pub tag_labels: TagLabels,
    /// Metrics that are left out.
    pub drop: Dropped,
}

/// Metrics that are not on the page, by name or pattern; each matches at least one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Dropped(Vec<Pattern>);

impl Dropped {
    /// The patterns of their names.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Dropped {
    type Error = String;

    fn try_from(wanted: Vec<String>) -> Result<Self, String> {
        let patterns = wanted.into_iter().map(|text| {
            let pattern = Pattern::try_from(text)?;
            if metrics::names().any(|name| pattern.fits(name)) {
                return Ok(pattern);
            }
            let hint = suggestion::instead_of(pattern.as_str(), metrics::names());
            Err(format!("expected metrics of docs/metrics.md, found \"{pattern}\": {hint}"))
        });
        Ok(Self(patterns.collect::<Result<_, String>>()?))
    }
}

/// Keys of tags, each with the label that it becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct TagLabels(Vec<(String, String)>);

impl TagLabels {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, each with its label.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for TagLabels {
    type Error = String;

    fn try_from(keys: Vec<String>) -> Result<Self, String> {
        if keys.len() > MAX_LABELS {
            return Err(format!("expected at most {MAX_LABELS} tags, found {}", keys.len()));
        }
        let mut labels: Vec<(String, String)> = Vec::new();
        for key in keys {
            if !(1..=LONGEST_KEY).contains(&key.chars().count()) {
                return Err(format!(
                    "expected the key of a tag (1 to {LONGEST_KEY} characters), found \"{key}\""
                ));
            }
            let label = label_of(&key);
            if let Some((other, _)) = labels.iter().find(|(_, known)| *known == label) {
                return Err(format!(
                    "expected tags that become different labels, found \"{other}\" and \"{key}\": both become {label}"
                ));
            }
            labels.push((key, label));
        }
        Ok(Self(labels))
    }
}

/// The label of a tag: characters that Prometheus does not allow in a name become
/// underscores. The prefix keeps it apart from names that are taken or reserved.
fn label_of(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("tag_{}", key.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(keys: &[&str]) -> Result<TagLabels, String> {
        TagLabels::try_from(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn keys_become_names_that_prometheus_takes_and_nobody_else_has() {
        let keys = [
            "team",
            "Cost-Center",
            "aws:cloudformation:stack-name",
            "é",
            "__name__",
            "le",
            "gateway",
            "1",
        ];
        let labels = labels(&keys).unwrap();
        let labels: Vec<&str> = labels.pairs().iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "tag_team",
                "tag_Cost_Center",
                "tag_aws_cloudformation_stack_name",
                "tag__",
                "tag___name__",
                "tag_le",
                "tag_gateway",
                "tag_1",
            ]
        );
    }

    #[test]
    fn what_cannot_be_labels_is_refused() {
        for (keys, says) in [
            (vec!["a-b", "c", "a_b"], "found \"a-b\" and \"a_b\": both become tag_a_b"),
            (vec!["a", "a"], "found \"a\" and \"a\""),
            (vec![""], "1 to 128 characters"),
            (vec!["a"; 21], "at most 20 tags, found 21"),
        ] {
            let error = labels(&keys).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(labels(&["x".repeat(129).as_str()]).is_err());
    }

    fn dropped(names: &[&str]) -> Result<Dropped, String> {
        Dropped::try_from(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn metrics_are_dropped_by_name_and_by_pattern() {
        let dropped = dropped(&["nearmiss_near_seconds", "process_*"]).unwrap();
        let names: Vec<&str> = dropped.patterns().iter().map(Pattern::as_str).collect();
        assert_eq!(names, ["nearmiss_near_seconds", "process_*"]);
    }

    #[test]
    fn what_is_no_metric_is_refused_with_what_may_be_meant() {
        for (name, says) in [
            ("nearmiss_latency_p98_seconds", "did you mean nearmiss_latency_p99_seconds or"),
            ("healthy_host", "did you mean nearmiss_target_group_healthy_hosts?"),
            ("go_*", "found \"go_*\": there are nearmiss_api_calls_total, "),
            ("", "expected a name or a pattern"),
            ("nearmiss_[", "expected a name or a pattern"),
        ] {
            let error = dropped(&["nearmiss_gateway_up", name]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
