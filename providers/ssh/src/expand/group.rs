//! `autoscaling_groups` on a fixed pool of hosts: slots, spares, and how members are changed under traffic.
//!
//! Deliberately absent: machines that do not exist. A scaling rule on a fixed pool can ask for no more than the pool
//! has, and the outputs say how many slots and spares that is.

use std::time::Duration;

use standfast_contract::{
    Address, Answers, ComponentId, ExpandRequest, Expansion, Lookup, Map, Member, Operation, OutputRef,
    Region, Rollout, Section, Stack, Value,
    component::{AutoscalingGroup, Host, LoadBalancer, WorkloadSource},
};

use crate::session::place::place;

use super::{
    balancer, files,
    haproxy::SOCKET,
    names::{self, millis},
    package_workload, release,
    site::{self, Problems, Site, inputs},
};

/// Beyond the drain itself: to ask the load balancers and hear from them.
const DRAIN_MARGIN: Duration = Duration::from_secs(30);
/// How long a load balancer may take to see a member up again, beyond its checks.
const UNDRAIN_MARGIN: Duration = Duration::from_secs(30);

/// What must be known of the workload's files and archive.
pub fn lookups(group: &AutoscalingGroup) -> Vec<Lookup> {
    let mut found: Vec<Lookup> =
        group.workload.files.iter().flat_map(|file| files::lookups(&file.content, file.sensitive)).collect();
    if let WorkloadSource::Release { archive, .. } = &group.workload.source {
        found.push(Lookup::File { path: archive.clone() });
    }
    found
}

/// The hosts of a group, told apart.
pub struct Slots<'a> {
    /// One slot each.
    pub used: Vec<&'a Host>,
    pub spare: Vec<&'a Host>,
}

/// `capacity.desired` hosts of the group's list, one of each zone in turn, so that a zone takes as few as can be.
pub fn slots<'a>(group: &AutoscalingGroup, region: &'a Region) -> Slots<'a> {
    let mut zones: Vec<(&str, Vec<&'a Host>)> = Vec::new();
    for host in group.hosts.iter().filter_map(|name| region.host(name)) {
        let zone = region.zone_of(&host.name).map_or("", |zone| &*zone.name);
        match zones.iter_mut().find(|(name, _)| *name == zone) {
            Some((_, hosts)) => hosts.push(host),
            None => zones.push((zone, vec![host])),
        }
    }
    let deepest = zones.iter().map(|(_, hosts)| hosts.len()).max().unwrap_or(0);
    let ordered =
        (0..deepest).flat_map(|turn| zones.iter().filter_map(move |(_, hosts)| hosts.get(turn).copied()));
    let mut used: Vec<&'a Host> = ordered.collect();
    let desired = usize::try_from(group.capacity.desired).unwrap_or(usize::MAX).min(used.len());
    let spare = used.split_off(desired);
    Slots { used, spare }
}

/// The service that serves a group on its hosts.
pub fn service_name(stack: &Stack, group: &AutoscalingGroup) -> String {
    match &group.workload.source {
        WorkloadSource::Package { service, .. } => names::service(service).to_owned(),
        _ => names::on_hosts(stack, &group.common.name),
    }
}

/// The address of that service on one host: what waits for it names it.
pub fn service_address(stack: &Stack, group: &AutoscalingGroup, host: &Host) -> Address {
    let component = ComponentId::new(Section::AutoscalingGroups, &group.common.name);
    site::address(&group.common.region, &component, "service", &host.name, &service_name(stack, group))
}

