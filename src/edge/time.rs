//! The clock and the ticks: the only file that knows what time it is.
//!
//! A [`Clock`] is a value, so that the demo can run at sixty times the speed.
//! A tick is a word without content: the scheduler starts each run in a task
//! of its own, so that runs could overlap, while a channel of capacity one
//! cannot; a tick that finds it full is dropped, and nothing is lost by that,
//! because a poll reads all the minutes since the last good one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

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

impl Clock {
    /// A clock that starts at `start` (seconds since the Unix epoch) now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn scaled(start: i64, speed: f64) -> Self {
        Self::Scaled { start, since: instant(), speed }
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn now(&self) -> i64 {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            }
            Self::Scaled { start, since, speed } => {
                let passed = since.elapsed().mul_f64(speed.max(0.0)).as_secs();
                start.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
            }
        }
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// When to poll. The first tick comes at once.
pub enum Ticks {
    /// By a cron schedule.
    Scheduled {
        /// It lives as long as the ticks are wanted.
        scheduler: Box<JobScheduler>,
        /// A word without content each time.
        ticks: mpsc::Receiver<()>,
    },
    /// At every minute of a scaled clock, none left out: what is told depends on when
    /// the polls were, and a machine that is late shall tell the same story.
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
    pub async fn start(schedule: &Schedule, clock: &Clock) -> Result<Self, JobSchedulerError> {
        if let Clock::Scaled { start, .. } = clock {
            return Ok(Self::EveryMinute { next: *start });
        }
        let (send, ticks) = mpsc::channel(1);
        let _ = send.try_send(());
        let scheduler = Box::new(JobScheduler::new().await?);
        let job = Job::new(schedule.as_str(), move |_, _| {
            let _ = send.try_send(());
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self::Scheduled { scheduler, ticks })
    }

    /// Waits for the next tick, and says what time it is then.
    pub async fn next(&mut self, clock: &Clock) -> i64 {
        match self {
            Self::Scheduled { ticks, .. } => {
                // The sender lives in the scheduler, which lives as long as this.
                let _ = ticks.recv().await;
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

    /// Stops to tick.
    pub async fn stop(self) {
        if let Self::Scheduled { mut scheduler, .. } = self {
            let _ = scheduler.shutdown().await;
        }
    }
}
