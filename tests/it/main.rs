//! Every integration test, in one binary: it links once.

mod blueprints;
mod engine;
mod lab;
