//! The journal: intent before effect, outcome and record together, nothing half-written.

use futures::future::join_all;

use super::{Bench, begin, claimant, intent, resource, start};
use crate::error::StoreError;
use crate::journal::{IntentId, Outcome};
use crate::record::Change;

pub(super) async fn an_intent_is_open_until_it_is_settled(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let done = store.intend(&lease, &intent(run, "a")).await.unwrap();
    let failed = store.intend(&lease, &intent(run, "b")).await.unwrap();
    let open = bench.open().await.snapshot().await.unwrap().open_intents;
    assert_eq!(open.iter().map(|open| open.id).collect::<Vec<_>>(), [done, failed], "oldest first");
    assert_eq!(open[0].intent, intent(run, "a"));
    assert!(!open[0].answer_lost);

    let serial = store.settle(&lease, done, &Outcome::Done, &[Change::Put(resource("a"))]).await.unwrap();
    assert_eq!(serial, 1);
    let message = "no space\nleft \"there\"".to_owned();
    let outcome = Outcome::Failed { message };
    assert_eq!(store.settle(&lease, failed, &outcome, &[]).await.unwrap(), 1, "no change, no new serial");
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!((snapshot.open_intents.len(), snapshot.resources), (0, vec![resource("a")]));
    let journal = store.run(run).await.unwrap().journal;
    assert_eq!((&journal[0].outcome, journal[0].serial), (&Some(Outcome::Done), Some(1)));
    assert_eq!((&journal[1].outcome, journal[1].serial), (&Some(outcome), Some(1)));
}

pub(super) async fn an_unknown_outcome_stays_open_for_the_next_run(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let lost = store.intend(&lease, &intent(run, "a")).await.unwrap();
    store.settle(&lease, lost, &Outcome::Unknown, &[]).await.unwrap();
    store.release(lease).await.unwrap();

    let (lease, _) = begin(&store).await;
    let open = store.snapshot().await.unwrap().open_intents;
    assert_eq!((open.len(), open[0].id, open[0].answer_lost), (1, lost, true));
    store.settle(&lease, lost, &Outcome::Done, &[Change::Put(resource("a"))]).await.unwrap();
    assert!(store.snapshot().await.unwrap().open_intents.is_empty());
    assert_eq!(store.run(run).await.unwrap().journal[0].outcome, Some(Outcome::Done));
}

pub(super) async fn what_a_dead_run_left_open_is_found_and_settled(bench: Bench) {
    let store = bench.open().await;
    let lease = store.lock(&claimant("ann", 1)).await.unwrap();
    let dead = store.begin_run(&lease, &start()).await.unwrap();
    let left = store.intend(&lease, &intent(dead, "a")).await.unwrap();
    drop(store);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;

    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let open = store.snapshot().await.unwrap().open_intents;
    assert_eq!((open.len(), open[0].id), (1, left));
    assert_eq!(open[0].intent, intent(dead, "a"), "with the token to look for");
    store.settle(&lease, left, &Outcome::Done, &[Change::Put(resource("a"))]).await.unwrap();
    store.end_run(&lease, run, "done", "").await.unwrap();
    assert_eq!(store.run(dead).await.unwrap().journal.len(), 1, "it stays with the run that wrote it");
    assert_eq!(store.run(run).await.unwrap().journal, []);
}

pub(super) async fn an_intent_is_settled_once(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let id = store.intend(&lease, &intent(run, "a")).await.unwrap();
    store.settle(&lease, id, &Outcome::Done, &[Change::Put(resource("a"))]).await.unwrap();
    let again = store.settle(&lease, id, &Outcome::Done, &[Change::Put(resource("b"))]).await;
    match again {
        Err(StoreError::AlreadySettled { intent, outcome, serial }) => {
            assert_eq!((intent, outcome.as_str(), serial), (id, "done", 1));
        }
        other => panic!("got {other:?}"),
    }
    let missing = store.settle(&lease, IntentId(u64::MAX >> 2), &Outcome::Done, &[]).await;
    assert!(matches!(missing, Err(StoreError::NoSuchIntent { .. })), "got {missing:?}");
    assert_eq!(store.snapshot().await.unwrap().resources, [resource("a")]);
}

