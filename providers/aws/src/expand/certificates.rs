//! Certificates that ACM issues: requested where they serve, and proven by records in the blueprint's own zones.

use std::collections::BTreeMap;

use standfast_contract::{
    Address, Component, ComponentId, ExpandRequest, OutputRef, Region, Value,
    component::{Certificate, Dns, LoadBalancer},
};

use super::{Build, PROVIDER, dns::origin};
use crate::kinds::{list, record_label};

#[cfg(test)]
mod tests;

const KIND: &str = "requested_certificate";
const RECORD: &str = "validation_record";
/// Characters of the first name, and names in all.
/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>
const FIRST_MAX: usize = 64;
const NAMES_MAX: usize = 100;

/// The certificate of a balancer's port.
pub(super) fn address(region: &str, balancer: &ComponentId, port: u16) -> Address {
    Address::new(region, balancer, KIND, &port.to_string())
}

/// Adds the certificate of the listener at `at`, and gives the records without which it is not issued.
pub(super) fn add(
    build: &mut Build<'_>,
    at: usize,
    port: u16,
    domain: &str,
    also: &[String],
) -> Vec<Address> {
    if domain.len() > FIRST_MAX {
        build.problem(
            format!("listeners[{at}].certificate.domain"),
            format!("`{domain}` has {} characters, and the first name of a certificate of ACM {FIRST_MAX} at most", domain.len()),
            "Name a shorter one here, and this one under `also`.",
        );
    }
    if also.len() >= NAMES_MAX {
        build.problem(
            format!("listeners[{at}].certificate.also"),
            format!("a certificate of ACM is good for {NAMES_MAX} names at most"),
            "Spread the names over several certificates; `*.example.net` stands for many names.",
        );
    }
    let mut records = Vec::new();
    let keys = std::iter::once("domain".to_owned()).chain((0..also.len()).map(|at| format!("also[{at}]")));
    for (key, name) in keys.zip(names(domain, also)) {
        if let Some(other) = of_another_account(build, name) {
            build.problem(
                format!("listeners[{at}].certificate.{key}"),
                format!("`{other}` requests `{name}` in another account, and ACM asks each account for a record of its own"),
                "Give the ARN of a certificate that is issued already, or a PEM file, to one of them.",
            );
        }
        match zone_of(build.request, name) {
            Some((id, dns)) => records.push(record(&dns.common.region, &id, name, &origin(dns))),
            None => build.problem(
                format!("listeners[{at}].certificate.{key}"),
                format!("no zone of this blueprint holds `{name}`, so that nobody can prove to ACM whose it is"),
                "Name its zone under `dns`, in a region of the provider `aws`; or give the ARN of a certificate that is \
                 issued already, or a PEM file.",
            ),
        }
    }
    records.sort_unstable();
    records.dedup();
    let also = list(also.iter().map(String::as_str));
    build.add("acm", KIND, &port.to_string(), [("domain", domain.into()), ("also", also)]);
    records
}

