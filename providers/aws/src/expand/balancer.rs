//! A load balancer: an ALB for layer 7, an NLB for layer 4, with a target group for every group that it serves.
//!
//! Its stickiness is a cookie of AWS's own (`AWSALB`): AWS gives it no other name. Where the blueprint says nothing of a
//! health check, what is each two seconds elsewhere is each five here, AWS's shortest.

use std::time::Duration;

use standfast_contract::{
    Address, Component, ComponentId, ExpandRequest, Map, OutputRef, SecretSource, Value,
    component::{Algorithm, AutoscalingGroup, Certificate, HealthCheck, Listener, LoadBalancer, Route},
};

use super::{
    Build, certificates,
    network::{self, Within},
};
use crate::{
    health,
    kinds::map,
    names::{self, LONG_MAX, SHORT_MAX},
};

#[cfg(test)]
mod tests;

const SERVICE: &str = "elasticloadbalancing";
/// TLS 1.2 and 1.3. <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";
const ANYWHERE: &str = "0.0.0.0/0";
/// Where a cookie says nothing of its age.
const COOKIE_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>
const COOKIE_TTL_S: std::ops::RangeInclusive<u64> = 1..=7 * 24 * 60 * 60;
// AWS's limits of a health check, and of draining, in seconds.
const INTERVAL_S: std::ops::RangeInclusive<u64> = 5..=300;
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 2..=120;
const THRESHOLD: std::ops::RangeInclusive<u32> = 2..=10;
/// Characters of a health check's path.
const PATH_MAX: usize = 1_024;
const DRAIN_MAX_S: u64 = 3_600;
/// Of a path or host of a rule, and what a path is made of.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
const CONDITION_MAX: usize = 128;
const OF_PATHS: &str = "_-.$/~\"'@:+&*?";

/// The target group of a group behind a balancer.
pub(super) fn target_group(region: &str, balancer: &ComponentId, group: &str) -> Address {
    Address::new(region, balancer, "target_group", group)
}

pub(super) fn expand(build: &mut Build<'_>, balancer: &LoadBalancer) {
    let Some(within) = network::within(build) else { return };
    check(build, balancer, &within);
    let groups = groups(build, balancer);
    let stack = build.request.stack;
    let guard = add_guard(build, balancer, &within, &groups);
    let is_http = balancer.layer == 7;
    let elastic_ips = elastic_ips(build, balancer, &within);
    let has_addresses = elastic_ips != Value::Null;
    let protected = balancer.common.deletion_protection.unwrap_or(false);
    let mut settings = map([("deletion_protection.enabled", protected.to_string().into())]);
    let more = if is_http {
        ("routing.http.drop_invalid_header_fields.enabled", "true")
    } else {
        // Else a zone whose members are down answers nobody.
        ("load_balancing.cross_zone.enabled", "true")
    };
    settings.insert(more.0.into(), more.1.into());
    settings.extend(access_logs(balancer));
    let address = build.address("load_balancer", "main");
    let main = build.add(
        SERVICE,
        "load_balancer",
        "main",
        [
            ("name", names::name(stack, &address, SHORT_MAX).into()),
            ("type", if is_http { "application" } else { "network" }.into()),
            ("scheme", if balancer.internal { "internal" } else { "internet-facing" }.into()),
            ("vpc", within.vpc.clone()),
            ("subnets", subnets(balancer, &within).to_vec().into()),
            ("elastic_ips", elastic_ips),
            ("security_groups", vec![OutputRef::resource(&guard, "id")].into()),
            ("settings", settings.into()),
        ],
    );
    // AWS makes none that faces the Internet in a network without a way to it.
    let way_in = within.way_in.clone().filter(|_| !balancer.internal);
    if let Some(desired) = build.out.resources.last_mut() {
        desired.after.extend(way_in);
    }
    if has_addresses {
        // They are at one load balancer at a time.
        build.never_twice();
    }
    let listeners = balancer.listeners.iter().map(|listener| {
        let port = listener.port.to_string();
        let address = build.address("listener", &port);
        (port, OutputRef::resource(&address, "id"))
    });
    let listeners: Map = listeners.collect();
    build.probe(
        "balancer",
        health::BALANCER,
        [("balancer", OutputRef::resource(&main, "id")), ("listeners", listeners.into())],
    );
    for group in &groups {
        let targets = add_target_group(build, balancer, &within, group);
        build.probe(
            &group.common.name,
            health::TARGETS,
            [("target_group", OutputRef::resource(&targets, "id"))],
        );
    }
    for (at, listener) in balancer.listeners.iter().enumerate() {
        add_listener(build, balancer, &main, (at, listener));
    }
    outputs(build, balancer, &main);
}

