//! Every integration test, in one binary: it links once. A test file that is not named here is not run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "aws")]
mod aws;
mod blueprints;
mod cli;
mod converge;
mod engine;
mod fence;
mod hosts;
mod lab;
mod random;
mod stores;
