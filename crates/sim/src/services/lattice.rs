//! VPC Lattice: its services, each with the idle timeout that only `GetService` shows.

use crate::scenario::gateway::Kind;
use crate::services::Call;
use crate::services::gateway_pages::{Pages, present, tag_map};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::wire::xml::iso;
use crate::world::{Gateway, World};

/// How many seconds older than the scenario the services are.
const AGE: i64 = 200 * 86_400;

/// Pages of services.
const PAGES: Pages = Pages {
    list: "items",
    limit: ("maxResults", 50, 100),
    cut: false,
    token: ("nextToken", "nextToken"),
    refusal: "ValidationException",
};

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "ListServices" => {
            input.only(&["maxResults", "nextToken"])?;
            PAGES.cut(input, &all(world, call), |one| Value::record(common(world, one)))
        }
        "GetService" => service(world, call, input),
        "ListTagsForResource" => {
            input.only(&["resourceArn"])?;
            let one = find(world, call, input.required("resourceArn")?)?;
            Ok(Value::record([("tags", tag_map(one))]))
        }
        other => Err(Failure::unknown_operation("vpc-lattice", other)),
    }
}

fn all<'a>(world: &'a World, call: &Call) -> Vec<&'a Gateway> {
    if call.foreign {
        return Vec::new();
    }
    present(world, call, |kind| matches!(kind, Kind::Lattice))
}

fn arn(world: &World, one: &Gateway) -> String {
    format!("arn:aws:vpc-lattice:{}:{}:service/{}", world.setup.region, one.account, one.id)
}

/// The service of this id or ARN.
fn find<'a>(world: &'a World, call: &Call, asked: &str) -> Result<&'a Gateway, Failure> {
    let mut all = all(world, call).into_iter();
    all.find(|one| one.id == asked || arn(world, one) == asked).ok_or_else(|| {
        let message = format!("Service {asked} not found");
        Failure::new(404, "ResourceNotFoundException", message)
    })
}

fn common(world: &World, one: &Gateway) -> [(&'static str, Value); 7] {
    let region = &world.setup.region;
    let dns = format!("{}-{}.7d67968.vpc-lattice-svcs.{region}.on.aws", one.name, &one.id[4..]);
    let entry = Value::record([
        ("domainName", dns.into()),
        ("hostedZoneId", "Z09127221KTH2CFUOHIZH".into()),
    ]);
    let created = iso(world.setup.start - AGE);
    [
        ("arn", arn(world, one).into()),
        ("createdAt", created.as_str().into()),
        ("dnsEntry", entry),
        ("id", one.id.as_str().into()),
        ("lastUpdatedAt", created.as_str().into()),
        ("name", one.name.as_str().into()),
        ("status", "ACTIVE".into()),
    ]
}

fn service(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["serviceIdentifier"])?;
    let one = find(world, call, input.required("serviceIdentifier")?)?;
    let timeout = one.timeout(world.minute(call.now));
    let further = [("authType", "NONE".into()), ("idleTimeoutSeconds", timeout.into())];
    Ok(Value::record(common(world, one)).with(further))
}
