//! From the selections of the config to the gateways that exist.
//!
//! An [`Inventory`] says which gateways of one kind an account has in a Region, and when
//! they give up; there is one file for each kind. A [`Catalog`](catalog::Catalog) is what
//! is known of one kind in one place, and an [`AccountRegion`] joins them: it is what is
//! listed, asked and billed together.

mod account;
mod alb;
mod catalog;
mod choice;
mod lambda;
#[cfg(not(feature = "lambda"))]
mod not_built;
mod pace;
mod tags;
mod target_groups;
#[cfg(test)]
pub(crate) mod testing;
mod timeouts;
mod trouble;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use futures::future::BoxFuture;

use crate::edge::aws::{AwsError, Skew, Usage};
use nearmiss_core::gateway::{Identity, Kind};

pub use account::{AccountRegion, TargetGroupSearch, tell_apart};
pub use alb::target_group_dimension;
pub use target_groups::MAX_TARGET_GROUPS;
pub use timeouts::{ReadTimeout, SlowAnswer, TimeoutReader};
pub use trouble::Trouble;

/// Calls under way at once, per account and Region.
const CONCURRENCY: usize = 8;

/// Something that was read, and when (seconds since the Unix epoch).
#[derive(Debug, Clone)]
struct Known<T> {
    value: T,
    read: i64,
}

/// A gateway as an inventory lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its identity.
    pub id: Identity,
    /// Its ARN, by which it is asked about.
    pub arn: String,
    /// When it gives up, seconds, where a list says that.
    pub timeout: Option<f64>,
}

/// The IAM actions of the calls of an inventory.
#[derive(Debug)]
pub struct Actions {
    /// Of the call that lists.
    pub list: &'static str,
    /// Of the call for a timeout.
    pub timeout: &'static str,
    /// Of the call for tags.
    pub tags: &'static str,
    /// How many gateways that call takes.
    pub tags_per_call: usize,
    /// Of the call for target groups, if the kind has any.
    pub target_groups: Option<&'static str>,
}

/// Tags by ARN.
pub type TagsByArn = HashMap<String, BTreeMap<String, String>>;

/// The CloudWatch dimension values of target groups by the ARN of their gateway.
pub type TargetGroupsByArn = HashMap<String, Vec<String>>;

/// Which gateways of one kind an account has in a Region. Each call may fail with AWS's
/// error.
pub trait Inventory: fmt::Debug + Send + Sync {
    /// The IAM actions of its calls.
    fn actions(&self) -> &'static Actions;

    /// Where it asks.
    fn region(&self) -> &str;

    /// Every gateway that exists.
    fn list<'a>(&'a self, usage: &'a mut Usage) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>>;

    /// When a gateway gives up, seconds; `None` if it has been deleted in the meantime.
    fn timeout<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>>;

    /// The tags of each of these gateways; one that has been deleted in the meantime has
    /// none.
    fn tags<'a>(
        &'a self,
        arns: &'a [String],
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TagsByArn, AwsError>>;

    /// The CloudWatch dimension values of the target groups of a gateway, or of all, by the
    /// ARN of the gateway. One without target groups is not there.
    fn target_groups<'a>(
        &'a self,
        of: Option<&'a str>,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TargetGroupsByArn, AwsError>>;
}

/// The IAM actions that an inventory of this kind needs.
#[must_use]
pub fn actions(kind: Kind) -> &'static Actions {
    match kind {
        Kind::Alb => &alb::ACTIONS,
        Kind::Lambda => &lambda::ACTIONS,
    }
}

/// The inventory of this kind in the account and Region of a configuration; it reports to
/// `skew` what time it is there.
#[must_use]
pub fn connect(kind: Kind, sdk: &SdkConfig, skew: &Skew) -> Arc<dyn Inventory> {
    match kind {
        Kind::Alb => Arc::new(alb::Elb::new(sdk, skew)),
        Kind::Lambda => lambda::connect(sdk, skew),
    }
}
