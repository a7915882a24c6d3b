//! The map of the code, in the order of the pipeline.
//!
//! ```text
//! blueprint.yaml --> blueprint --> graph --> plan --> apply --> state, events, report
//! ```
//!
//! `lab` makes hosts to rehearse on, `cli` is the only room that prints. ARCHITECTURE.md says which room may import
//! which.

pub mod apply;
pub mod blueprint;
pub mod cli;
mod files;
pub mod graph;
pub mod lab;
pub mod plan;
mod words;

/// A big stack is millions of small texts and maps; asking for them and giving them back was a quarter of what a plan of
/// 100,000 resources cost with the system's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
