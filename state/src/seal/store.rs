//! A store around any other, which keeps nothing but sealed texts. Forms and places are those of `forms`.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::RwLock;

use super::changes::{Desk, is_plain};
use super::error::SealError;
use super::forms::SEAL_KEY;
use super::header::Header;
use super::text::Seal;
use crate::error::StoreError;
use crate::export::Export;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::{Change, Head, ResourceRecord, Snapshot};
use crate::store::Store;

/// The header of the state that a store keeps; `None` where it is not sealed.
///
/// # Errors
/// As the store reports them, and [`StoreError::Sealed`] for a header that is damaged or of a later format.
pub async fn header_of(store: &dyn Store) -> Result<Option<Header>, StoreError> {
    match store.get_meta(SEAL_KEY).await? {
        Some(text) => Header::parse(&text).map(Some).map_err(|error| StoreError::Sealed {
            operation: "open the state",
            place: store.describe(),
            error: Box::new(error),
        }),
        None => Ok(None),
    }
}

/// A sealed state, opened.
pub struct Sealed {
    inner: Arc<dyn Store>,
    seal: Seal,
    /// Held alone by a change that reads records before it writes them.
    order: RwLock<()>,
}

impl Sealed {
    /// `inner` keeps a state that was sealed with this key.
    pub fn new(inner: Arc<dyn Store>, seal: Seal) -> Self {
        Self { inner, seal, order: RwLock::new(()) }
    }

    /// The error for what could not be opened. Where the state has another header by now, that is the reason; where it has
    /// the same, a text with another key was put there by somebody.
    async fn explain(&self, operation: &'static str, error: SealError) -> StoreError {
        let changed = match self.inner.get_meta(SEAL_KEY).await {
            Ok(found) => found.as_deref() != Some(self.seal.header().as_str()),
            Err(_) => false,
        };
        let error = match error {
            _ if changed => SealError::OtherKey { what: "the state".to_owned() },
            SealError::OtherKey { what } => SealError::Tampered { what },
            other => other,
        };
        StoreError::Sealed { operation, place: self.inner.describe(), error: Box::new(error) }
    }

    async fn opened<T>(
        &self,
        operation: &'static str,
        opened: Result<T, SealError>,
    ) -> Result<T, StoreError> {
        match opened {
            Ok(value) => Ok(value),
            Err(error) => Err(self.explain(operation, error).await),
        }
    }

    fn sealed<T>(&self, operation: &'static str, sealed: Result<T, SealError>) -> Result<T, StoreError> {
        let place = || self.inner.describe();
        sealed.map_err(|error| StoreError::Sealed { operation, place: place(), error: Box::new(error) })
    }

    fn seal_plain(&self, operation: &'static str, changes: &[Change]) -> Result<Vec<Change>, StoreError> {
        let seal = |change: &Change| match change {
            Change::Put(record) => self.seal.seal_record(record).map(Change::Put),
            Change::Remove { address, deposed } => {
                let (address, deposed) = self.seal.tags(address, deposed);
                Ok(Change::Remove { address, deposed })
            }
            Change::Move { .. } | Change::Depose { .. } => {
                Err(SealError::Failed { reason: "a change was not worked out".to_owned() })
            }
        };
        self.sealed(operation, changes.iter().map(seal).collect())
    }

    /// The same changes as writes and removals alone.
    async fn work_out(&self, operation: &'static str, changes: &[Change]) -> Result<Vec<Change>, StoreError> {
        let concerned = if changes.iter().any(|change| matches!(change, Change::Move { .. })) {
            // Whatever depends on it, and renames are rare.
            self.snapshot().await?.resources
        } else {
            let mut found = Vec::new();
            for change in changes {
                if let Change::Depose { address, .. } = change {
                    let (tag, _) = self.seal.tags(address, "");
                    let sealed = self.inner.objects(&tag).await?;
                    found.extend(self.opened(operation, self.seal.unseal_records(&sealed)).await?);
                }
            }
            found
        };
        let mut desk = Desk::new(concerned);
        desk.apply(changes)?;
        Ok(desk.outcome())
    }
}

