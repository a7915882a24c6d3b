//! Writes `keepalived.conf` for one host of a load balancer with a virtual address.
//!
//! Every host begins as BACKUP and nobody takes the address back (`nopreempt`): a host that returns causes no second
//! interruption. Unicast, because switches and clouds filter multicast. VRRP version 3 (RFC 5798) for times below a
//! second; it has no authentication, and version 2's was removed by RFC 3768 for being none: who may send VRRP is the
//! firewall's to say (`protocol: vrrp`).

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use standfast_contract::{Component, ComponentId, Map, Stack};

use super::{haproxy::SOCKET, writer::Writer};

/// The first host's priority; each later one's is one less. 255 is for the owner of an address.
const PRIORITY_FIRST: usize = 200;

/// The first is missed at 3 * 0.7 s + (256 - 200) / 256 * 0.7 s = 2.3 s; a second would make it 3.2 s.
const ADVERTISEMENT: &str = "0.7";

/// What one host's file says.
pub struct Vrrp<'a> {
    pub stack: &'a Stack,
    pub balancer: &'a str,
    pub host: &'a str,
    pub router_id: u8,
    pub virtual_ip: IpAddr,
    pub interface: &'a str,
    pub own: IpAddr,
    pub peers: Vec<IpAddr>,
    /// Place among the balancer's hosts, from 0.
    pub index: usize,
}

impl Vrrp<'_> {
    /// The file's text.
    pub fn config(&self) -> String {
        let mut file = Writer::default();
        file.top(format!(
            "# load_balancers.{} of {} ({}), written by standfast: what is changed here is changed back.",
            self.balancer, self.stack.name, self.stack.environment
        ));
        file.section("global_defs {")
            .line(format!("router_id {}", self.host))
            .line("vrrp_version 3")
            .line("script_user root")
            .line("enable_script_security")
            .top("}");
        // Whoever cannot serve must not hold the address. A connect fails at once when the process is gone, and
        // succeeds throughout a reload.
        file.section("vrrp_script haproxy {")
            .line(format!("script \"/usr/bin/socat -u OPEN:/dev/null UNIX-CONNECT:{SOCKET}\""))
            .line("interval 1")
            .line("timeout 1")
            .line("fall 2")
            .line("rise 2")
            .top("}");
        file.section(format!("vrrp_instance {} {{", self.balancer))
            .line("state BACKUP")
            .line("nopreempt")
            .line(format!("interface {}", self.interface))
            .line(format!("virtual_router_id {}", self.router_id))
            .line(format!("priority {}", PRIORITY_FIRST.saturating_sub(self.index).max(1)))
            .line(format!("advert_int {ADVERTISEMENT}"));
        if !self.peers.is_empty() {
            file.line(format!("unicast_src_ip {}", self.own)).line("unicast_peer {");
            for peer in &self.peers {
                file.deeper(peer.to_string());
            }
            file.line("}");
        }
        // Neighbours learn of the move at once, and again a second later, should the first word be lost.
        file.line("garp_master_delay 1").line("garp_master_repeat 3").line("garp_master_refresh 30");
        file.line("virtual_ipaddress {")
            .deeper(format!("{} dev {}", IpNet::from(self.virtual_ip), self.interface))
            .line("}")
            .line("track_script {")
            .deeper("haproxy")
            .line("}")
            .top("}");
        file.finish()
    }
}

/// The virtual router of each load balancer that has a virtual address: 1 to 255, no two alike in a blueprint.
///
/// From the name, so that it stays when others come and go; where two names meet, the later one takes the next free.
pub fn router_ids(stack: &Stack, components: &[Component]) -> BTreeMap<ComponentId, u8> {
    let mut balancers: Vec<(ComponentId, &str)> = components
        .iter()
        .filter_map(|component| match component {
            Component::LoadBalancer(it) if it.virtual_ip.is_some() => {
                Some((component.id(), it.common.region.as_str()))
            }
            _ => None,
        })
        .collect();
    balancers.sort();
    let mut taken = [false; 256];
    let mut ids = BTreeMap::new();
    for (balancer, region) in balancers {
        let name = format!("{}/{}/{region}/{balancer}", stack.name, stack.environment);
        let first = blake3::hash(name.as_bytes()).as_bytes()[0];
        let free =
            (0..=255u8).map(|step| first.wrapping_add(step)).find(|id| *id != 0 && !taken[usize::from(*id)]);
        // The 256th shares: it is told apart by its hosts, since the advertisements are unicast.
        let id = free.unwrap_or(first.max(1));
        taken[usize::from(id)] = true;
        ids.insert(balancer, id);
    }
    ids
}

