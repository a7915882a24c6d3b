//! What needs a hand on the connection: a disk that fills up, and a job that fails among others.

use std::path::Path;

use futures::future::join_all;
use rusqlite::Connection;

use super::{SqliteStore, assemble, open};
use crate::{Change, Lease, LockRequest, OpenMode, ResourceRecord, StackId, Store, StoreError, open_sqlite};

fn shop() -> StackId {
    StackId::new("shop", None)
}

/// A store whose writing connection was prepared by `with`.
fn store(path: &Path, with: impl FnOnce(&Connection)) -> SqliteStore {
    let mut conn = open::prepare(path, OpenMode::Create, "sqlite:shop.db").unwrap();
    let state = open::state_row(&mut conn, &shop(), OpenMode::Create, "sqlite:shop.db").unwrap();
    with(&conn);
    let reading = open::connect(path, "sqlite:shop.db").unwrap();
    assemble(conn, Some(reading), state, "sqlite:shop.db".to_owned(), Some(path.to_owned())).unwrap()
}

async fn lock(store: &SqliteStore) -> Lease {
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 60_000,
    };
    store.lock(&request).await.unwrap()
}

fn put(number: usize) -> [Change; 1] {
    [Change::Put(ResourceRecord {
        address: format!("r{number:04}"),
        deposed: String::new(),
        kind: "unit".into(),
        id: "i".into(),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: Vec::new(),
        payload: "x".repeat(3_000),
    })]
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_what_was_promised() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    // SQLite's own limit of pages answers as a full disk does.
    let small = store(&path, |conn| {
        conn.query_row("PRAGMA max_page_count = 60", [], |row| row.get::<_, i64>(0)).unwrap();
    });
    let lease = lock(&small).await;
    let answers = join_all((0..200).map(|number| {
        let (small, lease) = (&small, &lease);
        async move { (number, small.record(lease, &put(number)).await) }
    }))
    .await;
    let mut kept = Vec::new();
    for (number, answer) in answers {
        match answer {
            Ok(_) => kept.push(format!("r{number:04}")),
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
                assert_eq!(
                    error.to_string(),
                    "could not change the records: no space is left for the state sqlite:shop.db"
                );
            }
        }
    }
    assert!(kept.len() < 100, "{} kept", kept.len());
    let found: Vec<String> =
        small.snapshot().await.unwrap().resources.into_iter().map(|r| r.address).collect();
    assert_eq!(found, kept);
    // Room is made: what was refused can be written now, on the same lease.
    let gone = Change::Remove { address: kept.first().cloned().unwrap_or_default(), deposed: String::new() };
    if !kept.is_empty() {
        small.record(&lease, &[gone]).await.unwrap();
    }
    drop(small);
    let roomy = store(&path, |_| {});
    roomy.record(&lease, &put(200)).await.unwrap();
    assert_eq!(roomy.snapshot().await.unwrap().resources.len(), kept.len().saturating_sub(1) + 1);
}

#[tokio::test]
async fn writes_that_wait_share_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let store = open_sqlite(&path, &shop(), OpenMode::Create).unwrap();
    let lease = lock(&store).await;
    let watcher = Connection::open(&path).unwrap();
    // The log holds one commit record a transaction: pages of 4,096 bytes with a 24 byte head, the size of the
    // database in a commit's head at byte 4 (https://sqlite.org/fileformat2.html#wal_file_format).
    let commits = || {
        let log = std::fs::read(directory.path().join("shop.db-wal")).unwrap();
        log[32..].chunks_exact(4_096 + 24).filter(|frame| frame[4..8] != [0; 4]).count()
    };
    let before = commits();
    let answers = join_all((0..160).map(|number| {
        let (store, lease) = (&store, &lease);
        async move { store.record(lease, &put(number)).await }
    }))
    .await;
    assert!(answers.iter().all(Result::is_ok));
    let shared = commits() - before;
    assert!(shared <= 16, "{shared} commits for 160 writes that were sent together");
    drop(watcher);
}
