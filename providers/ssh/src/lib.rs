//! The provider of plain hosts over SSH.

pub mod expand;