/// What each slot gets.
pub fn expand(
    request: &ExpandRequest<'_>,
    group: &AutoscalingGroup,
    answers: &Answers,
    problems: &mut Problems,
) -> Expansion {
    let hosts = site::hosts(request.region, &group.hosts, problems);
    check(group, hosts.len(), problems);
    let slots = slots(group, request.region);
    let balancers = balancer::routing_to(request, group);
    let mut expansion = Expansion::default();
    let mut members = Vec::new();
    for host in &slots.used {
        let site = Site::new(request, host);
        let resources = match &group.workload.source {
            WorkloadSource::Package { package, version, service } => package_workload::expand(
                &site,
                group,
                (package, version.as_deref(), service),
                answers,
                problems,
            ),
            WorkloadSource::Release { archive, run, user } => {
                release::expand(&site, group, (archive, run, user.as_deref()), answers, problems)
            }
            WorkloadSource::Container { .. } | WorkloadSource::Image => Vec::new(),
        };
        members.push(member(
            &site,
            group,
            &balancers,
            resources.iter().map(|it| it.address.clone()).collect(),
        ));
        expansion
            .probes
            .push(site.probe("service", inputs([("name", service_name(site.stack, group).into())])));
        expansion.probes.push(site.probe("health", health_inputs(&site, group)));
        expansion.resources.extend(resources);
    }
    expansion.rollouts.push(Rollout {
        component: request.component.id(),
        region: request.region.name.clone(),
        canary: group.update.canary,
        max_unavailable: group.update.max_unavailable.max(1),
        on_failure: group.update.on_failure,
        members,
    });
    expansion.outputs = outputs(group, &slots);
    expansion
}

fn check(group: &AutoscalingGroup, hosts: usize, problems: &mut Problems) {
    if let WorkloadSource::Container { image, .. } = &group.workload.source {
        problems.add(
            "workload.container",
            format!("the ssh provider cannot run containers yet ({image})"),
            "it runs a Debian package (`package:`) or an archive with a command (`release:` and `run:`)",
        );
    }
    if group.workload.source == WorkloadSource::Image {
        problems.add(
            "workload",
            "hosts have no `image`: the group needs a `workload`",
            "say what runs on them",
        );
    }
    let of_machines = [
        ("instance_type", group.instance_type.is_some()),
        ("image", group.image.is_some()),
        ("instance_types", !group.instance_types.is_empty()),
        ("spot", group.spot.is_some()),
        ("schedule", !group.schedule.is_empty()),
    ];
    for (key, _) in of_machines.into_iter().filter(|(_, is_given)| *is_given) {
        problems.add(key, "a fixed pool of hosts makes no machines", format!("remove `{key}`"));
    }
    let has = |count: usize| if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
    if hosts == 0 {
        problems.add(
            "hosts",
            "a group of provider ssh needs hosts",
            "name the hosts of the pool; none is made",
        );
    } else if usize::try_from(group.capacity.desired).unwrap_or(usize::MAX) > hosts {
        problems.add(
            "capacity.desired",
            format!("{} slots are desired, the pool has {}", group.capacity.desired, has(hosts)),
            "add hosts to the pool, or ask for fewer slots: on a fixed pool a slot is a host",
        );
    }
    for (key, text) in [("path", &group.health_check.path), ("host", &group.health_check.host)] {
        if let Some(text) = text.as_deref().filter(|text| !super::balancer_check::is_word(text)) {
            problems.add(
                format!("health_check.{key}"),
                format!("`{}` cannot be written into a HAProxy configuration", text.escape_debug()),
                "use printable ASCII without spaces, quotes, backslashes, braces, `#` and `$`; percent-encode the rest",
            );
        }
    }
}

/// One slot in a rollout: drained at every load balancer that knows it, changed, proven healthy, undrained.
fn member(
    site: &Site<'_>,
    group: &AutoscalingGroup,
    balancers: &[(&LoadBalancer, &Region)],
    resources: Vec<Address>,
) -> Member {
    let name = &site.host.name;
    let health =
        site.operation("health", name, health_inputs(site, group), millis(group.update.health_timeout));
    let mut member = Member { name: name.clone(), resources, before: Vec::new(), after: vec![health] };
    if let Some((drain, undrain)) = drain(site, group, balancers) {
        member.before.push(drain);
        member.after.push(undrain);
    }
    member
}

