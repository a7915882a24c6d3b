//! What hosts have in common: one `setting` for each thing on each host.

use standfast_contract::{Address, Lookup, Map, Value, component::Baseline};

use super::{Build, content_lookup, list, text};

pub(super) fn files(baseline: &Baseline, lookups: &mut Vec<Lookup>) {
    let files = baseline.files.iter().map(|file| &file.content);
    for content in files.chain(baseline.units.iter().map(|unit| &unit.content)) {
        content_lookup(content, lookups);
    }
}

pub(super) fn expand(build: &mut Build<'_>, baseline: &Baseline) {
    let mut all = Vec::new();
    for host in &baseline.hosts {
        let first = build.out.resources.len();
        on_host(build, baseline, host);
        all.extend(build.out.resources[first..].iter().map(|resource| resource.address.clone()));
        order(build, first);
    }
    build.output("hosts", list(&baseline.hosts));
    build.probe("settings", &all, &[]);
}

/// Packages come before what may need them, services after everything else of their host.
fn order(build: &mut Build<'_>, first: usize) {
    let rank = |inputs: &Map| match inputs.get("type").and_then(Value::as_str) {
        Some("package") => 0,
        Some("service") => 2,
        _ => 1,
    };
    let ranked: Vec<(u8, Address)> = build.out.resources[first..]
        .iter()
        .map(|resource| (rank(&resource.inputs), resource.address.clone()))
        .collect();
    for (resource, (mine, _)) in build.out.resources[first..].iter_mut().zip(&ranked) {
        // Only the rank before is waited for, unless it is empty: fewer edges, the same order.
        let before = ranked.iter().map(|(rank, _)| *rank).filter(|rank| rank < mine).max();
        let waits = ranked.iter().filter(|(rank, _)| Some(*rank) == before);
        resource.after = waits.map(|(_, address)| address.clone()).collect();
    }
}

fn on_host(build: &mut Build<'_>, baseline: &Baseline, host: &str) {
    let setting = |build: &mut Build<'_>, kind: &str, name: &str, more: Vec<(&str, Value)>| {
        build.add(
            "setting",
            &format!("{host}.{kind}.{name}"),
            [("host", host.into()), ("type", kind.into()), ("name", name.into())],
        );
        if let Some(resource) = build.out.resources.last_mut() {
            let given = more.into_iter().filter(|(_, value)| *value != Value::Null);
            resource.inputs.extend(given.map(|(name, value)| (name.to_owned(), value)));
        }
    };
    for package in &baseline.packages {
        setting(build, "package", package, vec![]);
    }
    for directory in &baseline.directories {
        setting(
            build,
            "directory",
            &directory.path,
            vec![
                ("owner", directory.owner.as_str().into()),
                ("group", directory.group.as_str().into()),
                ("mode", directory.mode.as_str().into()),
            ],
        );
    }
    for (at, file) in baseline.files.iter().enumerate() {
        let mut more = vec![
            ("owner", file.owner.as_str().into()),
            ("group", file.group.as_str().into()),
            ("mode", file.mode.as_str().into()),
        ];
        more.extend(build.content(&format!("files[{at}]"), &file.content, file.sensitive));
        setting(build, "file", &file.to, more);
    }
    for user in &baseline.users {
        setting(
            build,
            "user",
            &user.name,
            vec![
                ("value", user.uid.map_or(Value::Null, Value::from)),
                ("groups", list(&user.groups)),
                ("shell", user.shell.as_str().into()),
                ("content", text(user.home.as_deref())),
                ("keys", list(&user.authorized_keys)),
            ],
        );
    }
    for (key, value) in &baseline.sysctl {
        setting(build, "sysctl", key, vec![("value", value.clone())]);
    }
    for (at, unit) in baseline.units.iter().enumerate() {
        let content = build.content(&format!("units[{at}]"), &unit.content, false);
        setting(build, "unit", &unit.name, content.into());
    }
    for service in &baseline.services {
        setting(
            build,
            "service",
            &service.name,
            vec![("enabled", service.enabled.into()), ("running", service.running.into())],
        );
    }
    if let Some(firewall) = &baseline.firewall {
        let rules = firewall.allow.iter().map(|rule| {
            let from = rule.from.iter().map(ToString::to_string).collect::<Value>();
            Value::Map(Map::from([
                ("protocol".into(), rule.protocol.as_str().into()),
                ("ports".into(), rule.ports.iter().copied().collect()),
                ("from".into(), from),
            ]))
        });
        setting(build, "firewall", "inbound", vec![("rules", rules.collect())]);
    }
}
