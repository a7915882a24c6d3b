use std::time::Duration;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, Map, OutputRef, SecretSource, Section, Value,
    component::{
        AutoscalingGroup, Backup, Capacity, Common, Database, DatabaseEngine, Failover, HealthCheck, Nat,
        Network, Replication, Topology, UpdatePolicy, Workload, WorkloadSource,
    },
};

use crate::expand::tests::{common, expanded, problems, region, shown};

pub(in crate::expand) fn database() -> Database {
    Database {
        common: common("orders"),
        engine: DatabaseEngine::Postgres,
        version: Some("16".into()),
        topology: Topology::PrimaryReplica,
        hosts: vec![],
        replication: Replication::default(),
        failover: Failover::default(),
        read_write_split: true,
        username: None,
        password: Some(Value::Secret(SecretSource::Env("SHOP_DB_PASSWORD".into()))),
        instance_type: Some("db.t4g.medium".into()),
        storage: Some(20 << 30),
        replicas: 3,
        backup: None,
        maintenance_window: None,
        parameters: Map::from([
            ("log_connections".into(), Value::Bool(true)),
            ("max_connections".into(), Value::Int(200)),
        ]),
    }
}

pub(in crate::expand) fn network() -> Component {
    let cidr = "10.20.0.0/16".parse().ok();
    Component::Network(Network { common: common("main"), cidr, nat: Nat::None, existing: None })
}

pub(in crate::expand) fn group(name: &str, environment: Map, depends_on: Vec<ComponentId>) -> Component {
    let source = WorkloadSource::Package { package: "nginx".into(), version: None, service: "nginx".into() };
    Component::AutoscalingGroup(AutoscalingGroup {
        common: Common { depends_on, ..common(name) },
        hosts: vec![],
        capacity: Capacity { min: 1, desired: 1, max: 1 },
        workload: Workload { source, files: vec![], environment },
        port: 80,
        health_check: HealthCheck {
            path: None,
            host: None,
            port: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy: 2,
            unhealthy: 2,
            stated: vec![],
        },
        scaling: vec![],
        update: UpdatePolicy {
            max_unavailable: 1,
            canary: 0,
            on_failure: Default::default(),
            health_timeout: Duration::from_secs(60),
        },
        instance_type: None,
        image: None,
        instance_types: vec![],
        spot: None,
        schedule: vec![],
    })
}

fn snapshot(database: Database) -> String {
    shown(&expanded(&region(), &[network(), Component::Database(database)], 1, &Answers::default()).unwrap())
}

#[test]
fn a_database_has_a_standby_and_read_replicas_over_the_zones() {
    assert_snapshot!(snapshot(database()));
}

#[test]
fn a_single_one_has_neither_and_rds_makes_its_password() {
    let single = Database {
        engine: DatabaseEngine::Mysql,
        version: Some("8.0.39".into()),
        topology: Topology::Single,
        read_write_split: false,
        replicas: 0,
        password: None,
        parameters: Map::new(),
        maintenance_window: Some("sun:03:00-sun:04:00".into()),
        backup: Some(Backup {
            every: Duration::from_secs(24 * 60 * 60),
            window: Some("02:00-03:00".into()),
            keep: Duration::from_secs(36 * 60 * 60),
            point_in_time: true,
            to: None,
            verify: None,
        }),
        common: Common { deletion_protection: Some(false), ..common("orders") },
        ..database()
    };
    assert_snapshot!(snapshot(single));
}

#[test]
fn without_failover_all_replicas_take_reads_and_one_more_moves_none() {
    let replicas = |count| {
        let database = Database { failover: Failover::Manual, replicas: count, ..database() };
        let components = [network(), Component::Database(database)];
        let all = expanded(&region(), &components, 1, &Answers::default()).unwrap().resources;
        assert!(all.iter().all(|one| one.inputs.get("multi_az") != Some(&true.into())));
        all.into_iter().filter(|one| one.kind == "db_replica").collect::<Vec<_>>()
    };
    let (three, four) = (replicas(3), replicas(4));
    assert_eq!((three.len(), four.len()), (3, 4));
    assert!(three.iter().all(|replica| four.contains(replica)));
}

#[test]
fn only_groups_that_refer_to_it_may_reach_it() {
    let id = ComponentId::new(Section::Databases, "orders");
    let environment = Map::from([("DB".into(), OutputRef::component(id.clone(), "writer"))]);
    let components = [
        network(),
        Component::Database(database()),
        group("web", environment, vec![]),
        group("jobs", Map::new(), vec![id]),
        group("other", Map::new(), vec![]),
    ];
    let all = expanded(&region(), &components, 1, &Answers::default()).unwrap().resources;
    let guard = all.iter().find(|one| one.kind == "security_group").unwrap();
    assert_snapshot!(guard.inputs["ingress"].to_string());
}

#[test]
fn what_rds_has_not_is_said_at_its_key() {
    let check = |database: Database| {
        problems(expanded(&region(), &[network(), Component::Database(database)], 1, &Answers::default()))
    };
    let backup = |every: u64, keep: u64| Backup {
        every: Duration::from_secs(every * 60 * 60),
        window: None,
        keep: Duration::from_secs(keep * 60 * 60),
        point_in_time: false,
        to: Some("/backups".into()),
        verify: Some(Duration::from_secs(1)),
    };
    assert_snapshot!(
        [
            check(Database { topology: Topology::MultiPrimary, ..database() }),
            check(Database { version: None, ..database() }),
            check(Database { version: Some("latest".into()), ..database() }),
            check(Database { engine: DatabaseEngine::Mysql, version: Some("8".into()), ..database() }),
            check(Database { instance_type: None, ..database() }),
            check(Database { instance_type: Some("t3.small".into()), ..database() }),
            check(Database { storage: Some(1 << 30), ..database() }),
            check(Database { replicas: 1, ..database() }),
            check(Database { replicas: 0, read_write_split: false, ..database() }),
            check(Database { password: None, ..database() }),
            check(Database { password: Some("a b".into()), ..database() }),
            check(Database { username: Some("9lives".into()), ..database() }),
            check(Database {
                replication: Replication::Synchronous,
                failover: Failover::Manual,
                ..database()
            }),
            check(Database { backup: Some(backup(6, 24 * 40)), ..database() }),
        ]
        .join("\n")
    );
}

#[test]
fn the_line_of_a_version_is_what_rds_brings_newer_ones_of() {
    for (engine, version, line) in [
        ("postgres", "16.4", "16"),
        ("postgres", "16", "16"),
        ("mysql", "8.0.39", "8.0"),
        ("aurora-mysql", "8.0.mysql_aurora.3.04.0", "8.0"),
        ("aurora-postgresql", "15.4", "15"),
        ("oracle-ee", "19.0.0.0", "19.0.0.0"),
    ] {
        assert_eq!(crate::expand::line_of(engine, version), line);
    }
}
