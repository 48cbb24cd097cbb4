//! What a failed call means: the SDKs' many errors as the few that a person can act on,
//! each with the way out.
//!
//! What AWS says goes into logs, messages and terminals. It is made one line of bounded
//! length here, so that nothing in it can look like something else.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::bounded::BadBody;
use super::dial::DialError;
use crate::edge::net::causes;

/// The most characters of AWS's text that are kept.
const MAX_CHARACTERS: usize = 600;

/// A call that failed.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// The IAM action of the call, such as `cloudwatch:GetMetricData`.
    pub action: &'static str,
    /// Where it was made; empty where no Region is known.
    pub region: String,
    /// What went wrong, as far as it changes what to do.
    pub problem: ErrorKind,
    /// What AWS or the SDK said: one line.
    pub said: String,
    /// AWS's error code; empty where there is none.
    code: String,
    hint: Hint,
}

/// The kinds of failure that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The identity is not allowed to.
    Denied,
    /// There is no identity, or AWS does not accept it.
    Credentials,
    /// AWS does not accept the time of the request.
    Clock,
    /// Too many calls.
    Throttled,
    /// No answer: network, name, TLS, time.
    Unreachable,
    /// AWS understood, and refused what was asked.
    Refused,
    /// AWS failed.
    Failed,
    /// The answer left something out, or contained what cannot be true.
    Incomplete,
}

/// Where else to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    Nothing,
    /// The certificate was not trusted.
    Certificate,
    /// There is a proxy on the way.
    Proxy,
    /// The instance's metadata gave no credentials.
    Metadata,
}

impl ErrorKind {
    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Credentials => "credentials",
            Self::Clock => "clock",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether the identity is the cause: AWS does not accept who asks.
    #[must_use]
    pub fn is_of_the_identity(self) -> bool {
        matches!(self, Self::Credentials | Self::Clock)
    }
}

impl AwsError {
    /// What a failed SDK call means.
    #[must_use]
    pub fn of<E>(action: &'static str, region: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let service = error.as_service_error();
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
        let message = service.and_then(ProvideErrorMetadata::message).unwrap_or_default();
        let (problem, said) = match (service, status, caused(error)) {
            (Some(_), status, _) if !code.is_empty() => {
                (of_code(code, message, status), join(code, message))
            }
            (Some(_), Some(status @ 300..), _) => (unsigned(status), not_aws(status)),
            (_, _, Some(none)) => (ErrorKind::Credentials, nobody(none)),
            (_, Some(_), None) => (ErrorKind::Failed, unreadable(error)),
            (_, None, None) if caused::<BadBody>(error).is_some() => {
                (ErrorKind::Failed, unreadable(error))
            }
            (_, None, None) => {
                let dialled = caused::<DialError>(error);
                (ErrorKind::Unreachable, dialled.map_or_else(|| chain(error), |dial| chain(dial)))
            }
        };
        let (said, code) = (plain(&said), plain(code));
        Self { action, region: region.to_owned(), problem, said, code, hint: hint(error) }
    }

    /// An answer that left something out.
    #[must_use]
    pub fn incomplete(action: &'static str, region: &str, said: impl AsRef<str>) -> Self {
        Self::saying(action, region, ErrorKind::Incomplete, said)
    }

    /// A failure within an answer that is good as a whole.
    #[must_use]
    pub fn saying(
        action: &'static str,
        region: &str,
        problem: ErrorKind,
        said: impl AsRef<str>,
    ) -> Self {
        let (region, said) = (region.to_owned(), plain(said.as_ref()));
        Self { action, region, problem, said, code: String::new(), hint: Hint::Nothing }
    }

