//! What a store needs of a service that keeps objects: reading, conditional writes, listing in order, deleting.
//!
//! Every read must see every write that was answered before (S3 does since December 2020:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>).

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Found {
    /// All of it.
    pub bytes: Bytes,
    /// What stands for this version of it in a conditional write.
    pub etag: String,
}

/// An object as a listing shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written, by the service's clock.
    pub modified: SystemTime,
}

/// Why a call to the service failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It surely had no effect, and may work later: throttled, or nobody answers.
    #[error("{0}")]
    Transient(String),
    /// It had no effect, since the object is there already or is not the one that was meant.
    #[error("the object is there already, or was changed")]
    Precondition,
    /// The answer was lost: it may have taken effect, or still will.
    #[error("{0}")]
    Unknown(String),
    /// It had no effect and will not have one when it is tried again.
    #[error("{reason}")]
    Refused {
        /// As the service words it.
        reason: String,
        /// What the user can do, as a sentence.
        next_move: String,
    },
}

/// Objects under one prefix of one bucket. Keys are relative to the prefix.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The place for messages and as a URL, such as `s3://bucket/prefix`. Never holds a secret.
    fn place(&self) -> String;

    /// The time by the service's clock, as its last answer had it; this machine's before the first one.
    fn now(&self) -> SystemTime;

    /// The object, if it is there.
    async fn get(&self, key: &str) -> Result<Option<Found>, ObjectError>;

    /// Writes an object that is not there yet, or fails with [`ObjectError::Precondition`].
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<(), ObjectError>;

    /// Writes over the version of an object that has this etag, or fails with [`ObjectError::Precondition`].
    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &str) -> Result<(), ObjectError>;

    /// The first `limit` objects whose key begins with `prefix` and comes after `after`, in the order of their bytes.
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, ObjectError>;

    /// Deletes objects; those that are not there are no error.
    async fn delete(&self, keys: &[String]) -> Result<(), ObjectError>;
}
