//! Where a gateway stands when the clock was wrong, and what is read again.

use crate::state::tests::world::{Poller, START, World};
use crate::state::{GatewayState, RETENTION_MINUTES};
use crate::time::Minute;

#[test]
fn a_position_in_the_future_is_put_right_and_counts_each_request_once() {
    // Two hours, a day, a hundred days and ten years ahead.
    for ahead in [120, 1440, 144_000, 5_256_000] {
        let world = World::steady(300, 600);
        let mut poller = Poller::new();
        poller.polls(&world, 15..60);
        let before = poller.state().clone();
        let state = poller.state.as_mut().unwrap();
        state.assess_watermark = Minute(START + 60 + ahead);
        state.count_watermark = state.assess_watermark;
        poller.restart();
        poller.polls(&world, 60..90);
        let state = poller.state();
        assert_eq!(state.count_watermark, Minute(START + 87), "{ahead} min ahead: no blind time");
        // What was counted before is not counted again; what came meanwhile is, once. The
        // newest minute with data was not counted yet when the position was lost.
        assert_eq!(before.count_watermark, Minute(START + 57));
        let skipped = world.sum(57, Minute(START + 58)).requests;
        assert_eq!(state.totals.requests + skipped, world.sum(14, state.count_watermark).requests);
        assert_eq!(state.minutes.lost, 0, "{ahead} min ahead");
    }
}

#[test]
fn a_first_position_in_the_future_begins_now() {
    let world = World::steady(300, 600);
    let mut poller = Poller::new();
    poller.state = Some(GatewayState::starting(Minute(START + 500_000)));
    poller.polls(&world, 60..90);
    assert_eq!(poller.state().totals, world.sum(59, poller.state().count_watermark));
    assert_eq!(poller.state().count_watermark, Minute(START + 87));
}

#[test]
fn an_idle_gateway_goes_back_a_day_at_the_most() {
    let mut state = GatewayState::starting(Minute(START));
    state.newest_data = Some(Minute(START));
    let end = Minute(START + 9 * 1440);
    state.skip_to(end.plus(3000));
    assert!(state.put_right(end) && !state.put_right(end));
    assert_eq!(state.count_watermark, end.plus(-1440));
}

#[test]
fn a_clock_that_is_a_few_minutes_behind_changes_nothing() {
    let mut state = GatewayState::starting(Minute(START));
    let before = state.clone();
    assert!(!state.put_right(Minute(START - 4)));
    assert_eq!(state, before);
}

#[test]
fn a_gap_is_closed_stretch_by_stretch_and_what_is_too_old_is_not_asked_for() {
    let state = GatewayState::starting(Minute(START));
    for (later, from, until) in [
        (1, -59, 1),
        (180, -59, 180),
        (2000, -59, 180),
        (30_000, 30_000 - RETENTION_MINUTES, 30_000 - RETENTION_MINUTES + 180),
    ] {
        let (first, last) = state.next_stretch(None, 0, Minute(START + later));
        assert_eq!((first.0 - START, last.0 - START), (from, until), "{later} minutes later");
    }
}

#[test]
fn what_was_kept_is_gone_on_from_and_never_joined_over_a_hole() {
    let state = GatewayState::starting(Minute(START));
    let end = Minute(START + 10);
    for (first, last, from) in [
        (-80, 0, -14),
        (-80, -5, -19), // saved five minutes before a kill: as far back as was read then
        (-80, -14, -28),
        (-80, -15, -59),
        (-300, -200, -59),
        (-50, 0, -59), // not a whole window
    ] {
        let kept = Some((Minute(START + first), Minute(START + last)));
        let (begin, until) = state.next_stretch(kept, 0, end);
        assert_eq!((begin.0 - START, until), (from, end), "{first} to {last}");
    }
}

#[test]
fn the_last_hours_are_read_again_three_times_an_hour() {
    let world = World::steady(400, 600);
    let mut poller = Poller::new();
    poller.only_counts = true;
    poller.polls(&world, 15..80);
    let rows = poller.rows;
    poller.polls(&world, 80..200);
    // Sixteen or so with each poll, and six times five hours.
    let rows = poller.rows - rows;
    assert!((3600..3900).contains(&rows), "{rows} minutes in two hours");
}
