//! From the results of a request to points: whole, or what they lack.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{MetricDataResult, StatusCode};

use super::request::{Query, Wanted, query_id};

/// Points of one query: when (Unix seconds) and what, in no order.
pub(super) type Points = Vec<(i64, f64)>;

/// The results of one request, pages merged by id.
pub(super) struct Results(HashMap<String, Merged>);

#[derive(Default)]
struct Merged {
    points: Points,
    status: Option<StatusCode>,
    messages: String,
}

impl Results {
    pub(super) fn of(pages: Vec<MetricDataResult>) -> Self {
        let mut merged: HashMap<String, Merged> = HashMap::with_capacity(pages.len());
        for mut result in pages {
            let one = merged.entry(result.id.take().unwrap_or_default()).or_default();
            let times = result.timestamps().iter().map(aws_smithy_types::DateTime::secs);
            one.points.extend(times.zip(result.values().iter().copied()));
            for message in result.messages() {
                one.messages.push_str(": ");
                one.messages.push_str(message.value().unwrap_or_default());
            }
            one.status = result.status_code.take();
        }
        Self(merged)
    }

    /// The points of every query of a gateway, or what is missing from them.
    pub(super) fn take(&mut self, index: usize, wanted: &Wanted) -> Result<Vec<Points>, String> {
        let queries = wanted.queries.iter().enumerate();
        queries.map(|(number, query)| self.complete(&query_id(index, number), query)).collect()
    }

    fn complete(&mut self, id: &str, Query { metric, .. }: &Query) -> Result<Points, String> {
        match self.0.remove(id) {
            None => Err(format!("no result for {metric}")),
            Some(Merged { status: Some(StatusCode::Complete), points, .. }) => Ok(points),
            Some(Merged { status, messages, .. }) => Err(format!(
                "the result for {metric} is {}{messages}",
                status.as_ref().map_or("without a status", StatusCode::as_str)
            )),
        }
    }
}
