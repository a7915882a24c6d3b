//! What every test here needs: a region, a context, calls and components in few words.

use std::time::Duration;

use standfast_contract::{
    Address, Answers, Call, Component, ComponentId, Context, Desired, ExpandRequest, Expansion, Lookup, Map,
    ReadRequest, Region, Section, Stack, Value,
    alarm::{Alarm, Amount, Bound, Metric},
    component::{
        Algorithm, AutoscalingGroup, Backup, Baseline, Capacity, Certificate, Common, Database,
        DatabaseEngine, DisasterRecovery, Dns, DnsRecord, DnsRouting, Failover, FileContent, FileSpec,
        Firewall, FirewallRule, HealthCheck, Host, Listener, LoadBalancer, Monitoring, Nat, Network, Notify,
        RecoveryStrategy, Replication, Route, ScalingMetric, ScalingRule, ServiceSpec, SessionEngine,
        SessionStore, SimWorld, SshAccess, Stickiness, Topology, UpdatePolicy, Workload, WorkloadSource,
        Zone,
    },
};
use standfast_sim::{Sim, World};

pub fn stack() -> Stack {
    Stack { name: "shop".into(), environment: "default".into() }
}

pub fn context() -> Context {
    Context::quiet(stack())
}

/// A region of three zones without hosts.
pub fn region(name: &str) -> Region {
    let zone = |name: &str| Zone { name: name.into(), hosts: vec![] };
    Region {
        name: name.into(),
        provider: "sim".into(),
        location: None,
        zones: vec![zone("a"), zone("b"), zone("c")],
        ssh: SshAccess::default(),
        network: None,
        account: None,
        assume_role: None,
        sim: SimWorld::default(),
        tags: Map::new(),
    }
}

pub fn region_with_hosts(name: &str, zones: &[(&str, &[&str])]) -> Region {
    let zones = zones.iter().map(|(zone, hosts)| Zone {
        name: (*zone).into(),
        hosts: hosts
            .iter()
            .map(|host| Host { name: (*host).into(), address: (*host).into(), port: None, user: None })
            .collect(),
    });
    Region { zones: zones.collect(), ..region(name) }
}

pub fn node(name: &str) -> Address {
    let component = ComponentId::new(Section::Baselines, "test");
    Address::new("home", &component, "node", name)
}

