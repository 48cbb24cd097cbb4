//! The exit codes, the same for every command: 0 where it worked or nothing is wrong, else
//! one of these.

/// Something was found, or it failed.
pub const FINDING: u8 = 1;
/// The command line or the config is wrong.
pub const USAGE: u8 = 2;
/// The answer could not be determined.
pub const COULD_NOT_TELL: u8 = 3;
