//! The services of AWS that are simulated, one module each.
//!
//! A service gets what it needs and no more: most are a function of the [`World`] and
//! the call. Requests are known to `cloudwatch` alone, messages to `sns` and (for what
//! is counted of them) to `cloudwatch`, issued keys to `sts`.

pub(crate) mod apigateway;
pub(crate) mod classic;
pub(crate) mod cloudfront;
pub(crate) mod cloudwatch;
pub(crate) mod ec2;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod gateway_pages;
pub(crate) mod lambda;
pub(crate) mod lattice;
pub(crate) mod quota;
pub(crate) mod sns;
pub(crate) mod sts;
pub(crate) mod vpc;

use std::sync::{Mutex, OnceLock};

use crate::metrics::view::View;
use crate::services::cloudwatch::Sources;
use crate::services::cloudwatch::listing::{self, Listing};
use crate::services::quota::Quotas;
use crate::services::sns::log::Messages;
use crate::services::sts::Sessions;
use crate::traffic::minutes::Minutes;
use crate::wire::document::{Failure, Reply};
use crate::wire::input::Input;
use crate::world::World;

/// One call, recognised and authenticated as far as the simulator does.
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    /// The region the call is signed for.
    pub(crate) region: String,
    /// Whether the call is signed for another region than the simulated one.
    pub(crate) foreign: bool,
    /// ARN of whoever makes it.
    pub(crate) caller: String,
    /// Number of the account the caller belongs to.
    pub(crate) account: String,
    /// Time of the signature, epoch seconds.
    pub(crate) signed_at: Option<i64>,
    /// AWS's now, epoch seconds; like the signature it may be missing.
    pub(crate) now: Option<i64>,
    /// Running number of the call.
    pub(crate) number: u64,
}

/// The services with what they remember. Only messages, issued keys and quotas change;
/// everything else is a function of the setup, and kept once it was computed.
pub(crate) struct Services {
    pub(crate) world: World,
    pub(crate) minutes: Minutes,
    pub(crate) messages: Mutex<Messages>,
    listing: OnceLock<Listing>,
    sessions: Sessions,
    quotas: Quotas,
}

impl Services {
    /// The services of a fresh simulator.
    pub(crate) fn new(world: World) -> Self {
        Self {
            minutes: Minutes::new(world.start(), world.scenario.minutes),
            world,
            messages: Mutex::default(),
            listing: OnceLock::new(),
            sessions: Sessions::default(),
            quotas: Quotas::default(),
        }
    }

    /// Everything there is, whatever AWS's now.
    pub(crate) fn view(&self) -> View<'_> {
        View::at(&self.world, &self.minutes, None)
    }

    /// ARN of whoever holds this access key.
    pub(crate) fn caller(&self, access_key: &str) -> String {
        self.sessions.caller(&self.world.setup.account, access_key)
    }

    /// Answers a call, whatever service it is for.
    pub(crate) fn answer(&self, call: &Call, input: Input) -> Reply {
        let Self { world, minutes, messages, listing, sessions, quotas } = self;
        let sources = Sources { world, minutes, messages };
        match (call.service, call.operation.as_str()) {
            ("cloudwatch", "GetMetricData") => cloudwatch::get_metric_data(sources, call, input),
            ("cloudwatch", "ListMetrics") => listing::list_metrics(sources, listing, call, input),
            ("elasticloadbalancing", _) => elb::answer(world, call, input),
            ("sns", _) => sns::answer(world, messages, call, input),
            ("sts", _) => sts::answer(world, sessions, call, input),
            ("ec2", _) => ec2::answer(world, call, input),
            ("ecs", _) => ecs::answer(world, call, input),
            ("elb", _) => classic::answer(world, call, input),
            ("lambda", _) => lambda::answer(world, quotas, call, input),
            ("cloudfront", _) => cloudfront::answer(world, call, input),
            ("apigateway", _) => apigateway::answer(world, quotas, call, input),
            ("vpc-lattice", _) => lattice::answer(world, call, input),
            (service, operation) => Err(Failure::unknown_operation(service, operation)),
        }
    }
}

/// Number of the account an ARN belongs to.
pub(crate) fn account_of(arn: &str) -> String {
    arn.split(':').nth(4).unwrap_or_default().to_owned()
}
