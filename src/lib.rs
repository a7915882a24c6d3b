//! The map of the code, in the order of the pipeline.
//!
//! ```text
//! blueprint.yaml --> blueprint --> graph --> plan --> apply --> state, events, report
//! ```
//!
//! ARCHITECTURE.md says which room may import which.

pub mod graph;
pub mod plan;
pub mod apply;
