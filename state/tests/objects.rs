//! The store on objects, in memory: the suite, every fault at every write, damage, stalled writers, what is swept away.

#![cfg(feature = "objects")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use standfast_state::conformance::work::{assert_whole, begin, claimant, create, record};
use standfast_state::conformance::{self, sealing::Key};
use standfast_state::object::memory::{Fault, MemoryObjects, Strikes};
use standfast_state::object::{ObjectStore, open_objects, open_snapshot};
use standfast_state::{Change, OpenMode, StackId, Store, StoreError};

fn environment(name: &str) -> StackId {
    StackId::new("shop", Some(name))
}

async fn open(objects: &MemoryObjects, stack: &StackId) -> ObjectStore {
    open_objects(Arc::new(objects.clone()), stack, OpenMode::Create).await.unwrap()
}

async fn conform(objects: MemoryObjects) -> usize {
    conformance::run(move |stack: StackId| {
        let objects = objects.clone();
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(open(&objects, &stack).await);
            store
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    assert!(conform(MemoryObjects::default()).await >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_sealed() {
    let (objects, key) = (MemoryObjects::default(), Arc::new(Key::default()));
    let cases = conformance::run(move |stack: StackId| {
        let (objects, key) = (objects.clone(), Arc::clone(&key));
        Box::pin(async move { key.open(Arc::new(open(&objects, &stack).await)).await })
    })
    .await;
    assert!(cases >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_under_every_fault() {
    let mut running = Vec::new();
    for (fault, strikes) in [
        (Fault::Throttled, Strikes::EveryNth(5)),
        (Fault::LostBefore, Strikes::EveryNth(5)),
        (Fault::LostAfter, Strikes::EveryNth(5)),
        (Fault::LostAfter, Strikes::EveryNthWrite(2)),
    ] {
        running.push(tokio::spawn(async move {
            let objects = MemoryObjects::default();
            objects.strike(Some((fault, strikes)));
            conform(objects.clone()).await;
            assert!(objects.struck() > 50, "{fault:?} {strikes:?} struck only {}", objects.struck());
        }));
    }
    for one in running {
        one.await.unwrap();
    }
}

/// Every write of a run fails once, in every way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fault_at_any_write_loses_nothing_and_doubles_nothing() {
    let objects = MemoryObjects::default();
    let mut faults = 0;
    for fault in [Fault::Throttled, Fault::LostBefore, Fault::LostAfter] {
        for at in 1.. {
            let store = open(&objects, &environment(&format!("{fault:?}-{at}"))).await;
            objects.strike(Some((fault, Strikes::Write(at))));
            let (lease, run) = begin(&store).await;
            assert_eq!(lease.token, 1, "taken once");
            create(&store, &lease, run, 6, 2).await;
            store.end_run(&lease, run, "done", "created 6").await.unwrap();
            store.release(lease).await.unwrap();
            if objects.struck() == 0 {
                break;
            }
            faults += 1;
            objects.strike(None);
            assert_whole(&store, 6).await;
            assert_eq!(store.holder().await.unwrap(), None);
        }
    }
    println!("{faults} faults");
    assert!(faults >= 30, "only {faults} faults");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_make_the_same_state_at_once() {
    let objects = MemoryObjects::default();
    let opened = (0..8).map(|_| {
        let objects = objects.clone();
        tokio::spawn(async move { open(&objects, &environment("one")).await.head().await.unwrap().lineage })
    });
    let mut lineages = Vec::new();
    for one in opened.collect::<Vec<_>>() {
        lineages.push(one.await.unwrap());
    }
    lineages.dedup();
    assert_eq!(lineages.len(), 1, "one state came of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_together_is_written_together() {
    let objects = MemoryObjects::default().with_latency(Duration::from_millis(1));
    let store = open(&objects, &environment("x")).await;
    let (lease, run) = begin(&store).await;
    objects.strike(None);
    create(&store, &lease, run, 320, 16).await;
    // 640 operations by sixteen at a time.
    assert!(objects.calls() < 140, "{} calls", objects.calls());
    assert_whole(&store, 320).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_without_the_state_says_what_it_has() {
    let objects = MemoryObjects::default();
    let refused = |mode| {
        let objects = Arc::new(objects.clone());
        async move { open_objects(objects, &environment("a/b \u{fc}"), mode).await.err().unwrap() }
    };
    assert!(matches!(refused(OpenMode::MustExist).await, StoreError::Missing { .. }));
    open(&objects, &environment("staging")).await;
    open(&objects, &environment("a/b")).await;
    match refused(OpenMode::ReadOnly).await {
        StoreError::NoSuchState { found, .. } => {
            assert_eq!(found, [environment("a/b"), environment("staging")]);
        }
        other => panic!("{other}"),
    }
    let odd = environment("a/b \u{fc}");
    open(&objects, &odd).await;
    let store = open_objects(Arc::new(objects.clone()), &odd, OpenMode::ReadOnly).await.unwrap();
    let error = store.lock(&claimant("ann")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

/// A state of one run, and one more change that no snapshot has yet.
async fn small(objects: &MemoryObjects) -> (ObjectStore, String) {
    let store = open(objects, &environment("x")).await;
    let (lease, run) = begin(&store).await;
    create(&store, &lease, run, 3, 1).await;
    store.end_run(&lease, run, "done", "").await.unwrap();
    store.record(&lease, &[Change::Put(record(9))]).await.unwrap();
    store.release(lease).await.unwrap();
    let newest = objects.keys().into_iter().rfind(|key| key.contains("/log/")).unwrap();
    (store, newest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_refused_with_the_objects_name_and_a_gap_is_damage() {
    let objects = MemoryObjects::default();
    let (_, newest) = small(&objects).await;
    let stack = environment("x");
    let reopened = || async { open_objects(Arc::new(objects.clone()), &stack, OpenMode::Create).await };
    reopened().await.unwrap();
    let before_newest = {
        let keys = objects.keys();
        keys[keys.iter().position(|key| *key == newest).unwrap() - 1].clone()
    };
    let snapshot = objects.keys().into_iter().find(|key| key.contains("/snapshot/")).unwrap();
    let latest = "shop/x/latest.jsonl".to_owned();
    for object in [&newest, &before_newest, &snapshot, &latest] {
        let whole = objects.bytes(object).unwrap();
        let mut flipped = whole.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 4;
        for bytes in [Some(flipped.into()), Some(whole.slice(..middle)), Some(bytes::Bytes::new())] {
            objects.meddle(object, bytes);
            match reopened().await.err().unwrap() {
                error @ StoreError::DamagedObject { .. } => {
                    assert!(error.to_string().contains(object.as_str()), "{error}");
                    assert!(error.hint().unwrap().contains("snapshot=NUMBER"));
                }
                other => panic!("{object}: {other}"),
            }
        }
        objects.meddle(object, Some(whole));
        reopened().await.unwrap();
    }
    for object in [&before_newest, &snapshot] {
        let whole = objects.bytes(object).unwrap();
        objects.meddle(object, None);
        let error = reopened().await.err().unwrap();
        assert!(matches!(error, StoreError::DamagedObject { .. }), "{object} is missing: {error}");
        assert!(error.to_string().contains(object.as_str()), "{error}");
        assert!(error.to_string().contains("it is not there"), "{error}");
        objects.meddle(object, Some(whole));
    }
    objects.meddle(&newest, Some(bytes::Bytes::from_static(b"{\"standfast\":2}\n{}\n")));
    let error = reopened().await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
    // What is left of a state is never taken for none.
    for key in objects.keys().into_iter().filter(|key| key.contains("/log/") || *key == latest) {
        objects.meddle(&key, None);
    }
    let error = reopened().await.err().unwrap();
    assert!(matches!(error, StoreError::DamagedObject { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_looked_at_and_restored_elsewhere() {
    let objects = MemoryObjects::default();
    let (store, _) = small(&objects).await;
    let snapshot = objects.keys().into_iter().find(|key| key.contains("/snapshot/")).unwrap();
    let number = snapshot.rsplit('/').next().unwrap().split('.').next().unwrap().parse().unwrap();
    let old = open_snapshot(Arc::new(objects.clone()), &environment("x"), number).await.unwrap();
    let export = old.export().await.unwrap();
    assert_eq!((export.resources.len(), store.snapshot().await.unwrap().resources.len()), (3, 4));
    assert_eq!((export.runs.len(), export.runs[0].journal.len()), (1, 3), "with its history");
    let error = old.lock(&claimant("ann")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let target = open(&MemoryObjects::default(), &environment("x")).await;
    let lease = target.lock(&claimant("ann")).await.unwrap();
    target.import(&lease, &export).await.unwrap();
    assert_eq!(standfast_state::same(&target.export().await.unwrap(), &export), None);
}

/// Ends a run of one change, so that there is one more snapshot.
async fn one_run(objects: &MemoryObjects, number: usize) {
    let store = open(objects, &environment("x")).await;
    let (lease, run) = begin(&store).await;
    store.record(&lease, &[Change::Put(record(number))]).await.unwrap();
    store.end_run(&lease, run, "done", "").await.unwrap();
    store.release(lease).await.unwrap();
}

/// What was replaced is nowhere any more, and whoever was taken over before that still cannot write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_state_has_nothing_of_what_was_replaced_and_keeps_its_fence() {
    let objects = MemoryObjects::default();
    let stalled = open(&objects, &environment("x")).await;
    let (lost, run) = begin(&stalled).await;
    stalled.break_lock().await.unwrap();
    let (store, _) = small(&objects).await;
    let export = store.export().await.unwrap();
    let lease = store.lock(&claimant("ann")).await.unwrap();
    let mut new = export.clone();
    new.resources.truncate(1);
    new.runs.clear();
    store.import(&lease, &new).await.unwrap();
    store.wipe().await.unwrap();
    store.release(lease).await.unwrap();

    let fresh = open(&objects, &environment("x")).await;
    assert_eq!(standfast_state::same(&fresh.export().await.unwrap(), &new), None);
    assert_eq!(
        (count(&objects, "/snapshot/"), count(&objects, "/runs/"), count(&objects, "/blueprints/")),
        (1, 0, 0)
    );
    for key in objects.keys().into_iter().filter(|key| key.contains("/log/")) {
        let text = String::from_utf8_lossy(&objects.bytes(&key).unwrap()).into_owned();
        assert!(!text.contains("home/unit"), "{key}: {text}");
    }
    let late = stalled.end_run(&lost, run, "done", "").await;
    assert!(matches!(late, Err(StoreError::DamagedObject { .. })), "got {late:?}");
    assert_eq!(standfast_state::same(&fresh.export().await.unwrap(), &new), None);
}

fn count(objects: &MemoryObjects, folder: &str) -> usize {
    objects.keys().iter().filter(|key| key.contains(folder)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_objects_are_swept_after_a_day_and_a_stalled_writer_is_not_fooled() {
    let objects = MemoryObjects::default();
    let stalled = open(&objects, &environment("x")).await;
    let (lease, run) = begin(&stalled).await;
    stalled.break_lock().await.unwrap();
    for number in 0..15 {
        one_run(&objects, number).await;
    }
    assert_eq!(count(&objects, "/snapshot/"), 10);
    let log = count(&objects, "/log/");
    assert!(log >= 75, "everything is younger than a day: {log}");
    objects.pass(Duration::from_secs(25 * 3_600));
    one_run(&objects, 15).await;
    let swept = count(&objects, "/log/");
    assert!(swept < log - 20, "{swept} of {log}");
    assert!(!objects.keys().contains(&"shop/x/log/00000000000000000004.jsonl".to_owned()));
    // Where its next object would go, there is none any more.
    let late = stalled.end_run(&lease, run, "done", "").await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "got {late:?}");
    assert_eq!(stalled.snapshot().await.unwrap().resources.len(), 16);
    let fresh = open(&objects, &environment("x")).await;
    let runs = fresh.runs(99).await.unwrap();
    assert_eq!(runs.len(), 17);
    assert_eq!(fresh.export().await.unwrap().runs.len(), 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_runs_journal_is_written_once_and_not_with_every_snapshot() {
    let objects = MemoryObjects::default();
    let store = open(&objects, &environment("x")).await;
    let (lease, run) = begin(&store).await;
    create(&store, &lease, run, 200, 16).await;
    store.end_run(&lease, run, "done", "created 200").await.unwrap();
    let id = store.snapshot().await.unwrap().head;
    store.release(lease).await.unwrap();
    one_run(&objects, 0).await;
    assert_eq!(count(&objects, "/runs/"), 2);
    assert_eq!(count(&objects, "/blueprints/"), 1, "the same text");
    let newest = objects.keys().into_iter().rfind(|key| key.contains("/snapshot/")).unwrap();
    let text = zstd::decode_all(objects.bytes(&newest).unwrap().as_ref()).unwrap();
    assert!(!String::from_utf8(text).unwrap().contains("token-7"), "no journal");
    let fresh = open(&objects, &environment("x")).await;
    let detail = fresh.run(run).await.unwrap();
    assert_eq!((detail.journal.len(), detail.blueprint.as_deref()), (200, Some("name: shop")));
    let lease = fresh.lock(&claimant("ann")).await.unwrap();
    let settled = fresh.settle(&lease, detail.journal[3].id, &standfast_state::Outcome::Done, &[]).await;
    match settled {
        Err(StoreError::AlreadySettled { outcome, serial, .. }) => {
            assert_eq!((outcome.as_str(), Some(serial)), ("done", detail.journal[3].serial));
        }
        other => panic!("got {other:?}"),
    }
    assert_eq!(id.lineage, fresh.head().await.unwrap().lineage);
}
