//! Minutes as they are judged: one reading, and some in a row.
//!
//! Here is the arithmetic of censored latencies: a 504 leaves no sample, so
//! that every share and quantile adds it as "beyond the timeout".

use crate::number::ratio;
use crate::number::statistics::normal_score;
use crate::time::Minute;

/// One minute of one gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Which minute.
    pub minute: Minute,
    /// Median latency of the answered requests, seconds.
    pub p50: Option<f64>,
    /// 99th percentile of the latency of the answered requests, seconds.
    pub p99: Option<f64>,
    /// Largest latency of the answered requests, seconds.
    pub maximum: Option<f64>,
    /// Answered requests.
    pub samples: f64,
    /// Requests answered close to the timeout.
    pub near_misses: f64,
    /// 504s.
    pub timeouts: f64,
    /// Connections to targets that failed; `None` where it was not asked.
    pub connection_errors: Option<f64>,
    /// TLS handshakes with targets that failed; `None` where it was not asked.
    pub tls_errors: Option<f64>,
    /// Requests for which a target was chosen, answered or not; `None` where it
    /// was not asked.
    pub request_count: Option<f64>,
    /// Targets that pass their health checks; `None` where it was not asked.
    pub healthy_hosts: Option<f64>,
}

impl Reading {
    /// Answered requests plus 504s. A 504 very probably leaves no latency
    /// sample (AWS equates the metric with a log field that is -1 then), so
    /// that the two add up to the requests that reached a target.
    #[must_use]
    pub fn requests(&self) -> f64 {
        self.samples + self.timeouts
    }

    /// The share of the requests that ended in 504; `None` without a request.
    #[must_use]
    pub fn timeout_share(&self) -> Option<f64> {
        ratio(self.timeouts, self.requests())
    }

    /// Connections and TLS handshakes with targets that failed: each ends in a
    /// 504 after ten seconds. `None` where neither was asked.
    #[must_use]
    pub fn unreachable(&self) -> Option<f64> {
        match (self.connection_errors, self.tls_errors) {
            (None, None) => None,
            (connections, tls) => Some(connections.unwrap_or(0.0) + tls.unwrap_or(0.0)),
        }
    }

    /// 504s of requests that reached a target and got no answer in time; a
    /// failed connection ends in 504 too, but says nothing of slowness.
    #[must_use]
    pub fn slow_timeouts(&self) -> f64 {
        (self.timeouts - self.unreachable().unwrap_or(0.0)).max(0.0)
    }

    /// The 99th percentile over *all* requests, seconds: see [`SlowEnd::p99_of_all`].
    /// Failed connections are no slow answers and are left out.
    #[must_use]
    pub fn effective_p99(&self, timeout: f64) -> Option<f64> {
        let Self { samples, near_misses, p99, maximum, .. } = *self;
        let timeouts = self.slow_timeouts();
        SlowEnd { samples, near_misses, timeouts, p99, maximum }.p99_of_all(timeout)
    }
}

/// The slow end of the latencies of some requests, as far as CloudWatch reports it.
#[derive(Debug, Clone, Copy)]
pub struct SlowEnd {
    /// Answered requests.
    pub samples: f64,
    /// Those of them that were answered close to the timeout.
    pub near_misses: f64,
    /// 504s of requests that got no answer in time.
    pub timeouts: f64,
    /// 99th percentile over the answered requests, seconds.
    pub p99: Option<f64>,
    /// The slowest answer, seconds.
    pub maximum: Option<f64>,
}

/// From this share of the timeout on the slowest percent of the answers reaches up to it.
const REACHES_UP: f64 = 0.25;

