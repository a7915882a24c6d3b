//! The provider `aws`: everything that needs an AWS SDK crate.
//!
//! Read in this order: `place` says which account and region, `clients` reaches them, `failure` says what went wrong,
//! `marks` and `names` how things are known again; `kinds` has one file a kind of resource, each with the same few
//! verbs; `provider` makes the contract of them; `expand` makes components into resources, purely.
//!
//! Deliberately absent: monitoring and disaster recovery, which expansion refuses by
//! name; and a client of our own for anything that the SDK does, retries of reads and rate limits included.

mod clients;
mod expand;
mod failure;
mod kinds;
mod look_up;
mod marks;
mod names;
mod place;
mod provider;
#[cfg(test)]
mod recorded;

pub use provider::AwsProvider;