/// Where a member serves and where it is checked at the moment of asking: as its service says, which a rollback puts
/// back to what it was.
fn ports_now(site: &Site<'_>, group: &AutoscalingGroup) -> (Value, Value) {
    let serves = OutputRef::resource(&service_address(site.stack, group, site.host), "ports");
    let checked = group.health_check.port.map_or_else(|| serves.clone(), Value::from);
    (serves, checked)
}

/// Drain and undrain, where a load balancer routes to the group.
///
/// `sticky` says that some backend honours cookies: a drained member there gets weight 0 as well, which its
/// `ignore-persist` rules look at, because HAProxy lets a cookie override a drain.
fn drain(
    site: &Site<'_>,
    group: &AutoscalingGroup,
    balancers: &[(&LoadBalancer, &Region)],
) -> Option<(Operation, Operation)> {
    let patience = balancers.iter().map(|(balancer, _)| balancer.drain_timeout).max()?;
    let places: Vec<Value> = balancers
        .iter()
        .flat_map(|(balancer, region)| balancer.hosts.iter().map(move |host| (region, host)))
        .filter_map(|(region, host)| region.host(host).map(|host| place(region, host)))
        .collect();
    let (port, check_port) = ports_now(site, group);
    let inputs = inputs([
        ("backends", [balancer::backend_name(group)].into_iter().collect()),
        ("server", names::haproxy(&site.host.name).into()),
        ("haproxy", Value::List(places)),
        ("socket", SOCKET.into()),
        ("drain_timeout_ms", millis(patience).into()),
        ("port", port),
        ("check_port", check_port),
        ("sticky", balancers.iter().any(|(it, _)| it.layer == 7 && it.stickiness.is_some()).into()),
    ]);
    let check = &group.health_check;
    let up_again = (check.interval + check.timeout) * check.healthy.max(1) + UNDRAIN_MARGIN;
    Some((
        site.operation("drain", &site.host.name, inputs.clone(), millis(patience + DRAIN_MARGIN)),
        site.operation("undrain", &site.host.name, inputs, millis(up_again)),
    ))
}

fn health_inputs(site: &Site<'_>, group: &AutoscalingGroup) -> Map {
    let check = &group.health_check;
    let mut map = inputs([
        ("scheme", if check.path.is_some() { "http" } else { "tcp" }.into()),
        ("address", site.host.address.as_str().into()),
        ("port", ports_now(site, group).1),
        ("interval_ms", millis(check.interval).into()),
        ("timeout_ms", millis(check.timeout).into()),
        ("healthy", check.healthy.into()),
        ("service", service_name(site.stack, group).into()),
    ]);
    for (key, value) in [("path", &check.path), ("host", &check.host)] {
        if let Some(value) = value {
            map.insert(key.to_owned(), value.as_str().into());
        }
    }
    map
}

fn outputs(group: &AutoscalingGroup, slots: &Slots<'_>) -> Map {
    let count = |many: usize, what: &str| format!("{many} {what}{}", if many == 1 { "" } else { "s" });
    let pool = slots.used.len() + slots.spare.len();
    let beyond = match usize::try_from(group.capacity.max).unwrap_or(usize::MAX) > pool {
        true => format!("; the pool has no more than {}", count(pool, "host")),
        false => String::new(),
    };
    let capacity = format!(
        "{} (min {}, max {}), {}{beyond}",
        count(slots.used.len(), "slot"),
        group.capacity.min,
        group.capacity.max,
        count(slots.spare.len(), "spare"),
    );
    let names = |hosts: &[&Host]| hosts.iter().map(|host| host.name.as_str()).collect::<Value>();
    inputs([
        ("capacity", capacity.into()),
        ("slots", names(&slots.used)),
        ("spares", names(&slots.spare)),
        ("addresses", slots.used.iter().map(|host| host.address.as_str()).collect()),
        ("port", group.port.into()),
    ])
}
