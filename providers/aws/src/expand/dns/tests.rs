use std::time::Duration;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, Section,
    component::{Algorithm, Common, Dns, DnsRecord, DnsRouting, Listener, LoadBalancer},
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
        access_logs: None,
    })
}

fn record(name: &str, to: &str, routing: DnsRouting) -> DnsRecord {
    let to = ComponentId::new(Section::LoadBalancers, to);
    DnsRecord { name: name.into(), to, routing, ttl: Duration::from_secs(60) }
}

fn components(records: Vec<DnsRecord>) -> [Component; 3] {
    let dns = Dns { common: common("names"), zone: "Example.net.".into(), records };
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

#[test]
fn names_that_contradict_each_other_are_refused() {
    let check = |records| problems(expanded(&region(), &components(records), 0, &Answers::default()));
    let slow = DnsRecord { ttl: Duration::from_secs(300), ..record("www", "front", DnsRouting::Simple) };
    let elsewhere = || {
        let dns = Dns {
            common: common("names"),
            zone: "example.net".into(),
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
