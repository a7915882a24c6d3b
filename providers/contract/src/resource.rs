//! Resources: what a provider makes of a component, and what the engine may know of each kind.

use serde::{Deserialize, Serialize};

use crate::{
    address::{Address, ComponentId},
    provider::Operation,
    value::{Map, Value},
};

/// One attribute of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute {
    pub name: &'static str,
    /// Expansion must give it.
    pub required: bool,
    /// Never shown; kept as a digest.
    pub sensitive: bool,
    /// Made by the world, not asked for: an output only.
    pub computed: bool,
    /// A change of it replaces the resource.
    pub replaces: bool,
    /// Chosen when the resource is made, such as a name that follows from its address: another choice later changes
    /// nothing until the resource is made anew.
    pub kept: bool,
    /// No two things have the same at the same time: what is made while an old one is still there gets another
    /// ([`Attribute::another`]).
    pub unique: bool,
    /// `read` reports it, so that drift of it can be seen.
    pub observed: bool,
    /// Of a computed attribute: an update leaves it as it is, so that what refers to it need not wait.
    pub stable: bool,
    /// "seconds", "bytes", "octal mode"; empty where there is none.
    pub unit: &'static str,
}

impl Attribute {
    /// An optional, observed attribute that is updated in place.
    pub const fn new(name: &'static str) -> Self {
        Attribute {
            name,
            required: false,
            sensitive: false,
            computed: false,
            replaces: false,
            kept: false,
            unique: false,
            observed: true,
            stable: false,
            unit: "",
        }
    }
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
    /// An output.
    pub const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }
    pub const fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }
    pub const fn kept(mut self) -> Self {
        self.kept = true;
        self
    }
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }
    /// An output that stays the same for as long as the resource exists: an id, an address.
    pub const fn stable(mut self) -> Self {
        self.computed = true;
        self.stable = true;
        self
    }
    /// `read` cannot see it: only the blueprint changes it.
    pub const fn unobserved(mut self) -> Self {
        self.observed = false;
        self
    }
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Another value for a unique attribute whose own is taken: of the same length and letters, so that it keeps to whatever
    /// rules `taken` keeps to. Names end in a digest in hexadecimal, whose last digit goes round.
    pub fn another(taken: &str) -> String {
        let mut another = taken.to_owned();
        let digit = another.pop().and_then(|last| last.to_digit(16)).map_or(0, |digit| (digit + 1) % 16);
        another.extend(char::from_digit(digit, 16));
        another
    }
}

/// The schema of a kind of resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub attributes: &'static [Attribute],
    /// A new one may exist beside the old one while it is replaced.
    pub create_before_destroy: bool,
    /// It holds data that cannot be made again: protected from deletion unless the blueprint says otherwise.
    pub holds_data: bool,
    /// Rolled back through a copy kept at its place even when the record holds only a digest.
    pub keeps_previous: bool,
    /// How to be rid of what a delete leaves behind, which the output [`LEFT`] names; empty where it leaves nothing.
    pub leaves: &'static str,
}

/// The output that names what a delete leaves behind and goes on to cost, such as a final snapshot.
pub const LEFT: &str = "final_snapshot";

impl Kind {
    pub const fn new(name: &'static str, attributes: &'static [Attribute]) -> Self {
        Kind {
            name,
            attributes,
            create_before_destroy: false,
            holds_data: false,
            keeps_previous: false,
            leaves: "",
        }
    }

    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// What may and may not be done to a resource; from the component's `lifecycle`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// A plan that would delete or replace it is refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prevent_destroy: bool,
    /// Attributes whose difference is left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_changes: Vec<String>,
    /// Make the new one first when it is replaced; only where the kind allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_before_destroy: Option<bool>,
}

/// A resource as the blueprint wants it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Desired {
    pub address: Address,
    pub kind: String,
    pub provider: String,
    pub inputs: Map,
    /// What must be done before it, beside what its inputs refer to.
    #[serde(default)]
    pub after: Vec<Address>,
    /// What is done before it where both are done, but whose failure does not hold it up: a load balancer follows the
    /// members it serves, and must come up even when one of them does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<Address>,
    /// Where it lives, in the provider's own words (host, port, user; account, region). Kept with the record, so that
    /// it can be deleted without the blueprint; never compared.
    pub place: Value,
    /// Which steps share a limit: a host, a region's API.
    pub lane: String,
    #[serde(default)]
    pub lifecycle: Lifecycle,
}

/// What to do when a member fails its gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Undo every member changed so far and stop.
    #[default]
    Rollback,
    /// Leave the failed member as it is and stop.
    Stop,
}

/// How the members of a component that serves traffic are changed: a few at a time, each drained before and proven after.
///
/// Members that are made for the first time need no drain; the plan leaves them outside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rollout {
    pub component: ComponentId,
    pub region: String,
    /// So many members first, alone.
    pub canary: u32,
    /// At least 1.
    pub max_unavailable: u32,
    pub on_failure: OnFailure,
    pub members: Vec<Member>,
}

/// One member of a rollout.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    /// What belongs to it; a change of any of these makes the member part of the rollout.
    pub resources: Vec<Address>,
    /// Before its first change: drain.
    pub before: Vec<Operation>,
    /// After its last change: health gate, then undrain.
    pub after: Vec<Operation>,
}
