//! An inventory for unit tests, without HTTP.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, ready};

use super::{Actions, Inventory, Listed, TagsByArn, TargetGroupsByArn, alb};
use crate::edge::aws::{AwsError, ErrorKind, Usage};
use crate::edge::time::Stopwatch;
use nearmiss_core::gateway::{Identity, Kind};

/// How long a call takes.
const CALL: Duration = Duration::from_millis(50);

type Says = dyn Fn(&str) -> Result<Option<f64>, AwsError> + Send + Sync;

/// Load balancers, and what was asked about them.
pub(crate) struct Made {
    list: Vec<Listed>,
    says: Box<Says>,
    clock: Stopwatch,
    asked: Mutex<Vec<(Duration, String)>>,
}

impl Made {
    /// This many load balancers, whose names are numbers of five digits. `says` what the
    /// timeout of one is, and whether a call about it fails.
    pub(crate) fn new(
        load_balancers: usize,
        says: impl Fn(&str) -> Result<Option<f64>, AwsError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let one = |number| {
            let dimension = format!("app/{number:05}/50dc6c495c0c9188");
            let id = Identity::new(Kind::Alb, "here", "111122223333", &dimension);
            Listed { arn: id.arn().unwrap(), id }
        };
        let (list, clock) = ((0..load_balancers).map(one).collect(), Stopwatch::start());
        Arc::new(Self { list, says: Box::new(says), clock, asked: Mutex::default() })
    }

    async fn call(&self, arn: &str) -> Result<Option<f64>, AwsError> {
        let name = arn.rsplit('/').nth(1).unwrap_or_default();
        self.asked.lock().unwrap().push((self.clock.elapsed(), name.to_owned()));
        tokio::time::sleep(CALL).await;
        (self.says)(name)
    }

    /// Who was asked about since the last time, and when.
    pub(crate) fn asked(&self) -> Vec<(Duration, String)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The ARN of one of them.
    pub(crate) fn arn(&self, number: usize) -> String {
        self.list[number].arn.clone()
    }
}

/// A call that fails like this.
pub(crate) fn fault(problem: ErrorKind) -> AwsError {
    AwsError::saying(alb::ACTIONS.timeout, "here", problem, "no")
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made")
    }
}

impl Inventory for Made {
    fn actions(&self) -> &'static Actions {
        &alb::ACTIONS
    }

    #[allow(clippy::unnecessary_literal_bound)] // it is the trait's
    fn region(&self) -> &str {
        "here"
    }

    fn list<'a>(&'a self, _: &'a mut Usage) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>> {
        Box::pin(ready(Ok(self.list.clone())))
    }

    fn timeout<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>> {
        Box::pin(self.call(arn))
    }

    fn tags<'a>(
        &'a self,
        _: &'a [String],
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TagsByArn, AwsError>> {
        Box::pin(ready(Ok(TagsByArn::new())))
    }

    /// One for each; the list of all is a call about "all".
    fn target_groups<'a>(
        &'a self,
        of: Option<&'a str>,
        _: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TargetGroupsByArn, AwsError>> {
        Box::pin(async move {
            self.call(of.unwrap_or("/all/")).await?;
            let asked = self.list.iter().filter(|one| of.is_none_or(|arn| one.arn == arn));
            Ok(asked.map(|one| (one.arn.clone(), vec!["targetgroup/a/1".to_owned()])).collect())
        })
    }
}