impl SlowEnd {
    /// The 99th percentile over all requests, seconds, where a 504 counts as "at least
    /// `timeout`". When 1 % or more of the requests are 504s it is the timeout itself (a
    /// lower bound). Below that it is an answer that is slower than the observed p99: the
    /// one above which there are just enough answers that they make 1 % together with the
    /// 504s (the censored-sample rank of Kaplan and Meier, 1958). It is read off the
    /// straight line from the observed p99 to the maximum on lognormal probability paper,
    /// which is what the slow end of most latencies is near to (plotting positions of
    /// Hazen, 1914). A 504 is a request that hangs, and no part of that line - or the end
    /// of it that the timeout cuts off, where the p99 is past a quarter of the timeout and
    /// answers came just before it. `None` when nothing was measured.
    #[must_use]
    pub fn p99_of_all(&self, timeout: f64) -> Option<f64> {
        let Self { samples, near_misses, timeouts, p99, maximum } = *self;
        let share = ratio(timeouts, samples + timeouts)?;
        if share >= 0.01 {
            return Some(timeout.max(p99.unwrap_or(timeout)));
        }
        let p99 = p99?;
        if timeouts <= 0.0 || p99 <= 0.0 || p99 >= timeout {
            return Some(p99);
        }
        let cut_off =
            if p99 > REACHES_UP * timeout { timeouts.min(2.0 * near_misses) } else { 0.0 };
        let score =
            |slower: f64| normal_score((slower + cut_off + 0.5) / (samples + cut_off + 1.0));
        let (observed, slowest) = (score(0.01 * samples), score(0.0));
        let wanted = score(0.01 * (samples + timeouts) - timeouts);
        let part = ((wanted - observed) / (slowest - observed)).clamp(0.0, 1.0);
        // What was answered after the timeout is slower than the 504s.
        let maximum = maximum.unwrap_or(p99).clamp(p99, timeout);
        Some(p99 * (maximum / p99).powf(part))
    }
}

/// Some consecutive minutes, oldest first, and their totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window<'a>(&'a [Reading]);

impl<'a> Window<'a> {
    /// These minutes.
    #[must_use]
    pub fn over(readings: &'a [Reading]) -> Self {
        Self(readings)
    }

    /// The minutes.
    #[must_use]
    pub fn readings(self) -> &'a [Reading] {
        self.0
    }

    /// The newest `length` minutes.
    #[must_use]
    pub fn newest(self, length: u32) -> Self {
        Self(&self.0[self.0.len().saturating_sub(length as usize)..])
    }

    /// All but the newest `length` minutes.
    #[must_use]
    pub fn before(self, length: u32) -> Self {
        Self(&self.0[..self.0.len().saturating_sub(length as usize)])
    }

    /// How many minutes it has.
    #[must_use]
    pub fn minutes(self) -> usize {
        self.0.len()
    }

    /// All requests in it.
    #[must_use]
    pub fn requests(self) -> f64 {
        self.0.iter().map(Reading::requests).sum()
    }

    /// All near misses in it.
    #[must_use]
    pub fn near_misses(self) -> f64 {
        self.0.iter().map(|r| r.near_misses).sum()
    }

    /// All 504s in it.
    #[must_use]
    pub fn timeouts(self) -> f64 {
        self.0.iter().map(|r| r.timeouts).sum()
    }

    /// All 504s of slow answers in it; see [`Reading::slow_timeouts`].
    #[must_use]
    pub fn slow_timeouts(self) -> f64 {
        let (timeouts, unreachable) = self.0.iter().fold((0.0, 0.0), |(t, u), r| {
            (t + r.timeouts, u + r.unreachable().unwrap_or(0.0).min(r.timeouts))
        });
        timeouts - unreachable
    }

    /// All failed connections to targets in it; `None` where a minute was not
    /// asked for them.
    #[must_use]
    pub fn connection_errors(self) -> Option<f64> {
        self.0.iter().map(|r| r.connection_errors).sum()
    }

    /// All failed TLS handshakes with targets in it; `None` where a minute was
    /// not asked for them.
    #[must_use]
    pub fn tls_errors(self) -> Option<f64> {
        self.0.iter().map(|r| r.tls_errors).sum()
    }

    /// Near misses and 504s of slow answers in it.
    #[must_use]
    pub fn at_risk(self) -> f64 {
        self.near_misses() + self.slow_timeouts()
    }

    /// The share of its requests that were 504s.
    #[must_use]
    pub fn timeout_share(self) -> Option<f64> {
        ratio(self.timeouts(), self.requests())
    }

    /// Requests per minute; `None` for a window without minutes.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)] // a window has tens of minutes
        let minutes = self.0.len() as f64;
        ratio(self.requests(), minutes)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // ranks
