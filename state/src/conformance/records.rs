//! Records, their serial, and the small values beside them.

use super::{Bench, begin, claimant, resource};
use crate::error::StoreError;
use crate::record::{Change, ResourceRecord};

pub(super) async fn a_new_state_is_empty_with_a_lineage(bench: Bench) {
    let store = bench.open().await;
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!((snapshot.head.serial, snapshot.resources.len(), snapshot.open_intents.len()), (0, 0, 0));
    assert_eq!(snapshot.head.lineage.len(), 36, "a UUID");
    let again = bench.open().await;
    assert_eq!(again.head().await.unwrap(), snapshot.head, "made once");
    let staging = bench.open_environment("staging").await;
    assert_ne!(staging.head().await.unwrap().lineage, snapshot.head.lineage);
}

pub(super) async fn records_come_back_as_they_were(bench: Bench) {
    let store = bench.open().await;
    let (lease, _) = begin(&store).await;
    let empty = ResourceRecord { dependencies: Vec::new(), payload: String::new(), ..resource("b") };
    let large = ResourceRecord { payload: "\u{1f980}\0'\"".repeat(50_000), ..resource("a") };
    let old = ResourceRecord { deposed: "k1".to_owned(), ..resource("a") };
    let put: Vec<Change> = [&empty, &old, &large].map(|record| Change::Put(record.clone())).into();
    store.record(&lease, &put).await.unwrap();
    let found = bench.open().await.snapshot().await.unwrap();
    assert_eq!(found.resources, [large, old, empty.clone()], "by address, current before deposed");

    let changed = ResourceRecord { id: "i-2".to_owned(), dependencies: vec!["a".to_owned()], ..empty };
    store.record(&lease, &[Change::Put(changed.clone())]).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().resources[2], changed);
}

pub(super) async fn the_serial_counts_committed_changes_only(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    assert_eq!(store.record(&lease, &[]).await.unwrap(), 0);
    let both = [Change::Put(resource("a")), Change::Put(resource("b"))];
    assert_eq!(store.record(&lease, &both).await.unwrap(), 1);
    let gone = Change::Remove { address: "a".to_owned(), deposed: String::new() };
    assert_eq!(store.record(&lease, std::slice::from_ref(&gone)).await.unwrap(), 2);
    assert_eq!(store.record(&lease, &[gone]).await.unwrap(), 3, "a removal may be repeated");
    store.renew(&lease).await.unwrap();
    store.put_meta(Some(&lease), "key", "value").await.unwrap();
    store.end_run(&lease, run, "done", "").await.unwrap();
    store.release(lease).await.unwrap();
    assert_eq!(store.head().await.unwrap().serial, 3);
}

pub(super) async fn a_change_that_does_not_fit_undoes_the_whole_write(bench: Bench) {
    let store = bench.open().await;
    let (lease, _) = begin(&store).await;
    store.record(&lease, &[Change::Put(resource("a")), Change::Put(resource("b"))]).await.unwrap();
    let before = store.snapshot().await.unwrap();
    let (a, b, c) = ("a".to_owned(), "b".to_owned(), "c".to_owned());
    for wrong in [
        Change::Move { from: a.clone(), to: b.clone() },
        Change::Move { from: c.clone(), to: "d".to_owned() },
        Change::Depose { address: c.clone(), deposed: "k1".to_owned() },
        Change::Depose { address: a.clone(), deposed: String::new() },
    ] {
        let changes = [
            Change::Put(ResourceRecord { id: "i-9".to_owned(), ..resource("a") }),
            Change::Remove { address: b.clone(), deposed: String::new() },
            Change::Put(resource("b")),
            wrong.clone(),
        ];
        let refused = store.record(&lease, &changes).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{wrong:?} got {refused:?}");
        assert_eq!(store.snapshot().await.unwrap(), before, "{wrong:?} left something");
    }
}

