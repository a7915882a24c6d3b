use std::time::Duration;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, Expansion, Section,
    component::{
        Algorithm, Certificate, Common, Dns, DnsHealthCheck, DnsRecord, DnsRouting, Listener, LoadBalancer,
    },
};

use crate::expand::tests::{common, expanded, problems, region, shown};

fn balancer(name: &str, of: &str) -> Component {
    Component::LoadBalancer(LoadBalancer {
        common: Common { region: of.into(), ..common(name) },
        layer: 7,
        hosts: vec![],
        virtual_ip: None,
        algorithm: Algorithm::default(),
        listeners: vec![Listener { port: 80, redirect_https: false, certificate: None, routes: vec![] }],
        stickiness: None,
        drain_timeout: Duration::from_secs(30),
        internal: false,
        access_logs: None,
    })
}

fn record(name: &str, to: &str, routing: DnsRouting) -> DnsRecord {
    let to = ComponentId::new(Section::LoadBalancers, to);
    DnsRecord { name: name.into(), to, routing, ttl: Duration::from_secs(60), health_check: None }
}

fn components(records: Vec<DnsRecord>) -> [Component; 3] {
    let dns = Dns { common: common("names"), zone: "Example.net.".into(), existing: None, records };
    [Component::Dns(dns), balancer("front", "refuge"), balancer("back", "refuge")]
}

#[test]
fn names_lead_to_load_balancers_each_in_its_way() {
    let records = vec![
        record("@", "front", DnsRouting::Simple),
        record("*.shop", "front", DnsRouting::Simple),
        record("www", "front", DnsRouting::Failover),
        record("www", "back", DnsRouting::Failover),
        record("near.example.net", "back", DnsRouting::Latency),
    ];
    assert_snapshot!(shown(&expanded(&region(), &components(records), 0, &Answers::default()).unwrap()));
}

fn checked(record: DnsRecord, interval_s: u64, port: Option<u16>) -> DnsRecord {
    let health_check = DnsHealthCheck {
        path: Some("/healthz".into()),
        port,
        interval: Duration::from_secs(interval_s),
        unhealthy: 3,
    };
    DnsRecord { health_check: Some(health_check), ..record }
}

#[test]
fn names_are_asked_for_from_outside_in_the_listeners_own_way() {
    let tls = |name: &str| {
        let Component::LoadBalancer(mut it) = balancer(name, "refuge") else { unreachable!() };
        let certificate = Some(Certificate::Arn("arn:aws:acm:eu-west-1:123456789012:certificate/1".into()));
        it.listeners.push(Listener { port: 443, redirect_https: false, certificate, routes: vec![] });
        Component::LoadBalancer(it)
    };
    let connect = |record: DnsRecord| {
        let mut record = checked(record, 10, None);
        record.health_check.as_mut().unwrap().path = None;
        record
    };
    let records = vec![
        checked(record("www", "front", DnsRouting::Failover), 10, None),
        connect(record("www", "back", DnsRouting::Failover)),
        checked(record("plain", "front", DnsRouting::Latency), 30, Some(80)),
    ];
    let [dns, _, back] = components(records);
    let all = [dns, tls("front"), back];
    let expansion = expanded(&region(), &all, 0, &Answers::default()).unwrap();
    let checks = expansion.resources.into_iter().filter(|one| one.kind == "health_check");
    assert_snapshot!(shown(&Expansion { resources: checks.collect(), ..Expansion::default() }));

    let mut long = checked(record("www", "front", DnsRouting::Failover), 20, None);
    long.health_check.as_mut().unwrap().path = Some(format!("/{}", "x".repeat(255)));
    let wrong = vec![long, checked(record("www", "back", DnsRouting::Failover), 30, Some(8080))];
    assert_snapshot!(problems(expanded(&region(), &components(wrong), 0, &Answers::default())));
}

#[test]
fn names_that_contradict_each_other_are_refused() {
    let check = |records| problems(expanded(&region(), &components(records), 0, &Answers::default()));
    let slow = DnsRecord { ttl: Duration::from_secs(300), ..record("www", "front", DnsRouting::Simple) };
    let elsewhere = || {
        let dns = Dns {
            common: common("names"),
            zone: "example.net".into(),
            existing: None,
            records: vec![record("www", "front", DnsRouting::Simple)],
        };
        let mut home = region();
        home.provider = "ssh".into();
        let components = [Component::Dns(dns), balancer("front", "refuge")];
        problems(expanded(&home, &components, 0, &Answers::default()))
    };
    assert_snapshot!(
        [
            check(vec![slow]),
            check(vec![
                record("www", "front", DnsRouting::Simple),
                record("www", "back", DnsRouting::Simple)
            ]),
            check(vec![record("www", "front", DnsRouting::Failover)]),
            check(vec![
                record("www", "front", DnsRouting::Failover),
                record("www", "front", DnsRouting::Failover)
            ]),
            check(vec![
                record("www", "front", DnsRouting::Latency),
                record("www", "back", DnsRouting::Failover)
            ]),
            check(vec![
                record("www", "front", DnsRouting::Latency),
                record("www", "back", DnsRouting::Latency)
            ]),
            elsewhere(),
        ]
        .join("\n")
    );
}

#[test]
fn more_tags_than_route_53_takes_are_refused_where_a_zone_or_a_check_is_made() {
    let tagged = |count: usize, existing: Option<&str>, checks: bool| {
        let mut region = region();
        region.tags = (0..count).map(|at| (format!("tag{at}"), "x".into())).collect();
        let plain = record("www", "front", DnsRouting::Simple);
        let records = vec![if checks { checked(plain, 30, None) } else { plain }];
        let [Component::Dns(dns), front, back] = components(records) else { unreachable!() };
        let dns = Dns { existing: existing.map(str::to_owned), ..dns };
        let found = standfast_contract::Value::from(standfast_contract::Map::from([
            ("name".to_owned(), "example.net".into()),
            ("private".to_owned(), false.into()),
        ]));
        let mut answers = Answers::default();
        if let Some(zone) = existing {
            answers.0.insert(crate::expand::ask(&region, crate::look_up::ZONE, zone), found);
        }
        expanded(&region, &[Component::Dns(dns), front, back], 0, &answers).err().map(|told| told.len())
    };
    assert_eq!(tagged(5, None, true), None);
    assert_eq!(tagged(6, None, false), Some(1));
    assert_eq!(tagged(6, Some("Z1"), true), Some(1));
    assert_eq!(tagged(6, Some("Z1"), false), None, "records have no tags");
}
