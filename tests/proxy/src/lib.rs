//! A proxy for tests that stands before a service and does to its calls what networks and clouds do: slowness,
//! throttling, errors, dropped connections, and above all the answer that is lost after the call took effect.
//!
//! | file | holds |
//! |---|---|
//! | `call` | a request and its answer, and which operation of which service it is |
//! | `rule` | what may happen to a call: the trait, and the faults that every service knows |
//! | `halt` | a call that goes no further, so that a test can kill its caller there |
//! | `aws` | rules for what AWS does and moto does not |
//! | `proxy` | the server: forwards, asks the rules, keeps count |
//! | `cbor` | a protocol that moto does not speak, and its translation |
//! | `moto` | a server that speaks for AWS, of the test process's own |
//!
//! Each rule is named and switched by itself, so that a test says which behaviour it relies on. A behaviour of one service
//! (an answer rewritten so that a thing is pending for a while) is a [`Rule`] of the test that needs it.
//!
//! Deliberately absent: TLS, HTTP/2 and bodies that do not fit into memory.

pub mod aws;
mod call;
pub mod cbor;
mod halt;
mod moto;
mod proxy;
mod rule;

pub use call::{Answer, Call};
pub use halt::{Halt, Moment};
pub use hyper::StatusCode;
pub use moto::Moto;
pub use proxy::{Proxy, Seen};
pub use rule::{Fate, Fault, Rule, Verdict};
