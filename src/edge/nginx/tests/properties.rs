//! What is true of any text at all.

use std::sync::Arc;

use proptest::prelude::*;

use crate::edge::nginx::route::routes;
use crate::edge::nginx::syntax::{Directive, parse};
use crate::edge::nginx::{lua, time};
use nearmiss_core::chain::Version;

/// Pieces that texts are made of, so that they are almost right.
const PIECES: [&str; 44] = [
    " ",
    "\n",
    ";",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "#",
    "$",
    "${",
    "a",
    "http",
    "server",
    "location",
    "/x",
    "if",
    "upstream",
    "app",
    "server_name",
    "proxy_pass",
    "http://app",
    "fastcgi_pass",
    "proxy_read_timeout",
    "60s",
    "1m 30s",
    "keepalive",
    "keepalive_timeout",
    "0",
    "75",
    "proxy_next_upstream",
    "timeout",
    "content_by_lua_block",
    "balancer_by_lua_block",
    "--[[",
    "map",
    "$http_upgrade",
    "$x",
    "set",
    "proxy_set_header",
    "Connection",
    "proxy_http_version",
    "1.1",
    "include",
];

fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec((piece, proptest::bool::weighted(0.6)), 0..60).prop_map(|pieces| {
        let spaced = |(piece, space): (String, bool)| piece + if space { " " } else { "" };
        pieces.into_iter().map(spaced).collect()
    })
}

/// The directives as text that means the same.
fn written(directives: &[Directive]) -> String {
    let word = |word: &String| {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    };
    let one = |directive: &Directive| {
        let words: Vec<_> = directive.words.iter().map(word).collect();
        let end = match &directive.block {
            Some(block) => format!(" {{\n{}}}", written(block)),
            None => ";".to_owned(),
        };
        format!("{}{end}\n", words.join(" "))
    };
    directives.iter().map(one).collect()
}

/// The words alone, whatever their lines.
fn words(directives: &[Directive]) -> Vec<(Vec<String>, Option<Vec<String>>)> {
    let inner = |block: &Vec<Directive>| vec![format!("{:?}", words(block))];
    directives.iter().map(|d| (d.words.clone(), d.block.as_ref().map(inner))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_is_read_or_refused(text in soup()) {
        let lines = text.matches('\n').count() + 1;
        match parse(&text, &Arc::from("f"), |_, _| true) {
            Err(problem) => prop_assert!((1..=lines).contains(&problem.place.line)),
            Ok(directives) => {
                prop_assert!(directives.iter().all(|directive| !directive.words.is_empty()));
                if let Ok(routes) = routes(&directives) {
                    for route in routes {
                        prop_assert!(route.facts(None).len() <= 5);
                        prop_assert!(route.facts(Some(Version([1, 30, 0]))).len() <= 5);
                        prop_assert!(!route.to_string().is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_written_again_reads_the_same(text in soup()) {
        let text = text.replace("_by_lua_block", "");
        if let Ok(directives) = parse(&text, &Arc::from("f"), |_, _| true) {
            let again = parse(&written(&directives), &Arc::from("f"), |_, _| true);
            prop_assert_eq!(again.map(|again| words(&again)), Ok(words(&directives)));
        }
    }

    #[test]
    fn any_time_and_any_lua_is_read_or_refused(text in "[0-9smhdwMy ]{0,12}", lua_text in any::<Vec<u8>>()) {
        prop_assert!(time::parse(&text).is_none_or(|time| text.contains(char::is_numeric) || time.is_zero()));
        if let Some(length) = lua::length(&lua_text) {
            prop_assert_eq!(lua_text[length - 1], b'}');
        }
    }
}
