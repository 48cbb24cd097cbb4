//! An answer before it has a wire format, and the error of every service.
//!
//! The three `CloudWatch` protocols carry the same tree, so the services build
//! one [`Value`] and the writers for CBOR, JSON and XML live elsewhere.

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    Integer(i64),
    Flag(bool),
    /// Epoch seconds.
    Time(i64),
    List(Vec<Value>),
    /// A structure; the order is kept.
    Record(Vec<(&'static str, Value)>),
    /// A map of strings, which XML writes as entries.
    Map(Vec<(String, String)>),
}

impl Value {
    /// Text out of anything that becomes a string.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// As JSON, times as epoch numbers.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Number(number) => Json::from(*number),
            Self::Integer(number) | Self::Time(number) => Json::from(*number),
            Self::Flag(flag) => Json::from(*flag),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Record(fields) => Json::Object(
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect(),
            ),
            Self::Map(entries) => Json::Object(
                entries.iter().map(|(k, v)| (k.clone(), Json::from(v.as_str()))).collect(),
            ),
        }
    }
}

/// A refusal, independent of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    /// The code of the query protocols, which SDKs show.
    pub(super) code: String,
    /// The shape name newer protocols use, if it differs.
    pub(super) shape: Option<&'static str>,
    pub(super) message: String,
}

impl Failure {
    /// A refusal with this HTTP status.
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), shape: None, message: message.into() }
    }

    /// The same with another name in the newer protocols.
    pub(super) fn shaped(mut self, shape: &'static str) -> Self {
        self.shape = Some(shape);
        self
    }

    /// `CloudWatch`'s and ELB's complaint about a parameter.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// A request the simulator does not know; loud on purpose.
    pub(super) fn unknown_operation(service: &str, operation: &str) -> Self {
        let message =
            format!("service '{service}' has no operation '{operation}' in this simulator");
        Self::new(400, "SimUnknownOperation", message)
    }
}

/// What every operation returns.
pub(super) type Reply = Result<Value, Failure>;
