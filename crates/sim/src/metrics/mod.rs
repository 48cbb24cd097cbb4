//! What `CloudWatch` makes of the requests.

pub(crate) mod place;
pub(crate) mod series;
pub(crate) mod summary;
pub(crate) mod view;
