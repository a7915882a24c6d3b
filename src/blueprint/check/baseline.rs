//! Baselines: what hosts have in common.

use std::collections::HashMap;

use standfast_contract::component::{
    Baseline, Common, Firewall, FirewallRule, ServiceSpec, UnitSpec, UserSpec,
};

use super::{
    super::{
        diagnostic::Diagnostic,
        node::{Node, Span},
        reader::Reader,
        scalar,
    },
    addresses,
    common::{Scope, hosts},
    files::{content, directory, files},
};

/// Unit types of systemd, as names end.
const UNIT_TYPES: [&str; 8] =
    [".service", ".timer", ".socket", ".mount", ".path", ".target", ".slice", ".automount"];

/// Hosts that baselines of `all` may come to, each baseline counted for itself.
const HOSTS_NAMED_MAX: usize = 100_000;

pub fn baseline(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<Baseline> {
    let hosts = which_hosts(reader, scope);
    let files = files(reader);
    let units: Vec<_> = reader.named("units").map(|(name, it)| unit(name, &it)).collect();
    let firewall = reader.child("firewall").map(|it| firewall(&it));
    let users: Vec<_> = reader.named("users").map(|(name, it)| user(name, &it)).collect();
    let sysctl = reader
        .entries("sysctl")
        .map(|(name, entry)| Some((name.to_owned(), reader.context.value(&entry.value)?)));
    let sysctl: Vec<_> = sysctl.collect();
    twice(reader, "packages");
    Some(Baseline {
        common: common?,
        hosts: hosts?,
        packages: reader.texts("packages"),
        directories: reader.children("directories").map(|it| directory(&it)).collect::<Option<_>>()?,
        files: files?,
        users: users.into_iter().collect::<Option<_>>()?,
        sysctl: sysctl.into_iter().collect::<Option<_>>()?,
        units: units.into_iter().collect::<Option<_>>()?,
        services: reader
            .named("services")
            .map(|(name, it)| {
                Some(ServiceSpec {
                    name: name.to_owned(),
                    enabled: it.bool("enabled")?,
                    running: it.bool("running")?,
                })
            })
            .collect::<Option<_>>()?,
        firewall: match firewall {
            None => None,
            Some(firewall) => Some(firewall?),
        },
    })
}

/// `all` is written out.
fn which_hosts(reader: &Reader<'_>, scope: Scope<'_>) -> Option<Vec<String>> {
    if reader.node("hosts").is_some_and(|node| node.as_scalar().is_none()) {
        return hosts(reader, scope, "a baseline");
    }
    let region = scope.region?;
    let context = reader.context;
    context.hosts_named.set(context.hosts_named.get() + region.hosts().count());
    if context.hosts_named.get() > HOSTS_NAMED_MAX {
        reader.push(Diagnostic::error(
            reader.owner,
            format!("all baselines together come to more than {HOSTS_NAMED_MAX} hosts"),
        ));
        return None;
    }
    let all: Vec<_> = region.hosts().map(|host| host.name.clone()).collect();
    if all.is_empty() {
        reader.push(Diagnostic::error(
            reader.owner,
            format!("a baseline needs hosts, and region `{}` has none", region.name),
        ));
        return None;
    }
    Some(all)
}

fn unit(name: &str, reader: &Reader<'_>) -> Option<UnitSpec> {
    let content = content(reader);
    if !UNIT_TYPES.iter().any(|kind| name.ends_with(kind)) {
        reader.push(
            Diagnostic::error(reader.owner, format!("`{name}` is no name of a unit"))
                .expected("a name with its type, such as `backup.service` or `backup.timer`"),
        );
        return None;
    }
    Some(UnitSpec { name: name.to_owned(), content: content? })
}

fn user(name: &str, reader: &Reader<'_>) -> Option<UserSpec> {
    // useradd(8): by default lower case, digits, `-` and `_`, at most 32.
    let good = name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    if !good {
        reader.push(
            Diagnostic::error(reader.owner, format!("bad name `{name}` of a user"))
                .expected("a lower-case letter, then lower-case letters, digits, `-` and `_`, 32 at most"),
        );
    }
    let uid = match reader.has("uid") {
        true => Some(reader.int("uid")?),
        false => None,
    };
    Some(UserSpec {
        name: name.to_owned(),
        uid,
        groups: reader.texts("groups"),
        shell: reader.text("shell")?,
        home: reader.text("home"),
        system: reader.bool("system")?,
        authorized_keys: reader.texts("authorized_keys"),
    })
}

fn firewall(reader: &Reader<'_>) -> Option<Firewall> {
    let rules = reader.children("allow").map(|rule| {
        let protocol = rule.text("protocol")?;
        if let Some(ports) = rule.entry("ports")
            && !matches!(protocol.as_str(), "tcp" | "udp")
        {
            rule.push(
                Diagnostic::error(ports.key, format!("`{protocol}` has no ports")).help("remove `ports`"),
            );
        }
        for node in rule.items("from") {
            addresses::check_source(&rule, node);
        }
        Some(FirewallRule {
            protocol,
            ports: rule
                .items("ports")
                .iter()
                .map(|port| scalar::port(port.as_scalar()?))
                .collect::<Option<_>>()?,
            from: rule
                .items("from")
                .iter()
                .map(|from| scalar::network(&from.as_scalar()?.text))
                .collect::<Option<_>>()?,
        })
    });
    Some(Firewall { allow: rules.collect::<Vec<_>>().into_iter().collect::<Option<_>>()? })
}

/// The same text twice in a list.
fn twice(reader: &Reader<'_>, key: &str) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for (node, text) in
        reader.items(key).iter().filter_map(|node: &Node| Some((node, &node.as_scalar()?.text)))
    {
        if let Some(first) = seen.insert(text, node.span) {
            reader.push(
                Diagnostic::warning(node.span, format!("`{text}` is named twice in `{key}`"))
                    .related(first, "first here"),
            );
        }
    }
}
