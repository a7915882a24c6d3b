use standfast_contract::{Value, component::HealthCheck};

use super::{content, expand, fixtures, is_in_order, listing, resource, rollout};

#[test]
fn a_package_becomes() {
    let expansion = expand(&fixtures::shop(), "autoscaling_groups.web");
    is_in_order(&expansion);
    insta::assert_snapshot!("web", listing(&expansion, "web1"));
    insta::assert_snapshot!("web_rollout", rollout(&expansion));
    insta::assert_json_snapshot!("web_outputs", expansion.outputs);
    insta::assert_json_snapshot!("web_probes", expansion.probes);
}

#[test]
fn a_release_becomes() {
    let expansion = expand(&fixtures::shop(), "autoscaling_groups.api");
    is_in_order(&expansion);
    insta::assert_snapshot!("api", listing(&expansion, "web2"));
    insta::assert_snapshot!(
        "api_unit",
        content(&expansion, "home/autoscaling_groups.api/systemd_unit.web2.shop-api.service")
    );
    let environment = "home/autoscaling_groups.api/file.web2.shop-api.env";
    insta::assert_json_snapshot!("api_environment", resource(&expansion, environment).inputs["content"]);
}

#[test]
fn slots_are_spread_over_zones_and_the_rest_are_spares() {
    let slots = |desired: u32| {
        let mut blueprint = fixtures::shop();
        blueprint.group("web").capacity.desired = desired;
        let outputs = expand(&blueprint, "autoscaling_groups.web").outputs;
        format!("{} | {} | {}", outputs["slots"], outputs["spares"], outputs["capacity"])
    };
    assert_eq!(slots(1), "[web1] | [web2, web3, web4] | 1 slot (min 2, max 4), 3 spares");
    assert_eq!(slots(3), "[web1, web2, web3] | [web4] | 3 slots (min 2, max 4), 1 spare");
    assert_eq!(slots(4), "[web1, web2, web3, web4] | [] | 4 slots (min 2, max 4), 0 spares");
}

#[test]
fn a_pool_promises_no_hosts_that_it_lacks() {
    let mut blueprint = fixtures::shop();
    blueprint.group("web").capacity.max = 9;
    let capacity = expand(&blueprint, "autoscaling_groups.web").outputs["capacity"].to_string();
    assert_eq!(capacity, "3 slots (min 2, max 9), 1 spare; the pool has no more than 4 hosts");
}

#[test]
fn without_a_load_balancer_there_is_nothing_to_drain() {
    let mut blueprint = fixtures::shop();
    blueprint.components.remove(0);
    let expansion = expand(&blueprint, "autoscaling_groups.web");
    for member in &expansion.rollouts[0].members {
        assert!(member.before.is_empty());
        assert_eq!(member.after.iter().map(|it| it.verb.as_str()).collect::<Vec<_>>(), ["health"]);
    }
}

#[test]
fn a_health_check_without_a_path_is_a_connect() {
    let mut blueprint = fixtures::shop();
    let group = blueprint.group("web");
    group.health_check = HealthCheck { path: None, port: Some(81), ..group.health_check.clone() };
    let expansion = expand(&blueprint, "autoscaling_groups.web");
    let health = &expansion.rollouts[0].members[0].after[0].inputs;
    assert_eq!(health["scheme"], Value::text("tcp"));
    assert_eq!(health["port"], Value::Int(81));
    let balancer = expand(&blueprint, "load_balancers.front");
    let config = content(&balancer, "home/load_balancers.front/file.lb1.haproxy.cfg");
    assert!(config.contains("option tcp-check"), "{config}");
    assert!(config.contains("default-server check port 81 inter 2s rise 2 fall 3"), "{config}");
}

#[test]
fn a_low_port_needs_one_capability_and_gets_no_other() {
    let mut blueprint = fixtures::shop();
    blueprint.group("api").port = 443;
    let expansion = expand(&blueprint, "autoscaling_groups.api");
    let unit = content(&expansion, "home/autoscaling_groups.api/systemd_unit.web1.shop-api.service");
    assert!(unit.contains(
        "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"
    ));
}
