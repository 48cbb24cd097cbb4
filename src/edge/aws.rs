//! Talking to AWS at all: identities, Regions, and what a failed call means.
//!
//! An [`SdkConfig`] is the seam of the whole program: where its endpoint points
//! is where AWS is. A [`Fault`] turns the SDK's many errors into the few that
//! a person can act on, each with the way out.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;

use super::time::instant;

/// Whose eyes to look with, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The Region; `None` for the one of the standard chain.
    pub region: Option<String>,
    /// The ARN of a role to assume; `None` for the daemon's own identity.
    pub role_arn: Option<String>,
    /// The role's external id.
    pub external_id: Option<String>,
}

/// The start of every AWS configuration here: the standard chain of
/// credentials and Regions, the usual proxy variables (`HTTPS_PROXY`,
/// `NO_PROXY`), and limits on how long a call may take.
#[must_use]
pub fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, parts| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(parts.and_then(RuntimeComponents::sleep_impl));
        connector
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build()
    });
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard());
    match AppName::new("nearmiss") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

/// The configuration for one scope. Assuming a role is left to the first call.
pub async fn scoped(base: &SdkConfig, scope: &Scope) -> SdkConfig {
    let mut builder = base.to_builder();
    if let Some(region) = &scope.region {
        builder = builder.region(Region::new(region.clone()));
    }
    let config = builder.build();
    let Some(role) = &scope.role_arn else { return config };
    let mut provider =
        AssumeRoleProvider::builder(role).session_name("nearmiss").configure(&config);
    if let Some(id) = &scope.external_id {
        provider = provider.external_id(id);
    }
    let credentials =
        aws_credential_types::provider::SharedCredentialsProvider::new(provider.build().await);
    config.to_builder().credentials_provider(credentials).build()
}

/// The Region of a configuration, or an empty text where none is known.
#[must_use]
pub fn region_of(config: &SdkConfig) -> String {
    config.region().map(ToString::to_string).unwrap_or_default()
}

/// A call that did not give what it was made for.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The IAM action of the call, such as `cloudwatch:GetMetricData`.
    pub action: &'static str,
    /// Where it was made; empty where no Region is known.
    pub region: String,
    /// What went wrong, as far as it changes what to do.
    pub problem: Problem,
    /// What AWS or the SDK said.
    pub said: String,
}

/// The kinds of failure that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// The identity may not do it.
    Denied,
    /// There is no identity, or it has expired.
    Credentials,
    /// Too many calls.
    Throttled,
    /// No answer: network, name, TLS, time.
    Unreachable,
    /// AWS understood, and refused what was asked.
    Refused,
    /// AWS failed.
    Failed,
    /// The answer left something out.
    Incomplete,
}

impl Problem {
    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Credentials => "credentials",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Fault {
    /// What a failed SDK call means.
    #[must_use]
    pub fn of<E>(action: &'static str, region: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let service = error.as_service_error();
        let failed = error.raw_response().is_some_and(|r| r.status().is_server_error());
        let problem = match service.and_then(ProvideErrorMetadata::code) {
            Some(code) => {
                of_code(code).unwrap_or(if failed { Problem::Failed } else { Problem::Refused })
            }
            None if caused_by_credentials(error) => Problem::Credentials,
            None if error.raw_response().is_some() => Problem::Failed,
            None => Problem::Unreachable,
        };
        let said = match service.map(|s| (s.code(), s.message())) {
            Some((Some(code), Some(message))) => format!("{code}: {message}"),
            Some((Some(code), None)) => code.to_owned(),
            _ => chain(error),
        };
        Self { action, region: region.to_owned(), problem, said }
    }

    /// An answer that left something out.
    #[must_use]
    pub fn incomplete(action: &'static str, region: &str, said: String) -> Self {
        Self { action, region: region.to_owned(), problem: Problem::Incomplete, said }
    }

    /// The way out.
    #[must_use]
    pub fn advice(&self) -> String {
        let Self { action, .. } = self;
        match self.problem {
            Problem::Denied => format!("Allow {action}: `nearmiss iam-policy` prints the policy that is needed."),
            Problem::Credentials => "Give the process credentials (environment, profile, or the role of the instance, task or pod), or renew them; `aws sts get-caller-identity` shows what the standard chain finds. Where a role_arn is configured, allow sts:AssumeRole on it, and this identity in its trust policy.".into(),
            Problem::Throttled => "Wait; the next poll tries again. If it lasts, another client uses up the account's quota.".into(),
            Problem::Unreachable => format!("Check the network, the proxy and the Region: can this machine reach the endpoint of {} there?", service_of(action)),
            Problem::Refused => "Check the name, the ARN and the Region in the config.".into(),
            Problem::Failed | Problem::Incomplete => "Nothing to do: the next poll tries again.".into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if !self.region.is_empty() {
            write!(f, " in {}", self.region)?;
        }
        write!(f, ": {}", self.said)
    }
}

impl StdError for Fault {}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn service_of(action: &str) -> &str {
    action.split(':').next().unwrap_or(action)
}

/// What an error code means, whatever the status; `None` where the status says it.
fn of_code(code: &str) -> Option<Problem> {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedOperation"
        | "KMSAccessDenied" => Some(Problem::Denied),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Some(Problem::Credentials),
        "RequestLimitExceeded" | "TooManyRequestsException" => Some(Problem::Throttled),
        _ if code.contains("Throttl") => Some(Problem::Throttled),
        _ => None,
    }
}

fn caused_by_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How far this machine's clock is from AWS's, from the `Date` header of each
/// answer. As an interceptor of a client it listens; everybody else reads.
#[derive(Debug, Clone, Default)]
pub struct Skew(Arc<Mutex<Option<Heard>>>);

/// What AWS said of the time.
#[derive(Debug, Clone, Copy)]
struct Heard {
    ahead: i64,
    at: Instant,
}

impl Skew {
    /// Less than this is no news, seconds.
    const JITTER: i64 = 15;
    /// The answers of one poll come within so long.
    const TOGETHER: Duration = Duration::from_secs(30);