#[async_trait]
impl Store for Sealed {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let sealed = self.inner.snapshot().await?;
        let open = || {
            Ok(Snapshot {
                resources: self.seal.unseal_records(&sealed.resources)?,
                open_intents: sealed
                    .open_intents
                    .iter()
                    .map(|open| self.seal.unseal_open(open))
                    .collect::<Result<_, _>>()?,
                head: sealed.head,
            })
        };
        self.opened("read the state", open()).await
    }

    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError> {
        let (tag, _) = self.seal.tags(address, "");
        let sealed = self.inner.objects(&tag).await?;
        self.opened("read the state", self.seal.unseal_records(&sealed)).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError> {
        let lease = self.inner.lock(request).await?;
        // Under the lock nobody changes the key any more. Before it, somebody may have.
        let found = self.inner.get_meta(SEAL_KEY).await;
        match found {
            Ok(Some(text)) if text == self.seal.header().as_str() => Ok(lease),
            other => {
                self.inner.release(lease).await?;
                other?;
                let error = SealError::OtherKey { what: "the state".to_owned() };
                Err(self.explain("lock the state", error).await)
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.renew(lease).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }

    async fn break_lock(&self) -> Result<Option<Holder>, StoreError> {
        self.inner.break_lock().await
    }

    async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        self.inner.holder().await
    }

    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError> {
        let start = self.sealed("begin a run", self.seal.seal_start(start))?;
        self.inner.begin_run(lease, &start).await
    }

    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        result: &str,
        summary: &str,
    ) -> Result<(), StoreError> {
        // Most often the run that ends is the last one, whose journal may be long and is not wanted.
        let last = self.inner.runs(1).await?.into_iter().find(|record| record.id == run);
        let owner = match last {
            Some(record) => record.owner,
            None => self.inner.run(run).await?.record.owner,
        };
        let summary = self.sealed("end the run", self.seal.seal_end(run, &owner, summary))?;
        self.inner.end_run(lease, run, result, &summary).await
    }

    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError> {
        let sealed = self.sealed("write an intent", self.seal.seal_intent(intent))?;
        self.inner.intend(lease, &sealed).await.map_err(|error| match error {
            StoreError::Conflict { reason, .. } => {
                StoreError::Conflict { address: intent.address.clone(), reason }
            }
            other => other,
        })
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError> {
        const OPERATION: &str = "write an outcome";
        let outcome = self.sealed(OPERATION, self.seal.seal_outcome(outcome))?;
        if changes.iter().all(is_plain) {
            let changes = self.seal_plain(OPERATION, changes)?;
            let _shared = self.order.read().await;
            return self.inner.settle(lease, intent, &outcome, &changes).await;
        }
        let _alone = self.order.write().await;
        let changes = self.seal_plain(OPERATION, &self.work_out(OPERATION, changes).await?)?;
        self.inner.settle(lease, intent, &outcome, &changes).await
    }

    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError> {
        const OPERATION: &str = "change the records";
        if changes.iter().all(is_plain) {
            let changes = self.seal_plain(OPERATION, changes)?;
            let _shared = self.order.read().await;
            return self.inner.record(lease, &changes).await;
        }
        let _alone = self.order.write().await;
        let changes = self.seal_plain(OPERATION, &self.work_out(OPERATION, changes).await?)?;
        self.inner.record(lease, &changes).await
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        let sealed = self.inner.runs(limit).await?;
        let runs = sealed.iter().map(|run| self.seal.unseal_run(run)).collect();
        self.opened("read the history", runs).await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError> {
        let sealed = self.inner.run(id).await?;
        self.opened("read the history", self.seal.unseal_detail(&sealed)).await
    }

    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError> {
        self.inner.prune(lease, keep_runs).await
    }

    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError> {
        let sealed = self.sealed("use the saved plan", self.seal.seal_plan_id(plan_id))?;
        self.inner.consume_plan(lease, &sealed).await.map_err(|error| match error {
            StoreError::PlanUsed { at, run, .. } => {
                StoreError::PlanUsed { plan_id: plan_id.to_owned(), at, run }
            }
            other => other,
        })
    }

    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        match self.inner.get_meta(key).await? {
            // The header is no value of the state's own.
            Some(_) if key == SEAL_KEY => Ok(None),
            Some(sealed) => self.opened("read a value", self.seal.unseal_value(key, &sealed)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError> {
        let sealed = self.sealed("write a value", self.seal.seal_value(key, value))?;
        self.inner.put_meta(lease, key, &sealed).await
    }

    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError> {
        let sealed = self.sealed("write a value", self.seal.seal_value(key, value))?;
        let kept = self.inner.get_or_insert_meta(key, &sealed).await?;
        self.opened("read a value", self.seal.unseal_value(key, &kept)).await
    }

    async fn export(&self) -> Result<Export, StoreError> {
        let sealed = self.inner.export().await?;
        self.opened("export the state", self.seal.unseal_export(&sealed)).await
    }

    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError> {
        let sealed = self.sealed("import into the state", self.seal.seal_export(export))?;
        self.inner.import(lease, &sealed).await
    }

    async fn wipe(&self) -> Result<Option<usize>, StoreError> {
        self.inner.wipe().await
    }

    fn seal(&self) -> Option<&Seal> {
        Some(&self.seal)
    }
}
