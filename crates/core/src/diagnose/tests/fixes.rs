//! No fix brings a finding of its own: each is followed, as its command says, and the
//! same figures are diagnosed again.
//!
//! The figures are still those of the trouble, so a cause that the figures alone show
//! stays. What must not come is a cause that was not named before, or a note about a
//! setting that was in order before.

use std::collections::BTreeSet;

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::*;
use crate::diagnose::finding::Fix;
use crate::diagnose::tests::faults::with;
use crate::diagnose::tests::scene::Setting;
use crate::diagnose::{Diagnosis, diagnose};

/// The words of a command, without the quotes of the shell.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

/// What follows an option.
fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

/// `Key=a,Value=b` in all the words behind an option.
fn attributes(words: &[String], name: &str) -> Vec<(String, String)> {
    let at = words.iter().position(|word| word == name).unwrap();
    let pair = |word: &String| {
        let (key, value) = word.strip_prefix("Key=")?.split_once(",Value=")?;
        Some((key.to_owned(), value.to_owned()))
    };
    words[at + 1..].iter().map_while(pair).collect()
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

/// Follows a command. `false` when the evidence does not have what it changes.
fn follow(evidence: &mut Evidence, fix: &Fix) -> bool {
    let words = words(&fix.cli);
    match (words[1].as_str(), words[2].as_str()) {
        ("elbv2", "modify-load-balancer-attributes") => {
            let balancer = evidence.load_balancer.as_mut().unwrap();
            for (key, value) in attributes(&words, "--attributes") {
                if key == "idle_timeout.timeout_seconds" && evidence.configured_timeout.is_none() {
                    evidence.timeout = value.parse().unwrap();
                }
                balancer.attributes.as_mut().unwrap().insert(key, value);
            }
        }
        ("elbv2", "modify-target-group-attributes") => {
            let group = group(evidence, &words);
            group.attributes.as_mut().unwrap().extend(attributes(&words, "--attributes"));
        }
        ("elbv2", "modify-target-group") => {
            check(&mut group(evidence, &words).health_check, &words);
        }
        ("elbv2", "deregister-targets") => {
            let target = option(&words, "--targets").unwrap();
            let (id, port) = target.strip_prefix("Id=").unwrap().split_once(",Port=").unwrap();
            let (id, port) = (id.to_owned(), port.parse::<u16>().unwrap());
            let group = group(evidence, &words);
            let own = group.port;
            let targets = group.targets.as_mut().unwrap();
            let before = targets.len();
            targets.retain(|target| target.id != id || target.port.or(own) != Some(port));
            assert_eq!(targets.len() + 1, before, "{}", fix.cli);
        }
        ("ec2", "create-network-acl-entry") => entry(evidence, &words),
        ("ec2", "authorize-security-group-ingress") => {
            let port = number(option(&words, "--port")).unwrap();
            let groups = vec![option(&words, "--source-group").unwrap().to_owned()];
            let permission = Permission {
                protocol: "tcp".to_owned(),
                ports: Some((port, port)),
                groups,
                ..Permission::default()
            };
            let id = option(&words, "--group-id").unwrap();
            let all = evidence.network.security_groups.as_mut().unwrap();
            all.get_mut(id).unwrap().ingress.push(permission);
        }
        ("ec2", "create-route" | "replace-route") => route(evidence, &words),
        ("lambda", "update-function-configuration") => {
            let name = option(&words, "--function-name").unwrap().to_owned();
            let timeout = number(option(&words, "--timeout")).unwrap();
            let functions = evidence.functions.as_mut().unwrap().iter_mut();
            functions.filter(|one| one.name == name).for_each(|one| one.timeout = timeout);
        }
        ("ecs", "update-service") | ("elbv2", "modify-capacity-reservation") => return false,
        _ => panic!("nobody can follow {}", fix.cli),
    }
    true
}

fn group<'a>(evidence: &'a mut Evidence, words: &[String]) -> &'a mut TargetGroup {
    let arn = option(words, "--target-group-arn").unwrap();
    evidence.target_groups.as_mut().unwrap().iter_mut().find(|group| group.arn == arn).unwrap()
}

