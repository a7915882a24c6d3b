//! Components to resources, purely: the same for the same blueprint and answers.
//!
//! `network` makes the VPC and its parts, and says where in it others go; `balancer` and `group` make what serves,
//! `certificates` what it is trusted by, and `user_data` what a machine does when it boots; `database` and `session_store`
//! make what keeps data, `talk` says who may reach it, `recovery` copies it to another region, `dns` gives names,
//! `monitoring` watches and `measure` says what. What is not built yet is a problem with that name, never a stub.

mod balancer;
mod certificates;
mod database;
mod dns;
#[cfg(test)]
pub(crate) mod everything;
mod group;
mod measure;
mod monitoring;
mod network;
mod recovery;
#[cfg(test)]
mod refusals;
mod session_store;
mod tags;
mod talk;
#[cfg(test)]
mod tests;
mod user_data;

use std::collections::BTreeSet;

use standfast_contract::{
    Address, Answers, Component, ComponentId, Desired, ExpandRequest, Expansion, Lookup, Probe, Problem,
    ProviderError, Region, Target, Value, component::Common, outputs,
};

use crate::{look_up, place::Place};

pub(crate) use database::line_of;

pub(crate) const PROVIDER: &str = "aws";

/// What a region without `location` lacks.
pub(crate) fn no_location(region: &Region) -> ProviderError {
    ProviderError::permanent(format!("work in region `{}`", region.name), "it has no `location`")
        .hint(location_hint(region))
}

fn location_hint(region: &Region) -> String {
    format!("Say which AWS region it is: `location: eu-west-1` under `regions.{}`.", region.name)
}

/// What expansion has to know first.
pub(crate) fn lookups(request: &ExpandRequest<'_>) -> Vec<Lookup> {
    // A name that is none would be waited for until DNS gives up.
    if Place::of_region(request.region).is_none_or(|place| place.no_region("").is_some()) {
        return Vec::new();
    }
    let mut lookups = vec![ask(request.region, look_up::ZONES, "")];
    lookups.extend(network::lookups(request));
    if let Component::DisasterRecovery(recovery) = request.component
        && let Some(there) = recovery::elsewhere(request, recovery)
    {
        lookups.push(ask(there.region, look_up::ZONES, ""));
        lookups.extend(network::lookups(&there));
    }
    if let Component::Dns(dns) = request.component {
        lookups.extend(dns::lookups(request, dns));
    }
    if let Component::AutoscalingGroup(group) = request.component {
        lookups.extend(group::lookups(request, group));
    }
    lookups.sort_unstable();
    lookups.dedup();
    lookups
}

/// By their names at AWS: `zones: 3` are `a`, `b` and `c`.
pub(crate) fn zones(region: &Region, place: &Place) -> Vec<String> {
    let zone =
        |name: &str| if name.len() == 1 { format!("{}{name}", place.location) } else { name.to_owned() };
    region.zones.iter().map(|one| zone(&one.name)).collect()
}

/// A question to the region.
fn ask(region: &Region, question: &str, subject: &str) -> Lookup {
    Lookup::Provider {
        region: region.name.clone(),
        question: question.to_owned(),
        subject: subject.to_owned(),
    }
}

/// Component to resources.
pub(crate) fn expand(request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
    let mut build = Build::new(request, answers)?;
    match request.component {
        Component::Network(it) => network::expand(&mut build, it),
        Component::LoadBalancer(it) => balancer::expand(&mut build, it),
        Component::AutoscalingGroup(it) => group::expand(&mut build, it),
        Component::Database(it) => database::expand(&mut build, it),
        Component::SessionStore(it) => session_store::expand(&mut build, it),
        Component::Dns(it) => dns::expand(&mut build, it),
        Component::Monitoring(it) => monitoring::expand(&mut build, it),
        Component::DisasterRecovery(it) => recovery::expand(&mut build, it),
        _ => build.not_built(),
    }
    build.finish()
}

/// An expansion on its way.
struct Build<'a> {
    request: &'a ExpandRequest<'a>,
    answers: &'a Answers,
    region: &'a Region,
    id: ComponentId,
    place: Place,
    /// By their names at AWS.
    zones: Vec<String>,
    out: Expansion,
    problems: Vec<Problem>,
}

