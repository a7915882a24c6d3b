//! The trait that every store implements.
//!
//! Writes take the [`Lease`] and check its fencing token in the transaction that they write in. A write that
//! returned is durable; one that failed left nothing behind. Concurrent writes may share one transaction, and
//! callers that run many steps at once should let them.
//!
//! Deliberately absent: a way to rewrite the whole state as part of an ordinary run.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::export::Export;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::{Change, Head, ResourceRecord, Snapshot};
use crate::seal::Seal;

/// What opening may do, and what the store will be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Makes what is missing: directory, file, schema, state.
    ///
    /// # Errors
    /// [`StoreError::Lost`] where copies of a file are left and it is not.
    Create,
    /// The same, whatever is left of an earlier state.
    Anew,
    /// Fails with [`StoreError::Missing`] or [`StoreError::NoSuchState`] where something is.
    MustExist,
    /// The same, and never writes anything: for a place that this user may only read. Writes are refused with
    /// [`StoreError::ReadOnly`].
    ReadOnly,
}

impl OpenMode {
    pub(crate) fn makes(self) -> bool {
        matches!(self, Self::Create | Self::Anew)
    }
}

/// Where one state (a stack in one environment) is kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store for messages, such as `sqlite:.standfast/shop.db`. Never holds a password.
    fn describe(&self) -> String;

    /// The version of the state, without its resources.
    async fn head(&self) -> Result<Head, StoreError>;

    /// The whole state in one consistent read.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// What is recorded under one address, the current object first. Costs the same whatever the size of the state.
    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError>;

    /// Takes the lock, or fails with [`StoreError::Locked`] at once; waiting is the caller's.
    /// The lease of a holder that is known to be dead, or that let it run out, is taken over.
    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError>;

    /// Sends a heartbeat: the lease lives for another `lease_ms`. [`StoreError::LeaseLost`] when another took it
    /// or it was broken. A lease that ran out but was not taken is still good.
    async fn renew(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Gives the lock back. Fails with [`StoreError::LeaseLost`] when it was no longer held.
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// Takes the lock away from whoever holds it, and says who did. That holder cannot write any more.
    async fn break_lock(&self) -> Result<Option<Holder>, StoreError>;

    /// Who holds the lock, also when the lease ran out and nobody took it over yet.
    async fn holder(&self) -> Result<Option<Holder>, StoreError>;

    /// Begins a run and ties it to the lock.
    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError>;

    /// Ends a run with the engine's word for its result and a new summary line.
    async fn end_run(&self, lease: &Lease, run: RunId, result: &str, summary: &str)
    -> Result<(), StoreError>;

    /// Writes an intent; it is durable when this returns, and only then may the call be made.
    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError>;

    /// Writes how an intent ended and what it changed, in one transaction. Returns the serial after it, which is
    /// unchanged when there are no changes. A later run may settle what an earlier one left open;
    /// what is settled for good is refused with [`StoreError::AlreadySettled`].
    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError>;

    /// Changes records outside the journal: `state mv`, `state rm`, `state import`, refresh.
    /// Returns the serial after it, which is unchanged when there are no changes.
    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError>;

    /// The last `limit` runs, newest first.
    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError>;

    /// One run with its blueprint, variables and journal, or [`StoreError::NoSuchRun`].
    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError>;

    /// Takes runs out of the history with their journals, and blueprints that no run names any more. Returns how many.
    ///
    /// Kept are the last `keep_runs` (at least one), every run with an open intent, the last one that wrote an intent
    /// (the journal's numbers go on from it), and, for each word that runs with a blueprint ended with, the last of
    /// them: what was right once can still be gone back to. A plan that was used stays used. The serial stays.
    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError>;

    /// Marks a saved plan as used, once: [`StoreError::PlanUsed`] says when and by which run it was before.
    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError>;

    /// A small value kept beside the resources.
    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes a small value; with a lease, only while that lease holds.
    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError>;

    /// Returns the value of `key`, writing `value` first when there is none. Of any number of concurrent callers
    /// all get the same value. Needs no lease.
    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError>;

    /// Everything that is kept of this state, in one consistent read.
    async fn export(&self) -> Result<Export, StoreError>;

    /// Replaces everything that is kept of this state, lineage and serial too, by `export`; the lock stays.
    /// Whether that is wise (another lineage, an older serial) is for the caller to check.
    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError>;

    /// Leaves nothing in the place of what was replaced or removed: free pages, logs, copies. Returns how many copies
    /// were removed; `None` where the place is a server, whose disks and backups are beyond this program's reach.
    async fn wipe(&self) -> Result<Option<usize>, StoreError>;

    /// The key that the state was opened with; `None` where it is not encrypted.
    fn seal(&self) -> Option<&Seal> {
        None
    }
}
