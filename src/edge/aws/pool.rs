//! The connections to AWS that are kept for reuse, until one is in doubt.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::dial::Dialer;

/// How long an idle connection is kept. Shorter than the minute between polls.
const KEPT: Duration = Duration::from_secs(20);

/// How many idle connections to one host are kept: twice what is asked at once.
const MAX_KEPT: usize = 16;

/// The connections that are kept for reuse, until one is in doubt.
pub(super) struct Pool {
    pub(super) dialer: Dialer,
    /// The number of the client, and the client.
    current: Mutex<(u64, Client<Dialer, SdkBody>)>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("dialer", &self.dialer).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn of(dialer: Dialer) -> Self {
        let client = client(&dialer);
        Self { dialer, current: Mutex::new((0, client)) }
    }

    pub(super) fn begin(self: &Arc<Self>) -> (Client<Dialer, SdkBody>, Trial) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let trial = Trial { pool: Arc::clone(self), number: current.0, is_open: true };
        (current.1.clone(), trial)
    }

    /// Drops the connections of the client with this number.
    pub(super) fn renew(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == number {
            *current = (number + 1, client(&self.dialer));
        }
    }
}

fn client(dialer: &Dialer) -> Client<Dialer, SdkBody> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT)
        .pool_max_idle_per_host(MAX_KEPT)
        .build(dialer.clone())
}

/// A call under way. If it is dropped before its answer was whole, the connections that
/// were kept when it began are in doubt.
pub(super) struct Trial {
    pool: Arc<Pool>,
    pub(super) number: u64,
    is_open: bool,
}

impl Trial {
    /// The answer is whole.
    pub(super) fn succeeded(&mut self) {
        self.is_open = false;
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.is_open {
            self.pool.renew(self.number);
        }
    }
}
