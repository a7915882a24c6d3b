//! What AWS would refuse and the blueprint alone tells: each rule as a table of what is written and what is said of it.

use standfast_contract::{
    Answers, Component, ComponentId, Section,
    component::{
        Database, DatabaseEngine, Dns, LoadBalancer, Network, Region, Route, ScalingMetric, WorkloadSource,
        Zone,
    },
};

use super::{
    database::tests::{database, network},
    tests::{balancer, common, expanded, group, problems, region},
};

/// What is said of the second of the components, without an answer to any question; the key first.
fn said(component: Component) -> String {
    let components = [network(), component, Component::AutoscalingGroup(group("api", 80))];
    let found = expanded(&region(), &components, 1, &Answers::default()).err().unwrap_or_default();
    let told: Vec<_> = found.into_iter().filter(|problem| !problem.unanswered).collect();
    if told.is_empty() { String::new() } else { problems(Err(told)) }
}

#[test]
fn machines_have_a_size_and_an_image() {
    let with = |instance_type: &str, image: Option<&str>| {
        let mut group = group("web", 80);
        group.scaling.clear();
        (group.instance_type, group.image) = (Some(instance_type.into()), image.map(str::to_owned));
        said(Component::AutoscalingGroup(group))
    };
    for (instance_type, image) in [
        ("t3.small", None),
        ("u-6tb1.56xlarge", Some("ami-0123456789abcdef0")),
        ("m7i-flex.large", Some("/aws/service/debian/release/12/latest/amd64")),
        ("t3.small", Some("golden-image")),
    ] {
        assert_eq!(with(instance_type, image), "", "{instance_type} {image:?}");
    }
    for wrong in ["t3-small", "t3", "T3.small", "t3.", "db.t3.small", "t3 small"] {
        let told = with(wrong, None);
        assert!(told.starts_with(&format!("instance_type: `{wrong}` is no size of a machine")), "{told}");
    }
    let told = with("t3.small", Some("registry.example.net/shop:1.2"));
    assert!(told.starts_with("image: ") && told.contains("belongs under `workload`"), "{told}");
}

#[test]
fn what_is_there_already_is_named_by_its_id() {
    let existing = |id: &str| {
        said(Component::Network(Network {
            common: common("main"),
            cidr: None,
            nat: Default::default(),
            existing: Some(id.into()),
        }))
    };
    assert_eq!(existing("vpc-0123456789abcdef0"), "");
    assert!(existing("main").starts_with("existing: `main` is no id of a VPC"), "{}", existing("main"));
}

#[test]
fn a_group_is_checked_whole_before_its_image_is_known() {
    let mut group = group("web", 80);
    group.scaling[0].metric = ScalingMetric::Memory;
    group.workload.environment.insert("LINES".into(), "a\nb".into());
    group.workload.source = WorkloadSource::Container { image: "shop:1".into(), command: vec![] };
    let told = said(Component::AutoscalingGroup(group));
    assert!(told.contains("scaling[0]") && told.contains("workload.environment.LINES"), "{told}");
}

#[test]
fn the_first_user_of_a_database_is_no_word_of_its_engine() {
    let named = |engine: DatabaseEngine, name: &str| {
        said(Component::Database(Database {
            engine,
            username: Some(name.into()),
            version: Some("16.1".into()),
            ..database()
        }))
    };
    assert_eq!(named(DatabaseEngine::Postgres, "owner"), "");
    assert_eq!(named(DatabaseEngine::Mysql, "admin"), "");
    for (engine, name) in [(DatabaseEngine::Postgres, "Admin"), (DatabaseEngine::Mariadb, "rdsadmin")] {
        let told = named(engine, name);
        assert!(told.starts_with("username: `") && told.contains("is a word of the engine's own"), "{told}");
    }
}

