//! The process may open no more files. The limit is the whole process's: this file has one test.

#![cfg(unix)]

use std::fs::File;

use rustix::process::{Resource, Rlimit, setrlimit};
use standfast_state::{
    Change, LockRequest, OpenMode, ResourceRecord, RunStart, StackId, Store, StoreError, open_sqlite,
};

fn resource(address: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.into(),
        deposed: String::new(),
        kind: "host".into(),
        id: "i".into(),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: Vec::new(),
        payload: "{}".into(),
    }
}

#[tokio::test]
async fn no_more_files_are_said_and_what_was_promised_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let stack = StackId::new("shop", None);
    let store = open_sqlite(&path, &stack, OpenMode::Create).unwrap();
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 60_000,
    };
    let lease = store.lock(&request).await.unwrap();
    store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();

    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let mut all: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let start = RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "here".into(),
        blueprint: None,
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    };
    // From none to as many as it takes: opening and copying fail for what it is, at whichever file.
    let mut refused = 0;
    loop {
        let opened = open_sqlite(&path, &stack, OpenMode::MustExist);
        let begun = store.begin_run(&lease, &start).await;
        for error in [opened.err(), begun.as_ref().err().cloned()].into_iter().flatten() {
            assert!(matches!(error, StoreError::TooManyFiles { .. }), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("ulimit -n")), "{error}");
            refused += 1;
        }
        if begun.is_ok() {
            break;
        }
        // What is open goes on.
        store.record(&lease, &[Change::Put(resource("b"))]).await.unwrap();
        all.pop().unwrap();
    }
    assert!(refused >= 4, "only {refused} refused");
    drop(all);
    let recorded = open_sqlite(&path, &stack, OpenMode::MustExist).unwrap().snapshot().await.unwrap();
    assert_eq!(recorded.resources.len(), 2);
}