/// One that faces the Internet is where that is reached.
fn subnets<'a>(balancer: &LoadBalancer, within: &'a Within) -> &'a [Value] {
    if balancer.internal { &within.private } else { &within.public }
}

/// Said when there are none too, so that what is taken out of the blueprint ends.
fn access_logs(balancer: &LoadBalancer) -> Map {
    let logs = balancer.access_logs.as_ref();
    let text = |text: Option<&str>| crate::kinds::text(text);
    map([
        ("access_logs.s3.enabled", logs.is_some().to_string().into()),
        ("access_logs.s3.bucket", text(logs.map(|logs| logs.bucket.as_str()))),
        ("access_logs.s3.prefix", text(logs.map(|logs| logs.prefix.as_str()))),
    ])
}

fn outputs(build: &mut Build<'_>, balancer: &LoadBalancer, main: &Address) {
    let name = OutputRef::resource(main, "dns_name");
    let secure = balancer.listeners.iter().find(|listener| listener.certificate.is_some());
    if let Some(listener) = secure.or(balancer.listeners.first()) {
        let scheme = match (balancer.layer, secure) {
            (7, Some(_)) => "https",
            (7, None) => "http",
            _ => "tcp",
        };
        let mut url = vec![Value::from(scheme), "://".into(), name.clone()];
        if !matches!((scheme, listener.port), ("http", 80) | ("https", 443)) {
            url.push(format!(":{}", listener.port).into());
        }
        build.output("url", Value::Join(url));
    }
    build.output("address", name);
    build.output("zone_id", OutputRef::resource(main, "zone_id"));
}

fn check(build: &mut Build<'_>, balancer: &LoadBalancer, within: &Within) {
    let ttl = balancer.stickiness.as_ref().and_then(|it| it.ttl);
    if ttl.is_some_and(|ttl| !COOKIE_TTL_S.contains(&ttl.as_secs()) || ttl.subsec_nanos() > 0) {
        build.problem(
            "stickiness.ttl",
            "a cookie of a load balancer on AWS lasts whole seconds, seven days at most",
            "For example `ttl: 1h`.",
        );
    }
    if balancer.virtual_ip.is_some() {
        build.problem(
            "virtual_ip",
            "a load balancer on AWS has addresses of its own",
            "Remove `virtual_ip`.",
        );
    }
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>
    if balancer.layer == 7 && subnets(balancer, within).len() < 2 && !build.keeps("subnets") {
        let tier = if balancer.internal { "private" } else { "public" };
        build.problem(
            "region",
            format!("an ALB needs {tier} subnets in two zones at least"),
            format!("Say `zones: 2` or more under `regions.{}`.", build.region.name),
        );
    }
    if balancer.layer == 7 && !balancer.internal && !within.is_balanced && !build.keeps("subnets") {
        build.problem(
            "region",
            "the public subnets of its network are too small for a load balancer: AWS asks for a /27, and the cut leaves less",
            "Give the network a /21 or more.",
        );
    }
    match (balancer.layer, balancer.algorithm) {
        (7, Algorithm::SourceIp) => build.problem(
            "algorithm",
            "an ALB cannot choose by the client's address",
            "Keep clients at one member with `stickiness`, or say `layer: 4`.",
        ),
        (4, Algorithm::LeastConnections) => build.problem(
            "algorithm",
            "an NLB cannot choose by open connections",
            "Leave `algorithm` out, or say `layer: 7`.",
        ),
        _ => {}
    }
    if balancer.drain_timeout.as_secs() > DRAIN_MAX_S {
        build.problem("drain_timeout", "AWS drains for an hour at most", "Say `1h` or less.");
    }
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html>
    if balancer.layer == 4 && balancer.access_logs.is_some() {
        build.problem(
            "access_logs",
            "an NLB logs TLS connections only, and at layer 4 there are none here",
            "Remove `access_logs`, or say `layer: 7`.",
        );
    }
    check_conditions(build, balancer);
}

