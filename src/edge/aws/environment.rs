//! The variables that the AWS SDK reads, checked before it reads them.
//!
//! The SDK takes a variable that is set but empty for a value, and at some nonsense it
//! panics or quietly goes on without it. For the AWS CLI empty is not set, and nonsense is
//! an error; here too.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use hyper::Uri;

/// A variable that cannot be what was meant. Secrets are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: expected {expected}, found {found}. Correct or unset it")]
pub struct VariableError {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub expected: String,
    /// What it has.
    pub found: String,
}

/// What a variable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// A Region's name.
    Region,
    /// A URL of http or https, with a host.
    Url,
    /// The path of a URL.
    Path,
    /// True or false.
    Switch,
    /// A number from the first to the second.
    Number(u32, u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A role's ARN.
    Role,
    /// Text that can be in a request's header; a secret.
    Secret,
    /// A profile that exists in a file.
    Profile,
    /// Text; its use reports its own errors.
    Text,
}

/// Every variable that the SDK reads anything from. `AWS_ENDPOINT_URL` can also be followed
/// by a service's name.
const KNOWN: &[(&str, Takes)] = &[
    ("AWS_REGION", Takes::Region),
    ("AWS_DEFAULT_REGION", Takes::Region),
    ("AWS_PROFILE", Takes::Profile),
    ("AWS_CONFIG_FILE", Takes::Text),
    ("AWS_SHARED_CREDENTIALS_FILE", Takes::Text),
    ("AWS_ACCESS_KEY_ID", Takes::Secret),
    ("AWS_SECRET_ACCESS_KEY", Takes::Secret),
    ("AWS_SESSION_TOKEN", Takes::Secret),
    ("AWS_ACCOUNT_ID", Takes::Text),
    ("AWS_ROLE_ARN", Takes::Role),
    ("AWS_ROLE_SESSION_NAME", Takes::Text),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Takes::Text),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Takes::Path),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Takes::Url),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", Takes::Secret),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Takes::Text),
    ("AWS_EC2_METADATA_DISABLED", Takes::Switch),
    ("AWS_EC2_METADATA_V1_DISABLED", Takes::Switch),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Takes::Url),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", Takes::Word(&["IPv4", "IPv6"])),
    ("AWS_METADATA_SERVICE_TIMEOUT", Takes::Number(1, 3600)),
    ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", Takes::Number(1, 100)),
    ("AWS_ENDPOINT_URL", Takes::Url),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Takes::Switch),
    ("AWS_USE_FIPS_ENDPOINT", Takes::Switch),
    ("AWS_USE_DUALSTACK_ENDPOINT", Takes::Switch),
    ("AWS_STS_REGIONAL_ENDPOINTS", Takes::Word(&["legacy", "regional"])),
    ("AWS_ACCOUNT_ID_ENDPOINT_MODE", Takes::Word(&["preferred", "disabled", "required"])),
    ("AWS_RETRY_MODE", Takes::Word(&["legacy", "standard", "adaptive"])),
    ("AWS_MAX_ATTEMPTS", Takes::Number(1, u32::MAX)),
    (
        "AWS_DEFAULTS_MODE",
        Takes::Word(&["legacy", "standard", "in-region", "cross-region", "mobile", "auto"]),
    ),
    ("AWS_REQUEST_CHECKSUM_CALCULATION", Takes::Word(&["when_supported", "when_required"])),
    ("AWS_RESPONSE_CHECKSUM_VALIDATION", Takes::Word(&["when_supported", "when_required"])),
    ("AWS_DISABLE_REQUEST_COMPRESSION", Takes::Switch),
    ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", Takes::Number(0, 10_485_760)),
    ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", Takes::Switch),
    ("AWS_SIGV4A_SIGNING_REGION_SET", Takes::Text),
    ("AWS_AUTH_SCHEME_PREFERENCE", Takes::Text),
    ("AWS_SDK_UA_APP_ID", Takes::Text),
    ("AWS_CA_BUNDLE", Takes::Text),
];

