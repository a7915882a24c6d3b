//! Regions, their zones and hosts.

use std::collections::HashMap;

use standfast_contract::{
    Region,
    component::{Become, Host, SimWorld, SshAccess, Zone},
};

use super::{
    super::{
        diagnostic::Diagnostic,
        keys::HOST,
        node::{Kind, Span},
        reader::{Reader, reader},
        scalar,
    },
    addresses,
    common::tags,
};

pub fn region(name: &str, reader: &Reader<'_>) -> Option<Region> {
    let provider = reader.text("provider");
    let zones = zones(reader, provider.as_deref());
    let network = addresses::network(reader, "network", provider.as_deref());
    let ssh = reader.child("ssh");
    let sim = reader.child_or_default("sim")?;
    for (key, only) in [("ssh", "ssh"), ("sim", "sim"), ("account", "aws"), ("assume_role", "aws")] {
        if let (Some(entry), Some(provider)) = (reader.entry(key), provider.as_deref())
            && provider != only
        {
            reader.push(
                Diagnostic::warning(entry.key, format!("`{key}` means nothing to provider `{provider}`"))
                    .help(format!("it belongs to `provider: {only}`")),
            );
        }
    }
    Some(Region {
        name: name.to_owned(),
        provider: provider?,
        location: reader.text("location"),
        zones: zones?,
        ssh: ssh.map_or_else(|| Some(SshAccess::default()), |ssh| access(&ssh))?,
        network,
        account: reader.text("account"),
        assume_role: reader.text("assume_role"),
        sim: SimWorld {
            seed: sim.int("seed")?,
            latency: sim.duration("latency")?,
            fault_rate: sim.share("faults")? / 100.0,
            lost_answer_rate: sim.share("lost_answers")? / 100.0,
        },
        tags: tags(reader),
    })
}

fn access(ssh: &Reader<'_>) -> Option<SshAccess> {
    Some(SshAccess {
        user: ssh.text("user"),
        port: ssh.port("port"),
        r#become: ssh.choice("become", &[("no", Become::No), ("sudo", Become::Sudo)])?,
        become_password: ssh.node("become_password").and_then(|node| ssh.context.secret(node)),
        known_hosts: ssh.path("known_hosts"),
        identity_file: ssh.path("identity_file"),
        config: ssh.path("config"),
        jump_host: ssh.text("jump_host"),
        connect_timeout: ssh.duration("connect_timeout"),
    })
}

/// `zones: 3` are `a`, `b` and `c`; a list names them; a map names them with their hosts.
fn zones(reader: &Reader<'_>, provider: Option<&str>) -> Option<Vec<Zone>> {
    let entry = reader.entry("zones")?;
    let zones = match &entry.value.kind {
        Kind::Scalar(text) => {
            let count = usize::try_from(scalar::integer(text)?).ok()?;
            let letters = ('a'..='z').take(count);
            letters.map(|letter| Zone { name: letter.to_string(), hosts: Vec::new() }).collect()
        }
        Kind::List(items) => named(reader, items),
        Kind::Map(_) => with_hosts(reader)?,
        _ => return None,
    };
    if zones.is_empty() {
        reader.push(reader.error("zones", "a region needs at least one zone"));
        return None;
    }
    let first_host = zones.iter().flat_map(|zone| &zone.hosts).next();
    match (provider?, first_host) {
        ("ssh", None) => {
            reader.push(
                reader
                    .error("zones", "a region of provider `ssh` needs hosts")
                    .expected("zones with hosts, for example `rack-a: { hosts: { web1: 10.77.0.21 } }`"),
            );
            None
        }
        ("aws", Some(host)) => {
            let message = format!("provider `aws` makes its machines: host `{}` cannot be given", host.name);
            reader
                .push(reader.error("zones", message).expected("a number of zones, or a list of their names"));
            None
        }
        _ => Some(zones),
    }
}

fn named(reader: &Reader<'_>, items: &[super::super::node::Node]) -> Vec<Zone> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut zones = Vec::new();
    for item in items {
        let Some(text) = item.as_scalar() else { continue };
        match seen.insert(&text.text, item.span) {
            Some(first) => reader.push(
                Diagnostic::error(item.span, format!("zone `{}` is named twice", text.text))
                    .related(first, "first here"),
            ),
            None if standfast_contract::address::is_name(&text.text) => {
                zones.push(Zone { name: text.text.clone(), hosts: Vec::new() });
            }
            None => reader.push(Diagnostic::error(item.span, format!("bad name `{}` of a zone", text.text))),
        }
    }
    zones
}

/// Host names and addresses are unique in a region, whatever the zone.
fn with_hosts(region: &Reader<'_>) -> Option<Vec<Zone>> {
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut addresses: HashMap<(String, Option<u16>), Span> = HashMap::new();
    let mut zones = Vec::new();
    let mut good = true;
    for (zone_name, zone) in region.named("zones") {
        let mut hosts = Vec::new();
        for (name, entry) in zone.entries("hosts") {
            if let Some(first) = names.insert(name, entry.key) {
                good = false;
                region.push(
                    Diagnostic::error(entry.key, format!("host `{name}` is in two zones"))
                        .label("again here")
                        .related(first, "first here"),
                );
            }
            let Some((host, at)) = host(region, name, entry) else {
                good = false;
                continue;
            };
            // Behind one address, hosts may still differ by port: forwarded ports.
            if let Some(first) = addresses.insert((host.address.clone(), host.port), at) {
                good = false;
                region.push(
                    Diagnostic::error(at, format!("two hosts have the address `{}`", host.address))
                        .label(format!("of `{name}`"))
                        .related(first, "first here"),
                );
            }
            hosts.push(host);
        }
        zones.push(Zone { name: zone_name.to_owned(), hosts });
    }
    good.then_some(zones)
}

fn host(region: &Reader<'_>, name: &str, entry: &super::super::node::Entry) -> Option<(Host, Span)> {
    let (address, at, port, user) = match &entry.value.kind {
        Kind::Scalar(text) => (text.text.clone(), entry.value.span, None, None),
        _ => {
            let host = reader(region.context, &HOST, &entry.value, entry.key);
            (host.text("address")?, host.span("address"), host.port("port"), host.text("user"))
        }
    };
    let is_dns_name = address.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    // `10.77.0.300` would pass as a DNS name, and no top-level domain is a number.
    let last_is_number =
        address.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if scalar::ip(&address).is_none() && (!is_dns_name || last_is_number) {
        region.push(
            Diagnostic::error(at, format!("`{address}` is no address of host `{name}`"))
                .expected("an IP address or a DNS name"),
        );
        return None;
    }
    Some((Host { name: name.to_owned(), address, port, user }, at))
}
