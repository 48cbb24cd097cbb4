//! Pages of a `GetMetricData` answer.
//!
//! All points of all results are numbered through; a page is a range of these
//! numbers, and a token says where the next one begins and at which moment the
//! first one was cut. Clients have to put a result together again from several
//! pages.

use crate::wire::document::{Failure, Value};

/// A result on its way to the answer.
pub(crate) struct Series<'a> {
    id: &'a str,
    label: &'a str,
    /// (epoch seconds, value) in the order asked for.
    pub(crate) points: Vec<(i64, f64)>,
    pub(crate) status: &'static str,
}

impl<'a> Series<'a> {
    /// A complete result without points.
    pub(crate) fn new(id: &'a str, label: &'a str) -> Self {
        Self { id, label, points: Vec::new(), status: "Complete" }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of its first point.
    pub(crate) from: usize,
    /// AWS's now of the first page, epoch seconds; later points must not move pages.
    pub(crate) now: Option<i64>,
}

/// One answer of at most `limit` points, beginning at a position; `mark` is a hash of the
/// queries, which only a further page needs.
pub(crate) fn page(
    all: &[Series],
    position: Position,
    limit: usize,
    mark: impl Fn() -> u64,
) -> Value {
    let Position { from, now } = position;
    let (mut seen, until) = (0, from + limit);
    let mut results = Vec::new();
    let mut more = false;
    for series in all {
        let (first, last) = (seen, seen + series.points.len());
        seen = last;
        // A result delivered on an earlier page is not repeated; an empty one
        // belongs to the page its position falls on.
        let earlier = if first == last { first < from } else { last <= from };
        if earlier {
            continue;
        }
        if first >= until {
            more = true;
            break;
        }
        let cut = last > until;
        let points = &series.points[from.max(first) - first..until.min(last) - first];
        let status = if cut { "PartialData" } else { series.status };
        results.push(result(series, points, status));
        if cut {
            more = true;
            break;
        }
    }
    let mut fields = vec![("MetricDataResults", Value::List(results))];
    if more {
        let now = now.map(|now| format!("-{now}")).unwrap_or_default();
        fields.push(("NextToken", Value::text(format!("{:016x}-{until}{now}", mark()))));
    }
    fields.push(("Messages", Value::List(Vec::new())));
    Value::Record(fields)
}

fn result(series: &Series, points: &[(i64, f64)], status: &str) -> Value {
    let mut fields = vec![
        ("Id", Value::text(series.id)),
        ("Label", Value::text(series.label)),
        ("Timestamps", Value::List(points.iter().map(|point| Value::Time(point.0)).collect())),
        ("Values", Value::List(points.iter().map(|point| Value::Number(point.1)).collect())),
        ("StatusCode", Value::text(status)),
    ];
    let reason = match status {
        "InternalError" => "An internal error occurred; retry the request",
        "Forbidden" => "The account is not linked to this monitoring account",
        _ => return Value::Record(fields),
    };
    let message = vec![("Code", Value::text(status)), ("Value", Value::text(reason))];
    fields.push(("Messages", Value::List(vec![Value::Record(message)])));
    Value::Record(fields)
}

/// Where a token says the page begins, if it bears the `mark` of the queries; without one it
/// is the first page, cut now.
pub(crate) fn position(
    token: Option<&str>,
    mark: impl Fn() -> u64,
    now: Option<i64>,
) -> Result<Position, Failure> {
    let Some(token) = token else {
        return Ok(Position { from: 0, now });
    };
    read(token, mark()).ok_or_else(|| {
        Failure::new(400, "InvalidNextToken", "The next token specified is invalid.")
    })
}

fn read(token: &str, mark: u64) -> Option<Position> {
    let mut parts = token.splitn(3, '-');
    if parts.next()? != format!("{mark:016x}") {
        return None;
    }
    let from = parts.next()?.parse().ok().filter(|from| *from < usize::MAX / 2)?;
    let now = parts.next().map(str::parse).transpose().ok()?;
    Some(Position { from, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(counts: &[usize]) -> Vec<Series<'static>> {
        let ids = ["a", "b", "c", "d", "e", "f"];
        counts
            .iter()
            .zip(ids)
            .map(|(count, id)| {
                let mut series = Series::new(id, id);
                series.points = (0..*count as i64).map(|n| (n, n as f64)).collect();
                series
            })
            .collect()
    }

    #[test]
    fn paging_loses_and_repeats_nothing_and_completes_each_result_once() {
        for counts in [&[0, 3, 0, 5, 0][..], &[0, 0], &[4, 4, 4], &[1, 0, 0, 1, 7, 0], &[10]] {
            for limit in 1..12 {
                let all = sizes(counts);
                let first = position(None, || 7, Some(60)).expect("no token");
                let (mut from, mut points, mut complete) = (first, Vec::new(), Vec::new());
                loop {
                    let answer = page(&all, from, limit, || 7).to_json();
                    for one in answer["MetricDataResults"].as_array().into_iter().flatten() {
                        let id = one["Id"].as_str().unwrap_or("").to_owned();
                        for value in one["Values"].as_array().into_iter().flatten() {
                            points.push((id.clone(), value.as_f64().unwrap_or(-1.0) as usize));
                        }
                        if one["StatusCode"] == "Complete" {
                            complete.push(id);
                        }
                    }
                    let Some(token) = answer["NextToken"].as_str() else {
                        break;
                    };
                    from = position(Some(token), || 7, None).expect("its own token");
                    assert_eq!(from.now, Some(60));
                }
                let expected: Vec<(String, usize)> = all
                    .iter()
                    .flat_map(|one| (0..one.points.len()).map(|n| (one.id.to_owned(), n)))
                    .collect();
                assert_eq!(points, expected, "{counts:?} by {limit}");
                let ids: Vec<&str> = all.iter().map(|one| one.id).collect();
                assert_eq!(complete, ids, "{counts:?} by {limit}");
            }
        }
    }

    #[test]
    fn a_token_of_other_queries_is_refused() {
        let at = |from, now| Ok(Position { from, now });
        assert_eq!(position(None, || 7, None), at(0, None));
        assert_eq!(position(Some("0000000000000007-5"), || 7, Some(1)), at(5, None));
        for token in ["0000000000000008-5", "0000000000000007-5-x", "nonsense"] {
            assert!(position(Some(token), || 7, None).is_err());
        }
    }
}
