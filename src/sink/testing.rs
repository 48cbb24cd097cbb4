//! A sink for tests: it keeps what it accepts, and fails on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Sink, SinkError};
use crate::edge::aws::{AwsError, ErrorKind, Usage};
use nearmiss_core::alerting::{Audience, Guarantee, Receiver, ReceiverId};
use nearmiss_core::notification::Notification;
use nearmiss_core::render::Message;

/// What the test double does with a notification.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    Accepts,
    Fails(ErrorKind),
    Hangs,
}

/// It accepts everything, except where a behaviour is set for the next ones. Clones share
/// their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Double(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    next: VecDeque<Does>,
    tried: Vec<String>,
    accepted: Vec<String>,
}

impl Double {
    pub(crate) fn does(&self, next: impl IntoIterator<Item = Does>) {
        self.lock().next.extend(next);
    }

    /// The ids of everything that was sent to it.
    pub(crate) fn tried(&self) -> Vec<String> {
        self.lock().tried.clone()
    }

    /// The ids of what it accepted.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.lock().accepted.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Double {
    fn sending(&self) -> &'static str {
        "double:Send"
    }

    fn looking(&self) -> &'static str {
        "double:Look"
    }

    fn send<'a>(
        &'a self,
        notification: &'a Notification,
        _: &'a Message,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        let does = {
            let mut inner = self.lock();
            inner.tried.push(notification.id());
            inner.next.pop_front().unwrap_or(Does::Accepts)
        };
        async move {
            // As a sink that waits for an answer does.
            tokio::task::yield_now().await;
            match does {
                Does::Accepts => self.lock().accepted.push(notification.id()),
                Does::Fails(kind) => {
                    return Err(AwsError::saying("double:Send", "", kind, "it was told to").into());
                }
                Does::Hangs => std::future::pending().await,
            }
            Ok(())
        }
        .boxed()
    }

    fn look(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        futures::future::ready(Ok(())).boxed()
    }
}

/// A receiver of people with this address.
pub(crate) fn people(address: &str) -> Receiver {
    let (audience, guarantee) = (Audience::People, Guarantee::AtLeastOnce);
    Receiver { id: ReceiverId::of(address), label: address.to_owned(), audience, guarantee }
}

/// A receiver of programs that get each notification once and in order.
pub(crate) fn programs(address: &str) -> Receiver {
    let (audience, guarantee) = (Audience::Programs, Guarantee::OnceInOrder);
    Receiver { audience, guarantee, ..people(address) }
}