/// The names of all of them.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The variables of AWS that are set but empty. The SDK reads the environment when and
/// where it likes, so they must be gone when the program starts.
pub fn empty(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<OsString> {
    let is_aws = |name: &OsStr| name.as_encoded_bytes().starts_with(b"AWS_");
    let empty = variables.filter(|(name, value)| value.is_empty() && is_aws(name));
    empty.map(|(name, _)| name).collect()
}

/// Checks all of them.
///
/// # Errors
/// The first one with an unacceptable value.
pub(super) fn check(
    variables: impl Iterator<Item = (OsString, OsString)>,
    profiles: &BTreeSet<String>,
) -> Result<(), VariableError> {
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, takes)| *takes);
        let of_service = name.starts_with("AWS_ENDPOINT_URL_").then_some(Takes::Url);
        let Some(takes) = known.or(of_service) else { continue };
        if value.is_empty() {
            continue;
        }
        let wrong = |expected: String, found: String| {
            Err(VariableError { name: name.to_owned(), expected, found })
        };
        let Some(text) = value.to_str() else {
            return wrong(takes.expected(profiles), "bytes that are not UTF-8".to_owned());
        };
        if !takes.accepts(text, profiles) {
            let found = match takes {
                Takes::Secret => "something else".to_owned(),
                _ => format!("\"{}\"", super::fault::plain(text)),
            };
            return wrong(takes.expected(profiles), found);
        }
    }
    Ok(())
}

impl Takes {
    fn accepts(self, text: &str, profiles: &BTreeSet<String>) -> bool {
        match self {
            Self::Region => is_label(text),
            Self::Url => is_url(text),
            Self::Path => text.starts_with('/') && text.parse::<Uri>().is_ok(),
            Self::Switch => ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)),
            Self::Number(least, most) => {
                text.parse().is_ok_and(|number| (least..=most).contains(&number))
            }
            Self::Word(words) => words.iter().any(|word| text.eq_ignore_ascii_case(word)),
            Self::Role => text.starts_with("arn:") && !text.contains(char::is_whitespace),
            Self::Secret => text.bytes().all(|byte| byte.is_ascii_graphic()),
            Self::Profile => profiles.contains(text),
            Self::Text => !text.contains('\0'),
        }
    }

    fn expected(self, profiles: &BTreeSet<String>) -> String {
        match self {
            Self::Region => "a Region, such as eu-central-1".to_owned(),
            Self::Url => "a URL, such as https://vpce.example.com".to_owned(),
            Self::Path => "the path of a URL, such as /v2/credentials/1".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Number(least, u32::MAX) => format!("a number from {least} on"),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Role => "a role's ARN".to_owned(),
            Self::Secret => "letters, digits and signs without a space or a line break".to_owned(),
            Self::Profile if profiles.is_empty() => {
                "a profile of ~/.aws/config or ~/.aws/credentials, and there is none".to_owned()
            }
            Self::Profile => {
                let known: Vec<&str> = profiles.iter().map(String::as_str).take(10).collect();
                format!("a profile of the AWS config files, such as {}", known.join(", "))
            }
            Self::Text => "a text".to_owned(),
        }
    }
}

/// Whether a text is a URL of http or https with a host, as endpoints are.
pub(super) fn is_url(text: &str) -> bool {
    let url =
        text.parse::<Uri>().ok().filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")))
}

/// A label of a host name, as Regions are: host names contain them.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(inner)
}

/// The files of profiles: the config's and the credentials'.
pub(super) fn files(get: impl Fn(&str) -> Option<OsString>) -> [PathBuf; 2] {
    let get = |name| get(name).filter(|value| !value.is_empty());
    let home = get("HOME").map(PathBuf::from);
    let at_home = |path: &Path| home.as_ref().map(|home| home.join(path)).unwrap_or_default();
    let of = |name, usual: &str| match get(name).map(PathBuf::from) {
        Some(path) => path.strip_prefix("~").map_or_else(|_| path.clone(), at_home),
        None => at_home(Path::new(usual)),
    };
    [of("AWS_CONFIG_FILE", ".aws/config"), of("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")]
}

