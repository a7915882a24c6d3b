//! Recording 10,000 results in each store, sixteen at a time, as an apply does: an intent, then an outcome with its record.
//!
//! `cargo bench -p standfast-state --features postgres,objects --bench stores`. Objects lie in memory, so that only the
//! store's own cost is seen, and what a service's answers cost when each takes 5 ms. PostgreSQL is a server of the bench's own on the
//! same machine, with everything that makes it durable switched on.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot do its work has no figure"
)]

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt};
use standfast_state::conformance::sealing::Key;
use standfast_state::{
    Change, Intent, LockRequest, OpenMode, Outcome, ResourceRecord, RunStart, StackId, StateUrl, Store,
    Stores,
};

const RESULTS: usize = 10_000;
const PARALLEL: usize = 16;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let open = |url: StateUrl| async move {
        Stores::default().open(&url, &StackId::new("bench", None), OpenMode::Create).await.unwrap()
    };
    let file = |name: &str| StateUrl::sqlite(&folder.path().join(name));
    runtime.block_on(async {
        measure("sqlite", open(file("bench.db")).await).await;
        measure("sqlite, sealed", Key::default().open(open(file("sealed.db")).await).await).await;
    });
    #[cfg(feature = "objects")]
    for latency_ms in [0, 5] {
        use standfast_state::object::{memory::MemoryObjects, open_objects};
        let objects = MemoryObjects::default().with_latency(std::time::Duration::from_millis(latency_ms));
        let stack = StackId::new("bench", None);
        runtime.block_on(async {
            let store = open_objects(Arc::new(objects.clone()), &stack, OpenMode::Create).await.unwrap();
            measure(&format!("objects, {latency_ms} ms"), Arc::new(store)).await;
            println!("  {} calls", objects.calls());
        });
    }
    #[cfg(all(feature = "postgres", unix))]
    {
        let cluster = standfast_state::conformance::cluster::Cluster::start("", |_| {});
        let database = || cluster.url(&cluster.database()).parse().unwrap();
        runtime.block_on(async {
            measure("postgres", open(database()).await).await;
            measure("postgres, sealed", Key::default().open(open(database()).await).await).await;
        });
    }
}

async fn measure(name: &str, store: Arc<dyn Store>) {
    let request = LockRequest {
        owner: "bench".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 600_000,
    };
    let lease = store.lock(&request).await.unwrap();
    let start = RunStart {
        command: "apply".into(),
        owner: "bench".into(),
        host: "here".into(),
        blueprint: None,
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    };
    let run = store.begin_run(&lease, &start).await.unwrap();
    let begun = Instant::now();
    stream::iter(0..RESULTS)
        .for_each_concurrent(PARALLEL, |number| {
            let (store, lease) = (Arc::clone(&store), &lease);
            async move {
                let record = resource(number);
                let intent = Intent {
                    run,
                    address: record.address.clone(),
                    deposed: String::new(),
                    action: "create".into(),
                    token: format!("standfast-{number:032x}"),
                    payload: record.payload.clone(),
                };
                let id = store.intend(lease, &intent).await.unwrap();
                store.settle(lease, id, &Outcome::Done, &[Change::Put(record)]).await.unwrap();
            }
        })
        .await;
    let took = begun.elapsed();
    let begun = Instant::now();
    assert_eq!(store.snapshot().await.unwrap().resources.len(), RESULTS);
    let read = begun.elapsed();
    let each = took.as_secs_f64() * 1e6 / RESULTS as f64;
    println!("{name}: {RESULTS} results in {took:.2?} ({each:.0} us each), all read in {read:.2?}");
}

fn resource(number: usize) -> ResourceRecord {
    ResourceRecord {
        address: format!("home/autoscaling_groups.web/unit.r{number:06}"),
        deposed: String::new(),
        kind: "unit".into(),
        id: format!("i-{number:017x}"),
        provider: "sim".into(),
        inputs_digest: "3f1c2b".repeat(8),
        dependencies: (1..=3)
            .map(|back| format!("home/autoscaling_groups.web/unit.r{:06}", number / (back + 1)))
            .collect(),
        payload: format!("{{\"outputs\":\"{}\"}}", "x".repeat(585)),
    }
}
