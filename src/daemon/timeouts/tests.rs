//! How fast timeouts become known, and what that costs AWS: on a clock that waits for nobody.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::Config;
use crate::edge::aws::ErrorKind;
use crate::edge::time::Stopwatch;
use crate::inventory::testing::{Made, fault};

const START: i64 = 1_767_603_600;
const ALL: &str = "[[gateway]]\nload_balancer = \"*\"\n";
fn every() -> Span {
    Span::seconds(300)
}

/// What a poll may wait for timeouts, and how long it is until the next one.
const WAIT: Duration = Duration::from_secs(16);
const MINUTE: Duration = Duration::from_mins(1);

/// An account, polled every minute.
struct Scene {
    made: Arc<Made>,
    accounts: Vec<AccountRegion>,
    readers: TimeoutReaders,
    watch: Stopwatch,
    polls: u32,
}

impl Scene {
    async fn new(config: &str, made: Arc<Made>) -> Self {
        let config = Config::parse(config, Path::new("test.toml")).unwrap();
        let accounts = vec![AccountRegion::of_inventory(&config, made.clone()).await];
        let readers = TimeoutReaders::default();
        Self { made, accounts, readers, watch: Stopwatch::start(), polls: 0 }
    }

    fn now(&self) -> i64 {
        START + 60 * i64::from(self.polls)
    }

    /// A poll of which one minute's newest answers were this slow. Returns how many gateways
    /// it watches.
    async fn poll(&mut self, slow: &[SlowAnswer]) -> usize {
        let now = self.now();
        if self.accounts[0].is_due(now, every()) {
            self.accounts[0].list(now, Span::seconds(10)).await;
        }
        let changed = self.readers.begin(&mut self.accounts, slow, now, every());
        let _ = tokio::time::timeout(WAIT, self.readers.until_known()).await;
        self.readers.finish(&mut self.accounts, changed, now, WAIT);
        self.accounts[0].gateways.len()
    }

    /// What is read until the next poll.
    async fn pause(&mut self) {
        self.polls += 1;
        let left = (MINUTE * self.polls).saturating_sub(self.watch.elapsed());
        let reads = async {
            loop {
                self.readers.next().await;
            }
        };
        let _ = tokio::time::timeout(left, reads).await;
    }

    async fn polls(&mut self, times: u32) -> Vec<usize> {
        let mut watched = Vec::new();
        for _ in 0..times {
            watched.push(self.poll(&[]).await);
            self.pause().await;
        }
        watched
    }

    fn slow(&self, number: usize, took: f64) -> SlowAnswer {
        SlowAnswer { arn: self.made.arn(number), took, until: self.now() }
    }

    fn timeout(&self, number: usize) -> Duration {
        let arn = Some(self.made.arn(number));
        let gateway = self.accounts[0].gateways.iter().find(|one| one.id.arn() == arn).unwrap();
        Duration::from_secs_f64(gateway.timeout.seconds)
    }

    fn troubles(&self) -> Vec<String> {
        self.accounts[0].troubles.iter().map(ToString::to_string).collect()
    }
}

/// Asserts that no stretch of time has more calls than this many at once and a second.
fn assert_rate(asked: &[(Duration, String)], burst: f64, per_second: f64) {
    for from in (0..asked.len()).step_by(7) {
        for to in [1, 10, 50, 200, 1000]
            .map(|more| from + more)
            .into_iter()
            .filter(|to| *to < asked.len())
        {
            let span = asked[to].0.saturating_sub(asked[from].0).as_secs_f64();
            let calls = f64::from(u32::try_from(to - from).unwrap());
            assert!(calls <= burst + per_second * span + 0.1, "{calls} calls in {span} s");
        }
    }
}

