//! The signals that a command listens to.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Failure;

/// The number of the signal on Linux, but on MIPS.
const SIGXFSZ: i32 = 25;

/// Completes on SIGTERM and SIGINT; a second one ends the process at once.
pub fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let fire = stop.clone();
    let mut term = signal(SignalKind::terminate()).map_err(|error| Failure::failed(&error))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|error| Failure::failed(&error))?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        fire.cancel();
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        process::exit(130);
    });
    Ok(stop)
}

/// A file that grows beyond the limit of this process (`RLIMIT_FSIZE`) is an error of that
/// write, as a full disk is, and not the end of the process.
pub fn survive_file_size_limit() -> Result<(), Failure> {
    let signal = signal(SignalKind::from_raw(SIGXFSZ)).map_err(|error| Failure::failed(&error))?;
    // Whoever has listened to a signal once is no longer ended by it.
    drop(signal);
    Ok(())
}

/// Yields an item at each SIGHUP.
pub fn reload_on_signal() -> Result<mpsc::Receiver<()>, Failure> {
    let mut hup = signal(SignalKind::hangup()).map_err(|error| Failure::failed(&error))?;
    let (send, reload) = mpsc::channel(1);
    tokio::spawn(async move { while hup.recv().await.is_some() && send.send(()).await.is_ok() {} });
    Ok(reload)
}
