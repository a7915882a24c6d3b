//! The simulated provider from outside: expansion, manners, faults, and the file that processes share.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod common;
mod expansion;
mod faults;
mod file;
mod manners;
