use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ExpandRequest, Region,
    component::{Certificate, Dns, Listener, LoadBalancer},
};

use crate::{
    expand::{
        database::tests::network,
        expand,
        tests::{balancer, common, expanded, problems, region, shown},
    },
    recorded::stack,
};

fn requested(name: &str, domain: &str, also: &[&str]) -> Component {
    let also = also.iter().map(|&name| name.to_owned()).collect();
    let certificate = Some(Certificate::Requested { domain: domain.into(), also });
    let listeners = vec![Listener { port: 443, redirect_https: false, certificate, routes: vec![] }];
    Component::LoadBalancer(LoadBalancer { common: common(name), listeners, ..balancer(7) })
}

fn zone(name: &str, zone: &str) -> Component {
    Component::Dns(Dns { common: common(name), zone: zone.into(), existing: None, records: vec![] })
}

fn of_kinds(components: &[Component], which: usize, kinds: &[&str]) -> String {
    let mut expansion = expanded(&region(), components, which, &Answers::default()).unwrap();
    expansion.resources.retain(|one| kinds.contains(&one.kind.as_str()));
    expansion.outputs.clear();
    shown(&expansion)
}

#[test]
fn a_certificate_is_requested_proven_in_the_smallest_zone_and_awaited() {
    let components = [
        network(),
        requested("front", "shop.example.net", &["*.shop.example.net", "example.net", "a.eu.example.net"]),
        requested("back", "shop.example.net", &[]),
        zone("names", "Example.net."),
        zone("eu", "eu.example.net"),
    ];
    let kinds = ["requested_certificate", "listener", "validation_record"];
    let all: Vec<String> = [1, 3, 4].into_iter().map(|which| of_kinds(&components, which, &kinds)).collect();
    assert_snapshot!(all.join("---\n"));
}

#[test]
fn a_name_that_no_zone_holds_is_said_at_its_key() {
    let components = [
        network(),
        requested("front", "shop.example.org", &["shop.example.net", "notexample.net"]),
        zone("names", "example.net"),
    ];
    assert_snapshot!(problems(expanded(&region(), &components, 1, &Answers::default())));
}

#[test]
fn what_acm_would_refuse_is_said_at_its_key() {
    let said = |domain: &str, also: &[&str]| {
        let components = [network(), requested("front", domain, also), zone("names", "example.net")];
        match expanded(&region(), &components, 1, &Answers::default()) {
            Ok(_) => String::new(),
            Err(found) => problems(Err(found)),
        }
    };
    let of = |length: usize| format!("{}.shop.example.net", "a".repeat(length - ".shop.example.net".len()));
    let names: Vec<String> = (0..100).map(|at| format!("shop{at}.example.net")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(said(&of(64), &[&of(70)]), "");
    assert_eq!(said("example.net", &names[..99]), "");
    let long = said(&of(65), &[]);
    assert!(
        long.starts_with("listeners[0].certificate.domain: ") && long.contains("has 65 characters"),
        "{long}"
    );
    let many = said("example.net", &names);
    assert!(
        many.starts_with("listeners[0].certificate.also: ") && many.contains("100 names at most"),
        "{many}"
    );
}

#[test]
fn a_name_is_requested_in_one_account_only() {
    let regions =
        [region(), Region { name: "haven".into(), account: Some("210987654321".into()), ..region() }];
    let mut back = requested("back", "*.shop.example.net", &[]);
    let mut there = network();
    if let (Component::LoadBalancer(back), Component::Network(there)) = (&mut back, &mut there) {
        back.common.region = "haven".into();
        there.common.region = "haven".into();
    }
    let components =
        [network(), there, requested("front", "shop.example.net", &[]), back, zone("names", "example.net")];
    let told = |which: usize, region: usize| {
        let request = ExpandRequest {
            stack: &stack(),
            region: &regions[region],
            component: &components[which],
            components: &components,
            regions: &regions,
        };
        expand(&request, &Answers::default())
    };
    assert!(told(2, 0).is_ok(), "{:?}", told(2, 0));
    assert_eq!(
        problems(told(3, 1)),
        "listeners[0].certificate.domain: `load_balancers.front` requests `shop.example.net` in another account, and ACM asks \
         each account for a record of its own | Give the ARN of a certificate that is issued already, or a PEM file, to one of \
         them."
    );
}
