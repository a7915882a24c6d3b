//! Components to resources, purely: the same small, layered estate for the same blueprint.
//!
//! Every section is supported, on hosts or without them: where a component names no hosts, its members are spread over
//! the region's zones. What cannot be done is a [`Problem`], and all problems of a component come at once.

mod balancer;
mod baseline;
mod data;
mod group;
mod network;
mod watch;

use std::time::Duration;

use standfast_contract::{
    Address, Answers, Component, ComponentId, Desired, ExpandRequest, Expansion, Lifecycle, Lookup, Map,
    OutputRef, Probe, Problem, Region, Rollout, Value,
    component::{FileContent, FileSpec},
    outputs,
};

use crate::{health, kinds, settings::Settings};

pub(crate) const PROVIDER: &str = "sim";
/// The question that the world answers: the names of a region's zones.
pub(crate) const ZONES: &str = "zones";
/// Where a region names no zones, the world has these.
const WORLD_ZONES: [&str; 3] = ["a", "b", "c"];

pub(crate) fn lane(region: &str) -> String {
    format!("{PROVIDER}:{region}")
}

/// The zones that a region has in the world.
pub(crate) fn zones_of_world(region: &Region) -> Value {
    if region.zones.is_empty() {
        WORLD_ZONES.into_iter().collect()
    } else {
        region.zones.iter().map(|zone| zone.name.as_str()).collect()
    }
}

/// What expansion has to know first: zones that the blueprint does not name, and local files.
pub(crate) fn lookups(request: &ExpandRequest<'_>) -> Vec<Lookup> {
    let mut lookups = Vec::new();
    if request.region.zones.is_empty() {
        lookups.push(zones_lookup(request.region));
    }
    match request.component {
        Component::Baseline(baseline) => baseline::files(baseline, &mut lookups),
        Component::AutoscalingGroup(group) => group::files(group, &mut lookups),
        _ => {}
    }
    lookups.sort_unstable();
    lookups.dedup();
    lookups
}

fn zones_lookup(region: &Region) -> Lookup {
    Lookup::Provider { region: region.name.clone(), question: ZONES.into(), subject: String::new() }
}

/// What must be known of a file's content.
fn content_lookup(content: &FileContent, lookups: &mut Vec<Lookup>) {
    match content {
        FileContent::From(path) => lookups.push(path_lookup(path)),
        FileContent::Template { path, .. } => lookups.push(Lookup::File { path: path.clone() }),
        FileContent::Inline(_) => {}
    }
}

/// A folder is asked for whole.
fn path_lookup(path: &str) -> Lookup {
    if std::path::Path::new(path).is_dir() {
        Lookup::Tree { path: path.to_owned() }
    } else {
        Lookup::File { path: path.to_owned() }
    }
}

/// Component to resources.
pub(crate) fn expand(request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
    let mut build = Build::new(request, answers);
    match request.component {
        Component::Network(it) => network::expand(&mut build, it),
        Component::Baseline(it) => baseline::expand(&mut build, it),
        Component::LoadBalancer(it) => balancer::expand(&mut build, it),
        Component::AutoscalingGroup(it) => group::expand(&mut build, it),
        Component::Database(it) => data::expand_database(&mut build, it),
        Component::SessionStore(it) => data::expand_store(&mut build, it),
        Component::Dns(it) => watch::expand_dns(&mut build, it),
        Component::Monitoring(it) => watch::expand_monitoring(&mut build, it),
        Component::DisasterRecovery(it) => data::expand_recovery(&mut build, it),
    }
    build.finish()
}

/// An expansion on its way.
struct Build<'a> {
    request: &'a ExpandRequest<'a>,
    answers: &'a Answers,
    region: &'a Region,
    id: ComponentId,
    zones: Vec<String>,
    out: Expansion,
    problems: Vec<Problem>,
}

/// Where a member goes.
struct Spot {
    name: String,
    zone: String,
    host: Option<String>,
}

