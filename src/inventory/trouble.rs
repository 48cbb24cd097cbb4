//! What a refresh of an account could not find out.

use crate::edge::aws::AwsError;
use nearmiss_core::gateway::Kind;

/// Something that could not be found out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A call failed.
    #[error("{}. {}", said(fault, lost.as_deref()), fault.advice())]
    Call {
        /// Which call, and how it failed.
        fault: AwsError,
        /// What is lost by that, if it is less than everything.
        lost: Option<String>,
    },
    /// A selection selects nothing.
    #[error("no {} matches {selection} in {region}; {there}", kind.spec().words.title)]
    NoMatch {
        /// Of which kind.
        kind: Kind,
        /// The selection.
        selection: String,
        /// Where it was looked for.
        region: String,
        /// What exists there instead.
        there: String,
    },
    /// A selection excludes everything that it selects.
    #[error(
        "{selection} leaves out everything that it matches in {region} ({names}): nothing is watched by it"
    )]
    AllExcluded {
        /// The selection.
        selection: String,
        /// Where it was looked for.
        region: String,
        /// What matches and is excluded.
        names: String,
    },
    /// Neither the config nor AWS names a Region.
    #[error("no Region for {selection}: set region = \"...\" in its [[gateway]], or AWS_REGION")]
    NoRegion {
        /// The selection.
        selection: String,
    },
}

impl From<AwsError> for Trouble {
    fn from(fault: AwsError) -> Self {
        Self::Call { fault, lost: None }
    }
}

impl Trouble {
    /// What failed and what is lost by that, without the way out.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Self::Call { fault, lost } => said(fault, lost.as_deref()),
            other => other.to_string(),
        }
    }
}

fn said(fault: &AwsError, lost: Option<&str>) -> String {
    lost.map_or_else(|| fault.to_string(), |lost| format!("{fault}. {lost}"))
}
