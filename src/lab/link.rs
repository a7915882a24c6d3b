//! The lab's network on this machine: one bridge, one cable (veth) a host. Talks to `ip -json`; parsing is pure.

use std::net::Ipv4Addr;
use std::process::Command;

use ipnet::Ipv4Net;
use serde::Deserialize;

use super::command::run;
use super::error::LabError;
use super::layout::Layout;
use super::names;

/// An interface as far as the lab cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    /// Administratively up: for a cable, plugged in.
    pub(super) up: bool,
    /// `bridge`, `veth`, ...; empty for hardware.
    pub(super) kind: String,
    pub(super) addresses: Vec<Ipv4Net>,
}

#[derive(Deserialize)]
struct RawLink {
    ifname: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    linkinfo: Option<RawInfo>,
    #[serde(default)]
    addr_info: Vec<RawAddress>,
}

#[derive(Deserialize)]
struct RawInfo {
    info_kind: Option<String>,
}

#[derive(Deserialize)]
struct RawAddress {
    family: Option<String>,
    local: Option<String>,
    prefixlen: Option<u8>,
}

#[derive(Deserialize)]
struct RawRoute {
    dst: Option<String>,
    dev: Option<String>,
}

/// All interfaces of the machine.
pub(super) fn links() -> Result<Vec<Link>, LabError> {
    let args = ["-json", "-details", "address", "show"];
    let text = run("list the network interfaces", Command::new("ip").args(args))?;
    parse_links(&text).map_err(|why| unreadable("list the network interfaces", "ip -json address show", &why))
}

fn parse_links(text: &str) -> Result<Vec<Link>, serde_json::Error> {
    let raw: Vec<RawLink> = serde_json::from_str(text)?;
    let link = |raw: RawLink| {
        let inet = raw.addr_info.iter().filter(|address| address.family.as_deref() == Some("inet"));
        let addresses = inet
            .filter_map(|address| {
                Ipv4Net::new(address.local.as_ref()?.parse().ok()?, address.prefixlen?).ok()
            })
            .collect();
        Some(Link {
            name: raw.ifname?,
            up: raw.flags.iter().any(|flag| flag == "UP"),
            kind: raw.linkinfo.and_then(|info| info.info_kind).unwrap_or_default(),
            addresses,
        })
    };
    Ok(raw.into_iter().filter_map(link).collect())
}

/// Destinations of the main routing table with their interface; the default route is left out.
fn routes() -> Result<Vec<(Ipv4Net, String)>, LabError> {
    let text = run("list the routes", Command::new("ip").args(["-json", "-4", "route", "show"]))?;
    parse_routes(&text).map_err(|why| unreadable("list the routes", "ip -json -4 route show", &why))
}

fn parse_routes(text: &str) -> Result<Vec<(Ipv4Net, String)>, serde_json::Error> {
    let raw: Vec<RawRoute> = serde_json::from_str(text)?;
    let route = |raw: RawRoute| {
        let dst = raw.dst?;
        let net = dst.parse().or_else(|_| dst.parse::<Ipv4Addr>().map(Ipv4Net::from)).ok()?;
        Some((net, raw.dev.unwrap_or_default()))
    };
    Ok(raw.into_iter().filter_map(route).collect())
}

fn unreadable(doing: &str, command: &str, why: &serde_json::Error) -> LabError {
    LabError::Command { doing: doing.to_owned(), command: command.to_owned(), why: why.to_string() }
}

/// Who else uses `subnet`: an interface with an address in it or around it, or a route to a part of it. A wider
/// route (a VPN to all of 10/8, say) is no hindrance, as the lab's is the more specific one.
fn user_of(subnet: Ipv4Net, bridge: &str, links: &[Link], routes: &[(Ipv4Net, String)]) -> Option<String> {
    let overlap = |net: &Ipv4Net| net.contains(&subnet.network()) || subnet.contains(&net.network());
    for link in links.iter().filter(|link| link.name != bridge) {
        if let Some(address) = link.addresses.iter().find(|address| overlap(&address.trunc())) {
            let lab = link.kind == "bridge" && link.name.starts_with(names::BRIDGE_PREFIX);
            let what = if lab { "another lab's bridge" } else { "interface" };
            return Some(format!("{what} {} has {address}", link.name));
        }
    }
    let mut others = routes.iter().filter(|(_, dev)| dev != bridge);
    others
        .find(|(net, _)| subnet.contains(net))
        .map(|(net, dev)| format!("a route to {net} goes through {dev}"))
}

