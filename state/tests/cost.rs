//! What recording costs: bytes written and time, and that neither grows with the state.
//!
//! Bytes are those that the process hands to the kernel (`wchar`, man proc_pid_io): the log and the file. The
//! suite runs one process a test, so that nothing else is counted.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use standfast_state::{
    Change, Intent, Lease, LockRequest, OpenMode, Outcome, ResourceRecord, RunId, RunStart, SqliteStore,
    StackId, Store, open_sqlite,
};

fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

fn open(path: &Path) -> SqliteStore {
    open_sqlite(path, &StackId::new("shop", None), OpenMode::Create).unwrap()
}

async fn begin(store: &SqliteStore) -> (Lease, RunId) {
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 60_000,
    };
    let lease = store.lock(&request).await.unwrap();
    let start = RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "here".into(),
        blueprint: None,
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    };
    let run = store.begin_run(&lease, &start).await.unwrap();
    (lease, run)
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

/// Creates resources as an apply does: an intent, the call, an outcome with the record, `parallel` at a time.
async fn create(
    store: &SqliteStore,
    lease: &Lease,
    run: RunId,
    numbers: std::ops::Range<usize>,
    parallel: usize,
) {
    stream::iter(numbers)
        .for_each_concurrent(parallel, |number| async move {
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
        })
        .await;
}

async fn fill(store: &SqliteStore, lease: &Lease, count: usize) {
    let changes: Vec<Change> = (0..count).map(|number| Change::Put(resource(number))).collect();
    store.record(lease, &changes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_creates_cost_little_and_each_the_same_on_a_state_ten_times_as_large() {
    let directory = tempfile::tempdir().unwrap();
    let mut cost = Vec::new();
    for present in [1_000, 10_000] {
        let path = directory.path().join(format!("{present}.db"));
        let store = open(&path);
        let (lease, run) = begin(&store).await;
        fill(&store, &lease, present).await;
        drop(store);

        let (before, started) = (bytes_written(), Instant::now());
        let store = open(&path);
        create(&store, &lease, run, present..present + 1_000, 16).await;
        let took = started.elapsed();
        drop(store); // folds the log into the file: that counts too
        let written = bytes_written() - before;
        println!("{present} present: 1,000 creates, 16 at a time: {took:?}, {written} bytes written");
        assert!(written < 20_000_000, "{written} bytes written");
        assert!(took < Duration::from_secs(10), "took {took:?}");
        cost.push(written);
    }
    assert!(cost[1] < cost[0] * 3 / 2, "the cost of one result grows with the state: {cost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_state_is_opened_and_read_quickly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.db");
    let store = open(&path);
    let (lease, _) = begin(&store).await;
    // Without optimization the filling alone would take ten seconds.
    let count = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    fill(&store, &lease, count).await;
    drop(store);
    let size = std::fs::metadata(&path).unwrap().len();

    let started = Instant::now();
    let store = open(&path);
    let opened = started.elapsed();
    let started = Instant::now();
    let snapshot = store.snapshot().await.unwrap();
    let read = started.elapsed();
    println!("{count} resources, {size} bytes: opened in {opened:?}, read in {read:?}");
    assert_eq!(snapshot.resources.len(), count);
    // Far above what it takes even unoptimized, and far below what a check or a parse per row would add.
    assert!(opened < Duration::from_secs(2), "opened in {opened:?}");
    assert!(read < Duration::from_secs(5), "read in {read:?}");
}
