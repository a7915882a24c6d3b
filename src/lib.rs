//! `standfast`: one blueprint for highly available hosting, on AWS or on your own hosts.

pub mod blueprint;
pub mod cli;
