//! What a poll reads, counts and assesses, without any HTTP.

use std::path::Path;
use std::sync::Mutex;

use super::super::receive::go_on_from;
use super::*;
use crate::edge::aws::testing::sdk;
use crate::source::testing::Made;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::state::RETENTION_MINUTES;

const START: Minute = Minute(29_460_060);
const CONFIG: &str = "[[gateway]]\nload_balancer = \"app/web/1\"\ntimeout = \"60s\"\n\
                      [[gateway]]\nload_balancer = \"app/api/2\"\ntimeout = \"60s\"\n";
const DEADLINE: Duration = Duration::from_secs(10);

/// A poller of two gateways, and their states.
struct Scene {
    config: Config,
    poller: Poller,
    states: GatewayStates,
    /// The gateways, first minutes and ends that were asked for.
    asked: Arc<Mutex<Vec<(String, Minute, Minute)>>>,
}

/// A hundred requests a minute, of which `timeouts` ended in 504.
fn traffic(ask: &Ask, end: Minute, timeouts: f64) -> Snapshot {
    let rows = ask.gateway.id.kind.spec().minute_rows(ask.rate, ask.gateway.detail);
    let asked: Vec<Signal> = rows.map(|row| row.signal).collect();
    let mut snapshot = Snapshot::quiet(ask.from, end, &asked);
    for minute in snapshot.minutes() {
        for (signal, value) in [
            (Signal::P50, 0.2),
            (Signal::P99, 1.0),
            (Signal::Maximum, 2.0),
            (Signal::Samples, 100.0 - timeouts),
            (Signal::Timeouts, timeouts),
        ] {
            snapshot.record(signal, minute, value);
        }
    }
    snapshot
}

impl Scene {
    /// What CloudWatch says when it is asked.
    async fn new(says: impl Fn(&Ask, Minute) -> Option<Snapshot> + Send + Sync + 'static) -> Self {
        let config = Config::parse(CONFIG, Path::new("test.toml")).unwrap();
        let nobody = sdk("127.0.0.1:1".parse().unwrap()).await;
        let mut poller = Box::pin(Poller::of_config(&config, &nobody)).await;
        let [account] = &mut poller.accounts[..] else { panic!("one account in one Region") };
        account.refresh(START.start(), Span::seconds(10), Span::seconds(300)).await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        account.metrics = Made::new(move |ask, end| {
            let name = ask.gateway.id.name.clone();
            noted.lock().unwrap().push((name, ask.from, end));
            says(ask, end)
        });
        assert_eq!(poller.gateways().count(), 2, "both stand in the config as a whole");
        Self { config, poller, states: GatewayStates::default(), asked }
    }

    /// One poll as the daemon makes it, reading the minutes before `end`; all of them are
    /// settled.
    async fn poll(&mut self, end: Minute) -> (Fetched, Vec<Report>) {
        let mut reports = Vec::new();
        loop {
            let mut fetched = Fetched::nothing(end);
            for (asked, read) in self.poller.reads(&self.states, 5, end, DEADLINE) {
                for (gateway, answer) in asked.gateways.iter().zip(read.await.0) {
                    fetched.enter(gateway, answer, &self.poller.recent);
                }
            }
            go_on_from(&mut self.states, &fetched, end);
            let gateways: Vec<_> = self.poller.gateways().cloned().collect();
            for gateway in &gateways {
                let present = nearmiss_core::state::Present { end, settled: end, is_late: false };
                let (states, rules) = (&mut self.states, self.config.rules());
                let late = self.poller.receive(states, rules, gateway, &mut fetched, present);
                if let Some(snapshot) = fetched.snapshots.get(&gateway.id.key()) {
                    self.poller.amend(states, rules, gateway, snapshot, &late, end);
                }
            }
            for (minute, gateways) in unassessed(&gateways, &self.states, &fetched) {
                for gateway in gateways {
                    let (states, rules) = (&mut self.states, self.config.rules());
                    let report =
                        self.poller.assess(states, rules, &gateway, &fetched, minute).unwrap();
                    self.poller.reports.insert(gateway.id.key(), report.clone());
                    reports.push(report);
                }
            }
            let read = fetched.snapshots.values().map(Snapshot::end).min().unwrap_or(end);
            for gateway in &gateways {
                let key = gateway.id.key();
                let Some(snapshot) = fetched.snapshots.remove(&key) else { continue };
                let rate = self.poller.reports[&key].rate;
                self.poller.recent.enter(gateway, rate, snapshot.kept(Minute(0)));
            }
            if end.since(read) <= 0 || !fetched.failed.is_empty() {
                return (fetched, reports);
            }
        }
    }

    /// The requests and timeouts that were counted for a gateway.
    fn counted(&self, name: &str) -> (u64, u64) {
        let named = |key: &&String| key.contains(&format!("/{name}/"));
        let key = self.states.keys().find(named).unwrap();
        let totals = self.states[key].totals;
        (totals.requests, totals.timeouts)
    }
}