pub fn call(address: &Address, token: &str, inputs: impl IntoIterator<Item = (&'static str, Value)>) -> Call {
    Call {
        address: address.clone(),
        kind: address.kind().to_owned(),
        place: Value::Map(Map::from([("region".into(), "home".into())])),
        token: token.into(),
        id: None,
        inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        prior: Map::new(),
        prior_outputs: Map::new(),
        changed: vec![],
    }
}

pub fn node_call(name: &str, token: &str) -> Call {
    call(&node(name), token, [("name", name.into()), ("zone", "a".into()), ("size", Value::Int(1))])
}

pub fn read(address: &Address, id: Option<&str>) -> ReadRequest {
    ReadRequest {
        address: address.clone(),
        kind: address.kind().to_owned(),
        place: Value::Map(Map::from([("region".into(), "home".into())])).into(),
        id: id.map(str::to_owned),
        token: None,
        recorded: None,
        desired: None,
    }
}

pub fn sim() -> Sim {
    Sim::new(World::memory().into())
}

pub fn common(name: &str) -> Common {
    Common { name: name.into(), region: "home".into(), ..Common::default() }
}

/// Expands one of the components.
pub fn expand(region: &Region, components: &[Component], which: usize, answers: &Answers) -> Expansion {
    let regions = [region.clone(), self::region("refuge")];
    let stack = stack();
    let request =
        ExpandRequest { stack: &stack, region, component: &components[which], components, regions: &regions };
    standfast_contract::Provider::expand(&sim(), &request, answers).unwrap()
}

/// Files that were looked up, by path and digest.
pub fn answers(files: &[(&str, &str)]) -> Answers {
    let answer = |(path, digest): &(&str, &str)| {
        let map = Map::from([("digest".into(), (*digest).into()), ("size".into(), Value::Int(1))]);
        (Lookup::File { path: (*path).into() }, Value::Map(map))
    };
    Answers(files.iter().map(answer).collect())
}

/// Resources as lines: `ADDRESS` and under it `attribute = value`.
pub fn shown(resources: &[Desired]) -> String {
    let mut text = String::new();
    for resource in resources {
        let protected = if resource.lifecycle.prevent_destroy { " (protected)" } else { "" };
        text.push_str(&format!("{}{protected}\n", resource.address));
        for (name, value) in &resource.inputs {
            text.push_str(&format!("    {name} = {value}\n"));
        }
        for after in &resource.after {
            text.push_str(&format!("    after {after}\n"));
        }
    }
    text
}

/// One of everything, in region `home`.
pub fn estate() -> Vec<Component> {
    let web = ComponentId::new(Section::AutoscalingGroups, "web");
    let file = |to: &str, content| FileSpec {
        to: to.into(),
        content,
        owner: "root".into(),
        group: "root".into(),
        mode: "0644".into(),
        sensitive: false,
        reloads: vec![],
        restarts: vec![],
        validate: None,
    };
    vec![
        Component::Network(Network {
            common: common("main"),
            cidr: Some("10.20.0.0/16".parse().unwrap()),
            nat: Nat::Single,
            existing: None,
        }),
        Component::Baseline(Baseline {
            common: common("hardening"),
            hosts: vec!["web1".into()],
            packages: vec!["chrony".into()],
            files: vec![file("/etc/motd", FileContent::Inline("hello".into()))],
            sysctl: vec![("net.ipv4.ip_forward".into(), Value::Int(0))],
            services: vec![ServiceSpec { name: "chrony".into(), enabled: true, running: true }],
            firewall: Some(Firewall {
                allow: vec![FirewallRule { protocol: "tcp".into(), ports: vec![22], from: vec![] }],
            }),
            ..Baseline::default()
        }),
        Component::LoadBalancer(LoadBalancer {
            common: common("front"),
            layer: 7,
            hosts: vec![],
            virtual_ip: None,
            algorithm: Algorithm::LeastConnections,
            listeners: vec![
                Listener { port: 80, redirect_https: true, certificate: None, routes: vec![] },
                Listener {
                    port: 443,
                    redirect_https: false,
                    certificate: Some(Certificate::Pem("/tls/shop.pem".into())),
                    routes: vec![
                        Route { path: Some("/api/*".into()), host: None, to: web.clone() },
                        Route { path: None, host: None, to: web.clone() },
                    ],
                },
            ],
            stickiness: Some(Stickiness { cookie: "SRV".into(), ttl: None }),
            drain_timeout: Duration::from_secs(30),
            internal: false,
            access_logs: None,
        }),
        Component::AutoscalingGroup(group("/releases/shop-1.tar.gz", 3)),
        Component::Database(Database {
            common: common("orders"),
            engine: DatabaseEngine::Postgres,
            version: Some("15".into()),
            topology: Topology::PrimaryReplica,
            hosts: vec![],
            replication: Replication::Synchronous,
            failover: Failover::Automatic,
            read_write_split: true,
            username: None,
            password: Some(Value::Secret(standfast_contract::SecretSource::Env("PASSWORD".into()))),
            instance_type: None,
            storage: Some(10 << 30),
            replicas: 2,
            backup: Some(Backup {
                every: Duration::from_secs(86_400),
                window: None,
                keep: Duration::from_secs(14 * 86_400),
                point_in_time: true,
                to: None,
                verify: None,
            }),
            maintenance_window: None,
            parameters: Map::new(),
        }),
        Component::SessionStore(SessionStore {
            common: common("sessions"),
            engine: SessionEngine::Redis,
            hosts: vec![],
            version: None,
            replicas: 1,
            password: None,
            instance_type: None,
        }),
        Component::Dns(Dns {
            common: common("public"),
            zone: "example.net".into(),
            existing: None,
            records: vec![DnsRecord {
                name: "shop".into(),
                to: ComponentId::new(Section::LoadBalancers, "front"),
                routing: DnsRouting::Simple,
                ttl: Duration::from_secs(60),
                health_check: None,
            }],
        }),
        Component::Monitoring(Monitoring {
            common: common("main"),
            hosts: vec![],
            notify: vec![("page".into(), Notify::Email("ops@example.net".into()))],
            retention: None,
            default_alarms: true,
            alarms: vec![Alarm {
                name: "slow".into(),
                of: ComponentId::new(Section::LoadBalancers, "front"),
                metric: Metric::Latency,
                bound: Some(Bound::Above(Amount::Duration(Duration::from_secs(1)))),
                lasting: Duration::from_secs(300),
                notify: vec!["page".into()],
            }],
        }),
        Component::DisasterRecovery(DisasterRecovery {
            common: common("main"),
            from: "home".into(),
            into: "refuge".into(),
            strategy: RecoveryStrategy::WarmStandby,
        }),
    ]
}

pub fn group(archive: &str, desired: u32) -> AutoscalingGroup {
    AutoscalingGroup {
        common: common("web"),
        hosts: vec![],
        capacity: Capacity { min: 2, desired, max: 6 },
        workload: Workload {
            source: WorkloadSource::Release { archive: archive.into(), run: "./serve".into(), user: None },
            files: vec![],
            environment: Map::new(),
        },
        port: 8080,
        health_check: HealthCheck {
            path: Some("/healthz".into()),
            host: None,
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
            stated: vec![],
        },
        scaling: vec![ScalingRule { metric: ScalingMetric::Cpu, target: 60.0 }],
        update: UpdatePolicy {
            max_unavailable: 1,
            canary: 1,
            on_failure: standfast_contract::OnFailure::Rollback,
            health_timeout: Duration::from_secs(60),
        },
        instance_type: None,
        image: None,
        instance_types: vec![],
        spot: None,
        schedule: vec![],
    }
}
