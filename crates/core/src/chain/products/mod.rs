//! The table of products: what each does about time when nobody sets anything.
//!
//! Where versions differ, the row has the shorter figure, which warns, and says
//! for which versions it holds. Where nothing can be relied on, the row has no
//! figure, and the person is asked.

mod aws;
mod cdn;
mod clients;
mod clouds;
mod proxies;
mod servers;
mod stores;

use std::time::Duration;

use crate::chain::product::{Knob, Preset, Product};

/// Every table, from the client to the database.
static TABLES: [&[Product]; 7] =
    [clients::ROWS, cdn::ROWS, aws::ROWS, clouds::ROWS, proxies::ROWS, servers::ROWS, stores::ROWS];

impl Product {
    /// The row of a `kind`.
    #[must_use]
    pub fn find(kind: &str) -> Option<&'static Self> {
        Self::all().find(|product| product.kind == kind)
    }

    /// Every row, from the client to the database.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLES.iter().flat_map(|table| table.iter())
    }
}

/// What Terraform and the AWS command line are called in advice.
const TERRAFORM: &str = "Terraform";
const CLI: &str = "AWS CLI";

/// This many seconds, unless it is set.
const fn after(seconds: u64) -> Preset {
    Preset::After(Duration::from_secs(seconds))
}