fn check(check: &mut HealthCheck, words: &[String]) {
    if let Some(timeout) = number(option(words, "--health-check-timeout-seconds")) {
        check.timeout = timeout;
    }
    if let Some(interval) = number(option(words, "--health-check-interval-seconds")) {
        check.interval = interval;
    }
    if let Some(matcher) = option(words, "--matcher") {
        let codes = matcher.strip_prefix("HttpCode=").unwrap();
        codes.trim_matches('"').clone_into(&mut check.matcher);
    }
}

fn entry(evidence: &mut Evidence, words: &[String]) {
    let ports = option(words, "--port-range").unwrap();
    let (first, last) = ports.strip_prefix("From=").unwrap().split_once(",To=").unwrap();
    let block = option(words, "--cidr-block").or_else(|| option(words, "--ipv6-cidr-block"));
    let entry = AclEntry {
        number: number(option(words, "--rule-number")).unwrap(),
        egress: words.iter().any(|word| word == "--egress"),
        allow: true,
        protocol: 6,
        ports: Some((first.parse().unwrap(), last.parse().unwrap())),
        block: block.unwrap().to_owned(),
    };
    let id = option(words, "--network-acl-id").unwrap();
    let acls = evidence.network.acls.as_mut().unwrap();
    let entries = &mut acls.get_mut(id).unwrap().entries;
    let taken = |other: &AclEntry| (other.egress, other.number) == (entry.egress, entry.number);
    assert!(!entries.iter().any(taken), "AWS refuses a number that is taken");
    entries.push(entry);
}

fn route(evidence: &mut Evidence, words: &[String]) {
    let block = option(words, "--destination-cidr-block");
    let block = block.or_else(|| option(words, "--destination-ipv6-cidr-block")).unwrap();
    let table = option(words, "--route-table-id").unwrap();
    let tables = evidence.network.route_tables.as_mut().unwrap();
    let routes = tables.get_mut(table).unwrap();
    let is_there = routes.iter().any(|route| route.destination == block);
    assert_eq!(is_there, words[2] == "replace-route", "AWS refuses {words:?}");
    routes.retain(|route| route.destination != block);
    let target = words.last().unwrap().clone();
    routes.push(Route { destination: block.to_owned(), target, is_blackhole: false });
}

/// The causes that are named.
fn causes(diagnosis: &Diagnosis) -> BTreeSet<&'static str> {
    diagnosis.findings.iter().map(|finding| finding.cause.name()).collect()
}

/// What is odd, without figures.
fn notes(diagnosis: &Diagnosis) -> BTreeSet<String> {
    let plain = |note: &String| note.chars().filter(|c| !c.is_ascii_digit()).collect();
    diagnosis.notes.iter().map(plain).collect()
}

/// What a fix brings when it is followed; `None` when the evidence does not have what it
/// changes.
fn brought(evidence: &Evidence, before: &Diagnosis, fix: &Fix) -> Option<Vec<String>> {
    let mut fixed = evidence.clone();
    follow(&mut fixed, fix).then(|| {
        let after = diagnose(&fixed);
        let (was, is) = (causes(before), causes(&after));
        let new = is.difference(&was).map(|name| format!("{name}, for {}", fix.cli));
        let (was, is) = (notes(before), notes(&after));
        new.chain(is.difference(&was).map(|note| format!("{note}, for {}", fix.cli))).collect()
    })
}

#[test]
fn a_fix_that_is_followed_brings_nothing_new() {
    let (mut followed, mut wrong) = (0, BTreeSet::new());
    for cause in Cause::ALL {
        for seed in 0..3 {
            let setting = Setting { seed, ..Setting::plain() };
            for setting in [setting, Setting::drawn(seed * 31 + 7)] {
                let mut evidence = with(cause, setting).evidence;
                if seed == 2 {
                    evidence.configured_timeout = Some(evidence.timeout);
                }
                let before = diagnose(&evidence);
                for fix in before.findings.iter().filter_map(|finding| finding.fix.as_ref()) {
                    let new = brought(&evidence, &before, fix);
                    followed += usize::from(new.is_some());
                    wrong.extend(new.into_iter().flatten().map(|new| (cause.name(), new)));
                }
            }
        }
    }
    assert!(followed > 50, "{followed}");
    assert!(wrong.is_empty(), "{} of {followed}: {wrong:#?}", wrong.len());
}
