//! One writer at a time: who holds the lock, and the lease that proves it on every write.
//!
//! A lease runs out by itself unless its holder renews it. What keeps a stalled writer from harm is not the
//! clock but the fencing token: every write compares it in its own transaction, so that a writer that wakes
//! after another took over writes nothing.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::RunId;

/// How long a lease lives without a heartbeat, in milliseconds, unless asked otherwise.
/// Renew it at a third of that.
pub const LEASE_MS_DEFAULT: u64 = 30_000;

/// Who asks for the lock, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRequest {
    /// The user.
    pub owner: String,
    /// The machine's name.
    pub host: String,
    /// The process id on that machine.
    pub process: u32,
    /// The command, such as `apply`.
    pub command: String,
    /// How long the lease lives without a heartbeat, in milliseconds.
    pub lease_ms: u64,
}

/// Who holds the lock. All times are those of the holder's clock, except where a later claimant
/// had to correct a heartbeat from the future.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub owner: String,
    /// The machine's name.
    pub host: String,
    /// The process id on that machine.
    pub process: u32,
    /// The command, such as `apply`.
    pub command: String,
    /// The run that it began under this lock, if it got that far.
    pub run: Option<RunId>,
    /// When the lock was taken.
    pub since: Timestamp,
    /// When it was last renewed.
    pub heartbeat: Timestamp,
    /// When it runs out without another heartbeat.
    pub expires: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{} ({}, process {}) since {:.0}",
            self.owner, self.host, self.command, self.process, self.since
        )
    }
}

/// The right to write, until another takes it over. Clones are the same lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing token: larger than that of every lease of this state before it.
    pub token: u64,
    /// How long it lives without a heartbeat, in milliseconds.
    pub lease_ms: u64,
    /// Who took it, as it was then.
    pub holder: Holder,
}