fn check_conditions(build: &mut Build<'_>, balancer: &LoadBalancer) {
    for (at, listener) in balancer.listeners.iter().enumerate() {
        for (route_at, route) in listener.routes.iter().enumerate() {
            for (key, condition) in [("path", &route.path), ("host", &route.host)] {
                let Some(condition) = condition else { continue };
                let key_of = format!("listeners[{at}].routes[{route_at}].{key}");
                let is_strange = |c: &char| !c.is_ascii_alphanumeric() && !OF_PATHS.contains(*c);
                if key == "host" && !is_host(condition) {
                    build.problem(
                        key_of,
                        format!("an ALB takes no host `{condition}`: it has a dot at least, and letters behind the last one"),
                        "For example `shop.example.net` or `*.example.net`.",
                    );
                } else if condition.len() > CONDITION_MAX {
                    let message = format!("an ALB takes a {key} of {CONDITION_MAX} characters at most");
                    build.problem(key_of, message, "Name a shorter one.");
                } else if let Some(strange) = condition.chars().find(is_strange) {
                    build.problem(
                        key_of,
                        format!("an ALB takes no `{strange}` in a {key}"),
                        format!("It takes letters, digits and {OF_PATHS}"),
                    );
                }
            }
        }
    }
}

fn is_host(host: &str) -> bool {
    host.rsplit_once('.').is_some_and(|(_, top)| {
        !top.is_empty() && top.chars().all(|c| c.is_ascii_alphabetic() || "*?".contains(c))
    })
}

/// Who may come in: anyone, or what is in the network, at the listeners' ports and nowhere else; and out to the members only.
fn add_guard(
    build: &mut Build<'_>,
    balancer: &LoadBalancer,
    within: &Within,
    groups: &[&AutoscalingGroup],
) -> Address {
    let rules = |port: u16, cidrs: &[Value]| -> Vec<Value> {
        let rule = |cidr: &Value| {
            map([("protocol", "tcp".into()), ("port", port.into()), ("cidr", cidr.clone())]).into()
        };
        cidrs.iter().map(rule).collect()
    };
    let anywhere = [ANYWHERE.into()];
    let from = if balancer.internal { &within.cidrs[..] } else { &anywhere };
    let ingress = balancer.listeners.iter().flat_map(|listener| rules(listener.port, from));
    let mut ports: Vec<u16> =
        groups.iter().flat_map(|group| [Some(group.port), group.health_check.port]).flatten().collect();
    ports.sort_unstable();
    ports.dedup();
    let egress: Vec<Value> = ports.into_iter().flat_map(|port| rules(port, &within.cidrs)).collect();
    let address = build.address("security_group", "main");
    build.add(
        "ec2",
        "security_group",
        "main",
        [
            ("vpc", within.vpc.clone()),
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("description", format!("{}: clients to it, and it to its members", build.id).into()),
            ("ingress", ingress.collect()),
            ("egress", if egress.is_empty() { Value::Null } else { egress.into() }),
        ],
    )
}

/// An NLB that faces the Internet has an address of its own in each zone, which stays; those of one that keeps its addresses are nobody's here.
fn elastic_ips(build: &mut Build<'_>, balancer: &LoadBalancer, within: &Within) -> Value {
    if balancer.layer == 7 || balancer.internal || build.keeps("elastic_ips") {
        return Value::Null;
    }
    let zones = build.zones.clone();
    let each = (0..within.public.len()).map(|at| {
        let zone = zones.get(at).cloned().unwrap_or_else(|| at.to_string());
        let address = build.add("ec2", "elastic_ip", &zone, []);
        OutputRef::resource(&address, "id")
    });
    each.collect()
}

/// The groups that it serves, and a problem of each that is elsewhere.
fn groups<'a>(build: &mut Build<'a>, balancer: &LoadBalancer) -> Vec<&'a AutoscalingGroup> {
    for (at, listener) in balancer.listeners.iter().enumerate() {
        for (route_at, route) in listener.routes.iter().enumerate() {
            let group = group(build.request, route);
            if let Some(group) = group.filter(|group| group.common.region != balancer.common.region) {
                let message = format!("`{}` is in region `{}`, this is not", route.to, group.common.region);
                build.problem(format!("listeners[{at}].routes[{route_at}].to"), message, "");
            }
        }
    }
    served(build.request, balancer)
}

