//! From the results of a request to points: whole, or the reason why not.
//!
//! A result that cannot be true - values without times, a count below zero or beyond all
//! bounds - is no data, and certainly not zero.

use std::fmt;

use aws_sdk_cloudwatch::types::{MessageData, MetricDataResult, StatusCode};

use super::request::{Query, Wanted, of_query_id};
use crate::edge::aws::{ErrorKind, plain};

/// No count, and no sum of seconds, is larger than this in an hour.
const LARGEST: f64 = 1e12;
/// At most this many different remarks on an answer or a result are passed on.
const MAX_REMARKS: usize = 3;

/// Points of one query, the oldest first: when (Unix seconds) and what.
pub(super) type Points = Vec<(i64, f64)>;

/// Why there are no points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) problem: ErrorKind,
    pub(super) said: String,
}

/// What CloudWatch remarks on an answer or a result, each remark once.
#[derive(Debug, Default, Clone)]
pub(super) struct Remarks(Vec<String>);

impl Remarks {
    pub(super) fn add(&mut self, message: &MessageData) {
        let parts = [message.code(), message.value()].into_iter().flatten();
        let text = plain(&parts.collect::<Vec<_>>().join(": "));
        if self.0.len() < MAX_REMARKS && !text.is_empty() && !self.0.contains(&text) {
            self.0.push(text);
        }
    }
}

impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// The results of one request, pages merged by id.
pub(super) struct Results {
    /// By gateway and query.
    all: Vec<Vec<Option<Merged>>>,
    remarks: Remarks,
}

#[derive(Default)]
struct Merged {
    points: Points,
    malformed: Option<String>,
    status: Option<StatusCode>,
    remarks: Remarks,
}

impl Results {
    /// Of all pages, with the remarks on them as a whole.
    pub(super) fn of(batch: &[&Wanted], pages: Vec<MetricDataResult>, remarks: &Remarks) -> Self {
        let empty = |wanted: &&Wanted| wanted.queries.iter().map(|_| None).collect();
        let mut all: Vec<Vec<Option<Merged>>> = batch.iter().map(empty).collect();
        for mut result in pages {
            let asked = result.id().and_then(of_query_id);
            let place = asked.and_then(|(index, number)| all.get_mut(index)?.get_mut(number));
            let Some(place) = place else { continue };
            let one = place.get_or_insert_default();
            one.enter(&result);
            if one.status != Some(StatusCode::Forbidden) {
                one.status = result.status_code.take();
            }
        }
        Self { all, remarks: remarks.clone() }
    }

    /// The points of every query of a gateway up to before the end, or what is missing from
    /// them. A point outside of the request as a whole, from its first second to its `end`,
    /// does not belong to the answer.
    pub(super) fn take(
        &mut self,
        index: usize,
        wanted: &Wanted,
        (first, end): (i64, i64),
    ) -> Result<Vec<Points>, Lack> {
        let queries = wanted.queries.iter().enumerate();
        let within = |mut points: Points| {
            points.retain(|(at, _)| (wanted.from..end).contains(at));
            points
        };
        let asked = |points: Points, query: &Query| match points
            .iter()
            .find(|(at, _)| !(first..end).contains(at))
        {
            None => Ok(within(points)),
            Some((at, _)) => {
                let metric = query.metric;
                let said = format!(
                    "the result for {metric} has a point at {at} s since 1970, which nobody asked for"
                );
                Err(Lack { problem: ErrorKind::Incomplete, said })
            }
        };
        queries
            .map(|(number, query)| asked(self.complete((index, number), query)?, query))
            .collect()
    }

    fn complete(&mut self, (index, number): (usize, usize), query: &Query) -> Result<Points, Lack> {
        let Query { metric, per_unit, .. } = query;
        let place = self.all.get_mut(index).and_then(|of_one| of_one.get_mut(number));
        let found = place.and_then(Option::take);
        let Some(Merged { mut points, malformed, status, remarks }) = found else {
            let said = with(format!("no result for {metric}"), &self.remarks);
            return Err(Lack { problem: ErrorKind::Incomplete, said });
        };
        let problem = match status {
            Some(StatusCode::Complete) => match malformed {
                None => {
                    if !points.is_sorted_by(|one, next| one.0 < next.0) {
                        points.sort_by_key(|(at, _)| *at);
                        // Of a point that comes twice, the later one counts.
                        points.reverse();
                        points.dedup_by_key(|(at, _)| *at);
                        points.reverse();
                    }
                    for (_, value) in &mut points {
                        *value /= per_unit;
                    }
                    return Ok(points);
                }
                Some(what) => {
                    let said = format!("the result for {metric} has {what}");
                    return Err(Lack { problem: ErrorKind::Incomplete, said });
                }
            },
            Some(StatusCode::Forbidden) => ErrorKind::Denied,
            Some(StatusCode::InternalError) => ErrorKind::Failed,
            _ => ErrorKind::Incomplete,
        };
        let status = status.as_ref().map_or("without a status", StatusCode::as_str);
        let said = with(format!("the result for {metric} is {status}"), &remarks);
        Err(Lack { problem, said: with(said, &self.remarks) })
    }
}

