//! Talking to AWS: identities, Regions, connections, and what a failed call means.
//!
//! An [`SdkConfig`] is the seam of the whole program: where its endpoint points is where
//! AWS is. An [`AwsError`] turns the SDK's many errors into the few that a person can act
//! on, each with the way out. Every answer is limited in time and size to what an answer of
//! AWS can take.

mod bounded;
mod dial;
mod environment;
mod fault;
mod identity;
mod pages;
mod pool;
mod skew;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token_bucket;
mod transport;
mod usage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

pub use environment::{VariableError, empty as empty_variables, known as known_variables};
pub use fault::{AwsError, ErrorKind, chain, plain};
pub use identity::Identity;
pub use pages::{Pages, collect};
pub use skew::Skew;
pub use token_bucket::TokenBucket;
pub use usage::Usage;

use super::net::proxy::{Proxies, ProxyError};
use super::net::trust::{CaBundle, CaBundleError};
use crate::config::Aws;
use transport::Http;

/// Services whose endpoint the environment or a profile may name, as the SDK spells them.
const SERVICES: [&str; 10] = [
    "CloudWatch",
    "Elastic Load Balancing v2",
    "SNS",
    "STS",
    "EC2",
    "ECS",
    "Lambda",
    "CloudFront",
    "API Gateway",
    "ApiGatewayV2",
];

/// With which identity to ask, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The Region; `None` for the one of the standard chain.
    pub region: Option<String>,
    /// The ARN of a role to assume; `None` for the daemon's own identity.
    pub role_arn: Option<String>,
    /// The role's external id.
    pub external_id: Option<String>,
}

/// Why AWS cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// A variable of the environment is nonsense.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A variable names no usable proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The CA bundle cannot be used.
    #[error("{from}: set it to a PEM file, or unset it")]
    Bundle {
        /// Where it is set.
        from: &'static str,
        /// What is wrong.
        source: CaBundleError,
    },
    /// A setting of the AWS profile is nonsense.
    #[error("{key} in the AWS config file: expected {expected}, found \"{found}\"")]
    Profile {
        /// Which.
        key: String,
        /// What it takes.
        expected: &'static str,
        /// What it has.
        found: String,
    },
}

/// Where AWS is and who asks: the environment, the profile and the standard chain of
/// credentials, with the usual proxies; and that identity, to have it looked up anew. Calls
/// are limited so that one that hangs leaves room for another attempt within a poll's
/// `deadline`.
///
/// # Errors
/// When the environment, a profile or a setting has an invalid value.
pub async fn base(settings: &Aws, deadline: Duration) -> Result<(SdkConfig, Identity), BaseError> {
    let files = environment::files(|name| std::env::var_os(name));
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let profiles = texts.flat_map(|text| environment::profiles(&text).collect::<Vec<_>>());
    environment::check(std::env::vars_os(), &profiles.collect())?;
    let proxies = Proxies::from_env();
    proxies.of(&hyper::Uri::from_static("https://amazonaws.com/")).map_err(Clone::clone)?;
    // The Region may be the instance's, which needs no proxy, TLS or credentials.
    let timeouts = timeouts(deadline);
    let base = loader().timeout_config(timeouts.clone()).no_credentials().load().await;
    check_profile(&base)?;
    let bundle = ca_bundle(&base, settings.ca_bundle.as_deref())?;
    let http = Http::new(proxies, bundle);
    let (region, fips, dual) = (base.region().cloned(), base.use_fips(), base.use_dual_stack());
    let of_credentials = http.for_credentials();
    let chain = move || {
        let settings = ProviderConfig::without_region()
            .with_region(region.clone())
            .with_use_fips(fips)
            .with_use_dual_stack(dual)
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_timeout_config(timeouts.clone())
            .with_retry_config(RetryConfig::standard())
            .with_http_client(of_credentials.clone());
        let chain = DefaultCredentialsChain::builder().configure(settings).build();
        async { SharedCredentialsProvider::new(chain.await) }
    };
    let identity = Identity::new(chain, files.into(), http.refusals());
    let provider = SharedCredentialsProvider::new(identity.clone());
    let settings = WithoutEmpty(base.clone());
    let base = base.into_builder().http_client(http).credentials_provider(provider);
    let base = base.service_config(settings).identity_cache(identity.clone());
    Ok((base.build(), identity))
}

/// Settings of services, where empty is not set, as in the environment.
#[derive(Debug)]
struct WithoutEmpty(SdkConfig);

impl LoadServiceConfig for WithoutEmpty {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        self.0.service_config()?.load_config(key).filter(|value| !value.is_empty())
    }
}

fn check_profile(base: &SdkConfig) -> Result<(), BaseError> {
    let region = region_of(base);
    if !environment::is_label(&region) {
        let (key, found) = ("region".to_owned(), plain(&region));
        return Err(BaseError::Profile { key, expected: "a Region, such as eu-central-1", found });
    }
    for service in SERVICES {
        let url = setting(base, service, "AWS_ENDPOINT_URL", "endpoint_url").unwrap_or_default();
        if !url.is_empty() && !environment::is_url(&url) {
            let (key, found) = (format!("endpoint_url of {service}"), plain(&url));
            let expected = "a URL, such as https://vpce.example.com";
            return Err(BaseError::Profile { key, expected, found });
        }
    }
    Ok(())
}

/// The value from the environment or the profile, the environment first.
fn setting(base: &SdkConfig, service: &str, variable: &str, key: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env(variable).profile(key).build();
    base.service_config()?.load_config(key.ok()?)
}

fn ca_bundle(base: &SdkConfig, configured: Option<&Path>) -> Result<Option<CaBundle>, BaseError> {
    let named = || {
        let value = setting(base, "", "AWS_CA_BUNDLE", "ca_bundle").filter(|path| !path.is_empty());
        value.map(PathBuf::from)
    };
    let (from, path) = match configured {
        Some(path) => ("[aws] ca_bundle", Some(path.to_owned())),
        None => ("AWS_CA_BUNDLE, or ca_bundle of the AWS profile", named()),
    };
    let loaded = path.map(|path| CaBundle::load(&path)).transpose();
    loaded.map_err(|source| BaseError::Bundle { from, source })
}

/// The start of a configuration that asks directly, without a proxy: for what is on this
/// machine, such as a simulator.
#[must_use]
pub fn loader() -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Http::new(Proxies::default(), None))
        .timeout_config(timeouts(Duration::from_secs(50)))
        .retry_config(RetryConfig::standard());
    match AppName::new("nearmiss") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

/// Limits on a call, so that one that hangs and another attempt fit into a poll several
/// times.
fn timeouts(deadline: Duration) -> TimeoutConfig {
    let within = |share: u32, least, most| {
        (deadline / share).clamp(Duration::from_secs(least), Duration::from_secs(most))
    };
    let attempt = within(5, 1, 10);
    TimeoutConfig::builder()
        .connect_timeout(attempt.min(Duration::from_secs(3)))
        .operation_attempt_timeout(attempt)
        .operation_timeout(within(2, 2, 25))
        .build()
}

/// The configuration for one scope. The role is assumed by the first call.
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
    let credentials = SharedCredentialsProvider::new(provider.build().await);
    config.to_builder().credentials_provider(credentials).build()
}

/// The Region of a configuration, or an empty text where none is known.
#[must_use]
pub fn region_of(config: &SdkConfig) -> String {
    config.region().map(ToString::to_string).unwrap_or_default()
}