/// The groups of its region that it serves, each once, in the order of its routes.
pub(super) fn served<'a>(request: &ExpandRequest<'a>, balancer: &LoadBalancer) -> Vec<&'a AutoscalingGroup> {
    let mut found: Vec<&AutoscalingGroup> = Vec::new();
    let routes = balancer.listeners.iter().flat_map(|listener| &listener.routes);
    for group in routes.filter_map(|route| group(request, route)) {
        let is_here = group.common.region == balancer.common.region;
        if is_here && found.iter().all(|known| known.common.name != group.common.name) {
            found.push(group);
        }
    }
    found
}

fn group<'a>(request: &ExpandRequest<'a>, route: &Route) -> Option<&'a AutoscalingGroup> {
    request.components.iter().find_map(|component| match component {
        Component::AutoscalingGroup(group) if component.id() == route.to => Some(group),
        _ => None,
    })
}

/// What the blueprint says of a health check must be what AWS takes; a default is fitted to it.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
pub(super) fn check_health(build: &mut Build<'_>, health: &HealthCheck) {
    let is_stated = |key: &str| health.stated.contains(&key);
    for (key, duration, limits) in
        [("interval", health.interval, INTERVAL_S), ("timeout", health.timeout, TIMEOUT_S)]
    {
        let fits = duration.subsec_nanos() == 0 && limits.contains(&duration.as_secs());
        if is_stated(key) && !fits {
            let (least, most) = (limits.start(), limits.end());
            build.problem(
                format!("health_check.{key}"),
                format!("a load balancer of AWS takes {least} s to {most} s, in whole seconds"),
                format!("Say `{key}: {least}s` or more, or leave it out."),
            );
        }
    }
    for (key, count) in [("healthy", health.healthy), ("unhealthy", health.unhealthy)] {
        if is_stated(key) && !THRESHOLD.contains(&count) {
            let (least, most) = (THRESHOLD.start(), THRESHOLD.end());
            build.problem(
                format!("health_check.{key}"),
                format!("a load balancer of AWS counts {least} to {most} checks in a row"),
                format!("Say `{key}: {least}` or more, or leave it out."),
            );
        }
    }
    if health.host.is_some() {
        build.problem(
            "health_check.host",
            "a load balancer of AWS asks each member by its address, and names no other host",
            "Remove `host`, and let the members answer the check under any name.",
        );
    }
    if health.path.as_ref().is_some_and(|path| path.len() > PATH_MAX) {
        build.problem(
            "health_check.path",
            format!("a load balancer of AWS takes a path of {PATH_MAX} characters at most"),
            "Say a shorter one.",
        );
    }
    let (interval, timeout) = timing(health);
    if is_stated("timeout")
        && TIMEOUT_S.contains(&health.timeout.as_secs())
        && timeout != seconds(health.timeout)
    {
        build.problem(
            "health_check.timeout",
            format!("a load balancer of AWS must give up before the next check, {interval} s later"),
            "Say a shorter `timeout`, or a longer `interval`.",
        );
    }
}

