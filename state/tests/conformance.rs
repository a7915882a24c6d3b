//! Every store of this crate, held against the suite.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use standfast_state::conformance::{self, sealing::Key};
use standfast_state::{OpenMode, StackId, Store, open_memory, open_sqlite};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("states.db");
    let cases = conformance::run(move |stack| {
        let path = path.clone();
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(open_sqlite(&path, &stack, OpenMode::Create).unwrap());
            store
        })
    })
    .await;
    assert!(cases >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealed_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("states.db");
    let key = Arc::new(Key::default());
    let cases = conformance::run(move |stack| {
        let (path, key) = (path.clone(), Arc::clone(&key));
        Box::pin(
            async move { key.open(Arc::new(open_sqlite(&path, &stack, OpenMode::Create).unwrap())).await },
        )
    })
    .await;
    assert!(cases >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    let stores: Mutex<HashMap<StackId, Arc<dyn Store>>> = Mutex::default();
    conformance::run(move |stack| {
        // Another handle on the same memory is the same store.
        let mut stores = stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store =
            stores.entry(stack).or_insert_with_key(|stack| Arc::new(open_memory(stack).unwrap())).clone();
        Box::pin(async move { store })
    })
    .await;
}
