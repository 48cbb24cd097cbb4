//! The HTTP client of every AWS call: connections that are kept for the next call, limits
//! on answers, and whether AWS accepts our identity.
//!
//! A firewall or a NAT gateway that has restarted silently drops the packets of older
//! connections. A call that ends without a whole answer therefore casts doubt on all
//! connections that were kept: the next one - a second attempt within the same poll - makes
//! its own. And none is kept from one poll to the next, a minute later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::PROXY_AUTHORIZATION;
use hyper_util::client::legacy::Error as ClientError;

use super::bounded::{Bounded, Limits};
use super::dial::{DialError, Dialer, Tls};
use super::fault::names_a_refused_identity;
use super::pool::{Pool, Trial};
use crate::edge::net::causes;
use crate::edge::net::proxy::Proxies;
use crate::edge::net::trust::CaBundle;

/// How often AWS did not accept our identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<AtomicU64>);

impl Refusals {
    /// How often up to now.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The HTTP client; a clone shares its connections.
#[derive(Debug, Clone)]
pub(super) struct Http {
    tls: Arc<Tls>,
    proxies: Arc<Proxies>,
    spares_loopback: bool,
    refusals: Refusals,
    pools: Arc<Mutex<HashMap<Option<Duration>, Arc<Pool>>>>,
}

impl Http {
    /// For calls to services.
    pub(super) fn new(proxies: Proxies, bundle: Option<CaBundle>) -> Self {
        Self {
            tls: Arc::new(Tls::trusting(bundle)),
            proxies: Arc::new(proxies),
            spares_loopback: false,
            refusals: Refusals::default(),
            pools: Arc::default(),
        }
    }

    /// The same for fetching credentials: they may come from this machine itself, where no
    /// proxy leads.
    pub(super) fn for_credentials(&self) -> Self {
        Self { spares_loopback: true, pools: Arc::default(), ..self.clone() }
    }

    /// Whether AWS accepts the identity that its calls are signed with.
    pub(super) fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    fn pool(&self, connect_timeout: Option<Duration>) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (tls, proxies) = (Arc::clone(&self.tls), Arc::clone(&self.proxies));
            Arc::new(Pool::of(Dialer::new(tls, proxies, self.spares_loopback, connect_timeout)))
        };
        Arc::clone(pools.entry(connect_timeout).or_insert_with(new))
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Asker {
            pool: self.pool(settings.connect_timeout()),
            head_limit: settings.read_timeout(),
            refusals: self.refusals.clone(),
        })
    }
}

/// Makes calls with the same limits.
#[derive(Debug, Clone)]
struct Asker {
    pool: Arc<Pool>,
    /// How long the head of an answer may take.
    head_limit: Option<Duration>,
    refusals: Refusals,
}

impl HttpConnector for Asker {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asker = self.clone();
        HttpConnectorFuture::new(async move { asker.ask(request).await })
    }
}

impl Asker {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |error| ConnectorError::user(BoxError::from(error));
        let (client, trial) = self.pool.begin();
        if let Some(capture) = request.extension::<CaptureSmithyConnection>() {
            let pool = Arc::clone(&self.pool);
            let number = trial.number;
            capture.set_connection_retriever(move || Some(connection(&pool, number)));
        }
        let mut request = request.try_into_http1x().map_err(user)?;
        let limits = if request.uri().path().ends_with("/operation/GetMetricData") {
            Limits::METRICS
        } else {
            Limits::OTHER
        };
        if let Some(value) = self.pool.dialer.authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        let answered = client.request(request);
        let answer = match self.head_limit {
            None => answered.await,
            Some(limit) => tokio::time::timeout(limit, answered).await.map_err(|_| {
                ConnectorError::timeout(
                    format!("no answer within {} s", limit.as_secs_f64()).into(),
                )
            })?,
        };
        self.take(answer.map_err(failed)?, limits, trial).await
    }

    async fn take(
        &self,
        answer: Response<Incoming>,
        limits: Limits,
        trial: Trial,
    ) -> Result<HttpResponse, ConnectorError> {
        let answer = match answer.status().as_u16() {
            400..=403 => {
                let (head, body) = answer.into_parts();
                let body = Bounded::new(body, Limits::SHORT, trial).collect().await;
                let body = body.map_err(ConnectorError::io)?.to_bytes();
                if names_a_refused_identity(&body) {
                    self.refusals.0.fetch_add(1, Ordering::Relaxed);
                }
                Response::from_parts(head, SdkBody::from(body))
            }
            200..=299 => {
                answer.map(|body| SdkBody::from_body_1_x(Bounded::new(body, limits, trial).whole()))
            }
            _ => answer.map(|body| SdkBody::from_body_1_x(Bounded::new(body, limits, trial))),
        };
        HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

/// The connection as the SDK knows it, which has it closed after some errors: then those
/// that were kept with it are in doubt as well.
fn connection(pool: &Arc<Pool>, number: u64) -> ConnectionMetadata {
    let pool = Arc::clone(pool);
    let close = move || pool.renew(number);
    ConnectionMetadata::builder().proxied(false).poison_fn(close).build()
}

/// What the SDK retries, and what it does not: a bad certificate does not become good.
fn failed(error: ClientError) -> ConnectorError {
    let is_io = causes(&error).any(<dyn std::error::Error>::is::<std::io::Error>);
    let hyper = causes(&error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    let is_lost =
        hyper.is_some_and(|e| e.is_closed() || e.is_canceled() || e.is_incomplete_message());
    match causes(&error).filter_map(|cause| cause.downcast_ref()).last() {
        Some(DialError::Late { .. }) => ConnectorError::timeout(error.into()),
        Some(DialError::Proxy(_) | DialError::Certificate { .. }) => {
            ConnectorError::other(error.into(), None)
        }
        Some(_) => ConnectorError::io(error.into()),
        None if is_io || is_lost => ConnectorError::io(error.into()),
        None => ConnectorError::other(error.into(), None),
    }
}
