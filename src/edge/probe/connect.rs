//! From a name to a connection.
//!
//! The addresses are tried one after the other, and each gets its share of the time: a load
//! balancer has an address per zone, and one of them that does not answer is a finding and
//! no reason to give up.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout_at;

use super::Options;
use super::outcome::{Failure, LONGEST, Run, Tried, Why, seconds};
use super::target::Peer;
use crate::edge::time::instant;
use nearmiss_core::answer::phase::Phase;

/// The most addresses that are tried: a load balancer has a few.
const MAX_ADDRESSES: usize = 8;

pub(super) async fn addresses(
    peer: &Peer,
    options: &Options,
    run: &mut Run,
) -> Result<Vec<SocketAddr>, Failure> {
    let by_hand: Vec<SocketAddr> =
        options.resolve.iter().filter_map(|resolve| resolve.address_of(peer)).collect();
    if !by_hand.is_empty() {
        return Ok(by_hand);
    }
    if let Some(address) = peer.literal() {
        return Ok(vec![address]);
    }
    let name = (peer.host.as_str(), peer.port);
    let found = timeout_at(run.deadline(), lookup_host(name)).await;
    let found: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.take(MAX_ADDRESSES).collect(),
        Ok(Err(error)) => {
            return Err(Failure::of(run, Phase::Dns, unresolved(&error)).caused(&error));
        }
        Err(_) => return Err(Failure::of(run, Phase::Dns, Why::NameServers)),
    };
    if found.is_empty() {
        return Err(Failure::of(run, Phase::Dns, Why::NameNotFound));
    }
    run.done(Phase::Dns);
    Ok(found)
}

/// `getaddrinfo` has codes, but only its text reaches us.
fn unresolved(error: &std::io::Error) -> Why {
    let text = error.to_string();
    let temporary = ["Temporary failure", "try again", "System error"];
    if temporary.iter().any(|words| text.contains(words)) {
        Why::NameServers
    } else {
        Why::NameNotFound
    }
}

pub(super) async fn connect(
    addresses: &[SocketAddr],
    options: &Options,
    run: &mut Run,
) -> Result<TcpStream, Failure> {
    let until = run.deadline().min((instant() + options.connect_timeout.min(LONGEST)).into());
    let mut last = Failure::of(run, Phase::Connect, Why::TimedOut);
    for (done, address) in addresses.iter().enumerate() {
        let now = tokio::time::Instant::from_std(instant());
        let left = u32::try_from(addresses.len() - done).unwrap_or(1);
        let share = until.saturating_duration_since(now) / left;
        match attempt(*address, share, run).await {
            Ok(stream) => {
                run.address = Some(*address);
                run.done(Phase::Connect);
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn attempt(
    address: SocketAddr,
    share: Duration,
    run: &mut Run,
) -> Result<TcpStream, Failure> {
    let start = instant();
    let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
    let seconds = seconds(start.elapsed());
    let failed = |why, run: &mut Run| {
        run.tried.push(Tried { address, seconds, why: Some(why) });
    };
    match connected {
        Ok(Ok(stream)) => {
            run.tried.push(Tried { address, seconds, why: None });
            Ok(stream)
        }
        Ok(Err(error)) => {
            let why = unconnected(&error);
            failed(why.clone(), run);
            Err(Failure::of(run, Phase::Connect, why).caused(&error))
        }
        Err(_) => {
            failed(Why::TimedOut, run);
            Err(Failure::of(run, Phase::Connect, Why::TimedOut))
        }
    }
}

fn unconnected(error: &std::io::Error) -> Why {
    match error.kind() {
        ErrorKind::ConnectionRefused => Why::Refused,
        ErrorKind::TimedOut => Why::TimedOut,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Why::Reset,
        _ => Why::Unreachable,
    }
}