fn with(said: String, remarks: &Remarks) -> String {
    if remarks.0.is_empty() { said } else { format!("{said}: {remarks}") }
}

impl Merged {
    fn enter(&mut self, result: &MetricDataResult) {
        result.messages().iter().for_each(|message| self.remarks.add(message));
        let (times, values) = (result.timestamps(), result.values());
        if times.len() != values.len() {
            let (times, values) = (times.len(), values.len());
            self.malformed = Some(format!("{values} values for {times} times"));
        }
        if let Some(value) = values.iter().find(|value| !(0.0..=LARGEST).contains(*value)) {
            self.malformed = Some(format!("the value {value:e}, which cannot be"));
        }
        let times = times.iter().map(aws_smithy_types::DateTime::secs);
        self.points.extend(times.zip(values.iter().copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::query_id;
    use super::*;
    use aws_smithy_types::DateTime;

    fn result(status: StatusCode, times: &[i64], values: &[f64]) -> MetricDataResult {
        MetricDataResult::builder()
            .id(query_id(0, 0))
            .status_code(status)
            .set_timestamps(Some(times.iter().map(|at| DateTime::from_secs(*at)).collect()))
            .set_values(Some(values.to_vec()))
            .build()
    }

    fn remarked(status: StatusCode, code: &str, value: &str) -> MetricDataResult {
        let message = MessageData::builder().code(code).value(value).build();
        let mut result = result(status, &[], &[]);
        result.messages = Some(vec![message; 1000]);
        result
    }

    fn take(pages: Vec<MetricDataResult>) -> Result<Points, Lack> {
        let query = Query::plain("RequestCount", "Sum");
        let wanted = Wanted::about("AWS/X", ("Y", "z".to_owned()), 60, vec![query]);
        let mut results = Results::of(&[&wanted], pages, &Remarks::default());
        let taken = results.take(0, &wanted, (0, 600));
        taken.map(|mut points| points.remove(0))
    }

    #[test]
    fn a_whole_result_is_points_in_order_and_each_once() {
        let pages = vec![
            result(StatusCode::PartialData, &[180, 120], &[3.0, 2.0]),
            result(StatusCode::Complete, &[120, 0, 240], &[2.5, 9.0, 4.0]),
        ];
        assert_eq!(take(pages), Ok(vec![(120, 2.5), (180, 3.0), (240, 4.0)]));
    }

    #[test]
    fn what_cannot_be_is_no_data() {
        for (times, values, says) in [
            (&[60, 120][..], &[1.0][..], "1 values for 2 times"),
            (&[60], &[1.0, 2.0], "2 values for 1 times"),
            (&[60], &[1e308], "the value 1e308"),
            (&[60], &[-1.0], "the value -1e0"),
            (&[60], &[f64::NAN], "the value NaN"),
            (&[60], &[f64::INFINITY], "the value inf"),
            (&[60, 600], &[1.0, 2.0], "a point at 600 s"),
            (&[-60], &[1.0], "a point at -60 s"),
        ] {
            let lack = take(vec![result(StatusCode::Complete, times, values)]).unwrap_err();
            assert_eq!(lack.problem, ErrorKind::Incomplete);
            assert!(lack.said.contains(says), "{}", lack.said);
        }
    }

    #[test]
    fn a_status_says_whose_the_problem_is() {
        let forbidden = "Authentication too complex to retrieve cross region data";
        for (status, problem) in [
            (StatusCode::Forbidden, ErrorKind::Denied),
            (StatusCode::InternalError, ErrorKind::Failed),
            (StatusCode::PartialData, ErrorKind::Incomplete),
            (StatusCode::from("News"), ErrorKind::Incomplete),
        ] {
            let lack = take(vec![remarked(status, "A\nB", forbidden)]).unwrap_err();
            assert_eq!(lack.problem, problem);
            assert_eq!(lack.said.matches(forbidden).count(), 1, "{}", lack.said);
            assert!(lack.said.contains("A\\nB: Auth"), "on one line: {}", lack.said);
        }
        let complete = || result(StatusCode::Complete, &[], &[]);
        let pages = vec![remarked(StatusCode::Forbidden, "", forbidden), complete()];
        assert_eq!(take(pages).unwrap_err().problem, ErrorKind::Denied, "on any page");
        assert_eq!(take(vec![complete()]), Ok(vec![]));
        assert!(take(vec![]).unwrap_err().said.contains("no result for RequestCount"));
    }
}
