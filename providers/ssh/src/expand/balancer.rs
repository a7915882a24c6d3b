//! `load_balancers`: HAProxy on each host, keepalived where there is a virtual address.
//!
//! Deliberately absent: two load balancers on one host. HAProxy has one configuration a host, and a file with two
//! owners could be neither planned nor removed for one of them alone.

use std::{collections::BTreeMap, net::IpAddr};

use standfast_contract::{
    Address, Answers, Component, Desired, ExpandRequest, Expansion, Lookup, Map, Member, OnFailure,
    Operation, OutputRef, Probe, Rollout, SecretSource, Value,
    component::{AutoscalingGroup, Certificate, Host, LoadBalancer},
};

use crate::session::place::place;

use super::{
    balancer_check, group,
    haproxy::{self, Backend, Balancer, CERTIFICATES, SOCKET},
    keepalived::{self, Vrrp},
    names,
    site::{self, Problems, Site, inputs},
    units,
};

/// How long a load balancer's ports may take to answer after a change.
const HEALTH_TIMEOUT_MS: i64 = 60_000;
/// How long until one of its hosts holds the virtual address: 2.3 s of silence, two good checks of HAProxy before them,
/// and room for a slow host.
const HELD_TIMEOUT_MS: i64 = 30_000;

/// Facts are needed for the interface of a virtual address, and for nothing else.
pub fn lookups(request: &ExpandRequest<'_>, balancer: &LoadBalancer) -> Vec<Lookup> {
    match balancer.virtual_ip {
        Some(_) => balancer.hosts.iter().map(|host| site::facts_of(&request.region.name, host)).collect(),
        None => Vec::new(),
    }
}

/// What each host of the load balancer gets.
pub fn expand(
    request: &ExpandRequest<'_>,
    balancer: &LoadBalancer,
    answers: &Answers,
    problems: &mut Problems,
) -> Expansion {
    let hosts = site::hosts(request.region, &balancer.hosts, problems);
    balancer_check::check(request, balancer, problems);
    let (backends, behind) = backends(request, balancer, problems);
    let addresses = hosts.iter().map(|host| host.address.parse::<IpAddr>());
    let ipv6 = addresses.flatten().chain(balancer.virtual_ip).any(|address| address.is_ipv6());
    let config = Balancer { stack: request.stack, balancer, backends, ipv6 }.config();
    let routers = keepalived::router_ids(request.stack, request.components);
    let vrrp =
        vrrp(request, balancer, &hosts, answers, routers.get(&request.component.id()).copied(), problems);

    let holder = holder(request, balancer, &hosts);
    let mut expansion = Expansion::default();
    let mut members = Vec::new();
    for host in &hosts {
        let site = Site::new(request, host);
        let mut resources = haproxy_on(&site, balancer, &config, &behind);
        if let (Some(turn), Some(virtual_ip)) = (vrrp.get(host.name.as_str()), balancer.virtual_ip) {
            resources.extend(keepalived_on(&site, turn, virtual_ip));
        }
        let mut after: Vec<Operation> =
            balancer.listeners.iter().map(|listener| health(&site, listener.port)).collect();
        after.extend(holder.as_ref().map(|asked| held(&site, asked)));
        members.push(Member {
            name: host.name.clone(),
            resources: resources.iter().map(|resource| resource.address.clone()).collect(),
            before: Vec::new(),
            after,
        });
        expansion.resources.extend(resources);
        expansion.probes.push(site.probe("service", inputs([("name", "haproxy".into())])));
        expansion.probes.push(site.probe("haproxy", inputs([("socket", SOCKET.into())])));
        if balancer.virtual_ip.is_some() {
            expansion.probes.push(site.probe("service", inputs([("name", "keepalived".into())])));
        }
    }
    expansion.probes.extend(holder);
    expansion.rollouts.push(Rollout {
        component: request.component.id(),
        region: request.region.name.clone(),
        canary: 1,
        max_unavailable: 1,
        on_failure: OnFailure::Rollback,
        members,
    });
    expansion.outputs = outputs(balancer, &hosts);
    expansion
}