    /// Seconds that this clock is ahead of AWS's (behind, if negative); `None`
    /// while AWS has not said what time it is.
    #[must_use]
    pub fn seconds(&self) -> Option<i64> {
        self.heard().map(|heard| heard.ahead)
    }

    /// What was heard of each of these in the same poll as what was heard last, seconds:
    /// the clock may have been set since the others were.
    #[must_use]
    pub fn newest(all: &[&Self]) -> Vec<Option<i64>> {
        let heard: Vec<Option<Heard>> = all.iter().map(|one| one.heard()).collect();
        let last = heard.iter().flatten().map(|heard| heard.at).max();
        let is_new =
            |heard: &Heard| last.is_some_and(|last| last.duration_since(heard.at) < Self::TOGETHER);
        heard.into_iter().map(|heard| heard.filter(is_new).map(|heard| heard.ahead)).collect()
    }

    fn heard(&self) -> Option<Heard> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, ahead: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.map(|known| known.ahead);
        let same = before.filter(|before| (before - ahead).abs() <= Self::JITTER);
        *known = Some(Heard { ahead: same.unwrap_or(ahead), at: instant() });
    }
}

/// When a request was sent, by this machine's clock, Unix seconds.
#[derive(Debug)]
struct Sent(i64);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

fn clock(components: &RuntimeComponents) -> Option<i64> {
    components.time_source().map(|clock| DateTime::from(clock.now()).secs())
}

/// An answer's `Date` between its request and its arrival is no skew, however long
/// the two are apart.
fn skew(sent: i64, theirs: i64, arrived: i64) -> i64 {
    if theirs < sent { sent - theirs } else { (arrived - theirs).min(0) }
}

#[dyn_dispatch_hint]
impl Intercept for Skew {
    fn name(&self) -> &'static str {
        "Skew"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(now) = clock(components) {
            bag.interceptor_state().store_put(Sent(now));
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let (sent, arrived) = (bag.load::<Sent>(), clock(components));
        if let (Some(Sent(sent)), Some(theirs), Some(arrived)) = (sent, date, arrived) {
            self.enter(skew(*sent, theirs.secs(), arrived));
        }
        Ok(())
    }
}

/// How many calls were made, by action and outcome (`ok` or a [`Problem`]'s
/// name), and what CloudWatch will charge for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls by (action, outcome).
    pub calls: BTreeMap<(&'static str, &'static str), u64>,
    /// Metrics requested, as CloudWatch bills them.
    pub billed_metrics: u64,
}

impl Usage {
    /// One more call.
    pub fn call(&mut self, action: &'static str, fault: Option<Problem>) {
        *self.calls.entry((action, fault.map_or("ok", Problem::name))).or_default() += 1;
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: Self) {
        for (key, calls) in other.calls {
            *self.calls.entry(key).or_default() += calls;
        }
        self.billed_metrics += other.billed_metrics;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        for (sent, theirs, arrived, ahead) in
            [(100, 100, 100, 0), (100, 130, 160, 0), (400, 100, 401, 300), (100, 400, 101, -299)]
        {
            assert_eq!(skew(sent, theirs, arrived), ahead, "{sent} {theirs} {arrived}");
        }
    }
}
