//! An answer before it has a wire format, and the error of every service.
//!
//! The three `CloudWatch` protocols carry the same tree, so the services build
//! one [`Value`] and the writers for CBOR, JSON and XML live elsewhere.

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(f64),
    Integer(i64),
    Flag(bool),
    /// Epoch seconds.
    Time(i64),
    List(Vec<Value>),
    /// A list whose items have a name of their own in plain XML.
    Items(&'static str, Vec<Value>),
    /// A structure; the order is kept.
    Record(Vec<(&'static str, Value)>),
    /// A map of strings, which XML writes as entries.
    Map(Vec<(String, String)>),
}

impl Value {
    /// Text out of anything that becomes a string.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A structure of this many fields.
    pub(crate) fn record<const N: usize>(fields: [(&'static str, Value); N]) -> Self {
        Self::Record(fields.into())
    }

    /// A list of whatever becomes a value.
    pub(crate) fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// The same structure with further fields.
    pub(crate) fn with(mut self, more: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        if let Self::Record(fields) = &mut self {
            fields.extend(more);
        }
        self
    }

    /// A field of a structure.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(fields) => fields.iter().find(|one| one.0 == name).map(|one| &one.1),
            _ => None,
        }
    }

    /// As JSON, times as epoch numbers.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Number(number) if !number.is_finite() => Json::from(number_text(*number)),
            Self::Number(number) => Json::from(*number),
            Self::Integer(number) | Self::Time(number) => Json::from(*number),
            Self::Flag(flag) => Json::from(*flag),
            Self::List(items) | Self::Items(_, items) => items.iter().map(Self::to_json).collect(),
            Self::Record(fields) => Json::Object(
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect(),
            ),
            Self::Map(entries) => Json::Object(
                entries.iter().map(|(k, v)| (k.clone(), Json::from(v.as_str()))).collect(),
            ),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A refusal, independent of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// The code of the query protocols, which SDKs show.
    pub(crate) code: String,
    /// The shape name newer protocols use, if it differs.
    pub(crate) shape: Option<&'static str>,
    pub(crate) message: String,
}

impl Failure {
    /// A refusal with this HTTP status.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), shape: None, message: message.into() }
    }

    /// The same with another name in the newer protocols.
    pub(crate) fn shaped(mut self, shape: &'static str) -> Self {
        self.shape = Some(shape);
        self
    }

    /// `CloudWatch`'s and ELB's complaint about a parameter.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// A request the simulator does not know; loud on purpose.
    pub(crate) fn unknown_operation(service: &str, operation: &str) -> Self {
        let message =
            format!("service '{service}' has no operation '{operation}' in this simulator");
        Self::new(400, "SimUnknownOperation", message)
    }
}

/// What every operation returns.
pub(crate) type Reply = Result<Value, Failure>;

/// A number as AWS's protocols of text write it.
pub(crate) fn number_text(number: f64) -> String {
    match number {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => number.to_string(),
    }
}
