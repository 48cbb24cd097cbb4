//! The two records of a gateway: small, and never taken for something else.

use super::world::{Poller, World};
use crate::state::{GatewayState, RecordError};

/// A gateway with traffic that was counted for five hours.
fn counted() -> GatewayState {
    let world = World::steady(600, 900);
    let mut poller = Poller::new();
    poller.polls(&world, 15..315);
    poller.state().clone()
}

#[test]
fn a_gateway_takes_a_few_hundred_bytes() {
    let state = counted();
    let json = serde_json::to_vec(&state).unwrap().len();
    let (counters, episodes) = (state.counters_record().len(), state.episodes_record().len());
    assert!((150..400).contains(&counters), "{counters} bytes of counters");
    assert!(episodes < 40 && json > 4 * counters, "{episodes} and {json} bytes");
}

#[test]
fn what_a_newer_program_wrote_is_not_taken_for_damage() {
    let state = counted();
    let (mut counters, mut episodes) = (state.counters_record(), state.episodes_record());
    counters[0] = 9;
    let newer = GatewayState::of_records(&counters, None).unwrap_err();
    assert_eq!(newer, RecordError::Newer { what: "counters", found: 9 });
    episodes[0] = 2;
    let newer = GatewayState::of_records(&state.counters_record(), Some(&episodes)).unwrap_err();
    assert_eq!(newer, RecordError::Newer { what: "episodes", found: 2 });
}

#[test]
fn half_a_record_is_damaged_and_none_panics() {
    let state = counted();
    let counters = state.counters_record();
    for length in 0..counters.len() {
        let read = GatewayState::of_records(&counters[..length], None);
        assert!(matches!(read, Err(RecordError::Damaged { .. })), "{length} bytes");
    }
    for at in 1..counters.len() {
        for bits in [1, 0x80, 0xff] {
            let mut odd = counters.clone();
            odd[at] ^= bits;
            if let Ok(odd) = GatewayState::of_records(&odd, Some(b"\x01{}")) {
                let _ = odd.counters_record().len()
                    + odd.next_stretch(None, 0, odd.unread()).0.to_string().len();
            }
        }
    }
    for episodes in ["", "\x01", "\x01[", "\x01{\"records\":5}", "\x00{}"] {
        let read = GatewayState::of_records(&counters, Some(episodes.as_bytes()));
        assert!(matches!(read, Err(RecordError::Damaged { .. })), "{episodes:?}");
    }
}