#[test]
fn a_size_of_a_database_begins_with_db() {
    let sized =
        |class: &str| said(Component::Database(Database { instance_type: Some(class.into()), ..database() }));
    assert_eq!(sized("db.t4g.medium"), "");
    assert_eq!(
        sized("t4g.medium"),
        "instance_type: `t4g.medium` is no size of a database | Did you mean `db.t4g.medium`?"
    );
}

#[test]
fn a_zone_is_of_a_domain() {
    let zone = |zone: &str| {
        said(Component::Dns(Dns {
            common: common("names"),
            zone: zone.into(),
            existing: None,
            records: vec![],
        }))
    };
    assert_eq!(zone("example.net."), "");
    assert!(
        zone("net.").starts_with("zone: Route 53 makes no zone of a top-level domain: `net`"),
        "{}",
        zone("net.")
    );
}

#[test]
fn routes_are_such_as_an_alb_takes() {
    let routed = |path: Option<&str>, host: Option<&str>| {
        let mut it: LoadBalancer = balancer(7);
        let to = ComponentId::new(Section::AutoscalingGroups, "api");
        it.listeners[1].routes =
            vec![Route { path: path.map(str::to_owned), host: host.map(str::to_owned), to }];
        said(Component::LoadBalancer(it))
    };
    let long = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(routed(Some("/api/v1.0/~x/*"), None), "");
    assert_eq!(routed(Some(&long(128)), Some("*.shop.example.net")), "");
    assert_eq!(
        routed(Some(&long(129)), None),
        "listeners[1].routes[0].path: an ALB takes a path of 128 characters at most | Name a shorter one."
    );
    let strange = routed(Some("/caf\u{e9}/*"), None);
    assert!(
        strange.starts_with("listeners[1].routes[0].path: an ALB takes no `\u{e9}` in a path"),
        "{strange}"
    );
}

#[test]
fn a_region_has_an_account_and_zones_of_its_own() {
    let as_role = |role: &str| {
        let region = Region { assume_role: Some(role.into()), ..region() };
        expanded(&region, &[network()], 0, &Answers::default())
            .map(|_| String::new())
            .unwrap_or_else(|found| problems(Err(found)))
    };
    assert_eq!(as_role("arn:aws:iam::123456789012:role/ops/deploy"), "");
    for wrong in ["deploy", "arn:aws:iam::123456789012:user/me"] {
        assert!(
            as_role(wrong).starts_with(&format!("region.assume_role: `{wrong}` is no ARN of a role")),
            "{wrong}"
        );
    }
    let of = |account: Option<&str>, zones: &[&str]| {
        let zones = zones.iter().map(|name| Zone { name: (*name).into(), hosts: vec![] }).collect();
        let region = Region { account: account.map(str::to_owned), zones, ..region() };
        match expanded(&region, &[network()], 0, &Answers::default()) {
            Ok(_) => String::new(),
            Err(found) => problems(Err(found)),
        }
    };
    assert_eq!(of(Some("012345678901"), &["a", "eu-west-1b"]), "");
    for account in ["1234", "12345678901x", "shop", "1234-5678-9012"] {
        let told = of(Some(account), &["a", "b"]);
        assert!(told.starts_with(&format!("region.account: `{account}` is no account of AWS")), "{told}");
    }
    let told = of(None, &["eu-west-2a", "eu-west-1b"]);
    assert!(told.starts_with("region.zones: the zone `eu-west-2a` is not in eu-west-1"), "{told}");
}

#[test]
fn a_region_without_a_network_is_told_once() {
    let components = [
        Component::LoadBalancer(balancer(7)),
        Component::AutoscalingGroup(group("web", 80)),
        Component::Database(database()),
    ];
    let found: Vec<_> = (0..components.len())
        .flat_map(|which| {
            expanded(&region(), &components, which, &Answers::default()).err().unwrap_or_default()
        })
        .map(|problem| (problem.component.to_string(), problem.key))
        .collect();
    assert_eq!(found, [("load_balancers.front".to_owned(), "region".to_owned())]);
}