/// Asks all hosts at once which of them holds the virtual address.
fn holder(request: &ExpandRequest<'_>, balancer: &LoadBalancer, hosts: &[&Host]) -> Option<Probe> {
    let (address, first) = (balancer.virtual_ip?.to_string(), hosts.first()?);
    let places = hosts.iter().map(|host| place(request.region, host)).collect();
    let inputs = inputs([("address", address.as_str().into()), ("hosts", Value::List(places))]);
    Some(Probe { subject: address, ..Site::new(request, first).probe("virtual_ip", inputs) })
}

/// The groups that routes name, each once, and the services that must be there before requests are sent to them.
fn backends<'a>(
    request: &ExpandRequest<'a>,
    balancer: &LoadBalancer,
    problems: &mut Problems,
) -> (Vec<Backend<'a>>, Vec<Address>) {
    let mut backends: Vec<Backend<'a>> = Vec::new();
    let mut behind = Vec::new();
    for (index, listener) in balancer.listeners.iter().enumerate().filter(|(_, it)| !it.redirect_https) {
        for (nth, route) in listener.routes.iter().enumerate() {
            if backends.iter().any(|backend| backend.group.common.name == route.to.name) {
                continue;
            }
            let key = format!("listeners[{index}].routes[{nth}].to");
            let group = request.components.iter().find_map(|component| match component {
                Component::AutoscalingGroup(group) if component.id() == route.to => Some(group),
                _ => None,
            });
            let Some(group) = group else {
                problems.add(
                    key,
                    format!("{} is no autoscaling group", route.to),
                    "name one of autoscaling_groups",
                );
                continue;
            };
            let Some(region) = request.regions.iter().find(|region| region.name == group.common.region)
            else {
                problems.add(key, format!("{} has no region", route.to), "name one of regions");
                continue;
            };
            if region.provider != site::PROVIDER {
                problems.add(
                    key,
                    format!("{} is in region {} of provider {}", route.to, region.name, region.provider),
                    "HAProxy on hosts serves groups on hosts: give this group a load balancer in its own region",
                );
                continue;
            }
            let members = group::slots(group, region).used;
            behind.extend(members.iter().map(|host| group::service_address(request.stack, group, host)));
            backends.push(Backend { group, members });
        }
    }
    (backends, behind)
}

/// HAProxy itself reads a certificate before it takes the old one's place: one that it cannot read would keep it from
/// starting again.
const CERTIFICATE_CHECK: &str = "printf %b 'defaults\\nmode http\\ntimeout client 1s\\nfrontend check\\nbind 127.0.0.1:1 ssl crt ' %s '\\n' | \
                                 haproxy -c -f /dev/stdin";

/// One host's part in holding the virtual address.
struct Turn {
    /// The text of `keepalived.conf`.
    config: String,
    /// Those who may hold the address as well.
    peers: Vec<IpAddr>,
}

/// Each host's part, where there is a virtual address and everything about the hosts is known.
fn vrrp<'a>(
    request: &ExpandRequest<'a>,
    balancer: &LoadBalancer,
    hosts: &[&'a Host],
    answers: &Answers,
    router_id: Option<u8>,
    problems: &mut Problems,
) -> BTreeMap<&'a str, Turn> {
    let (Some(virtual_ip), Some(router_id)) = (balancer.virtual_ip, router_id) else {
        return BTreeMap::new();
    };
    let facts: Vec<Option<&Map>> = hosts
        .iter()
        .map(|host| site::answer(answers, &site::facts_of(&request.region.name, &host.name)))
        .collect();
    let link_of = |host: &Host, facts: &Map| keepalived::link(facts, virtual_ip, &host.address);
    let neighbour = hosts.iter().zip(&facts).find_map(|(host, facts)| link_of(host, (*facts)?));
    let mut links = Vec::new();
    for (host, facts) in hosts.iter().zip(facts) {
        let link = match facts {
            Some(facts) => link_of(host, facts),
            // A dead host must not stop the plan: it is taken to be wired as the others are.
            None => neighbour.as_ref().and_then(|link| link.of_neighbour(&host.address)),
        };
        match link {
            Some(link) => links.push((host, link)),
            None if facts.is_some() => problems.add(
                "virtual_ip",
                format!("no interface of host {} is in the subnet of {virtual_ip}", host.name),
                "choose a free address of the subnet that all hosts of the load balancer share",
            ),
            None => problems.unanswered(
                "virtual_ip",
                format!("nothing is known of host {}: which interface shall hold {virtual_ip}?", host.name),
                format!("make sure that {} can be reached over ssh, then plan again", host.name),
            ),
        }
    }
    let config = |index: usize, (host, link): &(&&'a Host, keepalived::Link)| {
        let peers = links.iter().filter(|(other, _)| other.name != host.name).map(|(_, peer)| peer.own);
        let peers: Vec<IpAddr> = peers.collect();
        let vrrp = Vrrp {
            stack: request.stack,
            balancer: &balancer.common.name,
            host: &host.name,
            router_id,
            virtual_ip,
            interface: &link.interface,
            own: link.own,
            peers: peers.clone(),
            index,
        };
        Turn { config: vrrp.config(), peers }
    };
    links.iter().enumerate().map(|(index, link)| (link.0.name.as_str(), config(index, link))).collect()
}