mod tests {
    use super::*;

    fn reading(samples: f64, timeouts: f64, p99: Option<f64>, maximum: Option<f64>) -> Reading {
        Reading {
            minute: Minute(0),
            p50: None,
            p99,
            maximum,
            samples,
            near_misses: 0.0,
            timeouts,
            connection_errors: None,
            tls_errors: None,
            request_count: None,
            healthy_hosts: None,
        }
    }

    #[test]
    fn a_percent_of_504s_puts_the_p99_at_the_timeout_however_low_it_reads() {
        let r = reading(990.0, 10.0, Some(3.4), Some(8.0));
        assert_eq!(r.effective_p99(60.0), Some(60.0));
    }

    #[test]
    fn a_few_504s_move_the_p99_as_far_as_the_slow_end_goes_and_no_further() {
        // Of 6,680 requests 22 hung; the p99 of all was 3.86 s.
        let r = reading(6_658.0, 22.0, Some(3.33), Some(58.3));
        let p99 = r.effective_p99(60.0).unwrap();
        assert!((p99 / 3.86 - 1.0).abs() < 0.2, "{p99}");
    }

    /// Answers of a lognormal service, fastest first.
    fn lognormal(answers: u32, median: f64, sigma: f64) -> Vec<f64> {
        let rank = |i: u32| (f64::from(i) + 0.5) / f64::from(answers);
        let score = |below: f64| {
            if below > 0.5 { normal_score(1.0 - below) } else { -normal_score(below) }
        };
        (0..answers).map(|i| median * (sigma * score(rank(i))).exp()).collect()
    }

    #[test]
    fn whatever_share_of_the_requests_hangs_the_p99_is_that_of_all() {
        for (answers, median, sigma) in
            [(1_000, 0.25, 0.7), (5_000, 0.3, 1.2), (20_000, 0.05, 0.6), (1_500, 20.0, 0.3)]
        {
            for hung in [0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.009] {
                let mut all = lognormal(answers, median, sigma);
                all.retain(|seconds| *seconds <= 60.0);
                let at = |of: &[f64]| of[(0.99 * real(of.len())).ceil() as usize - 1];
                let (samples, timeouts) = (real(all.len()), (hung * real(all.len())).round());
                let r = reading(samples, timeouts, Some(at(&all)), all.last().copied());
                all.extend((0..timeouts as u32).map(|_| 60.0));
                let (said, truth) = (r.effective_p99(60.0).unwrap(), at(&all));
                assert!((said / truth - 1.0).abs() < 0.2, "{hung}: {said} for {truth}");
            }
        }
    }

    #[allow(clippy::cast_precision_loss)] // thousands
    fn real(count: usize) -> f64 {
        count as f64
    }

    #[test]
    fn uploads_past_the_timeout_do_not_carry_the_p99_with_them() {
        let r = reading(9_970.0, 30.0, Some(10.0), Some(300.0));
        assert!(r.effective_p99(60.0).unwrap() <= 60.0);
        let slow = reading(9_970.0, 30.0, Some(80.0), Some(300.0));
        assert_eq!(slow.effective_p99(60.0), Some(80.0));
    }

    #[test]
    fn without_504s_the_p99_is_the_observed_one() {
        assert_eq!(reading(10.0, 0.0, Some(3.0), Some(9.0)).effective_p99(60.0), Some(3.0));
    }

    #[test]
    fn only_504s_and_no_sample_is_a_p99_at_the_timeout() {
        assert_eq!(reading(0.0, 7.0, None, None).effective_p99(60.0), Some(60.0));
        assert_eq!(reading(0.0, 0.0, None, None).effective_p99(60.0), None);
    }
}
