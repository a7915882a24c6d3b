//! What cannot be expanded, and what is said about it.

use standfast_contract::{
    Answers, Component, ComponentId, Lookup, Problem, Section, Value,
    component::{AccessLogs, Certificate, Common, Dns, Listener, ScheduledCapacity, Spot, WorkloadSource},
};

use super::fixtures::{self, Blueprint};
use crate::expand::site::inputs;

/// Expands with these answers and tells every problem in one line each.
fn refused(blueprint: &Blueprint, id: &str, answers: &Answers) -> Vec<String> {
    let problems = blueprint.expand(id, answers).expect_err("it was expanded");
    let line = |problem: &Problem| {
        assert!(problem.hint.is_some(), "{problem:?} has no hint");
        assert_eq!(problem.component.to_string(), id);
        format!("{}: {}", problem.key, problem.message)
    };
    problems.iter().map(line).collect()
}

fn front(change: impl FnOnce(&mut standfast_contract::component::LoadBalancer)) -> Vec<String> {
    let mut blueprint = fixtures::shop();
    change(blueprint.front());
    refused(&blueprint, "load_balancers.front", &fixtures::answers())
}

fn web(change: impl FnOnce(&mut standfast_contract::component::AutoscalingGroup)) -> Vec<String> {
    let mut blueprint = fixtures::shop();
    change(blueprint.group("web"));
    refused(&blueprint, "autoscaling_groups.web", &fixtures::answers())
}

#[test]
fn a_component_that_cannot_be_built_is_one_problem() {
    let mut blueprint = fixtures::shop();
    let common = Common { name: "zone".into(), region: "home".into(), ..Common::default() };
    blueprint.components.push(Component::Dns(Dns {
        common,
        zone: "example.net".into(),
        existing: None,
        records: Vec::new(),
    }));
    assert_eq!(
        refused(&blueprint, "dns.zone", &Answers::default()),
        [": the ssh provider cannot build dns yet (dns.zone)"]
    );
}

#[test]
fn hosts_without_facts_are_all_named() {
    assert_eq!(
        refused(&fixtures::shop(), "load_balancers.front", &Answers::default()),
        [
            "virtual_ip: nothing is known of host lb1: which interface shall hold 10.77.0.100?",
            "virtual_ip: nothing is known of host lb2: which interface shall hold 10.77.0.100?",
        ]
    );
}

#[test]
fn a_virtual_address_must_be_free_and_in_the_subnet() {
    assert_eq!(
        front(|it| it.virtual_ip = Some("10.78.0.100".parse().unwrap())),
        [
            "virtual_ip: no interface of host lb1 is in the subnet of 10.78.0.100",
            "virtual_ip: no interface of host lb2 is in the subnet of 10.78.0.100",
        ]
    );
    assert!(
        front(|it| it.virtual_ip = Some("10.77.0.23".parse().unwrap()))
            .contains(&"virtual_ip: 10.77.0.23 is the address of host web3".to_owned())
    );
}

#[test]
fn two_balancers_share_neither_hosts_nor_addresses() {
    let mut blueprint = fixtures::shop();
    let mut other = fixtures::front();
    other.common.name = "back".into();
    other.hosts = vec!["lb2".into()];
    blueprint.components.push(Component::LoadBalancer(other));
    assert_eq!(
        refused(&blueprint, "load_balancers.front", &fixtures::answers()),
        [
            "hosts: host lb2 is a host of load_balancers.back too: HAProxy has one configuration a host",
            "virtual_ip: load_balancers.back has the same virtual_ip",
        ]
    );
}

#[test]
fn every_mistake_of_a_balancer_is_reported_at_once() {
    let problems = front(|it| {
        it.hosts.push("lb9".into());
        it.internal = true;
        it.access_logs = Some(AccessLogs { bucket: "logs".into(), prefix: String::new() });
        it.listeners[1].certificate = Some(Certificate::Arn("arn:aws:acm:x".into()));
        let requested = Certificate::Requested { domain: "shop.example.net".into(), also: vec![] };
        it.listeners.push(Listener { port: 8443, certificate: Some(requested), ..it.listeners[0].clone() });
        it.listeners[1].routes[0].path = Some("/a b*".into());
        it.listeners[1].routes[2].to = ComponentId::new(Section::AutoscalingGroups, "gone");
        it.stickiness.as_mut().unwrap().cookie = "S\nglobal".into();
    });
    assert_eq!(
        problems,
        [
            "hosts[2]: region home has no host lb9",
            "internal: who reaches a load balancer on hosts is a matter of their addresses and their firewall",
            "access_logs: a load balancer on hosts writes its log into the host's journal, and to no bucket",
            "listeners[1].certificate: arn:aws:acm:x stays at AWS: a host cannot have its private key",
            "listeners[2].certificate: a certificate that AWS issues for shop.example.net stays there: a host cannot have its \
             private key",
            "stickiness.cookie: `S\\nglobal` cannot be written into a HAProxy configuration",
            "listeners[1].routes[0].path: `/a b*` cannot be written into a HAProxy configuration",
            "listeners[1].routes[2].to: autoscaling_groups.gone is no autoscaling group",
        ]
    );
}

