//! What people ask of the daemon while it runs: silences, acknowledgements, reports.
//!
//! They are answered whatever the daemon waits for: a command changes the state, and a call
//! to AWS that is under way holds no part of it.

use std::path::Path;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Daemon;
use super::report::Looked;
use crate::edge::aws;
use crate::edge::control::{Answer, Asked, Command, Control};
use crate::edge::time::Stop;
use nearmiss_core::alerting::{LONGEST_COMMENT, MAX_SILENCES, Matcher, SILENCE_SECONDS, Silence};
use nearmiss_core::detect::Severity;
use nearmiss_core::gateway::Identity;
use nearmiss_core::notification::fingerprint;
use nearmiss_core::pattern::Pattern;
use nearmiss_core::series::history::Mark;
use nearmiss_core::suggestion;
use nearmiss_core::time::Minute;

/// At most this many reports are prepared at once; further requests wait in the queue.
const MAX_REPORTS: usize = 8;

/// What comes from outside.
#[derive(Debug)]
pub(super) struct Commands {
    /// A request to stop.
    pub(super) stop: Stop,
    asked: mpsc::Receiver<Asked>,
    reports: FuturesUnordered<LocalBoxFuture<'static, Looked>>,
}

/// What is to be handled next.
pub(super) enum Call {
    Asked(Asked),
    Looked(Looked),
}

impl Default for Commands {
    /// Nobody can ask.
    fn default() -> Self {
        let (stop, reports) = (Stop::default(), FuturesUnordered::new());
        Self { stop, asked: mpsc::channel(1).1, reports }
    }
}

impl Commands {
    /// Listens on the control socket until `stop`; without a socket, nobody can ask.
    pub(super) async fn listen(&mut self, socket: &Path, stop: &CancellationToken) {
        self.stop = stop.clone().into();
        match Control::listen(socket).await {
            Ok(control) => self.asked = control.serve(stop.clone()),
            Err(error) => {
                let why = aws::chain(&error);
                warn!(
                    "{why}: `nearmiss silence` and `acknowledge` will not be heard; set [control] socket to a path in a directory of this user"
                );
            }
        }
    }

    /// The next request. Dropping this future loses nothing.
    pub(super) async fn next(&mut self) -> Call {
        tokio::select! {
            Some(looked) = self.reports.next() => Call::Looked(looked),
            Some(asked) = self.asked.recv(), if self.reports.len() < MAX_REPORTS => Call::Asked(asked),
            else => std::future::pending().await,
        }
    }

    /// Waits for what a report needs.
    pub(super) fn wait_for(&mut self, look: impl Future<Output = Looked> + 'static) {
        self.reports.push(Box::pin(look));
    }
}

impl Daemon {
    /// Answers a request.
    pub(super) async fn answer(&mut self, call: Call, now: i64) {
        match call {
            Call::Looked(looked) => self.finish_report(looked, now).await,
            // Whoever asked may be gone; then there is nothing to do.
            Call::Asked(Asked { answer, .. }) if answer.is_closed() => {}
            Call::Asked(Asked { command: Command::Report { days }, answer }) => {
                self.start_report(days, now, answer).await;
            }
            Call::Asked(Asked { command, answer }) => {
                let _ = answer.send(self.obey(command, now).await);
            }
        }
    }

    /// Carries out a request, and saves the result before it answers.
    async fn obey(&mut self, command: Command, now: i64) -> Answer {
        let minute = Minute::containing(now);
        let answer = match command {
            Command::Silence { matcher, at_most, seconds, by, comment } => {
                self.silence(matcher, at_most, seconds, minute, (&by, &comment))
            }
            Command::Silences => return Answer::Silences(self.silences(minute)),
            Command::Report { .. } => return Answer::Refused("reports are made apart".to_owned()),
            Command::Expire { id } => self.expire(&id, minute),
            Command::Acknowledge { gateway } => self.acknowledge(&gateway, minute).await,
        };
        if matches!(answer, Answer::Refused(_)) {
            return answer;
        }
        match self.save(now).await {
            Some(trouble) => {
                Answer::Refused(format!("done, but not remembered over a restart: {trouble}"))
            }
            None => answer,
        }
    }

