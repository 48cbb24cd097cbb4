//! The graph of a gateway in the CloudWatch console.
//!
//! The console keeps a graph in the fragment of its URL, as JSON in the spelling of
//! the library `jsurl`: `~(key~'text~other~(~1~2))`, with `*2f` for a slash.

use crate::gateway::Identity;
use crate::render::link::percent_encoded;
use crate::time::Minute;

/// The longest dimension value in a graph; AWS's have at most 54 characters.
const VALUE: usize = 255;
/// One minute's datapoints are kept for 15 days and those of five minutes for 63.
/// Graphs of more points than a day has minutes are hard to read before that.
const PERIODS: [(i64, u32); 2] = [(1_440, 60), (21_600, 300)];

/// One line of a graph.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// Whose metric.
    pub id: &'a Identity,
    /// CloudWatch's metric name.
    pub metric: &'static str,
    /// CloudWatch's statistic.
    pub statistic: &'static str,
    /// Whether its scale is `left` or `right`.
    pub axis: &'static str,
}

/// The graph of these curves between two minutes. `None` without a Region or curves.
#[must_use]
pub fn graph(region: &str, from: Minute, until: Minute, curves: &[Curve<'_>]) -> Option<String> {
    if region.is_empty() || curves.is_empty() {
        return None;
    }
    let curves: String = curves.iter().map(curve).collect();
    let start = text(&time(from));
    let end = text(&time(until));
    let minutes = until.since(from);
    let period = PERIODS.iter().find(|(most, _)| minutes <= *most).map_or(3_600, |(_, p)| *p);
    Some(format!(
        "https://{}/cloudwatch/home?region={}#metricsV2:graph=~(metrics~({curves})~view~'timeSeries~stacked~false~region~{}~start~{start}~end~{end}~period~{period})",
        host(region),
        percent_encoded(region),
        text(region),
    ))
}

fn curve(curve: &Curve<'_>) -> String {
    let spec = curve.id.kind.spec();
    let dimensions = spec.dimensions_of(&curve.id.dimension).map(|(name, value)| {
        let value: String = value.chars().take(VALUE).collect();
        format!("~{}~{}", text(name), text(&value))
    });
    format!(
        "~(~{}~{}{}~(stat~{}~yAxis~{}))",
        text(spec.namespace),
        text(curve.metric),
        dimensions.collect::<String>(),
        text(curve.statistic),
        text(curve.axis),
    )
}

/// The console's host: each partition has its own domain.
fn host(region: &str) -> String {
    let domain = match region {
        r if r.starts_with("cn-") => "console.amazonaws.cn",
        r if r.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = region.len() < 64 && region.bytes().all(is_plain);
    if is_label && !region.starts_with('-') {
        format!("{region}.{domain}")
    } else {
        domain.to_owned()
    }
}

fn time(minute: Minute) -> String {
    minute.utc().format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// A text in the spelling of `jsurl`.
fn text(text: &str) -> String {
    let mut spelled = String::from("'");
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(c) if c.is_ascii_alphanumeric() || "_-.".contains(c) => spelled.push(c),
            Ok('$') => spelled.push('!'),
            Ok(_) => spelled.push_str(&format!("*{unit:02x}")),
            Err(_) => spelled.push_str(&format!("**{unit:04x}")),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Kind;

    fn link(region: &str, minutes: i64) -> String {
        let from = Minute(29_460_019);
        let id = Identity::new(Kind::Alb, region, "", "app/web/50dc6c495c0c9188");
        let metric = "TargetResponseTime";
        let curve = Curve { id: &id, metric, statistic: "p99", axis: "left" };
        graph(region, from, from.plus(minutes), &[curve]).unwrap()
    }

    #[test]
    fn a_graph_is_spelled_as_the_console_spells_it() {
        assert_eq!(
            link("eu-central-1", 120),
            "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#metricsV2:graph=~(metrics~(~(~'AWS*2fApplicationELB~'TargetResponseTime~'LoadBalancer~'app*2fweb*2f50dc6c495c0c9188~(stat~'p99~yAxis~'left)))~view~'timeSeries~stacked~false~region~'eu-central-1~start~'2026-01-05T08*3a19*3a00.000Z~end~'2026-01-05T10*3a19*3a00.000Z~period~60)"
        );
    }

    #[test]
    fn every_partition_has_its_console() {
        for (region, start) in [
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/cloudwatch/"),
            ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudwatch/"),
            ("a.evil/", "https://console.aws.amazon.com/cloudwatch/home?region=a.evil%2F#"),
        ] {
            assert!(link(region, 60).starts_with(start), "{}", link(region, 60));
        }
    }

    #[test]
    fn a_long_graph_has_a_longer_period() {
        for (minutes, period) in [(1_440, 60), (1_441, 300), (21_600, 300), (30_000, 3_600)] {
            assert!(link("eu-west-1", minutes).ends_with(&format!("~period~{period})")));
        }
    }

    #[test]
    fn what_is_no_letter_is_spelled_out() {
        assert_eq!(text("a'b(c)~|<>&$é日"), "'a*27b*28c*29*7e*7c*3c*3e*26!*e9**65e5");
    }
}
