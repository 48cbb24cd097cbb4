//! Lambda functions, by AWS Lambda. The list has their timeouts; tags take a call each.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::{Actions, Inventory};
use crate::edge::aws::Skew;

const LIST: &str = "lambda:ListFunctions";
const CONFIGURATION: &str = "lambda:GetFunctionConfiguration";
const TAGS: &str = "lambda:ListTags";

pub(super) const ACTIONS: Actions = Actions {
    list: LIST,
    timeout: CONFIGURATION,
    tags: TAGS,
    tags_per_call: 1,
    target_groups: None,
};

#[cfg(feature = "lambda")]
pub(super) fn connect(sdk: &SdkConfig, skew: &Skew) -> Arc<dyn Inventory> {
    Arc::new(functions::Functions::new(sdk, skew))
}

#[cfg(not(feature = "lambda"))]
pub(super) fn connect(sdk: &SdkConfig, _: &Skew) -> Arc<dyn Inventory> {
    Arc::new(super::not_built::NotBuilt::new("lambda", &ACTIONS, sdk))
}

#[cfg(feature = "lambda")]
mod functions {
    use std::collections::HashMap;
    use std::num::NonZeroU32;

    use aws_config::SdkConfig;
    use aws_sdk_lambda::Client;
    use aws_sdk_lambda::types::FunctionConfiguration;
    use futures::future::{BoxFuture, ready};

    use super::super::{Actions, Inventory, Listed, TagsByArn, TargetGroupsByArn};
    use super::{ACTIONS, CONFIGURATION, LIST, TAGS};
    use crate::config::GatewayArn;
    use crate::edge::aws::{
        AwsError, ErrorKind, Pages, Skew, TokenBucket, Usage, plain, region_of,
    };
    use nearmiss_core::gateway::{Identity, Kind};

    /// An account has at most this many pages of fifty functions in a Region.
    const MAX_PAGES: usize = 1_000;
    /// AWS allows 50 tags, and adds some of its own.
    const MAX_TAGS: usize = 100;
    /// Calls for tags a second: AWS allows fifteen calls a second that only read.
    const TAGS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
    /// How many of them may be made at once.
    const TAGS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
    /// AWS takes 1 to 900 seconds.
    const LONGEST: i32 = 86_400;

    /// AWS Lambda, seen from one account and Region.
    #[derive(Debug)]
    pub(super) struct Functions {
        client: Client,
        region: String,
        for_tags: TokenBucket,
    }

    impl Functions {
        pub(super) fn new(config: &SdkConfig, skew: &Skew) -> Self {
            let of_client = aws_sdk_lambda::config::Builder::from(config);
            let client = Client::from_conf(of_client.interceptor(skew.clone()).build());
            let for_tags = TokenBucket::new(TAGS_PER_SECOND, TAGS_AT_ONCE);
            Self { client, region: region_of(config), for_tags }
        }

