//! Each request is counted once, whatever CloudWatch, the polls and the clock were like.

mod lateness;
mod positions;
mod properties;
mod records;
mod succession;
mod world;
