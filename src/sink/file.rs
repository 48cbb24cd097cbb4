//! A file: each notification is a line of JSON at its end.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::{Settings, Sink, SinkError};
use crate::edge::aws::{ErrorKind, Usage};
use nearmiss_core::alerting::{Audience, Guarantee, Receiver, ReceiverId};
use nearmiss_core::notification::Notification;
use nearmiss_core::render::Message;

/// `[sink.file]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// Where the lines are added.
    path: PathBuf,
}

impl Settings for Lines {
    fn receiver(&self) -> Receiver {
        Receiver {
            id: ReceiverId::of(&self.path.to_string_lossy()),
            label: "file".to_owned(),
            audience: Audience::Programs,
            guarantee: Guarantee::AtLeastOnce,
        }
    }

    fn contradiction(&self) -> Option<String> {
        let path = self.path.display();
        self.path.is_relative().then(|| format!("expected a path from the root, found \"{path}\""))
    }

    fn connect<'a>(&'a self, _: &'a SdkConfig) -> BoxFuture<'a, Box<dyn Sink>> {
        let sink: Box<dyn Sink> = Box::new(self.clone());
        futures::future::ready(sink).boxed()
    }
}

impl Sink for Lines {
    fn sending(&self) -> &'static str {
        "file:Append"
    }

    fn looking(&self) -> &'static str {
        "file:Open"
    }

    fn send<'a>(
        &'a self,
        _: &'a Notification,
        message: &'a Message,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        let sent = append(&self.path, &format!("{}\n", message.machine));
        futures::future::ready(sent.map_err(|error| failed(self.sending(), &error))).boxed()
    }

    fn look(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        let open = append(&self.path, "");
        futures::future::ready(open.map_err(|error| failed(self.looking(), &error))).boxed()
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

fn failed(action: &'static str, error: &std::io::Error) -> SinkError {
    SinkError {
        action,
        kind: ErrorKind::Failed,
        said: format!("{action}: {error}"),
        advice: "Set path to a file that the user of nearmiss may write.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Senders, Target};
    use super::*;
    use crate::config::Config;
    use crate::edge::time::Deadline;
    use futures::StreamExt;
    use nearmiss_core::notification::Delivery;
    use nearmiss_core::render::Links;
    use nearmiss_core::time::Minute;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_config_that_names_it_gets_a_line_for_each_notification() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let text = format!(
            "[[gateway]]\nload_balancer = \"web\"\n[watcher]\nsink.file.path = {path:?}\n\
             [[route]]\nsink.file = {{ path = {path:?} }}\n[sink.file]\npath = {path:?}\n"
        );
        let config = Config::parse(&text, Path::new("test.toml")).unwrap();
        let targets: Vec<&Target> = config.targets().collect();
        assert_eq!(targets.len(), 3);
        let base = SdkConfig::builder().build();
        let senders = Arc::new(Senders::connect(config.targets(), Links::default(), &base).await);
        let receiver = config.fallback();
        let one = |minute| Delivery {
            receiver: receiver.clone(),
            notification: Notification::Test(Minute(minute)),
        };
        let stop = CancellationToken::new();
        let deadline = Deadline::after(Duration::from_secs(10), stop.into());
        let sent = senders.deliver((0..2).map(one).collect(), deadline);
        assert_eq!(sent.collect::<Vec<_>>().await.len(), 2);
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 2);
    }
}
