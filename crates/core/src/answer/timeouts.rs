//! Whose timeout ended a wait: an elapsed time against the timeouts that are known.
//!
//! Timeouts are round numbers and few, so a wait often shows which one ended it. That is an
//! argument and no proof: timeouts that fit equally well are listed alike. Limits are
//! compared with the wait for the first byte, because that is where a client sees all of
//! them, or with the silence before a body broke.

mod known;

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::answer::phase::Phase;
use crate::answer::speaker::Hop;
pub use known::KNOWN;

/// A limit that a hop has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeout {
    /// Whose limit it is.
    pub hop: Hop,
    /// What its documents call it.
    pub name: Cow<'static, str>,
    /// How long it is, in seconds.
    pub seconds: f64,
    /// Whether it is a default or somebody's setting.
    pub origin: Origin,
    /// Who then answers, and with what status. Empty: anybody, and any error.
    #[serde(skip)]
    pub answers: &'static [(Hop, u16)],
    /// What a client waits for when it ends.
    #[serde(skip)]
    pub phases: &'static [Phase],
    /// Where that is written: a URL. `None` for a setting.
    pub source: Option<&'static str>,
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It applies where nobody has set it.
    Default,
    /// It cannot be set.
    Fixed,
    /// Somebody set it, and said so.
    Configured,
}

/// A timeout that an elapsed time fits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// The timeout.
    #[serde(flatten)]
    pub timeout: Timeout,
    /// The elapsed time less the timeout, in seconds.
    pub off_by: f64,
}

/// How far an elapsed time may be from a timeout of this many seconds: half a second, for
/// the way there and back and the work, or 2 %, for coarse timers.
#[must_use]
pub fn tolerance(seconds: f64) -> f64 {
    (seconds * 0.02).max(0.5)
}

/// The timeouts that fit, settings first, then the closest. More than one
/// is ambiguous; none is no surprise, for most errors are no timeouts.
#[must_use]
pub fn fits(elapsed: f64, phase: Phase, candidates: &[Timeout]) -> Vec<Fit> {
    let mut fits: Vec<Fit> = candidates
        .iter()
        .filter(|timeout| timeout.phases.contains(&phase))
        .map(|timeout| Fit { off_by: elapsed - timeout.seconds, timeout: timeout.clone() })
        .filter(|fit| fit.off_by.abs() <= tolerance(fit.timeout.seconds))
        .collect();
    fits.sort_by(|a, b| {
        let notified = |fit: &Fit| fit.timeout.origin != Origin::Configured;
        notified(a).cmp(&notified(b)).then(a.off_by.abs().total_cmp(&b.off_by.abs()))
    });
    fits
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an error of this status.
    Answered(u16),
    /// With a closed connection, and no answer.
    Closed,
    /// With a closed connection in the middle of a body.
    CutOff,
}

impl End {
    /// What the client was waiting for.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::Answered(_) | Self::Closed => Phase::FirstByte,
            Self::CutOff => Phase::Body,
        }
    }
}

/// The timeouts that may be behind such an end: with a speaker, those after which it says
/// so; without one, those after which any hop does.
#[must_use]
pub fn candidates(speaker: Option<Hop>, end: End, configured: &[Timeout]) -> Vec<Timeout> {
    let all = configured.iter().chain(unset(configured));
    all.filter(|timeout| timeout.explains(speaker, end)).cloned().collect()
}

/// The known timeouts, except those that somebody set.
pub fn unset(configured: &[Timeout]) -> impl Iterator<Item = &Timeout> {
    KNOWN.iter().filter(|known| {
        !configured.iter().any(|one| one.hop == known.hop && one.name == known.name)
    })
}

impl Timeout {
    /// A limit that somebody set. If its hop and name are those of a known one, it ends
    /// as that one does.
    #[must_use]
    pub fn configured(hop: Hop, name: &str, length: Duration) -> Self {
        let like = KNOWN.iter().find(|known| known.hop == hop && known.name == name);
        Self {
            hop,
            name: Cow::Owned(name.to_owned()),
            seconds: length.as_secs_f64(),
            origin: Origin::Configured,
            answers: like.map_or(&[], |like| like.answers),
            phases: like.map_or(&[Phase::FirstByte, Phase::Body], |like| like.phases),
            source: None,
        }
    }

