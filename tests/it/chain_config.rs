//! `[[chain]]` in a config: what is read, and the errors for mistakes.

use nearmiss_core::chain::{AwsId, Product, Settings};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    chain: Vec<Settings>,
}

/// The first chain of a config.
fn settings(text: &str) -> Result<Settings, String> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{line}:{column}: {}", error.message())
    })?;
    Ok(config.chain[0].clone())
}

fn with(hop: &str) -> String {
    format!("[[chain]]\nname = \"shop\"\n[[chain.hop]]\nkind = \"client\"\n[[chain.hop]]\n{hop}\n")
}

#[test]
fn a_whole_chain_is_read() {
    let text = "[[chain]]
name = \"shop\"
gateway = \"web\"
[[chain.hop]]
kind = \"cloudfront\"
distribution_id = \"E2QWRUHAPOMQZL\"
origin_id = \"alb\"
read_timeout = \"1m 30s\"
total_timeout = \"off\"
attempts = 2
[[chain.hop]]
kind = \"alb\"
name = \"front\"
load_balancer = \"web\"
[[chain.hop]]
kind = \"app\"
keep_alive = \"0s\"
";
    let settings = settings(text).unwrap();
    assert_eq!(settings.gateway.as_deref(), Some("web"));
    let names: Vec<_> = settings.hops.iter().map(|hop| hop.name.as_str()).collect();
    assert_eq!(names, ["cloudfront", "front", "app"]);
    assert_eq!(settings.hops[1].aws, Some(AwsId::LoadBalancer("web".into())));
    assert_eq!(settings.hops[0].attempts, Some(2));
    assert_eq!(settings.hops[0].timers.len(), 2);
}

#[test]
fn every_mistake_says_where_and_what() {
    let cases = [
        "[[chain]]\n".to_owned(),
        "[[chain]]\nname = \"\"\n".to_owned(),
        "[[chain]]\nname = \"shop\"\n".to_owned(),
        "[[chain]]\nname = \"shop\"\nhops = 2\n".to_owned(),
        "[[chain]]\nname = \"shop\"\n[[chain.hop]]\nkind = \"alb\"\n".to_owned(),
        with("kind = \"varnish\""),
        with("kind = 5"),
        with("name = \"alb\""),
        with("kind = \"alb\"\nidle_timeout = \"60s\""),
        with("kind = \"alb\"\nread_timeout = 60"),
        with("kind = \"alb\"\nread_timeout = \"60\""),
        with("kind = \"alb\"\nread_timeout = \"0s\""),
        with("kind = \"alb\"\nkeep_alive = \"never\""),
        with("kind = \"alb\"\ntotal_timeout = \"60s\""),
        with("kind = \"alb\"\ndistribution_id = \"E1\""),
        with("kind = \"nginx\"\nload_balancer = \"web\""),
        with("kind = \"cloudfront\"\norigin_id = \"alb\""),
        with("kind = \"cloudfront\"\nattempts = 0"),
        with("kind = \"client\""),
        with("kind = \"curl\""),
        with("kind = \"alb\"\nname = \"client\""),
    ];
    let message = |text: &String| match settings(text) {
        Ok(_) => format!("NO ERROR for:\n{text}"),
        Err(message) => message,
    };
    let messages: Vec<_> = cases.iter().map(message).collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn every_kind_can_be_written() {
    for product in
        Product::all().filter(|product| !matches!(product.kind, "client" | "browser" | "curl"))
    {
        settings(&with(&format!("kind = \"{}\"", product.kind))).unwrap();
    }
}