impl<'a> Build<'a> {
    fn new(request: &'a ExpandRequest<'a>, answers: &'a Answers) -> Result<Self, Vec<Problem>> {
        let region = request.region;
        let id = request.component.id();
        // What is the region's is told once, and not for each component in it.
        let is_first = request.components.iter().find(|one| one.common().region == region.name);
        let is_first = is_first.is_none_or(|first| first.id() == id);
        let at_location = |message: String, hint: String| {
            let problem = Problem {
                component: id.clone(),
                key: "region.location".into(),
                message,
                hint: Some(hint),
                unanswered: false,
            };
            Err(if is_first { vec![problem] } else { Vec::new() })
        };
        let Some(place) = Place::of_region(region) else {
            return at_location(format!("region `{}` has no `location`", region.name), location_hint(region));
        };
        if let Some((message, hint)) = place.no_region("location: ") {
            return at_location(message, hint);
        }
        let zones = zones(region, &place);
        let mut build = Build {
            request,
            answers,
            region,
            id,
            place,
            zones,
            out: Expansion::default(),
            problems: Vec::new(),
        };
        if is_first {
            build.check_region();
            build.check_zones();
        }
        tags::check(&mut build, is_first);
        Ok(build)
    }

    /// Whose account it is, as whom, and zones of another region: what is wrong whatever the region has.
    fn check_region(&mut self) {
        let region = self.region;
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(account) = region.account.as_deref().filter(|account| !is_account(account)) {
            self.problem(
                "region.account",
                format!("`{account}` is no account of AWS: those have twelve digits"),
                "`aws sts get-caller-identity` shows yours.",
            );
        }
        let is_role = |arn: &str| arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":role/");
        if let Some(role) = region.assume_role.as_deref().filter(|role| !is_role(role)) {
            self.problem(
                "region.assume_role",
                format!("`{role}` is no ARN of a role"),
                "Say it whole: `arn:aws:iam::123456789012:role/deploy`.",
            );
        }
        let location = self.place.location.clone();
        let zones = self.zones.clone();
        for zone in zones.iter().filter(|zone| !zone.starts_with(&location)) {
            self.problem(
                "region.zones",
                format!("the zone `{zone}` is not in {location}"),
                format!("Say how many, `zones: 3`, or name zones such as `{location}a`."),
            );
        }
    }

    fn check_zones(&mut self) {
        let Some(there) = self.answer(look_up::ZONES, "").and_then(Value::as_list) else { return };
        let there: Vec<&str> = there.iter().filter_map(Value::as_str).collect();
        let is_missing =
            |zone: &&String| zone.starts_with(&self.place.location) && !there.contains(&zone.as_str());
        for zone in self.zones.iter().filter(is_missing) {
            self.problems.push(Problem {
                component: self.id.clone(),
                key: "region.zones".into(),
                message: format!("{} has no zone `{zone}` for this account", self.place.location),
                hint: Some(format!(
                    "It has {}: name some of them in `regions.{}.zones`.",
                    there.join(", "),
                    self.region.name
                )),
                unanswered: false,
            });
        }
    }

    fn finish(mut self) -> Result<Expansion, Vec<Problem>> {
        self.leave_out_what_is_kept();
        debug_assert!(
            outputs::are_known(self.id.section, PROVIDER, &self.out.outputs),
            "{}: {:?}",
            self.id,
            self.out.outputs
        );
        if self.problems.is_empty() { Ok(self.out) } else { Err(self.problems) }
    }

    fn answer(&self, question: &str, subject: &str) -> Option<&'a Value> {
        self.answers.get(&ask(self.region, question, subject))
    }

    fn problem(&mut self, key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem {
            component: self.id.clone(),
            key: key.into(),
            message: message.into(),
            hint: Some(hint.into()).filter(|hint| !hint.is_empty()),
            unanswered: false,
        });
    }

    /// What could not be looked up. Why stands beside this.
    fn unanswered(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problem(key, message, "");
        if let Some(problem) = self.problems.last_mut() {
            problem.unanswered = true;
        }
    }

    fn not_built(&mut self) {
        self.problem(
            "",
            format!("`{}` is not built on AWS yet: this version builds {BUILT} there", self.id),
            "Leave the component out, or put it into a region of a provider that builds it.",
        );
    }

    /// What only attributes that are kept would use is neither named by them nor made.
    fn leave_out_what_is_kept(&mut self) {
        let mut unused: BTreeSet<Address> = BTreeSet::new();
        for name in &self.request.component.common().lifecycle.ignore_changes {
            for resource in &mut self.out.resources {
                let helpers: Vec<Address> = resource.inputs.get(name).map(helpers).unwrap_or_default();
                if !helpers.is_empty() {
                    resource.inputs.remove(name);
                    unused.extend(helpers);
                }
            }
        }
        if unused.is_empty() {
            return;
        }
        let inputs = self.out.resources.iter().flat_map(|resource| resource.inputs.values());
        for used in inputs.chain(self.out.outputs.values()).flat_map(helpers) {
            unused.remove(&used);
        }
        self.out.resources.retain(|resource| !unused.contains(&resource.address));
    }

    /// Whether an attribute is left alone whatever the blueprint says, so that nothing has to be there for it.
    fn keeps(&self, attribute: &str) -> bool {
        keeps(self.request.component.common(), attribute)
    }

    fn address(&self, kind: &str, name: &str) -> Address {
        Address::new(&self.region.name, &self.id, kind, name)
    }

    /// Adds a resource; an input that is null is left out.
    fn add<const N: usize>(
        &mut self,
        service: &str,
        kind: &str,
        name: &str,
        inputs: [(&str, Value); N],
    ) -> Address {
        let address = self.address(kind, name);
        let mut map = crate::kinds::map(inputs);
        let tags = tags::of(self.request);
        if !tags.is_empty() {
            map.insert("tags".into(), Value::Map(tags));
        }
        self.out.resources.push(Desired {
            address: address.clone(),
            kind: kind.to_owned(),
            provider: PROVIDER.into(),
            inputs: map,
            after: Vec::new(),
            follows: Vec::new(),
            place: self.place.to_value(),
            lane: self.place.lane(service),
            lifecycle: self.request.component.common().lifecycle.clone(),
        });
        address
    }

    /// The old one of what was added last must have gone before there is a new one.
    fn never_twice(&mut self) {
        if let Some(last) = self.out.resources.last_mut() {
            last.lifecycle.create_before_destroy = Some(false);
        }
    }

    /// What `status` asks. `subject` is what it is about, within the component.
    fn probe<const N: usize>(&mut self, subject: &str, verb: &str, inputs: [(&str, Value); N]) {
        self.out.probes.push(Probe {
            component: self.id.clone(),
            subject: subject.to_owned(),
            provider: PROVIDER.into(),
            place: self.place.to_value(),
            verb: verb.to_owned(),
            inputs: crate::kinds::map(inputs),
        });
    }

    fn output(&mut self, name: &str, value: impl Into<Value>) {
        self.out.outputs.insert(name.to_owned(), value.into());
    }
}

/// Whether a component's attribute is left alone whatever the blueprint says.
fn keeps(component: &Common, attribute: &str) -> bool {
    component.lifecycle.ignore_changes.iter().any(|kept| kept == attribute)
}

/// Made for others of their component, and of no use by themselves.
const HELPERS: &[&str] = &[
    "cache_subnet_group",
    "db_cluster_parameter_group",
    "db_parameter_group",
    "db_subnet_group",
    "instance_profile",
    "security_group",
];

/// Those that a value names.
fn helpers(value: &Value) -> Vec<Address> {
    let mut found = Vec::new();
    value.for_each_reference(&mut |reference| match &reference.of {
        Target::Resource(of) if HELPERS.contains(&of.kind()) => found.push(of.clone()),
        _ => {}
    });
    found
}

/// For people.
const BUILT: &str = "networks, load_balancers, autoscaling_groups, databases, session_stores, dns, monitoring and \
     disaster_recovery";
