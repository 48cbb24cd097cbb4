//! The names AWS accepts for topics and chat configurations.
//!
//! Below everything that takes one: the setup, the faults, and the services.

/// The parts of a topic's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicArn<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
}

/// Reads the ARN of a topic.
pub(crate) fn topic_arn(arn: &str) -> Option<TopicArn<'_>> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", "aws", "sns", region, account, name] = parts[..] else {
        return None;
    };
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let fits = digits && !region.is_empty() && valid_topic(name);
    fits.then_some(TopicArn { region, account, name })
}

/// Whether a topic may have this name.
pub(crate) fn valid_topic(name: &str) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !stem.is_empty() && name.len() <= 256 && stem.bytes().all(plain)
}

/// Whether the topic of this name or ARN is a FIFO topic.
pub(crate) fn is_fifo(topic: &str) -> bool {
    topic.strip_suffix(".fifo").is_some()
}

/// Whether a chat configuration may have this name (botocore 1.43.11, `chatbot/2017-10-11`).
pub(crate) fn valid_chat(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_parts_of_their_forms() {
        let parts = topic_arn("arn:aws:sns:eu-central-1:123456789012:a-b_1.fifo");
        let parts = parts.map(|parts| (parts.region, parts.account, parts.name));
        assert_eq!(parts, Some(("eu-central-1", "123456789012", "a-b_1.fifo")));
        for bad in [
            "nearmiss",
            "arn:aws:sqs:eu-central-1:123456789012:a",
            "arn:aws:sns:eu-central-1:1234:a",
            "arn:aws:sns:eu-central-1:123456789012:",
            "arn:aws:sns:eu-central-1:123456789012:.fifo",
            "arn:aws:sns:eu-central-1:123456789012:a:b",
            "arn:aws:sns:eu-central-1:123456789012:a.b",
        ] {
            assert_eq!(topic_arn(bad), None, "{bad}");
        }
    }
}
