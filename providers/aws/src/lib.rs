//! The room of AWS: everything that needs an AWS SDK crate lives here. The feature `aws` switches it, so that nobody who
//! does not use it pays for the SDKs.
//!
//! `state_store` keeps states in S3. Deliberately absent so far: the provider, one file a kind of resource.

mod state_store;

pub use state_store::S3Kind;
