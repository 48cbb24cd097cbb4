//! The protocols in which nginx passes requests on.

/// How requests are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// `proxy_pass`
    Proxy,
    /// `fastcgi_pass`
    FastCgi,
    /// `uwsgi_pass`
    Uwsgi,
    /// `scgi_pass`
    Scgi,
    /// `grpc_pass`
    Grpc,
    /// `memcached_pass`
    Memcached,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Proxy, Self::FastCgi, Self::Uwsgi, Self::Scgi, Self::Grpc, Self::Memcached];

    /// The prefix of its directives' names.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::FastCgi => "fastcgi",
            Self::Uwsgi => "uwsgi",
            Self::Scgi => "scgi",
            Self::Grpc => "grpc",
            Self::Memcached => "memcached",
        }
    }

    /// The way that a directive's name begins with, and the rest of the name.
    pub(super) fn split(name: &str) -> Option<(Self, &str)> {
        let (prefix, rest) = name.split_once('_')?;
        let pass = Self::ALL.into_iter().find(|pass| pass.prefix() == prefix)?;
        Some((pass, rest))
    }

    /// The way of `proxy_pass` or the like.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::split(name).filter(|(_, rest)| *rest == "pass").map(|(pass, _)| pass)
    }

    /// What may stand before the name of a server.
    pub(super) fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Proxy => &["http://", "https://"],
            Self::Uwsgi => &["uwsgi://", "suwsgi://"],
            Self::Grpc => &["grpc://", "grpcs://"],
            Self::FastCgi | Self::Scgi | Self::Memcached => &[],
        }
    }
}
