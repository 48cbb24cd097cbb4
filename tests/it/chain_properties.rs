//! What holds for every chain.

use nearmiss::analysis::chain::{
    Chain, Finding, Ink, Known, Limit, Origin, Product, Rule, Said, Settings, Severity, Timer, text,
};
use proptest::prelude::*;

use crate::chain_config::settings;

/// What stands for a figure in a line to be copied.
const MARKS: [&str; 2] = ["{s}", "{ms}"];

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
    let kinds: Vec<_> = Product::all().collect();
    let mut text = "[[chain]]\nname = \"drawn\"\n".to_owned();
    for (at, (kind, timers, attempts)) in drawn.iter().enumerate() {
        let product =
            kinds[if at == 0 { kind % kinds.len() } else { 3 + kind % (kinds.len() - 3) }];
        text.push_str(&format!("[[chain.hop]]\nkind = \"{}\"\nname = \"h{at}\"\n", product.kind));
        for (timer, seconds) in Timer::ALL.into_iter().zip(timers) {
            if let Some(seconds) = seconds.filter(|_| product.takes(timer)) {
                let value = if seconds == 0 { "off".to_owned() } else { format!("{seconds}s") };
                text.push_str(&format!("{} = \"{value}\"\n", timer.key()));
            }
        }
        if let Some(attempts) = attempts {
            text.push_str(&format!("attempts = {attempts}\n"));
        }
    }
    settings(&text).unwrap()
}

fn findings(settings: &Settings, known: &[Known]) -> Vec<Finding> {
    Chain::of(settings, known).check().findings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_chain_can_be_checked_and_drawn(drawn in drawn(), width in 0_usize..200) {
        let checkup = Chain::of(&chain_of(&drawn), &[]).check();
        let text = text(&checkup, width, Ink::Plain);
        prop_assert!(text.contains("h0"));
        for finding in &checkup.findings {
            prop_assert!(!finding.text.is_empty() && !finding.headline.is_empty());
            prop_assert!(!finding.hops.is_empty() && finding.at < drawn.len());
            prop_assert!(!finding.text.contains("  "), "{}", finding.text);
            let asks = matches!(finding.severity, Severity::Broken | Severity::Unknown);
            prop_assert!(!asks || !finding.advice.is_empty(), "{}", finding.text);
            for advice in &finding.advice {
                for line in &advice.lines {
                    prop_assert!(!line.text.contains(MARKS[0]) && !line.text.contains(MARKS[1]));
                }
            }
        }
        serde_json::to_string(&checkup).unwrap();
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
        for finding in findings(&settings, &[known]) {
            prop_assert!(
                finding.hops.contains(name) || before.contains(&finding),
                "{name}: {} {:?} {}", finding.rule.name(), finding.hops, finding.text
            );
        }
    }

    /// Whatever a config says, it is read or refused.
    #[test]
    fn any_hop_is_read_or_refused(
        kind in proptest::sample::select(Product::all().map(|p| p.kind).collect::<Vec<_>>()),
        key in proptest::sample::select(vec!["connect_timeout", "keep_alive", "attempts", "name", "load_balancer", "api_id", "x"]),
        value in prop_oneof![any::<i64>().prop_map(|n| n.to_string()), any::<String>().prop_map(|s| format!("{s:?}")), "\"[0-9]{1,20}(s|m|h|y|ms)\""],
    ) {
        let hop = format!("kind = \"{kind}\"\n{key} = {value}\n");
        let text = format!("[[chain]]\nname = \"x\"\n[[chain.hop]]\nkind = \"client\"\n[[chain.hop]]\n{hop}");
        if let Ok(settings) = settings(&text) {
            prop_assert!(!findings(&settings, &[]).iter().any(|finding| finding.text.is_empty()));
        }
    }

    /// The advice is good: whoever sets the inner timeout as advised has no
    /// finding about that pair any more.
    #[test]
    fn advice_that_is_followed_ends_the_finding(outer in 2_u64..4_000, inner in 1_u64..8_000) {
        let text = |inner: u64| format!(
            "[[chain]]\nname = \"x\"\n[[chain.hop]]\nkind = \"alb\"\nread_timeout = \"{outer}s\"\n[[chain.hop]]\nkind = \"app\"\ntotal_timeout = \"{inner}s\"\nkeep_alive = \"off\"\n"
        );
        let wrong = |text: &str| {
            let found = findings(&settings(text).unwrap(), &[]);
            found.into_iter().find(|finding| finding.rule == Rule::OuterGivesUpFirst)
        };
        if let Some(finding) = wrong(&text(inner)) {
            let words = finding.advice[0].text.split("such as ").nth(1).unwrap();
            let advised: u64 = words.split(' ').next().unwrap().parse().unwrap();
            prop_assert!(wrong(&text(advised)).is_none(), "{}", finding.advice[0].text);
        } else {
            prop_assert!(inner < outer);
        }
    }
}
