//! Lambda functions, by AWS Lambda.

use aws_config::SdkConfig;
use futures::future::{BoxFuture, ready};

use super::{Actions, Inventory, Listed, TagsByArn};
use crate::edge::aws::{AwsError, Skew, Usage, region_of};
use nearmiss_core::gateway::{Identity, Kind};

const LIST: &str = "lambda:ListFunctions";
const CONFIGURATION: &str = "lambda:GetFunctionConfiguration";

pub(super) const ACTIONS: Actions =
    Actions { list: LIST, timeout: CONFIGURATION, tags: "lambda:ListTags", target_groups: None };

/// AWS Lambda, seen from one account and Region.
#[derive(Debug)]
pub(super) struct Functions {
    client: aws_sdk_lambda::Client,
    region: String,
}

impl Functions {
    pub(super) fn new(config: &SdkConfig, skew: &Skew) -> Self {
        let of_client = aws_sdk_lambda::config::Builder::from(config);
        let client = aws_sdk_lambda::Client::from_conf(of_client.interceptor(skew.clone()).build());
        Self { client, region: region_of(config) }
    }

    async fn all(&self, usage: &mut Usage) -> Result<Vec<Listed>, AwsError> {
        let answer = self.client.list_functions().send().await;
        let answer = answer.map_err(|error| AwsError::of(LIST, &self.region, &error));
        usage.call(LIST, answer.as_ref().err().map(|fault| fault.problem));
        let listed = |one: &aws_sdk_lambda::types::FunctionConfiguration| {
            let arn = one.function_arn()?;
            let account = arn.split(':').nth(4)?;
            let id = Identity::new(Kind::Lambda, &self.region, account, one.function_name()?);
            Some(Listed { id, arn: arn.to_owned() })
        };
        Ok(answer?.functions().iter().filter_map(listed).collect())
    }

    async fn seconds(&self, arn: &str) -> Result<Option<f64>, AwsError> {
        let answer = self.client.get_function_configuration().function_name(arn).send().await;
        let answer = answer.map_err(|error| AwsError::of(CONFIGURATION, &self.region, &error))?;
        Ok(answer.timeout().map(f64::from))
    }
}

impl Inventory for Functions {
    fn actions(&self) -> &'static Actions {
        &ACTIONS
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn list<'a>(&'a self, usage: &'a mut Usage) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>> {
        Box::pin(self.all(usage))
    }

    fn timeout<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>> {
        Box::pin(self.seconds(arn))
    }

    fn tags<'a>(
        &'a self,
        _: &'a [String],
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TagsByArn, AwsError>> {
        Box::pin(ready(Ok(TagsByArn::new())))
    }

    fn target_groups<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, AwsError>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Selector};
    use crate::policy::policy;
    use nearmiss_core::gateway::metrics::Stat;
    use nearmiss_core::gateway::{Detail, Gateway, Timeout};

    #[test]
    fn a_second_kind_follows_from_its_table_and_its_inventory() {
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
