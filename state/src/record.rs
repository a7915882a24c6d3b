//! The recorded resources of one stack in one environment, and the changes that a write can make to them.
//!
//! Deliberately absent: the meaning of `payload`, which belongs to the engine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::journal::OpenIntent;

/// Which state: a stack in one of its environments. One store can hold many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StackId {
    /// The blueprint's `name`.
    pub stack: String,
    /// The overlay's name, or [`StackId::DEFAULT_ENVIRONMENT`] when none is named.
    pub environment: String,
}

impl StackId {
    /// The environment of a run that names none.
    pub const DEFAULT_ENVIRONMENT: &str = "default";

    /// The state of `stack` in `environment`.
    pub fn new(stack: impl Into<String>, environment: Option<&str>) -> Self {
        Self { stack: stack.into(), environment: environment.unwrap_or(Self::DEFAULT_ENVIRONMENT).to_owned() }
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stack, self.environment)
    }
}

/// Which version of a state: what a saved plan is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// A UUID made once with the state, so that two states of the same name are told apart.
    pub lineage: String,
    /// Grows by one with every committed change of resources, and with nothing else.
    pub serial: u64,
}

/// One resource as last recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// The resource's address, such as `home/load_balancers.front/haproxy.lb1`.
    pub address: String,
    /// Empty for the current object; else the key of an old copy that waits for its deletion.
    pub deposed: String,
    /// The resource kind.
    pub kind: String,
    /// The provider's own id of the object.
    pub id: String,
    /// The provider that made it and can read it.
    pub provider: String,
    /// The keyed digest of its inputs.
    pub inputs_digest: String,
    /// Addresses that it directly depends on, so that destroy needs no blueprint.
    pub dependencies: Vec<String>,
    /// The engine's JSON, kept as text and never looked into.
    pub payload: String,
}

/// One consistent read of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version that was read.
    pub head: Head,
    /// Ordered by address, the current object before its deposed copies.
    pub resources: Vec<ResourceRecord>,
    /// Intents that no outcome has closed yet, oldest first.
    pub open_intents: Vec<OpenIntent>,
}

/// One change of the recorded resources. The changes of one write are made in order, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Writes the record, in place of one with the same address and deposed key if there is one.
    Put(ResourceRecord),
    /// Forgets the record; nothing happens when it is not there, so that a recovery can repeat it.
    Remove {
        /// Whose record.
        address: String,
        /// Which of its objects; empty for the current one.
        deposed: String,
    },
    /// Renames the address with all its deposed copies, also where other records depend on it.
    /// Refused when `from` is not recorded or `to` already is.
    Move {
        /// The address until now.
        from: String,
        /// The address from now on.
        to: String,
    },
    /// Makes the current object an old copy that waits for its deletion under the key `deposed`.
    /// Refused when there is no current object or the key is taken.
    Depose {
        /// Whose current object.
        address: String,
        /// The key it gets; never empty.
        deposed: String,
    },
}
