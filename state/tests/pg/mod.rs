//! What the tests of the PostgreSQL store share.

pub mod proxy;

use standfast_state::{OpenMode, PostgresStore, StackId, StoreError, open_postgres};

pub async fn open(url: &str, stack: &StackId) -> Result<PostgresStore, StoreError> {
    open_postgres(&url.parse()?, stack, OpenMode::Create).await
}

pub fn environment(name: &str) -> StackId {
    StackId::new("shop", Some(name))
}
