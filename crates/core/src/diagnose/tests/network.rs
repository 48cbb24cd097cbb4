//! What the network lets through, row by row.

use crate::diagnose::evidence::*;
use crate::diagnose::network::{Layer, Obstacles};
use crate::diagnose::tests::scene::{Scene, Setting, address};

/// A name, a change of the evidence, and the share of pairs that it shuts.
type Claim<'a> = (&'a str, &'a dyn Fn(&mut Evidence), Option<f64>);

/// The share of shut pairs, or `None` where something is not known.
fn share(layer: &Layer) -> Option<f64> {
    layer.is_known.then_some(layer.share)
}

fn obstacles(change: impl Fn(&mut Evidence)) -> Obstacles {
    let mut evidence = Scene::healthy(Setting::plain()).evidence;
    change(&mut evidence);
    Obstacles::of(&evidence)
}

fn ingress(evidence: &mut Evidence) -> &mut Permission {
    let groups = evidence.network.security_groups.as_mut().unwrap();
    &mut groups.get_mut("sg-web").unwrap().ingress[0]
}

fn egress(evidence: &mut Evidence) -> &mut Permission {
    let groups = evidence.network.security_groups.as_mut().unwrap();
    &mut groups.get_mut("sg-lb").unwrap().egress[0]
}

#[test]
fn security_groups_admit_by_group_or_by_address_one_way() {
    let by_block = |evidence: &mut Evidence, block: &str| {
        ingress(evidence).groups.clear();
        ingress(evidence).blocks = vec![block.to_owned()];
    };
    let rows: [Claim<'_>; 11] = [
        ("as it should be", &|_| {}, Some(0.0)),
        ("a covering block", &|e| by_block(e, "10.0.0.0/16"), Some(0.0)),
        ("a block of one zone", &|e| by_block(e, "10.0.0.0/24"), Some(0.5)),
        ("a block of IPv6", &|e| by_block(e, "::/0"), Some(1.0)),
        ("another port", &|e| ingress(e).ports = Some((443, 443)), Some(1.0)),
        ("a range of ports", &|e| ingress(e).ports = Some((8000, 9000)), Some(0.0)),
        ("UDP", &|e| "udp".clone_into(&mut ingress(e).protocol), Some(1.0)),
        (
            "a prefix list",
            &|e| {
                ingress(e).groups.clear();
                ingress(e).has_prefix_list = true;
            },
            None,
        ),
        ("nothing out", &|e| egress(e).blocks.clear(), Some(1.0)),
        (
            "no way out for the targets, which answers do not need",
            &|e| {
                let groups = e.network.security_groups.as_mut().unwrap();
                groups.get_mut("sg-web").unwrap().egress.clear();
            },
            Some(0.0),
        ),
        (
            "a group that was not read",
            &|e| {
                e.network.security_groups.as_mut().unwrap().remove("sg-web");
            },
            None,
        ),
    ];
    for (name, change, expected) in rows {
        assert_eq!(share(&obstacles(change).security_groups), expected, "{name}");
    }
}

#[test]
fn network_acls_need_both_ways() {
    let only = |evidence: &mut Evidence, acl: &str, egress: bool, ports: (u16, u16)| {
        let acls = evidence.network.acls.as_mut().unwrap();
        for entry in acls.get_mut(acl).unwrap().entries.iter_mut().filter(|e| e.egress == egress) {
            (entry.protocol, entry.ports) = (6, Some(ports));
        }
    };
    let rows: [Claim<'_>; 8] = [
        ("as it should be", &|_| {}, Some(0.0)),
        ("answers out, all ports", &|e| only(e, "acl-private-b", true, (1024, 65_535)), Some(0.0)),
        (
            "answers out, Linux's ports",
            &|e| only(e, "acl-private-b", true, (32_768, 65_535)),
            Some(0.5),
        ),
        ("requests in, the port", &|e| only(e, "acl-private-b", false, (8080, 8080)), Some(0.0)),
        ("requests in, another port", &|e| only(e, "acl-private-b", false, (80, 80)), Some(0.5)),
        (
            "answers in to a node's subnet",
            &|e| only(e, "acl-public-a", false, (443, 443)),
            Some(0.5),
        ),
        (
            "within one subnet nothing is asked",
            &|e| {
                only(e, "acl-public-a", false, (443, 443));
                only(e, "acl-public-b", false, (443, 443));
                for node in e.network.interfaces.as_mut().unwrap().iter_mut() {
                    "subnet-public-a".clone_into(&mut node.subnet);
                }
            },
            Some(0.0),
        ),
        (
            "an ACL that was not read",
            &|e| {
                e.network.acls.as_mut().unwrap().remove("acl-public-a");
            },
            None,
        ),
    ];
    for (name, change, expected) in rows {
        assert_eq!(share(&obstacles(change).acls), expected, "{name}");
    }
}

#[test]
fn the_most_specific_route_decides() {
    let route = |destination: &str, target: &str, is_blackhole| Route {
        destination: destination.to_owned(),
        target: target.to_owned(),
        is_blackhole,
    };
    let peered = |routes: &[Route]| {
        let found = obstacles(|evidence| {
            for target in evidence.target_groups.as_mut().unwrap()[0].targets.as_mut().unwrap() {
                "10.9.0.5".clone_into(&mut target.id);
                target.zone = Some("all".to_owned());
            }
            for name in ["rtb-public-a", "rtb-public-b"] {
                let tables = evidence.network.route_tables.as_mut().unwrap();
                tables.get_mut(name).unwrap().extend_from_slice(routes);
            }
        });
        share(&found.routes)
    };
    for (routes, expected) in [
        (vec![], Some(1.0)),
        (vec![route("10.9.0.0/16", "pcx-1", false)], Some(0.0)),
        (vec![route("0.0.0.0/0", "igw-1", false)], Some(1.0)),
        (vec![route("0.0.0.0/0", "tgw-1", false)], Some(0.0)),
        (
            vec![route("10.9.0.0/16", "pcx-1", false), route("10.9.0.0/24", "pcx-2", true)],
            Some(1.0),
        ),
        (vec![route("pl-1", "tgw-1", false)], None),
    ] {
        assert_eq!(peered(&routes), expected, "{routes:?}");
    }
    assert_eq!(share(&obstacles(|_| {}).routes), Some(0.0));
}

#[test]
fn an_address_without_an_interface_is_dead_unless_it_drains() {
    let without = |state: &str| {
        obstacles(|evidence| {
            let gone = address(0);
            let interfaces = evidence.network.interfaces.as_mut().unwrap();
            interfaces.retain(|interface| !interface.addresses.contains(&gone));
            let targets = evidence.target_groups.as_mut().unwrap()[0].targets.as_mut().unwrap();
            state.clone_into(&mut targets[0].state);
        })
    };
    let label = vec!["10.0.10.20:8080".to_owned()];
    assert_eq!(without("healthy").dead, Some(label.clone()));
    assert_eq!((without("draining").dead, without("draining").gone), (Some(vec![]), label));
    assert_eq!(obstacles(|_| {}).dead, Some(vec![]));
}
