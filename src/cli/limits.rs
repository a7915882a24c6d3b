//! How many files this process may have open: as many as it is allowed, and not fewer than it needs.
//!
//! A connection to a host takes several. Where the limit is so low that not even one would do, the command is refused
//! before it begins, instead of failing in its midst.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::CliError;

/// What the smallest command needs with room to spare, and a plan of one host.
const OPEN_FILES_MIN: u64 = 64;

/// Raises the soft limit to the hard one (`ulimit -Hn`), which every process may.
pub fn open_files() -> Result<(), CliError> {
    let limit = getrlimit(Resource::Nofile);
    // None is no limit.
    if let Some(most) = limit.maximum.filter(|most| *most < OPEN_FILES_MIN) {
        return Err(CliError::new(format!(
            "could not start: only {most} files may be open at once here, and standfast needs {OPEN_FILES_MIN}"
        ))
        .hint("raise the limit where this is started from: `ulimit -n 1024`, systemd's `LimitNOFILE=1024`"));
    }
    // Refused nowhere that we know of; with the soft limit most commands do as well.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    Ok(())
}
