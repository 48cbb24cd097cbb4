//! Lambda functions: what AWS says of them is listed, counted and warned of as it is for load
//! balancers, also where CloudWatch counts nothing between bounds.

use nearmiss_core::gateway::Detail;
use nearmiss_core::time::Minute;

use super::world::{START, World, metric, page, trouble};

const FUNCTIONS: &str = "[[gateway]]\nkind = \"lambda\"\nname = \"*\"\n";
/// CloudWatch counts between bounds of functions too, which AWS documents nowhere.
const COUNTED: &str = "trimmed=AWS/Lambda";

/// Invocations are dated by their start, so that a point grows until the timeout has passed:
/// only the wire has points that come a quarter of an hour late.
#[tokio::test]
async fn each_invocation_is_counted_once_however_late_its_point_comes() {
    let world = World::of("lambda_long", 7, &format!("{COUNTED},clock=1")).await;
    let mut daemon = world.daemon(FUNCTIONS).await;
    world.poll(&mut daemon, 0..330).await;
    let states = world.states();
    let state = &states["lambda:eu-central-1/111122223333/video-encode"];
    let counted = state.minutes.settled + state.minutes.idle;
    let first = state.count_watermark.plus(-i64::try_from(counted).unwrap());
    let (mut requests, mut near, mut timeouts) = (0, 0, 0);
    for minute in first.0..state.count_watermark.0 {
        let truth = world.sim.gateway_truth("video-encode", 0, minute).unwrap();
        requests += truth.requests;
        near += truth.near_misses;
        timeouts += truth.elb_504;
    }
    assert!(near > 20 && timeouts > 5, "{near} near misses, {timeouts} timeouts");
    let totals = state.totals;
    assert_eq!((totals.requests, totals.near_misses, totals.timeouts), (requests, near, timeouts));
    let now = Minute::containing(START).plus(329);
    let behind = now.since(state.count_watermark);
    assert!((15..=20).contains(&behind), "{behind} minutes behind");
    assert_eq!(state.minutes.lost, 0);
}

#[tokio::test]
async fn a_function_is_warned_of_before_it_times_out() {
    for faults in [COUNTED, ""] {
        let world = World::of("lambda_slow_burn", 7, faults).await;
        let mut daemon = world.daemon(FUNCTIONS).await;
        world.poll(&mut daemon, 0..150).await;
        let told = world.told();
        let first = told.first().unwrap();
        assert!(first.contains("[WARNING] report-render: requests come close"), "{told:#?}");
        let begins = |minute: &i64| {
            let truth = world.sim.gateway_truth("report-render", 0, *minute);
            truth.is_some_and(|truth| truth.elb_504 > 0)
        };
        let start = Minute::containing(START);
        let first_timeout = Minute((start.0..start.0 + 400).find(begins).unwrap());
        assert!(first.as_str() < first_timeout.to_string().as_str(), "{first_timeout}: {told:#?}");
        assert!(told.iter().all(|line| !line.contains("thumbnails")), "{told:#?}");
        let said = world.sim.published().iter().all(|one| !one.message.contains("504"));
        assert!(said, "a function answers no 504");
        let up = metric(&daemon, "nearmiss_gateway_up", "thumbnails");
        assert_eq!((up, trouble(&daemon, "data")), (Some(1.0), Some(0.0)), "{faults}");
    }
}

#[tokio::test]
async fn what_counts_nothing_between_bounds_is_found_out_and_said() {
    for (faults, detail) in [(COUNTED, Detail::Figures), ("", Detail::Percentiles)] {
        let world = World::of("lambda_healthy", 7, faults).await;
        let accounts = world.accounts(FUNCTIONS, 90).await;
        let [account] = &accounts[..] else { panic!("{accounts:?}") };
        assert_eq!(account.gateways.len(), 3);
        assert!(account.gateways.iter().all(|one| one.detail == detail), "{faults}");
        let timeouts: Vec<f64> = account.gateways.iter().map(|g| g.timeout.seconds).collect();
        assert_eq!(timeouts.len(), 3);
        for seconds in [3.0, 30.0, 900.0] {
            assert!(timeouts.contains(&seconds), "{timeouts:?}");
        }
        let said = account.notes.iter().any(|note| note.contains("no samples of AWS/Lambda"));
        assert_eq!(said, detail == Detail::Percentiles, "{:?}", account.notes);
        assert!(account.troubles.is_empty(), "{:?}", account.troubles);
    }
}

#[tokio::test]
async fn a_function_that_is_deleted_is_not_watched_and_the_others_are() {
    let world = World::of("lambda_deleted", 7, "").await;
    let mut daemon = world.daemon(FUNCTIONS).await;
    world.poll(&mut daemon, 60..118).await;
    let up = |daemon: &_, name| metric(daemon, "nearmiss_gateway_up", name);
    assert_eq!(up(&daemon, "thumbnails-old"), Some(1.0));
    world.poll(&mut daemon, 118..140).await;
    assert_eq!((up(&daemon, "thumbnails-old"), up(&daemon, "thumbnails")), (None, Some(1.0)));
    assert_eq!(trouble(&daemon, "discovery"), Some(0.0));
}

#[tokio::test]
async fn functions_that_may_not_be_listed_are_one_trouble_beside_load_balancers() {
    let world = World::of("every_kind", 7, "denied=lambda:*").await;
    let both = format!("{FUNCTIONS}[[gateway]]\nload_balancer = \"*\"\n");
    let mut daemon = world.daemon(&both).await;
    world.poll(&mut daemon, 30..34).await;
    assert_eq!(trouble(&daemon, "discovery"), Some(1.0));
    assert_eq!(trouble(&daemon, "data"), Some(0.0));
    let watched = page(&daemon).lines().filter(|l| l.starts_with("nearmiss_gateway_up{")).count();
    assert_eq!(watched, world.sim.load_balancers().len());
}
