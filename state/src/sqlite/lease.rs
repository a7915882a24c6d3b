//! The lock's row: who may write, who may take over, and the check that every write begins with.
//!
//! When a lease has run out is judged by the claimant, by the best clock that both share:
//! - the same boot of the same machine: by the clock that counts from boot, which nobody can set. There a holder
//!   whose process is gone loses the lock at once;
//! - else by the wall clock. A heartbeat that lies in the future (a clock was set back) is first pulled to the
//!   claimant's now, so that the lease of a dead holder runs out one lease later at most, while a living one
//!   renews it long before.
//!
//! A clock that runs ahead can make a claimant take over too early. The fencing token makes that harmless for the
//! state: the former holder's writes fail from then on.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, named_params};

use super::failure::Fault;
use super::writer::Context;
use crate::error::StoreError;
use crate::history::RunId;
use crate::host::{self, Identity, Now};
use crate::lock::{Holder, Lease, LockRequest};

/// The lock as it stands in its table.
#[derive(Debug, Clone)]
struct LockRow {
    token: u64,
    lease_ms: i64,
    owner: String,
    host: String,
    process: u32,
    command: String,
    run: Option<u64>,
    since_ms: i64,
    heartbeat_ms: i64,
    heartbeat_boot_ms: Option<i64>,
    identity: Identity,
}

impl LockRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            token: row.get("token")?,
            lease_ms: row.get("lease_ms")?,
            owner: row.get("owner")?,
            host: row.get("host")?,
            process: row.get("process")?,
            command: row.get("command")?,
            run: row.get("run")?,
            since_ms: row.get("since_ms")?,
            heartbeat_ms: row.get("heartbeat_ms")?,
            heartbeat_boot_ms: row.get("heartbeat_boot_ms")?,
            identity: Identity {
                boot: row.get("boot")?,
                pid_namespace: row.get("pid_namespace")?,
                started: row.get("process_started")?,
            },
        })
    }

    fn holder(&self) -> Holder {
        Holder {
            owner: self.owner.clone(),
            host: self.host.clone(),
            process: self.process,
            command: self.command.clone(),
            run: self.run.map(RunId),
            since: timestamp(self.since_ms),
            heartbeat: timestamp(self.heartbeat_ms),
            expires: timestamp(self.heartbeat_ms.saturating_add(self.lease_ms)),
        }
    }
}

/// The time for `ms` since 1970; what no calendar holds is shown as 1970.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What a claimant may do about a lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing: it is held.
    Held,
    /// Nothing yet, but the heartbeat comes from the future and must be corrected.
    Ahead,
    /// Take it over: the lease ran out.
    RanOut,
    /// Take it over: the process is gone.
    HolderGone,
}

fn judge(lock: &LockRow, me: &Identity, now: Now, is_gone: impl FnOnce(u32, u64) -> bool) -> Verdict {
    let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
    let same_boot = same(&me.boot, &lock.identity.boot);
    if same_boot
        && same(&me.pid_namespace, &lock.identity.pid_namespace)
        && let Some(started) = lock.identity.started
        && is_gone(lock.process, started)
    {
        return Verdict::HolderGone;
    }
    let (heartbeat, now) = match (lock.heartbeat_boot_ms, now.boot_ms) {
        (Some(heartbeat), Some(now)) if same_boot => (heartbeat, now),
        _ => (lock.heartbeat_ms, now.wall_ms),
    };
    match now.checked_sub(heartbeat) {
        Some(age) if age >= lock.lease_ms => Verdict::RanOut,
        Some(age) if age >= 0 => Verdict::Held,
        _ => Verdict::Ahead,
    }
}

fn current(context: &Context<'_>) -> rusqlite::Result<Option<LockRow>> {
    context
        .conn
        .prepare_cached("SELECT * FROM locks WHERE state = ?1")?
        .query_row([context.state], LockRow::read)
        .optional()
}

