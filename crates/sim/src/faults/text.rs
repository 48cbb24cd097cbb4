//! Reading faults from text such as `throttle=0.1,publish=90,gap=20-25:15`.
//!
//! Apart from [`crate::faults`], which says what the faults do. A part of the
//! text that cannot be read is refused with what would fit.
//!
//! What there is and what it takes is listed in [`crate::faults::list`]. A fault with
//! minutes, an action, a load balancer or a topic may be given several times.

use std::str::FromStr;

use crate::faults::hostile::{Hostile, NEEDS};
use crate::faults::kms::Kms;
use crate::faults::late::{Delay, Gap, Lag, Partly, Whose};
use crate::faults::options::needs;
use crate::faults::{FaultError, Faults};
use crate::names::{topic_arn, valid_topic};
use crate::timeline::{Change, Span};
use crate::wire::protocol::SERVICES;

/// What the faults of late points take.
const GAP: &str = "minutes FROM-TO[:MINUTES], then once, each, oldest, newest or shuffled, metrics, \
                   and lb=NAME, each behind a colon";
const LAG: &str = "FROM-TO:MINUTES by AWS's now, then once, each, oldest, newest or shuffled, \
                   metrics, and lb=NAME, each behind a colon";
const PARTLY: &str = "minutes FROM-TO:SECONDS, then metrics and lb=NAME, each behind a colon";
const PUBLISH: &str =
    "whole seconds, a year at most, then metrics and lb=NAME, each behind a colon";

/// Seconds a clock may be off at most: a year.
const YEAR: i64 = 366 * 86_400;

impl FromStr for Faults {
    type Err = FaultError;

    /// Reads `"throttle=0.1,partial=0.05,denied=sns:Publish"`; empty text is no
    /// fault. After `denied` further actions may follow, as in `denied=ec2:*,ecs:*`.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        let mut before = "";
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = match part.split_once('=') {
                Some(pair) => pair,
                None if before == "denied" && part.contains(':') => (before, part),
                None => (part, ""),
            };
            let part = Part { name: name.trim(), value: value.trim() };
            before = part.name;
            let taken = part.share(&mut faults)? || part.number(&mut faults)?;
            if !(taken || part.late(&mut faults)? || part.time(&mut faults)?) {
                part.other(&mut faults)?;
            }
        }
        Ok(faults)
    }
}

/// One `NAME=VALUE`.
#[derive(Clone, Copy)]
struct Part<'a> {
    name: &'a str,
    value: &'a str,
}

