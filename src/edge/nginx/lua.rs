//! Where a block of Lua ends. Pure.
//!
//! nginx hands such a block to another reader, because braces in Lua's strings and comments
//! are not braces. Nothing else in it matters here.

/// How many bytes of `text`, which follows an opening brace, belong to the
/// block, its closing brace included. `None` when there is none.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0, 1_usize);
    while open > 0 {
        let rest = text.get(at..)?;
        at += match rest.first()? {
            b'{' => {
                open += 1;
                1
            }
            b'}' => {
                open -= 1;
                1
            }
            quote @ (b'"' | b'\'') => string(rest, *quote),
            b'-' if rest.starts_with(b"--") => comment(rest),
            b'[' => long_string(rest).unwrap_or(1),
            _ => 1,
        };
    }
    Some(at)
}

/// The length of a string, which ends with its line at the latest.
fn string(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        at += if *byte == b'\\' { 2 } else { 1 };
        if *byte == quote || *byte == b'\n' {
            break;
        }
    }
    at
}

/// The length of a comment: to the end of its line, or of its long string.
fn comment(text: &[u8]) -> usize {
    let after = text.get(2..).unwrap_or_default();
    let line = || after.iter().take_while(|byte| **byte != b'\n').count();
    2 + long_string(after).unwrap_or_else(line)
}

/// The length of `[[...]]` or `[=[...]=]`, if it is one.
fn long_string(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    if rest.get(level) != Some(&b'[') {
        return None;
    }
    let end = [b"]".as_slice(), &vec![b'='; level], b"]"].concat();
    let found = text.windows(end.len()).position(|window| window == end);
    Some(found.map_or(text.len(), |at| at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_at_its_own_brace() {
        for lua in [
            "",
            "if a then b = { c = 1 } end",
            "ngx.say(\"}\") ngx.say('\\'}')",
            "-- }\nngx.say(1)",
            "--[[ } ]] a = 1",
            "a = [==[ } ]] ]==] b = t[1]",
            "a = \"\\\\\" b = 'x\n",
        ] {
            let text = format!("{lua}}} a;");
            assert_eq!(length(text.as_bytes()), Some(lua.len() + 1), "{lua}");
        }
        for open in ["", "{", "{}", "\"}", "[[ }", "--}"] {
            assert_eq!(length(open.as_bytes()), None, "{open}");
        }
    }
}
