//! Writes an nftables table: what may come in to a host. What goes out is left alone.
//!
//! A whole table of our own, so that nobody else's rules are touched; the provider replaces it in one transaction.

use std::net::IpAddr;

use ipnet::IpNet;
use standfast_contract::component::{Firewall, FirewallRule};

use super::writer::Writer;

/// ICMP and ICMPv6. Numbers, because a host without /etc/protocols (Debian's netbase) does not know all names.
const ICMP: &str = "meta l4proto { 1, 58 } accept";
const VRRP: &str = "meta l4proto 112 accept";

/// The table's text. `ssh_port` stays open whatever the rules say.
pub fn table(name: &str, of: &str, firewall: &Firewall, ssh_port: u16) -> String {
    let mut table = Writer::default();
    table
        .top(format!("# {of}, written by standfast: what is changed here is changed back."))
        .top(format!("table inet standfast_{name} {{"))
        .line("chain input {")
        .deeper("type filter hook input priority filter; policy drop;")
        .deeper("ct state established,related accept")
        .deeper("ct state invalid drop")
        .deeper("iif \"lo\" accept")
        // Neighbour discovery and path MTU discovery are no options: without them IPv6 and large packets stop.
        .deeper(ICMP)
        .deeper(format!("tcp dport {ssh_port} accept comment \"the way in\""));
    for line in firewall.allow.iter().flat_map(rule) {
        table.deeper(line);
    }
    table.line("}").top("}");
    table.finish()
}

/// One line for each family that the rule's sources are of.
fn rule(rule: &FirewallRule) -> Vec<String> {
    let what = match (rule.protocol.as_str(), rule.ports.as_slice()) {
        ("icmp", _) => ICMP.to_owned(),
        ("vrrp", _) => VRRP.to_owned(),
        (protocol, []) => format!("meta l4proto {protocol} accept"),
        (protocol, [port]) => format!("{protocol} dport {port} accept"),
        (protocol, ports) => format!("{protocol} dport {{ {} }} accept", list(ports)),
    };
    if rule.from.is_empty() {
        return vec![what];
    }
    let family = |six: bool, word: &str| {
        let mut nets: Vec<IpNet> =
            rule.from.iter().filter(|net| net.addr().is_ipv6() == six).copied().collect();
        nets = IpNet::aggregate(&nets);
        let nets: Vec<String> = nets.iter().map(net).collect();
        (!nets.is_empty()).then(|| format!("{word} saddr {{ {} }} {what}", nets.join(", ")))
    };
    [family(false, "ip"), family(true, "ip6")].into_iter().flatten().collect()
}

fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn net(net: &IpNet) -> String {
    let one: IpAddr = net.addr();
    if net.prefix_len() == net.max_prefix_len() { one.to_string() } else { net.to_string() }
}
