use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, SecretSource, Value,
    component::{Nat, Network, SessionEngine, SessionStore},
};

use crate::expand::tests::{common, expanded, problems, region, shown};

pub(in crate::expand) fn store() -> SessionStore {
    SessionStore {
        common: common("sessions"),
        engine: SessionEngine::Redis,
        hosts: vec![],
        version: Some("7.1".into()),
        replicas: 2,
        password: Some(Value::Secret(SecretSource::Env("SHOP_SESSIONS".into()))),
        instance_type: Some("cache.t4g.small".into()),
    }
}

fn components(store: SessionStore) -> [Component; 2] {
    let cidr = "10.20.0.0/16".parse().ok();
    let network = Network { common: common("main"), cidr, nat: Nat::None, existing: None };
    [Component::Network(network), Component::SessionStore(store)]
}

#[test]
fn a_session_store_is_encrypted_and_takes_over_by_itself() {
    assert_snapshot!(shown(&expanded(&region(), &components(store()), 1, &Answers::default()).unwrap()));
}

#[test]
fn one_server_has_nobody_to_take_over() {
    let alone = SessionStore { replicas: 0, version: None, password: None, ..store() };
    let resources = expanded(&region(), &components(alone), 1, &Answers::default()).unwrap().resources;
    let group = resources.iter().find(|one| one.kind == "replication_group").unwrap();
    assert_eq!(group.inputs["failover"], false.into());
    assert!(!group.inputs.contains_key("version") && !group.inputs.contains_key("password"));
}

#[test]
fn what_elasticache_has_not_is_said_at_its_key() {
    let check = |store| problems(expanded(&region(), &components(store), 1, &Answers::default()));
    assert_snapshot!(
        [
            check(SessionStore { instance_type: None, ..store() }),
            check(SessionStore { instance_type: Some("t4g.small".into()), ..store() }),
            check(SessionStore { replicas: 6, ..store() }),
            check(SessionStore { version: Some("7".into()), ..store() }),
            check(SessionStore { password: Some("short".into()), ..store() }),
        ]
        .join("\n")
    );
}
