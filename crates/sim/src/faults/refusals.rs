//! The refusals of AWS by their codes, in the words they come with.
//!
//! Apart from [`crate::faults`], which decides when one comes: here any code may be asked
//! for, even one that AWS does not have.

use crate::faults::kms::Kms;
use crate::wire::document::Failure;

/// Codes with their HTTP status and message.
const CODES: &[(&str, u16, &str)] = &[
    ("RequestExpired", 400, "Request has expired."),
    ("InvalidSignatureException", 403, SIGNATURE),
    ("SignatureDoesNotMatch", 403, SIGNATURE),
    ("InvalidClientTokenId", 403, TOKEN),
    ("UnrecognizedClientException", 400, TOKEN),
    ("AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
    ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    ("OptInRequired", 403, "The AWS Access Key Id needs a subscription for the service"),
    ("ThrottlingException", 400, "Rate exceeded"),
    ("Throttled", 429, "Rate exceeded"),
    ("RequestLimitExceeded", 503, "Request limit exceeded."),
    ("TooManyRequestsException", 429, "Rate exceeded"),
    ("InternalFailure", 500, INTERNAL),
    ("InternalError", 500, INTERNAL),
    ("NotFound", 404, "Topic does not exist"),
    ("InvalidParameter", 400, "Invalid parameter: TopicArn"),
];

const SIGNATURE: &str = "The request signature we calculated does not match the signature you \
                         provided. Check your AWS Secret Access Key and signing method. Consult \
                         the service documentation for details.";
const TOKEN: &str = "The security token included in the request is invalid.";
const INTERNAL: &str = "The request processing has failed because of an unknown error.";

/// How AWS refuses an action of a caller with this code.
pub(crate) fn refusal(code: &str, action: &str, caller: &str) -> Failure {
    let mut failure = match code {
        "ExpiredToken" | "ExpiredTokenException" => expired("sts:"),
        "Throttling" => throttled("sns:"),
        "ServiceUnavailable" => unavailable(),
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "UnauthorizedOperation" => denied(action, caller),
        _ => other(code),
    };
    // What was asked for is what comes, whatever the protocol calls it.
    let shape = failure.shape.is_some_and(|shape| shape == code);
    if !shape && failure.code != code {
        failure.shape = None;
    }
    code.clone_into(&mut failure.code);
    failure
}

fn other(code: &str) -> Failure {
    // Some write the codes of KMS with a dot and the ending of an exception.
    let plain = code.replace('.', "").replace("Exception", "");
    if let Some(kms) = Kms::read(&plain) {
        return kms.refusal();
    }
    let known = CODES.iter().find(|known| known.0 == code);
    let (status, message) = known.map_or((400, "The request was refused."), |one| (one.1, one.2));
    Failure::new(status, code, message)
}

/// The service of an action.
fn service(action: &str) -> &str {
    action.split_once(':').map_or("", |parts| parts.0)
}

/// A service that is out of order for a while.
pub(crate) fn unavailable() -> Failure {
    let message = "The request has failed due to a temporary failure of the server.";
    let failure = Failure::new(503, "ServiceUnavailable", message);
    failure.shaped("ServiceUnavailableException")
}

/// Each service has words of its own for too many calls.
pub(crate) fn throttled(action: &str) -> Failure {
    let (status, code, message) = match service(action) {
        "ec2" => (503, "RequestLimitExceeded", "Request limit exceeded."),
        "ecs" => (400, "ThrottlingException", "Rate exceeded"),
        "lambda" | "apigateway" => (429, "TooManyRequestsException", "Rate exceeded"),
        "vpc-lattice" => (429, "ThrottlingException", "Rate exceeded"),
        _ => (400, "Throttling", "Rate exceeded"),
    };
    Failure::new(status, code, message)
}

/// A session that is over.
pub(crate) fn expired(action: &str) -> Failure {
    if service(action) == "ec2" {
        return Failure::new(400, "RequestExpired", "Request has expired.");
    }
    let message = "The security token included in the request is expired";
    Failure::new(403, "ExpiredToken", message).shaped("ExpiredTokenException")
}

/// AWS's refusal of an action the caller may not do.
pub(crate) fn denied(action: &str, caller: &str) -> Failure {
    let (service, operation) = action.split_once(':').unwrap_or(("", action));
    if service == "sns" {
        let message = format!(
            "User: {caller} is not authorized to perform: SNS:{operation} because no \
             identity-based policy allows the SNS:{operation} action"
        );
        return Failure::new(403, "AuthorizationError", message);
    }
    let message = format!(
        "User: {caller} is not authorized to perform: {action} because no identity-based \
         policy allows the {action} action"
    );
    match service {
        "ec2" => {
            let message = format!("You are not authorized to perform this operation. {message}");
            Failure::new(403, "UnauthorizedOperation", message)
        }
        "ecs" => Failure::new(400, "AccessDeniedException", message),
        "lambda" | "apigateway" | "vpc-lattice" => {
            Failure::new(403, "AccessDeniedException", message)
        }
        _ => Failure::new(403, "AccessDenied", message).shaped("AccessDeniedException"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_as_it_was_asked_for_in_its_usual_words() {
        for (code, status, part) in [
            ("ExpiredToken", 403, "is expired"),
            ("RequestExpired", 400, "has expired"),
            ("InvalidSignatureException", 403, "does not match the signature"),
            ("SignatureDoesNotMatch", 403, "does not match the signature"),
            ("AccessDenied", 403, "is not authorized to perform: cloudwatch:GetMetricData"),
            ("AccessDeniedException", 403, "is not authorized to perform"),
            ("ThrottlingException", 400, "Rate exceeded"),
            ("Throttling", 400, "Rate exceeded"),
            ("KMSAccessDenied", 400, "ciphertext"),
            ("KMS.AccessDeniedException", 400, "ciphertext"),
            ("KMS.NotFoundException", 400, "can't be found"),
            ("KMSOptInRequired", 403, "subscription"),
            ("ServiceUnavailable", 503, "temporary failure"),
            ("NoSuchCode", 400, "refused"),
        ] {
            let failure = refusal(code, "cloudwatch:GetMetricData", "arn:aws:iam::1:user/me");
            assert_eq!((failure.code.as_str(), failure.status), (code, status));
            assert!(failure.message.contains(part), "{code}: {}", failure.message);
        }
        let publish = refusal("AuthorizationError", "sns:Publish", "me");
        assert!(publish.message.contains("perform: SNS:Publish"), "{}", publish.message);
    }
}
