//! The picture of components: what each is in a few words, and what uses what. From the blueprint alone.

use std::collections::{BTreeMap, BTreeSet};

use standfast_contract::{
    Component, ComponentId,
    component::{DatabaseEngine, RecoveryStrategy, SessionEngine, Topology, WorkloadSource},
};

use super::{Group, Level, Link, Picture, legend};
use crate::{
    blueprint::{Blueprint, How},
    words::{count, list},
};

/// Hosts and ports that a card names before the rest is only counted.
const NAMED_MAX: usize = 4;
/// What an arrow is for before the rest is only counted.
const LABELS_MAX: usize = 3;

pub fn picture(blueprint: &Blueprint) -> Picture<'_> {
    let mut components: Vec<&Component> = blueprint.components.iter().collect();
    components.sort_by_key(|one| (&one.common().region, one.id().to_string()));
    let place: BTreeMap<ComponentId, usize> =
        components.iter().enumerate().map(|(at, one)| (one.id(), at)).collect();
    let mut uses: BTreeMap<(usize, usize), BTreeSet<How>> = BTreeMap::new();
    for naming in blueprint.namings() {
        let (Some(&from), Some(&to)) = (place.get(&naming.from), place.get(&naming.to)) else { continue };
        if from != to {
            uses.entry((from, to)).or_default().insert(naming.how);
        }
    }
    let labels = uses.iter().map(|(ends, hows)| (*ends, label(hows))).collect();
    let group_links: Vec<Link> = uses
        .iter()
        .map(|(&(from, to), hows)| Link { from, to, soft: hows.iter().all(|how| *how == How::Order) })
        .collect();
    let hosts: BTreeSet<(&str, &str)> = components
        .iter()
        .flat_map(|one| hosts(one).iter().map(|host| (one.common().region.as_str(), host.as_str())))
        .collect();
    let on = if hosts.is_empty() { String::new() } else { format!(" on {}", count(hosts.len(), "host")) };
    let what = format!("{}: {}{on}", blueprint.name, count(components.len(), "component"));
    let caption = [what, legend("An arrow points at what is used", "only waits for it", &group_links)];
    let groups = components
        .iter()
        .map(|one| Group {
            region: &one.common().region,
            component: one.id().to_string().into(),
            nodes: 0..0,
            notes: notes(one),
        })
        .collect();
    let (nodes, links) = (Vec::new(), Vec::new());
    Picture { level: Level::Components, caption, groups, nodes, links, group_links, labels }
}

/// ":80, :443 /api/*".
fn label(hows: &BTreeSet<How>) -> String {
    let words: Vec<&str> = hows
        .iter()
        .map(|how| match how {
            How::Order => "depends_on",
            How::Output(output) => output,
            How::Traffic(what) => what,
        })
        .collect();
    list(&words, LABELS_MAX)
}

/// What it is, and where.
fn notes(component: &Component) -> Vec<String> {
    let what = match component {
        Component::Network(it) => it.cidr.map(|cidr| cidr.to_string()).or(it.existing.clone()),
        Component::Baseline(_) => None,
        Component::LoadBalancer(it) => {
            let mut ports: Vec<String> = it.listeners.iter().map(|one| one.port.to_string()).collect();
            ports.sort_by_key(|port| port.parse::<u16>().ok());
            let word = if ports.len() == 1 { "port" } else { "ports" };
            let ports = format!("{word} {}", list(&ports, NAMED_MAX));
            Some(it.virtual_ip.map_or(ports.clone(), |address| format!("{address}, {ports}")))
        }
        Component::AutoscalingGroup(it) => {
            let source = match &it.workload.source {
                WorkloadSource::Package { package, version: Some(version), .. } => {
                    format!("{package} {version}")
                }
                WorkloadSource::Package { package, .. } => package.clone(),
                WorkloadSource::Release { archive, .. } => {
                    archive.rsplit('/').next().unwrap_or(archive).to_owned()
                }
                WorkloadSource::Container { image, .. } => image.clone(),
                WorkloadSource::Image => it.image.clone().unwrap_or_default(),
            };
            let capacity = it.capacity;
            let members = match capacity.min == capacity.max {
                true => count(capacity.max as usize, "member"),
                false => format!("{} to {} members", capacity.min, capacity.max),
            };
            Some(format!("{source}, {members}"))
        }
        Component::Database(it) => {
            let version = it.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            let replicas = it.hosts.len().saturating_sub(1).max(it.replicas as usize);
            let how = match it.topology {
                Topology::Single => String::new(),
                Topology::PrimaryReplica => format!(", {}", count(replicas, "replica")),
                Topology::MultiPrimary => ", several primaries".to_owned(),
            };
            Some(format!("{}{version}{how}", engine(it.engine)))
        }
        Component::SessionStore(it) => {
            let engine = match it.engine {
                SessionEngine::Redis => "redis",
                SessionEngine::Valkey => "valkey",
            };
            let replicas = it.hosts.len().saturating_sub(1).max(it.replicas as usize);
            Some(format!("{engine}, {}", count(replicas, "replica")))
        }
        Component::Dns(it) => Some(format!("{}, {}", it.zone, count(it.records.len(), "record"))),
        Component::Monitoring(_) => None,
        Component::DisasterRecovery(it) => {
            let strategy = match it.strategy {
                RecoveryStrategy::BackupRestore => "backups",
                RecoveryStrategy::PilotLight => "pilot light",
                RecoveryStrategy::WarmStandby => "warm standby",
                RecoveryStrategy::ActiveActive => "active-active",
            };
            Some(format!("{strategy} of {} in {}", it.from, it.into))
        }
    };
    let hosts = hosts(component);
    let place = (!hosts.is_empty()).then(|| format!("on {}", list(hosts, NAMED_MAX)));
    what.into_iter().chain(place).collect()
}

fn engine(engine: DatabaseEngine) -> &'static str {
    match engine {
        DatabaseEngine::Postgres => "postgres",
        DatabaseEngine::Mysql => "mysql",
        DatabaseEngine::Mariadb => "mariadb",
        DatabaseEngine::AuroraPostgres => "aurora postgres",
        DatabaseEngine::AuroraMysql => "aurora mysql",
    }
}

fn hosts(component: &Component) -> &[String] {
    match component {
        Component::Baseline(it) => &it.hosts,
        Component::LoadBalancer(it) => &it.hosts,
        Component::AutoscalingGroup(it) => &it.hosts,
        Component::Database(it) => &it.hosts,
        Component::SessionStore(it) => &it.hosts,
        Component::Monitoring(it) => &it.hosts,
        Component::Network(_) | Component::Dns(_) | Component::DisasterRecovery(_) => &[],
    }
}
