//! The store on objects: states in any service that keeps objects and writes them on a condition, such as S3.
//!
//! Each state is a **log**: every commit is one object, numbered, and written only where there is none. The number is the
//! compare-and-swap, the order of the log is the order of the state. What an entry does is `model`, pure; how one becomes
//! durable is `writer`; where the log ends is `log`; how it is kept short is `snapshot`; what a new key leaves behind goes by
//! `wipe`.
//!
//! | object | holds |
//! |---|---|
//! | `STACK/ENVIRONMENT/log/NUMBER.jsonl` | what was written together |
//! | `…/snapshot/NUMBER.jsonl.zst` | the state after that object of the log |
//! | `…/latest.jsonl` | the number of the newest snapshot |
//! | `…/runs/NUMBER-DIGEST.jsonl.zst` | a run that is over, with its journal |
//! | `…/blueprints/DIGEST.jsonl.zst` | a blueprint's text |
//!
//! Deliberately absent: any service and its SDK ([`Objects`] is all that is asked of one), a lock beside the log, and a clock
//! that must be right.

mod entry;
mod envelope;
mod history;
mod lease;
mod log;
#[cfg(feature = "conformance")]
pub mod memory;
mod model;
mod objects;
mod records;
mod snapshot;
#[cfg(test)]
mod tests;
mod wipe;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::error::StoreError;
use crate::export::{EXPORT_FORMAT, Export};
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::host;
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::{Change, Head, ResourceRecord, Snapshot, StackId};
use crate::store::{OpenMode, Store};
use entry::Entry;
use lease::timestamp;
use log::{Log, Tail};
use model::Reply;
pub use objects::{Found, Listed, ObjectError, Objects};
use writer::{Job, Wish};

/// How many operations may wait for the writer; whoever comes later waits to wait.
const QUEUE_MAX: usize = 1_024;

/// One state as objects. Must be used on the tokio runtime that it was opened on.
pub struct ObjectStore {
    log: Arc<Log>,
    /// Without it the store was opened to be looked at.
    writer: Option<mpsc::Sender<Job>>,
    /// Of an old snapshot nothing newer is read.
    fixed: bool,
}

/// Opens the state of `stack` among these objects.
///
/// # Errors
/// As the service refuses, and [`StoreError::DamagedObject`] for what does not hold together.
pub async fn open_objects(
    objects: Arc<dyn Objects>,
    stack: &StackId,
    mode: OpenMode,
) -> Result<ObjectStore, StoreError> {
    const OPERATION: &str = "open the state";
    let log = Arc::new(Log::new(objects, stack));
    match log.load(OPERATION).await? {
        Some(tail) => log.publish(&tail),
        None if mode.makes() => give_birth(&log, OPERATION).await?,
        None => {
            let (place, found) = (log.place.clone(), log.states(OPERATION).await?);
            return Err(match found.is_empty() {
                true => StoreError::Missing { place },
                false => StoreError::NoSuchState { place, stack: stack.clone(), found },
            });
        }
    }
    let writer = (mode != OpenMode::ReadOnly).then(|| {
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(writer::run(Arc::clone(&log), jobs));
        sender
    });
    Ok(ObjectStore { log, writer, fixed: false })
}

/// Opens the state of `stack` as one of its snapshots has it, to be looked at and nothing else.
///
/// # Errors
/// As [`open_objects`].
pub async fn open_snapshot(
    objects: Arc<dyn Objects>,
    stack: &StackId,
    number: u64,
) -> Result<ObjectStore, StoreError> {
    let log = Arc::new(Log::new(objects, stack));
    let tail = log.snapped("open the state", number).await?;
    log.publish(&tail);
    Ok(ObjectStore { log, writer: None, fixed: true })
}