/// A host's own address beside the virtual one, and the interface that has it.
pub struct Link {
    pub interface: String,
    pub own: IpAddr,
}

impl Link {
    /// What the link of a host that cannot be asked most likely is: hosts that share an address are wired alike.
    pub fn of_neighbour(&self, host_address: &str) -> Option<Link> {
        Some(Link { interface: self.interface.clone(), own: host_address.parse().ok()? })
    }
}

/// Finds it in a host's facts, whose `interfaces` are `{address or address/length: name}`.
///
/// `None` when no interface is in the virtual address's subnet. Where facts tell no lengths, the interface with the
/// host's address of the blueprint is taken.
pub fn link(facts: &Map, virtual_ip: IpAddr, host_address: &str) -> Option<Link> {
    let interfaces = facts.get("interfaces")?.as_map()?;
    let known: Vec<(IpNet, &str)> = interfaces
        .iter()
        .filter_map(|(address, name)| {
            let net =
                address.parse::<IpNet>().ok().or_else(|| address.parse::<IpAddr>().ok().map(IpNet::from))?;
            (net.addr() != virtual_ip).then_some((net, name.as_str()?))
        })
        .collect();
    let host_address: Option<IpAddr> = host_address.parse().ok();
    let fits =
        |(net, _): &&(IpNet, &str)| net.contains(&virtual_ip) && net.prefix_len() < net.max_prefix_len();
    let is_host = |(net, _): &&(IpNet, &str)| Some(net.addr()) == host_address;
    let lengths =
        known.iter().any(|(net, _)| net.prefix_len() < net.max_prefix_len() && !net.addr().is_loopback());
    // The blueprint's address first: a host may have several in the subnet.
    let found = known
        .iter()
        .find(|one| fits(one) && is_host(one))
        .or_else(|| known.iter().find(fits))
        .or_else(|| known.iter().find(|one| !lengths && is_host(one)))?;
    Some(Link { interface: found.1.to_owned(), own: found.0.addr() })
}

#[cfg(test)]
mod tests {
    use standfast_contract::Value;

    use super::*;
    use crate::expand::site::inputs;

    fn facts(interfaces: &[(&str, &str)]) -> Map {
        let interfaces =
            interfaces.iter().map(|(address, name)| ((*address).to_owned(), Value::text(*name))).collect();
        inputs([("interfaces", Value::Map(interfaces))])
    }

    fn check(interfaces: &[(&str, &str)], expected: Option<(&str, &str)>) {
        let found = link(&facts(interfaces), "10.0.0.100".parse().unwrap(), "10.0.0.11");
        let found = found.map(|link| (link.interface, link.own.to_string()));
        assert_eq!(found, expected.map(|(name, own)| (name.to_owned(), own.to_owned())), "{interfaces:?}");
    }

    #[test]
    fn the_interface_is_the_one_in_the_virtual_address_s_subnet() {
        check(&[("127.0.0.1/8", "lo"), ("10.0.0.11/24", "eth0")], Some(("eth0", "10.0.0.11")));
        check(&[("192.0.2.4/24", "eth0"), ("10.0.0.7/24", "eth1")], Some(("eth1", "10.0.0.7")));
        check(&[("10.0.0.4/24", "eth0"), ("10.0.0.11/24", "eth1")], Some(("eth1", "10.0.0.11")));
        check(&[("10.0.0.11", "eth0"), ("127.0.0.1", "lo")], Some(("eth0", "10.0.0.11")));
    }

    #[test]
    fn no_interface_in_the_subnet_is_none() {
        check(&[("127.0.0.1/8", "lo"), ("10.0.1.11/24", "eth0")], None);
        check(&[("10.0.0.11/32", "eth0"), ("192.0.2.1/24", "eth1")], None);
        check(&[], None);
    }

    #[test]
    fn the_virtual_address_itself_is_not_a_host_s_own() {
        check(&[("10.0.0.100/32", "eth0"), ("10.0.0.11/24", "eth0")], Some(("eth0", "10.0.0.11")));
    }
}
