//! Lambda: the functions there are, and those behind target groups.

use crate::rng::hash_bytes;
use crate::scenario::gateway::Kind;
use crate::services::Call;
use crate::services::gateway_pages::{Pages, present, tag_map};
use crate::services::quota::{Quota, Quotas};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::wire::xml::iso;
use crate::world::{Balancer, Gateway, World};

/// Calls that are neither invocations nor of `GetFunction`, `GetPolicy`: 15 a second.
const CONTROL: Quota = Quota { name: "lambda", burst: 15.0, rate: 15.0 };

/// Pages of functions, which hold 50 whatever is asked for.
const PAGES: Pages = Pages {
    list: "Functions",
    limit: ("MaxItems", 50, 50),
    cut: true,
    token: ("Marker", "NextMarker"),
    refusal: "InvalidParameterValueException",
};

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, quotas: &Quotas, call: &Call, input: Input) -> Reply {
    quotas.take(&CONTROL, call)?;
    match call.operation.as_str() {
        "ListFunctions" => list(world, call, input),
        "GetFunctionConfiguration" => configuration(world, call, input),
        "ListTags" => tags(world, call, input),
        other => Err(Failure::unknown_operation("lambda", other)),
    }
}

/// What a description is made of.
struct Function<'a> {
    name: &'a str,
    account: &'a str,
    timeout: u32,
    memory: u32,
}

impl<'a> Function<'a> {
    /// The function behind a target group.
    fn target(one: &'a Balancer) -> Self {
        let host = &one.source.plan.host;
        let (timeout, memory) = (host.function_timeout, host.memory);
        Self { name: &one.name, account: &one.account, timeout, memory }
    }

    /// A function of its own.
    fn gateway(one: &'a Gateway, minute: i64) -> Self {
        let memory = match one.plan.kind {
            Kind::Function { memory } => memory,
            _ => 128,
        };
        Self { name: &one.name, account: &one.account, timeout: one.timeout(minute), memory }
    }

    fn arn(&self, world: &World) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", world.setup.region, self.account, self.name)
    }
}

/// The functions of the caller at the time of the call.
fn functions<'a>(world: &'a World, call: &Call) -> Vec<Function<'a>> {
    if call.foreign {
        return Vec::new();
    }
    let minute = world.minute(call.now);
    let behind = world.balancers.iter().filter(|one| one.source.plan.host.is_lambda());
    let behind = behind.filter(|one| one.account == call.account).map(Function::target);
    let own = present(world, call, |kind| matches!(kind, Kind::Function { .. }));
    behind.chain(own.into_iter().map(|one| Function::gateway(one, minute))).collect()
}

fn list(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["MasterRegion", "FunctionVersion", "Marker", "MaxItems"])?;
    if input.text("FunctionVersion")?.is_some_and(|version| version != "ALL") {
        let message = "FunctionVersion must be ALL";
        return Err(Failure::new(400, "InvalidParameterValueException", message));
    }
    PAGES.cut(input, &functions(world, call), |one| function(world, one))
}

fn not_found(arn: &str) -> Failure {
    Failure::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}

fn configuration(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["FunctionName", "Qualifier"])?;
    let asked = input.required("FunctionName")?;
    // A name, an account with a name, or an ARN, perhaps with a version at its end.
    let name = match asked.split_once("function:") {
        Some((_, name)) => name.split(':').next().unwrap_or(name),
        None => asked,
    };
    let fits = |one: &Function| {
        let named = !asked.starts_with("arn:") || asked.starts_with(one.arn(world).as_str());
        one.name == name && named
    };
    let found = functions(world, call).into_iter().find(fits);
    found.map(|one| function(world, &one)).ok_or_else(|| {
        let region = &world.setup.region;
        not_found(&format!("arn:aws:lambda:{region}:{}:function:{name}", call.account))
    })
}

fn tags(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Resource"])?;
    let arn = input.required("Resource")?;
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let own = present(world, call, |kind| matches!(kind, Kind::Function { .. }));
    let mut own = own.into_iter().filter(|one| !call.foreign && one.name == name);
    let minute = world.minute(call.now);
    let found = own.find(|one| Function::gateway(one, minute).arn(world) == arn);
    let behind = || functions(world, call).iter().any(|one| one.arn(world) == arn);
    match found {
        Some(one) => Ok(Value::record([("Tags", tag_map(one))])),
        None if behind() => Ok(Value::record([("Tags", Value::Map(Vec::new()))])),
        None => Err(not_found(arn)),
    }
}

fn function(world: &World, one: &Function) -> Value {
    let arn = one.arn(world);
    let number = hash_bytes(world.setup.seed, arn.as_bytes());
    let changed = iso(world.setup.start - 20 * 86_400).replace('Z', ".000+0000");
    Value::record([
        ("FunctionName", one.name.into()),
        ("FunctionArn", arn.into()),
        ("Runtime", "nodejs22.x".into()),
        ("Role", format!("arn:aws:iam::{}:role/{}", one.account, one.name).into()),
        ("Handler", "index.handler".into()),
        ("CodeSize", Value::Integer(1_048_576)),
        ("Description", "".into()),
        ("Timeout", one.timeout.into()),
        ("MemorySize", one.memory.into()),
        ("LastModified", changed.into()),
        ("Version", "$LATEST".into()),
        ("TracingConfig", Value::record([("Mode", "PassThrough".into())])),
        ("RevisionId", crate::rng::uuid(number, number ^ 1).into()),
        ("State", "Active".into()),
        ("LastUpdateStatus", "Successful".into()),
        ("PackageType", "Zip".into()),
        ("Architectures", Value::list(["arm64"])),
        ("EphemeralStorage", Value::record([("Size", Value::Integer(512))])),
    ])
}
