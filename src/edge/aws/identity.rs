//! Who nearmiss is for AWS, and when that is looked up again.
//!
//! The SDK reads a profile's keys once and never again, and asks every quarter of an hour
//! for what has no expiry. Keys are rotated at any time: so the standard chain is built
//! anew when a file of credentials has changed, when AWS no longer accepts the identity,
//! and on request. What was known stays until something better is found, unless AWS has
//! refused it.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider,
    future::ProvideCredentials as Providing,
};
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use futures::future::{BoxFuture, FutureExt};

use super::transport::Refusals;
use crate::edge::time::instant;

/// After a refusal the identity is looked up again, but not twice within this time: a role
/// that is gone would otherwise have all others assumed again at each call.
const PAUSE: Duration = Duration::from_mins(1);
/// How many identities are kept: one for each role.
const MAX_IDENTITIES: usize = 4096;

/// Who nearmiss is; clones share one identity.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    /// Makes the standard chain, with nothing looked up yet.
    make: Box<dyn Fn() -> BoxFuture<'static, SharedCredentialsProvider> + Send + Sync>,
    refusals: Refusals,
    files: Vec<PathBuf>,
    known: Mutex<Known>,
    is_told: AtomicBool,
}

/// The identity as it was last looked up.
struct Known {
    chain: Option<SharedCredentialsProvider>,
    cache: SharedIdentityCache,
    files: Vec<Option<Stamp>>,
    refusals: u64,
    refused: Option<Instant>,
    /// What to continue with if nothing better is found.
    last: Option<Credentials>,
}

/// A file's modification time, in seconds and nanoseconds; its length; its inode.
type Stamp = (i64, i64, u64, u64);

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Identity {
    /// Of what `make` makes, whenever that is in doubt; `files` are those of the profiles.
    pub(super) fn new<M, F>(make: M, files: Vec<PathBuf>, refusals: Refusals) -> Self
    where
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = SharedCredentialsProvider> + Send + 'static,
    {
        let known = Known {
            chain: None,
            cache: cache(),
            files: stamps(&files),
            refusals: refusals.count(),
            refused: None,
            last: None,
        };
        let make = Box::new(move || make().boxed());
        let (known, is_told) = (Mutex::new(known), AtomicBool::new(false));
        Self(Arc::new(Inner { make, refusals, files, known, is_told }))
    }

    /// From the next call on, credentials are read again from their source.
    pub fn read_again(&self) {
        self.0.is_told.store(true, Ordering::Relaxed);
    }

    /// Forgets what may be out of date.
    fn look(&self) -> MutexGuard<'_, Known> {
        let Inner { refusals, files, known, is_told, .. } = &*self.0;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let (stamps, refusals) = (stamps(files), refusals.count());
        let rests = known.refused.is_some_and(|last| last.elapsed() < PAUSE);
        let is_refused = refusals > known.refusals && !rests;
        if is_refused {
            known.last = None;
            known.refusals = refusals;
            known.refused = Some(instant());
        }
        let is_told = is_told.swap(false, Ordering::Relaxed);
        if is_refused || is_told || stamps != known.files {
            known.chain = None;
            known.cache = cache();
            known.files = stamps;
        }
        known
    }

    async fn provide(&self) -> Provided {
        let known = self.look().chain.clone();
        let chain = if let Some(chain) = known {
            chain
        } else {
            let new = (self.0.make)().await;
            self.known().chain = Some(new.clone());
            new
        };
        let provided = chain.provide_credentials().await;
        let mut known = self.known();
        match provided {
            Ok(credentials) => {
                known.last = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => known.last.clone().ok_or(error),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().max_partitions(MAX_IDENTITIES).build()
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: Metadata| (file.mtime(), file.mtime_nsec(), file.len(), file.ino());
    files.iter().map(|file| std::fs::metadata(file).ok().map(stamp)).collect()
}

impl ProvideCredentials for Identity {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(self.provide())
    }
}

impl ResolveCachedIdentity for Identity {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.look().cache.clone();
        IdentityFuture::new(async move {
            cache.resolve_cached_identity(resolver, components, bag).await
        })
    }
}