/// A certificate by ARN: one that a load balancer of this place can serve.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html>
pub(super) fn check_arn(build: &mut Build<'_>, at: usize, arn: &str) {
    let key = format!("listeners[{at}].certificate");
    let location = build.place.location.clone();
    let example = format!(
        "For example `arn:{}:acm:{location}:123456789012:certificate/...`: `aws acm list-certificates --region {location}` lists those that are there.",
        build.place.partition()
    );
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts[..] else {
        return build.problem(key, format!("`{arn}` is no whole ARN"), example);
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    // IAM is of no region.
    let is_certificate = match service {
        "acm" => resource.strip_prefix("certificate/").is_some_and(|id| !id.is_empty()),
        "iam" => region.is_empty() && resource.starts_with("server-certificate/"),
        _ => false,
    };
    if !is_certificate || !is_account || partition != build.place.partition() {
        return build.problem(key, format!("`{arn}` is no certificate of ACM or IAM"), example);
    }
    if service == "acm" && region != location {
        return build.problem(
            key,
            format!("the certificate is in {region}, and the load balancer in {location}"),
            format!("ACM's certificates serve in their own region: request one in {location}, by `certificate: {{ domain: ... }}` or by hand."),
        );
    }
    if let Some(pinned) = build.place.account.clone().filter(|pinned| pinned != account) {
        build.problem(
            key,
            format!("the certificate is in the account {account}, and the load balancer in {pinned}"),
            "Give one of the same account.",
        );
    }
}

/// Adds the records of every certificate whose names a zone holds, each once: the same name has the same record
/// whichever certificate asks. <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>
pub(super) fn add_records(build: &mut Build<'_>, zone: &Value) {
    let mut wanted: BTreeMap<&str, Address> = BTreeMap::new();
    for (balancer, id) in balancers(build.request) {
        for listener in &balancer.listeners {
            let Some(Certificate::Requested { domain, also }) = &listener.certificate else { continue };
            for name in names(domain, also) {
                if zone_of(build.request, name).is_some_and(|(of, _)| of == build.id) {
                    wanted
                        .entry(name)
                        .or_insert_with(|| address(&balancer.common.region, &id, listener.port));
                }
            }
        }
    }
    let Component::Dns(dns) = build.request.component else { return };
    let origin = origin(dns);
    for (name, certificate) in wanted {
        build.add(
            "route53",
            RECORD,
            &record_label(name, &origin, None),
            [
                ("zone", zone.clone()),
                ("domain", name.into()),
                ("name", OutputRef::resource(&certificate, &format!("record_name {name}"))),
                ("value", OutputRef::resource(&certificate, &format!("record_value {name}"))),
            ],
        );
    }
}

/// The first balancer that requests a name, where it does so in another account than this component.
fn of_another_account(build: &Build<'_>, name: &str) -> Option<ComponentId> {
    let requests = |(balancer, _): &(&LoadBalancer, ComponentId)| {
        balancer.listeners.iter().any(|listener| match &listener.certificate {
            Some(Certificate::Requested { domain, also }) => names(domain, also).any(|other| other == name),
            _ => false,
        })
    };
    let (first, id) = balancers(build.request).find(requests)?;
    let of = build.request.regions.iter().find(|region| region.name == first.common.region)?;
    let account = |region: &Region| (region.account.clone(), region.assume_role.clone());
    (account(of) != account(build.region)).then_some(id)
}

/// What has to be proven: `*.shop.example.net` is by `shop.example.net`.
fn names<'a>(domain: &'a str, also: &'a [String]) -> impl Iterator<Item = &'a str> {
    let all = std::iter::once(domain).chain(also.iter().map(String::as_str));
    all.map(|name| name.strip_prefix("*.").unwrap_or(name))
}

fn record(region: &str, dns: &ComponentId, name: &str, origin: &str) -> Address {
    Address::new(region, dns, RECORD, &record_label(name, origin, None))
}

fn balancers<'a>(request: &'a ExpandRequest<'_>) -> impl Iterator<Item = (&'a LoadBalancer, ComponentId)> {
    let here = |component: &'a Component| match component {
        Component::LoadBalancer(balancer) if is_on_aws(request, &balancer.common.region) => {
            Some((balancer, component.id()))
        }
        _ => None,
    };
    request.components.iter().filter_map(here)
}

fn is_on_aws(request: &ExpandRequest<'_>, region: &str) -> bool {
    request.regions.iter().any(|one| one.name == region && one.provider == PROVIDER)
}

/// The smallest zone that holds a name.
fn zone_of<'a>(request: &ExpandRequest<'a>, name: &str) -> Option<(ComponentId, &'a Dns)> {
    let holds =
        |origin: &str| name.strip_suffix(origin).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let zones = request.components.iter().filter_map(|component| match component {
        Component::Dns(dns) if is_on_aws(request, &dns.common.region) && holds(&origin(dns)) => {
            Some((component.id(), dns))
        }
        _ => None,
    });
    zones.max_by_key(|(_, dns)| origin(dns).len())
}
