//! The figures of a gateway, whatever their source calls them.

use crate::gateway::bounds::BOUNDS;

/// One figure that a gateway has in each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Median time until the target began to answer, in seconds.
    P50,
    /// 99th percentile of the same, over the requests that were answered.
    P99,
    /// Maximum of the same.
    Maximum,
    /// Requests that were answered (each leaves one latency sample).
    Samples,
    /// Requests answered later than `near * timeout` and no later than the timeout.
    NearMisses,
    /// Requests that the gateway gave up on: 504.
    Timeouts,
    /// Connections to a target that could not be made.
    ConnectionErrors,
    /// TLS handshakes with a target that failed.
    TlsErrors,
    /// Requests for which a target was chosen, whatever became of them.
    RequestCount,
    /// Targets that pass their health checks.
    HealthyHosts,
    /// Latencies of all answered requests together, in seconds.
    Sum,
    /// Answers of targets by their status codes: they show whether requests were answered
    /// where the latencies are missing.
    Answers,
    /// Requests that failed for any reason, where timeouts are among them.
    Failures,
    /// Requests answered within the bucket bound of this number, of
    /// [`BOUNDS`].
    Within(u8),
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = 13 + BOUNDS.len();

    /// Every signal that a gateway that is polled fast is asked for, without the
    /// histogram's.
    pub const ALL: [Self; 10] = [
        Self::P50,
        Self::P99,
        Self::Maximum,
        Self::Samples,
        Self::NearMisses,
        Self::Timeouts,
        Self::ConnectionErrors,
        Self::TlsErrors,
        Self::RequestCount,
        Self::HealthyHosts,
    ];

    /// Every signal.
    pub fn every() -> impl Iterator<Item = Self> {
        let bounds = (0u8..).zip(BOUNDS).map(|(bound, _)| Self::Within(bound));
        Self::ALL.into_iter().chain([Self::Sum, Self::Answers, Self::Failures]).chain(bounds)
    }

    /// What an absent datapoint of this signal means, once CloudWatch has said
    /// that its answer is complete.
    #[must_use]
    pub fn missing(self) -> Missing {
        match self {
            Self::P50 | Self::P99 | Self::Maximum | Self::HealthyHosts => Missing::Absent,
            Self::Samples
            | Self::NearMisses
            | Self::Timeouts
            | Self::ConnectionErrors
            | Self::TlsErrors
            | Self::RequestCount
            | Self::Sum
            | Self::Answers
            | Self::Failures
            | Self::Within(_) => Missing::Zero,
        }
    }

    /// Its number, unique among all signals. Minutes are saved with it: it stays the same.
    #[must_use]
    pub fn number(self) -> usize {
        match self {
            Self::P50 => 0,
            Self::P99 => 1,
            Self::Maximum => 2,
            Self::Samples => 3,
            Self::NearMisses => 4,
            Self::Timeouts => 5,
            Self::ConnectionErrors => 6,
            Self::TlsErrors => 7,
            Self::RequestCount => 8,
            Self::HealthyHosts => 9,
            Self::Sum => 10,
            Self::Answers => 11,
            Self::Failures => 12,
            Self::Within(bound) => (13 + usize::from(bound)).min(Self::COUNT - 1),
        }
    }
}

/// What an absent datapoint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A counter that is only reported when it is not zero.
    Zero,
    /// A measurement without anything to measure.
    Absent,
}
