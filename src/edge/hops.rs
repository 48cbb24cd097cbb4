//! What AWS says about the hops of a chain: the timeouts of `CloudFront`'s origins, of API
//! Gateway's integrations, of load balancers and of Lambda functions.
//!
//! Only the load balancer can be asked without the feature `full`.

use aws_config::SdkConfig;

use super::aws::{AwsError, region_of};
#[cfg(feature = "full")]
use nearmiss_core::chain::Tries;
use nearmiss_core::chain::{AwsId, Known, Limit, Origin, Said, Timer};

/// The IAM actions of the calls here.
pub const ACTIONS: &[&str] = &[BALANCERS, ATTRIBUTES, DISTRIBUTION, API, FUNCTION];
const BALANCERS: &str = "elasticloadbalancing:DescribeLoadBalancers";
const ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
const DISTRIBUTION: &str = "cloudfront:GetDistributionConfig";
const API: &str = "apigateway:GET";
const FUNCTION: &str = "lambda:GetFunctionConfiguration";

/// Reads the settings of hops with one identity.
#[derive(Debug)]
pub struct Hops<'a>(pub &'a SdkConfig);

/// What a call returned, in seconds or milliseconds.
struct Facts {
    call: &'static str,
    said: Vec<Said>,
}

impl Facts {
    fn of(call: &'static str) -> Self {
        Self { call, said: Vec::new() }
    }

    fn seconds(mut self, timer: Timer, seconds: Option<u64>) -> Self {
        self.said.extend(seconds.map(|s| Said::Timer(timer, Limit::seconds(s))));
        self
    }
}

impl Hops<'_> {
    /// What is known of the hop with this number and `kind`.
    ///
    /// # Errors
    /// When a call fails, or the hop does not exist.
    pub async fn known(&self, hop: usize, kind: &str, id: &AwsId) -> Result<Vec<Known>, AwsError> {
        let facts = match id {
            AwsId::LoadBalancer(name) => self.balancer(name).await?,
            AwsId::Distribution { id, origin } => self.origin(id, origin.as_deref()).await?,
            AwsId::Api(id) if kind.starts_with("api_gateway_rest") => self.rest(id).await?,
            AwsId::Api(id) => self.http(id).await?,
            AwsId::Function(name) => self.function(name).await?,
        };
        let origin = Origin::Aws { call: facts.call.to_owned() };
        let known = |said| Known { hop, said, origin: origin.clone() };
        Ok(facts.said.into_iter().map(known).collect())
    }

    fn missing(&self, call: &'static str, what: &str) -> AwsError {
        AwsError::incomplete(call, &region_of(self.0), format!("{what} is not there"))
    }

    async fn balancer(&self, name: &str) -> Result<Facts, AwsError> {
        let client = aws_sdk_elasticloadbalancingv2::Client::new(self.0);
        let of = |call, error| AwsError::of(call, &region_of(self.0), &error);
        let arn = if name.starts_with("arn:") {
            name.to_owned()
        } else {
            let found = client.describe_load_balancers().names(name).send().await;
            let found = found.map_err(|error| of(BALANCERS, error))?;
            let one = found.load_balancers().first().and_then(|lb| lb.load_balancer_arn());
            one.ok_or_else(|| self.missing(BALANCERS, name))?.to_owned()
        };
        let answer = client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
        let answer =
            answer.map_err(|error| AwsError::of(ATTRIBUTES, &region_of(self.0), &error))?;
        let seconds = |key: &str| {
            let one = answer.attributes().iter().find(|a| a.key() == Some(key))?;
            // AWS takes at most 4,000 and 604,800: a week.
            one.value()?.parse().ok().filter(|seconds| *seconds <= 604_800)
        };
        Ok(Facts::of(ATTRIBUTES)
            .seconds(Timer::Read, seconds("idle_timeout.timeout_seconds"))
            .seconds(Timer::KeepAlive, seconds("client_keep_alive.seconds")))
    }
}

#[cfg(feature = "full")]
mod full {
    use std::time::Duration;

    use aws_sdk_apigatewayv2::types::Integration;

    use super::{
        API, AwsError, DISTRIBUTION, FUNCTION, Facts, Hops, Limit, Said, Timer, Tries, region_of,
    };
    use crate::edge::aws::{Pages, collect};

    /// How many resources, with their methods, a page has.
    const PAGE: i32 = 100;
    /// An API has at most this many pages and resources: AWS allows 300.
    const MAX_PAGES: usize = 100;
    const MAX_RESOURCES: usize = 10_000;

    fn whole(value: Option<i32>) -> Option<u64> {
        value.and_then(|seconds| u64::try_from(seconds).ok())
    }

    impl Facts {
        /// The shortest of some timeouts in milliseconds: the first that ends.
        fn shortest(mut self, all: impl Iterator<Item = i32>) -> Self {
            let shortest = all.filter_map(|ms| u64::try_from(ms).ok()).min();
            let limit = |ms| Said::Timer(Timer::Total, Limit::After(Duration::from_millis(ms)));
            self.said.extend(shortest.map(limit));
            self
        }
    }