    fn explains(&self, speaker: Option<Hop>, end: End) -> bool {
        let by_speaker = |hop: &Hop| speaker.is_none_or(|speaker| speaker == *hop);
        match end {
            End::Answered(status) => {
                let notified =
                    |(hop, notified): &(Hop, u16)| *notified == status && by_speaker(hop);
                self.answers.is_empty() || self.answers.iter().any(notified)
            }
            // Proxies answer when they give up; only what runs the application just goes.
            End::Closed => self.answers.is_empty() || self.hop == Hop::Gunicorn,
            End::CutOff => self.phases.contains(&Phase::Body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(elapsed: f64, speaker: Option<Hop>, status: u16) -> Vec<String> {
        let candidates = candidates(speaker, End::Answered(status), &[]);
        let fits = fits(elapsed, Phase::FirstByte, &candidates);
        fits.iter().map(|fit| format!("{} {}", fit.timeout.hop.key(), fit.timeout.name)).collect()
    }

    #[test]
    fn a_wait_names_the_timeout() {
        for (elapsed, speaker, status, fits) in [
            (60.2, Some(Hop::Alb), 504, vec!["alb idle_timeout"]),
            (10.01, Some(Hop::Alb), 504, vec!["alb connection or TLS timeout"]),
            (29.2, Some(Hop::ApiGateway), 504, vec!["api_gateway integration timeout (REST)"]),
            (3.02, Some(Hop::Alb), 502, vec!["lambda timeout"]),
            (120.4, Some(Hop::Cloudflare), 524, vec!["cloudflare Proxy Read Timeout"]),
            (19.1, Some(Hop::Cloudflare), 522, vec!["cloudflare Complete TCP Connection"]),
            (
                90.3,
                Some(Hop::CloudFront),
                504,
                vec!["cloudfront origin response timeout, 3 x 30 s"],
            ),
            (30.1, Some(Hop::Heroku), 503, vec!["heroku request timeout (H12)"]),
            (30.1, Some(Hop::Nginx), 502, vec!["gunicorn timeout"]),
            (15.0, Some(Hop::Envoy), 504, vec!["envoy route timeout"]),
            (42.0, Some(Hop::Alb), 504, vec![]),
            (60.2, Some(Hop::Alb), 500, vec![]),
        ] {
            assert_eq!(check(elapsed, speaker, status), fits, "{elapsed} {speaker:?} {status}");
        }
    }

    #[test]
    fn what_fits_alike_is_listed_alike() {
        let nginx = check(60.0, Some(Hop::Nginx), 504);
        assert!(nginx.len() >= 2, "{nginx:?}");
        let anybody = check(30.0, None, 504);
        assert!(anybody.len() >= 2, "{anybody:?}");
    }

    #[test]
    fn a_setting_takes_the_place_of_its_default() {
        let name = "proxy_read_timeout";
        let set = [Timeout::configured(Hop::Nginx, name, Duration::from_secs(1))];
        let candidates = candidates(Some(Hop::Nginx), End::Answered(504), &set);
        assert_eq!(candidates.iter().filter(|one| one.name == name).count(), 1);
        let fits = fits(1.02, Phase::FirstByte, &candidates);
        assert_eq!(fits.len(), 1);
        assert_eq!(fits[0].timeout.origin, Origin::Configured);
        assert!((fits[0].off_by - 0.02).abs() < 1e-9);
    }

    #[test]
    fn a_proxy_that_gives_up_answers_unless_it_has_begun() {
        let hops = |seconds, end: End| {
            let fits = fits(seconds, end.phase(), &candidates(None, end, &[]));
            fits.iter().map(|fit| fit.timeout.hop).collect::<Vec<_>>()
        };
        assert_eq!(hops(60.0, End::Closed), []);
        assert_eq!(hops(30.0, End::Closed), [Hop::Gunicorn]);
        assert_eq!(hops(60.0, End::CutOff), [Hop::Alb, Hop::Nginx, Hop::Apache]);
    }

    #[test]
    fn the_tolerance_is_half_a_second_or_two_percent() {
        for (seconds, wanted) in [(1.0, 0.5), (25.0, 0.5), (60.0, 1.2), (350.0, 7.0)] {
            assert!((tolerance(seconds) - wanted).abs() < 1e-9, "{seconds}");
        }
        let candidates = [Timeout::configured(Hop::Alb, "x", Duration::from_mins(1))];
        for (elapsed, count) in [(58.7, 0), (58.9, 1), (61.1, 1), (61.3, 0)] {
            assert_eq!(fits(elapsed, Phase::FirstByte, &candidates).len(), count, "{elapsed}");
        }
        assert!(fits(60.0, Phase::Connect, &candidates).is_empty());
    }

    #[test]
    fn every_default_has_a_source() {
        for timeout in KNOWN {
            assert!(timeout.source.is_some_and(|url| url.starts_with("https://")), "{timeout:?}");
            assert!(!timeout.answers.is_empty() && !timeout.phases.is_empty(), "{timeout:?}");
        }
    }
}
