//! From a URL to a store: the kinds that this program was built with, each by its schemes.
//!
//! A store of another crate (an object store beside its provider's SDK) joins with [`Stores::with`].

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::record::StackId;
use crate::sqlite::open_sqlite;
use crate::store::{OpenMode, Store};
use crate::url::StateUrl;

/// A kind of store.
#[async_trait]
pub trait StoreKind: Send + Sync {
    /// The schemes of its URLs, in lower case.
    fn schemes(&self) -> &'static [&'static str];

    /// What its URLs look like, for messages.
    fn example(&self) -> &'static str;

    /// Opens one state. `url` has one of the schemes.
    async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError>;
}

/// The kinds of stores that there are.
#[derive(Clone)]
pub struct Stores(Vec<Arc<dyn StoreKind>>);

impl Default for Stores {
    /// Those of this crate.
    fn default() -> Self {
        let stores = Stores(vec![Arc::new(Sqlite)]);
        #[cfg(feature = "postgres")]
        let stores = stores.with(Arc::new(Postgres));
        stores
    }
}

impl Stores {
    /// With one more kind.
    #[must_use]
    pub fn with(mut self, kind: Arc<dyn StoreKind>) -> Self {
        self.0.push(kind);
        self
    }

    /// Opens the state of `stack` at `url`.
    ///
    /// # Errors
    /// [`StoreError::Url`] for a scheme that no kind serves; else as the store reports it.
    pub async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError> {
        match self.0.iter().find(|kind| kind.schemes().contains(&url.scheme())) {
            Some(kind) => kind.open(url, stack, mode).await,
            None => {
                let known: Vec<&str> = self.0.iter().map(|kind| kind.example()).collect();
                let scheme = url.scheme();
                Err(url.refuse(format!(
                    "this standfast keeps no state in `{scheme}:`, only in {}",
                    known.join(" or ")
                )))
            }
        }
    }
}

struct Sqlite;

#[async_trait]
impl StoreKind for Sqlite {
    fn schemes(&self) -> &'static [&'static str] {
        &[StateUrl::SQLITE]
    }

    fn example(&self) -> &'static str {
        "`sqlite:PATH`"
    }

    async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let path = url.file().ok_or_else(|| url.refuse("it names no file"))?;
        Ok(Arc::new(open_sqlite(Path::new(path), stack, mode)?))
    }
}

#[cfg(feature = "postgres")]
struct Postgres;

#[cfg(feature = "postgres")]
#[async_trait]
impl StoreKind for Postgres {
    fn schemes(&self) -> &'static [&'static str] {
        &["postgres", "postgresql"]
    }

    fn example(&self) -> &'static str {
        "`postgres://USER@HOST/DATABASE`"
    }

    async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(crate::postgres::open_postgres(url, stack, mode).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scheme_without_a_store_is_refused_by_name() {
        let url: StateUrl = "s3://bucket/prefix".parse().unwrap();
        let opened = Stores::default().open(&url, &StackId::new("shop", None), OpenMode::Create).await;
        let error = opened.err().unwrap().to_string();
        assert!(
            error.starts_with(
                "could not use the state s3://bucket/prefix: this standfast keeps no state in `s3:`, only in `sqlite:PATH`"
            ),
            "{error}"
        );
    }
}