/// Writes the first object of the log, unless another does.
async fn give_birth(log: &Log, operation: &'static str) -> Result<(), StoreError> {
    let lineage = Uuid::new_v4().to_string();
    let name = log.entry_name(1);
    let (writer, previous) = (String::new(), String::new());
    let entries = vec![Entry::Born { lineage }];
    let batch = entry::Batch { writer, sequence: 0, previous, serial: 0, entries };
    let (bytes, _) = envelope::seal(&name, &batch).map_err(|reason| {
        let place = log.place.clone();
        StoreError::Backend { operation, place, reason }
    })?;
    log.put_new(operation, &name, &bytes).await?;
    // Whoever's it is, it is the state's.
    let gone = || log.damaged(operation, &name, "it was written and is not there");
    let tail = log.load(operation).await?.ok_or_else(gone)?;
    log.publish(&tail);
    Ok(())
}

impl ObjectStore {
    /// The state as it is now.
    async fn now(&self, operation: &'static str) -> Result<Tail, StoreError> {
        if self.fixed { Ok(self.log.tail()) } else { self.log.catch_up(operation).await }
    }

    async fn ask(&self, operation: &'static str, wish: Wish) -> Result<Reply, StoreError> {
        let place = || self.log.place.clone();
        let Some(writer) = &self.writer else {
            let reason = "it was opened to be looked at".to_owned();
            return Err(StoreError::ReadOnly { operation, place: place(), reason });
        };
        let (answer, answered) = oneshot::channel();
        let closed = || {
            let reason = "its writer has ended".to_owned();
            StoreError::Closed { operation, place: place(), reason }
        };
        writer.send(Job { operation, wish, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn write(&self, operation: &'static str, entry: Entry) -> Result<Reply, StoreError> {
        self.ask(operation, Wish::Write(Box::new(entry))).await
    }

    fn at(&self) -> jiff::Timestamp {
        timestamp(self.log.objects.now())
    }

    /// For a reply of a kind that its wish never gets.
    fn confused<T>(&self, operation: &'static str) -> Result<T, StoreError> {
        let reason = "the writer answered something else".to_owned();
        Err(StoreError::Backend { operation, place: self.log.place.clone(), reason })
    }

    async fn serial(&self, operation: &'static str, entry: Entry) -> Result<u64, StoreError> {
        match self.write(operation, entry).await? {
            Reply::Serial(serial) => Ok(serial),
            _ => self.confused(operation),
        }
    }
}

#[async_trait]
impl Store for ObjectStore {
    fn describe(&self) -> String {
        self.log.place.clone()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.now("read the state").await?.model.head)
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(self.now("read the state").await?.model.snapshot())
    }

    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError> {
        let found = self.now("read the state").await?.model.records.under(address);
        Ok(found.iter().map(|record| (**record).clone()).collect())
    }

    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError> {
        const OPERATION: &str = "lock the state";
        match self.ask(OPERATION, Wish::Lock(request.clone())).await? {
            Reply::Lock(lock) => {
                Ok(Lease { token: lock.token, lease_ms: request.lease_ms, holder: lock.holder() })
            }
            _ => self.confused(OPERATION),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let (token, heartbeat, heartbeat_boot_ms) = (lease.token, self.at(), host::now().boot_ms);
        self.write("renew the lock", Entry::Renewed { token, heartbeat, heartbeat_boot_ms }).await.map(drop)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.write("release the lock", Entry::Released { token: lease.token }).await.map(drop)
    }

    async fn break_lock(&self) -> Result<Option<Holder>, StoreError> {
        const OPERATION: &str = "break the lock";
        match self.write(OPERATION, Entry::Broken).await? {
            Reply::Holder(holder) => Ok(holder),
            _ => self.confused(OPERATION),
        }
    }

    async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        Ok(self.now("read the lock").await?.model.lock.map(|lock| lock.holder()))
    }

    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError> {
        const OPERATION: &str = "begin a run";
        let blueprint = match &start.blueprint {
            Some(text) if self.writer.is_some() => {
                Some(history::put_blueprint(&self.log, text, OPERATION).await?)
            }
            _ => None,
        };
        let start = RunStart { blueprint, ..start.clone() };
        match self.write(OPERATION, Entry::RunBegun { token: lease.token, start, at: self.at() }).await? {
            Reply::Run(run) => Ok(run),
            _ => self.confused(OPERATION),
        }
    }

    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        result: &str,
        summary: &str,
    ) -> Result<(), StoreError> {
        let (token, at) = (lease.token, self.at());
        let (result, summary) = (result.to_owned(), summary.to_owned());
        self.write("end the run", Entry::RunEnded { token, run, result, summary, at }).await?;
        // The run has ended either way: what fails here only leaves the way through the log longer.
        if snapshot::take(&self.log).await.is_ok() {
            let _ = snapshot::sweep(&self.log).await;
        }
        Ok(())
    }

    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError> {
        const OPERATION: &str = "write an intent";
        let entry = Entry::Intended { token: lease.token, intent: intent.clone(), at: self.at() };
        match self.write(OPERATION, entry).await? {
            Reply::Intent(id) => Ok(id),
            _ => self.confused(OPERATION),
        }
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError> {
        const OPERATION: &str = "write an outcome";
        let (token, outcome, changes) = (lease.token, outcome.clone(), changes.to_vec());
        let entry = Entry::Settled { token, intent, outcome, changes, at: self.at() };
        match self.serial(OPERATION, entry).await {
            Err(StoreError::AlreadySettled { outcome, .. }) if outcome.is_empty() => {
                Err(history::settled_before(&self.log, intent, OPERATION).await?)
            }
            answer => answer,
        }
    }

    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError> {
        let entry = Entry::Recorded { token: lease.token, changes: changes.to_vec() };
        self.serial("change the records", entry).await
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        const OPERATION: &str = "read the history";
        history::latest(&self.log, &self.now(OPERATION).await?, limit, OPERATION).await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError> {
        const OPERATION: &str = "read the history";
        history::detail(&self.log, &self.now(OPERATION).await?, id, OPERATION).await
    }

    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError> {
        const OPERATION: &str = "prune the history";
        let tail = self.now(OPERATION).await?;
        tail.model.verify(lease.token, self.log.context(OPERATION))?;
        let runs = history::superfluous(&self.log, &tail, keep_runs, OPERATION).await?;
        let count = runs.len() as u64;
        if count > 0 {
            self.write(OPERATION, Entry::Pruned { token: lease.token, runs }).await?;
        }
        Ok(count)
    }

    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError> {
        let (token, plan_id, at) = (lease.token, plan_id.to_owned(), self.at());
        self.write("use the saved plan", Entry::PlanUsed { token, plan_id, at }).await.map(drop)
    }

    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.now("read a value").await?.model.meta.get(key).cloned())
    }

    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError> {
        let token = lease.map(|lease| lease.token);
        let entry = Entry::Meta { token, key: key.to_owned(), value: value.to_owned() };
        self.write("write a value", entry).await.map(drop)
    }

    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError> {
        const OPERATION: &str = "write a value";
        // A look first: most often it is there, and a reader needs no more.
        if let Some(found) = self.now(OPERATION).await?.model.meta.get(key) {
            return Ok(found.clone());
        }
        match self.ask(OPERATION, Wish::Insert { key: key.to_owned(), value: value.to_owned() }).await? {
            Reply::Text(value) => Ok(value),
            _ => self.confused(OPERATION),
        }
    }

    async fn export(&self) -> Result<Export, StoreError> {
        const OPERATION: &str = "export the state";
        history::export(&self.log, &self.now(OPERATION).await?, OPERATION).await
    }

    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError> {
        const OPERATION: &str = "import into the state";
        self.now(OPERATION).await?.model.verify(lease.token, self.log.context(OPERATION))?;
        if export.format != EXPORT_FORMAT {
            let (place, found) = (self.log.place.clone(), export.format);
            return Err(StoreError::ExportFormat { place, found, supported: EXPORT_FORMAT });
        }
        let state = Box::new(history::prepare_import(&self.log, export, OPERATION).await?);
        self.write(OPERATION, Entry::Imported { token: lease.token, state }).await.map(drop)
    }

    async fn wipe(&self) -> Result<Option<usize>, StoreError> {
        self.now("wipe what was replaced").await?;
        wipe::wipe(&self.log).await?;
        // A bucket with versioning keeps earlier versions, out of this program's reach.
        Ok(None)
    }
}
