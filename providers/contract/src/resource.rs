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
    /// Which way it goes in place.
    pub way: Way,
    /// What a change does beside: in place, or where it [`replaces`](Attribute::replaces) as that.
    pub effect: Option<Effect>,
}

/// Which way an attribute goes in place. A change back is refused: only another thing in its place can have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Way {
    #[default]
    Any,
    /// Numbers and versions, which grow.
    Up,
    /// From one of these to a later one.
    Along(&'static [&'static str]),
}

impl Way {
    /// Whether a change is one that cannot be done in place. What is not known goes anywhere.
    pub fn forbids(self, before: &Value, after: &Value) -> bool {
        match (self, before, after) {
            (Way::Up, Value::Int(before), Value::Int(after)) => after < before,
            (Way::Up, Value::Text(before), Value::Text(after)) => {
                let (before, after) = (version(before), version(after));
                let common = before.len().min(after.len());
                after[..common] < before[..common]
            }
            (Way::Along(all), Value::Text(before), Value::Text(after)) => {
                let at = |text: &str| all.iter().position(|one| *one == text);
                at(before).zip(at(after)).is_some_and(|(before, after)| after < before)
            }
            _ => false,
        }
    }
}

/// The numbers that it begins with: 8 and 0 of `8.0.mysql_aurora.3.08.0`.
fn version(text: &str) -> Vec<u64> {
    text.split('.').map_while(|part| part.parse().ok()).collect()
}

/// What a change in place does to whoever uses the thing, told where the change is planned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// "restarts the database".
    pub what: &'static str,
    /// Only where this attribute is wanted to be this number.
    pub only_if: Option<(&'static str, i64)>,
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
            way: Way::Any,
            effect: None,
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
    pub const fn one_way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }
    pub const fn effect(mut self, what: &'static str) -> Self {
        self.effect = Some(Effect { what, only_if: None });
        self
    }
    /// Only where another attribute is wanted to be this number.
    pub const fn effect_if(mut self, what: &'static str, attribute: &'static str, number: i64) -> Self {
        self.effect = Some(Effect { what, only_if: Some((attribute, number)) });
        self
    }

    /// What a change of it does beside where these inputs are wanted.
    pub fn effect_with(&self, inputs: &Map) -> Option<&'static str> {
        let it = self.effect?;
        let so =
            |(attribute, number): (&str, i64)| inputs.get(attribute).and_then(Value::as_int) == Some(number);
        it.only_if.is_none_or(so).then_some(it.what)
    }

    /// So many values [`Attribute::another`] comes to, the first with them, before they repeat.
    pub const OTHERS: usize = 16;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_forbidden_to_shrink() {
        let up = |before: &str, after: &str| !Way::Up.forbids(&before.into(), &after.into());
        assert!(up("15.4", "15") && up("15.4", "16") && up("8.0.35", "8.4") && up("9.6", "10"));
        assert!(!up("15.4", "14") && !up("15.4", "15.3"));
        assert!(up("8.0.mysql_aurora.3.05.2", "8.0.mysql_aurora.3.08.0"));
        assert!(Way::Up.forbids(&Value::Int(50), &Value::Int(20)));
        assert!(!Way::Up.forbids(&Value::Int(20), &Value::Int(20)));
        assert!(!Way::Up.forbids(&Value::Int(20), &Value::Unknown));
    }

    #[test]
    fn what_goes_along_a_list_never_goes_back() {
        let way = Way::Along(&["redis", "valkey"]);
        assert!(!way.forbids(&"redis".into(), &"valkey".into()));
        assert!(way.forbids(&"valkey".into(), &"redis".into()));
        assert!(!way.forbids(&"memcached".into(), &"redis".into()));
    }

    #[test]
    fn another_name_differs_in_its_last_digit_which_goes_round() {
        for (taken, another) in
            [("shop-1f", "shop-10"), ("shop-09", "shop-0a"), ("shop-web", "shop-wec"), ("x", "0")]
        {
            assert_eq!(Attribute::another(taken), another);
        }
    }

    #[test]
    fn an_effect_may_depend_on_what_else_is_wanted() {
        let plain = Attribute::new("class").effect("restarts it");
        assert_eq!(plain.effect_with(&Map::new()), Some("restarts it"));
        let one = Attribute::new("version").effect_if("no machine serves", "healthy", 0);
        let wanted = |healthy| Map::from([("healthy".to_owned(), Value::Int(healthy))]);
        assert_eq!(one.effect_with(&wanted(0)), Some("no machine serves"));
        assert_eq!(one.effect_with(&wanted(50)), None);
    }
}
