//! Dimensions: which sets of them a metric has, and what their values look like.
//!
//! Apart from [`crate::catalog`] because it checks what a client sent, while the
//! catalogue only lists what there is.

use crate::catalog::{Metric, Namespace, Place, distance};
use crate::names::valid_chat;

/// Reads dimensions of a metric; the error says what is wrong with them.
pub(crate) fn place(
    namespace: &Namespace,
    metric: &Metric,
    dimensions: Vec<(String, String)>,
) -> Result<Place, String> {
    let known = || namespace.sets.iter().copied().flatten();
    for (name, value) in &dimensions {
        if !known().any(|one| one == name) {
            let nearest = known().min_by_key(|one| distance(one, name));
            return Err(format!(
                "{} has no dimension '{name}'; did you mean '{}'?",
                namespace.name,
                nearest.unwrap_or(&"")
            ));
        }
        check_value(name, value)?;
    }
    let place = Place::new(dimensions);
    if namespace.publishes(metric, &place.names()) {
        return Ok(place);
    }
    Err(format!(
        "AWS does not publish '{}' for the dimensions [{}]; valid sets: {}",
        metric.name,
        place.names().join(", "),
        sets(namespace, metric)
    ))
}

fn sets(namespace: &Namespace, metric: &Metric) -> String {
    let valid = namespace.sets.iter().filter(|set| namespace.publishes(metric, set));
    valid.map(|set| format!("[{}]", set.join(", "))).collect::<Vec<_>>().join(" ")
}

/// Checks that a dimension value has the form AWS uses.
fn check_value(name: &str, value: &str) -> Result<(), String> {
    let parts: Vec<&str> = value.split('/').collect();
    let hex = |text: &str| text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
    let (fits, form) = match name {
        "LoadBalancer" => (
            matches!(parts[..], ["app", name, id] if !name.is_empty() && hex(id)),
            "app/NAME/16 hex digits",
        ),
        "TargetGroup" => (
            matches!(parts[..], ["targetgroup", name, id] if !name.is_empty() && hex(id)),
            "targetgroup/NAME/16 hex digits",
        ),
        "ConfigurationName" => (valid_chat(value), "1 to 128 letters, digits, - and _"),
        "AvailabilityZone" => (
            value.split('-').count() >= 3
                && value.ends_with(|c: char| c.is_ascii_lowercase())
                && value.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit()),
            "a zone name such as eu-central-1a",
        ),
        _ => (!value.is_empty(), "not empty"),
    };
    if fits {
        return Ok(());
    }
    Err(format!("dimension {name} never has the value '{value}'; its form is {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CHAT, CHAT_METRICS, NAMESPACE, NAMESPACES, find, namespace};

    fn place(
        space: &str,
        metric: &Metric,
        dimensions: &[(String, String)],
    ) -> Result<Place, String> {
        super::place(namespace(space)?, metric, dimensions.to_vec())
    }

    fn dims(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    const APP: (&str, &str) = ("LoadBalancer", "app/x/0123456789abcdef");
    const GROUP: (&str, &str) = ("TargetGroup", "targetgroup/x/0123456789abcdef");

    #[test]
    fn a_misspelt_metric_is_answered_with_the_nearest_name() {
        let error = find(NAMESPACE, "HttpCode_ELB_504_Counts").err().unwrap_or_default();
        assert!(error.contains("'HTTPCode_ELB_504_Count'"), "{error}");
        assert!(find("AWS/Elb", "RequestCount").is_err());
    }

    #[test]
    fn elb_504_exists_per_zone_but_never_per_target_group() {
        let metric = find(NAMESPACE, "HTTPCode_ELB_504_Count").expect("published");
        assert!(place(NAMESPACE, metric, &dims(&[APP])).is_ok());
        assert!(
            place(NAMESPACE, metric, &dims(&[APP, ("AvailabilityZone", "eu-central-1a")])).is_ok()
        );
        assert!(place(NAMESPACE, metric, &dims(&[APP, GROUP])).is_err());
        assert!(place(NAMESPACE, metric, &dims(&[])).is_err());
    }

    #[test]
    fn a_dimension_value_of_the_wrong_form_is_refused() {
        let metric = find(NAMESPACE, "RequestCount").expect("published");
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/x/0123456789abcdef";
        assert!(place(NAMESPACE, metric, &dims(&[("LoadBalancer", arn)])).is_err());
        assert!(place(NAMESPACE, metric, &dims(&[("Loadbalancer", APP.1)])).is_err());
        assert!(
            place(NAMESPACE, metric, &dims(&[APP, ("TargetGroup", "x/0123456789abcdef")])).is_err()
        );
    }

    #[test]
    fn a_chat_metric_has_the_configuration_as_its_only_dimension() {
        let ops = ("ConfigurationName", "ops");
        for metric in CHAT_METRICS {
            assert!(find("AWS/Chatbot", metric.name).is_ok());
            assert!(place(CHAT, metric, &dims(&[ops])).is_ok());
            assert!(place(CHAT, metric, &dims(&[])).is_err());
            assert!(place(CHAT, metric, &dims(&[ops, APP])).is_err());
            assert!(place(CHAT, metric, &dims(&[("ConfigurationName", "a b")])).is_err());
        }
        let error = find("AWS/Chatbot", "EventProcessed").err().unwrap_or_default();
        assert!(error.contains("'EventsProcessed'"), "{error}");
        let metric = find(NAMESPACE, "RequestCount").expect("published");
        assert!(place(NAMESPACE, metric, &dims(&[ops])).is_err());
        assert!(
            find("AWS/ChatBot", "EventsProcessed").is_err_and(|why| why.contains("'AWS/Chatbot'"))
        );
    }

    #[test]
    fn metric_names_are_unique() {
        for space in NAMESPACES {
            for (at, one) in space.metrics.iter().enumerate() {
                assert!(space.metrics[..at].iter().all(|other| other.name != one.name));
                assert!(one.sets > 0 && usize::from(one.sets) < 1 << space.sets.len());
            }
            assert!(space.sets.iter().all(|set| set.is_sorted()), "{}", space.name);
        }
    }
}
