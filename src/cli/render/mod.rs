//! What a person or a machine gets to see.

pub mod diagnostic;