/// Who holds the lock. That of a process of this machine that is gone has run out.
pub(super) fn holder(context: &Context<'_>) -> Result<Option<Holder>, Fault> {
    let Some(lock) = current(context)? else { return Ok(None) };
    let mut holder = lock.holder();
    if judge(&lock, &host::identity(std::process::id()), host::now(), host::is_gone) == Verdict::HolderGone {
        holder.expires = holder.expires.min(holder.heartbeat);
    }
    Ok(Some(holder))
}

/// What came of asking for the lock. Being refused is no fault: a corrected heartbeat has to be kept.
pub(super) enum Claim {
    Granted(Lease),
    Refused(Holder),
}

/// Takes the lock if it is free or may be taken over.
pub(super) fn claim(context: &Context<'_>, request: &LockRequest) -> Result<Claim, Fault> {
    let now = host::now();
    if let Some(mut lock) = current(context)? {
        // Not the requester's identity but this machine's view: it is this process that asks around.
        let verdict = judge(&lock, &host::identity(std::process::id()), now, host::is_gone);
        if verdict == Verdict::Ahead {
            context.conn.execute(
                "UPDATE locks SET heartbeat_ms = ?2, heartbeat_boot_ms = NULL WHERE state = ?1",
                (context.state, now.wall_ms),
            )?;
            lock.heartbeat_ms = now.wall_ms;
        }
        if matches!(verdict, Verdict::Held | Verdict::Ahead) {
            return Ok(Claim::Refused(lock.holder()));
        }
    }
    let token: u64 = context.conn.query_row(
        "UPDATE states SET last_token = last_token + 1 WHERE id = ?1 RETURNING last_token",
        [context.state],
        |row| row.get(0),
    )?;
    let identity = host::identity(request.process);
    let lock = LockRow {
        token,
        lease_ms: i64::try_from(request.lease_ms).unwrap_or(i64::MAX),
        owner: request.owner.clone(),
        host: request.host.clone(),
        process: request.process,
        command: request.command.clone(),
        run: None,
        since_ms: now.wall_ms,
        heartbeat_ms: now.wall_ms,
        heartbeat_boot_ms: now.boot_ms,
        identity,
    };
    context.conn.execute(
        "INSERT OR REPLACE INTO locks (state, token, lease_ms, owner, host, process, command, run, since_ms,
            heartbeat_ms, heartbeat_boot_ms, boot, pid_namespace, process_started)
         VALUES (:state, :token, :lease_ms, :owner, :host, :process, :command, NULL, :since_ms,
            :heartbeat_ms, :heartbeat_boot_ms, :boot, :pid_namespace, :process_started)",
        named_params! {
            ":state": context.state, ":token": lock.token, ":lease_ms": lock.lease_ms, ":owner": lock.owner,
            ":host": lock.host, ":process": lock.process, ":command": lock.command, ":since_ms": lock.since_ms,
            ":heartbeat_ms": lock.heartbeat_ms, ":heartbeat_boot_ms": lock.heartbeat_boot_ms,
            ":boot": lock.identity.boot, ":pid_namespace": lock.identity.pid_namespace,
            ":process_started": lock.identity.started,
        },
    )?;
    Ok(Claim::Granted(Lease { token, lease_ms: request.lease_ms, holder: lock.holder() }))
}

