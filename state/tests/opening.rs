//! Files that are no usable state: each is refused for what it is, with the next move, and left as it was.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use standfast_state::{
    Change, Export, Intent, Lease, LockRequest, OpenIntent, OpenMode, Outcome, ResourceRecord, SqliteStore,
    StackId, Store, StoreError, open_sqlite,
};

fn shop() -> StackId {
    StackId::new("shop", None)
}

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    open_sqlite(path, &shop(), OpenMode::MustExist)
}

/// Opening fails in both modes, changes nothing, and says what to do.
fn refuse(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = open(path).err().expect("refused");
    assert_eq!(open_sqlite(path, &shop(), OpenMode::Create).err().as_ref(), Some(&error), "in either mode");
    assert_eq!(fs::read(path).unwrap(), before, "left as it was");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(error.hint().is_some(), "{error}");
    error
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

fn resource(address: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.into(),
        deposed: String::new(),
        kind: "host".into(),
        id: format!("id-of-{address}"),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: Vec::new(),
        payload: format!("{{\"marker\":\"{}\"}}", "m".repeat(600)),
    }
}

/// A state with `count` resources, closed in order.
async fn made(directory: &Path, count: usize) -> PathBuf {
    let path = directory.join("shop.db");
    let store = open_sqlite(&path, &shop(), OpenMode::Create).unwrap();
    let lease = lock(&store).await;
    let changes: Vec<Change> = (0..count).map(|n| Change::Put(resource(&format!("r{n:05}")))).collect();
    store.record(&lease, &changes).await.unwrap();
    store.release(lease).await.unwrap();
    path
}

#[tokio::test]
async fn what_is_not_there_is_missing_unless_it_may_be_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/shop.db");
    let error = open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(!path.parent().unwrap().exists(), "asking makes nothing");

    drop(open_sqlite(&path, &shop(), OpenMode::Create).unwrap());
    let staging = StackId::new("shop", Some("staging"));
    match open_sqlite(&path, &staging, OpenMode::MustExist).err() {
        Some(StoreError::NoSuchState { stack, found, .. }) => {
            assert_eq!((stack, found), (staging, vec![shop()]))
        }
        other => panic!("got {other:?}"),
    }
    let names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["shop.db"], "closed in order, nothing lies beside it");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_it_with_all_that_lies_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    let path = inner.join("shop.db");
    let store = open_sqlite(&path, &shop(), OpenMode::Create).unwrap();
    lock(&store).await;
    assert_eq!(mode(&inner), 0o700);
    for name in ["shop.db", "shop.db-wal", "shop.db-shm"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

#[test]
fn many_may_make_the_same_file_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let lineages: Vec<String> = std::thread::scope(|scope| {
        let open =
            || futures::executor::block_on(open_sqlite(&path, &shop(), OpenMode::Create).unwrap().head());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap().lineage).collect()
    });
    assert!(lineages.iter().all(|lineage| *lineage == lineages[0]), "one state came of it: {lineages:?}");
}

#[test]
fn an_empty_file_is_never_taken_for_nothing_exists() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    fs::write(&path, b"").unwrap();
    assert!(matches!(refuse(&path), StoreError::Empty { .. }));
}

#[test]
fn a_file_of_something_else_is_foreign() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "{ \"version\": 4, \"terraform_version\": \"1.11.4\" }".repeat(9)).unwrap();
    assert!(matches!(refuse(&text), StoreError::Foreign { .. }));

    let other = directory.path().join("other.db");
    let conn = rusqlite::Connection::open(&other).unwrap();
    conn.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    assert!(matches!(refuse(&other), StoreError::Foreign { .. }));
    conn.pragma_update(None, "application_id", 42).unwrap();
    let error = refuse(&other);
    assert!(error.to_string().contains("application 0x2a"), "{error}");
}

#[tokio::test]
async fn a_later_version_and_one_before_the_first_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 1).await;
    let set = |version: i64| {
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
    };
    set(99);
    assert!(matches!(refuse(&path), StoreError::Newer { found: 99, .. }));
    set(0);
    assert!(matches!(refuse(&path), StoreError::TooOld { found: 0, .. }));
}

/// The file as each schema version wrote it. A later version loads it too; never make one anew.
#[tokio::test]
async fn a_file_of_every_schema_version_loads() {
    for version in 1..=2 {
        a_file_loads(version).await;
    }
}