    impl Hops<'_> {
        pub(super) async fn origin(
            &self,
            id: &str,
            origin: Option<&str>,
        ) -> Result<Facts, AwsError> {
            let client = aws_sdk_cloudfront::Client::new(self.0);
            let answer = client.get_distribution_config().id(id).send().await;
            let answer = answer.map_err(|e| AwsError::of(DISTRIBUTION, &region_of(self.0), &e))?;
            let origins = answer.distribution_config().and_then(|c| c.origins());
            let mut origins =
                origins.map(aws_sdk_cloudfront::types::Origins::items).unwrap_or_default().iter();
            let one = origins.find(|one| origin.is_none_or(|origin| one.id() == origin));
            let one = one.ok_or_else(|| self.missing(DISTRIBUTION, origin.unwrap_or(id)))?;
            let custom = one.custom_origin_config();
            let mut facts = Facts::of(DISTRIBUTION)
                .seconds(Timer::Read, custom.and_then(|c| whole(c.origin_read_timeout())))
                .seconds(Timer::Connect, whole(one.connection_timeout()))
                .seconds(Timer::Total, whole(one.response_completion_timeout()).filter(|s| *s > 0))
                .seconds(
                    Timer::UpstreamKeepAlive,
                    custom.and_then(|c| whole(c.origin_keepalive_timeout())),
                );
            let attempts = one.connection_attempts().and_then(|n| u32::try_from(n).ok());
            facts.said.extend(attempts.map(|count| Said::Attempts(Tries::of(count))));
            Ok(facts)
        }

        pub(super) async fn rest(&self, id: &str) -> Result<Facts, AwsError> {
            let client = aws_sdk_apigateway::Client::new(self.0);
            let pages = client.get_resources().rest_api_id(id).embed("methods").limit(PAGE);
            let (region, pages) = (region_of(self.0), pages.into_paginator().send());
            let all = collect((API, &region), (MAX_PAGES, MAX_RESOURCES), pages, |page| {
                (page.items.unwrap_or_default(), page.position)
            });
            let all = all.await?;
            let methods = all.iter().filter_map(|r| r.resource_methods()).flat_map(|m| m.values());
            let integrations = methods.filter_map(|method| method.method_integration());
            Ok(Facts::of(API).shortest(
                integrations.map(aws_sdk_apigateway::types::Integration::timeout_in_millis),
            ))
        }

        pub(super) async fn http(&self, id: &str) -> Result<Facts, AwsError> {
            let client = aws_sdk_apigatewayv2::Client::new(self.0);
            let region = region_of(self.0);
            let (mut pages, mut token, mut all) = (Pages::at_most(MAX_PAGES), None, Vec::new());
            loop {
                let page = client.get_integrations().api_id(id).set_next_token(token).send().await;
                let page = page.map_err(|error| AwsError::of(API, &region, &error))?;
                all.extend(page.items().iter().filter_map(Integration::timeout_in_millis));
                let next = pages.turn(page.next_token());
                token = next.map_err(|said| AwsError::incomplete(API, &region, said))?;
                if token.is_none() {
                    return Ok(Facts::of(API).shortest(all.into_iter()));
                }
            }
        }

        pub(super) async fn function(&self, name: &str) -> Result<Facts, AwsError> {
            let client = aws_sdk_lambda::Client::new(self.0);
            let answer = client.get_function_configuration().function_name(name).send().await;
            let answer = answer.map_err(|e| AwsError::of(FUNCTION, &region_of(self.0), &e))?;
            Ok(Facts::of(FUNCTION).seconds(Timer::Total, whole(answer.timeout())))
        }
    }
}

#[cfg(not(feature = "full"))]
#[allow(clippy::unused_async, clippy::unused_self)] // those that ask are not here
mod not_built {
    use super::{API, AwsError, DISTRIBUTION, FUNCTION, Facts, Hops, region_of};

    impl Hops<'_> {
        fn not_built(&self, call: &'static str) -> AwsError {
            let said = "this program was built without it; build it with --features full";
            AwsError::incomplete(call, &region_of(self.0), said.to_owned())
        }

        pub(super) async fn origin(&self, _: &str, _: Option<&str>) -> Result<Facts, AwsError> {
            Err(self.not_built(DISTRIBUTION))
        }

        pub(super) async fn rest(&self, _: &str) -> Result<Facts, AwsError> {
            Err(self.not_built(API))
        }

        pub(super) async fn http(&self, _: &str) -> Result<Facts, AwsError> {
            Err(self.not_built(API))
        }

        pub(super) async fn function(&self, _: &str) -> Result<Facts, AwsError> {
            Err(self.not_built(FUNCTION))
        }
    }
}