impl Part<'_> {
    fn wrong(self, needs: &'static str) -> FaultError {
        FaultError::Value { name: self.name.to_owned(), value: self.value.to_owned(), needs }
    }

    fn parsed<T: FromStr>(self, needs: &'static str) -> Result<T, FaultError> {
        self.value.parse().map_err(|_| self.wrong(needs))
    }

    /// Takes a fault that is a share; false if it is none.
    fn share(self, faults: &mut Faults) -> Result<bool, FaultError> {
        let slot = match self.name {
            "throttle" => &mut faults.throttle,
            "error500" => &mut faults.error500,
            "partial" => &mut faults.partial,
            "internal" => &mut faults.internal,
            "lost_page" => &mut faults.lost_page,
            "revise" => &mut faults.revise,
            "revise_late" => &mut faults.revise_late,
            "shuffle" => &mut faults.shuffle,
            "duplicate" => &mut faults.duplicate,
            "cut" => &mut faults.cut,
            "stall" => &mut faults.stall,
            "sns_throttle" => &mut faults.sns.throttle,
            "sns_error" => &mut faults.sns.error,
            "sns_lost" => &mut faults.sns.lost,
            "sns_cut" => &mut faults.sns.cut,
            _ => return Ok(false),
        };
        let number = self.value.parse::<f64>().ok();
        let number = number.filter(|share| (0.0..=1.0).contains(share));
        *slot = number.ok_or_else(|| self.wrong("a share between 0 and 1"))?;
        Ok(true)
    }

    /// Takes a fault that is a number; false if it is none.
    fn number(self, faults: &mut Faults) -> Result<bool, FaultError> {
        match self.name {
            "sns_down" => faults.sns_down = self.parsed("a whole number")?,
            "sns_slow_ms" => faults.sns.slow_ms = self.parsed("a whole number")?,
            "slow_ms" => faults.slow_ms = self.parsed("a whole number")?,
            "late" => faults.late = self.parsed("a whole number of minutes")?,
            "clock" => faults.clock = Some(self.seconds(-YEAR)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a fault that makes points late; false if it is none.
    fn late(self, faults: &mut Faults) -> Result<bool, FaultError> {
        let Self { name, value } = self;
        let late = &mut faults.late_points;
        match name {
            "gap" => late.gaps.push(Gap::read(value).ok_or_else(|| self.wrong(GAP))?),
            "lag" => late.lags.push(Lag::read(value).ok_or_else(|| self.wrong(LAG))?),
            "partly" => late.partly.push(Partly::read(value).ok_or_else(|| self.wrong(PARTLY))?),
            "publish" => {
                let delay = Delay::read(value).ok_or_else(|| self.wrong(PUBLISH))?;
                if delay.whose == Whose::default() {
                    faults.publish = Some(delay.seconds);
                } else {
                    late.delays.push(delay);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn seconds(self, least: i64) -> Result<i64, FaultError> {
        let needs = "whole seconds, a year at most";
        let seconds = self.parsed(needs)?;
        if (least..=YEAR).contains(&seconds) { Ok(seconds) } else { Err(self.wrong(needs)) }
    }

    /// Takes a fault of certain minutes, or a change of the account; false if it is none.
    fn time(self, faults: &mut Faults) -> Result<bool, FaultError> {
        let spans = match self.name {
            "timeout" | "create" | "delete" | "recreate" | "idle" => {
                let change = Change::read(self.name, self.value);
                let needs = "NAME:MINUTE, for timeout NAME:MINUTE:SECONDS, for idle also \
                             NAME:MINUTE:MINUTES";
                faults.changes.push(change.ok_or_else(|| self.wrong(needs))?);
                return Ok(true);
            }
            "expire" => &mut faults.expire,
            "down" => &mut faults.down,
            "throttled" => &mut faults.throttled,
            "sns_out" => &mut faults.sns.out,
            "chat_failing" => &mut faults.sns.chat_failing,
            _ => return Ok(false),
        };
        spans.push(Span::read(self.value).ok_or_else(|| self.wrong("minutes FROM-TO"))?);
        Ok(true)
    }

    /// Takes an option or whatever is left.
    fn other(self, faults: &mut Faults) -> Result<(), FaultError> {
        if let Some(needs) = needs(self.name) {
            return faults.options.take(self.name, self.value).ok_or_else(|| self.wrong(needs));
        }
        match self.name {
            "denied" => {
                let service = self.value.split_once(':').map(|action| action.0);
                if !SERVICES.iter().any(|known| Some(known.prefix) == service) {
                    return Err(self.wrong("an IAM action such as sns:Publish"));
                }
                faults.denied.push(self.value.to_owned());
            }
            "expired" => faults.expired = self.flag()?,
            "retention" => faults.retention = self.flag()?,
            "date" => {
                let date = self.value.split_once(':').filter(|parts| !parts.0.is_empty());
                let date =
                    date.and_then(|(whose, off)| Some((whose.to_owned(), off.parse().ok()?)));
                let date = date.filter(|(_, off): &(String, i64)| (-YEAR..=YEAR).contains(off));
                let needs = "an account or a Region and seconds, as in 222222222222:-400";
                faults.dates.push(date.ok_or_else(|| self.wrong(needs))?);
            }
            "hostile" => {
                let hostile = Hostile::read(self.value).ok_or_else(|| self.wrong(NEEDS))?;
                faults.hostile.push(hostile);
            }
            "linked" => faults.linked.push(self.value.to_owned()),
            "external_id" if !self.value.is_empty() => {
                faults.external_id = Some(self.value.to_owned());
            }
            "external_id" => return Err(self.wrong("a text")),
            _ => return self.topic(faults),
        }
        Ok(())
    }

    /// Takes a fault of a topic, or nothing fits.
    fn topic(self, faults: &mut Faults) -> Result<(), FaultError> {
        let name = || {
            let named = valid_topic(self.value).then(|| self.value.to_owned());
            named.ok_or_else(|| self.wrong("the name of a topic such as nearmiss or nearmiss.fifo"))
        };
        match self.name {
            "sns_deny" => faults.sns.deny.push(name()?),
            "topic" => faults.sns.topics.push(name()?),
            "foreign_topic" if topic_arn(self.value).is_some() => {
                faults.sns.foreign_topics.push(self.value.to_owned());
            }
            "foreign_topic" => {
                return Err(self.wrong("an ARN as arn:aws:sns:eu-central-1:222222222222:alerts"));
            }
            "sns_kms" => {
                let needs = "KMSAccessDenied, KMSDisabled, KMSInvalidState, KMSNotFound, \
                             KMSOptInRequired or KMSThrottling";
                faults.sns.kms = Some(Kms::read(self.value).ok_or_else(|| self.wrong(needs))?);
            }
            _ => return Err(FaultError::Unknown(self.name.to_owned())),
        }
        Ok(())
    }

    fn flag(self) -> Result<bool, FaultError> {
        match self.value {
            "" | "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("true or false")),
        }
    }
}
