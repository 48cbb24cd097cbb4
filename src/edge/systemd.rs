//! What systemd is notified of, if it started this: ready, alive, stopping.
//!
//! `NOTIFY_SOCKET` names a datagram socket: a path, or after an `@` a name in Linux's
//! abstract namespace, which container managers use (`sd_notify(3)`).

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A notification to systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The daemon is ready.
    Ready,
    /// A poll has ended.
    Watchdog,
    /// The daemon is about to end.
    Stopping,
}

/// Notifies systemd; without systemd there is nothing to do, and that is fine.
///
/// # Errors
/// When the socket does not exist, or does not accept it.
pub fn notify(state: State) -> io::Result<()> {
    match env::var_os("NOTIFY_SOCKET") {
        Some(socket) if !socket.is_empty() => send(socket.as_bytes(), state),
        _ => Ok(()),
    }
}

fn send(socket: &[u8], state: State) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(socket))?,
    };
    let said: &[u8] = match state {
        State::Ready => b"READY=1",
        State::Watchdog => b"WATCHDOG=1",
        State::Stopping => b"STOPPING=1",
    };
    let unbound = UnixDatagram::unbound()?;
    unbound.set_nonblocking(true)?; // a manager that does not read must not block a poll
    unbound.send_to_addr(said, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram, socket: &[u8]) -> String {
        let mut heard = [0; 64];
        send(socket, State::Watchdog).unwrap();
        let length = listener.recv(&mut heard).unwrap();
        String::from_utf8_lossy(&heard[..length]).into_owned()
    }

    #[test]
    fn a_path_and_an_abstract_name_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        assert_eq!(heard(&listener, path.as_os_str().as_bytes()), "WATCHDOG=1");
        let name = format!("nearmiss-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(heard(&listener, format!("@{name}").as_bytes()), "WATCHDOG=1");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for socket in ["/nonexistent/notify", "@nearmiss-nobody-listens", "@", "relative"] {
            assert!(send(socket.as_bytes(), State::Ready).is_err(), "{socket}");
        }
    }
}