#[tokio::test]
async fn every_minute_is_counted_and_assessed_once_however_polls_fall() {
    let mut scene = Scene::new(|ask, end| Some(traffic(ask, end, 0.0))).await;
    let mut assessed: Vec<(String, Minute)> = Vec::new();
    for minutes in [1, 2, 3, 3, 9, 10, 240, 241, 239, 246] {
        let (_, reports) = scene.poll(START.plus(minutes)).await;
        assessed.extend(reports.iter().map(|r| (r.gateway.id.name.clone(), r.reading.minute)));
    }
    for name in ["web", "api"] {
        let minutes: Vec<i64> =
            assessed.iter().filter(|(of, _)| of == name).map(|(_, m)| m.since(START)).collect();
        let last = *minutes.last().unwrap();
        assert!(last >= 240, "{name}: {last}");
        assert_eq!(minutes, (0..=last).collect::<Vec<_>>(), "{name}: in order, none twice");
        // Counting begins with the minute after the first one.
        let counted = u64::try_from(last).unwrap();
        assert_eq!(scene.counted(name), (100 * counted, 0), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_no_zero_and_is_read_later() {
    let fails = |ask: &Ask, end: Minute| {
        let is_out = (5..9).contains(&end.since(START)) && ask.gateway.id.name == "web";
        (!is_out).then(|| traffic(ask, end, 4.0))
    };
    let mut scene = Scene::new(fails).await;
    for minutes in 1..=8 {
        let (fetched, _) = scene.poll(START.plus(minutes)).await;
        let is_out = minutes >= 5;
        assert_eq!(fetched.failed.len(), usize::from(is_out), "{minutes}");
        assert_eq!(fetched.outcome(), if is_out { "partial" } else { "ok" });
    }
    assert_eq!((scene.counted("web"), scene.counted("api")), ((300, 12), (700, 28)));
    scene.poll(START.plus(9)).await;
    assert_eq!((scene.counted("web"), scene.counted("api")), ((800, 32), (800, 32)));
}

#[tokio::test]
async fn where_cloudwatch_is_down_nothing_is_known_and_nothing_forgotten() {
    let down = Arc::new(Mutex::new(false));
    let is_down = Arc::clone(&down);
    let mut scene =
        Scene::new(move |ask, end| (!*is_down.lock().unwrap()).then(|| traffic(ask, end, 0.0)))
            .await;
    scene.poll(START.plus(1)).await;
    let before = scene.states.clone();
    *down.lock().unwrap() = true;
    for minutes in [7, 12, 19] {
        let (fetched, reports) = scene.poll(START.plus(minutes)).await;
        assert_eq!((fetched.outcome(), fetched.read, reports.len()), ("failed", 0, 0));
    }
    assert_eq!(scene.states, before);
    *down.lock().unwrap() = false;
    scene.poll(START.plus(20)).await;
    assert_eq!(scene.counted("web"), (1900, 0));
}

#[tokio::test]
async fn a_gateway_without_anything_unusual_is_asked_for_five_minutes_at_once() {
    let mut scene = Scene::new(|ask, end| Some(traffic(ask, end, 0.0))).await;
    for minutes in 1..=60 {
        scene.poll(START.plus(minutes)).await;
    }
    let rate = |name: &str| {
        let named = |one: &&Report| one.gateway.id.name == name;
        scene.poller.reports.values().find(named).unwrap().rate
    };
    assert_eq!((rate("web"), rate("api")), (PollRate::Slow, PollRate::Slow));
    let asked = scene.asked.lock().unwrap();
    let late = asked.iter().filter(|(name, _, end)| name == "web" && end.since(START) > 30);
    assert_eq!(late.count(), 6, "once in five of the last thirty minutes");
}

/// As a restart goes on: with the states, and with what was saved of the newest minutes.
#[tokio::test]
async fn a_restart_asks_slowly_and_only_for_what_was_missed() {
    let mut scene = Scene::new(|ask, end| Some(traffic(ask, end, 0.0))).await;
    let mut saved = Vec::new();
    for minutes in 1..=64 {
        scene.poll(START.plus(minutes)).await;
        if [30, 60].contains(&minutes) {
            saved.push(scene.poller.recent.unsaved());
        }
    }
    for (case, saved, missed, rate, back) in [
        ("minutes of four before", &saved[1], 3, PollRate::Slow, 15..30),
        ("after a longer time", &saved[1], 25, PollRate::Fast, 240..300), // its turn to be read far back
        ("minutes of long before", &saved[0], 3, PollRate::Slow, 60..75),
        ("nothing saved", &Vec::new(), 3, PollRate::Fast, 60..75),
    ] {
        let rates = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&rates);
        let mut again = Scene::new(move |ask, end| {
            noted.lock().unwrap().push(ask.rate);
            Some(traffic(ask, end, 0.0))
        })
        .await;
        again.states = scene.states.clone();
        for gateway in again.poller.gateways().cloned().collect::<Vec<_>>() {
            let record = saved.iter().find(|one| one.gateway == gateway.id.key());
            let _ = record.map(|one| again.poller.recent.resume(&gateway, &one.record));
        }
        let end = START.plus(64 + missed);
        let (fetched, reports) = again.poll(end).await;
        assert_eq!(*rates.lock().unwrap(), [rate; 2], "{case}");
        let asked = again.asked.lock().unwrap().iter().map(|(_, from, _)| end.since(*from)).max();
        assert!(back.contains(&asked.unwrap()), "{case}: {asked:?}");
        assert!(fetched.failed.is_empty() && !reports.is_empty(), "{case}");
        let whole = u64::try_from(64 + missed - 1).unwrap() * 100;
        assert_eq!((again.counted("web").0, again.counted("api").0), (whole, whole), "{case}");
    }
}

#[tokio::test]
async fn what_cloudwatch_no_longer_keeps_is_not_asked_for() {
    let mut scene = Scene::new(|ask, end| Some(traffic(ask, end, 0.0))).await;
    scene.poll(START.plus(1)).await;
    let end = START.plus(RETENTION_MINUTES + 500);
    scene.poll(end).await;
    scene.poll(end).await;
    let asked = scene.asked.lock().unwrap();
    let first = asked.iter().skip(2).map(|(_, from, _)| *from).min().unwrap();
    assert!(end.since(first) <= RETENTION_MINUTES + 60, "{} min back", end.since(first));
}