impl<'a> Build<'a> {
    fn new(request: &'a ExpandRequest<'a>, answers: &'a Answers) -> Self {
        let region = request.region;
        let named = || {
            let known = answers.get(&zones_lookup(region)).and_then(Value::as_list).unwrap_or_default();
            known.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let zones = if region.zones.is_empty() {
            named()
        } else {
            region.zones.iter().map(|zone| zone.name.clone()).collect()
        };
        let id = request.component.id();
        let mut problems = Vec::new();
        if zones.is_empty() {
            problems.push(Problem {
                component: id.clone(),
                key: String::new(),
                message: format!("no zone is known of region `{}`", region.name),
                hint: Some(format!("Name its zones: `zones: 3` under `regions.{}`.", region.name)),
                unanswered: true,
            });
        }
        Build { request, answers, region, id, zones, out: Expansion::default(), problems }
    }

    fn finish(self) -> Result<Expansion, Vec<Problem>> {
        debug_assert!(
            outputs::are_known(self.id.section, PROVIDER, &self.out.outputs),
            "{}: {:?}",
            self.id,
            self.out.outputs
        );
        if self.problems.is_empty() { Ok(self.out) } else { Err(self.problems) }
    }

    fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            component: self.id.clone(),
            key: key.into(),
            message: message.into(),
            hint: None,
            unanswered: false,
        });
    }

    /// Adds a resource in the component's own region.
    fn add<const N: usize>(&mut self, kind: &str, name: &str, inputs: [(&str, Value); N]) -> Address {
        self.add_in(self.region, kind, name, inputs)
    }

    /// Adds a resource; an input that is null is left out.
    fn add_in<const N: usize>(
        &mut self,
        region: &Region,
        kind: &str,
        name: &str,
        inputs: [(&str, Value); N],
    ) -> Address {
        let common = self.request.component.common();
        let address = Address::new(&region.name, &self.id, kind, name);
        let mut map: Map = inputs
            .into_iter()
            .filter(|(_, value)| *value != Value::Null)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut tags = region.tags.clone();
        tags.extend(common.tags.clone());
        if !tags.is_empty() {
            map.insert("tags".into(), Value::Map(tags));
        }
        let holds_data = kinds::by_name(kind).is_some_and(|(_, kind)| kind.schema.holds_data);
        let protected = common.deletion_protection.unwrap_or(holds_data);
        self.out.resources.push(Desired {
            address: address.clone(),
            kind: kind.to_owned(),
            provider: PROVIDER.into(),
            inputs: map,
            after: Vec::new(),
            follows: Vec::new(),
            place: Settings::of_region(region).to_place(),
            lane: lane(&region.name),
            lifecycle: Lifecycle {
                prevent_destroy: common.lifecycle.prevent_destroy || protected,
                ..common.lifecycle.clone()
            },
        });
        address
    }

    fn output(&mut self, name: &str, value: impl Into<Value>) {
        self.out.outputs.insert(name.to_owned(), value.into());
    }

    /// What `status` asks: do all of these stand, and is the component down when one of the `vital` is?
    fn probe(&mut self, subject: &str, all: &[Address], vital: &[Address]) {
        let list = |addresses: &[Address]| addresses.iter().map(Address::as_str).collect::<Value>();
        self.out.probes.push(Probe {
            component: self.id.clone(),
            subject: subject.to_owned(),
            provider: PROVIDER.into(),
            place: Settings::of_region(self.region).to_place(),
            verb: health::STANDING.into(),
            inputs: Map::from([("all".into(), list(all)), ("vital".into(), list(vital))]),
        });
    }

    fn rollout(&mut self, rollout: Rollout) {
        self.out.rollouts.push(rollout);
    }

    /// On the named hosts, else so many numbered ones round the zones.
    fn spots(&self, prefix: &str, hosts: &[String], count: u32) -> Vec<Spot> {
        let zone = |at: usize| self.zones.get(at % self.zones.len().max(1)).cloned().unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if hosts.is_empty() {
            (0..count)
                .map(|at| Spot { name: format!("{prefix}-{}", at + 1), zone: zone(at), host: None })
                .collect()
        } else {
            let on = |(at, host): (usize, &String)| Spot {
                name: host.clone(),
                zone: self.region.zone_of(host).map_or_else(|| zone(at), |zone| zone.name.clone()),
                host: Some(host.clone()),
            };
            hosts.iter().enumerate().take(count).map(on).collect()
        }
    }

    /// The subnet of a zone, where the region has a network of its own.
    fn subnet(&self, zone: &str) -> Value {
        self.request
            .components
            .iter()
            .find_map(|component| match component {
                Component::Network(network)
                    if network.common.region == self.region.name && network.existing.is_none() =>
                {
                    let id = component.id();
                    let subnet = Address::new(&self.region.name, &id, "subnet", zone);
                    Some(OutputRef::resource(&subnet, "id"))
                }
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The digest of a local file or folder, as it was looked up.
    fn digest(&mut self, key: &str, path: &str) -> Value {
        let file = Lookup::File { path: path.to_owned() };
        let tree = Lookup::Tree { path: path.to_owned() };
        if let Some(digest) =
            self.answers.get(&file).and_then(Value::as_map).and_then(|file| file.get("digest"))
        {
            return digest.clone();
        }
        if let Some(files) = self.answers.get(&tree).and_then(Value::as_list) {
            let mut hasher = blake3::Hasher::new();
            for file in files.iter().filter_map(Value::as_map) {
                for part in ["path", "digest", "mode"] {
                    let text = file.get(part).map(Value::to_string).unwrap_or_default();
                    hasher.update(text.as_bytes()).update(b"\0");
                }
            }
            return Value::Text(hasher.finalize().to_hex().to_string());
        }
        self.problem(key, format!("the content of `{path}` is not known"));
        Value::Null
    }

    /// A file's content as inputs: `digest`, `content`, `secret`, `variables`, the unused ones null.
    fn content(&mut self, key: &str, content: &FileContent, sensitive: bool) -> [(&'static str, Value); 4] {
        let (mut digest, mut plain, mut secret, mut variables) = Default::default();
        match content {
            FileContent::From(path) => digest = self.digest(key, path),
            FileContent::Inline(value) if sensitive => secret = value.clone().masked(),
            FileContent::Inline(value) => plain = value.clone(),
            FileContent::Template { path, variables: given } => {
                digest = self.digest(key, path);
                variables = Value::Map(given.clone());
            }
        }
        [("digest", digest), ("content", plain), ("secret", secret), ("variables", variables)]
    }

    /// Files of a workload as one attribute: where each goes, and what is in it.
    fn file_list(&mut self, key: &str, files: &[FileSpec]) -> Value {
        let mut list = Vec::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            let content = self.content(&format!("{key}[{at}]"), &file.content, file.sensitive);
            let mut map: Map = content
                .into_iter()
                .filter(|(_, value)| *value != Value::Null)
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            map.insert("to".into(), file.to.as_str().into());
            map.insert("mode".into(), file.mode.as_str().into());
            list.push(Value::Map(map));
        }
        if list.is_empty() { Value::Null } else { Value::List(list) }
    }
}

/// Milliseconds.
fn ms(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn text(option: Option<&str>) -> Value {
    option.map_or(Value::Null, Value::from)
}

fn map(map: &Map) -> Value {
    if map.is_empty() { Value::Null } else { Value::Map(map.clone()) }
}

fn list(texts: &[String]) -> Value {
    if texts.is_empty() { Value::Null } else { texts.iter().map(String::as_str).collect() }
}

/// The word that serde gives a plain enum.
fn word(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(Value::from)).unwrap_or_default()
}
