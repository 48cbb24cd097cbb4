//! What is worth knowing about how nginx's files were read, and is no fault. Pure.

use std::fmt;
use std::sync::Arc;

use super::syntax::Place;

/// Something to know about the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// An included file that may hold timeouts was not read.
    Unread {
        /// Its name as it is included.
        name: String,
        /// Where.
        place: Place,
        /// Why not.
        why: String,
    },
    /// A pattern that may mean files with timeouts matches none.
    NothingMatches {
        /// The pattern.
        name: String,
        /// Where it is included.
        place: Place,
    },
    /// Absolute names were read below the folder that was given.
    Moved {
        /// What the names begin with.
        from: Arc<str>,
        /// The folder.
        to: Arc<str>,
    },
    /// A file begins with a byte-order mark.
    ByteOrderMark {
        /// Which one.
        file: Arc<str>,
    },
    /// How often nginx tries depends on how many addresses names have.
    Names,
}

impl Note {
    /// Whether timeouts may be missing because of it.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        matches!(self, Self::Unread { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { name, place, why } => write!(
                f,
                "{place} includes \"{name}\": {why}. Timeouts in it are missing here; the output of `nginx -T` has everything"
            ),
            Self::NothingMatches { name, place } => {
                write!(f, "{place} includes \"{name}\", which matches no file")
            }
            Self::Moved { from, to } => {
                let to = if to.is_empty() { "." } else { to };
                write!(f, "includes below {from} were read below {to}, the folder that was given")
            }
            Self::ByteOrderMark { file } => write!(
                f,
                "{file} begins with a byte-order mark, for which nginx refuses it (unknown directive): save it without"
            ),
            Self::Names => f.write_str(
                "each host name counts as one address: nginx tries every address that a name has",
            ),
        }
    }
}

/// Names of files that come with nginx or its packages and have no timeouts.
const STOCK: [&str; 9] = [
    "fastcgi.conf",
    "fastcgi_params",
    "koi-utf",
    "koi-win",
    "mime.types",
    "options-ssl-nginx.conf",
    "scgi_params",
    "uwsgi_params",
    "win-utf",
];
/// Names of folders with files that only load modules.
const MODULES: [&str; 2] = ["modules", "modules-enabled"];
/// What certificates, keys and types end with.
const NO_CONFIGURATION: [&str; 5] = [".crt", ".key", ".pem", ".types", "snakeoil.conf"];
/// Blocks whose content is never about time.
const NO_TIMES: [&str; 2] = ["events", "map"];

/// Whether an included file can contain anything about time, by its name and by the block
/// that it is included in.
pub(super) fn can_matter(name: &str, block: &str) -> bool {
    let mut parts = name.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    !NO_TIMES.contains(&block)
        && !STOCK.contains(&file)
        && !MODULES.contains(&folder)
        && !NO_CONFIGURATION.iter().any(|end| file.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_files_cannot_matter() {
        for name in [
            "mime.types",
            "/etc/nginx/mime.types",
            "/etc/nginx/modules-enabled/*.conf",
            "/usr/share/nginx/modules/*.conf",
            "fastcgi_params",
            "/etc/letsencrypt/options-ssl-nginx.conf",
            "snippets/snakeoil.conf",
            "certs/shop.pem",
            "custom.types",
        ] {
            assert!(!can_matter(name, "http"), "{name}");
        }
        for name in ["proxy_params", "conf.d/*.conf", "snippets/ssl.conf", "modules", "/etc/x"] {
            assert!(can_matter(name, "http"), "{name}");
            assert!(!can_matter(name, "map"), "{name}");
        }
    }
}
