//! A real process, really killed in the midst of writing: what it was told is durable is there, nothing is half
//! there, and its lock is free at once.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use standfast_state::{
    Change, Intent, LockRequest, OpenMode, Outcome, ResourceRecord, RunStart, SqliteStore, StackId, Store,
    StoreError, open_sqlite,
};

/// Names the file to the child; without it the child's test does nothing.
const CHILD_FILE: &str = "STANDFAST_STATE_TEST_CHILD_FILE";
const ROUNDS: u64 = 12;

fn open(path: &Path) -> SqliteStore {
    open_sqlite(path, &StackId::new("shop", None), OpenMode::Create).unwrap()
}

fn request() -> LockRequest {
    LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 600_000,
    }
}

fn start() -> RunStart {
    RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "here".into(),
        blueprint: Some("name: shop".into()),
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    }
}

fn resource(address: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.into(),
        deposed: String::new(),
        kind: "unit".into(),
        id: format!("i-{address}"),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: Vec::new(),
        payload: "x".repeat(600),
    }
}

/// Not a test but the process to be killed: writes for as long as it may, and says on stdout what it was told is
/// durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_FILE).map(PathBuf::from) else { return };
    let store = Arc::new(open(&path));
    let lease = store.lock(&request()).await.unwrap();
    let run = store.begin_run(&lease, &start()).await.unwrap();
    let number = Arc::new(AtomicU64::new(0));
    let say = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    let workers = (0..8).map(|_| {
        let (store, lease, number) = (store.clone(), lease.clone(), number.clone());
        tokio::spawn(async move {
            loop {
                let address = format!("run{run}.r{}", number.fetch_add(1, Ordering::Relaxed));
                let intent = Intent {
                    run,
                    address: address.clone(),
                    deposed: String::new(),
                    action: "create".into(),
                    token: format!("t-{address}"),
                    payload: "{}".into(),
                };
                let id = match store.intend(&lease, &intent).await {
                    Err(StoreError::LeaseLost { .. }) => return,
                    written => written.unwrap(),
                };
                say(format!("\nintended {address}\n"));
                match store.settle(&lease, id, &Outcome::Done, &[Change::Put(resource(&address))]).await {
                    Err(StoreError::LeaseLost { .. }) => return,
                    written => written.unwrap(),
                };
                say(format!("\nsettled {address}\n"));
            }
        })
    });
    futures::future::join_all(workers).await;
}

/// Starts the child, kills it after `after` from its first durable write, and returns what it said.
fn killed(path: &Path, after: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD_FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines: Vec<String> =
        said.by_ref().find(|line| line.starts_with("intended ")).into_iter().collect();
    assert!(!lines.is_empty(), "the child ended by itself");
    // The pipe holds 64 KiB: read on while waiting.
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    });
    lines.extend(said);
    killer.join().unwrap();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_the_midst_of_writing_loses_nothing_it_was_promised() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let (mut promised, mut left_open) = (0, 0);
    for round in 1..=ROUNDS {
        let lines = killed(&path, Duration::from_millis(7 * round));
        let said = |word: &str| -> BTreeSet<String> {
            lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
        };
        let (intended, settled) = (said("intended "), said("settled "));

        let store = open(&path); // checks the file: it was not closed in order
        let lease = store.lock(&request()).await.expect("a dead holder's lock is free at once");
        let snapshot = store.snapshot().await.unwrap();
        let run = store.runs(1).await.unwrap().remove(0);
        assert_eq!((run.id.0, run.ended), (round, None));
        let journal = store.run(run.id).await.unwrap().journal;

        let mine = |address: &String| address.starts_with(&format!("run{round}."));
        let recorded: BTreeSet<String> =
            snapshot.resources.into_iter().map(|r| r.address).filter(mine).collect();
        let done: BTreeSet<String> = journal
            .iter()
            .filter(|entry| entry.outcome == Some(Outcome::Done))
            .map(|entry| entry.intent.address.clone())
            .collect();
        let open: BTreeSet<String> =
            snapshot.open_intents.into_iter().map(|open| open.intent.address).collect();
        let all: BTreeSet<String> = journal.iter().map(|entry| entry.intent.address.clone()).collect();
        assert!(intended.is_subset(&all), "an intent was lost in round {round}");
        assert!(settled.is_subset(&recorded), "an outcome was lost in round {round}");
        assert_eq!(recorded, done, "record and outcome stand or fall together");
        assert_eq!(&all - &done, open, "what has no outcome is open");
        promised += intended.len() + settled.len();
        left_open += open.len();

        // What the next run does: close what was left open.
        for intent in store.snapshot().await.unwrap().open_intents {
            let outcome = Outcome::Failed { message: "not found".into() };
            store.settle(&lease, intent.id, &outcome, &[]).await.unwrap();
        }
        store.release(lease).await.unwrap();
    }
    println!("{ROUNDS} kills, {promised} promises kept, {left_open} intents left open and found");
    assert!(
        promised > 100 && left_open > 0,
        "{promised} promises, {left_open} left open: killed too early or late"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_process_keeps_its_lock_against_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD_FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    said.by_ref().find(|line| line.starts_with("intended ")).unwrap();
    let drain = std::thread::spawn(move || said.count());
    let store = open(&path);
    let refused = store.lock(&request()).await;
    match &refused {
        Err(StoreError::Locked { holder, .. }) => assert_eq!(holder.process, child.id()),
        other => panic!("got {other:?}"),
    }
    // It writes on, and is stopped by nothing but the loss of its lock.
    store.break_lock().await.unwrap();
    let lease = store.lock(&request()).await.unwrap();
    let serial = store.head().await.unwrap().serial;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.head().await.unwrap().serial, serial, "the former holder writes no more");
    store.release(lease).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drain.join().unwrap();
}