/// The names of the profiles in a config file or a credentials file.
pub(super) fn profiles(text: &str) -> impl Iterator<Item = String> {
    let heads =
        text.lines().filter_map(|line| line.trim_start().strip_prefix('[')?.split(']').next());
    heads.map(|head| {
        let head = head.trim();
        let rest = head.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
        rest.unwrap_or(head).trim().trim_matches(['"', '\'']).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str, value: &str) -> Result<(), VariableError> {
        let profiles = ["default".to_owned(), "ops".to_owned()].into();
        check([(name.into(), value.into())].into_iter(), &profiles)
    }

    #[test]
    fn empty_is_not_set() {
        let variables = KNOWN.iter().map(|(name, _)| ((*name).into(), OsString::new()));
        let others = [("AWS_SET", "x"), ("HTTPS_PROXY", ""), ("AWS_ENDPOINT_URL_SNS", "")];
        let others = others.map(|(name, value)| (name.into(), value.into()));
        let all: Vec<(OsString, OsString)> = variables.chain(others).collect();
        let gone = empty(all.iter().cloned());
        assert_eq!(gone.len(), KNOWN.len() + 1);
        assert!(gone.contains(&"AWS_ENDPOINT_URL_SNS".into()), "{gone:?}");
        assert_eq!(check(all.into_iter(), &BTreeSet::new()), Ok(()), "and no error if it is");
    }

    #[test]
    fn nonsense_in_any_of_them_is_an_error_that_names_it() {
        const NONSENSE: &str = " g a/r\nb\u{1b}[31m{}";
        let service = ("AWS_ENDPOINT_URL_CLOUDWATCH", Takes::Url);
        for (name, takes) in KNOWN.iter().chain([&service]) {
            match (takes, look(name, NONSENSE)) {
                (Takes::Text, found) => assert_eq!(found, Ok(()), "{name}"),
                (_, found) => {
                    let said = found.expect_err(name).to_string();
                    assert!(said.starts_with(&format!("{name}: expected ")), "{said}");
                    assert!(!said.contains(char::is_control), "{said}");
                    assert_eq!(said.contains("g a/r"), *takes != Takes::Secret, "{said}");
                }
            }
        }
    }

    #[test]
    fn what_they_take_is_taken() {
        for (name, value, good) in [
            ("AWS_REGION", "us-gov-west-1", true),
            ("AWS_REGION", "eu-central-1/", false),
            ("AWS_REGION", "-", false),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566", true),
            ("AWS_ENDPOINT_URL", "https://[::1]:4566/path", true),
            ("AWS_ENDPOINT_URL", "localhost:4566", false),
            ("AWS_ENDPOINT_URL", "garbage", false),
            ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "ftp://a.example", false),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://[fd00:ec2::23]/v1/credentials", true),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1?id=2", true),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "v2", false),
            ("AWS_EC2_METADATA_DISABLED", "TRUE", true),
            ("AWS_EC2_METADATA_DISABLED", "1", false),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6", true),
            ("AWS_MAX_ATTEMPTS", "0", false),
            ("AWS_MAX_ATTEMPTS", "10", true),
            ("AWS_MAX_ATTEMPTS", "-1", false),
            ("AWS_RETRY_MODE", "Adaptive", true),
            ("AWS_SESSION_TOKEN", "IQoJ/b3+==", true),
            ("AWS_SESSION_TOKEN", "IQoJ\n", false),
            ("AWS_PROFILE", "ops", true),
            ("AWS_PROFILE", "opps", false),
            ("AWS_ROLE_ARN", "arn:aws-us-gov:iam::111122223333:role/x", true),
            ("AWS_ROLE_ARN", "role/x", false),
        ] {
            assert_eq!(look(name, value).is_ok(), good, "{name}={value}");
        }
    }

    #[test]
    fn a_profile_is_looked_for_where_the_sdk_does() {
        let text = "# [no]\n[default]\nregion = x\n [profile ops]\n[profile 'my ops']\n[ \"two words\" ]\n[profiled]\n";
        let found: Vec<String> = profiles(text).collect();
        assert_eq!(found, ["default", "ops", "my ops", "two words", "profiled"]);
        let get = |name: &str| match name {
            "HOME" => Some("/home/a".into()),
            "AWS_CONFIG_FILE" => Some("~/c".into()),
            _ => None,
        };
        let [config, credentials] = files(get);
        assert_eq!(config, PathBuf::from("/home/a/c"));
        assert_eq!(credentials, PathBuf::from("/home/a/.aws/credentials"));
    }
}
