//! The kill sweep: standfast dies before and after every store write and every provider call, all of them, and the next
//! command must bring everything to its end: nothing made twice, nothing forgotten, nothing left out of service.
//!
//! [`point`] numbers where a run can die, [`watched`] puts those points around a store and a provider, [`program`] is the
//! ordinary command line on both, [`scenario`] lists what is killed, [`stand`] looks at what is left, [`sweep`] goes over
//! all points. A run dies by `kill -9` of its process, or, a hundred times as fast, by being dropped in
//! this one.
//!
//! Deliberately absent: power cuts. What a finished write survives is the stores' own matter, tested beside them.

pub mod point;
pub mod program;
#[path = "../../it/random.rs"]
pub mod random;
pub mod scenario;
pub mod seeds;
pub mod stand;
pub mod sweep;
pub mod voice;
mod watched;
