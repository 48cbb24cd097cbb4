//! Dimensions: which sets of them a metric has, and what their values look like.
//!
//! Apart from [`crate::catalog`] because it checks what a client sent, while the
//! catalogue only lists what there is.

use crate::catalog::Place;
use crate::catalog::{
    AZ, CHAT, CONFIGURATION, LB, Metric, NAMESPACE, ONLY_TG, ONLY_TG_AZ, TG, TGAZ, distance,
};
use crate::names::valid_chat;

/// The namespace of a metric and the dimensions there are in it.
fn known(metric: &Metric) -> (&'static str, &'static [&'static str]) {
    if metric.sets == CONFIGURATION {
        (CHAT, &["ConfigurationName"])
    } else {
        (NAMESPACE, &["LoadBalancer", "TargetGroup", "AvailabilityZone"])
    }
}

/// Reads dimensions of a metric; the error says what is wrong with them.
pub(crate) fn place(metric: &Metric, dimensions: &[(String, String)]) -> Result<Place, String> {
    let (namespace, known) = known(metric);
    let mut place = Place::default();
    for (name, value) in dimensions {
        if !known.contains(&name.as_str()) {
            let nearest = known.iter().min_by_key(|one| distance(one, name));
            return Err(format!(
                "{namespace} has no dimension '{name}'; did you mean '{}'?",
                nearest.unwrap_or(&"")
            ));
        }
        let slot = match name.as_str() {
            "LoadBalancer" => &mut place.balancer,
            "TargetGroup" => &mut place.group,
            "ConfigurationName" => &mut place.configuration,
            _ => &mut place.zone,
        };
        check_value(name, value)?;
        *slot = Some(value.clone());
    }
    if metric.published_for(&place) {
        return Ok(place);
    }
    let asked: Vec<&str> = dimensions.iter().map(|one| one.0.as_str()).collect();
    Err(format!(
        "AWS does not publish '{}' for the dimensions [{}]; valid sets: {}",
        metric.name,
        asked.join(", "),
        sets(metric)
    ))
}

fn sets(metric: &Metric) -> String {
    let named = [
        (LB, "[LoadBalancer]"),
        (AZ, "[AvailabilityZone, LoadBalancer]"),
        (TG, "[LoadBalancer, TargetGroup]"),
        (TGAZ, "[AvailabilityZone, LoadBalancer, TargetGroup]"),
        (ONLY_TG, "[TargetGroup]"),
        (ONLY_TG_AZ, "[AvailabilityZone, TargetGroup]"),
        (CONFIGURATION, "[ConfigurationName]"),
    ];
    let valid = named.iter().filter(|(bit, _)| metric.sets & bit != 0);
    valid.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
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
        _ => (
            value.split('-').count() >= 3
                && value.ends_with(|c: char| c.is_ascii_lowercase())
                && value.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit()),
            "a zone name such as eu-central-1a",
        ),
    };
    if fits {
        return Ok(());
    }
    Err(format!("dimension {name} never has the value '{value}'; its form is {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CHAT_METRICS, METRICS, find};

    fn dims(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    const APP: (&str, &str) = ("LoadBalancer", "app/x/0123456789abcdef");
    const GROUP: (&str, &str) = ("TargetGroup", "targetgroup/x/0123456789abcdef");

    #[test]
    fn a_misspelt_metric_is_answered_with_the_nearest_name() {
        let error = find(NAMESPACE, "HttpCode_ELB_504_Counts").err().unwrap_or_default();
        assert!(error.contains("'HTTPCode_ELB_504_Count'"), "{error}");
        assert!(find("AWS/ELB", "RequestCount").is_err());
    }

    #[test]
    fn elb_504_exists_per_zone_but_never_per_target_group() {
        let metric = find(NAMESPACE, "HTTPCode_ELB_504_Count").expect("published");
        assert!(place(metric, &dims(&[APP])).is_ok());
        assert!(place(metric, &dims(&[APP, ("AvailabilityZone", "eu-central-1a")])).is_ok());
        assert!(place(metric, &dims(&[APP, GROUP])).is_err());
        assert!(place(metric, &dims(&[])).is_err());
    }

    #[test]
    fn a_dimension_value_of_the_wrong_form_is_refused() {
        let metric = find(NAMESPACE, "RequestCount").expect("published");
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/x/0123456789abcdef";
        assert!(place(metric, &dims(&[("LoadBalancer", arn)])).is_err());
        assert!(place(metric, &dims(&[("Loadbalancer", APP.1)])).is_err());
        assert!(place(metric, &dims(&[APP, ("TargetGroup", "x/0123456789abcdef")])).is_err());
    }

    #[test]
    fn a_chat_metric_has_the_configuration_as_its_only_dimension() {
        let ops = ("ConfigurationName", "ops");
        for metric in CHAT_METRICS {
            assert!(find("AWS/Chatbot", metric.name).is_ok());
            assert!(place(metric, &dims(&[ops])).is_ok());
            assert!(place(metric, &dims(&[])).is_err());
            assert!(place(metric, &dims(&[ops, APP])).is_err());
            assert!(place(metric, &dims(&[("ConfigurationName", "a b")])).is_err());
        }
        let error = find("AWS/Chatbot", "EventProcessed").err().unwrap_or_default();
        assert!(error.contains("'EventsProcessed'"), "{error}");
        let metric = find(NAMESPACE, "RequestCount").expect("published");
        assert!(place(metric, &dims(&[ops])).is_err());
        assert!(
            find("AWS/ChatBot", "EventsProcessed").is_err_and(|why| why.contains("'AWS/Chatbot'"))
        );
    }

    #[test]
    fn metric_names_are_unique() {
        for (at, one) in METRICS.iter().enumerate() {
            assert!(METRICS[..at].iter().all(|other| other.name != one.name));
        }
    }
}