        async fn all(&self, usage: &mut Usage) -> Result<Vec<Listed>, AwsError> {
            let mut pages = self.client.list_functions().into_paginator().send();
            let mut turned = Pages::at_most(MAX_PAGES);
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| AwsError::of(LIST, &self.region, &error));
                usage.call(LIST, page.as_ref().err().map(|fault| fault.problem));
                let page = page?;
                found.extend(page.functions().iter().filter_map(listed));
                let next = turned.turn(page.next_marker());
                if next.map_err(|said| AwsError::incomplete(LIST, &self.region, said))?.is_none() {
                    break;
                }
            }
            Ok(found)
        }

        async fn seconds(&self, arn: &str) -> Result<Option<f64>, AwsError> {
            let answer = self.client.get_function_configuration().function_name(arn).send().await;
            let answer = answer.map_err(|error| AwsError::of(CONFIGURATION, &self.region, &error));
            match answer {
                Err(fault) if is_gone(&fault) => Ok(None),
                answer => {
                    let said = "no timeout that can be in the answer";
                    let lack = || AwsError::incomplete(CONFIGURATION, &self.region, said);
                    answer?.timeout().and_then(whole).map(Some).ok_or_else(lack)
                }
            }
        }

        /// The tags of one function. What is throttled is asked again, more slowly, for as long
        /// as somebody waits.
        async fn tags_of(
            &self,
            arn: &str,
            usage: &mut Usage,
        ) -> Result<HashMap<String, String>, AwsError> {
            loop {
                self.for_tags.take(1).await;
                let answer = self.client.list_tags().resource(arn).send().await;
                let answer = answer.map_err(|error| AwsError::of(TAGS, &self.region, &error));
                usage.call(TAGS, answer.as_ref().err().map(|fault| fault.problem));
                match answer {
                    Ok(answer) => {
                        self.for_tags.recover();
                        return Ok(answer.tags.unwrap_or_default());
                    }
                    Err(fault) if fault.problem == ErrorKind::Throttled => self.for_tags.give_way(),
                    Err(fault) if is_gone(&fault) => return Ok(HashMap::new()),
                    Err(fault) => return Err(fault),
                }
            }
        }

        async fn tags_of_each(
            &self,
            arns: &[String],
            usage: &mut Usage,
        ) -> Result<TagsByArn, AwsError> {
            let mut all = TagsByArn::new();
            for arn in arns {
                let tags = self.tags_of(arn, usage).await?;
                let tags = tags.into_iter().take(MAX_TAGS);
                let tags = tags.map(|(key, value)| (plain(&key), plain(&value))).collect();
                all.insert(arn.clone(), tags);
            }
            Ok(all)
        }
    }

    fn listed(one: &FunctionConfiguration) -> Option<Listed> {
        let arn = GatewayArn::parse(one.function_arn()?).ok()?;
        let is_plain = plain(&arn.text) == arn.text && arn.kind == Kind::Lambda;
        let id = Identity::new(Kind::Lambda, &arn.region, &arn.account, &arn.dimension);
        let timeout = one.timeout().and_then(whole);
        is_plain.then_some(Listed { id, arn: arn.text, timeout })
    }

    fn whole(seconds: i32) -> Option<f64> {
        (1..=LONGEST).contains(&seconds).then(|| f64::from(seconds))
    }

    fn is_gone(fault: &AwsError) -> bool {
        fault.code().starts_with("ResourceNotFound")
    }

    impl Inventory for Functions {
        fn actions(&self) -> &'static Actions {
            &ACTIONS
        }

        fn region(&self) -> &str {
            &self.region
        }

        fn list<'a>(
            &'a self,
            usage: &'a mut Usage,
        ) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>> {
            Box::pin(self.all(usage))
        }

        fn timeout<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>> {
            Box::pin(self.seconds(arn))
        }

        fn tags<'a>(
            &'a self,
            arns: &'a [String],
            usage: &'a mut Usage,
        ) -> BoxFuture<'a, Result<TagsByArn, AwsError>> {
            Box::pin(self.tags_of_each(arns, usage))
        }

        fn target_groups<'a>(
            &'a self,
            _: Option<&'a str>,
            _: &'a mut Usage,
        ) -> BoxFuture<'a, Result<TargetGroupsByArn, AwsError>> {
            Box::pin(ready(Ok(TargetGroupsByArn::new())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Selector};
    use crate::policy::policy;
    use nearmiss_core::gateway::metrics::Stat;
    use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};

    #[test]
    fn what_is_known_of_functions_follows_from_their_table() {
        let text = "[[gateway]]\nkind = \"lambda\"\nname = \"checkout-*\"\n\
                    [[gateway]]\nkind = \"lambda\"\n\
                    name = \"arn:aws:lambda:eu-central-1:111122223333:function:pay\"\n\
                    [[gateway]]\nload_balancer = \"web\"\n";
        let config = Config::parse(text, Path::new("test.toml")).unwrap();
        assert_eq!(config.gateways[0].to_string(), "name \"checkout-*\"");
        let Selector::Arn(arn) = &config.gateways[1].selector else { panic!("an ARN") };
        assert_eq!((arn.kind, arn.dimension.as_str()), (Kind::Lambda, "pay"));
        let allowed = policy(&config, None).to_string();
        assert!(allowed.contains(LIST) && allowed.contains("elasticloadbalancing:"), "{allowed}");

        let id = Identity::new(Kind::Lambda, &arn.region, &arn.account, &arn.dimension);
        assert_eq!(id.key(), "lambda:eu-central-1/111122223333/pay");
        assert_eq!(Identity::of_key(&id.key()), id);
        assert_eq!(id.arn().as_deref(), Some(arn.text.as_str()));
        let gateway = Gateway {
            id,
            timeout: Timeout { seconds: 90.0, at_aws: Some(90.0) },
            near: 0.8,
            detail: Detail::Figures,
            tags: [].into(),
        };
        assert_eq!(Stat::CountNearTimeout.spelled_for(&gateway), "TC(72000:89999)");
        assert_eq!(Stat::CountAtTimeout.spelled_for(&gateway), "TC(89999:)");
        assert_eq!(gateway.extra_delay(), 2, "minutes until a minute is complete");
    }

    #[test]
    fn a_function_is_no_load_balancer() {
        for text in [
            "[[gateway]]\nname = \"arn:aws:lambda:eu-central-1:111122223333:function:pay\"\n",
            "[[gateway]]\nkind = \"lambda\"\nname = \"app/web/50dc6c495c0c9188\"\n",
        ] {
            assert!(Config::parse(text, Path::new("test.toml")).is_err(), "{text}");
        }
    }
}
