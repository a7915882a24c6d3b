//! One component on one host: what all resources made there have in common.

use standfast_contract::{
    Address, Answers, Component, ComponentId, Desired, ExpandRequest, Lifecycle, Lookup, Map, Operation,
    Probe, Problem, Region, Stack, Value, component::Host,
};

use crate::session::place::place;

/// The word of a region's `provider`.
pub const PROVIDER: &str = "ssh";

/// Attributes from names and values.
pub fn inputs<const N: usize>(pairs: [(&str, Value); N]) -> Map {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One component on one host.
pub struct Site<'a> {
    pub stack: &'a Stack,
    pub region: &'a Region,
    pub host: &'a Host,
    pub component: ComponentId,
    lifecycle: Lifecycle,
    place: Value,
    lane: String,
}

impl<'a> Site<'a> {
    pub fn new(request: &ExpandRequest<'a>, host: &'a Host) -> Self {
        Site {
            stack: request.stack,
            region: request.region,
            host,
            component: request.component.id(),
            lifecycle: lifecycle(request.component),
            place: place(request.region, host),
            lane: lane(request.region, host),
        }
    }

    /// The zone that the host stands in.
    pub fn zone(&self) -> &str {
        self.region.zone_of(&self.host.name).map_or("", |zone| &zone.name)
    }

    pub fn address(&self, kind: &str, rest: &str) -> Address {
        address(&self.region.name, &self.component, kind, &self.host.name, rest)
    }

    /// A resource on this host. `rest` tells it from the others of its kind there.
    pub fn resource(&self, kind: &str, rest: &str, inputs: Map, after: Vec<Address>) -> Desired {
        Desired {
            address: self.address(kind, rest),
            kind: kind.to_owned(),
            provider: PROVIDER.to_owned(),
            inputs,
            after,
            follows: Vec::new(),
            place: self.place.clone(),
            lane: self.lane.clone(),
            lifecycle: self.lifecycle.clone(),
        }
    }

    /// Something to do on this host that is no resource; `name` tells it from others with the same verb.
    pub fn operation(&self, verb: &str, name: &str, inputs: Map, timeout_ms: i64) -> Operation {
        Operation {
            address: Address::new(&self.region.name, &self.component, verb, name),
            provider: PROVIDER.to_owned(),
            verb: verb.to_owned(),
            place: self.place.clone(),
            lane: self.lane.clone(),
            inputs,
            timeout_ms: u64::try_from(timeout_ms).unwrap_or(0),
        }
    }

    /// A question of `status` about this host.
    pub fn probe(&self, verb: &str, inputs: Map) -> Probe {
        Probe {
            component: self.component.clone(),
            subject: self.host.name.clone(),
            provider: PROVIDER.to_owned(),
            place: self.place.clone(),
            verb: verb.to_owned(),
            inputs,
        }
    }
}

/// The address of a resource on a host, also of another component.
pub fn address(region: &str, component: &ComponentId, kind: &str, host: &str, rest: &str) -> Address {
    Address::new(region, component, kind, &format!("{host}.{rest}"))
}

fn lifecycle(component: &Component) -> Lifecycle {
    let common = component.common();
    let mut lifecycle = common.lifecycle.clone();
    lifecycle.prevent_destroy |= common.deletion_protection == Some(true);
    lifecycle
}

/// Collects what is wrong with a component, all of it.
pub struct Problems {
    component: ComponentId,
    found: Vec<Problem>,
}

impl Problems {
    pub fn of(component: &Component) -> Self {
        Problems { component: component.id(), found: Vec::new() }
    }

    /// `key` is below the component: `listeners[1].certificate`.
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(key.into(), message.into(), hint.into(), false);
    }

    /// The same where a host did not tell what it was asked.
    pub fn unanswered(&mut self, key: &str, message: String, hint: String) {
        self.push(key.to_owned(), message, hint, true);
    }

    fn push(&mut self, key: String, message: String, hint: String, unanswered: bool) {
        let component = self.component.clone();
        let problem = Problem { component, key, message, hint: Some(hint), unanswered };
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// What was made, or everything that is wrong.
    pub fn into_result<T>(self, made: T) -> Result<T, Vec<Problem>> {
        if self.found.is_empty() { Ok(made) } else { Err(self.found) }
    }
}

/// The hosts behind names; a name that the region does not have is a problem.
pub fn hosts<'a>(region: &'a Region, names: &[String], problems: &mut Problems) -> Vec<&'a Host> {
    let mut hosts = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match region.host(name) {
            Some(host) => hosts.push(host),
            None => problems.add(
                format!("hosts[{index}]"),
                format!("region {} has no host {name}", region.name),
                format!("add {name} to a zone of regions.{}", region.name),
            ),
        }
    }
    hosts
}

/// The question what a host is.
pub fn facts_of(region: &str, host: &str) -> Lookup {
    Lookup::Provider { region: region.to_owned(), question: "facts".to_owned(), subject: host.to_owned() }
}

/// The answer to a lookup, where there is one that is a map.
pub fn answer<'a>(answers: &'a Answers, lookup: &Lookup) -> Option<&'a Map> {
    answers.get(lookup).and_then(Value::as_map)
}

/// The lane of steps on a host: what shares its limit of sessions.
fn lane(region: &Region, host: &Host) -> String {
    format!("ssh:{}@{}", host.name, region.name)
}
