use standfast_contract::Component;

use super::{content, expand, fixtures, is_in_order, listing, rollout};

#[test]
fn a_layer_seven_balancer_becomes() {
    let expansion = expand(&fixtures::shop(), "load_balancers.front");
    is_in_order(&expansion);
    insta::assert_snapshot!("front", listing(&expansion, "lb1"));
    insta::assert_snapshot!("front_rollout", rollout(&expansion));
    insta::assert_json_snapshot!("front_probes", expansion.probes);
    insta::assert_json_snapshot!("front_outputs", expansion.outputs);
    insta::assert_snapshot!(
        "haproxy_layer_7",
        content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg")
    );
    insta::assert_snapshot!(
        "keepalived",
        content(&expansion, "home/load_balancers.front/file.lb2.keepalived.conf")
    );
    insta::assert_snapshot!(
        "haproxy_reload",
        content(&expansion, "home/load_balancers.front/systemd_unit.lb1.haproxy.service.d-standfast.conf")
    );
    insta::assert_snapshot!(
        "haproxy_save_state",
        content(&expansion, "home/load_balancers.front/file.lb1.haproxy.save-state")
    );
}

#[test]
fn a_layer_four_balancer_becomes() {
    let mut blueprint = fixtures::shop();
    *blueprint.front() = fixtures::plain();
    let expansion = expand(&blueprint, "load_balancers.front");
    is_in_order(&expansion);
    insta::assert_snapshot!("plain", listing(&expansion, "lb2"));
    insta::assert_snapshot!(
        "haproxy_layer_4",
        content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg")
    );
    assert_eq!(expansion.outputs["url"].as_str(), Some("tcp://10.77.0.11:8443"));
}

#[test]
fn hosts_of_one_balancer_get_the_same_configuration() {
    let expansion = expand(&fixtures::shop(), "load_balancers.front");
    assert_eq!(
        content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg"),
        content(&expansion, "home/load_balancers.front/file.lb2.haproxy.cfg"),
    );
}

#[test]
fn the_configuration_follows_the_members_that_it_names() {
    let expansion = expand(&fixtures::shop(), "load_balancers.front");
    let config = super::resource(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg");
    for host in ["web1", "web2", "web3"] {
        let service = format!("home/autoscaling_groups.web/service.{host}.nginx");
        assert!(config.follows.iter().any(|address| address.as_str() == service), "{service}");
        super::resource(&expand(&fixtures::shop(), "autoscaling_groups.web"), &service);
        let service = format!("home/autoscaling_groups.api/service.{host}.shop-api");
        assert!(config.follows.iter().any(|address| address.as_str() == service), "{service}");
        super::resource(&expand(&fixtures::shop(), "autoscaling_groups.api"), &service);
    }
}

#[test]
fn virtual_routers_never_clash_and_stay_when_others_come() {
    let stack = fixtures::shop().stack;
    let balancer = |number: usize| {
        let mut front = fixtures::front();
        front.common.name = format!("front{number:03}");
        Component::LoadBalancer(front)
    };
    let many: Vec<Component> = (0..255).map(balancer).collect();
    let ids = crate::expand::keepalived::router_ids(&stack, &many);
    let mut seen: Vec<u8> = ids.values().copied().collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=255).collect::<Vec<u8>>());
    let alone = crate::expand::keepalived::router_ids(&stack, &[balancer(0)]);
    assert_eq!(alone.values().next(), ids.values().next());
}

#[test]
fn ipv6_is_listened_to_where_it_is_asked_for() {
    let mut blueprint = fixtures::shop();
    let front = blueprint.front();
    front.virtual_ip = None;
    blueprint.regions[0].zones[0].hosts[1].address = "fd00::21".into();
    blueprint.regions[0].zones[0].hosts[0].address = "fd00::11".into();
    let expansion = expand(&blueprint, "load_balancers.front");
    let config = content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg");
    assert!(config.contains("bind :::443 v4v6 ssl"), "{config}");
    assert!(config.contains("server web1 [fd00::21]:80"), "{config}");
    assert_eq!(expansion.outputs["url"].as_str(), Some("https://[fd00::11]"));
}

#[test]
fn a_host_that_cannot_be_asked_is_taken_to_be_wired_as_the_others() {
    let blueprint = fixtures::shop();
    let mut answers = fixtures::answers();
    answers.0.remove(&crate::expand::site::facts_of("home", "lb1")).unwrap();
    let guessed = blueprint.expand("load_balancers.front", &answers).unwrap();
    assert_eq!(guessed.resources, expand(&blueprint, "load_balancers.front").resources);
}