    fn silences(&self, now: Minute) -> Vec<Silence> {
        let silences = self.persisted.silences.iter();
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
        if !SILENCE_SECONDS.contains(&seconds) {
            return Answer::Refused("expected a silence of 1m to 90days".to_owned());
        }
        if self.silences(now).len() >= MAX_SILENCES {
            return Answer::Refused(format!(
                "there are {MAX_SILENCES} silences already: expire some, or match more with one"
            ));
        }
        if !matcher.tags.is_empty() && !self.config.reads_tags() {
            return Answer::Refused(
                "the tags of load balancers are not known: they are read only where a [[gateway]], [[route]], [[maintenance]] or [metrics] tag_labels of the config asks for them"
                    .to_owned(),
            );
        }
        let gateways = self.poller.gateways().filter(|one| matcher.means(one)).count();
        let advice = (gateways == 0).then(|| self.nothing_fits(&matcher));
        let minutes = i64::try_from(seconds.div_ceil(60)).unwrap_or(i64::MAX);
        let what = serde_json::to_string(&matcher).unwrap_or_default();
        let number = self.persisted.silences.len();
        let id = fingerprint([what, by.to_owned(), now.to_string(), number.to_string()]);
        let silence = Silence {
            id: id[..8].to_owned(),
            matcher,
            at_most,
            from: now,
            until: now.plus(minutes),
            by: by.chars().take(200).collect(),
            comment: comment.chars().take(LONGEST_COMMENT).collect(),
        };
        self.persisted.silences.push(silence.clone());
        Answer::Silenced { silence: Box::new(silence), gateways: gateways as u64, advice }
    }

    /// The warning about a silence that matches no gateway now.
    fn nothing_fits(&self, matcher: &Matcher) -> String {
        let wanted = matcher.gateway.as_ref();
        let names: Vec<&str> = self.poller.gateways().map(|one| one.id.name.as_str()).collect();
        let is_named = names.iter().any(|name| wanted.is_none_or(|wanted| wanted.fits(name)));
        let hint = match wanted {
            _ if names.is_empty() => return "no gateway is found yet".to_owned(),
            Some(wanted) if !is_named => suggestion::instead_of(wanted.as_str(), names),
            _ => "not with these tags".to_owned(),
        };
        format!(
            "no gateway that is watched fits it now ({hint}). It holds for those that come; `nearmiss silence expire` takes it back"
        )
    }

    fn expire(&mut self, id: &str, now: Minute) -> Answer {
        let is_it = |silence: &&mut Silence| silence.id == id && silence.until > now;
        match self.persisted.silences.iter_mut().find(is_it) {
            Some(silence) => {
                silence.until = now;
                Answer::Silences(vec![silence.clone()])
            }
            None => Answer::Refused(format!(
                "no silence {id} is in force: `nearmiss silence list` shows those that are"
            )),
        }
    }

    /// Marks the open episodes of these gateways as meant to be so, or else the last
    /// stretch of trouble that was found there: it stays an example of what is usual.
    async fn acknowledge(&mut self, gateway: &Pattern, now: Minute) -> Answer {
        let mut done = Vec::new();
        let mut names = Vec::new();
        let mut meant = Vec::new();
        for key in self.persisted.gateways.keys() {
            let Identity { name, dimension, .. } = Identity::of_key(key);
            if gateway.fits(&name) || gateway.fits(&dimension) {
                meant.push((key.clone(), name.clone()));
            }
            names.push(name);
        }
        for (key, name) in &meant {
            let state = self.persisted.gateways.get_mut(key);
            let Some((from, to)) = state.and_then(|state| state.acknowledge(now)) else { continue };
            self.bring_back(std::slice::from_ref(key)).await;
            if let Some(history) = self.poller.histories.get_mut(key) {
                history.mark(from, to, Mark::Benign);
            }
            done.push(format!("{name}: from {from} to {to}"));
        }
        if meant.is_empty() {
            let names = names.iter().map(String::as_str);
            let hint = suggestion::instead_of(gateway.as_str(), names);
            return Answer::Refused(format!("no gateway of that name is watched: {hint}"));
        }
        if done.is_empty() {
            let known =
                "no gateway of that name has an open episode, or had trouble in the last 14 days";
            return Answer::Refused(known.to_owned());
        }
        Answer::Acknowledged(done)
    }
}
