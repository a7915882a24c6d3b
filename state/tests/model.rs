//! Random changes, against a model that is a plain map: the same records, the same refusals, the same serial, and
//! after every step the store still agrees with its own checksums.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use standfast_state::conformance::sealing::Key;
use standfast_state::{Change, LockRequest, ResourceRecord, StackId, Store, StoreError, open_memory};

type Model = BTreeMap<(String, String), ResourceRecord>;

/// Makes one change in the model; false when it does not fit.
fn change(model: &mut Model, change: &Change) -> bool {
    let current = String::new;
    match change {
        Change::Put(record) => {
            model.insert((record.address.clone(), record.deposed.clone()), record.clone());
        }
        Change::Remove { address, deposed } => {
            model.remove(&(address.clone(), deposed.clone()));
        }
        Change::Move { from, to } => {
            let has = |address: &String| model.keys().any(|(found, _)| found == address);
            if !has(from) || has(to) {
                return false;
            }
            for (_, mut record) in std::mem::take(model) {
                if record.address == *from {
                    to.clone_into(&mut record.address);
                }
                for dependency in record.dependencies.iter_mut().filter(|dependency| *dependency == from) {
                    to.clone_into(dependency);
                }
                model.insert((record.address.clone(), record.deposed.clone()), record);
            }
        }
        Change::Depose { address, deposed } => {
            if deposed.is_empty() || model.contains_key(&(address.clone(), deposed.clone())) {
                return false;
            }
            let Some(mut record) = model.remove(&(address.clone(), current())) else { return false };
            deposed.clone_into(&mut record.deposed);
            model.insert((address.clone(), deposed.clone()), record);
        }
    }
    true
}

/// Few addresses, so that changes meet; some that are hard to quote, and one that begins another.
fn address() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "ab", "a\"b", "a\\", "é/[0]", "b"]).prop_map(str::to_owned)
}

fn deposed() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", "k1", "k2"]).prop_map(str::to_owned)
}

fn any_change() -> impl Strategy<Value = Change> {
    let put = (address(), deposed(), prop::collection::vec(address(), 0..4), ".{0,20}").prop_map(
        |(address, deposed, dependencies, payload)| {
            Change::Put(ResourceRecord {
                address,
                deposed,
                kind: "unit".into(),
                id: "i".into(),
                provider: "sim".into(),
                inputs_digest: "d".into(),
                dependencies,
                payload,
            })
        },
    );
    prop_oneof![
        4 => put,
        1 => (address(), deposed()).prop_map(|(address, deposed)| Change::Remove { address, deposed }),
        2 => (address(), address()).prop_map(|(from, to)| Change::Move { from, to }),
        1 => (address(), deposed()).prop_map(|(address, deposed)| Change::Depose { address, deposed }),
    ]
}

fn memory() -> Arc<dyn Store> {
    Arc::new(open_memory(&StackId::new("shop", None)).unwrap())
}

async fn follow(store: Arc<dyn Store>, writes: Vec<Vec<Change>>) {
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: 1,
        command: "apply".into(),
        lease_ms: 60_000,
    };
    let lease = store.lock(&request).await.unwrap();
    let (mut model, mut serial) = (Model::new(), 0);
    for changes in writes {
        let mut next = model.clone();
        let fits = changes.iter().all(|one| change(&mut next, one));
        match store.record(&lease, &changes).await {
            Ok(after) => {
                assert!(fits, "should have been refused: {changes:?}");
                serial += u64::from(!changes.is_empty());
                assert_eq!(after, serial);
                model = next;
            }
            Err(StoreError::Conflict { .. }) => assert!(!fits, "should have been taken: {changes:?}"),
            Err(other) => panic!("{other}"),
        }
        let found = store.snapshot().await.unwrap();
        assert_eq!(found.resources, model.values().cloned().collect::<Vec<_>>());
        assert_eq!(found.head.serial, serial);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn changes_do_what_they_say(writes in prop::collection::vec(prop::collection::vec(any_change(), 0..4), 1..12)) {
        futures::executor::block_on(follow(memory(), writes));
    }

    #[test]
    fn changes_do_the_same_where_the_store_cannot_read_them(
        writes in prop::collection::vec(prop::collection::vec(any_change(), 0..4), 1..12)
    ) {
        futures::executor::block_on(async { follow(Key::default().open(memory()).await, writes).await });
    }
}
