//! What a user does to real hosts, done by the real binary: build, change under traffic, heal, misuse, destroy.
//!
//! Each scenario brings hosts up once and goes through many steps, because a lab and its first apply are most of the
//! time. Needs what `lab.rs` needs, and passes without a lab under the same condition. Figures are printed:
//! `--success-output final` shows them.
#![cfg(test)]

mod armed;
mod blueprints;
mod client;
mod demo;
mod killed;
mod misuse;
mod mixed;
mod serving;
mod stand;
