//! A gateway that is deleted and created again goes on as it was.

use std::collections::BTreeMap;

use crate::gateway::Gateway;
use crate::state::tests::world::{Poller, START, World, gateway};
use crate::state::{GatewayState, succeed};
use crate::time::Minute;

fn anew(change: impl FnOnce(&mut Gateway)) -> Gateway {
    let mut gateway = gateway().as_ref().clone();
    gateway.id.dimension = "app/web/ffffffffffffffff".into();
    change(&mut gateway);
    gateway
}

/// A state with an open episode and some minutes.
fn remembered() -> (World, GatewayState) {
    let world = World::steady(200, 600).failing(40..60, 60);
    let mut poller = Poller::new();
    poller.polls(&world, 15..60);
    assert!(poller.state().records[0].episode.is_open());
    (world, poller.state.unwrap())
}

fn succeeds(gateways: &[Gateway]) -> Vec<String> {
    let mut states = BTreeMap::from([(gateway().id.key(), remembered().1)]);
    let watched: Vec<&Gateway> = gateways.iter().collect();
    let all = succeed(&mut states, &watched, Minute(START + 60));
    all.into_iter().map(|(_, new)| new).collect()
}

#[test]
fn it_succeeds_the_one_of_its_name_and_nobody_else() {
    let other = |change: fn(&mut Gateway)| succeeds(&[anew(change)]);
    assert_eq!(other(|_| {}), ["eu-central-1/111122223333/app/web/ffffffffffffffff"]);
    assert!(other(|new| new.id.region = "eu-west-1".into()).is_empty(), "another Region");
    assert!(other(|new| new.id.account = "222222222222".into()).is_empty(), "another account");
    assert!(other(|new| new.id.account = String::new()).is_empty(), "an unknown account");
    assert!(other(|new| new.id.dimension = "app/web-2/ffffffffffffffff".into()).is_empty());
    assert!(other(|new| new.id.dimension = "net/web/ffffffffffffffff".into()).is_empty());
    assert!(succeeds(&[anew(|_| {}), gateway().as_ref().clone()]).is_empty(), "both are there");
    let two = succeeds(&[anew(|_| {}), anew(|new| new.id.dimension = "app/web/0".into())]);
    assert_eq!(two.len(), 1, "one is handed on once");
}

#[test]
fn the_episode_and_the_counters_go_on_under_the_new_name() {
    let (world, state) = remembered();
    let (old, before) = (gateway().id.key(), state.clone());
    let mut states = BTreeMap::from([(old.clone(), state)]);
    let new = anew(|_| {});
    let all = succeed(&mut states, &[&new], Minute(START + 60));
    assert_eq!(all, [(old, new.id.key())]);
    let after = states.remove(&new.id.key()).unwrap();
    assert!(states.is_empty());
    assert_eq!(after.totals, before.totals);
    assert_eq!(after.records[0].episode, before.records[0].episode);
    assert_eq!(after.records[0].gateway.id, new.id, "the new ARN is said");
    let former: Vec<_> =
        after.former(Minute(START + 61)).map(|former| former.dimension.as_str()).collect();
    assert_eq!(former, ["app/web/50dc6c495c0c9188"]);
    let dimensions: Vec<_> = after.former_dimensions(Minute(START + 299)).collect();
    assert_eq!(dimensions, former, "both are read for four hours");
    assert_eq!(after.former_dimensions(Minute(START + 300)).count(), 0);
    let mut poller = Poller::new();
    poller.state = Some(after);
    poller.polls(&world, 60..90);
    assert_eq!(poller.state().totals, world.sum(14, poller.state().count_watermark));
}

#[test]
fn an_episode_outlives_its_gateway_for_as_long_as_it_takes_to_make_it_anew() {
    let (_, mut state) = remembered();
    let at = |minute: i64| Minute(START + 60 + minute);
    state.see(false, at(0));
    state.see(false, at(14));
    assert!(state.records[0].episode.is_open());
    state.see(true, at(14));
    state.see(false, at(20));
    state.see(false, at(34));
    assert!(state.records[0].episode.is_open());
    state.see(false, at(35));
    assert!(state.records[0].episode.abandoned);
}
