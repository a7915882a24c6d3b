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
pub mod graph;
pub mod lab;
pub mod plan;

mod words;