fn haproxy_on(site: &Site<'_>, balancer: &LoadBalancer, config: &str, behind: &[Address]) -> Vec<Desired> {
    let mut names = vec!["haproxy", "socat"];
    if balancer.virtual_ip.is_some() {
        names.insert(1, "keepalived");
    }
    let package =
        site.resource("package", "packages", inputs([("names", names.into_iter().collect())]), Vec::new());
    let installed = package.address.clone();

    let folder = inputs([
        ("path", CERTIFICATES.into()),
        ("owner", "root".into()),
        ("group", "root".into()),
        ("mode", "0700".into()),
    ]);
    let folder = site.resource("directory", "haproxy.certs", folder, vec![installed.clone()]);
    let certificates: Vec<Desired> = balancer
        .listeners
        .iter()
        .filter_map(|listener| match &listener.certificate {
            Some(Certificate::Pem(pem)) => Some((listener, pem)),
            _ => None,
        })
        .map(|(listener, pem)| {
            let mut inputs = file(
                &haproxy::certificate_path(balancer, listener),
                Value::Secret(SecretSource::FileExact(pem.clone())),
                "0600",
                Some(CERTIFICATE_CHECK),
            );
            inputs.insert("discreet".to_owned(), true.into());
            let name = format!("haproxy.certs.{}", listener.port);
            site.resource("file", &name, inputs, vec![folder.address.clone()])
        })
        .collect();

    let reload = units::haproxy_reload();
    let unit = inputs([("name", units::HAPROXY_RELOAD.into()), ("content", reload.into())]);
    let save = file(units::SAVE_STATE, units::save_state().into(), "0755", None);
    let save = site.resource("file", "haproxy.save-state", save, vec![installed.clone()]);
    let unit = site.resource("systemd_unit", units::HAPROXY_RELOAD, unit, vec![save.address.clone()]);

    // Certificates first: the check of the new configuration opens them. Members first as well: who gets requests is
    // there already, and is taken out of the balancing before it is removed; but a dead member must not keep it down.
    let mut after = vec![installed.clone()];
    after.extend(certificates.iter().map(|certificate| certificate.address.clone()));
    let config = file("/etc/haproxy/haproxy.cfg", config.into(), "0644", Some("haproxy -c -f %s"));
    let mut config = site.resource("file", "haproxy.cfg", config, after);
    config.follows = behind.to_vec();

    let mut reload_on = inputs([("configuration", OutputRef::resource(&config.address, "digest"))]);
    for certificate in &certificates {
        reload_on.insert(
            certificate.address.name().trim_start_matches(&format!("{}.", site.host.name)).to_owned(),
            OutputRef::resource(&certificate.address, "digest"),
        );
    }
    let mut service = service(site, "haproxy", reload_on, vec![installed, unit.address.clone()]);
    let ports = balancer.listeners.iter().map(|listener| listener.port).collect();
    service.inputs.insert("ports".to_owned(), ports);

    let mut resources = vec![package];
    if !certificates.is_empty() {
        resources.push(folder);
    }
    resources.extend(certificates);
    resources.extend([save, unit, config, service]);
    resources
}

