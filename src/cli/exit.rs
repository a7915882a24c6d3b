//! Exit codes, in one place.

/// Done; or, with `--detailed-exitcode`, nothing to change.
pub const OK: u8 = 0;
/// Something failed; stderr says what and what to do next.
pub const ERROR: u8 = 1;
/// With `--detailed-exitcode`: there are changes. Also `drift`: there is drift, and `status`: not all is healthy.
pub const CHANGES: u8 = 2;
/// The arguments make no sense (sysexits' EX_USAGE).
pub const USAGE: u8 = 64;
/// The blueprint has mistakes (EX_DATAERR).
pub const BLUEPRINT: u8 = 65;
/// The state is locked by somebody else (EX_TEMPFAIL): try again later.
pub const LOCKED: u8 = 75;
/// Stopped by Ctrl-C or SIGTERM, as shells count it.
pub const INTERRUPTED: u8 = 130;

/// A plan without a step is good news only when all could be looked at.
pub fn nothing_to_do(unread: usize) -> u8 {
    if unread == 0 { OK } else { ERROR }
}
