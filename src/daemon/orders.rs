//! What people tell the daemon while it runs: silences, and what is benign.

use super::Daemon;
use crate::analysis::detector::Severity;
use crate::analysis::history::Mark;
use crate::analysis::notify::{MOST_SILENCES, Matcher, Pattern, Silence, fingerprint};
use crate::analysis::signal::Minute;
use crate::edge::control::{Answer, Command};

/// No silence lasts longer.
const LONGEST_SILENCE: u64 = 90 * 86_400;

impl Daemon {
    /// Does what is asked, and remembers it before it answers.
    pub(super) async fn obey(&mut self, command: Command, now: i64) -> Answer {
        // By AWS's clock, as everything that it is compared with.
        let minute = Minute::containing(self.by_aws(now));
        let answer = match command {
            Command::Silence { matcher, at_most, seconds, by, comment } => {
                self.silence(matcher, at_most, seconds, minute, (&by, &comment))
            }
            Command::Silences => return Answer::Silences(self.silences(minute)),
            Command::Report { days } => return self.report(days, now).await,
            Command::Expire { id } => self.expire(&id, minute),
            Command::Acknowledge { gateway } => self.acknowledge(&gateway, minute),
        };
        if matches!(answer, Answer::Refused(_)) {
            return answer;
        }
        match self.save(self.by_aws(now)) {
            Some(trouble) => {
                Answer::Refused(format!("done, but not remembered over a restart: {trouble}"))
            }
            None => answer,
        }
    }

    fn silences(&self, now: Minute) -> Vec<Silence> {
        let silences = self.memory.silences.iter();
        silences.filter(|silence| silence.until > now).cloned().collect()
    }

    fn silence(
        &mut self,
        matcher: Matcher,
        at_most: Severity,
        seconds: u64,
        now: Minute,
        (by, comment): (&str, &str),
    ) -> Answer {
        if !(60..=LONGEST_SILENCE).contains(&seconds) {
            return Answer::Refused("expected a silence of 1m to 90days".to_owned());
        }
        if self.silences(now).len() >= MOST_SILENCES {
            return Answer::Refused(format!(
                "there are {MOST_SILENCES} silences already: expire some, or match more with one"
            ));
        }
        if !matcher.tags.is_empty() && !self.gateways().iter().any(|one| matcher.means(one)) {
            return Answer::Refused(
                "no watched load balancer has these tags: they are read only where a [[gateway]], [[route]] or [[maintenance]] of the config asks for tags"
                    .to_owned(),
            );
        }
        let minutes = i64::try_from(seconds.div_ceil(60)).unwrap_or(i64::MAX);
        let what = serde_json::to_string(&matcher).unwrap_or_default();
        let number = self.memory.silences.len();
        let id = fingerprint([what, by.to_owned(), now.to_string(), number.to_string()]);
        let silence = Silence {
            id: id[..8].to_owned(),
            matcher,
            at_most,
            from: now,
            until: now.plus(minutes),
            by: by.chars().take(200).collect(),
            comment: comment.chars().take(1000).collect(),
        };
        self.memory.silences.push(silence.clone());
        Answer::Silences(vec![silence])
    }

    fn expire(&mut self, id: &str, now: Minute) -> Answer {
        let is_it = |silence: &&mut Silence| silence.id == id && silence.until > now;
        match self.memory.silences.iter_mut().find(is_it) {
            Some(silence) => {
                silence.until = now;
                Answer::Silences(vec![silence.clone()])
            }
            None => Answer::Refused(format!(
                "no silence {id} is in force: `nearmiss silence list` shows those that are"
            )),
        }
    }

    /// The open episodes of these gateways are meant to be so, or else the last
    /// stretch of trouble that was found there: it stays an example of what is usual.
    fn acknowledge(&mut self, gateway: &Pattern, now: Minute) -> Answer {
        let mut done = Vec::new();
        for (key, ledger) in &mut self.memory.gateways {
            let dimension = key.splitn(3, '/').nth(2).unwrap_or_default();
            let name = dimension.split('/').nth(1).unwrap_or(dimension);
            if !gateway.fits(name) && !gateway.fits(dimension) {
                continue;
            }
            let Some((from, to)) = ledger.acknowledge(now) else { continue };
            if let Some(history) = self.histories.get_mut(key) {
                history.mark(from, to, Mark::Benign);
            }
            done.push(format!("{name}: from {from} to {to}"));
        }
        if done.is_empty() {
            let known =
                "no gateway of that name has an open episode, or had trouble in the last 14 days";
            return Answer::Refused(known.to_owned());
        }
        Answer::Acknowledged(done)
    }
}