/// The fence: fails unless `lease` is the current one. Returns the run that was begun under it.
pub(super) fn verify(context: &Context<'_>, lease: &Lease) -> Result<Option<RunId>, Fault> {
    let lock: Option<(u64, Option<u64>)> = context
        .conn
        .prepare_cached("SELECT token, run FROM locks WHERE state = ?1")?
        .query_row([context.state], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match lock {
        Some((token, run)) if token == lease.token => Ok(run.map(RunId)),
        _ => Err(StoreError::LeaseLost {
            operation: context.operation,
            place: context.place.to_owned(),
            holder: holder(context)?.map(Box::new),
        }
        .into()),
    }
}

/// Sends a heartbeat.
pub(super) fn renew(context: &Context<'_>, lease: &Lease) -> Result<(), Fault> {
    verify(context, lease)?;
    let now = host::now();
    context
        .conn
        .prepare_cached("UPDATE locks SET heartbeat_ms = ?2, heartbeat_boot_ms = ?3 WHERE state = ?1")?
        .execute((context.state, now.wall_ms, now.boot_ms))?;
    Ok(())
}

/// Gives the lock back.
pub(super) fn release(context: &Context<'_>, lease: &Lease) -> Result<(), Fault> {
    verify(context, lease)?;
    context.conn.execute("DELETE FROM locks WHERE state = ?1", [context.state])?;
    Ok(())
}

/// Takes the lock away from whoever holds it.
pub(super) fn break_lock(context: &Context<'_>) -> Result<Option<Holder>, Fault> {
    let holder = holder(context)?;
    context.conn.execute("DELETE FROM locks WHERE state = ?1", [context.state])?;
    Ok(holder)
}

/// Ties the run to the lock. The lease was verified.
pub(super) fn tie(context: &Context<'_>, run: RunId) -> Result<(), Fault> {
    context.conn.execute("UPDATE locks SET run = ?2 WHERE state = ?1", (context.state, run.0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE_MS: i64 = 30_000;
    const BEAT: i64 = 1_000_000_000;

    fn here() -> Identity {
        Identity { boot: Some("boot-1".into()), pid_namespace: Some("pid:[1]".into()), started: Some(77) }
    }

    /// A lock whose heartbeat was at `BEAT` by both clocks.
    fn held_by(identity: Identity) -> LockRow {
        LockRow {
            token: 4,
            lease_ms: LEASE_MS,
            owner: "ci".into(),
            host: "runner-4".into(),
            process: 4242,
            command: "apply".into(),
            run: Some(9),
            since_ms: BEAT - 60_000,
            heartbeat_ms: BEAT,
            heartbeat_boot_ms: Some(BEAT),
            identity,
        }
    }

    /// What a claimant on `here()` says when the wall and the boot clock show these times after the heartbeat.
    fn verdict(holder: Identity, wall_after_ms: i64, boot_after_ms: i64, gone: bool) -> Verdict {
        let now = Now { wall_ms: BEAT + wall_after_ms, boot_ms: Some(BEAT + boot_after_ms) };
        judge(&held_by(holder), &here(), now, |process, started| {
            assert_eq!((process, started), (4242, 77));
            gone
        })
    }

    #[test]
    fn on_the_same_boot_no_set_clock_matters() {
        assert_eq!(verdict(here(), 0, LEASE_MS - 1, false), Verdict::Held);
        assert_eq!(verdict(here(), 0, LEASE_MS, false), Verdict::RanOut);
        assert_eq!(verdict(here(), 900_000_000, 5, false), Verdict::Held, "set forward");
        assert_eq!(verdict(here(), -900_000_000, LEASE_MS, false), Verdict::RanOut, "set back");
    }

    #[test]
    fn a_dead_process_loses_the_lock_at_once_only_where_its_number_means_the_same() {
        assert_eq!(verdict(here(), 1, 1, true), Verdict::HolderGone);
        let container = Identity { pid_namespace: Some("pid:[2]".into()), ..here() };
        assert_eq!(verdict(container, 1, 1, true), Verdict::Held);
        let elsewhere = Identity { boot: Some("boot-2".into()), ..here() };
        assert_eq!(verdict(elsewhere, 1, 1, true), Verdict::Held);
        let unknown = Identity { started: None, ..here() };
        assert_eq!(verdict(unknown, 1, 1, true), Verdict::Held);
    }

    #[test]
    fn elsewhere_the_wall_clock_counts_and_a_future_heartbeat_is_corrected() {
        let elsewhere = || Identity { boot: Some("boot-2".into()), ..here() };
        assert_eq!(verdict(elsewhere(), LEASE_MS - 1, 0, false), Verdict::Held);
        assert_eq!(verdict(elsewhere(), LEASE_MS, 0, false), Verdict::RanOut);
        assert_eq!(verdict(elsewhere(), -1, 0, false), Verdict::Ahead);
        let nowhere = Identity::default();
        assert_eq!(verdict(nowhere, LEASE_MS, 0, true), Verdict::RanOut);
    }
}
