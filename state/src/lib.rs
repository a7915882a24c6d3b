//! What a stack remembers between runs: its resources, the journal of every call, the lock and the history.
//!
//! The crate keeps records and never looks into their payload: the engine writes JSON text and gets the same
//! text back. It knows no provider, no plan and no blueprint syntax, so that a new store is
//! written against the [`Store`] trait and the [`conformance`] suite alone.
//!
//! | file | holds |
//! |---|---|
//! | `record` | the resources as last recorded, and the changes that a write can make to them |
//! | `journal` | intent before effect, and how each ended |
//! | `lock` | one writer at a time: leases, holders, fencing tokens |
//! | `history` | runs, with the blueprint and variables of each |
//! | `export` | everything of one state as one versioned value, to move it between stores |
//! | `transfer` | whether one state may replace another, and whether two are the same |
//! | `store` | the trait that every store implements |
//! | `url`, `locate` | where a state is kept, and the store for it |
//! | `seal` | encryption of a whole state: a store around any other |
//! | `error` | what can go wrong, and the next move for each |
//! | `sqlite` | the default store: one file, one writer thread, group commit |
//! | `postgres` | the shared store: one database for many states (feature `postgres`) |
//! | `object` | states in a service that keeps objects and writes them on a condition (feature `objects`) |
//! | `host` | this machine's clocks and processes, for judging who still lives |
//! | `conformance` | the suite that a store passes or fails as a whole (feature `conformance`) |
//!
//! Deliberately absent: secrets (payloads carry keyed digests only, which the engine sees to) and any
//! interpretation of a payload, an action or a token.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod export;
mod history;
mod host;
mod journal;
mod locate;
mod lock;
#[cfg(feature = "objects")]
pub mod object;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
mod seal;
mod sqlite;
mod store;
mod transfer;
mod url;

pub use error::StoreError;
pub use export::{EXPORT_FORMAT, Export, UsedPlan};
pub use history::{RunDetail, RunId, RunRecord, RunStart};
pub use journal::{Intent, IntentId, JournalEntry, OpenIntent, Outcome};
pub use locate::{StoreKind, Stores};
pub use lock::{Holder, LEASE_MS_DEFAULT, Lease, LockRequest};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresStore, open_postgres};
pub use record::{Change, Head, ResourceRecord, Snapshot, StackId};
pub use seal::{
    Cost, Header, Identities, OpenedBy, Opening, Recipient, SEAL_KEY, Seal, SealError, Sealed, Wrapping,
    header_of, is_sealed, read_passphrase,
};
pub use sqlite::{SqliteStore, open_memory, open_sqlite, set_aside_sqlite};
pub use store::{OpenMode, Store};
pub use transfer::{Objection, is_blank, objections, same};
pub use url::StateUrl;