/// Makes the bridge, or repairs a half-made one; refuses a subnet or interface name that is someone else's.
pub(super) fn ensure_bridge(name: &str, mac: &str, layout: &Layout) -> Result<(), LabError> {
    let links = links()?;
    if let Some(by) = user_of(layout.subnet, name, &links, &routes()?) {
        return Err(LabError::SubnetInUse { subnet: layout.subnet, by });
    }
    let address = Ipv4Net::new(layout.gateway, layout.subnet.prefix_len()).unwrap_or(layout.subnet);
    let doing = "make the lab's bridge";
    match links.iter().find(|link| link.name == name) {
        Some(link) if link.kind != "bridge" => {
            let what = if link.kind.is_empty() { "hardware".to_owned() } else { format!("a {}", link.kind) };
            return Err(LabError::BridgeTaken { name: name.to_owned(), what });
        }
        Some(link) if link.addresses.iter().any(|other| *other != address) => {
            let all: Vec<String> = link.addresses.iter().map(ToString::to_string).collect();
            return Err(LabError::BridgeTaken {
                name: name.to_owned(),
                what: format!("a bridge with {}", all.join(", ")),
            });
        }
        Some(link) if link.up && link.addresses.contains(&address) => return Ok(()),
        Some(_) => {}
        None => {
            // The kernel would take the lowest hardware address of the ports and change it as hosts come and go.
            // Snooping would drop multicast until a querier shows up, which a lab never has.
            let args = ["link", "add", "name", name, "address", mac, "type", "bridge", "mcast_snooping", "0"];
            run(doing, Command::new("ip").args(args))?;
        }
    }
    run(doing, Command::new("ip").args(["address", "replace", &address.to_string(), "dev", name]))?;
    run(doing, Command::new("ip").args(["link", "set", "dev", name, "up"]))?;
    Ok(())
}

/// Plugs a cable in or pulls it.
pub(super) fn plug(cable: &str, into: bool) -> Result<(), LabError> {
    let (doing, state) =
        if into { ("heal a host's network", "up") } else { ("cut a host's network", "down") };
    run(doing, Command::new("ip").args(["link", "set", "dev", cable, state])).map(drop)
}

/// Removes an interface if it is there.
pub(super) fn remove(name: &str) -> Result<(), LabError> {
    if !exists(name)? {
        return Ok(());
    }
    let done = run("remove a network interface", Command::new("ip").args(["link", "delete", "dev", name]));
    gone_is_fine(name, done)
}

/// Pulls a cable that may vanish at any moment with the host behind it.
pub(super) fn unplug_if_there(cable: &str) -> Result<(), LabError> {
    if exists(cable)? { gone_is_fine(cable, plug(cable, false)) } else { Ok(()) }
}

fn exists(name: &str) -> Result<bool, LabError> {
    Ok(links()?.iter().any(|link| link.name == name))
}

/// The kernel removes a host's cable by itself some time after the host ended, perhaps just now.
fn gone_is_fine<T>(name: &str, done: Result<T, LabError>) -> Result<(), LabError> {
    match done {
        Err(error) if exists(name)? => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: &str = r#"[
      {"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
      {"ifname":"eth0","flags":["BROADCAST","UP"],"addr_info":[{"family":"inet","local":"192.168.7.2","prefixlen":24},
        {"family":"inet6","local":"fe80::1","prefixlen":64}]},
      {},
      {"ifname":"sf-shop-abcde","flags":["BROADCAST"],"linkinfo":{"info_kind":"bridge"},
        "addr_info":[{"family":"inet","local":"10.77.0.1","prefixlen":24}]}]"#;
    const ROUTES: &str = r#"[{"dst":"default","gateway":"192.168.7.1","dev":"eth0"},{"dst":"10.0.0.0/8","dev":"tun0"},
      {"dst":"10.79.0.0/25","dev":"tun0"},{"dst":"10.80.0.9","dev":"tun0"},{"dst":"10.77.0.0/24","dev":"sf-shop-abcde"}]"#;

    fn check(subnet: &str, expected: Option<&str>) {
        let (links, routes) = (parse_links(LINKS).unwrap(), parse_routes(ROUTES).unwrap());
        let user = user_of(subnet.parse().unwrap(), "sf-shop-abcde", &links, &routes);
        assert_eq!(user.as_deref(), expected, "{subnet}");
    }

    #[test]
    fn interfaces_are_read() {
        let links = parse_links(LINKS).unwrap();
        assert_eq!(links.len(), 3);
        let bridge = &links[2];
        assert_eq!((bridge.kind.as_str(), bridge.up), ("bridge", false));
        assert_eq!(links[1].addresses, ["192.168.7.2/24".parse().unwrap()]);
    }

    #[test]
    fn a_subnet_in_use_is_noticed() {
        check("10.77.0.0/24", None);
        check("10.78.0.0/24", None);
        check("192.168.0.0/16", Some("interface eth0 has 192.168.7.2/24"));
        check("192.168.7.0/25", Some("interface eth0 has 192.168.7.2/24"));
        check("10.79.0.0/24", Some("a route to 10.79.0.0/25 goes through tun0"));
        check("10.80.0.0/24", Some("a route to 10.80.0.9/32 goes through tun0"));
    }
}