/// Interval and timeout, fitted.
fn timing(health: &HealthCheck) -> (i64, i64) {
    let interval = within_limits(health.interval.as_secs(), &INTERVAL_S);
    (interval, within_limits(health.timeout.as_secs(), &TIMEOUT_S).min(interval - 1))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn within_limits(seconds: u64, limits: &std::ops::RangeInclusive<u64>) -> i64 {
    i64::try_from(seconds.clamp(*limits.start(), *limits.end())).unwrap_or(i64::MAX)
}

fn add_target_group(
    build: &mut Build<'_>,
    balancer: &LoadBalancer,
    within: &Within,
    group: &AutoscalingGroup,
) -> Address {
    let is_http = balancer.layer == 7;
    let health = &group.health_check;
    let address = target_group(&build.region.name, &build.id, &group.common.name);
    let protocol = if is_http { "HTTP" } else { "TCP" };
    let mut settings = map([(
        "deregistration_delay.timeout_seconds",
        balancer.drain_timeout.as_secs().min(DRAIN_MAX_S).to_string().into(),
    )]);
    settings.extend(stickiness(balancer));
    let (interval, timeout) = timing(health);
    let threshold = |count: u32| count.clamp(*THRESHOLD.start(), *THRESHOLD.end());
    // An ALB checks by HTTP only.
    let path = health.path.as_deref().or(is_http.then_some("/"));
    build.add(
        SERVICE,
        "target_group",
        &group.common.name,
        [
            ("name", names::name(build.request.stack, &address, SHORT_MAX).into()),
            ("vpc", within.vpc.clone()),
            ("protocol", protocol.into()),
            ("port", group.port.into()),
            ("check_protocol", if path.is_some() { "HTTP" } else { "TCP" }.into()),
            ("check_path", crate::kinds::text(path)),
            ("check_port", health.port.map_or("traffic-port".into(), |port| port.to_string().into())),
            ("check_matcher", if path.is_some() { "200-399".into() } else { Value::Null }),
            ("check_interval_s", interval.into()),
            ("check_timeout_s", timeout.into()),
            ("healthy", threshold(health.healthy).into()),
            ("unhealthy", threshold(health.unhealthy).into()),
            ("settings", settings.into()),
        ],
    )
}

fn stickiness(balancer: &LoadBalancer) -> Map {
    let text = |text: &str| Value::text(text);
    match (balancer.layer, &balancer.stickiness, balancer.algorithm) {
        (7, stickiness, algorithm) => {
            let ttl = stickiness.as_ref().map(|it| it.ttl.unwrap_or(COOKIE_TTL));
            map([
                ("stickiness.enabled", text(if ttl.is_some() { "true" } else { "false" })),
                ("stickiness.type", text("lb_cookie")),
                (
                    "stickiness.lb_cookie.duration_seconds",
                    ttl.map_or(Value::Null, |ttl| ttl.as_secs().to_string().into()),
                ),
                (
                    "load_balancing.algorithm.type",
                    text(match algorithm {
                        Algorithm::LeastConnections => "least_outstanding_requests",
                        _ => "round_robin",
                    }),
                ),
            ])
        }
        (_, _, algorithm) => map([
            ("stickiness.enabled", text(if algorithm == Algorithm::SourceIp { "true" } else { "false" })),
            ("stickiness.type", text("source_ip")),
        ]),
    }
}

fn add_listener(
    build: &mut Build<'_>,
    balancer: &LoadBalancer,
    main: &Address,
    (at, listener): (usize, &Listener),
) {
    let mut after = Vec::new();
    let certificate = match &listener.certificate {
        Some(Certificate::Arn(arn)) => {
            certificates::check_arn(build, at, arn);
            arn.as_str().into()
        }
        Some(Certificate::Pem(path)) => {
            let pem = Value::Secret(SecretSource::FileExact(path.clone()));
            let imported = build.add("acm", "certificate", &listener.port.to_string(), [("pem", pem)]);
            OutputRef::resource(&imported, "id")
        }
        Some(Certificate::Requested { domain, also }) => {
            after = certificates::add(build, at, listener.port, domain, also);
            let requested = certificates::address(&build.region.name, &build.id, listener.port);
            OutputRef::resource(&requested, "id")
        }
        None => Value::Null,
    };
    let is_tls = certificate != Value::Null;
    let target = |route: &Route| {
        OutputRef::resource(&target_group(&build.region.name, &build.id, &route.to.name), "id")
    };
    let takes_all = |route: &Route| route.path.is_none() && route.host.is_none();
    let rest = listener.routes.iter().find(|route| takes_all(route)).map_or(Value::Null, target);
    let rules: Vec<Value> = listener
        .routes
        .iter()
        .take_while(|route| !takes_all(route))
        .map(|route| {
            map([
                ("path", crate::kinds::text(route.path.as_deref())),
                ("host", crate::kinds::text(route.host.as_deref())),
                ("to", target(route)),
            ])
            .into()
        })
        .collect();
    let secure = balancer.listeners.iter().find(|other| other.certificate.is_some());
    let https = secure.map_or(443, |secure| secure.port).to_string();
    let protocol = match (balancer.layer, is_tls) {
        (7, true) => "HTTPS",
        (7, false) => "HTTP",
        (_, true) => "TLS",
        (_, false) => "TCP",
    };
    build.add(
        SERVICE,
        "listener",
        &listener.port.to_string(),
        [
            ("load_balancer", OutputRef::resource(main, "id")),
            ("port", listener.port.into()),
            ("protocol", protocol.into()),
            ("certificate", certificate),
            ("awaits_certificate", if after.is_empty() { Value::Null } else { true.into() }),
            ("tls_policy", if is_tls { TLS_POLICY.into() } else { Value::Null }),
            ("redirect", if listener.redirect_https { https.into() } else { Value::Null }),
            ("to", rest),
            ("rules", if rules.is_empty() { Value::Null } else { rules.into() }),
        ],
    );
    if let Some(added) = build.out.resources.last_mut() {
        added.after = after;
    }
}
