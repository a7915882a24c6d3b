//! The lock's row: who may write, who may take over, and the check that every write begins with.
//!
//! All times are the server's, so that no claimant's clock matters. On the holder's own machine a process that is
//! gone loses the lock at once, as in the SQLite store.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::failure::Fault;
use super::session::{Context, effect};
use super::writing::Standing;
use crate::error::StoreError;
use crate::history::RunId;
use crate::host::{self, Identity};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::Head;

/// The lock as it stands in its table.
#[derive(Debug, Clone)]
pub(super) struct LockRow {
    token: u64,
    lease_ms: i64,
    owner: String,
    host: String,
    process: u32,
    command: String,
    run: Option<u64>,
    since: SystemTime,
    heartbeat: SystemTime,
    identity: Identity,
}

/// A column that holds no negative number.
pub(super) fn unsigned(row: &Row, column: &str) -> Result<u64, Fault> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
}

pub(super) fn unsigned_opt(row: &Row, column: &str) -> Result<Option<u64>, Fault> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(|number| u64::try_from(number).unwrap_or(0)))
}

/// The number as PostgreSQL keeps it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn system_time(time: Timestamp) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}

impl LockRow {
    fn read(row: &Row) -> Result<Option<Self>, Fault> {
        let Some(token) = unsigned_opt(row, "token")? else { return Ok(None) };
        Ok(Some(Self {
            token,
            lease_ms: row.try_get("lease_ms")?,
            owner: row.try_get("owner")?,
            host: row.try_get("host")?,
            process: u32::try_from(row.try_get::<_, i64>("process")?).unwrap_or(0),
            command: row.try_get("command")?,
            run: unsigned_opt(row, "run")?,
            since: row.try_get("since")?,
            heartbeat: row.try_get("heartbeat")?,
            identity: Identity {
                boot: row.try_get("boot")?,
                pid_namespace: row.try_get("pid_namespace")?,
                started: unsigned_opt(row, "process_started")?,
            },
        }))
    }

    fn holder(&self) -> Holder {
        Holder {
            owner: self.owner.clone(),
            host: self.host.clone(),
            process: self.process,
            command: self.command.clone(),
            run: self.run.map(RunId),
            since: timestamp(self.since),
            heartbeat: timestamp(self.heartbeat),
            expires: timestamp(self.expires()),
        }
    }

    fn expires(&self) -> SystemTime {
        let lease = Duration::from_millis(u64::try_from(self.lease_ms).unwrap_or(0));
        self.heartbeat.checked_add(lease).unwrap_or(self.heartbeat)
    }

    /// Whether another may take the lock over.
    fn is_over(&self, now: SystemTime, me: &Identity, is_gone: impl FnOnce(u32, u64) -> bool) -> bool {
        let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
        let known =
            same(&me.boot, &self.identity.boot) && same(&me.pid_namespace, &self.identity.pid_namespace);
        match self.identity.started {
            Some(started) if known && is_gone(self.process, started) => true,
            _ => now >= self.expires(),
        }
    }
}

/// The lock and the server's time.
pub(super) const STANDING: &str = "SELECT date_trunc('milliseconds', clock_timestamp()) AS now, locks.*
    FROM (VALUES (1)) AS one LEFT JOIN standfast.locks ON locks.state = $1";

/// Reads the row of [`STANDING`].
pub(super) fn standing(state: &Row, lock: &Row) -> Result<Standing, Fault> {
    Ok(Standing {
        head: Head { lineage: state.try_get("lineage")?, serial: unsigned(state, "serial")? },
        last_token: unsigned(state, "last_token")?,
        last_run: unsigned(state, "last_run")?,
        now: lock.try_get("now")?,
        lock: LockRow::read(lock)?,
    })
}

/// Who holds the lock.
pub(super) async fn holder(context: &Context<'_>) -> Result<Option<Holder>, Fault> {
    let row = context.session.query_one(STANDING, &[&context.state]).await?;
    Ok(LockRow::read(&row)?.map(|lock| lock.holder()))
}

