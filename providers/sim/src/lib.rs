//! The provider `sim`: a seeded world with a clock, latency and faults, for tests, benches and dry rehearsal.
//!
//! It behaves like a cloud's API. It gives ids, remembers client tokens, refuses a dangling reference and the deletion
//! of what is still referred to, changes some attributes in place and others never, answers late, fails at random or
//! on demand, and loses answers after their effect. Everything carries its stack and address, so it can be found again.
//!
//! Read in this order: [`Sim`] is the provider, [`World`] what it acts upon with the hooks for tests, [`Fault`] what
//! can go wrong. Inside: `ledger` is what there is and `admit` what a call may do (both pure), `log` keeps the file,
//! `expand` makes components into resources, `kinds` has the schemas. [`layered`] makes resources without a blueprint,
//! for benches.
//!
//! Deliberately absent: networks, processes, anything that serves. Time is tokio's: a paused test clock runs through
//! latencies at once.
//!
//! # The world's file
//!
//! JSON lines, appended to, each an object with one key. An effect is written before its answer is given, so a killed
//! process leaves behind exactly what it did. A last line without its newline is completed if it is whole and cut off
//! if not. Processes take turns under the file's advisory lock. On opening, a file of mostly dead lines is rewritten.
//!
//! | line | meaning |
//! |---|---|
//! | `{"world":{"version":1}}` | the first line |
//! | `{"made":{"id":"i-000001","address":"home/autoscaling_groups.web/member.web-1","stack":"shop","environment":"default","token":"t1","digest":1,"refers":["lt-000001"],"inputs":{}}}` | made; `digest` is of the inputs, for the client token |
//! | `{"changed":{"id":"i-000001","refers":["lt-000001"],"inputs":{}}}` | updated: all inputs as they are now; `address` where it was renamed |
//! | `{"gone":{"id":"i-000001"}}` | deleted |
//! | `{"drained":{"id":"i-000001","drained":true}}` | taken out of its load balancers, or back in |
//! | `{"failed":{"subject":"home/...","verb":"create","attempts":2}}` | random faults met: later tries have other dice |
//! | `{"fired":{"fault":0,"fired":1}}` | how often the fault of this number (from 0, in the order of the file) has hit |
//! | `{"counted":{"id":"i-000001"}}` | the last number given to a kind, after a rewrite |
//!
//! Three lines may be appended by hand, each with one write (`echo '...' >> FILE`), also while others work:
//!
//! | line | meaning |
//! |---|---|
//! | `{"tamper":{"address":"home/databases.orders/database.main","attribute":"storage_bytes","value":1}}` | drift: an attribute is changed; null takes it away. `health` is in no plan, but gates and probes see it |
//! | `{"destroy":{"address":"home/databases.orders/database.main"}}` | drift: gone |
//! | `{"fault":{"address":"autoscaling_groups.web","verb":"health","kind":"refused","when":{"release":"nginx=2"},"forever":true,"reason":"GET / answered 500"}}` | a scripted fault |
//!
//! Of a fault, `address` (a selector as of `--target`), `verb` and `kind` are required; see [`Fault`] and
//! [`FaultKind`]. `when` compares the attributes that the call asks for, or the thing has. A fault that has hit
//! `times` over all processes (once, if it does not say) is spent. `die_before` and `die_after` end the process
//! that meets them, on either side of the effect.

mod admit;
mod expand;
mod fault;
mod health;
mod kinds;
mod layered;
mod ledger;
mod line;
mod log;
mod provider;
mod read;
mod settings;
mod world;

pub use fault::{Fault, FaultKind};
pub use layered::layered;
pub use log::WorldError;
pub use provider::Sim;
pub use world::{CallRecord, Object, World};
