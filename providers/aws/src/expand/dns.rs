//! A DNS zone: a hosted zone of Route 53, and alias records that lead to load balancers.
//!
//! Route 53 asks the load balancer itself whether it is healthy, and with `health_check` its port from outside too, which
//! is what failover and latency routing go by. An alias has the time to live of its target, a minute. Route 53 is of no
//! region: a zone leads to load balancers of any. Records that prove its names to ACM are those of `certificates`.

use std::time::Duration;

use standfast_contract::{
    Component, ExpandRequest, Lookup, OutputRef, Value,
    component::{Dns, DnsHealthCheck, DnsRecord, DnsRouting, LoadBalancer},
};

use super::{Build, PROVIDER, ask, certificates, tags};
use crate::{kinds::record_label, look_up::ZONE};

#[cfg(test)]
mod tests;

const SERVICE: &str = "route53";
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias-common.html>
const ALIAS_TTL: Duration = Duration::from_secs(60);
/// Of a health check. <https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html>
const INTERVALS_S: [u64; 2] = [10, 30];
/// What a zone or a health check has of them, less those that every thing of ours carries.
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>
const TAGS_MAX: usize = 10 - 5;
/// Characters.
const PATH_MAX: usize = 255;

/// A zone that is there already is looked at first.
pub(super) fn lookups(request: &ExpandRequest<'_>, dns: &Dns) -> Option<Lookup> {
    Some(ask(request.region, ZONE, dns.existing.as_deref()?))
}

/// Its id and its name servers.
fn zone(build: &mut Build<'_>, dns: &Dns, origin: &str) -> Option<(Value, Value)> {
    let Some(id) = &dns.existing else {
        let zone = build.add(SERVICE, "hosted_zone", "main", [("name", origin.into())]);
        return Some((OutputRef::resource(&zone, "id"), OutputRef::resource(&zone, "name_servers")));
    };
    let Some(found) = build.answer(ZONE, id) else {
        // The look-up failed, and says why beside this.
        build.unanswered("existing", format!("what zone `{id}` is is not known"));
        return None;
    };
    let of = |key: &str| found.as_map().and_then(|found| found.get(key)).cloned().unwrap_or_default();
    let (message, hint) = match (found.as_map(), of("name")) {
        (None, _) => (
            format!("the account has no hosted zone `{id}`"),
            format!(
                "`aws route53 list-hosted-zones-by-name --dns-name {origin}` lists those that are there."
            ),
        ),
        (_, name) if name.as_str() != Some(origin) => {
            (format!("the zone `{id}` is `{name}`, and not `{origin}`"), format!("Say `zone: {name}`."))
        }
        _ if of("private") == true.into() => (
            format!("the zone `{id}` is private: nobody outside its networks asks it"),
            "Name a public one.".to_owned(),
        ),
        _ => return Some((id.as_str().into(), of("name_servers"))),
    };
    build.problem("existing", message, hint);
    None
}

