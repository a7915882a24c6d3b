use std::time::Duration;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, Map, Problem, SecretSource, Section, Value,
    alarm::{Alarm, Amount, Bound, Metric},
    component::{
        AutoscalingGroup, Common, Database, DatabaseEngine, Failover, Monitoring, Notify, Replication,
        ScheduledCapacity, SessionEngine, SessionStore, Topology,
    },
};

use crate::expand::tests::{balancer, common, expanded, group, problems, region, shown};

fn database() -> Database {
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
        replicas: 2,
        backup: None,
        maintenance_window: None,
        parameters: Map::from([("max_connections".into(), Value::Int(200))]),
    }
}

fn store() -> Component {
    Component::SessionStore(SessionStore {
        common: common("sessions"),
        engine: SessionEngine::Redis,
        hosts: vec![],
        version: Some("7.1".into()),
        replicas: 2,
        password: None,
        instance_type: Some("cache.t4g.small".into()),
    })
}

pub(in crate::expand) fn monitoring() -> Monitoring {
    let pager = Value::Secret(SecretSource::Env("SHOP_PAGER".into()));
    Monitoring {
        common: common("main"),
        hosts: vec![],
        notify: vec![
            ("page".into(), Notify::Webhook(pager)),
            ("mail".into(), Notify::Email("ops@example.net".into())),
        ],
        retention: None,
        default_alarms: true,
        alarms: vec![],
    }
}

fn alarm(name: &str, of: (Section, &str), metric: Metric, bound: Option<Bound>) -> Alarm {
    Alarm {
        name: name.into(),
        of: ComponentId::new(of.0, of.1),
        metric,
        bound,
        lasting: Duration::from_secs(15 * 60),
        notify: vec!["mail".into()],
    }
}

fn shop(monitoring: Monitoring) -> Vec<Component> {
    vec![
        Component::Monitoring(monitoring),
        Component::LoadBalancer(balancer(7)),
        Component::AutoscalingGroup(group("web", 80)),
        Component::AutoscalingGroup(group("api", 8080)),
        Component::Database(database()),
        store(),
    ]
}

fn said(components: &[Component]) -> String {
    let result: Result<_, Vec<Problem>> = expanded(&region(), components, 0, &Answers::default());
    problems(result)
}

/// The description of every alarm, its address first.
fn told(components: &[Component]) -> Vec<String> {
    let expansion = expanded(&region(), components, 0, &Answers::default()).unwrap();
    let alarms = expansion.resources.iter().filter(|one| one.kind == "alarm");
    alarms
        .map(|one| {
            let topics = one.inputs.get("topics").and_then(Value::as_list).unwrap_or_default().len();
            format!("{}: {} -> {topics}", one.address.name(), one.inputs["description"])
        })
        .collect()
}

#[test]
fn every_component_is_watched_for_what_matters_and_every_receiver_told() {
    assert_snapshot!(shown(&expanded(&region(), &shop(monitoring()), 0, &Answers::default()).unwrap()));
}

#[test]
fn an_alarm_takes_the_place_of_the_default_one_and_of_no_other() {
    let cpu = Some(Bound::Above(Amount::Share(70.0)));
    let disk = Some(Bound::Below(Amount::Bytes(4 << 30)));
    let orders = (Section::Databases, "orders");
    let alarms = vec![
        alarm("busy", orders, Metric::Cpu, cpu),
        alarm("full", orders, Metric::FreeStorage, disk),
        alarm("quiet", orders, Metric::Connections, None),
    ];
    let components = [
        Component::Monitoring(Monitoring { alarms: alarms.clone(), ..monitoring() }),
        Component::Database(Database { replicas: 1, ..database() }),
    ];
    assert_eq!(
        told(&components),
        [
            "busy: databases.orders cpu above 70% for 15m -> 1",
            "full: databases.orders free_storage below 4GiB for 15m -> 1",
        ]
    );
    let only = Monitoring { alarms, default_alarms: false, ..monitoring() };
    assert_eq!(told(&shop(only)).len(), 4, "two servers, two metrics");
    let none = Monitoring { default_alarms: false, ..monitoring() };
    let expansion = expanded(&region(), &shop(none), 0, &Answers::default()).unwrap();
    let kinds: Vec<&str> = expansion.resources.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["topic", "subscription", "topic", "subscription"], "and no empty dashboard");
}

