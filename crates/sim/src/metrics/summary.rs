//! A load balancer over one period, in the numbers a watcher looks at.
//!
//! The way of the wire without the wire: the same pools and the same statistics
//! as `GetMetricData`, for readers of whole scenarios.

use std::ops::Range;

use serde::Serialize;

use crate::catalog;
use crate::metrics::series::ResolvedPlace;
use crate::metrics::view::View;
use crate::statistics::{Pool, Stat};
use crate::world::Balancer;

/// What `CloudWatch` reports over a period; `None` where it has no datapoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// First epoch minute of the period.
    pub minute: i64,
    /// Samples of `TargetResponseTime`.
    pub samples: Option<f64>,
    /// Sum of the samples, seconds.
    pub sum: Option<f64>,
    /// Median, seconds.
    pub p50: Option<f64>,
    /// 99th percentile, seconds.
    pub p99: Option<f64>,
    /// Largest sample, seconds.
    pub max: Option<f64>,
    /// Samples above 0.8 and at most 1.0 idle timeouts.
    pub near: Option<f64>,
    /// 504s of the load balancer.
    pub elb_504: Option<f64>,
    /// Failed connections to targets.
    pub connection_errors: Option<f64>,
    /// Requests.
    pub requests: Option<f64>,
    /// Smallest number of healthy targets.
    pub healthy: Option<f64>,
    /// Idle timeout in force when the period began, seconds.
    pub idle_timeout: u32,
}

/// The summary of a period of epoch minutes.
pub(crate) fn of(view: View, balancer: &Balancer, minutes: Range<i64>) -> Summary {
    let timeout = view.world.timeout(&balancer.source, minutes.start);
    let pool = |name: &str, group: Option<usize>| {
        let resolved = ResolvedPlace { balancer, group, zone: None };
        let metric = catalog::find(catalog::NAMESPACE, name).ok();
        metric.map_or_else(Pool::default, |metric| resolved.pool(metric, view, minutes.clone()))
    };
    let stat = |text: &str, pool: &Pool| Stat::parse(text).and_then(|stat| stat.of(pool));
    let latency = pool("TargetResponseTime", None);
    let near = format!("TC({}:{timeout})", f64::from(timeout) * 0.8);
    Summary {
        minute: minutes.start,
        samples: stat("SampleCount", &latency),
        sum: stat("Sum", &latency),
        p50: stat("p50", &latency),
        p99: stat("p99", &latency),
        max: stat("Maximum", &latency),
        near: stat(&near, &latency),
        elb_504: stat("Sum", &pool("HTTPCode_ELB_504_Count", None)),
        connection_errors: stat("Sum", &pool("TargetConnectionErrorCount", None)),
        requests: stat("Sum", &pool("RequestCount", None)),
        healthy: stat("Minimum", &pool("HealthyHostCount", Some(0))),
        idle_timeout: timeout,
    }
}
