//! The lock: who gets it, how it ends, and that whoever lost it cannot write.

use std::time::{Duration, Instant};

use super::{Bench, begin, claimant, intent, resource, start};
use crate::error::StoreError;
use crate::journal::{IntentId, Outcome};
use crate::lock::Lease;
use crate::record::Change;
use crate::store::Store;

pub(super) async fn one_of_two_claimants_gets_the_lock(bench: Bench) {
    let (first, second) = (bench.open().await, bench.open().await);
    assert_eq!(first.holder().await.unwrap(), None);
    let (_, run) = begin(&first).await;
    match second.lock(&claimant("bob", 60_000)).await {
        Err(StoreError::Locked { holder, .. }) => {
            assert_eq!((holder.owner.as_str(), holder.command.as_str()), ("ann", "apply"));
            assert_eq!((holder.host.as_str(), holder.run), ("elsewhere", Some(run)));
            assert_eq!(holder.expires.as_millisecond() - holder.heartbeat.as_millisecond(), 60_000);
        }
        other => panic!("got {other:?}"),
    }
    assert_eq!(second.holder().await.unwrap().unwrap().owner, "ann");
}

pub(super) async fn many_claimants_at_once_make_one_holder(bench: Bench) {
    let mut claims = Vec::new();
    for number in 0..10 {
        let store = bench.open().await;
        claims.push(tokio::spawn(async move { store.lock(&claimant(&format!("c{number}"), 60_000)).await }));
    }
    let mut granted = 0;
    for claim in claims {
        match claim.await.unwrap() {
            Ok(_) => granted += 1,
            Err(StoreError::Locked { .. }) => {}
            Err(other) => panic!("got {other:?}"),
        }
    }
    assert_eq!(granted, 1);
}

pub(super) async fn a_released_lock_is_free(bench: Bench) {
    let store = bench.open().await;
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.release(lease.clone()).await.unwrap();
    assert_eq!(store.holder().await.unwrap(), None);
    let again = store.release(lease).await;
    assert!(matches!(again, Err(StoreError::LeaseLost { holder: None, .. })), "got {again:?}");
    store.lock(&claimant("bob", 60_000)).await.unwrap();
}

/// The longest that a lease of 1,500 ms is taken for one that has surely not run out.
const SURELY_HELD: Duration = Duration::from_millis(1_400);
/// How often a machine may be too slow for a case that must be done in time.
const TOO_SLOW_MAX: usize = 5;

/// Keeps a lease of 1,500 ms for longer than it lasts, and sees that nobody else gets it. `None` when a renewal came so late
/// that it had run out, which proves nothing.
async fn kept_by_renewals(first: &dyn Store, second: &dyn Store) -> Option<Lease> {
    let lease = first.lock(&claimant("ann", 1_500)).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let renews = Instant::now();
        first.renew(&lease).await.unwrap();
        match second.lock(&claimant("bob", 1_500)).await {
            Err(StoreError::Locked { .. }) => {}
            Ok(granted) if renews.elapsed() > SURELY_HELD => {
                second.release(granted).await.unwrap();
                return None;
            }
            other => panic!("got {other:?}"),
        }
    }
    Some(lease)
}

pub(super) async fn a_lease_runs_out_and_a_renewed_one_does_not(bench: Bench) {
    let (first, second) = (bench.open().await, bench.open().await);
    let mut kept = None;
    for _ in 0..TOO_SLOW_MAX {
        kept = kept_by_renewals(&*first, &*second).await;
        if kept.is_some() {
            break;
        }
    }
    let lease = kept.expect("a machine that is not too slow each time");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    first.renew(&lease).await.expect("run out, but nobody took it");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    second.lock(&claimant("bob", 60_000)).await.unwrap();
    let late = first.renew(&lease).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { holder: Some(_), .. })), "got {late:?}");
}

pub(super) async fn the_former_holder_cannot_write_anything(bench: Bench) {
    let (stalled, other) = (bench.open().await, bench.open().await);
    let lease = stalled.lock(&claimant("ann", 50)).await.unwrap();
    let run = stalled.begin_run(&lease, &start()).await.unwrap();
    let open = stalled.intend(&lease, &intent(run, "a")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.lock(&claimant("bob", 60_000)).await.unwrap();
    nothing_is_written(&*stalled, &lease, run, open).await;
    let holder = other.holder().await.unwrap().unwrap();
    assert_eq!(holder.owner, "bob", "the former holder's release takes nothing away");
}

pub(super) async fn a_broken_lock_fences_its_holder(bench: Bench) {
    let (held, other) = (bench.open().await, bench.open().await);
    let (lease, run) = begin(&held).await;
    let open = held.intend(&lease, &intent(run, "a")).await.unwrap();
    assert_eq!(other.break_lock().await.unwrap().unwrap().run, Some(run));
    assert_eq!(other.break_lock().await.unwrap(), None);
    nothing_is_written(&*held, &lease, run, open).await;
}

/// Tries every write that takes a lease, and sees that none left anything.
async fn nothing_is_written(store: &dyn Store, lease: &Lease, run: crate::RunId, open: IntentId) {
    let before = store.export().await.unwrap();
    let put = [Change::Put(resource("late"))];
    let attempts = [
        store.intend(lease, &intent(run, "late")).await.map(drop),
        store.settle(lease, open, &Outcome::Done, &put).await.map(drop),
        store.record(lease, &put).await.map(drop),
        store.begin_run(lease, &start()).await.map(drop),
        store.end_run(lease, run, "done", "late").await,
        store.consume_plan(lease, "late").await,
        store.put_meta(Some(lease), "late", "late").await,
        store.import(lease, &before).await,
        store.renew(lease).await,
        store.release(lease.clone()).await,
    ];
    for (number, attempt) in attempts.into_iter().enumerate() {
        assert!(matches!(attempt, Err(StoreError::LeaseLost { .. })), "attempt {number} got {attempt:?}");
    }
    assert_eq!(store.export().await.unwrap(), before);
}

pub(super) async fn tokens_grow_over_every_way_a_lock_can_end(bench: Bench) {
    let store = bench.open().await;
    let first = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.release(first.clone()).await.unwrap();
    let second = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.break_lock().await.unwrap();
    let third = store.lock(&claimant("ann", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let fourth = store.lock(&claimant("ann", 60_000)).await.unwrap();
    let tokens = [first.token, second.token, third.token, fourth.token];
    assert!(tokens.is_sorted_by(|a, b| a < b), "got {tokens:?}");
}

pub(super) async fn environments_lock_apart(bench: Bench) {
    let (production, staging) = (bench.open().await, bench.open_environment("staging").await);
    begin(&production).await;
    begin(&staging).await;
    production.break_lock().await.unwrap();
    assert!(staging.holder().await.unwrap().is_some());
}
