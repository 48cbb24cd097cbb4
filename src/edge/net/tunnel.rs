//! A tunnel through a proxy to a host behind it: `CONNECT` of RFC 9110, section 9.3.6.

use std::io;

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::proxy::Proxy;
use super::{host, port};

/// The longest head of a proxy's answer.
const HEAD_BYTES: usize = 16 * 1024;

/// Why a proxy opened no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// It wants a user and a password, or others.
    #[error("the proxy asks for a user and a password (HTTP 407): put them into its URL")]
    Unauthorized,
    /// It refused.
    #[error("the proxy refused the way to {to}: {answer}")]
    Refused {
        /// Where to, `HOST:PORT`.
        to: String,
        /// Its status line, as far as it can be printed.
        answer: String,
    },
    /// What answered is no proxy.
    #[error("what answered is no HTTP proxy")]
    Malformed,
    /// It closed the connection.
    #[error("the proxy closed the connection instead of answering")]
    Closed,
    /// The connection to it broke.
    #[error("the connection to the proxy broke")]
    Io(#[from] io::Error),
}

/// Asks a proxy, over a connection to it, for a tunnel to the host of a URL. What is sent
/// over `stream` afterwards goes there.
///
/// # Errors
/// When it refuses, or is no proxy.
pub async fn open<S>(stream: &mut S, proxy: &Proxy, url: &Uri) -> Result<(), TunnelError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = host(url);
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let to = format!("{name}:{}", port(url));
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(value) = proxy.authorization() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    let line = status_line(stream).await?;
    match line.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()) {
        _ if !line.starts_with("HTTP/1.") => Err(TunnelError::Malformed),
        Some(200..=299) => Ok(()),
        Some(407) => Err(TunnelError::Unauthorized),
        Some(_) => Err(TunnelError::Refused { to, answer: line }),
        None => Err(TunnelError::Malformed),
    }
}

/// Reads a head, and nothing of what follows it; returns its first line.
async fn status_line<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, TunnelError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES {
            return Err(TunnelError::Malformed);
        }
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Err(TunnelError::Closed);
        }
        head.extend_from_slice(&byte);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    Ok(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::net::proxy::Proxies;

    /// What a proxy that answers with `answer` is asked, and the outcome.
    async fn ask(url: &str, answer: &str) -> (String, Result<(), TunnelError>) {
        let proxies =
            Proxies::from(|name| (name == "all_proxy").then(|| "http://me:pw@p:1".into()));
        let url: Uri = url.parse().unwrap();
        let proxy = proxies.of(&url).unwrap().unwrap();
        let (mut ours, mut theirs) = tokio::io::duplex(HEAD_BYTES * 4);
        theirs.write_all(answer.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let opened = open(&mut ours, proxy, &url).await;
        let rest = ours.read_u8().await.ok();
        assert!(opened.is_err() || rest == Some(b'!') || rest.is_none(), "{rest:?}");
        drop(ours);
        let mut asked = String::new();
        theirs.read_to_string(&mut asked).await.unwrap();
        (asked, opened)
    }

    #[tokio::test]
    async fn it_asks_for_host_and_port_and_leaves_what_follows() {
        let (asked, opened) =
            ask("https://a.example/x", "HTTP/1.1 200 OK\r\nVia: p\r\n\r\n!").await;
        assert!(opened.is_ok(), "{opened:?}");
        assert_eq!(
            asked,
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic bWU6cHc=\r\n\r\n"
        );
        let (asked, _) = ask("https://[2001:db8::1]:8443/", "HTTP/1.0 200\r\n\r\n").await;
        assert!(asked.starts_with("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_words() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES));
        for (answer, says) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "put them into its URL"),
            (
                "HTTP/1.1 403 For\u{1b}[31mbidden\r\n\r\n",
                "refused the way to a.example:443: HTTP/1.1 403 For[31mbidden",
            ),
            ("SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP proxy"),
            ("HTTP/1.1 twohundred\r\n\r\n", "no HTTP proxy"),
            (long.as_str(), "no HTTP proxy"),
            ("HTTP/1.1 200 O", "closed the connection"),
            ("", "closed the connection"),
        ] {
            let (_, opened) = ask("https://a.example/", answer).await;
            let said = opened.unwrap_err().to_string();
            assert!(said.contains(says), "{answer}: {said}");
        }
    }
}