fn keepalived_on(site: &Site<'_>, turn: &Turn, virtual_ip: IpAddr) -> Vec<Desired> {
    let installed = site.address("package", "packages");
    let config = file(
        "/etc/keepalived/keepalived.conf",
        turn.config.as_str().into(),
        "0644",
        Some("keepalived -t -f %s"),
    );
    let config = site.resource("file", "keepalived.conf", config, vec![installed.clone()]);
    let reload_on = inputs([("configuration", OutputRef::resource(&config.address, "digest"))]);
    // The address goes to who can serve: HAProxy first.
    let after = vec![installed, site.address("service", "haproxy")];
    let mut service = service(site, "keepalived", reload_on, after);
    service.inputs.insert("claims".to_owned(), [virtual_ip.to_string()].into_iter().collect());
    service.inputs.insert("peers".to_owned(), turn.peers.iter().map(IpAddr::to_string).collect());
    vec![config, service]
}

fn file(path: &str, content: Value, mode: &str, validate: Option<&str>) -> Map {
    let mut map = inputs([
        ("path", path.into()),
        ("content", content),
        ("owner", "root".into()),
        ("group", "root".into()),
        ("mode", mode.into()),
    ]);
    if let Some(validate) = validate {
        map.insert("validate".to_owned(), validate.into());
    }
    map
}

fn service(site: &Site<'_>, name: &str, reload_on: Map, after: Vec<Address>) -> Desired {
    let inputs = inputs([
        ("name", name.into()),
        ("enabled", true.into()),
        ("running", true.into()),
        ("reload_on", reload_on.into()),
    ]);
    site.resource("service", name, inputs, after)
}

/// A changed load balancer is good when every listener takes connections.
fn health(site: &Site<'_>, port: u16) -> Operation {
    let inputs = inputs([
        ("scheme", "tcp".into()),
        ("address", site.host.address.as_str().into()),
        ("port", port.into()),
        ("interval_ms", 500_i64.into()),
        ("timeout_ms", 1_000_i64.into()),
        ("healthy", 2_u32.into()),
        ("service", "haproxy".into()),
    ]);
    site.operation("health", &format!("{}.{port}", site.host.name), inputs, HEALTH_TIMEOUT_MS)
}

/// And when somebody holds the virtual address: until then nobody is served, and the next host is not touched.
fn held(site: &Site<'_>, asked: &Probe) -> Operation {
    let mut inputs = asked.inputs.clone();
    inputs.extend(self::inputs([("interval_ms", 250_i64.into()), ("healthy", 2_u32.into())]));
    site.operation("health", &format!("{}.virtual_ip", site.host.name), inputs, HELD_TIMEOUT_MS)
}

fn outputs(balancer: &LoadBalancer, hosts: &[&Host]) -> Map {
    let address = balancer
        .virtual_ip
        .map(|address| address.to_string())
        .or_else(|| hosts.first().map(|host| host.address.clone()))
        .unwrap_or_default();
    let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
    let secure = haproxy::https_listener(balancer);
    let port = secure.or(balancer.listeners.first()).map_or(0, |listener| listener.port);
    let url = match (balancer.layer, secure.is_some(), port) {
        (7, true, 443) => format!("https://{host}"),
        (7, false, 80) => format!("http://{host}"),
        (7, true, port) => format!("https://{host}:{port}"),
        (7, false, port) => format!("http://{host}:{port}"),
        (_, _, port) => format!("tcp://{host}:{port}"),
    };
    inputs([
        ("address", address.into()),
        ("url", url.into()),
        ("hosts", hosts.iter().map(|host| host.name.as_str()).collect()),
    ])
}

/// The load balancers of the blueprint that send requests to a group, with the region of each.
pub fn routing_to<'a>(
    request: &ExpandRequest<'a>,
    group: &AutoscalingGroup,
) -> Vec<(&'a LoadBalancer, &'a standfast_contract::Region)> {
    let sends = |balancer: &LoadBalancer| {
        let mut listeners = balancer.listeners.iter().filter(|listener| !listener.redirect_https);
        listeners.any(|listener| listener.routes.iter().any(|route| route.to.name == group.common.name))
    };
    request
        .components
        .iter()
        .filter_map(|component| match component {
            Component::LoadBalancer(balancer) if sends(balancer) => {
                let mut regions = request.regions.iter();
                let region = regions.find(|region| region.name == balancer.common.region)?;
                (region.provider == site::PROVIDER).then_some((balancer, region))
            }
            _ => None,
        })
        .collect()
}

/// The name of a group's backend in every load balancer.
pub fn backend_name(group: &AutoscalingGroup) -> String {
    names::haproxy(&group.common.name)
}
