//! A store and a provider with a point before and after everything that they do. Reads of the store have none: they leave
//! nothing behind.

use std::sync::Arc;

use async_trait::async_trait;
use standfast_contract::{
    Address, Answers, Call, Context, ExpandRequest, Expansion, Found, Health, Kind, Lookup, Made, Observed,
    Obstacle, Operation, Probe, Problem, Provider, ProviderError, ReadRequest, Region, Standing, Survey,
    Value,
};
use standfast_state::{
    Change, Export, Head, Holder, Intent, IntentId, LEASE_MS_DEFAULT, Lease, LockRequest, OpenMode, Outcome,
    ResourceRecord, RunDetail, RunId, RunRecord, RunStart, Snapshot, StackId, StateUrl, Store, StoreError,
    StoreKind, open_sqlite,
};

use crate::point::{Death, Points};

/// The SQLite file of a URL `swept:PATH`, watched.
pub struct Swept(pub Arc<Points>, pub Death);

#[async_trait]
impl StoreKind for Swept {
    fn schemes(&self) -> &'static [&'static str] {
        &["swept"]
    }

    fn example(&self) -> &'static str {
        "`swept:PATH`"
    }

    async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let store = open_sqlite(url.rest(), stack, mode)?;
        Ok(Arc::new(WatchedStore { store, points: Arc::clone(&self.0), death: self.1 }))
    }
}

struct WatchedStore<S> {
    store: S,
    points: Arc<Points>,
    death: Death,
}

#[async_trait]
impl<S: Store> Store for WatchedStore<S> {
    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.store.head().await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.store.snapshot().await
    }

    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError> {
        self.store.objects(address).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError> {
        let mut request = request.clone();
        if self.death == Death::Task {
            // The process lives on, so it cannot be seen that the holder is gone: its lease runs out instead.
            request.lease_ms = 1;
        }
        let mut lease = self.points.around("lock", self.store.lock(&request)).await?;
        lease.lease_ms = LEASE_MS_DEFAULT;
        Ok(lease)
    }

    /// Not numbered: when it comes is a matter of time.
    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        self.points.live().await;
        self.store.renew(lease).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.points.around("release", self.store.release(lease)).await
    }

    async fn break_lock(&self) -> Result<Option<Holder>, StoreError> {
        self.points.around("break_lock", self.store.break_lock()).await
    }

    async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        self.store.holder().await
    }

    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError> {
        self.points.around("begin_run", self.store.begin_run(lease, start)).await
    }

    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        result: &str,
        summary: &str,
    ) -> Result<(), StoreError> {
        self.points.around("end_run", self.store.end_run(lease, run, result, summary)).await
    }

    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError> {
        let what = format!("intend {} {}", intent.action, intent.address);
        self.points.around(&what, self.store.intend(lease, intent)).await
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError> {
        self.points
            .around(&format!("settle {intent}"), self.store.settle(lease, intent, outcome, changes))
            .await
    }

    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError> {
        self.points.around("record", self.store.record(lease, changes)).await
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        self.store.runs(limit).await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError> {
        self.store.run(id).await
    }

    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError> {
        self.points.around("prune", self.store.prune(lease, keep_runs)).await
    }

    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError> {
        self.points.around("consume_plan", self.store.consume_plan(lease, plan_id)).await
    }

    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.store.get_meta(key).await
    }

    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError> {
        self.points.around("put_meta", self.store.put_meta(lease, key, value)).await
    }

    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError> {
        self.points.around("get_or_insert_meta", self.store.get_or_insert_meta(key, value)).await
    }

    async fn export(&self) -> Result<Export, StoreError> {
        self.store.export().await
    }

    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError> {
        self.points.around("import", self.store.import(lease, export)).await
    }

    async fn wipe(&self) -> Result<Option<usize>, StoreError> {
        self.points.around("wipe", self.store.wipe()).await
    }
}

/// A provider, watched.
pub struct WatchedProvider<P> {
    pub provider: P,
    pub points: Arc<Points>,
}

#[async_trait]
impl<P: Provider> Provider for WatchedProvider<P> {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.provider.kind(name)
    }

    fn lane_limit(&self) -> usize {
        self.provider.lane_limit()
    }

    fn lookups(&self, request: &ExpandRequest<'_>) -> Vec<Lookup> {
        self.provider.lookups(request)
    }

    async fn lookup(
        &self,
        context: &Context,
        region: &Region,
        lookups: &[Lookup],
        standing: &[Standing<'_>],
    ) -> Vec<Result<Value, ProviderError>> {
        self.points.around("look up", self.provider.lookup(context, region, lookups, standing)).await
    }

    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        self.provider.expand(request, answers)
    }

    async fn preflight(&self, context: &Context, calls: &[Call], deletes: &[Call]) -> Vec<Obstacle> {
        self.points.around("preflight", self.provider.preflight(context, calls, deletes)).await
    }

    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        self.points.around("read", self.provider.read(context, requests)).await
    }

    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        self.points.around(&format!("create {}", call.address), self.provider.create(context, call)).await
    }

    async fn update(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        self.points.around(&format!("update {}", call.address), self.provider.update(context, call)).await
    }

    async fn rename(&self, context: &Context, call: &Call, from: &Address) -> Result<(), ProviderError> {
        self.points.around(&format!("rename {from}"), self.provider.rename(context, call, from)).await
    }

    async fn delete(&self, context: &Context, call: &Call) -> Result<(), ProviderError> {
        self.points.around(&format!("delete {}", call.address), self.provider.delete(context, call)).await
    }

    async fn operate(&self, context: &Context, operation: &Operation) -> Result<(), ProviderError> {
        self.points.around(operation.address.as_str(), self.provider.operate(context, operation)).await
    }

    async fn find(&self, context: &Context, places: &[Value]) -> Vec<Result<Vec<Found>, ProviderError>> {
        self.points.around("find", self.provider.find(context, places)).await
    }

    async fn survey(
        &self,
        context: &Context,
        region: &Region,
        within: &str,
    ) -> Result<Survey, ProviderError> {
        self.points.around("survey", self.provider.survey(context, region, within)).await
    }

    async fn probe(&self, context: &Context, probes: &[Probe]) -> Vec<Health> {
        self.points.around("probe", self.provider.probe(context, probes)).await
    }

    async fn close(&self) {
        self.provider.close().await;
    }
}
