//! Real hosts over ssh: packages, files, users, services, and the operations that a rollout needs.
//!
//! Read in this order: [`session`] reaches a host and runs a script there, [`script`] puts scripts together and takes
//! their answers apart, [`marks`] is what is written down on the host about everything made, [`kinds`] has one file for
//! each kind of resource, [`operate`] drains, checks health and answers probes, [`provider`] ties them to the contract.
//!
//! Deliberately absent: what a component becomes (that is `expand`, pure), and anything that must be installed on a
//! host beforehand. A host needs sshd and a POSIX shell; kinds need what they manage (apt, systemd, nft).

pub mod expand;
pub mod kinds;
pub mod marks;
pub mod operate;
pub mod provider;
pub mod script;
pub mod session;

pub use provider::SshProvider;
pub use session::place::place;