async fn a_file_loads(version: u32) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    fs::copy(samples.join(format!("state-v{version}.db")), &path).unwrap();
    let store = open(&path).unwrap();
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.head.serial, 2);
    let recorded: Vec<_> =
        snapshot.resources.iter().map(|r| (r.address.as_str(), r.deposed.as_str())).collect();
    assert_eq!(recorded, [("home/host.web1", ""), ("home/host.web1", "k1"), ("home/unit.web", "")]);
    assert_eq!(snapshot.resources[2].dependencies, ["home/host.web1"]);
    assert_eq!(snapshot.resources[2].payload, r#"{"outputs":{"port":80}}"#);
    assert_eq!(snapshot.open_intents.len(), 1);
    assert_eq!(snapshot.open_intents[0].intent.token, "standfast-0002");
    let run = store.run(store.runs(1).await.unwrap()[0].id).await.unwrap();
    assert_eq!(run.blueprint.as_deref(), Some("standfast: 1\nname: shop\n"));
    assert_eq!(run.journal[0].outcome, Some(Outcome::Done));
    assert_eq!(store.get_meta("digest_key").await.unwrap().as_deref(), Some("k"));
    let holder = store.holder().await.unwrap().unwrap();
    assert_eq!((holder.owner.as_str(), holder.run), ("ann", Some(run.record.id)));
    lock(&store).await; // its lease ran out long ago
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 2_000).await;
    let whole = fs::read(&path).unwrap();
    for length in [1, 16, 99, 100, 4_096, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refuse(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{length} bytes: {error}");
    }
}

/// SplitMix64: the same places every time.
fn places(count: u64, below: usize) -> impl Iterator<Item = (usize, u8)> {
    (1..=count).map(move |number| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        ((mixed % below as u64) as usize, (mixed >> 61) as u8)
    })
}

/// All that a plan and an apply go by: the records, what is in flight, the small values, the names of the runs.
async fn read(path: &Path) -> Result<(Export, Vec<OpenIntent>), StoreError> {
    // The mode that makes what is missing is the one that could begin anew where it must not.
    let store = open_sqlite(path, &shop(), OpenMode::Create)?;
    for key in ["digest_key", "probes"] {
        let value = store.get_or_insert_meta(key, "made anew").await?;
        assert_ne!(value, "made anew", "{key} was taken for missing");
    }
    let snapshot = store.snapshot().await?;
    let mut export = store.export().await?;
    assert_eq!(snapshot.resources, export.resources);
    // What is told of earlier runs has no checksum: docs/reliability.md.
    export.runs.clear();
    export.used_plans.clear();
    Ok((export, snapshot.open_intents))
}

#[tokio::test]
async fn a_flipped_bit_is_never_read_as_if_nothing_were_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 60).await;
    let store = open(&path).unwrap();
    let lease = lock(&store).await;
    let run = begin(&store, &lease).await;
    let intent = Intent {
        run,
        address: "r00001".into(),
        deposed: String::new(),
        action: "update".into(),
        token: "standfast-0001".into(),
        payload: "{}".into(),
    };
    store.intend(&lease, &intent).await.unwrap();
    for (key, value) in [("digest_key", "5eea1b20".repeat(8)), ("probes", "[1, 2]".repeat(99))] {
        store.put_meta(None, key, &value).await.unwrap();
    }
    store.release(lease).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let expected = read(&path).await.unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for (at, bit) in places(500, whole.len()) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        fs::write(&path, &flipped).unwrap();
        match read(&path).await {
            // Free space, or what this read does not use.
            Ok(found) => {
                assert_eq!(found, expected, "byte {at}, bit {bit}");
                harmless += 1;
            }
            Err(error) => {
                assert!(error.hint().is_some(), "byte {at}, bit {bit}: {error}");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 150, "only {refused} refused");
}

#[tokio::test]
async fn a_flipped_bit_in_a_record_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 60).await;
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(12).position(|window| window == b"id-of-r00007").unwrap();
    bytes[at + 11] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = open(&path).unwrap().snapshot().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("the record of r00007 does not match its checksum"), "{error}");
}

#[test]
fn a_place_that_cannot_hold_a_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path()).err().unwrap();
    assert!(
        matches!(&error, StoreError::CannotOpen { reason, .. } if reason == "it is a directory"),
        "{error}"
    );

    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = open_sqlite(file.join("shop.db"), &shop(), OpenMode::Create).err().unwrap();
    assert!(matches!(error, StoreError::CannotOpen { .. } | StoreError::Io { .. }), "{error}");
}

