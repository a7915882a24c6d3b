//! One line of a world file. The crate's head documents the format for those who write lines by hand.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use standfast_contract::{Address, Value};

use crate::{fault::Fault, kinds::Id};

/// Of the first line. A file of another version is refused.
pub(crate) const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line<'a> {
    World {
        version: u32,
    },
    #[serde(borrow)]
    Made(MadeLine<'a>),
    /// An update: all inputs as they are now.
    #[serde(borrow)]
    Changed(ChangedLine<'a>),
    Gone {
        id: Id,
    },
    /// Its mark takes another address.
    Moved {
        id: Id,
        address: Address,
    },
    /// A member is taken out of its load balancers, or back in.
    Drained {
        id: Id,
        drained: bool,
    },
    /// Drift by hand: an attribute of whatever has this address; null takes it away.
    Tamper {
        address: Address,
        attribute: String,
        value: Value,
    },
    /// Drift by hand: whatever has this address is gone.
    Destroy {
        address: Address,
    },
    Fault(Fault),
    /// How often the fault of this number has hit, counted from 0 in the order of the file.
    Fired {
        fault: usize,
        fired: u32,
    },
    /// How many tries of a verb have met a random fault: the next try has other dice, in this process or a later one.
    Failed {
        #[serde(borrow)]
        subject: Cow<'a, str>,
        #[serde(borrow)]
        verb: Cow<'a, str>,
        attempts: u32,
    },
    /// The last number given to a kind.
    Counted {
        id: Id,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeLine<'a> {
    pub id: Id,
    pub address: Address,
    #[serde(borrow)]
    pub stack: Cow<'a, str>,
    #[serde(borrow)]
    pub environment: Cow<'a, str>,
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// Of the inputs that it was made with: what a client token is held against.
    pub digest: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers: Vec<Id>,
    #[serde(borrow)]
    pub inputs: &'a RawValue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedLine<'a> {
    pub id: Id,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers: Vec<Id>,
    #[serde(borrow)]
    pub inputs: &'a RawValue,
}
