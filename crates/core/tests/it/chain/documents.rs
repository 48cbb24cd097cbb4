//! docs/chain.md says of the kinds of hops what the program knows of them.

use std::fs;
use std::path::Path;

use nearmiss_core::chain::{Key, Product, Row, Rule};

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/chain.md")).unwrap()
}

/// A row of the table of kinds.
fn row(row: &Row) -> String {
    let key = |key: &Key| {
        let takes = key.takes.as_ref().map_or(String::new(), |takes| format!("; takes {takes}"));
        format!("`{}`: {}{takes}", key.key, key.default)
    };
    let own: Vec<_> = row.own.iter().map(|key| format!("`{key}`")).collect();
    let own = (!own.is_empty()).then(|| format!("{}: what its own code does", own.join(", ")));
    let also = row.also.iter().map(|also| (*also).to_owned());
    let keys: Vec<_> = row.keys.iter().map(key).chain(own).chain(also).collect();
    let keys = keys.join("<br>").replace('|', "\\|");
    format!("| `{}` | {} | {keys} |", row.kind, row.title)
}

#[test]
fn every_kind_and_key_is_documented_as_it_is() {
    let document = document();
    let wanted: Vec<_> = Product::all().map(|product| row(&product.row())).collect();
    let found: Vec<_> = document.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(found == wanted, "the table of docs/chain.md should be:\n{}", wanted.join("\n"));
}

#[test]
fn every_rule_is_documented() {
    let document = document();
    for rule in Rule::ALL {
        assert!(document.contains(&format!("- `{}`: ", rule.name())), "{}", rule.name());
    }
}

#[test]
fn every_source_is_linked_where_it_can_be_looked_up() {
    for spec in Product::all().flat_map(|product| product.specs) {
        let mark = spec.source.read;
        assert!(
            mark.starts_with("2026-") && (spec.confirmed || !spec.source.url.is_empty()),
            "{mark}"
        );
    }
}
