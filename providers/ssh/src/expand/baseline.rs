//! `baselines`: what hosts have in common. Packages, users, directories, files, units, services; the firewall last, when
//! everything that it lets in is there.

use standfast_contract::{
    Address, Answers, Component, Desired, ExpandRequest, Expansion, Lookup, Map, OutputRef, Value,
    component::{Baseline, DirectorySpec, UserSpec},
};

use super::{
    files::{self, Files, Unsaid},
    firewall, names,
    site::{self, Problems, Site, inputs},
};

/// sshd's, where neither the host itself, nor the blueprint says another.
const SSH_PORT: u16 = 22;

/// The package that a firewall needs.
const NFTABLES: &str = "nftables";

/// What must be known of files and units; and, for a firewall, on which port each host is entered.
pub fn lookups(request: &ExpandRequest<'_>, baseline: &Baseline) -> Vec<Lookup> {
    let files = baseline.files.iter().flat_map(|file| files::lookups(&file.content, file.sensitive));
    let units = baseline.units.iter().flat_map(|unit| files::lookups(&unit.content, false));
    let guarded = baseline.hosts.iter().filter(|_| baseline.firewall.is_some());
    let facts = guarded.map(|host| site::facts_of(&request.region.name, host));
    files.chain(units).chain(facts).collect()
}

/// The port that the host's own sshd is reached on: what it says itself, since ssh_config, a jump host or a forwarded
/// port may lead there by another. A host that cannot be asked keeps what the blueprint says of it.
fn ssh_port(site: &Site<'_>, answers: &Answers) -> u16 {
    let facts = site::answer(answers, &site::facts_of(&site.region.name, &site.host.name));
    let told = facts.and_then(|facts| facts.get("ssh_port")).and_then(Value::as_int);
    let told = told.and_then(|port| u16::try_from(port).ok());
    told.or(site.host.port).or(site.region.ssh.port).unwrap_or(SSH_PORT)
}

/// What each host of the baseline gets.
pub fn expand(
    request: &ExpandRequest<'_>,
    baseline: &Baseline,
    answers: &Answers,
    problems: &mut Problems,
) -> Expansion {
    check(request, baseline, problems);
    let hosts = site::hosts(request.region, &baseline.hosts, problems);
    let mut expansion = Expansion::default();
    for host in &hosts {
        let site = Site::new(request, host);
        expansion.resources.extend(on_host(&site, baseline, answers, problems));
        expansion.probes.push(site.probe("host", Map::new()));
        for service in baseline.services.iter().filter(|service| service.running) {
            expansion
                .probes
                .push(site.probe("service", inputs([("name", names::service(&service.name).into())])));
        }
    }
    expansion.outputs = inputs([("hosts", hosts.iter().map(|host| host.name.as_str()).collect())]);
    expansion
}

/// Two firewalls on a host would each have to let a packet in, which neither of them says.
fn check(request: &ExpandRequest<'_>, baseline: &Baseline, problems: &mut Problems) {
    if baseline.firewall.is_none() {
        return;
    }
    for component in request.components {
        let Component::Baseline(other) = component else { continue };
        let same = other.common.name == baseline.common.name || other.common.region != baseline.common.region;
        if same || other.firewall.is_none() {
            continue;
        }
        for host in baseline.hosts.iter().filter(|host| other.hosts.contains(host)) {
            problems.add(
                "firewall",
                format!(
                    "host {host} has the firewall of {} too: each would drop what the other allows",
                    component.id()
                ),
                "write the rules of a host into one baseline",
            );
        }
    }
}

fn on_host(site: &Site<'_>, baseline: &Baseline, answers: &Answers, problems: &mut Problems) -> Vec<Desired> {
    let mut made = Vec::new();
    let mut packages: Vec<&str> = baseline.packages.iter().map(String::as_str).collect();
    if baseline.firewall.is_some() && !packages.contains(&NFTABLES) {
        packages.push(NFTABLES);
    }
    if !packages.is_empty() {
        let names = inputs([("names", packages.into_iter().collect())]);
        made.push(site.resource("package", "packages", names, Vec::new()));
    }
    let packages = addresses(&made);
    made.extend(baseline.users.iter().map(|spec| user(site, spec, packages.clone())));
    let accounts = addresses(&made);
    let directories = directories(site, &baseline.directories, &accounts);
    if let Some(settings) = settings(baseline) {
        let name = names::on_hosts(site.stack, &baseline.common.name);
        let inputs = inputs([("name", name.as_str().into()), ("settings", settings.into())]);
        made.push(site.resource("sysctl", &name, inputs, packages.clone()));
    }

    let mut files = Files::new(site, answers);
    for (index, file) in baseline.files.iter().enumerate() {
        let mut after = accounts.clone();
        after.extend(above(&directories, &file.to));
        files.add(file, &format!("files[{index}]"), &after, problems);
    }
    let mut before_services = accounts.clone();
    before_services.extend(files.addresses());
    let units = units(site, baseline, answers, &before_services, problems);
    before_services.extend(addresses(&units));
    let services = services(site, baseline, &files, &units, &before_services);

    made.extend(directories.into_iter().map(|(_, directory)| directory));
    made.extend(files.into_resources());
    made.extend(units);
    made.extend(services);
    if let Some(rules) = &baseline.firewall {
        let name = names::nftables(site.stack, &baseline.common.name);
        let of = format!("{} of {} ({})", site.component, site.stack.name, site.stack.environment);
        let table = firewall::table(&name, &of, rules, ssh_port(site, answers));
        let inputs = inputs([("name", name.as_str().into()), ("content", table.into())]);
        made.push(site.resource("nftables", &name, inputs, addresses(&made)));
    }
    made
}

