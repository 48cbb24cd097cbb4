//! What holds for every chain.

use std::collections::BTreeMap;

use nearmiss_core::chain::{
    Advice, Chain, Change, Finding, Ink, Known, Limit, Origin, Product, Rule, Said, Setting,
    Settings, Severity, Survey, Timer, Tries, text,
};
use proptest::prelude::*;

use serde_json::{Map, Value, json};

use super::settings;

/// What stands for a figure in a line to be copied.
const MARKS: [&str; 4] = ["{s}", "{ms}", "{n}", "{m}"];

/// A hop: its kind and what is set of its five timers, in seconds; 0 is off.
type Drawn = (usize, [Option<u64>; 5], Option<u32>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let seconds = prop_oneof![Just(0_u64), 1_u64..10, 10_u64..200, 200_u64..20_000];
    let timer = proptest::option::of(seconds);
    let timers = proptest::array::uniform5(timer);
    let hop = (0_usize..64, timers, proptest::option::weighted(0.2, 1_u32..6));
    proptest::collection::vec(hop, 2..7)
}

fn chain_of(drawn: &[Drawn]) -> Settings {
    let hops: Vec<Value> = drawn.iter().enumerate().map(|(at, hop)| hop_of(at, hop)).collect();
    settings(&hops).unwrap()
}

fn hop_of(at: usize, (kind, timers, attempts): &Drawn) -> Value {
    let kinds: Vec<_> = Product::all().collect();
    let product = kinds[if at == 0 { kind % kinds.len() } else { 3 + kind % (kinds.len() - 3) }];
    let mut hop = Map::new();
    hop.insert("kind".to_owned(), product.kind.into());
    hop.insert("name".to_owned(), format!("h{at}").into());
    for (timer, seconds) in Timer::ALL.into_iter().zip(timers) {
        if let Some(seconds) = seconds.filter(|_| product.takes(timer)) {
            let value = if seconds == 0 { "off".to_owned() } else { format!("{seconds}s") };
            hop.insert(timer.key().to_owned(), value.into());
        }
    }
    hop.extend(attempts.map(|attempts| ("attempts".to_owned(), attempts.into())));
    Value::Object(hop)
}

fn findings(settings: &Settings, known: &[Known]) -> Vec<Finding> {
    Chain::of(settings, known).check().findings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_chain_can_be_checked_and_drawn(drawn in drawn(), width in 0_usize..200) {
        let survey = Survey::of(&chain_of(&drawn), &[], Vec::new());
        let text = text(&survey, width, Ink::Plain);
        prop_assert!(text.contains("h0"));
        for finding in survey.findings.iter().map(|notified| &notified.finding) {
            prop_assert!(!finding.text.is_empty() && !finding.headline.is_empty());
            prop_assert!(!finding.hops.is_empty() && finding.at < drawn.len());
            prop_assert!(!finding.text.contains("  "), "{}", finding.text);
            let asks = matches!(finding.severity, Severity::Broken | Severity::Unknown);
            prop_assert!(!asks || !finding.advice.is_empty(), "{}", finding.text);
            for advice in &finding.advice {
                for line in &advice.lines {
                    prop_assert!(!MARKS.iter().any(|mark| line.text.contains(mark)), "{}", line.text);
                }
            }
        }
        serde_json::to_string(&survey).unwrap();
    }

    /// A figure that becomes known brings findings about its own hop only.
    #[test]
    fn a_figure_that_becomes_known_only_speaks_of_its_hop(
        drawn in drawn(),
        hop in 0_usize..7,
        timer in 0_usize..5,
        seconds in proptest::option::of(prop_oneof![4 => 0_u64..5_000, 1 => Just(u64::MAX)]),
    ) {
        let settings = chain_of(&drawn);
        let hop = hop % settings.hops.len();
        let chain = Chain::of(&settings, &[]);
        let unknown = |timer: &Timer| chain.hops[hop].limit(*timer).is_none();
        let unknown: Vec<_> = Timer::ALL.into_iter().filter(unknown).collect();
        let Some(timer) = unknown.get(timer % unknown.len().max(1)).copied() else {
            return Ok(());
        };
        let limit = seconds.map_or(Limit::Never, Limit::seconds);
        let known = Known { hop, said: Said::Timer(timer, limit), origin: Origin::Config };
        let before = findings(&settings, &[]);
        let name = &settings.hops[hop].name;
        // What is advised is tried on the whole chain, and may depend on all of it.
        let same = |one: &Finding, other: &Finding| {
            (one.rule, one.severity, &one.hops, &one.text) == (other.rule, other.severity, &other.hops, &other.text)
        };
        for finding in findings(&settings, &[known]) {
            prop_assert!(
                finding.hops.contains(name) || before.iter().any(|other| same(other, &finding)),
                "{name}: {} {:?} {}", finding.rule.name(), finding.hops, finding.text
            );
        }
    }

    /// Whatever a config says, it is read or refused.
    #[test]
    fn any_hop_is_read_or_refused(
        kind in proptest::sample::select(Product::all().map(|p| p.kind).collect::<Vec<_>>()),
        key in proptest::sample::select(vec!["connect_timeout", "keep_alive", "attempts", "name", "load_balancer", "api_id", "x"]),
        value in prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[0-9]{1,20}(s|m|h|y|ms)".prop_map(Value::from),
        ],
    ) {
        let mut hop = Map::new();
        hop.insert("kind".to_owned(), kind.into());
        hop.insert(key.to_owned(), value);
        if let Ok(settings) = settings(&[json!({ "kind": "client" }), Value::Object(hop)]) {
            prop_assert!(!findings(&settings, &[]).iter().any(|finding| finding.text.is_empty()));
        }
    }

    /// No advice creates a finding: whoever follows one is rid of what it cures, and
    /// has nothing new. Followed on the chain, and by hand in the config.
    #[test]
    fn advice_that_is_followed_cures_and_brings_nothing_new(
        drawn in drawn(),
        known in proptest::collection::vec((0_usize..7, 0_usize..5, 1_u64..4_000), 0..3),
        window in proptest::option::of((0_usize..7, 1_u32..5, 1_u64..200)),
    ) {
        let settings = chain_of(&drawn);
        let mut known: Vec<Known> = known.into_iter().map(|(hop, timer, seconds)| Known {
            hop: hop % settings.hops.len(),
            said: Said::Timer(Timer::ALL[timer], Limit::seconds(seconds)),
            origin: Origin::Aws { call: "elasticloadbalancing:DescribeLoadBalancerAttributes".into() },
        }).collect();
        known.extend(window.map(|(hop, count, seconds)| Known {
            hop: hop % settings.hops.len(),
            said: Said::Attempts(Tries { within: Limit::seconds(seconds), ..Tries::of(count) }),
            origin: Origin::File { path: "nginx.conf".into(), line: 1 },
        }));
        let chain = Chain::of(&settings, &known);
        let before = findings(&settings, &known);
        for finding in &before {
            for advice in finding.advice.iter().filter(|advice| !advice.changes.is_empty()) {
                let after = chain.with(&advice.changes).check().findings;
                prop_assert!(is_better(&before, &after, finding), "{}", story(finding, advice, &after));
                let by_hand = by_hand(&settings, &known, &advice.changes);
                prop_assert_eq!(marks(&by_hand), marks(&after), "{}", story(finding, advice, &by_hand));
            }
        }
    }

    /// Whoever only follows the advice comes to an end, and has nothing left that
    /// advice could cure.
    #[test]
    fn advice_leads_somewhere(drawn in drawn()) {
        let mut chain = Chain::of(&chain_of(&drawn), &[]);
        for _ in 0..100 {
            let findings = chain.clone().check().findings;
            let next = findings.iter().filter(|f| f.severity > Severity::Ok).flat_map(|f| &f.advice);
            let Some(advice) = next.into_iter().find(|advice| !advice.changes.is_empty()) else {
                return Ok(());
            };
            chain = chain.with(&advice.changes);
        }
        prop_assert!(false, "it goes on for ever");
    }
}

