//! What a name that is not known may have been meant to be.

/// At most this many names are shown.
const SHOWN: usize = 5;
/// Names that are at least this alike, from 0 to 1, are near.
const NEAR: f64 = 0.8;
/// At most this many characters of a name are compared.
const COMPARED: usize = 64;

/// The names that are near to one that is not among them, or else some of them: how a
/// sentence goes on that says so. `wanted` may be a pattern.
#[must_use]
pub fn instead_of<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let wanted = letters(wanted);
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (likeness(&wanted, &letters(name)), *name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<&str> = near.iter().take(SHOWN).map(|(_, name)| *name).collect();
    if !near.is_empty() {
        return format!("did you mean {}?", near.join(" or "));
    }
    let first: Vec<&str> = names.iter().copied().take(SHOWN).collect();
    match names.len() {
        0 => "there is none at all".to_owned(),
        n if n > SHOWN => format!("there are {} and {} more", first.join(", "), n - SHOWN),
        1 => format!("there is {}", first.join(", ")),
        _ => format!("there are {}", first.join(", ")),
    }
}

/// Without what makes a pattern of it.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| !"*?[]{}!\\".contains(*c));
    letters.flat_map(char::to_lowercase).take(COMPARED).collect()
}

fn likeness(wanted: &str, name: &str) -> f64 {
    let holds = wanted.len() >= 3 && name.contains(wanted);
    if holds { 1.0 } else { strsim::jaro_winkler(wanted, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_is_told_from_those_that_are() {
        let names = ["web-shop", "web-pay", "batch", "reports", "search", "checkout"];
        for (wanted, says) in [
            ("web-shpo", "did you mean web-shop or web-pay?"),
            ("bacth-*", "did you mean batch?"),
            ("shop", "did you mean web-shop?"),
            ("Checkout", "did you mean checkout?"),
            ("nosuch-*", "there are batch, checkout, reports, search, web-pay and 1 more"),
        ] {
            assert_eq!(instead_of(wanted, names), says, "{wanted}");
        }
        assert_eq!(instead_of("a", ["b"]), "there is b");
        assert_eq!(instead_of("a", []), "there is none at all");
    }
}
