//! Who asks: figures of clients.

use crate::chain::figure::Source;
use crate::chain::figure::Timer;
use crate::chain::product::{Preset, Product, Role, Spec};
use crate::chain::products::{after, knob};

static CURL: Source = Source {
    document: "curl, CURLOPT_CONNECTTIMEOUT and --max-time",
    url: "https://curl.se/libcurl/c/CURLOPT_CONNECTTIMEOUT.html",
    read: "2026-11, curl 7.88 to 8.2",
};

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new("client", "the client", Role::Client, &[]),
    Product::new("browser", "the browser", Role::Client, &[]),
    Product::new(
        "curl",
        "curl",
        Role::Client,
        &[
            Spec::new(Timer::Connect, after(300), "exit code 28", &CURL)
                .set(&[knob("curl", "--connect-timeout {s}")]),
            Spec::new(Timer::Total, Preset::Never, "exit code 28", &CURL)
                .set(&[knob("curl", "--max-time {s}")]),
        ],
    ),
];
