//! A kind of gateways that this program was built without: it says how to build it with them.

use aws_config::SdkConfig;
use futures::future::{BoxFuture, ready};

use super::{Actions, Inventory, Listed, TagsByArn, TargetGroupsByArn};
use crate::edge::aws::{AwsError, Usage, region_of};

/// An inventory that is not there.
#[derive(Debug)]
pub(super) struct NotBuilt {
    feature: &'static str,
    actions: &'static Actions,
    region: String,
}

impl NotBuilt {
    /// Of the kind that this Cargo feature builds.
    pub(super) fn new(feature: &'static str, actions: &'static Actions, sdk: &SdkConfig) -> Self {
        Self { feature, actions, region: region_of(sdk) }
    }

    fn not_there<T: Send + 'static>(
        &self,
        action: &'static str,
    ) -> BoxFuture<'_, Result<T, AwsError>> {
        let said = format!(
            "this program was built without it: build it with --features {} (or full), or write the ARN and the timeout",
            self.feature
        );
        Box::pin(ready(Err(AwsError::incomplete(action, &self.region, said))))
    }
}

impl Inventory for NotBuilt {
    fn actions(&self) -> &'static Actions {
        self.actions
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn list<'a>(&'a self, _: &'a mut Usage) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>> {
        self.not_there(self.actions.list)
    }

    fn timeout<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>> {
        self.not_there(self.actions.timeout)
    }

    fn tags<'a>(
        &'a self,
        _: &'a [String],
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TagsByArn, AwsError>> {
        self.not_there(self.actions.tags)
    }

    fn target_groups<'a>(
        &'a self,
        _: Option<&'a str>,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TargetGroupsByArn, AwsError>> {
        Box::pin(ready(Ok(TargetGroupsByArn::new())))
    }
}