#[test]
fn of_a_cluster_every_server_is_watched_and_the_one_furthest_behind() {
    let cluster = Database { engine: DatabaseEngine::AuroraPostgres, ..database() };
    let components = [Component::Monitoring(monitoring()), Component::Database(cluster)];
    let told = told(&components);
    let of = |metric: &str| told.iter().filter(|one| one.contains(metric)).count();
    assert_eq!(
        [") cpu above", "connections", "replica_lag", "free_storage"].map(of),
        [3, 3, 1, 0],
        "{told:?}"
    );
}

#[test]
fn a_schedule_that_lets_members_go_pages_nobody() {
    let mut web = group("web", 80);
    let night = |min| ScheduledCapacity {
        name: "night".into(),
        cron: "0 22 * * *".into(),
        time_zone: None,
        min,
        desired: None,
        max: Some(9),
    };
    let watched = |web: &AutoscalingGroup| {
        told(&[Component::Monitoring(monitoring()), Component::AutoscalingGroup(web.clone())])
            .into_iter()
            .find(|one| one.contains("healthy_members"))
    };
    let by_day = watched(&web).unwrap();
    web.schedule = vec![night(None)];
    assert_eq!(watched(&web), Some(by_day.clone()));
    web.schedule = vec![night(Some(1))];
    assert!(watched(&web).is_some_and(|one| one.contains("below 1 ") && one != by_day));
    web.schedule = vec![night(Some(0))];
    assert_eq!(watched(&web), None);
}

#[test]
fn what_is_elsewhere_is_watched_there() {
    let elsewhere = Common { region: "home".into(), ..common("orders") };
    let components = [
        Component::Monitoring(monitoring()),
        Component::Database(Database { common: elsewhere, ..database() }),
    ];
    assert_eq!(told(&components), Vec::<String>::new());
}

#[test]
fn what_cannot_be_watched_is_said_at_its_key() {
    let check = |change: &dyn Fn(&mut Monitoring), others: Vec<Component>| {
        let mut it = Monitoring { default_alarms: false, ..monitoring() };
        change(&mut it);
        said(&[vec![Component::Monitoring(it)], others].concat())
    };
    let with = |of, metric, bound: Bound, lasting: u64| {
        move |it: &mut Monitoring| {
            let lasting = Duration::from_secs(lasting);
            it.alarms.push(Alarm { lasting, ..alarm("one", of, metric, Some(bound)) });
        }
    };
    let share = Bound::Above(Amount::Share(80.0));
    let long = Bound::Above(Amount::Duration(Duration::from_secs(1)));
    let web = || vec![Component::AutoscalingGroup(group("web", 80))];
    let orders = |change: fn(&mut Database)| {
        let mut it = database();
        change(&mut it);
        vec![Component::Database(it)]
    };
    let (of_web, of_orders) = ((Section::AutoscalingGroups, "web"), (Section::Databases, "orders"));
    let unsized_ = orders(|it| {
        it.parameters.clear();
        it.instance_type = Some("db.x2g.large".into());
    });
    let away = orders(|it| it.common.region = "home".into());
    let receivers = |it: &mut Monitoring| {
        it.default_alarms = true;
        it.notify = (0..6).map(|at| (format!("r{at}"), Notify::Email("a@b".into()))).collect();
    };
    let in_clear = |it: &mut Monitoring| {
        it.notify[0].1 = Notify::Webhook("http://pager.example.net".into());
    };
    assert_snapshot!(
        [
            check(&|it| it.retention = Some(Duration::from_secs(60)), vec![]),
            check(&receivers, vec![]),
            check(&in_clear, vec![]),
            check(&with(of_web, Metric::Memory, share, 300), web()),
            check(&with(of_web, Metric::Cpu, share, 60), web()),
            check(&with(of_web, Metric::Cpu, share, 172_800), web()),
            check(
                &with((Section::LoadBalancers, "front"), Metric::Latency, long, 300),
                vec![Component::LoadBalancer(balancer(4))]
            ),
            check(
                &with((Section::LoadBalancers, "front"), Metric::CertificateExpiry, long, 86_400),
                vec![Component::LoadBalancer(balancer(4))]
            ),
            check(&with(of_orders, Metric::Memory, share, 300), orders(|_| {})),
            check(&with(of_orders, Metric::ReplicaLag, long, 300), orders(|it| it.replicas = 1)),
            check(
                &with(of_orders, Metric::FreeStorage, share, 300),
                orders(|it| it.engine = DatabaseEngine::AuroraMysql)
            ),
            check(&with(of_orders, Metric::Connections, share, 300), unsized_),
            check(&with(of_orders, Metric::Cpu, share, 300), away),
        ]
        .join("\n")
    );
}