/// What is wrong: how bad each rule is about the same hops, the worst first.
fn marks(findings: &[Finding]) -> BTreeMap<(Rule, Vec<String>), Vec<Severity>> {
    let mut marks = BTreeMap::<_, Vec<Severity>>::new();
    for finding in findings.iter().filter(|finding| finding.severity > Severity::Ok) {
        marks.entry((finding.rule, finding.hops.clone())).or_default().push(finding.severity);
    }
    for severities in marks.values_mut() {
        severities.sort_by(|a, b| b.cmp(a));
    }
    marks
}

/// Whether nothing is new or worse, and the finding has gone or is less.
fn is_better(before: &[Finding], after: &[Finding], cured: &Finding) -> bool {
    let (before, after) = (marks(before), marks(after));
    let none = Vec::new();
    let is_new = |(key, now): (&(Rule, Vec<String>), &Vec<Severity>)| {
        let was = before.get(key).unwrap_or(&none);
        now.iter().enumerate().any(|(at, severity)| was.get(at).is_none_or(|was| severity > was))
    };
    let key = (cured.rule, cured.hops.clone());
    let is_cured = cured.severity == Severity::Ok
        || after.get(&key).unwrap_or(&none) < before.get(&key).unwrap_or(&none);
    !after.iter().any(is_new) && is_cured
}

/// The advice followed in the config, where a product that was changed says the same.
fn by_hand(settings: &Settings, known: &[Known], changes: &[Change]) -> Vec<Finding> {
    let (mut settings, mut known) = (settings.clone(), known.to_vec());
    for change in changes {
        let at = settings.hops.iter().position(|hop| hop.name == change.hop).unwrap();
        let hop = &mut settings.hops[at];
        match change.setting {
            Setting::Timer(timer, limit) => {
                hop.timers.retain(|(other, _)| *other != timer);
                hop.timers.push((timer, limit));
                known.retain(|k| {
                    k.hop != at || !matches!(k.said, Said::Timer(other, _) if other == timer)
                });
            }
            Setting::NotInConfig(timer) => hop.timers.retain(|(other, _)| *other != timer),
            Setting::Attempts(count) => {
                let in_file =
                    known.iter_mut().find(|k| k.hop == at && matches!(k.said, Said::Attempts(_)));
                match in_file.filter(|_| hop.attempts.is_none()) {
                    Some(Known { said: Said::Attempts(tries), .. }) => tries.count = count,
                    _ => hop.attempts = Some(count),
                }
            }
        }
    }
    findings(&settings, &known)
}

fn story(finding: &Finding, advice: &Advice, after: &[Finding]) -> String {
    let after: Vec<_> =
        after.iter().filter(|f| f.severity > Severity::Ok).map(|f| &f.text).collect();
    format!("{}\n{}\nthen: {after:#?}", finding.text, advice.text)
}