pub(super) fn expand(build: &mut Build<'_>, dns: &Dns) {
    let origin = origin(dns);
    // <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html>
    if dns.existing.is_none() && !origin.contains('.') {
        build.problem(
            "zone",
            format!("Route 53 makes no zone of a top-level domain: `{origin}`"),
            "Name a domain, such as `example.net`.",
        );
    }
    let Some((zone_id, name_servers)) = zone(build, dns, &origin) else { return };
    let mut names = Vec::new();
    for (at, record) in dns.records.iter().enumerate() {
        let name = full_name(&record.name, &origin);
        let alike: Vec<&DnsRecord> =
            dns.records.iter().filter(|other| full_name(&other.name, &origin) == name).collect();
        let Some((balancer, location)) = target(build, at, record) else { continue };
        check(build, at, record, &alike);
        // The first of a name is the one that answers while it is healthy.
        let is_first = dns.records[..at].iter().all(|other| full_name(&other.name, &origin) != name);
        let set = balancer.common.name.as_str();
        let set = (record.routing != DnsRouting::Simple).then_some(set);
        let label = record_label(&name, &origin, set);
        let (failover, latency_region): (Value, Value) = match record.routing {
            DnsRouting::Simple => (Value::Null, Value::Null),
            DnsRouting::Failover => (if is_first { "PRIMARY" } else { "SECONDARY" }.into(), Value::Null),
            DnsRouting::Latency => (Value::Null, location.into()),
        };
        let health_check = record.health_check.as_ref().and_then(|check| {
            add_health_check(build, &format!("records[{at}].health_check"), check, &label, balancer)
        });
        build.add(
            SERVICE,
            "dns_record",
            &label,
            [
                ("zone", zone_id.clone()),
                ("name", name.as_str().into()),
                ("set", crate::kinds::text(set)),
                ("target", OutputRef::component(record.to.clone(), "address")),
                ("target_zone", OutputRef::component(record.to.clone(), "zone_id")),
                ("evaluate_health", true.into()),
                ("health_check", health_check.unwrap_or_default()),
                ("failover", failover),
                ("latency_region", latency_region),
            ],
        );
        if !names.contains(&name) {
            names.push(name);
        }
    }
    certificates::add_records(build, &zone_id);
    check_tags(build);
    if dns.existing.is_some() {
        // A record has the tags of its zone, and those of another's are another's.
        let records = build.out.resources.iter_mut().filter(|one| one.kind != "health_check");
        records.for_each(|record| drop(record.inputs.remove("tags")));
    }
    build.output("zone_id", zone_id);
    build.output("name_servers", name_servers);
    build.output("names", names.into_iter().collect::<Value>());
}

/// The zone's own name.
pub(super) fn origin(dns: &Dns) -> String {
    dns.zone.trim_end_matches('.').to_ascii_lowercase()
}

fn full_name(name: &str, origin: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "@" || name == origin {
        origin.to_owned()
    } else if name.ends_with(&format!(".{origin}")) {
        name
    } else {
        format!("{name}.{origin}")
    }
}

/// The load balancer, and the AWS region that it is in.
fn target<'a>(build: &mut Build<'a>, at: usize, record: &DnsRecord) -> Option<(&'a LoadBalancer, &'a str)> {
    let balancer = build.request.components.iter().find_map(|component| match component {
        Component::LoadBalancer(balancer) if component.id() == record.to => Some(balancer),
        _ => None,
    })?;
    let region = build.request.regions.iter().find(|region| region.name == balancer.common.region)?;
    match &region.location {
        Some(location) if region.provider == PROVIDER => Some((balancer, location)),
        _ => {
            build.problem(
                format!("records[{at}].to"),
                format!("`{}` is not on AWS: names of others are not built yet in this version", record.to),
                "Lead to a load balancer in a region of the provider `aws`.",
            );
            None
        }
    }
}

/// What asks the load balancer from outside. Named like its record.
fn add_health_check(
    build: &mut Build<'_>,
    key: &str,
    check: &DnsHealthCheck,
    label: &str,
    balancer: &LoadBalancer,
) -> Option<Value> {
    let interval_s = check.interval.as_secs();
    if check.interval.subsec_nanos() != 0 || !INTERVALS_S.contains(&interval_s) {
        build.problem(
            format!("{key}.interval"),
            "Route 53 asks every 10 or every 30 seconds",
            "Say `interval: 30s`, or `interval: 10s`, which costs more.",
        );
    }
    if check.path.as_ref().is_some_and(|path| path.len() > PATH_MAX) {
        build.problem(
            format!("{key}.path"),
            format!("Route 53 asks for a path of {PATH_MAX} characters at most"),
            "Say a shorter one.",
        );
    }
    let listeners = &balancer.listeners;
    let listener = match check.port {
        Some(port) => listeners.iter().find(|listener| listener.port == port),
        None => listeners.iter().find(|listener| listener.certificate.is_some()).or(listeners.first()),
    };
    if balancer.internal {
        build.problem(
            key,
            format!("the load balancer `{}` is internal: nobody outside can ask it", balancer.common.name),
            "Remove `health_check`: AWS asks its load balancer itself whether its members are healthy.",
        );
        return None;
    }
    let Some(listener) = listener else {
        build.problem(
            format!("{key}.port"),
            format!("the load balancer `{}` does not listen there", balancer.common.name),
            "Name the port of one of its listeners, or leave `port` out.",
        );
        return None;
    };
    let protocol = match (&check.path, &listener.certificate) {
        (None, _) => "TCP",
        (Some(_), None) => "HTTP",
        (Some(_), Some(_)) => "HTTPS",
    };
    let to = Component::LoadBalancer(balancer.clone()).id();
    let address = build.add(
        SERVICE,
        "health_check",
        label,
        [
            ("type", protocol.into()),
            ("target", OutputRef::component(to, "address")),
            ("port", listener.port.into()),
            ("path", crate::kinds::text(check.path.as_deref())),
            ("interval_s", Value::Int(i64::try_from(interval_s).unwrap_or(i64::MAX))),
            ("unhealthy", check.unhealthy.into()),
        ],
    );
    Some(OutputRef::resource(&address, "id"))
}

