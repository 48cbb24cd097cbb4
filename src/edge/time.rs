//! The clock, the ticks and the deadline of a poll: the only file that reads the time.
//!
//! A [`Clock`] is a value, so that the demo can run at sixty times the speed. The wall
//! clock says which minute it is, and nothing else depends on it: people and NTP set it
//! back and forward. How long something takes, whether a poll is late and whether the
//! daemon is alive go by the monotonic clock.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
pub use tokio_cron_scheduler::JobSchedulerError as ScheduleError;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::config::Schedule;

/// Where "now" comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that started at `start` and runs `speed` times as fast.
    Scaled {
        /// Seconds since the Unix epoch.
        start: i64,
        /// When it started, in real time.
        since: Instant,
        /// Simulated seconds per second.
        speed: f64,
    },
}

/// Now, on the clock that never goes back: good for measuring only.
#[must_use]
#[allow(clippy::disallowed_methods)] // this is the one place
pub fn instant() -> Instant {
    Instant::now()
}

/// Now, on the system's clock, since the Unix epoch.
#[allow(clippy::disallowed_methods)] // this is the one place
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Clock {
    /// A clock that starts at `start` (seconds since the Unix epoch) now.
    #[must_use]
    pub fn scaled(start: i64, speed: f64) -> Self {
        Self::Scaled { start, since: instant(), speed }
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        match self {
            Self::System => i64::try_from(wall().as_secs()).unwrap_or(i64::MAX),
            Self::Scaled { start, since, speed } => {
                let passed = since.elapsed().mul_f64(speed.max(0.0)).as_secs();
                start.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
            }
        }
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// The time since its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The end of a poll: made once, at its tick, and passed down to everything that waits.
/// When the daemon is to stop, it comes at once.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: tokio::time::Instant,
    grace: Duration,
    stop: Stop,
}

/// The request to stop, and when it was first noticed.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    since: Arc<OnceLock<tokio::time::Instant>>,
}

impl From<CancellationToken> for Stop {
    fn from(token: CancellationToken) -> Self {
        Self { token, since: Arc::default() }
    }
}

impl Stop {
    /// Whether the daemon is to stop.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is to stop.
    pub async fn asked_for(&self) {
        self.token.cancelled().await;
    }

    /// Waits until it is to stop, and for `grace` since that was first noticed.
    #[allow(clippy::disallowed_methods)] // this is the one place
    async fn asked_for_since(&self, grace: Duration) {
        self.token.cancelled().await;
        let since = *self.since.get_or_init(tokio::time::Instant::now);
        tokio::time::sleep_until(since + grace).await;
    }
}

impl Deadline {
    /// The deadline that is this far from now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn after(span: Duration, stop: Stop) -> Self {
        Self { at: tokio::time::Instant::now() + span, grace: Duration::ZERO, stop }
    }

    /// The time that is left.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn left(&self) -> Duration {
        if self.stop.is_asked_for() {
            return Duration::ZERO;
        }
        self.at.saturating_duration_since(tokio::time::Instant::now())
    }

    /// Whether the daemon is to stop.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.stop.is_asked_for()
    }

    /// An earlier one, which leaves this much time for what comes after it.
    #[must_use]
    pub fn keeping(&self, rest: Duration) -> Self {
        let at = self.at.checked_sub(rest).unwrap_or(self.at);
        Self { at, ..self.clone() }
    }

    /// The earlier of this one and the one that is this far from now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn within(&self, span: Duration) -> Self {
        let at = self.at.min(tokio::time::Instant::now() + span);
        Self { at, ..self.clone() }
    }

    /// The same for what is better finished than broken off: when the daemon is to stop, it
    /// gets this much more time, counted once over all such waits.
    #[must_use]
    pub fn with_grace(&self, grace: Duration) -> Self {
        Self { grace, ..self.clone() }
    }

    /// The result of `work`; `None` when it is late, and then it is dropped.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = tokio::time::sleep_until(self.at) => None,
            () = self.stop.asked_for_since(self.grace) => None,
        }
    }
}

/// When to poll. The first tick comes at once.
#[derive(Debug)]
pub enum Ticks {
    /// By a cron schedule.
    Scheduled {
        /// An empty message for each tick. A tick that finds one waiting is dropped: a poll
        /// reads all the minutes since the last good one.
        ticks: mpsc::Receiver<()>,
        /// The schedule of the metronome.
        schedule: watch::Sender<Schedule>,
    },
    /// At every minute of a scaled clock, none left out: what is notified depends on when
    /// the polls were, and a slow machine must show the same story.
    EveryMinute {
        /// When the next one is, seconds since the Unix epoch.
        next: i64,
    },
}

