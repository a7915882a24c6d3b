//! What a run does, for the tests of any store.

use futures::stream::{self, StreamExt};

use crate::history::{RunId, RunStart};
use crate::journal::{Intent, Outcome};
use crate::lock::{Lease, LockRequest};
use crate::record::{Change, ResourceRecord};
use crate::store::Store;

/// Who asks for the lock, from another machine.
pub fn claimant(owner: &str) -> LockRequest {
    LockRequest {
        owner: owner.into(),
        host: "elsewhere".into(),
        process: 1,
        command: "apply".into(),
        lease_ms: 60_000,
    }
}

/// Takes the lock and begins a run.
pub async fn begin(store: &dyn Store) -> (Lease, RunId) {
    let lease = store.lock(&claimant("ann")).await.unwrap();
    let start = RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "elsewhere".into(),
        blueprint: Some("name: shop".into()),
        variables: "{\"release\":\"1.4.2\"}".into(),
        plan_id: None,
        summary: "to create some".into(),
    };
    let run = store.begin_run(&lease, &start).await.unwrap();
    (lease, run)
}

/// One of the resources that [`create`] makes.
pub fn record(number: usize) -> ResourceRecord {
    ResourceRecord {
        address: format!("home/unit.r{number:05}"),
        deposed: String::new(),
        kind: "unit".into(),
        id: format!("i-{number}"),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: Vec::new(),
        payload: "{\"outputs\":{\"port\":80}}".into(),
    }
}

/// Creates resources as an apply does: an intent, the call, an outcome with the record, `parallel` at a time.
pub async fn create(store: &dyn Store, lease: &Lease, run: RunId, count: usize, parallel: usize) {
    stream::iter(0..count)
        .for_each_concurrent(parallel, |number| async move {
            let record = record(number);
            let intent = Intent {
                run,
                address: record.address.clone(),
                deposed: String::new(),
                action: "create".into(),
                token: format!("token-{number}"),
                payload: "{\"size\":3}".into(),
            };
            let id = store.intend(lease, &intent).await.unwrap();
            store.settle(lease, id, &Outcome::Done, &[Change::Put(record)]).await.unwrap();
        })
        .await;
}

/// Whether a run of [`create`] left all of it, and each part once.
pub async fn assert_whole(store: &dyn Store, count: usize) {
    let export = store.export().await.unwrap();
    assert_eq!(export.resources.len(), count);
    assert_eq!(export.head.serial, count as u64, "each outcome counts once");
    assert_eq!(export.runs.len(), 1, "one run was begun");
    let journal = &export.runs[0].journal;
    assert!(journal.iter().all(|entry| entry.outcome == Some(Outcome::Done)));
    let mut written: Vec<&str> = journal.iter().map(|entry| entry.intent.address.as_str()).collect();
    written.sort_unstable();
    let recorded: Vec<&str> = export.resources.iter().map(|record| record.address.as_str()).collect();
    assert_eq!(written, recorded, "each intent was written once");
}