/// `/sys` takes new files from nobody, root included.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_takes_no_files_is_read_only() {
    let error = open_sqlite("/sys/kernel/shop.db", &shop(), OpenMode::Create).err().unwrap();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert!(
        error.to_string().starts_with("could not make the state: the state sqlite:/sys/kernel"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_taken_away_takes_no_more_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 1).await;
    let store = open(&path).unwrap();
    let lease = lock(&store).await;
    fs::rename(&path, directory.path().join("elsewhere.db")).unwrap();
    let error = store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap_err();
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    fs::rename(directory.path().join("elsewhere.db"), &path).unwrap();
    store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();
}

/// The copies beside the file, oldest first.
fn backups(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory.join("shop.backup"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

async fn begin(store: &SqliteStore, lease: &Lease) -> standfast_state::RunId {
    let start = standfast_state::RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "here".into(),
        blueprint: None,
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    };
    store.begin_run(lease, &start).await.unwrap()
}

#[tokio::test]
async fn each_run_begins_with_a_copy_and_the_last_ten_serials_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 3).await;
    let store = open(&path).unwrap();
    let lease = lock(&store).await;
    for number in 0..14 {
        begin(&store, &lease).await;
        begin(&store, &lease).await; // the same serial again needs no other copy
        store.record(&lease, &[Change::Put(resource(&format!("n{number}")))]).await.unwrap();
    }
    let kept = backups(directory.path());
    assert_eq!(kept.len(), 10);
    let serials: Vec<u64> = kept
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().rsplit('.').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(serials, (5..=14).collect::<Vec<u64>>());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.path().join("shop.backup")), 0o700);
        assert!(kept.iter().all(|path| mode(path) == 0o600));
    }
    let copy = open_sqlite(&kept[9], &shop(), OpenMode::ReadOnly).unwrap();
    let snapshot = copy.snapshot().await.unwrap();
    assert_eq!((snapshot.head.serial, snapshot.resources.len()), (14, 16));
}

#[tokio::test]
async fn a_damaged_file_names_its_newest_good_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 60).await;
    let store = open(&path).unwrap();
    let lease = lock(&store).await;
    begin(&store, &lease).await;
    store.record(&lease, &[Change::Put(resource("later"))]).await.unwrap();
    begin(&store, &lease).await;
    drop(store);
    let copies = backups(directory.path());
    assert_eq!(copies.len(), 2);
    // The newest is no good.
    fs::write(&copies[1], b"SQLite format 3\0 and then nothing of use").unwrap();
    fs::write(&path, &fs::read(&path).unwrap()[..9_000]).unwrap();
    let error = open(&path).err().unwrap();
    match &error {
        StoreError::Damaged { backup, .. } => {
            assert_eq!(backup.as_deref(), copies[0].to_str(), "{error}");
        }
        other => panic!("{other}"),
    }
    assert!(error.hint().unwrap().contains("standfast state push --force"));
    let aside = standfast_state::set_aside_sqlite(&path).unwrap();
    assert!(!path.exists() && aside.exists());
    match open_sqlite(&path, &shop(), OpenMode::Create).err() {
        Some(StoreError::Lost { backup, .. }) => assert_eq!(backup.as_deref(), copies[0].to_str()),
        other => panic!("{other:?}"),
    }
    drop(open_sqlite(&path, &shop(), OpenMode::Anew).unwrap());
    fs::write(&path, b"").unwrap();
    assert_ne!(standfast_state::set_aside_sqlite(&path).unwrap(), aside, "none is written over");
}

#[tokio::test]
async fn a_read_only_look_changes_nothing_and_sees_what_is_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path(), 3).await;
    let missing = open_sqlite(directory.path().join("no.db"), &shop(), OpenMode::ReadOnly).err();
    assert!(matches!(missing, Some(StoreError::Missing { .. })), "{missing:?}");
    let before = fs::read(&path).unwrap();
    let look = open_sqlite(&path, &shop(), OpenMode::ReadOnly).unwrap();
    assert_eq!(look.snapshot().await.unwrap().resources.len(), 3);
    let written = look.put_meta(None, "key", "value").await;
    assert!(matches!(written, Err(StoreError::ReadOnly { .. })), "{written:?}");
    let store = open(&path).unwrap();
    let lease = lock(&store).await;
    store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();
    assert_eq!(look.snapshot().await.unwrap().resources.len(), 4);
    drop(look);
    assert_eq!(fs::read(&path).unwrap(), before, "the file itself is as it was");
}