impl Ticks {
    /// Starts to tick.
    ///
    /// # Errors
    /// When the scheduler cannot start.
    pub async fn start(schedule: &Schedule, clock: &Clock) -> Result<Self, ScheduleError> {
        if let Clock::Scaled { start, .. } = clock {
            return Ok(Self::EveryMinute { next: *start });
        }
        let (send, ticks) = mpsc::channel(1);
        let _ = send.try_send(());
        let (schedule, schedules) = watch::channel(schedule.clone());
        let metronome = Metronome::start(schedules.borrow().clone()).await?;
        tokio::spawn(metronome.run(schedules, send));
        Ok(Self::Scheduled { ticks, schedule })
    }

    /// Ticks by another schedule from now on.
    pub fn follow(&self, new: &Schedule) {
        if let Self::Scheduled { schedule, .. } = self {
            schedule.send_if_modified(|old| {
                let differs = old != new;
                old.clone_from(new);
                differs
            });
        }
    }

    /// Waits for the next tick, and returns what time it is then.
    pub async fn next(&mut self, clock: &Clock) -> i64 {
        match self {
            Self::Scheduled { ticks, .. } => {
                if ticks.recv().await.is_none() {
                    // The metronome ends with this receiver and not before it.
                    std::future::pending::<()>().await;
                }
                clock.now()
            }
            Self::EveryMinute { next } => {
                while clock.now() < *next {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let now = *next;
                *next += 60;
                now
            }
        }
    }
}

/// Turns the one scheduler of the process into ticks that setting a clock cannot stop.
///
/// tokio-cron-scheduler keeps the wall-clock time of the next tick, so after a step back it
/// waits for as long as the step. The metronome compares the two clocks every second: after
/// a step it has the schedule evaluated anew and ticks at once, and it also does so when a
/// tick is overdue for any other reason. A scheduler leaks a few tasks when it is shut
/// down, so there is one for all schedules.
struct Metronome {
    scheduler: JobScheduler,
    job: Job,
    fire: mpsc::Sender<()>,
    fired: mpsc::Receiver<()>,
    schedule: Schedule,
    clocks: Clocks,
    /// When the next tick is overdue, on the monotonic clock.
    overdue: Instant,
}

/// How often the clocks are compared.
const COMPARED_EVERY: Duration = Duration::from_secs(1);
/// The scheduler evaluates its schedule twice a second, and a machine can be busy.
const OVERDUE_AFTER: Duration = Duration::from_secs(5);

impl Metronome {
    async fn start(schedule: Schedule) -> Result<Self, ScheduleError> {
        let scheduler = JobScheduler::new().await?;
        let (fire, fired) = mpsc::channel(1);
        let job = job(&schedule, &fire)?;
        scheduler.add(job.clone()).await?;
        scheduler.start().await?;
        let clocks = Clocks::now();
        let overdue = clocks.overdue(&schedule);
        Ok(Self { scheduler, job, fire, fired, schedule, clocks, overdue })
    }

    /// Ticks until nobody listens.
    async fn run(mut self, mut schedules: watch::Receiver<Schedule>, ticks: mpsc::Sender<()>) {
        let mut compare = tokio::time::interval(COMPARED_EVERY);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = ticks.closed() => break,
                Ok(()) = schedules.changed() => {
                    self.schedule = schedules.borrow_and_update().clone();
                    self.look_again().await;
                    continue;
                }
                Some(()) = self.fired.recv() => {}
                _ = compare.tick() => {
                    let step = self.clocks.step();
                    if step.is_none() && instant() < self.overdue {
                        continue;
                    }
                    if let Some(seconds) = step {
                        warn!(seconds, "the system's clock was set: polling by the new time");
                    }
                    self.look_again().await;
                }
            }
            self.overdue = Clocks::now().overdue(&self.schedule);
            let _ = ticks.try_send(());
        }
        let _ = self.scheduler.shutdown().await;
    }

    /// Has the schedule evaluated by the present time.
    async fn look_again(&mut self) {
        let again = async {
            self.scheduler.remove(&self.job.guid()).await?;
            let job = job(&self.schedule, &self.fire)?;
            self.scheduler.add(job.clone()).await?;
            Ok::<_, ScheduleError>(job)
        };
        match again.await {
            Ok(job) => self.job = job,
            // It ticks when it is overdue, and tries again then.
            Err(error) => error!(%error, "the scheduler does not take the schedule"),
        }
        self.overdue = Clocks::now().overdue(&self.schedule);
    }
}