/// A place and what to write there.
const fn knob(place: &'static str, template: &'static str) -> Knob {
    Knob { place, template }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::answer::speaker::Hop;
    use crate::answer::timeouts::KNOWN;
    use crate::chain::figure::{Scope, Timer};
    use crate::chain::product::Role;

    #[test]
    fn every_row_can_be_found_and_has_sources() {
        let mut kinds = BTreeSet::new();
        for product in Product::all() {
            assert!(kinds.insert(product.kind), "{} stands twice", product.kind);
            assert_eq!(Product::find(product.kind), Some(product));
            for spec in product.specs {
                let at = format!("{} {}", product.kind, spec.timer.key());
                assert!(spec.source.url.starts_with("https://"), "{at}");
                assert!(spec.source.read.starts_with("20"), "{at}: when was it read?");
                assert!(!spec.source.document.is_empty(), "{at}");
            }
        }
        for wanted in [
            "akamai",
            "azure_application_gateway",
            "azure_front_door",
            "caddy",
            "ecs_service_connect",
            "fastly",
            "google_load_balancer",
            "heroku",
            "hypercorn",
            "iis",
            "ingress_nginx",
            "istio",
            "jetty",
            "kong",
            "mongodb",
            "passenger",
            "pgbouncer",
            "rds_proxy",
            "sql_server",
            "traefik",
            "undertow",
            "uwsgi",
            "waitress",
        ] {
            assert!(kinds.contains(wanted), "{wanted}");
        }
    }

    /// Figures that are often stated wrong, apart from the tables that have them.
    #[test]
    fn defaults_are_those_of_the_documents() {
        for (kind, timer, seconds) in [
            ("api_gateway_rest", Timer::Total, 29),
            ("api_gateway_rest_stream", Timer::Read, 300),
            ("cloudflare", Timer::Connect, 19),
            ("cloudflare", Timer::Read, 120),
            ("ecs_service_connect", Timer::Total, 15),
            ("ecs_service_connect", Timer::KeepAlive, 300),
            ("hypercorn", Timer::KeepAlive, 5),
            ("waitress", Timer::KeepAlive, 120),
        ] {
            let spec = Product::find(kind).and_then(|product| product.spec(timer)).unwrap();
            let expected = Preset::After(Duration::from_secs(seconds));
            assert_eq!(spec.preset, expected, "{kind} {}", timer.key());
        }
        let istio = Product::find("istio").and_then(|product| product.spec(Timer::Total)).unwrap();
        assert_eq!(istio.preset, Preset::Never, "15 s is Envoy's own");
    }

    #[test]
    fn a_timer_stands_once_and_its_default_lies_within_its_bounds() {
        for product in Product::all() {
            let mut timers = BTreeSet::new();
            for spec in product.specs {
                let at = format!("{} {}", product.kind, spec.timer.key());
                assert!(timers.insert(spec.timer), "{at} stands twice");
                if let (Preset::After(length), Some(bounds)) = (spec.preset, spec.bounds) {
                    assert!((bounds.min..=bounds.max).contains(&length), "{at}");
                }
                if let Preset::As(other) = spec.preset {
                    assert!(product.spec(other).is_some(), "{at} follows nothing");
                }
            }
        }
    }

    #[test]
    fn a_probe_knows_the_same_figures() {
        for (hop, name, kind, timer) in [
            (Hop::Alb, "connection or TLS timeout", "alb", Timer::Connect),
            (Hop::Alb, "idle_timeout", "alb", Timer::Read),
            (Hop::ApiGateway, "integration timeout (REST)", "api_gateway_rest", Timer::Total),
            (Hop::ApiGateway, "integration timeout (HTTP API)", "api_gateway_http", Timer::Total),
            (Hop::CloudFront, "origin response timeout", "cloudfront", Timer::Read),
            (Hop::Lambda, "timeout", "lambda", Timer::Total),
            (Hop::Cloudflare, "Complete TCP Connection", "cloudflare", Timer::Connect),
            (Hop::Cloudflare, "Proxy Read Timeout", "cloudflare", Timer::Read),
            (Hop::Nginx, "proxy_connect_timeout", "nginx", Timer::Connect),
            (Hop::Nginx, "proxy_read_timeout", "nginx", Timer::Read),
            (Hop::Envoy, "route timeout", "envoy", Timer::Total),
            (Hop::Apache, "ProxyTimeout", "apache", Timer::Read),
            (Hop::Gunicorn, "timeout", "gunicorn", Timer::Total),
        ] {
            let known = KNOWN.iter().find(|known| known.hop == hop && known.name == name);
            let spec = Product::find(kind).and_then(|product| product.spec(timer));
            let (known, spec) = known.zip(spec).unwrap_or_else(|| panic!("{kind}: {name}"));
            let length = Preset::After(Duration::from_secs_f64(known.seconds));
            assert_eq!(spec.preset, length, "{kind}: {name}");
        }
    }

    #[test]
    fn what_can_be_set_says_where() {
        let fixed = |timer, product: &Product| {
            product.spec(timer).and_then(|s| s.bounds).is_some_and(|b| b.min == b.max)
        };
        for product in Product::all().filter(|p| matches!(p.role, Role::Proxy | Role::Tunnel)) {
            for spec in product.specs.iter().filter(|spec| !fixed(spec.timer, product)) {
                let followed = matches!(spec.preset, Preset::As(Timer::Read));
                let at = format!("{} {}", product.kind, spec.timer.key());
                assert!(followed || !spec.knobs.is_empty(), "{at}: where is it set?");
            }
        }
    }

    #[test]
    fn knobs_name_the_figure() {
        for spec in Product::all().flat_map(|product| product.specs) {
            for knob in spec.knobs {
                let known = ["{s}", "{ms}"].iter().any(|mark| knob.template.contains(mark));
                assert!(known, "{}", knob.template);
            }
        }
        for retry in Product::all().filter_map(|product| product.retry) {
            for knob in retry.knobs {
                let known = ["{n}", "{m}"].iter().any(|mark| knob.template.contains(mark));
                assert!(known, "{}", knob.template);
            }
        }
    }

    #[test]
    fn what_bounds_a_statement_is_not_told_as_a_bound_of_a_request() {
        let statements = ["mongodb", "mysql", "pgbouncer", "postgres", "sql_server"];
        for product in Product::all() {
            let scope = product.spec(Timer::Total).map(|spec| spec.scope);
            let is_statement = statements.contains(&product.kind);
            assert_eq!(scope == Some(Scope::Statement), is_statement, "{}", product.kind);
        }
    }

    /// nginx takes any connect timeout, and Node.js has none for a request.
    #[test]
    fn what_is_no_limit_of_a_product_is_not_told_as_one() {
        let spec = |kind: &str, timer| Product::find(kind).and_then(|product| product.spec(timer));
        assert_eq!(spec("nginx", Timer::Connect).map(|spec| spec.bounds), Some(None));
        assert_eq!(spec("node", Timer::Total).map(|spec| spec.knobs), Some(&[][..]));
    }
}