pub(super) async fn an_outcome_and_its_changes_stand_or_fall_together(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let id = store.intend(&lease, &intent(run, "a")).await.unwrap();
    let before = store.snapshot().await.unwrap();
    let depose = Change::Depose { address: "nowhere".to_owned(), deposed: "k".to_owned() };
    let refused = store.settle(&lease, id, &Outcome::Done, &[Change::Put(resource("a")), depose]).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "got {refused:?}");
    assert_eq!(store.snapshot().await.unwrap(), before, "still open, nothing recorded");
}

pub(super) async fn only_the_run_under_the_lock_writes_intents(bench: Bench) {
    let store = bench.open().await;
    let (lease, first) = begin(&store).await;
    store.release(lease).await.unwrap();
    let lease = store.lock(&claimant("bob", 60_000)).await.unwrap();
    let early = store.intend(&lease, &intent(first, "a")).await;
    assert!(matches!(early, Err(StoreError::Conflict { .. })), "got {early:?}");
    let second = store.begin_run(&lease, &start()).await.unwrap();
    let foreign = store.intend(&lease, &intent(first, "a")).await;
    assert!(matches!(foreign, Err(StoreError::Conflict { .. })), "got {foreign:?}");
    store.intend(&lease, &intent(second, "a")).await.unwrap();
}

pub(super) async fn parallel_writes_all_arrive_and_a_failing_one_takes_none_with_it(bench: Bench) {
    let store = bench.open().await;
    let (lease, run) = begin(&store).await;
    let steps = (0..120).map(|number| {
        let (store, lease) = (store.clone(), lease.clone());
        async move {
            let address = format!("r{number:03}");
            let id = store.intend(&lease, &intent(run, &address)).await.unwrap();
            let mut changes = vec![Change::Put(resource(&address))];
            if number % 3 == 0 {
                changes.push(Change::Move { from: "nowhere".to_owned(), to: "elsewhere".to_owned() });
            }
            store.settle(&lease, id, &Outcome::Done, &changes).await
        }
    });
    let answers = join_all(steps).await;
    let mut serials: Vec<u64> = answers.iter().filter_map(|answer| answer.as_ref().ok().copied()).collect();
    serials.sort_unstable();
    assert_eq!(serials, (1..=80).collect::<Vec<u64>>(), "each its own serial");
    let refused = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Conflict { .. }))).count();
    assert_eq!(refused, 40);
    let snapshot = bench.open().await.snapshot().await.unwrap();
    assert_eq!((snapshot.resources.len(), snapshot.open_intents.len(), snapshot.head.serial), (80, 40, 80));
    let mut open: Vec<String> = snapshot.open_intents.into_iter().map(|open| open.intent.address).collect();
    open.sort_unstable();
    assert_eq!(open, (0..120).step_by(3).map(|number| format!("r{number:03}")).collect::<Vec<_>>());
}

pub(super) async fn a_reader_never_sees_half_a_write(bench: Bench) {
    let store = bench.open().await;
    let (lease, _) = begin(&store).await;
    let reader = bench.open().await;
    let writing = tokio::spawn(async move {
        for _ in 0..60 {
            let pair = ["a", "b"].map(|address| Change::Put(resource(address)));
            store.record(&lease, &pair).await.unwrap();
            let gone = ["a", "b"]
                .map(|address| Change::Remove { address: address.to_owned(), deposed: String::new() });
            store.record(&lease, &gone).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let snapshot = reader.snapshot().await.unwrap();
        let expected = if snapshot.head.serial % 2 == 1 { 2 } else { 0 };
        assert_eq!(snapshot.resources.len(), expected, "at serial {}", snapshot.head.serial);
    }
    writing.await.unwrap();
}
