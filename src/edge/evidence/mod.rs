//! How a load balancer, its targets and the network between them are set up: what the
//! console would show, for a diagnosis.
//!
//! Every question may be denied, throttled or about something that is half deleted. Each
//! therefore has its own answer, [`Checked`], which says why it is missing and what to
//! grant; none ends the others, and all that one method asks for must come within the same
//! time limit. EC2, ECS and Lambda are asked only if the program was built with the feature
//! `full`: their clients take as long to compile as everything else.

mod balancer;
#[cfg(feature = "full")]
mod functions;
#[cfg(feature = "full")]
mod network;
#[cfg(feature = "full")]
mod tasks;

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use super::aws::{AwsError, collect, plain, region_of};
use nearmiss_core::diagnose::evidence::{
    Checked, Function, LoadBalancer, Network, NotChecked, Service, TargetGroup, TargetGroups,
};
use nearmiss_core::number::quantity::seconds;

/// How long one part of the evidence may take, where no shorter deadline is set.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The most pages of an answer, and the most things that are examined.
const MAX_PAGES: usize = 100;
const MAX_THINGS: usize = 10_000;

/// Everything that is asked here, for the least policy.
pub const ACTIONS: &[&str] = &[
    balancer::DESCRIBE,
    balancer::ATTRIBUTES,
    balancer::GROUPS,
    balancer::GROUP_ATTRIBUTES,
    balancer::HEALTH,
    balancer::LISTENERS,
    balancer::RULES,
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeVpcs",
    "ec2:DescribeNetworkInterfaces",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "lambda:GetFunctionConfiguration",
];

/// Asks about one account in a Region.
#[derive(Debug, Clone)]
pub struct TopologyReader {
    region: String,
    patience: Duration,
    elb: elb::Client,
    #[cfg(feature = "full")]
    ec2: aws_sdk_ec2::Client,
    #[cfg(feature = "full")]
    ecs: aws_sdk_ecs::Client,
    #[cfg(feature = "full")]
    lambda: aws_sdk_lambda::Client,
}

impl TopologyReader {
    /// With the identity and the Region of this configuration; what takes longer than
    /// `patience` is not waited for.
    #[must_use]
    pub fn new(sdk: &SdkConfig, patience: Duration) -> Self {
        Self {
            region: region_of(sdk),
            patience,
            elb: elb::Client::new(sdk),
            #[cfg(feature = "full")]
            ec2: aws_sdk_ec2::Client::new(sdk),
            #[cfg(feature = "full")]
            ecs: aws_sdk_ecs::Client::new(sdk),
            #[cfg(feature = "full")]
            lambda: aws_sdk_lambda::Client::new(sdk),
        }
    }

    /// The load balancer with this ARN.
    pub async fn load_balancer(&self, arn: &str) -> Checked<LoadBalancer> {
        self.by(self.deadline(), "the load balancer", self.read_balancer(arn)).await
    }

    /// Its target groups, with their targets' health.
    pub async fn target_groups(&self, arn: &str) -> Checked<TargetGroups> {
        self.by(self.deadline(), "target groups", self.read_groups(arn)).await
    }

    /// The network between a load balancer and its targets. Enters the targets' addresses.
    #[cfg(feature = "full")]
    pub async fn network(
        &self,
        balancer: &Checked<LoadBalancer>,
        groups: &mut [TargetGroup],
    ) -> Network {
        self.read_network(balancer.as_ref().ok(), groups, self.deadline()).await
    }

    /// Nothing: this program cannot ask EC2.
    #[cfg(not(feature = "full"))]
    #[allow(clippy::unused_async)] // the other one is
    pub async fn network(&self, _: &Checked<LoadBalancer>, _: &mut [TargetGroup]) -> Network {
        Network {
            security_groups: Err(not_built("security groups")),
            subnets: Err(not_built("subnets")),
            acls: Err(not_built("network ACLs")),
            route_tables: Err(not_built("route tables")),
            vpc_blocks: Err(not_built("VPCs")),
            interfaces: Err(not_built("network interfaces")),
        }
    }

    /// The ECS services that register their tasks in these target groups.
    #[cfg(feature = "full")]
    pub async fn services(&self, groups: &[TargetGroup]) -> Checked<Vec<Service>> {
        self.by(self.deadline(), "ECS services", self.read_services(groups)).await
    }

    /// Nothing: this program cannot ask ECS.
    #[cfg(not(feature = "full"))]
    #[allow(clippy::unused_async)] // the other one is
    pub async fn services(&self, _: &[TargetGroup]) -> Checked<Vec<Service>> {
        Err(not_built("ECS services"))
    }

    /// The Lambda functions in these target groups.
    #[cfg(feature = "full")]
    pub async fn functions(&self, groups: &[TargetGroup]) -> Checked<Vec<Function>> {
        self.by(self.deadline(), "Lambda functions", self.read_functions(groups)).await
    }

    /// Nothing: this program cannot ask Lambda.
    #[cfg(not(feature = "full"))]
    #[allow(clippy::unused_async)] // the other one is
    pub async fn functions(&self, _: &[TargetGroup]) -> Checked<Vec<Function>> {
        Err(not_built("Lambda functions"))
    }

    /// When the time for what is asked now ends.
    fn deadline(&self) -> Instant {
        tokio::time::sleep(self.patience).deadline()
    }

    /// An answer that comes by the deadline, or why there is none.
    async fn by<T>(
        &self,
        deadline: Instant,
        what: &str,
        asked: impl Future<Output = Result<T, AwsError>>,
    ) -> Checked<T> {
        match tokio::time::timeout_at(deadline, asked).await {
            Ok(answer) => answer.map_err(|fault| because(what, &fault)),
            Err(_) => Err(NotChecked {
                what: what.to_owned(),
                because: format!("it took longer than {}", seconds(self.patience.as_secs_f64())),
                remedy: "try again".to_owned(),
            }),
        }
    }

    /// All pages of an answer, up to a limit that no diagnosis of a load balancer reaches.
    async fn all<P, T, E>(
        &self,
        action: &'static str,
        pages: PaginationStream<Result<P, SdkError<E, HttpResponse>>>,
        take: impl Fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, AwsError>
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        collect((action, &self.region), (MAX_PAGES, MAX_THINGS), pages, take).await
    }

    fn fault<E>(&self, action: &'static str, error: &SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        AwsError::of(action, &self.region, error)
    }
}

/// AWS's text about something, on one line.
fn text(value: Option<&str>) -> String {
    plain(value.unwrap_or_default())
}

/// Why something was not examined.
#[must_use]
pub fn because(what: &str, fault: &AwsError) -> NotChecked {
    let (because, remedy) = (fault.to_string(), fault.advice());
    NotChecked { what: what.to_owned(), because, remedy }
}

#[cfg(not(feature = "full"))]
fn not_built(what: &str) -> NotChecked {
    NotChecked {
        what: what.to_owned(),
        because: "this program was built without them".to_owned(),
        remedy: "build it with `cargo build --release --features full`".to_owned(),
    }
}