/// Records have none.
fn check_tags(build: &mut Build<'_>) {
    // One of ours gives way to the user's own.
    let count = tags::of(build.request).keys().filter(|name| *name != "Name").count();
    let has_tags = |kind: &str| kind == "hosted_zone" || kind == "health_check";
    if count > TAGS_MAX && build.out.resources.iter().any(|one| has_tags(&one.kind)) {
        let own = &build.request.component.common().tags;
        build.problem(
            if own.is_empty() { "region" } else { "tags" },
            format!(
                "there are {count} tags, and Route 53 takes {TAGS_MAX} of a zone or a health check beside those of standfast"
            ),
            "Give the region fewer, and the others to those components that need them.",
        );
    }
}

fn check(build: &mut Build<'_>, at: usize, record: &DnsRecord, alike: &[&DnsRecord]) {
    if record.ttl != ALIAS_TTL {
        build.problem(
            format!("records[{at}].ttl"),
            "a name of a load balancer on AWS is kept for a minute, no more and no less",
            "Remove `ttl`.",
        );
    }
    if alike.iter().any(|other| other.routing != record.routing) {
        build.problem(
            format!("records[{at}].routing"),
            format!("the records of `{}` are routed in different ways", record.name),
            "Give all records of a name one `routing`.",
        );
    }
    let count = alike.len();
    match record.routing {
        DnsRouting::Simple if count > 1 => build.problem(
            format!("records[{at}].name"),
            format!("`{}` leads to {count} load balancers", record.name),
            "Say `routing: failover` or `routing: latency` for each, or keep one.",
        ),
        DnsRouting::Failover if count != 2 => build.problem(
            format!("records[{at}].routing"),
            format!("failover is between two load balancers; `{}` leads to {count}", record.name),
            "Give it two records: the first answers while it is healthy.",
        ),
        // Route 53 takes one for each AWS region.
        DnsRouting::Latency if alike.iter().filter(|other| is_beside(build, other, record)).count() > 1 => {
            build.problem(
                format!("records[{at}].routing"),
                format!(
                    "`{}` leads to several load balancers of one region, which are equally near",
                    record.name
                ),
                "Keep one of each region.",
            )
        }
        _ => {}
    }
    if alike.iter().filter(|other| other.to == record.to).count() > 1 {
        build.problem(
            format!("records[{at}].to"),
            format!("`{}` leads to it twice", record.name),
            "Keep one.",
        );
    }
}

/// Whether two records lead into the same region, by different load balancers or by one.
fn is_beside(build: &Build<'_>, one: &DnsRecord, other: &DnsRecord) -> bool {
    let region = |record: &DnsRecord| {
        let leads_to = |component: &&Component| component.id() == record.to;
        build.request.components.iter().find(leads_to).map(|component| &component.common().region)
    };
    region(one) == region(other)
}
