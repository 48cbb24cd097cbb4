//! Which gateways the config means: by name, by tags, and without those that it excludes.

use std::collections::HashSet;

use super::Listed;
use super::tags::Tags;
use super::trouble::Trouble;
use crate::config::{Exclusion, Selection};
use nearmiss_core::suggestion;

/// At most this many names are shown.
const SHOWN: usize = 5;

/// A gateway and the selection that wants it.
pub(super) struct Match<'a> {
    pub(super) listed: &'a Listed,
    pub(super) selection: &'a Selection,
}

/// The gateways that were chosen, and what is to be reported about that.
#[derive(Default)]
pub(super) struct Choice<'a> {
    pub(super) matches: Vec<Match<'a>>,
    /// Selections that choose nothing.
    pub(super) troubles: Vec<Trouble>,
    /// What is excluded.
    pub(super) notes: Vec<String>,
}

impl<'a> Choice<'a> {
    /// Each gateway of a list with the first selection that wants it.
    pub(super) fn of(
        selections: &[&'a Selection],
        region: &str,
        list: &'a [Listed],
        tags: &Tags,
    ) -> Self {
        let mut choice = Self::default();
        let mut taken = HashSet::new();
        for &selection in selections {
            let (left_out, wanted): (Vec<_>, Vec<_>) =
                list.iter().filter(|found| means(selection, found, tags)).partition(|found| {
                    selection.exclude.iter().any(|one| leaves_out(one, found, tags))
                });
            choice.troubles.extend(nothing(selection, region, (list, tags), (&left_out, &wanted)));
            choice.notes.extend(notes(selection, tags, (&left_out, &wanted)));
            let new = wanted.into_iter().filter(|found| taken.insert(&found.arn));
            choice.matches.extend(new.map(|found| Match { listed: found, selection }));
        }
        choice
    }
}

/// Whether a selection means a gateway, going by its name alone.
pub(super) fn names(selection: &Selection, found: &Listed) -> bool {
    selection.selector.matches(&found.id.name, &found.id.dimension)
}

fn means(selection: &Selection, found: &Listed, tags: &Tags) -> bool {
    names(selection, found) && selection.has_tags(tags.of(found))
}

fn leaves_out(one: &Exclusion, found: &Listed, tags: &Tags) -> bool {
    one.leaves_out(&found.id.name, &found.id.dimension, tags.of(found))
}

type Parted<'a, 'b> = (&'b [&'a Listed], &'b [&'a Listed]);

/// Why nothing is left of a selection, if nothing is.
fn nothing(
    selection: &Selection,
    region: &str,
    (list, tags): (&[Listed], &Tags),
    (left_out, wanted): Parted,
) -> Option<Trouble> {
    let (selection_text, region) = (selection.to_string(), region.to_owned());
    if !wanted.is_empty() {
        return None;
    }
    let is_unknown = |found: &Listed| names(selection, found) && tags.of(found).is_none();
    if !selection.tags.is_empty() && list.iter().any(is_unknown) {
        return None; // why its tags are not known is reported elsewhere
    }
    if !left_out.is_empty() {
        let names = several(left_out);
        return Some(Trouble::AllExcluded { selection: selection_text, region, names });
    }
    let names = list.iter().map(|found| found.id.name.as_str());
    let there = match list.len() {
        0 => "there is none at all: is it the right account and Region?".to_owned(),
        _ => suggestion::instead_of(&selection.selector.to_string(), names),
    };
    Some(Trouble::NoMatch { kind: selection.kind, selection: selection_text, region, there })
}

/// What a selection excludes, and which entries of `exclude` match nothing.
fn notes(selection: &Selection, tags: &Tags, (left_out, wanted): Parted) -> Vec<String> {
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        let all = left_out.len() + wanted.len();
        notes.push(format!(
            "{selection}: {} of {all} left out: {}",
            left_out.len(),
            several(left_out)
        ));
    }
    let is_idle = |one: &&Exclusion| !left_out.iter().any(|found| leaves_out(one, found, tags));
    for one in selection.exclude.iter().filter(is_idle) {
        let names = wanted.iter().map(|found| found.id.name.as_str());
        let hint = one
            .selector()
            .map(|one| format!(": {}", suggestion::instead_of(&one.to_string(), names)));
        notes.push(format!("exclude: {one} leaves nothing out{}", hint.unwrap_or_default()));
    }
    notes
}

