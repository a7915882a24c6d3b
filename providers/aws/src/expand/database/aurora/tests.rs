use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component,
    component::{DatabaseEngine, Failover, Topology},
};

use super::*;
use crate::expand::{
    database::tests::{database, network},
    tests::{expanded, problems, region, shown},
};

fn aurora() -> Database {
    Database {
        engine: DatabaseEngine::AuroraPostgres,
        instance_type: Some("db.r6g.large".into()),
        storage: None,
        replicas: 2,
        maintenance_window: Some("sun:03:00-sun:04:00".into()),
        ..database()
    }
}

#[test]
fn a_cluster_has_a_server_in_each_zone_and_two_names() {
    let components = [network(), Component::Database(aurora())];
    assert_snapshot!(shown(&expanded(&region(), &components, 1, &Answers::default()).unwrap()));
}

#[test]
fn one_server_more_moves_none_and_a_single_one_is_alone() {
    let servers = |replicas, topology| {
        let database = Database { replicas, topology, read_write_split: false, ..aurora() };
        let components = [network(), Component::Database(database)];
        let all = expanded(&region(), &components, 1, &Answers::default()).unwrap().resources;
        all.into_iter().filter(|one| one.kind == "db_cluster_instance").collect::<Vec<_>>()
    };
    let (three, four) = (servers(2, Topology::PrimaryReplica), servers(3, Topology::PrimaryReplica));
    assert_eq!((three.len(), four.len(), servers(0, Topology::Single).len()), (3, 4, 1));
    assert!(three.iter().all(|server| four.contains(server)));
}

#[test]
fn what_aurora_has_not_is_said_at_its_key() {
    let check = |database: Database| {
        problems(expanded(&region(), &[network(), Component::Database(database)], 1, &Answers::default()))
    };
    let mysql = || Database { engine: DatabaseEngine::AuroraMysql, version: Some("8.0".into()), ..aurora() };
    let exact = Database { version: Some("8.0.mysql_aurora.3.08.0".into()), ..mysql() };
    assert!(expanded(&region(), &[network(), Component::Database(exact)], 1, &Answers::default()).is_ok());
    assert_snapshot!(
        [
            check(Database { storage: Some(20 << 30), ..aurora() }),
            check(Database { failover: Failover::Manual, ..aurora() }),
            check(Database { replicas: 0, ..aurora() }),
            check(Database { topology: Topology::MultiPrimary, ..aurora() }),
            check(Database { version: Some("8".into()), ..mysql() }),
            check(Database { password: Some("x".repeat(60).as_str().into()), ..mysql() }),
            check(Database { username: Some("a_name_of_more_than_16".into()), ..aurora() }),
        ]
        .join("\n")
    );
}
