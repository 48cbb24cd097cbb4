//! A request, and how it can end.
//!
//! The smallest thing the model knows; everything in this folder makes, ends or counts
//! requests.

/// Microseconds in a second; times are whole microseconds so that bounds are exact.
pub(crate) const SECOND: u32 = 1_000_000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 2xx from the target.
    Answered,
    /// 5xx from the target.
    TargetError,
    /// 502: the target closed the connection under the request.
    Reset,
    /// 504: no connection within 10 s.
    Unreachable,
    /// 504: no answer within the idle timeout.
    TimedOut,
    /// 504: headers in time, but the body stalled for the idle timeout.
    Stalled,
    /// 460: the client gave up first.
    Abandoned,
    /// 504: no TLS handshake with the target within 10 s.
    Handshake,
    /// 503: there was no target to send it to.
    Refused,
    /// A connection the load balancer did not take.
    Rejected,
    /// 502: nobody listened at the target, which answered with a reset.
    Closed,
}

impl Outcome {
    /// Whether the request leaves a `TargetResponseTime` sample. A reset does:
    /// access logs show a target processing time for it. So does a stalled body,
    /// whose headers were there.
    pub(crate) fn sampled(self) -> bool {
        matches!(self, Self::Answered | Self::TargetError | Self::Reset | Self::Stalled)
    }

    /// Whether the load balancer answered 504.
    pub(crate) fn is_504(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Stalled | Self::Handshake)
    }
}

/// One request, eight bytes because a window holds hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Time until answer or 504, microseconds.
    pub(crate) took: u32,
    pub(crate) outcome: Outcome,
    /// Target group index.
    pub(crate) group: u8,
    /// Zone index of the load balancer node.
    pub(crate) zone: u8,
    /// Target index inside its group.
    pub(crate) target: u8,
}

/// A request and when it arrived, microseconds into its minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: u32,
    pub(crate) request: Request,
    /// Whether it stands for many.
    pub(crate) bundled: bool,
}

/// Seconds as whole microseconds, saturating.
pub(crate) fn micros(seconds: f64) -> u32 {
    (seconds * f64::from(SECOND)).round().clamp(0.0, f64::from(u32::MAX)) as u32
}

/// Ends a request at the idle timeout if its answer would come later.
pub(crate) fn limited(mut request: Request, timeout: u32) -> Request {
    let limit = timeout.saturating_mul(SECOND);
    if request.took > limit {
        request.took = limit;
        request.outcome = Outcome::TimedOut;
    }
    request
}