fn several(found: &[&Listed]) -> String {
    let first: Vec<&str> = found.iter().take(SHOWN).map(|one| one.id.name.as_str()).collect();
    match found.len() {
        n if n > SHOWN => format!("{} and {} more", first.join(", "), n - SHOWN),
        _ => first.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use nearmiss_core::gateway::{Identity, Kind};

    fn found(name: &str) -> Listed {
        let dimension = format!("app/{name}/50dc6c495c0c9188");
        let id = Identity::new(Kind::Alb, "eu-central-1", "111122223333", &dimension);
        Listed { arn: id.arn().unwrap(), id, timeout: None }
    }

    /// Which of `web-a` (team a), `web-b` (team b, no value of `beta`) and `batch`, whose
    /// tags are not known, are chosen, and what is reported.
    fn chosen(gateways: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let list = [found("web-a"), found("web-b"), found("batch")];
        let tags = Tags::known(&[
            (&list[0], &[("team", "web-a")]),
            (&list[1], &[("team", "web-b"), ("beta", "")]),
        ]);
        let config = Config::parse(gateways, Path::new("test.toml"));
        let selections = config.unwrap_or_else(|error| panic!("{error}")).gateways;
        let selections: Vec<&Selection> = selections.iter().collect();
        let Choice { matches, troubles, notes } = Choice::of(&selections, "here", &list, &tags);
        let names = matches.iter().map(|one| one.listed.id.name.clone()).collect();
        (names, troubles.iter().map(ToString::to_string).collect(), notes)
    }

    #[test]
    fn exclude_leaves_out_by_name_pattern_arn_dimension_and_tags() {
        let arn = found("web-a").arn;
        for (exclude, left) in [
            ("\"web-a\"".to_owned(), vec!["web-b", "batch"]),
            ("\"web-*\"".into(), vec!["batch"]),
            ("\"batch\", \"web-b\"".into(), vec!["web-a"]),
            (format!("\"{arn}\""), vec!["web-b", "batch"]),
            ("\"app/web-b/50dc6c495c0c9188\"".into(), vec!["web-a", "batch"]),
            ("{ tags = { team = \"*-b\" } }".into(), vec!["web-a", "batch"]),
            ("{ tags = { beta = \"\" } }".into(), vec!["web-a", "batch"]),
            (
                "{ tags = { beta = \"\", team = \"web-a\" } }".into(),
                vec!["web-a", "web-b", "batch"],
            ),
            ("{ load_balancer = \"web-*\", tags = { team = \"*\" } }".into(), vec!["batch"]),
        ] {
            let text = format!("[[gateway]]\nload_balancer = \"*\"\nexclude = [{exclude}]\n");
            let (names, troubles, _) = chosen(&text);
            assert_eq!(
                (names, troubles),
                (left.into_iter().map(str::to_owned).collect(), vec![]),
                "{exclude}"
            );
        }
    }

    #[test]
    fn what_is_left_out_and_what_leaves_nothing_out_is_said() {
        let (names, _, notes) =
            chosen("[[gateway]]\nload_balancer = \"*\"\nexclude = [\"batch\", \"wbe-a\"]\n");
        assert_eq!(names, ["web-a", "web-b"]);
        assert_eq!(
            notes,
            [
                "load_balancer \"*\" but not \"batch\", not \"wbe-a\": 1 of 3 left out: batch",
                "exclude: not \"wbe-a\" leaves nothing out: did you mean web-a or web-b?",
            ]
        );
    }

    #[test]
    fn everything_excluded_is_an_error_in_words() {
        let (names, troubles, _) =
            chosen("[[gateway]]\nload_balancer = \"web-*\"\nexclude = [\"*\"]\n");
        assert_eq!((names.len(), troubles.len()), (0, 1));
        assert!(
            troubles[0].contains("leaves out everything that it matches in here (web-a, web-b)"),
            "{troubles:?}"
        );
    }

    /// One that a selection excludes can be another selection's.
    #[test]
    fn exclude_is_a_selections_own() {
        let (names, troubles, _) = chosen(
            "[[gateway]]\nload_balancer = \"*\"\nexclude = [\"web-*\"]\n[[gateway]]\nload_balancer = \"web-b\"\n",
        );
        assert_eq!((names, troubles), (vec!["batch".to_owned(), "web-b".to_owned()], vec![]));
    }

    #[test]
    fn tags_that_are_not_known_select_nothing_and_exclude_nothing() {
        let (names, troubles, _) = chosen(
            "[[gateway]]\nload_balancer = \"batch\"\nexclude = [{ tags = { a = \"b\" } }]\n\
             [[gateway]]\ntags = { team = \"web-?\" }\n",
        );
        assert_eq!(names, ["batch", "web-a", "web-b"]);
        assert_eq!(troubles, Vec::<String>::new());
        let (names, troubles, _) = chosen("[[gateway]]\ntags = { team = \"batch\" }\n");
        assert_eq!((names.len(), troubles.len()), (0, 0), "why not is said with the call");
    }

    #[test]
    fn nothing_of_that_name_names_what_is_near() {
        let (_, troubles, _) = chosen("[[gateway]]\nload_balancer = \"web-aa\"\n");
        assert!(troubles[0].contains("in here; did you mean web-a or web-b?"), "{troubles:?}");
    }
}