fn names(asked: &[(Duration, String)]) -> Vec<&str> {
    asked.iter().map(|(_, name)| name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn fifty_are_known_at_the_first_poll_and_a_thousand_within_two_minutes() {
    let mut scene = Scene::new(ALL, Made::new(50, |_| Ok(Some(60.0)))).await;
    assert_eq!(scene.poll(&[]).await, 50);
    assert!(scene.watch.elapsed() < Duration::from_secs(4));
    assert!(scene.accounts[0].is_complete());
    let mut scene = Scene::new(ALL, Made::new(1_000, |_| Ok(Some(60.0)))).await;
    let watched = scene.polls(3).await;
    assert_eq!(watched.last(), Some(&1_000), "{watched:?}");
    let asked = scene.made.asked();
    assert!(asked[999].0 < 2 * MINUTE, "{:?}", asked[999].0);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_are_known_after_a_quarter_of_an_hour_and_each_is_watched_meanwhile() {
    let mut scene = Scene::new(ALL, Made::new(10_000, |_| Ok(Some(60.0)))).await;
    let watched = scene.polls(18).await;
    assert!(watched[0] > 150, "a poll waits for some: {watched:?}");
    let first = watched.iter().position(|watched| *watched == 10_000);
    assert!(first.is_some_and(|polls| polls <= 17), "{watched:?}");
    assert!(watched.windows(2).all(|two| two[1] >= (two[0] + 590).min(10_000)), "{watched:?}");
    assert!(scene.troubles().is_empty(), "{:?}", scene.troubles());
    assert!(scene.accounts[0].is_complete());
    let asked: Vec<_> = scene.made.asked().into_iter().take(10_000).collect();
    assert_rate(&asked, 20.0, 10.0);
}

#[tokio::test(start_paused = true)]
async fn while_some_are_unknown_not_all_is_known_and_nothing_is_wrong() {
    let mut scene = Scene::new(ALL, Made::new(1_000, |_| Ok(Some(60.0)))).await;
    assert!(scene.poll(&[]).await < 1_000);
    assert!(!scene.accounts[0].is_complete());
    assert!(!scene.accounts[0].has_failed(), "{:?}", scene.troubles());
}

#[tokio::test(start_paused = true)]
async fn with_an_explicit_timeout_nothing_is_waited_for() {
    let config = "[[gateway]]\nload_balancer = \"*\"\ntimeout = \"30s\"\n";
    let mut scene = Scene::new(config, Made::new(1_000, |_| Ok(Some(60.0)))).await;
    assert_eq!(scene.poll(&[]).await, 1_000);
    assert_eq!(scene.watch.elapsed(), Duration::ZERO);
    assert!(scene.accounts[0].is_complete());
    scene.pause().await;
    scene.polls(2).await;
    let gateways = &scene.accounts[0].gateways;
    assert!(gateways.iter().all(|one| one.timeout.at_aws == Some(60.0)), "read all the same");
    assert_eq!(scene.timeout(7), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_read_again_the_oldest_first_and_without_haste() {
    let mut scene = Scene::new(ALL, Made::new(1_500, |_| Ok(Some(60.0)))).await;
    scene.polls(3).await;
    let first = scene.made.asked();
    assert_eq!(first.len(), 1_500);
    scene.polls(2).await;
    assert_eq!(scene.made.asked(), [], "not before its time");
    scene.polls(15).await;
    let again = scene.made.asked();
    assert_rate(&again, 5.0, 2.0);
    assert!(again.len() > 1_500, "all of them: {}", again.len());
    let mut oldest = names(&again[..1_500]);
    oldest.sort_unstable();
    oldest.dedup();
    assert_eq!(oldest.len(), 1_500, "none twice before each was read once");
}

/// An account of which others leave three calls a second.
#[tokio::test(start_paused = true)]
async fn where_aws_throttles_it_gives_way_and_loses_nothing() {
    let clock = Stopwatch::start();
    let tokens = Mutex::new((40.0, Duration::ZERO));
    let made = Made::new(600, move |_| {
        let mut tokens = tokens.lock().unwrap();
        let now = clock.elapsed();
        let gained = now.saturating_sub(tokens.1).as_secs_f64() * 3.0;
        *tokens = (f64::min(tokens.0 + gained, 40.0), now);
        if tokens.0 < 1.0 {
            return Err(fault(ErrorKind::Throttled));
        }
        tokens.0 -= 1.0;
        Ok(Some(60.0))
    });
    let mut scene = Scene::new(ALL, made).await;
    let watched = scene.polls(5).await;
    assert_eq!(watched.last(), Some(&600), "{watched:?}");
    assert!(scene.troubles().is_empty(), "{:?}", scene.troubles());
    let throttled = scene.made.asked().len() - 600;
    assert!(throttled < 120, "{throttled} calls were throttled");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_leaves_what_is_known_and_is_made_up_for() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let made = Made::new(10, move |_| {
        let is_down = is_down.load(Ordering::Relaxed);
        if is_down { Err(fault(ErrorKind::Throttled)) } else { Ok(Some(60.0)) }
    });
    let mut scene = Scene::new(ALL, made).await;
    scene.polls(1).await;
    down.store(true, Ordering::Relaxed);
    scene.made.asked();
    let watched = scene.polls(30).await;
    assert!(watched.iter().all(|watched| *watched == 10), "{watched:?}");
    assert!(scene.troubles().is_empty() && scene.accounts[0].is_complete());
    let tries = scene.made.asked().len();
    assert!(tries < 200, "{tries} calls in 25 min: that is no giving way");
    down.store(false, Ordering::Relaxed);
    scene.polls(4).await;
    let again = scene.made.asked();
    assert!(names(&again).len() >= 10, "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_read_that_is_said() {
    let made = Made::new(10, |_| Err(fault(ErrorKind::Throttled)));
    let mut scene = Scene::new(ALL, made).await;
    assert_eq!(scene.poll(&[]).await, 0);
    let troubles = scene.troubles();
    assert!(
        troubles.len() == 1 && troubles[0].contains("10 load balancers are not watched"),
        "{troubles:?}"
    );
    let made = Made::new(10, |_| Err(fault(ErrorKind::Denied)));
    let mut scene = Scene::new(ALL, made).await;
    assert_eq!(scene.polls(11).await, [0; 11]);
    let troubles = scene.troubles();
    assert!(
        troubles.len() == 1 && troubles[0].contains("10 load balancers are not watched"),
        "{troubles:?}"
    );
    let asked = scene.made.asked().len();
    assert!((3..=32).contains(&asked), "{asked} calls in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_strange_answer_concerns_one_gateway_alone() {
    let made = Made::new(30, |name| match name {
        "00013" => Err(fault(ErrorKind::Incomplete)),
        _ => Ok(Some(60.0)),
    });
    let mut scene = Scene::new(ALL, made).await;
    assert_eq!(scene.poll(&[]).await, 29);
    let troubles = scene.troubles();
    assert!(
        troubles.len() == 1
            && troubles[0].contains(". Without their idle timeout load balancers are not watched"),
        "{troubles:?}"
    );
    assert!(!scene.accounts[0].is_complete());
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_not_watched() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = Arc::clone(&gone);
    let made = Made::new(10, move |name| {
        let is_gone = name == "00003" && is_gone.load(Ordering::Relaxed);
        Ok((!is_gone).then_some(60.0))
    });
    let mut scene = Scene::new(ALL, made).await;
    assert_eq!(scene.polls(2).await, [10, 10]);
    gone.store(true, Ordering::Relaxed);
    assert_eq!(scene.polls(6).await.last(), Some(&9));
    assert!(scene.accounts[0].is_complete());
}

#[tokio::test(start_paused = true)]
async fn answers_above_a_timeout_that_was_raised_are_looked_at_at_once() {
    let raised = Arc::new(AtomicBool::new(false));
    let is_raised = Arc::clone(&raised);
    let made = Made::new(2_000, move |name| {
        Ok(Some(if name == "00777" && is_raised.load(Ordering::Relaxed) { 120.0 } else { 60.0 }))
    });
    let mut scene = Scene::new(ALL, made).await;
    scene.polls(8).await;
    raised.store(true, Ordering::Relaxed);
    scene.made.asked();
    let slow = scene.slow(777, 90.0);
    scene.poll(&[slow]).await;
    assert_eq!(scene.timeout(777), 2 * MINUTE);
    assert!(names(&scene.made.asked()).contains(&"00777"));
}

#[tokio::test(start_paused = true)]
async fn answers_above_a_timeout_that_is_right_are_looked_at_once() {
    let mut scene = Scene::new(ALL, Made::new(3_000, |_| Ok(Some(60.0)))).await;
    scene.polls(8).await;
    scene.made.asked();
    let mut looks = Vec::new();
    for minute in 0..90 {
        let slow = scene.slow(2_999, 300.0);
        scene.poll(&[slow]).await;
        let asked = scene.made.asked();
        looks.extend(names(&asked).iter().filter(|name| **name == "02999").map(|_| minute));
        scene.pause().await;
        scene.made.asked();
    }
    assert_eq!(looks, [0, 60], "once, and an hour later");
}

#[tokio::test(start_paused = true)]
async fn target_groups_of_many_are_one_list() {
    for problem in [None, Some(ErrorKind::Denied), Some(ErrorKind::Throttled)] {
        let made = Made::new(500, move |name| match problem {
            Some(problem) if name == "all" => Err(fault(problem)),
            _ => Ok(Some(60.0)),
        });
        let mut scene = Scene::new(ALL, made).await;
        scene.polls(3).await;
        scene.made.asked();
        let (now, mut usage) = (scene.now(), Usage::default());
        scene.accounts[0].find_target_groups(|_| true, now, WAIT, &mut usage).await;
        assert_eq!(scene.made.asked().len(), 1, "{problem:?}");
        let account = &scene.accounts[0];
        let found = account.gateways.iter().filter(|one| account.target_groups(one).len() == 1);
        assert_eq!(found.count(), if problem.is_none() { 500 } else { 0 }, "{problem:?}");
    }
}

/// Searches for target groups are calls of the same kind, in the same account.
#[tokio::test(start_paused = true)]
async fn target_groups_are_searched_for_at_the_same_rate() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let made = Made::new(500, move |name| match is_down.load(Ordering::Relaxed) {
        true => Err(fault(ErrorKind::Throttled)),
        false if name == "all" => Err(fault(ErrorKind::Incomplete)),
        false => Ok(Some(60.0)),
    });
    let mut scene = Scene::new(ALL, made).await;
    scene.polls(3).await;
    scene.made.asked();
    down.store(true, Ordering::Relaxed);
    let (now, mut usage) = (scene.now(), Usage::default());
    scene.accounts[0].find_target_groups(|_| true, now, WAIT, &mut usage).await;
    let throttled = scene.made.asked().len();
    assert!((1..60).contains(&throttled), "{throttled} calls: that is no giving way");
    down.store(false, Ordering::Relaxed);
    let mut asked = Vec::new();
    for _ in 0..6 {
        scene.accounts[0].find_target_groups(|_| true, now, WAIT, &mut usage).await;
        tokio::time::sleep(2 * WAIT).await;
        asked.extend(scene.made.asked());
    }
    asked.retain(|(_, name)| name != "all");
    assert_eq!(asked.len(), 500, "each once, and what was throttled again");
    assert_rate(&asked, 20.0, 10.0);
    let account = &scene.accounts[0];
    assert!(account.gateways.iter().all(|one| account.target_groups(one).len() == 1));
}
