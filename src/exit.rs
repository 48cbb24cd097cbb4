//! What a command ends with, the same in every command: 0 where it worked or nothing is
//! wrong, else one of these.

/// Something was found, or it did not work.
pub const FINDING: u8 = 1;
/// The command line or the config is wrong.
pub const USAGE: u8 = 2;
/// It could not be told.
pub const COULD_NOT_TELL: u8 = 3;
