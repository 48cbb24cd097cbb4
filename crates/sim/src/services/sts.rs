//! Security Token Service: who am I, and becoming somebody else.
//!
//! Issued keys are remembered, so that a later call with them is made by the
//! assumed role, in the account of that role.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::faults::refusals::denied;
use crate::parallel::lock;
use crate::rng::hash_bytes;
use crate::services::Call;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::{Input, missing};
use crate::world::World;

/// Sessions remembered at most.
const MAX_SESSIONS: usize = 100_000;

/// Who holds which temporary keys: access key -> ARN of the role session it was issued to.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<String, String>>);

impl Sessions {
    /// ARN of whoever holds this access key; somebody in `account` unless it was issued here.
    pub(crate) fn caller(&self, account: &str, access_key: &str) -> String {
        let issued = lock(&self.0).get(access_key).cloned();
        issued.unwrap_or_else(|| format!("arn:aws:iam::{account}:user/simulated"))
    }
}

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, sessions: &Sessions, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(identity(call)),
        "AssumeRole" => assume_role(world, sessions, call, input),
        other => Err(Failure::unknown_operation("sts", other)),
    }
}

fn identity(call: &Call) -> Value {
    let arn = call.caller.clone();
    let user = if arn.contains(":assumed-role/") {
        let session = arn.rsplit('/').next().unwrap_or_default();
        format!("{}:{session}", role_id(&arn))
    } else {
        format!("AIDA{:016X}", hash_bytes(0, arn.as_bytes()))
    };
    Value::Record(vec![
        ("UserId", Value::text(user)),
        ("Account", Value::text(call.account.as_str())),
        ("Arn", Value::text(arn)),
    ])
}

fn role_id(arn: &str) -> String {
    let role = arn.split('/').nth(1).unwrap_or_default();
    format!("AROA{:016X}", hash_bytes(0, role.as_bytes()))
}

fn assume_role(world: &World, sessions: &Sessions, call: &Call, input: Input) -> Reply {
    let role = input.text("RoleArn")?.ok_or_else(|| missing("RoleArn"))?;
    let session = input.required("RoleSessionName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        return Err(Failure::validation(format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to \
             satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    let duration = input.integer("DurationSeconds")?.unwrap_or(3_600);
    if !(900..=43_200).contains(&duration) {
        return Err(Failure::validation("DurationSeconds must be between 900 and 43200"));
    }
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let ["arn", "aws", "iam", "", account, path] = parts[..] else {
        return Err(Failure::validation(format!("{role} is invalid")));
    };
    let name = path.strip_prefix("role/").and_then(|path| path.rsplit('/').next());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Failure::validation(format!("{role} is invalid")));
    };
    let known = account == world.setup.account || world.linked(account);
    let wanted = world.setup.external_id.as_deref();
    let trusted = wanted.is_none() || input.text("ExternalId")? == wanted;
    if name == "denied" || !known || !trusted {
        let mut failure = denied("sts:AssumeRole", &call.caller.clone());
        failure.message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
            call.caller.clone()
        );
        return Err(failure);
    }
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    Ok(issue(world, sessions, call, arn, duration))
}

/// Temporary keys of the role session with this ARN, valid for this many seconds.
fn issue(world: &World, sessions: &Sessions, call: &Call, arn: String, duration: i64) -> Value {
    let session = arn.rsplit('/').next().unwrap_or_default();
    let seed = world.setup.seed;
    let key = format!("ASIA{:016X}", hash_bytes(seed, arn.as_bytes()));
    let secret = format!(
        "{:016x}{:016x}",
        hash_bytes(seed ^ 1, arn.as_bytes()),
        hash_bytes(seed ^ 2, arn.as_bytes())
    );
    let token = format!("sim-session-{:016x}", hash_bytes(seed ^ 3, arn.as_bytes()));
    let mut sessions = lock(&sessions.0);
    if sessions.len() < MAX_SESSIONS {
        sessions.insert(key.clone(), arn.clone());
    }
    // The only time the simulator knows is the one the caller signed with.
    let expires = call.now.unwrap_or(world.setup.start) + duration;
    Value::Record(vec![
        (
            "Credentials",
            Value::Record(vec![
                ("AccessKeyId", Value::text(key)),
                ("SecretAccessKey", Value::text(secret)),
                ("SessionToken", Value::text(token)),
                ("Expiration", Value::Time(expires)),
            ]),
        ),
        (
            "AssumedRoleUser",
            Value::Record(vec![
                ("AssumedRoleId", Value::text(format!("{}:{session}", role_id(&arn)))),
                ("Arn", Value::text(arn)),
            ]),
        ),
        ("PackedPolicySize", Value::Integer(0)),
    ])
}
