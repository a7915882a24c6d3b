//! Blueprints that name every kind, expanded: what tests of the kinds take their inputs from.

use std::time::Duration;

use standfast_contract::{
    Component, ComponentId, Desired, ExpandRequest, Expansion, Map, Region, SecretSource, Section, Target,
    Value,
    component::{
        Certificate, Common, DatabaseEngine, DisasterRecovery, Dns, DnsHealthCheck, DnsRecord, DnsRouting,
        Listener, Nat, Network, RecoveryStrategy, WorkloadSource,
    },
    outputs,
};

use super::{PROVIDER, database, expand, monitoring, session_store, tests};
use crate::recorded::stack;

const PEM: &str = "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n\
                   -----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n";
const PASSWORD: &str = "correct7Horse8Battery";

/// Every resource, with outputs and secrets that are known.
pub(crate) fn resources() -> Vec<Desired> {
    let strategies = [RecoveryStrategy::WarmStandby, RecoveryStrategy::BackupRestore];
    let expansions = strategies.into_iter().flat_map(|strategy| expansions(&components(strategy)));
    let mut resources: Vec<Desired> = expansions.flat_map(|(_, expansion)| expansion.resources).collect();
    for resource in &mut resources {
        resource.inputs = resource.inputs.iter().map(|(key, value)| (key.clone(), known(value))).collect();
    }
    resources
}

fn expansions(components: &[Component]) -> Vec<(Section, Expansion)> {
    let haven = Region { name: "haven".into(), location: Some("eu-central-1".into()), ..tests::region() };
    let regions = [tests::region(), haven];
    let expanded = |component: &Component| {
        let region = regions.iter().find(|one| one.name == component.common().region).unwrap();
        let request = ExpandRequest { stack: &stack(), region, component, components, regions: &regions };
        (component.section(), expand(&request, &tests::debian()).unwrap())
    };
    components.iter().map(expanded).collect()
}

#[test]
fn what_a_kind_needs_is_given() {
    for resource in resources() {
        let kind = crate::kinds::by_name(&resource.kind).unwrap().kind();
        for attribute in kind.attributes.iter().filter(|attribute| attribute.required) {
            assert!(resource.inputs.contains_key(attribute.name), "{}: {}", resource.address, attribute.name);
        }
    }
}

/// That no other is offered is asserted wherever something is expanded.
#[test]
fn every_output_of_the_table_is_offered() {
    let mut single = database::tests::database();
    (single.common.name, single.replicas, single.password) = ("single".into(), 1, None);
    single.read_write_split = false;
    let others = components(RecoveryStrategy::WarmStandby);
    let alone = expansions(&[others[0].clone(), Component::Database(single)]);
    let all: Vec<_> = expansions(&others).into_iter().chain(alone).collect();
    for output in outputs::OUTPUTS.iter().filter(|output| output.providers.contains(&PROVIDER)) {
        let is_offered = all.iter().any(|(section, expansion)| {
            *section == output.section && expansion.outputs.keys().any(|name| output.is(name))
        });
        assert!(is_offered, "{}.{}", output.section, output.name);
    }
}

fn components(strategy: RecoveryStrategy) -> Vec<Component> {
    let network = |region: &str| Network {
        common: Common { region: region.into(), ..tests::common("main") },
        cidr: "10.20.0.0/16".parse().ok(),
        nat: Nat::Single,
        existing: None,
    };
    let mut balancer = tests::balancer(7);
    balancer.listeners[1].certificate = Some(Certificate::Pem("/tls/shop.pem".into()));
    let requested = Certificate::Requested { domain: "shop.example.net".into(), also: vec![] };
    balancer.listeners.push(Listener {
        port: 8443,
        certificate: Some(requested),
        ..balancer.listeners[1].clone()
    });
    let mut aurora = database::tests::database();
    aurora.common.name = "ledger".into();
    aurora.engine = DatabaseEngine::AuroraPostgres;
    aurora.instance_type = Some("db.r6g.large".into());
    aurora.storage = None;
    let mut web = tests::group("web", 80);
    web.workload.source = WorkloadSource::Container { image: "shop:1".into(), command: vec![] };
    let token = Value::Secret(SecretSource::Env("SHOP_TOKEN".into()));
    web.workload.environment = Map::from([("TOKEN".into(), token)]);
    let recovery = DisasterRecovery {
        common: tests::common("main"),
        from: "refuge".into(),
        into: "haven".into(),
        strategy,
    };
    let mut components = vec![
        Component::Network(network("refuge")),
        Component::Network(network("haven")),
        Component::LoadBalancer(balancer),
        Component::AutoscalingGroup(web),
        Component::AutoscalingGroup(tests::group("api", 8080)),
        Component::Database(database::tests::database()),
        Component::SessionStore(session_store::tests::store()),
        Component::Dns(names()),
        Component::Monitoring(monitoring::tests::monitoring()),
        Component::DisasterRecovery(recovery),
    ];
    // The backups of Aurora go to no other region.
    if strategy != RecoveryStrategy::BackupRestore {
        components.push(Component::Database(aurora));
    }
    components
}

fn names() -> Dns {
    let record = DnsRecord {
        name: "www".into(),
        to: ComponentId::new(Section::LoadBalancers, "front"),
        routing: DnsRouting::Simple,
        ttl: Duration::from_secs(60),
        health_check: Some(DnsHealthCheck {
            path: Some("/healthz".into()),
            port: None,
            interval: Duration::from_secs(30),
            unhealthy: 3,
        }),
    };
    Dns { common: tests::common("names"), zone: "example.net".into(), existing: None, records: vec![record] }
}

/// As an apply has it: `vpc.id` for the output of what has been made.
fn known(value: &Value) -> Value {
    match value {
        Value::Output(reference) => {
            let of = match &reference.of {
                Target::Resource(address) => address.kind().to_owned(),
                Target::Component(id) => id.to_string(),
            };
            // What ACM says of a name.
            match reference.output.split_once(' ') {
                Some(("record_name", name)) => Value::Text(format!("_a.{name}")),
                Some(_) => "_b.acm-validations.aws".into(),
                None => Value::Text(format!("{of}.{}", reference.output)),
            }
        }
        Value::Secret(SecretSource::FileExact(_)) => PEM.into(),
        Value::Secret(_) => PASSWORD.into(),
        Value::Join(parts) => Value::Text(parts.iter().map(|part| known(part).to_string()).collect()),
        Value::List(items) => items.iter().map(known).collect(),
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (key.clone(), known(value))).collect()),
        plain => plain.clone(),
    }
}
