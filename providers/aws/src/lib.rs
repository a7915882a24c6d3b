//! The room of AWS: everything that needs an AWS SDK crate lives here. The feature `aws` switches it, so that nobody who
//! does not use it pays for the SDKs.
//!
//! `state_store` keeps states in S3; all else is the provider `aws`. Read in this order: `place` says which account and
//! region, `clients` reaches them, `failure` says what went wrong, `marks` and `names` how things are known again; `kinds`
//! has one file a kind of resource, each with the same few verbs; `provider` makes the contract of them, with `observe` and
//! `settle`, and `health` says how what serves is doing; `expand` makes components into resources,
//! purely; `preflight` asks what can be known to fail before the first change; `survey` goes the other way, for what somebody
//! else built.
//!
//! Deliberately absent: a client of our own for anything that the SDK does, retries of reads and rate limits included.

mod clients;
mod expand;
mod failure;
mod health;
mod kinds;
mod look_up;
mod marks;
mod names;
mod observe;
mod place;
mod preflight;
mod provider;
#[cfg(test)]
mod recorded;
mod settle;
mod state_store;
mod survey;

pub use provider::AwsProvider;
pub use state_store::S3Kind;
