//! The control socket: how `nearmiss silence` and the like reach the daemon.
//!
//! HTTP over a Unix socket, so that the file's permissions say who may, and `curl
//! --unix-socket` works as well. A request is handed to the daemon's one loop, which
//! answers between polls and while a poll waits: it owns all state.

use std::convert::Infallible;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use nearmiss_core::alerting::{Matcher, Silence};
use nearmiss_core::capacity::Written;
use nearmiss_core::detect::Severity;
use nearmiss_core::pattern::Pattern;

/// The daemon may be busy with a poll, and a poll has a deadline.
const PATIENCE: Duration = Duration::from_secs(90);
/// A request is a line or two.
const MAX_BYTES: usize = 64 * 1024;
/// Who may ask: the daemon's own user.
const MODE: u32 = 0o600;
/// The pause after a connection could not be accepted.
const BREATH: Duration = Duration::from_millis(100);
/// Requests that may wait at once.
const MAX_WAITING: usize = 16;

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Mute alerts for a while.
    Silence {
        /// Which alerts.
        matcher: Matcher,
        /// Up to this severity.
        at_most: Severity,
        /// For how long.
        seconds: u64,
        /// Who says so.
        by: String,
        /// Why.
        comment: String,
    },
    /// List the silences.
    Silences,
    /// End a silence now.
    Expire {
        /// Which one.
        id: String,
    },
    /// Make the capacity report of the last days.
    Report {
        /// How many days.
        days: u32,
    },
    /// Acknowledge: what happens to these gateways is meant to be so.
    Acknowledge {
        /// Their names.
        gateway: Pattern,
    },
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// These silences are in force, or have ended.
    Silences(Vec<Silence>),
    /// This silence was set.
    Silenced {
        /// Which one.
        silence: Box<Silence>,
        /// How many of the gateways that are watched it matches now.
        gateways: u64,
        /// The hint where it matches none.
        #[serde(default)]
        advice: Option<String>,
    },
    /// The capacity report.
    Report(Box<Written>),
    /// These gateways' episodes are acknowledged.
    Acknowledged(Vec<String>),
    /// It cannot be done: why, and the way out.
    Refused(String),
}

/// A request on its way.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub command: Command,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It cannot listen.
    #[error("cannot listen on the control socket {}", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No daemon listens.
    #[error("no daemon answers on {}: is `nearmiss run` running with this config, and may you use its socket (sudo -u nearmiss)?", path.display())]
    Nobody {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not answer, or with something unknown.
    #[error("the daemon on {} did not answer: {said}", path.display())]
    Silent {
        /// Where.
        path: PathBuf,
        /// What happened.
        said: String,
    },
}

/// A socket on which the daemon is asked. Its file is removed with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Control {
    /// Listens. The file of a daemon that has died is replaced.
    ///
    /// # Errors
    /// When the directory does not exist or another daemon listens.
    pub async fn listen(path: &Path) -> Result<Self, ControlError> {
        let fault = |source| ControlError::Listen { path: path.to_owned(), source };
        if UnixStream::connect(path).await.is_ok() {
            return Err(fault(io::ErrorKind::AddrInUse.into()));
        }
        match std::fs::symlink_metadata(path) {
            Ok(file) if !file.file_type().is_socket() => {
                return Err(fault(io::Error::other("a file that is no socket is there")));
            }
            Ok(_) => std::fs::remove_file(path).map_err(fault)?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(fault)?;
        std::fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(fault)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Passes on requests until `stop`.
    #[must_use]
    pub fn serve(self, stop: CancellationToken) -> mpsc::Receiver<Asked> {
        let (asks, asked) = mpsc::channel(MAX_WAITING);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = self.listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(BREATH).await;
                    continue;
                };
                let asks = asks.clone();
                tokio::spawn(tokio::time::timeout(PATIENCE, connection(stream, asks)));
            }
        });
        asked
    }
}

async fn connection(stream: UnixStream, asks: mpsc::Sender<Asked>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let asks = asks.clone();
        async move { Ok::<_, Infallible>(hand_on(request, &asks).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn hand_on(request: Request<Incoming>, asks: &mpsc::Sender<Asked>) -> Response<Full<Bytes>> {
    let refused = |said: String| (StatusCode::BAD_REQUEST, Answer::Refused(said));
    let (status, answer) = match command(request).await {
        Err(said) => refused(said),
        Ok(command) => {
            let (answer, answered) = oneshot::channel();
            let _ = asks.send(Asked { command, answer }).await;
            match answered.await {
                Ok(answer @ Answer::Refused(_)) => (StatusCode::UNPROCESSABLE_ENTITY, answer),
                Ok(answer) => (StatusCode::OK, answer),
                Err(_) => refused("the daemon is stopping".to_owned()),
            }
        }
    };
    let mut response =
        Response::new(Full::new(serde_json::to_vec(&answer).unwrap_or_default().into()));
    *response.status_mut() = status;
    response
}

async fn command(request: Request<Incoming>) -> Result<Command, String> {
    let body = Limited::new(request.into_body(), MAX_BYTES).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| format!("not a command: {error}"))
}

/// Asks the daemon that listens there.
///
/// # Errors
/// When no daemon listens or it does not answer.
pub async fn ask(path: &Path, command: &Command) -> Result<Answer, ControlError> {
    let silent = |said: String| ControlError::Silent { path: path.to_owned(), said };
    let stream = UnixStream::connect(path)
        .await
        .map_err(|source| ControlError::Nobody { path: path.to_owned(), source })?;
    let exchange = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = serde_json::to_vec(command).unwrap_or_default();
        let request =
            Request::post("/").header("host", "nearmiss").body(Full::new(Bytes::from(body)));
        let response = sender.send_request(request.unwrap_or_default()).await?;
        Ok::<_, hyper::Error>(response.into_body().collect().await?.to_bytes())
    };
    let bytes = tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| silent(format!("nothing within {} s", PATIENCE.as_secs())))?
        .map_err(|error| silent(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| silent(error.to_string()))
}
