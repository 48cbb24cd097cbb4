//! How KMS refuses to encrypt what SNS is to keep.

use crate::wire::document::Failure;

/// What KMS says when SNS wants to encrypt a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kms {
    /// `KMSAccessDenied`.
    AccessDenied,
    /// `KMSDisabled`.
    Disabled,
    /// `KMSInvalidState`.
    InvalidState,
    /// `KMSNotFound`.
    NotFound,
    /// `KMSOptInRequired`.
    OptInRequired,
    /// `KMSThrottling`.
    Throttling,
}

impl Kms {
    /// Every code and what it stands for.
    pub(crate) const CODES: [(&'static str, Self); 6] = [
        ("KMSAccessDenied", Self::AccessDenied),
        ("KMSDisabled", Self::Disabled),
        ("KMSInvalidState", Self::InvalidState),
        ("KMSNotFound", Self::NotFound),
        ("KMSOptInRequired", Self::OptInRequired),
        ("KMSThrottling", Self::Throttling),
    ];

    /// Reads the code of a refusal.
    pub(crate) fn read(code: &str) -> Option<Self> {
        Self::CODES.iter().find(|known| known.0 == code).map(|known| known.1)
    }

    /// Codes and statuses are those of botocore 1.43.11, `sns/2010-03-31`, and so are the
    /// sentences. The texts KMS writes behind them are not published.
    pub(crate) fn refusal(self) -> Failure {
        let (status, message) = match self {
            Self::AccessDenied => (
                400,
                "The ciphertext references a key that doesn't exist or that you don't have \
                 access to.",
            ),
            Self::Disabled => {
                (400, "The request was rejected because the specified KMS key isn't enabled.")
            }
            Self::InvalidState => (
                400,
                "The request was rejected because the state of the specified resource isn't \
                 valid for this request.",
            ),
            Self::NotFound => (
                400,
                "The request was rejected because the specified entity or resource can't be \
                 found.",
            ),
            Self::OptInRequired => {
                (403, "The AWS access key ID needs a subscription for the service.")
            }
            Self::Throttling => (400, "The request was denied due to request throttling."),
        };
        let code = Self::CODES.iter().find(|known| known.1 == self).map_or("", |known| known.0);
        Failure::new(status, code, message)
    }
}