    /// AWS's error code, such as `LoadBalancerNotFound`; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether the same call about fewer things could succeed: the fault may lie with one
    /// of the things asked for, and not with the caller, the network or the whole account.
    #[must_use]
    pub fn is_about_what_was_asked(&self) -> bool {
        const ABOUT: [&str; 6] =
            ["Parameter", "Validation", "Format", "Limit", "TooLarge", "NextToken"];
        match self.problem {
            ErrorKind::Failed | ErrorKind::Incomplete => true,
            ErrorKind::Refused => ABOUT.iter().any(|part| self.code.contains(part)),
            _ => false,
        }
    }

    /// The way out.
    #[must_use]
    pub fn advice(&self) -> String {
        let Self { action, .. } = self;
        if let Some(advice) = kms(&self.code, &self.said) {
            return advice;
        }
        match self.problem {
            ErrorKind::Denied => denied(action, &self.said),
            ErrorKind::Credentials if self.hint == Hint::Metadata => format!("{GIVE} {HOP_LIMIT} {ROLE}"),
            ErrorKind::Credentials => format!("{GIVE} {ROLE}"),
            ErrorKind::Clock => "Set this machine's clock right (`chronyc tracking`, `timedatectl`): AWS takes a request for 5 to 15 minutes. If the clock is right, temporary credentials have expired: renew them.".into(),
            ErrorKind::Throttled => "Wait; the next poll tries again. If it lasts, another client uses up the account's quota.".into(),
            ErrorKind::Unreachable => unreachable(action, self.hint),
            ErrorKind::Refused if concerns_account(&self.code) => "Look at the account itself in the AWS console: is it active, is the Region enabled, is it subscribed to the service?".into(),
            ErrorKind::Refused => "Check the name, the ARN and the Region in the config.".into(),
            ErrorKind::Failed | ErrorKind::Incomplete => "Nothing to do: the next poll tries again.".into(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if !self.region.is_empty() {
            write!(f, " in {}", self.region)?;
        }
        write!(f, ": {}", self.said.trim_end_matches('.'))
    }
}

impl StdError for AwsError {}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Somebody else's text as a part of one line: control characters and those that change the
/// direction of writing are escaped, and what is too long is cut.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_CHARACTERS));
    for (number, c) in text.chars().enumerate() {
        match c {
            _ if number >= MAX_CHARACTERS => {
                line.push('…');
                break;
            }
            c if c.is_control() => line.extend(c.escape_default()),
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// Whether an error's text names a code by which AWS does not accept our identity, which
/// may have been renewed by now.
pub(super) fn names_a_refused_identity(body: &[u8]) -> bool {
    let names = |code: &&str| body.windows(code.len()).any(|part| part == code.as_bytes());
    REFUSED_IDENTITY.iter().any(names)
}

/// Codes of AWS for an identity that it does not accept, as far as they are distinguished.
const REFUSED_IDENTITY: [&str; 14] = [
    "ExpiredToken",
    "RequestExpired",
    "InvalidToken",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClient",
    "SignatureDoesNotMatch",
    "InvalidSignature",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingSecurityHeader",
    "TokenRefreshRequired",
    "AuthFailure",
    "InvalidSecurity",
];

/// What an error code means, whatever the status; or what the status means, where the code
/// does not say.
fn of_code(code: &str, message: &str, status: Option<u16>) -> ErrorKind {
    const DENIED: [&str; 6] = [
        "AccessDenied",
        "AuthorizationError",
        "UnauthorizedOperation",
        "NotAuthorized",
        "Forbidden",
        "KMSAccessDenied",
    ];
    const LATE: [&str; 4] =
        ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", "RequestTimeTooOld"];
    const THROTTLED: [&str; 5] = [
        "RequestLimitExceeded",
        "TooManyRequests",
        "SlowDown",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
    ];
    // Query protocols say `ExpiredToken`, and JSON ones `ExpiredTokenException`.
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    let name = name.strip_suffix("Exception").unwrap_or(name);
    let is_of_time = ["Signature expired", "Signature not yet current"]
        .iter()
        .any(|words| message.starts_with(words));
    match (name, status) {
        _ if DENIED.contains(&name) => ErrorKind::Denied,
        _ if LATE.contains(&name) => ErrorKind::Clock,
        _ if REFUSED_IDENTITY.contains(&name) && is_of_time => ErrorKind::Clock,
        _ if REFUSED_IDENTITY.contains(&name) => ErrorKind::Credentials,
        _ if THROTTLED.contains(&name) || name.contains("Throttl") => ErrorKind::Throttled,
        (_, Some(401)) => ErrorKind::Credentials,
        (_, Some(403)) => ErrorKind::Denied,
        (_, Some(429)) => ErrorKind::Throttled,
        (_, Some(500..)) => ErrorKind::Failed,
        _ => ErrorKind::Refused,
    }
}

/// What a status means in an answer without an error code.
fn unsigned(status: u16) -> ErrorKind {
    match status {
        429 => ErrorKind::Throttled,
        500.. => ErrorKind::Failed,
        _ => ErrorKind::Unreachable,
    }
}

fn not_aws(status: u16) -> String {
    let who = match status {
        407 => "a proxy wants a user and a password in its URL",
        500.. => "AWS, or something before it, has failed",
        _ => "it is not AWS that answers, but a proxy or a firewall",
    };
    format!("HTTP {status} without an error code of AWS: {who}")
}

fn join(code: &str, message: &str) -> String {
    if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") }
}

/// Why there is no identity. The SDK lists what it tried, line by line.
fn nobody(error: &CredentialsError) -> String {
    // AWS's text about a role has a new request id each time.
    type OfRole = SdkError<AssumeRoleError, HttpResponse>;
    let said = caused::<OfRole>(error).and_then(SdkError::as_service_error);
    let said = said.and_then(|said| Some(join(said.code()?, said.message().unwrap_or_default())));
    if let Some(said) = said {
        return format!("the role cannot be assumed: {said}");
    }
    let text = chain(error).replace("the credential provider was not enabled: ", "");
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ").replace("Attempted:;", "Attempted:")
}

/// The innermost cause says what is wrong with an answer; those above it only say that
/// something is.
fn unreadable(error: &(dyn StdError + 'static)) -> String {
    let cause = causes(error).last().map_or_else(String::new, ToString::to_string);
    format!("the answer cannot be read: {cause}")
}

fn caused<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

fn hint(error: &(dyn StdError + 'static)) -> Hint {
    let dialled: Vec<&DialError> = causes(error).filter_map(|c| c.downcast_ref()).collect();
    match (dialled.first(), dialled.last()) {
        (_, Some(DialError::Certificate { .. })) => Hint::Certificate,
        (Some(DialError::Through { .. }), _) => Hint::Proxy,
        _ if asked_in_vain(&chain(error)) => Hint::Metadata,
        _ => Hint::Nothing,
    }
}

/// Whether the instance's metadata service was asked for credentials, as the SDK words it.
fn asked_in_vain(text: &str) -> bool {
    text.contains("could not communicate with IMDS")
}

fn service_of(action: &str) -> &str {
    action.split(':').next().unwrap_or(action)
}

/// Codes of faults that concern an account as a whole.
fn concerns_account(code: &str) -> bool {
    const OF_ACCOUNT: [&str; 8] = [
        "OptInRequired",
        "SubscriptionRequired",
        "AccountProblem",
        "Blocked",
        "PendingVerification",
        "RegionDisabled",
        "Inactive",
        "NotSignedUp",
    ];
    OF_ACCOUNT.iter().any(|part| code.contains(part))
}

const GIVE: &str = "Give the process credentials (environment, profile, or the role of the instance, task or pod), or renew them; `aws sts get-caller-identity` shows what the standard chain finds.";
const HOP_LIMIT: &str = "In a container on EC2 the metadata service answers only if the instance's HttpPutResponseHopLimit is 2 or more: `aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2`.";
const ROLE: &str = "Where a role_arn is configured, allow sts:AssumeRole on it, and this identity in its trust policy.";

/// Who has to allow what: AWS's text says it better than the call.
fn denied(action: &str, said: &str) -> String {
    if said.contains("explicit deny") {
        return format!(
            "An explicit deny forbids {action}, and no Allow outweighs it: change the policy that AWS names, or ask who owns it."
        );
    }
    match after(said, "not authorized to perform: ").filter(|needed| *needed != action) {
        Some(needed) => {
            let on =
                after(said, "on resource: ").map_or_else(String::new, |on| format!(" on {on}"));
            format!("Allow {needed}{on}.")
        }
        None => {
            format!("Allow {action}: `nearmiss iam-policy` prints the policy that is needed.")
        }
    }
}

/// The word that follows some others, without quotes and a full stop.
fn after<'a>(said: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = said.split_once(words)?;
    let word = rest.split([' ', ',', ';', ')']).next()?.trim_matches(['"', '\'', '.']);
    Some(word).filter(|word| !word.is_empty())
}

/// The way out where the key of an encrypted topic is the cause.
fn kms(code: &str, said: &str) -> Option<String> {
    let key = said
        .split([' ', ',', ';', '(', ')', '"', '\''])
        .find(|word| word.starts_with("arn:") && word.contains(":kms:"));
    let key = key.map_or_else(
        || "the key that the topic is encrypted with".to_owned(),
        |key| format!("the key {}", key.trim_end_matches(['.', ':'])),
    );
    let name = code.strip_suffix("Exception").unwrap_or(code);
    let is_kms = said.contains("kms:GenerateDataKey") || said.contains("kms:Decrypt");
    Some(match name {
        "KMSAccessDenied" => kms_policy(&key),
        "KMSDisabled" => format!("Enable {key} in AWS KMS."),
        "KMSInvalidState" => format!("Look at {key} in AWS KMS: it is being deleted, or has no key material."),
        "KMSNotFound" => format!("Look for {key} in AWS KMS: it is gone, or in another Region or account. Encrypt the topic with one that is there."),
        "KMSOptInRequired" => "Activate AWS KMS for the account: the topic is encrypted, and the account is not subscribed to it.".to_owned(),
        "KMSThrottling" => "Wait; the next poll tries again. If it lasts, another client uses up the account's quota of AWS KMS requests.".to_owned(),
        _ if is_kms => kms_policy(&key),
        _ => return None,
    })
}

fn kms_policy(key: &str) -> String {
    format!(
        "Allow kms:GenerateDataKey* and kms:Decrypt on {key}: in the policy of this identity, and in the key's own policy. The key alias/aws/sns does not allow it to other accounts, and its policy cannot be changed: then encrypt the topic with a key of your own."
    )
}

fn unreachable(action: &str, hint: Hint) -> String {
    let service = service_of(action);
    match hint {
        Hint::Certificate => format!(
            "If a proxy that looks into TLS stands between, or the endpoint of {service} is your own, set [aws] ca_bundle, or AWS_CA_BUNDLE, to a PEM file with the CA's certificate."
        ),
        Hint::Proxy => format!(
            "Check the proxy: does it let this machine reach the endpoint of {service}? What needs no proxy, such as a VPC endpoint, goes into NO_PROXY."
        ),
        Hint::Metadata | Hint::Nothing => format!(
            "Check the network, the proxy and the Region: can this machine reach the endpoint of {service} there?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whose_the_problem_is() {
        use ErrorKind::{Clock, Credentials, Denied, Failed, Refused, Throttled};
        const LATE: &str =
            "Signature expired: 20260105T090000Z is now earlier than 20260105T094500Z";
        for (code, message, status, problem) in [
            ("AccessDenied", "", 403, Denied),
            ("AccessDeniedException", "", 400, Denied),
            ("AuthorizationError", "", 403, Denied),
            ("UnauthorizedOperation", "", 403, Denied),
            ("com.amazon.coral.service#AccessDeniedException", "", 400, Denied),
            ("Anything", "", 403, Denied),
            ("InvalidSignatureException", "", 400, Credentials),
            ("InvalidSignatureException", LATE, 400, Clock),
            ("SignatureDoesNotMatch", "", 403, Credentials),
            ("SignatureDoesNotMatch", LATE, 403, Clock),
            ("SignatureDoesNotMatch", "Signature not yet current: 2026", 403, Clock),
            ("RequestExpired", "", 400, Clock),
            ("RequestTimeTooSkewed", "", 403, Clock),
            ("InvalidAccessKeyId", "", 403, Credentials),
            ("InvalidClientTokenId", "", 403, Credentials),
            ("UnrecognizedClientException", "", 400, Credentials),
            ("ExpiredToken", "", 403, Credentials),
            ("ExpiredTokenException", "", 400, Credentials),
            ("IncompleteSignature", "", 400, Credentials),
            ("AuthFailure", "", 401, Credentials),
            ("Anything", "", 401, Credentials),
            ("Throttling", "", 400, Throttled),
            ("ThrottledException", "", 429, Throttled),
            ("RequestLimitExceeded", "", 503, Throttled),
            ("KMSThrottlingException", "", 400, Throttled),
            ("Anything", "", 429, Throttled),
            ("InternalFailure", "", 500, Failed),
            ("ServiceUnavailable", "", 503, Failed),
            ("ValidationError", "", 400, Refused),
            ("LoadBalancerNotFound", "", 400, Refused),
            ("KMSDisabledException", "", 400, Refused),
        ] {
            assert_eq!(of_code(code, message, Some(status)), problem, "{code} {status}");
        }
    }

    fn saying(problem: ErrorKind, code: &str, message: &str) -> AwsError {
        let fault = AwsError::saying("sns:Publish", "eu-central-1", problem, join(code, message));
        AwsError { code: code.to_owned(), ..fault }
    }

    #[test]
    fn what_is_of_the_account_is_not_asked_in_smaller_parts() {
        for (problem, code, smaller) in [
            (ErrorKind::Credentials, "ExpiredToken", false),
            (ErrorKind::Clock, "RequestExpired", false),
            (ErrorKind::Denied, "AccessDenied", false),
            (ErrorKind::Throttled, "Throttling", false),
            (ErrorKind::Unreachable, "", false),
            (ErrorKind::Refused, "OptInRequired", false),
            (ErrorKind::Refused, "InvalidAction", false),
            (ErrorKind::Refused, "ValidationError", true),
            (ErrorKind::Refused, "InvalidParameterCombination", true),
            (ErrorKind::Refused, "InvalidParameterValueException", true),
            (ErrorKind::Refused, "LimitExceeded", true),
            (ErrorKind::Failed, "InternalFailure", true),
            (ErrorKind::Incomplete, "", true),
        ] {
            assert_eq!(saying(problem, code, "").is_about_what_was_asked(), smaller, "{code}");
        }
    }

    #[test]
    fn the_way_out_names_what_has_to_be_allowed() {
        const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/abc-1";
        let not_authorized = format!(
            "User: arn:aws:sts::111122223333:assumed-role/x/y is not authorized to perform: kms:GenerateDataKey on resource: {KEY} because no identity-based policy allows it"
        );
        for (problem, code, message, says) in [
            (
                ErrorKind::Denied,
                "KMSAccessDenied",
                not_authorized.as_str(),
                &["kms:GenerateDataKey*", "kms:Decrypt", KEY, "the key's own policy"][..],
            ),
            (
                ErrorKind::Denied,
                "KMSAccessDeniedException",
                "The ciphertext refers to a key that you may not use.",
                &["kms:Decrypt", "the key that the topic is encrypted with"],
            ),
            (
                ErrorKind::Denied,
                "AuthorizationError",
                not_authorized.as_str(),
                &["kms:GenerateDataKey*", KEY],
            ),
            (
                ErrorKind::Refused,
                "KMSDisabled",
                "arn:aws:kms:a:1:key/2 is disabled.",
                &["Enable the key arn:aws:kms:a:1:key/2 in"],
            ),
            (
                ErrorKind::Refused,
                "KMSInvalidState",
                "arn:aws:kms:a:1:key/2 is pending deletion.",
                &["it is being deleted"],
            ),
            (
                ErrorKind::Refused,
                "KMSNotFound",
                "Key 'arn:aws:kms:a:1:key/2' does not exist",
                &["the key arn:aws:kms:a:1:key/2", "it is gone"],
            ),
            (ErrorKind::Refused, "KMSOptInRequired", "", &["Activate AWS KMS"]),
            (ErrorKind::Throttled, "KMSThrottling", "", &["quota of AWS KMS"]),
            (
                ErrorKind::Denied,
                "AuthorizationError",
                "User: u is not authorized to perform: SNS:Publish on resource: arn:aws:sns:a:1:t because x",
                &["Allow SNS:Publish on arn:aws:sns:a:1:t."],
            ),
            (
                ErrorKind::Denied,
                "AccessDenied",
                "User: u is not authorized to perform: sns:Publish with an explicit deny in a service control policy",
                &["explicit deny", "no Allow outweighs it"],
            ),
            (ErrorKind::Denied, "AccessDenied", "no", &["Allow sns:Publish", "iam-policy"]),
            (ErrorKind::Credentials, "ExpiredToken", "", &["renew them"]),
            (ErrorKind::Clock, "RequestExpired", "", &["clock", "chronyc", "renew them"]),
            (ErrorKind::Refused, "OptInRequired", "", &["the account itself"]),
            (ErrorKind::Refused, "NotFound", "", &["the ARN"]),
        ] {
            let advice = saying(problem, code, message).advice();
            for part in says {
                assert!(advice.contains(part), "{code}: {part} is not in: {advice}");
            }
        }
    }

    #[test]
    fn without_an_identity_every_way_to_one_is_named() {
        type Failed = SdkError<
            aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError,
            HttpResponse,
        >;
        const HUNG: &str = "no credentials found in chain. Attempted:\n  Environment: not set\n  Ec2InstanceMetadata: could not communicate with IMDS: no answer within 1 s";
        const NO_ROLE: &str = "Ec2InstanceMetadata: received 404 from IMDS when loading profile information. Hint: This instance may not have an IAM role associated.";
        let fault = |text: &str| {
            let none = CredentialsError::not_loaded(text.to_owned());
            AwsError::of("a:b", "c", &Failed::construction_failure(none))
        };
        let (hung, off) = (fault(HUNG), fault("IMDS disabled by AWS_EC2_METADATA_DISABLED"));
        assert_eq!((hung.problem, off.problem), (ErrorKind::Credentials, ErrorKind::Credentials));
        assert!(hung.said.contains("Attempted: Environment: not set; Ec2Inst"), "{hung}");
        assert!(hung.advice().contains("HttpPutResponseHopLimit is 2"), "{}", hung.advice());
        for advice in [hung.advice(), off.advice()] {
            for way in ["environment", "profile", "instance, task or pod", "role_arn"] {
                assert!(advice.contains(way), "{way} is not in: {advice}");
            }
        }
        for answered in [off, fault(NO_ROLE)] {
            assert!(!answered.advice().contains("HopLimit"), "{}", answered.advice());
        }
    }

    #[test]
    fn what_somebody_says_is_a_part_of_one_line() {
        assert_eq!(
            plain("a\nb\r\u{1b}[2J\u{0}é\u{85}\u{2028}"),
            "a\\nb\\r\\u{1b}[2J\\u{0}é\\u{85}\\u{2028}"
        );
        assert_eq!(plain(&"é".repeat(10_000)).chars().count(), MAX_CHARACTERS + 1);
        let fault = AwsError::incomplete("a:b", "c", "d\ne");
        assert_eq!(fault.to_string(), "a:b in c: d\\ne");
    }
}