#[test]
fn layer_four_sees_no_requests() {
    let problems = front(|it| it.layer = 4);
    assert_eq!(
        problems,
        [
            "stickiness: layer 4 sees no cookies",
            "listeners[0].redirect: layer 4 sees no requests that it could redirect",
            "listeners[1].routes: layer 4 sees neither paths nor host names",
        ]
    );
}

#[test]
fn a_pool_that_is_too_small_is_refused() {
    assert_eq!(
        web(|it| it.capacity.desired = 5),
        ["capacity.desired: 5 slots are desired, the pool has 4 hosts"]
    );
    assert_eq!(web(|it| it.hosts.clear()), ["hosts: a group of provider ssh needs hosts"]);
}

#[test]
fn a_container_is_refused_with_what_is_supported() {
    assert_eq!(
        web(|it| {
            it.workload.source = WorkloadSource::Container { image: "nginx:1".into(), command: Vec::new() };
        }),
        ["workload.container: the ssh provider cannot run containers yet (nginx:1)"]
    );
}

#[test]
fn hosts_have_no_image_to_start_from() {
    assert_eq!(
        web(|it| it.workload.source = WorkloadSource::Image),
        ["workload: hosts have no `image`: the group needs a `workload`"]
    );
}

#[test]
fn a_template_that_does_not_render_is_named_with_its_line() {
    let mut answers = fixtures::answers();
    let broken =
        inputs([("digest", "d".into()), ("size", 1_i64.into()), ("text", "a\n{{ nothing }}\n".into())]);
    answers.0.insert(Lookup::File { path: "/src/shop.conf.j2".into() }, Value::Map(broken));
    let problems = refused(&fixtures::shop(), "autoscaling_groups.web", &answers);
    assert_eq!(problems.len(), 1, "once, however many hosts: {problems:?}");
    assert!(
        problems[0].starts_with(
            "workload.files[0].template: the template does not render: /src/shop.conf.j2:2: undefined value"
        ),
        "{problems:?}"
    );
}

#[test]
fn local_files_that_are_not_there_are_each_named_once() {
    assert_eq!(
        refused(&fixtures::shop(), "autoscaling_groups.web", &Answers::default()),
        [
            "workload.files[0].template: there is no file /src/shop.conf.j2",
            "workload.files[1].from: there is no file /src/site",
        ]
    );
    assert_eq!(
        refused(&fixtures::shop(), "autoscaling_groups.api", &Answers::default()),
        ["workload.release: there is no file /src/api-1.4.2.tar.gz"]
    );
}

#[test]
fn an_environment_holds_texts_under_names() {
    let mut blueprint = fixtures::shop();
    blueprint.group("api").workload.environment =
        inputs([("A B", "x".into()), ("LIST", Value::List(Vec::new()))]);
    assert_eq!(
        refused(&blueprint, "autoscaling_groups.api", &fixtures::answers()),
        [
            "workload.environment.A B: `A B` is no name of an environment variable",
            "workload.environment.LIST: an environment variable is one text",
        ]
    );
}

#[test]
fn what_only_machines_that_are_made_can_have_is_refused() {
    let nights = ScheduledCapacity {
        name: "nights".into(),
        cron: "0 20 * * *".into(),
        time_zone: None,
        min: Some(1),
        desired: None,
        max: None,
    };
    assert_eq!(
        web(|it| {
            it.instance_types = vec!["t3.small".into()];
            it.spot = Some(Spot { share: 50, base: 0 });
            it.schedule = vec![nights];
        }),
        ["instance_types", "spot", "schedule"]
            .map(|key| format!("{key}: a fixed pool of hosts makes no machines"))
    );
}