/// The fence: fails unless `lease` is the current one. Returns the run that was begun under it.
pub(super) fn verify(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
) -> Result<Option<RunId>, StoreError> {
    match &standing.lock {
        Some(lock) if lock.token == lease.token => Ok(lock.run.map(RunId)),
        other => Err(StoreError::LeaseLost {
            operation: context.operation,
            place: context.place.to_owned(),
            holder: other.as_ref().map(|lock| Box::new(lock.holder())),
        }),
    }
}

/// Takes the lock if it is free or may be taken over.
pub(super) async fn claim(
    context: &Context<'_>,
    standing: &Standing,
    request: &LockRequest,
) -> Result<Lease, Fault> {
    if let Some(lock) = &standing.lock
        // Not the requester's identity but this machine's view: it is this process that asks around.
        && !lock.is_over(standing.now, &host::identity(std::process::id()), host::is_gone)
    {
        let (place, holder) = (context.place.to_owned(), Box::new(lock.holder()));
        return Err(StoreError::Locked { place, holder }.into());
    }
    let lock = LockRow {
        token: standing.last_token + 1,
        lease_ms: signed(request.lease_ms),
        owner: request.owner.clone(),
        host: request.host.clone(),
        process: request.process,
        command: request.command.clone(),
        run: None,
        since: standing.now,
        heartbeat: standing.now,
        identity: host::identity(request.process),
    };
    let (state, token) = (context.state, signed(lock.token));
    let effects = vec![
        effect!("UPDATE standfast.states SET last_token = $2 WHERE id = $1", state, token),
        effect!("DELETE FROM standfast.locks WHERE state = $1", state),
        effect!(
            "INSERT INTO standfast.locks (state, token, lease_ms, owner, host, process, command, since, heartbeat,
                boot, pid_namespace, process_started)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11)",
            state,
            token,
            lock.lease_ms,
            lock.owner.clone(),
            lock.host.clone(),
            i64::from(lock.process),
            lock.command.clone(),
            lock.since,
            lock.identity.boot.clone(),
            lock.identity.pid_namespace.clone(),
            lock.identity.started.map(signed),
        ),
        // What stores of long ago noted of their last transaction: nobody asks for it any more.
        effect!(
            "DELETE FROM standfast.writers WHERE state = $1 AND at < clock_timestamp() - interval '1 day'",
            state
        ),
    ];
    context.session.pipeline(effects).await?;
    Ok(Lease { token: lock.token, lease_ms: request.lease_ms, holder: lock.holder() })
}

/// Gives the lock back, or takes it away.
pub(super) async fn drop_lock(context: &Context<'_>) -> Result<(), Fault> {
    context.session.execute("DELETE FROM standfast.locks WHERE state = $1", &[&context.state]).await?;
    Ok(())
}

/// Takes the lock away from whoever holds it.
pub(super) async fn break_lock(context: &Context<'_>, standing: &Standing) -> Result<Option<Holder>, Fault> {
    drop_lock(context).await?;
    Ok(standing.lock.as_ref().map(LockRow::holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Identity {
        Identity { boot: Some("boot-1".into()), pid_namespace: Some("pid:[1]".into()), started: Some(77) }
    }

    fn is_over(holder: Identity, after_ms: u64, gone: bool) -> bool {
        let beat = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let lock = LockRow {
            token: 4,
            lease_ms: 30_000,
            owner: "ci".into(),
            host: "runner-4".into(),
            process: 4242,
            command: "apply".into(),
            run: Some(9),
            since: beat,
            heartbeat: beat,
            identity: holder,
        };
        lock.is_over(beat + Duration::from_millis(after_ms), &here(), |process, started| {
            assert_eq!((process, started), (4242, 77));
            gone
        })
    }

    #[test]
    fn a_lease_is_over_by_time_or_by_the_death_of_a_process_that_can_be_seen() {
        assert!(!is_over(here(), 29_999, false));
        assert!(is_over(here(), 30_000, false));
        assert!(is_over(here(), 1, true));
        let elsewhere = Identity { boot: Some("boot-2".into()), ..here() };
        assert!(!is_over(elsewhere, 1, true), "another machine's process of the same number");
        assert!(!is_over(Identity { started: None, ..here() }, 1, true));
    }
}
