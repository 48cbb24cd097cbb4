//! Lambda: the configuration of the functions behind target groups.

use crate::rng::hash_bytes;
use crate::services::Call;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::wire::xml::iso;
use crate::world::Balancer;
use crate::world::World;

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "GetFunctionConfiguration" => configuration(world, call, input),
        other => Err(Failure::unknown_operation("lambda", other)),
    }
}

fn configuration(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["FunctionName", "Qualifier"])?;
    let asked = input.required("FunctionName")?;
    let arn = |name: &str| {
        format!("arn:aws:lambda:{}:{}:function:{name}", world.setup.region, call.account)
    };
    // A name, an account with a name, or an ARN, perhaps with a version at its end.
    let name = match asked.split_once("function:") {
        Some((_, name)) => name.split(':').next().unwrap_or(name),
        None => asked,
    };
    let fits = |one: &&Balancer| {
        let begins = arn(&one.name);
        let named = !asked.starts_with("arn:") || asked.starts_with(begins.as_str());
        one.account == call.account && one.name == name && named && one.source.plan.host.is_lambda()
    };
    let mut all = world.balancers.iter().filter(|_| !call.foreign);
    all.find(fits).map(|one| function(world, one, &arn(name))).ok_or_else(|| {
        let message = format!("Function not found: {}", arn(name));
        Failure::new(404, "ResourceNotFoundException", message)
    })
}

fn function(world: &World, one: &Balancer, arn: &str) -> Value {
    let host = &one.source.plan.host;
    let number = hash_bytes(world.setup.seed, arn.as_bytes());
    let changed = iso(world.setup.start - 20 * 86_400).replace('Z', ".000+0000");
    Value::record([
        ("FunctionName", one.name.as_str().into()),
        ("FunctionArn", arn.into()),
        ("Runtime", "nodejs22.x".into()),
        ("Role", format!("arn:aws:iam::{}:role/{}", one.account, one.name).into()),
        ("Handler", "index.handler".into()),
        ("CodeSize", Value::Integer(1_048_576)),
        ("Description", "".into()),
        ("Timeout", host.function_timeout.into()),
        ("MemorySize", host.memory.into()),
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
