//! A load balancer: its address, the balancer, a target group for every group that it serves, its listeners.

use standfast_contract::{
    Address, Component, ComponentId, Map, OutputRef, SecretSource, Value,
    component::{AutoscalingGroup, Certificate, Listener, LoadBalancer},
};

use super::{Build, list, ms, text, word};

pub(super) fn target_group(region: &str, balancer: &ComponentId, group: &str) -> Address {
    Address::new(region, balancer, "target_group", group)
}

pub(super) fn expand(build: &mut Build<'_>, balancer: &LoadBalancer) {
    let requested = balancer.virtual_ip.map(|address| address.to_string());
    let address = build.add("address", "public", [("requested", text(requested.as_deref()))]);
    let subnets: Vec<Value> =
        build.zones.iter().map(|zone| build.subnet(zone)).filter(|subnet| *subnet != Value::Null).collect();
    let stickiness = balancer.stickiness.as_ref();
    let main = build.add(
        "balancer",
        "main",
        [
            ("layer", Value::Int(balancer.layer.into())),
            ("address", OutputRef::resource(&address, "id")),
            ("subnets", if subnets.is_empty() { Value::Null } else { subnets.into() }),
            ("hosts", list(&balancer.hosts)),
            ("algorithm", word(balancer.algorithm)),
            ("cookie", text(stickiness.map(|it| it.cookie.as_str()))),
            ("cookie_ttl_ms", stickiness.and_then(|it| it.ttl).map_or(Value::Null, ms)),
            ("drain_timeout_ms", ms(balancer.drain_timeout)),
            ("internal", if balancer.internal { true.into() } else { Value::Null }),
            (
                "access_logs",
                balancer
                    .access_logs
                    .as_ref()
                    .map_or(Value::Null, |it| format!("{}/{}", it.bucket, it.prefix).into()),
            ),
        ],
    );
    for group in groups(build, balancer) {
        let check = &group.health_check;
        build.add(
            "target_group",
            &group.common.name,
            [
                ("protocol", if balancer.layer == 7 { "http" } else { "tcp" }.into()),
                ("port", group.port.into()),
                ("check_path", text(check.path.as_deref())),
                ("check_host", text(check.host.as_deref())),
                ("check_port", check.port.map_or(Value::Null, Value::from)),
                ("check_interval_ms", ms(check.interval)),
                ("check_timeout_ms", ms(check.timeout)),
                ("healthy", check.healthy.into()),
                ("unhealthy", check.unhealthy.into()),
            ],
        );
    }
    let mut vital = vec![address.clone(), main.clone()];
    for listener in &balancer.listeners {
        let listener = add_listener(build, balancer, &main, listener);
        vital.push(listener);
    }
    let public = OutputRef::resource(&address, "address");
    let secure = balancer.listeners.iter().find(|listener| listener.certificate.is_some());
    let shown = secure.or(balancer.listeners.first());
    if let Some(listener) = shown {
        let mut url = vec![Value::from(protocol(balancer, listener)), "://".into(), public.clone()];
        if !matches!((protocol(balancer, listener), listener.port), ("http", 80) | ("https", 443)) {
            url.push(Value::Text(format!(":{}", listener.port)));
        }
        build.output("url", Value::Join(url));
    }
    build.output("address", public);
    let hosts = if balancer.hosts.is_empty() { &build.zones } else { &balancer.hosts };
    let hosts: Value = hosts.iter().map(String::as_str).collect();
    build.output("hosts", hosts);
    build.probe("balancer", &vital, &vital);
}

/// The groups that it serves, each once, in the order of its routes.
fn groups<'a>(build: &mut Build<'a>, balancer: &LoadBalancer) -> Vec<&'a AutoscalingGroup> {
    let mut found: Vec<&AutoscalingGroup> = Vec::new();
    for (at, listener) in balancer.listeners.iter().enumerate() {
        for (route_at, route) in listener.routes.iter().enumerate() {
            let group = build.request.components.iter().find_map(|component| match component {
                Component::AutoscalingGroup(group) if component.id() == route.to => Some(group),
                _ => None,
            });
            let key = format!("listeners[{at}].routes[{route_at}].to");
            match group {
                Some(group) if group.common.region != balancer.common.region => build.problem(
                    key,
                    format!(
                        "`{}` is in region `{}`, this load balancer is not",
                        route.to, group.common.region
                    ),
                ),
                Some(group) if found.iter().all(|known| known.common.name != group.common.name) => {
                    found.push(group);
                }
                Some(_) => {}
                None => build.problem(key, format!("`{}` is no autoscaling group", route.to)),
            }
        }
    }
    found
}

fn protocol(balancer: &LoadBalancer, listener: &Listener) -> &'static str {
    match (balancer.layer, &listener.certificate) {
        (7, Some(_)) => "https",
        (7, None) => "http",
        (_, Some(_)) => "tls",
        (_, None) => "tcp",
    }
}

fn add_listener(
    build: &mut Build<'_>,
    balancer: &LoadBalancer,
    main: &Address,
    listener: &Listener,
) -> Address {
    let routes = listener.routes.iter().map(|route| {
        let group = target_group(&build.region.name, &build.id, &route.to.name);
        let mut rule = Map::from([("target_group".into(), OutputRef::resource(&group, "id"))]);
        rule.extend(route.path.as_deref().map(|path| ("path".into(), path.into())));
        rule.extend(route.host.as_deref().map(|host| ("host".into(), host.into())));
        Value::Map(rule)
    });
    let routes: Vec<Value> = routes.collect();
    let (pem, arn) = match &listener.certificate {
        // Holds the key too: read by the vault, never looked up into a plan.
        Some(Certificate::Pem(path)) => (Value::Secret(SecretSource::FileExact(path.clone())), Value::Null),
        Some(Certificate::Arn(arn)) => (Value::Null, arn.as_str().into()),
        // Here it is its names: with others it is another one.
        Some(Certificate::Requested { domain, also }) => {
            let names: Vec<&str> = std::iter::once(domain).chain(also).map(String::as_str).collect();
            (Value::Null, names.join(", ").into())
        }
        None => (Value::Null, Value::Null),
    };
    build.add(
        "listener",
        &listener.port.to_string(),
        [
            ("balancer", OutputRef::resource(main, "id")),
            ("port", listener.port.into()),
            ("protocol", protocol(balancer, listener).into()),
            ("certificate", pem),
            ("certificate_arn", arn),
            ("redirect_https", if listener.redirect_https { true.into() } else { Value::Null }),
            ("routes", if routes.is_empty() { Value::Null } else { routes.into() }),
        ],
    )
}