pub(super) async fn a_rename_takes_copies_and_dependants_along(bench: Bench) {
    let store = bench.open().await;
    let (lease, _) = begin(&store).await;
    let odd = "home/\"web\"[0]";
    let depends = |address: &str, on: &[&str]| ResourceRecord {
        dependencies: on.iter().map(|on| (*on).to_owned()).collect(),
        ..resource(address)
    };
    let old_copy = ResourceRecord { deposed: "k1".to_owned(), ..depends(odd, &["net"]) };
    let records = [
        depends(odd, &["net"]),
        old_copy,
        depends("lb", &["net", odd]),
        depends("other", &["home/\"web\"[0]x"]),
    ];
    store.record(&lease, &records.map(Change::Put)).await.unwrap();
    let rename = Change::Move { from: odd.to_owned(), to: "home/app".to_owned() };
    store.record(&lease, &[rename]).await.unwrap();
    let found = store.snapshot().await.unwrap().resources;
    let addresses: Vec<_> = found.iter().map(|r| (r.address.as_str(), r.deposed.as_str())).collect();
    assert_eq!(addresses, [("home/app", ""), ("home/app", "k1"), ("lb", ""), ("other", "")]);
    assert_eq!(found[2].dependencies, ["net", "home/app"]);
    assert_eq!(found[3].dependencies, ["home/\"web\"[0]x"], "only whole addresses are renamed");
}

pub(super) async fn a_deposed_copy_lives_beside_its_successor(bench: Bench) {
    let store = bench.open().await;
    let (lease, _) = begin(&store).await;
    store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();
    let depose = Change::Depose { address: "a".to_owned(), deposed: "k1".to_owned() };
    let successor = ResourceRecord { id: "i-new".to_owned(), ..resource("a") };
    store.record(&lease, &[depose.clone(), Change::Put(successor.clone())]).await.unwrap();
    let old = ResourceRecord { deposed: "k1".to_owned(), ..resource("a") };
    assert_eq!(store.snapshot().await.unwrap().resources, [successor.clone(), old.clone()]);
    store.record(&lease, &[Change::Put(resource("aa"))]).await.unwrap();
    assert_eq!(store.objects("a").await.unwrap(), [successor.clone(), old]);
    assert_eq!(store.objects("b").await.unwrap(), []);
    let aa = Change::Remove { address: "aa".to_owned(), deposed: String::new() };
    store.record(&lease, &[aa]).await.unwrap();
    let taken = store.record(&lease, &[depose]).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "got {taken:?}");
    let gone = Change::Remove { address: "a".to_owned(), deposed: "k1".to_owned() };
    store.record(&lease, &[gone]).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().resources, [successor]);
}

pub(super) async fn states_in_one_store_do_not_mix(bench: Bench) {
    let (production, staging) = (bench.open().await, bench.open_environment("staging").await);
    let (lease, run) = begin(&production).await;
    let open = production.intend(&lease, &super::intent(run, "a")).await.unwrap();
    production.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();
    production.put_meta(None, "key", "p").await.unwrap();
    production.consume_plan(&lease, "plan-1").await.unwrap();

    let (other, _) = begin(&staging).await;
    let snapshot = staging.snapshot().await.unwrap();
    assert_eq!((snapshot.head.serial, snapshot.resources.len(), snapshot.open_intents.len()), (0, 0, 0));
    assert_eq!(staging.get_meta("key").await.unwrap(), None);
    staging.consume_plan(&other, "plan-1").await.unwrap();
    let foreign = staging.settle(&other, open, &crate::Outcome::Done, &[]).await;
    assert!(matches!(foreign, Err(StoreError::NoSuchIntent { .. })), "got {foreign:?}");
    assert_eq!(staging.runs(9).await.unwrap().len(), 1);
}

pub(super) async fn a_value_is_inserted_once(bench: Bench) {
    let mut inserts = Vec::new();
    for number in 0..16 {
        let store = bench.open().await;
        inserts.push(tokio::spawn(async move {
            store.get_or_insert_meta("digest_key", &format!("key-{number}")).await.unwrap()
        }));
    }
    let mut values = Vec::new();
    for insert in inserts {
        values.push(insert.await.unwrap());
    }
    values.dedup();
    assert_eq!(values.len(), 1, "all get the same value");
    assert_eq!(bench.open().await.get_meta("digest_key").await.unwrap(), values.pop());
}

pub(super) async fn a_value_may_depend_on_the_lease(bench: Bench) {
    let store = bench.open().await;
    assert_eq!(store.get_meta("key").await.unwrap(), None);
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.put_meta(Some(&lease), "key", "one").await.unwrap();
    store.put_meta(None, "key", "two").await.unwrap();
    store.break_lock().await.unwrap();
    let late = store.put_meta(Some(&lease), "key", "three").await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "got {late:?}");
    assert_eq!(store.get_meta("key").await.unwrap().as_deref(), Some("two"));
}
