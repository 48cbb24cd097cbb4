//! `[metrics]`: which tags of load balancers are labels.

use std::collections::BTreeMap;

use serde::Deserialize;

/// So many tags may be labels: each is on every gateway's series.
const MAX_LABELS: usize = 20;
/// AWS's longest key of a tag, in characters.
const LONGEST_KEY: usize = 128;

/// `[metrics]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Tags that are labels of `nearmiss_gateway_info`.
    pub tag_labels: TagLabels,
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

    /// The labels, each with its value among these tags: empty where one is missing.
    pub fn of<'a>(
        &'a self,
        tags: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let value = |key| tags.get(key).map_or("", String::as_str);
        self.0.iter().map(move |(key, label)| (label.as_str(), value(key)))
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

/// The label of a tag: what Prometheus does not allow in a name is an underscore. The
/// start keeps it from being a name that is taken, or reserved.
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
        let tags =
            BTreeMap::from([("team".to_owned(), "a \"b\"".to_owned()), ("é".into(), "ü".into())]);
        let all: Vec<_> = labels.of(&tags).collect();
        assert_eq!(
            all,
            [
                ("tag_team", "a \"b\""),
                ("tag_Cost_Center", ""),
                ("tag_aws_cloudformation_stack_name", ""),
                ("tag__", "ü"),
                ("tag___name__", ""),
                ("tag_le", ""),
                ("tag_gateway", ""),
                ("tag_1", ""),
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
}