fn job(schedule: &Schedule, fire: &mpsc::Sender<()>) -> Result<Job, ScheduleError> {
    let fire = fire.clone();
    Job::new(schedule.as_str(), move |_, _| {
        let _ = fire.try_send(());
    })
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    wall: Duration,
    monotonic: Instant,
}

impl Clocks {
    /// How far the two may differ from one comparison to the next: slewing, rounding.
    const TOLERANCE: f64 = 1.0;

    fn now() -> Self {
        Self { wall: wall(), monotonic: instant() }
    }

    /// By how many seconds the wall clock was set since the last call, if it was.
    fn step(&mut self) -> Option<f64> {
        let before = std::mem::replace(self, Self::now());
        self.since(before)
    }

    fn since(self, before: Self) -> Option<f64> {
        let passed = self.monotonic.saturating_duration_since(before.monotonic);
        let step = self.wall.as_secs_f64() - before.wall.as_secs_f64() - passed.as_secs_f64();
        (step.abs() > Self::TOLERANCE).then_some(step)
    }

    /// When the tick after this moment is overdue.
    fn overdue(self, schedule: &Schedule) -> Instant {
        let now = i64::try_from(self.wall.as_secs()).unwrap_or(i64::MAX);
        let pause = schedule.pause_after(now) + OVERDUE_AFTER;
        self.monotonic.checked_add(pause).unwrap_or(self.monotonic + OVERDUE_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: f64, monotonic: Duration, start: Instant) -> Clocks {
        Clocks { wall: Duration::from_secs_f64(wall), monotonic: start + monotonic }
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_and_a_busy_machine_is_not() {
        let start = instant();
        let second = Duration::from_secs(1);
        let before = at(1e9, Duration::ZERO, start);
        for (wall, passed, step) in [
            (1e9 + 1.0, second, None),
            (1e9 + 90.0, 90 * second, None),
            (1e9 + 1.9, second, None),
            (1e9 - 86_400.0, second, Some(-86_401.0)),
            (1e9 + 7_201.0, second, Some(7_200.0)),
            (1e9 - 2.0, second, Some(-3.0)),
        ] {
            let found = at(wall, passed, start).since(before);
            let same = |a: Option<f64>, b: Option<f64>| {
                a.zip(b).map_or(a.is_none() && b.is_none(), |(a, b)| (a - b).abs() < 1e-3)
            };
            assert!(same(found, step), "{wall}: {found:?}, expected {step:?}");
        }
    }

    #[test]
    fn a_tick_is_overdue_after_the_pause_of_its_schedule() {
        let start = instant();
        let hourly = Schedule::try_from("0 0 * * * *".to_owned()).unwrap();
        let overdue = at(3_600.0 * 500_000.0 + 600.0, Duration::ZERO, start).overdue(&hourly);
        assert_eq!(overdue - start, Duration::from_mins(50) + OVERDUE_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_dropped_and_what_is_in_time_is_not() {
        let deadline = Deadline::after(Duration::from_secs(50), Stop::default());
        let work = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        assert!(deadline.run(work(20)).await.is_some());
        assert_eq!(deadline.left(), Duration::from_secs(30));
        assert!(deadline.keeping(Duration::from_secs(10)).run(work(21)).await.is_none());
        assert_eq!(deadline.left(), Duration::from_secs(10));
        assert!(deadline.run(std::future::pending::<()>()).await.is_none());
        assert_eq!(deadline.left(), Duration::ZERO);
        assert!(deadline.run(std::future::ready(())).await.is_some(), "what is there is taken");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_every_wait_and_grace_is_counted_once() {
        let token = CancellationToken::new();
        let deadline = Deadline::after(Duration::from_hours(1), token.clone().into());
        let graceful = deadline.with_grace(Duration::from_secs(2));
        let watch = Deadline::after(Duration::from_mins(1), Stop::default());
        token.cancel();
        assert!(deadline.run(std::future::pending::<()>()).await.is_none());
        for _ in 0..5 {
            assert!(graceful.run(std::future::pending::<()>()).await.is_none());
        }
        assert_eq!(watch.left(), Duration::from_secs(58));
        assert_eq!(deadline.left(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_schedule_that_is_looked_at_anew_leaks_no_task() {
        let minutely = Schedule::default();
        let mut metronome = Metronome::start(minutely).await.unwrap();
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        metronome.look_again().await;
        let before = tasks();
        for _ in 0..50 {
            metronome.look_again().await;
        }
        let settled = async {
            while tasks() > before {
                tokio::task::yield_now().await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(5), settled).await;
        assert!(settled.is_ok(), "{} tasks, {before} before", tasks());
    }
}