fn addresses(made: &[Desired]) -> Vec<Address> {
    made.iter().map(|resource| resource.address.clone()).collect()
}

fn user(site: &Site<'_>, spec: &UserSpec, after: Vec<Address>) -> Desired {
    let mut inputs = inputs([
        ("name", spec.name.as_str().into()),
        ("groups", spec.groups.iter().map(String::as_str).collect()),
        ("shell", spec.shell.as_str().into()),
        ("system", spec.system.into()),
        ("authorized_keys", spec.authorized_keys.iter().map(String::as_str).collect()),
    ]);
    if let Some(uid) = spec.uid {
        inputs.insert("uid".to_owned(), uid.into());
    }
    if let Some(home) = &spec.home {
        inputs.insert("home".to_owned(), home.as_str().into());
    }
    site.resource("user", &spec.name, inputs, after)
}

/// Directories with their paths, each after those above it.
fn directories<'b>(
    site: &Site<'_>,
    specs: &'b [DirectorySpec],
    after: &[Address],
) -> Vec<(&'b str, Desired)> {
    let mut sorted: Vec<&DirectorySpec> = specs.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut made: Vec<(&str, Desired)> = Vec::with_capacity(sorted.len());
    for spec in sorted {
        let inputs = inputs([
            ("path", spec.path.as_str().into()),
            ("owner", spec.owner.as_str().into()),
            ("group", spec.group.as_str().into()),
            ("mode", spec.mode.as_str().into()),
        ]);
        let mut after = after.to_vec();
        after.extend(above(&made, &spec.path));
        let leaf = names::path_leaf(&spec.path);
        let taken = made.iter().any(|(_, other)| other.address == site.address("directory", &leaf));
        let leaf = if taken { format!("{leaf}-{}", names::short_digest(&spec.path)) } else { leaf };
        made.push((&spec.path, site.resource("directory", &leaf, inputs, after)));
    }
    made
}

/// The directories that a path is in.
fn above(directories: &[(&str, Desired)], path: &str) -> Vec<Address> {
    let is_above = |directory: &str| {
        path.strip_prefix(directory.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    directories.iter().filter(|(path, _)| is_above(path)).map(|(_, it)| it.address.clone()).collect()
}

fn settings(baseline: &Baseline) -> Option<Map> {
    (!baseline.sysctl.is_empty()).then(|| baseline.sysctl.iter().cloned().collect())
}

fn units(
    site: &Site<'_>,
    baseline: &Baseline,
    answers: &Answers,
    after: &[Address],
    problems: &mut Problems,
) -> Vec<Desired> {
    let mut made = Vec::new();
    for (index, unit) in baseline.units.iter().enumerate() {
        if let Some(content) = files::text(site, &unit.content, &format!("units[{index}]"), answers, problems)
        {
            let inputs = inputs([("name", unit.name.as_str().into()), ("content", content)]);
            made.push(site.resource("systemd_unit", &unit.name, inputs, after.to_vec()));
        }
    }
    made
}

/// The services of the blueprint, and those that a file reloads or restarts; a service's own unit restarts it.
fn services(
    site: &Site<'_>,
    baseline: &Baseline,
    files: &Files<'_, '_>,
    units: &[Desired],
    after: &[Address],
) -> Vec<Desired> {
    let mut wanted: Vec<(&str, bool, bool)> = baseline
        .services
        .iter()
        .map(|service| (names::service(&service.name), service.enabled, service.running))
        .collect();
    for service in files.services() {
        if !wanted.iter().any(|(name, ..)| *name == service) {
            wanted.push((service, true, true));
        }
    }
    wanted
        .into_iter()
        .map(|(name, enabled, running)| {
            let (reload, mut restart) = files.changes(name, Unsaid::Nothing);
            let is_own = |unit: &&Desired| {
                unit.inputs
                    .get("name")
                    .and_then(Value::as_str)
                    .is_some_and(|unit| names::service(unit) == name)
            };
            if let Some(unit) = units.iter().find(is_own) {
                restart.insert("unit".to_owned(), OutputRef::resource(&unit.address, "digest"));
            }
            let mut inputs =
                inputs([("name", name.into()), ("enabled", enabled.into()), ("running", running.into())]);
            for (key, map) in [("reload_on", reload), ("restart_on", restart)] {
                if !map.is_empty() {
                    inputs.insert(key.to_owned(), map.into());
                }
            }
            site.resource("service", name, inputs, after.to_vec())
        })
        .collect()
}
