//! The lock as the log has it, and who may take it over.
//!
//! On the same boot of the same machine the clock that counts from boot decides, which nobody can set, and a holder whose
//! process is gone loses the lock at once. Elsewhere the service's clock decides, which both read from its answers (to
//! the second, as HTTP's `Date` has it), so that no machine's own clock matters.
//!
//! Taking over too early would harm nothing: the takeover is an entry of the log, and the former holder finds it there
//! before it can add one of its own.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::RunId;
use crate::host::{self, Identity, Now};
use crate::lock::{Holder, LockRequest};

/// The lock and its holder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LockRow {
    pub(super) token: u64,
    lease_ms: u64,
    owner: String,
    host: String,
    process: u32,
    command: String,
    pub(super) run: Option<RunId>,
    since: Timestamp,
    pub(super) heartbeat: Timestamp,
    pub(super) heartbeat_boot_ms: Option<i64>,
    identity: Identity,
}

/// The time, as precise as every store keeps it.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let precise = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    Timestamp::from_millisecond(precise.as_millisecond()).unwrap_or(precise)
}

impl LockRow {
    /// A lock taken now.
    pub(super) fn new(request: &LockRequest, token: u64, now: Timestamp) -> Self {
        Self {
            token,
            lease_ms: request.lease_ms,
            owner: request.owner.clone(),
            host: request.host.clone(),
            process: request.process,
            command: request.command.clone(),
            run: None,
            since: now,
            heartbeat: now,
            heartbeat_boot_ms: host::now().boot_ms,
            identity: host::identity(request.process),
        }
    }

    pub(super) fn holder(&self) -> Holder {
        let lease_ms = i64::try_from(self.lease_ms).unwrap_or(i64::MAX);
        let expires = self.heartbeat.as_millisecond().saturating_add(lease_ms);
        Holder {
            owner: self.owner.clone(),
            host: self.host.clone(),
            process: self.process,
            command: self.command.clone(),
            run: self.run,
            since: self.since,
            heartbeat: self.heartbeat,
            expires: Timestamp::from_millisecond(expires).unwrap_or(Timestamp::MAX),
        }
    }

    /// Whether a process on this machine may take the lock over. `now` is the service's time.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        // Not the requester's identity but this machine's view: it is this process that asks around.
        let now = Now { wall_ms: now.as_millisecond(), boot_ms: host::now().boot_ms };
        self.judge(now, &host::identity(std::process::id()), host::is_gone)
    }

    fn judge(&self, now: Now, me: &Identity, is_gone: impl FnOnce(u32, u64) -> bool) -> bool {
        let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
        let same_boot = same(&me.boot, &self.identity.boot);
        if same_boot
            && same(&me.pid_namespace, &self.identity.pid_namespace)
            && let Some(started) = self.identity.started
            && is_gone(self.process, started)
        {
            return true;
        }
        let (heartbeat, now) = match (self.heartbeat_boot_ms, now.boot_ms) {
            (Some(heartbeat), Some(now)) if same_boot => (heartbeat, now),
            _ => (self.heartbeat.as_millisecond(), now.wall_ms),
        };
        now.saturating_sub(heartbeat) >= i64::try_from(self.lease_ms).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE_MS: i64 = 30_000;
    const BEAT: i64 = 1_000_000_000;

    fn here() -> Identity {
        Identity { boot: Some("boot-1".into()), pid_namespace: Some("pid:[1]".into()), started: Some(77) }
    }

    /// Whether a claimant on `here()` may take over when the service's and the boot clock show these times after the
    /// heartbeat.
    fn is_over(holder: Identity, service_after_ms: i64, boot_after_ms: i64, gone: bool) -> bool {
        let beat = Timestamp::from_millisecond(BEAT).unwrap();
        let lock = LockRow {
            token: 4,
            lease_ms: LEASE_MS.unsigned_abs(),
            owner: "ci".into(),
            host: "runner-4".into(),
            process: 4242,
            command: "apply".into(),
            run: Some(RunId(9)),
            since: beat,
            heartbeat: beat,
            heartbeat_boot_ms: Some(BEAT),
            identity: holder,
        };
        let now = Now { wall_ms: BEAT + service_after_ms, boot_ms: Some(BEAT + boot_after_ms) };
        lock.judge(now, &here(), |process, started| {
            assert_eq!((process, started), (4242, 77));
            gone
        })
    }

    #[test]
    fn on_the_same_boot_only_that_clock_counts_and_a_dead_process_is_over_at_once() {
        assert!(!is_over(here(), 900_000_000, LEASE_MS - 1, false));
        assert!(is_over(here(), -900_000_000, LEASE_MS, false));
        assert!(is_over(here(), 1, 1, true));
        let container = Identity { pid_namespace: Some("pid:[2]".into()), ..here() };
        assert!(!is_over(container, 1, 1, true));
    }

    #[test]
    fn elsewhere_the_services_clock_counts() {
        let elsewhere = || Identity { boot: Some("boot-2".into()), ..here() };
        assert!(!is_over(elsewhere(), LEASE_MS - 1, 900_000_000, true));
        assert!(is_over(elsewhere(), LEASE_MS, 0, false));
        assert!(!is_over(Identity::default(), -5, LEASE_MS, true));
    }
}
