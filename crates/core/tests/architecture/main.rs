//! The boundaries of the modules, as ARCHITECTURE.md describes them: for every crate of the
//! workspace, and here because this crate builds in seconds.
//!
//! Cargo ensures that the core is pure and that the simulator knows nothing of it: neither
//! depends on what it must not know.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says so by failing

mod modules;

use std::fs;
use std::path::{Path, PathBuf};

use modules::Crate;

/// Where the crates of the workspace begin.
const ROOTS: [&str; 4] =
    ["crates/core/src/lib.rs", "crates/sim/src/lib.rs", "src/lib.rs", "src/main.rs"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sources in a folder of the workspace, with what is in them.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![workspace().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(found.len() > 10, "hardly a file in {folder}");
    found
}

#[test]
fn no_modules_go_in_circles() {
    let mut circles = Vec::new();
    for root in ROOTS {
        let read = Crate::read(&workspace().join(root));
        assert!(read.uses() > 0, "nothing is used in {root}");
        circles.extend(read.circles().into_iter().map(|circle| format!("{root}: {circle}")));
    }
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn only_one_file_names_the_scheduler() {
    for (path, text) in files("src") {
        if !path.ends_with("edge/time.rs") {
            assert!(!text.contains("tokio_cron_scheduler::"), "{}", path.display());
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_lives_there() {
    for (path, text) in ["src", "crates"].into_iter().flat_map(files) {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

/// The check for circles finds one through an import, a re-export, a glob, a path in a
/// macro and a type; and says nothing of a folder and its own children.
#[test]
fn a_circle_of_modules_is_found() {
    let crate_of = |first: &str, second: &str| {
        let root = "mod a; mod b; mod c; pub use a::One;";
        let texts = [
            ("", root),
            ("a", first),
            ("b", second),
            ("c", "pub use super::a::One as Renamed; pub mod inner { pub fn deep() {} }"),
        ];
        Crate::of_texts(&texts).circles().len()
    };
    let one = "pub struct One; fn uses() { super::b::two() }";
    for second in [
        "use super::a::One; pub fn two() {}",
        "use crate::One; pub fn two() {}",
        "use super::c::Renamed; pub fn two() {}",
        "use super::a::*; pub fn two() -> One { One }",
        "pub fn two() { println!(\"{:?}\", crate::a::One) }",
        "pub fn two() -> super::a::One { todo!() }",
    ] {
        assert_eq!(crate_of(one, second), 2, "{second}");
    }
    // Through the third one too.
    let third = "use crate::{a, c::inner}; pub fn two() { inner::deep(); a::One }";
    assert_eq!(crate_of(one, third), 4);
    assert_eq!(crate_of(one, "pub fn two() {} #[cfg(test)] mod tests { use crate::a::One; }"), 0);
    assert_eq!(
        crate_of("mod child { fn f(_: super::One) {} } pub struct One;", "pub fn two() {}"),
        0
    );
}
