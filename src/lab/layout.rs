//! From the hosts of a blueprint to a checked layout: one subnet, one bridge address, no clash. All pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::names;

/// The narrowest subnet of a lab: what people expect behind one switch.
const PREFIX_NARROWEST: u8 = 24;
/// The widest: beyond it a lab would swallow a large part of a private range.
const PREFIX_WIDEST: u8 = 16;

/// What `up` is asked for.
#[derive(Debug, Clone)]
pub struct LabSpec {
    pub hosts: Vec<LabHost>,
    /// Addresses of the subnet that are no host's but will be taken, such as virtual IPs: the lab's subnet
    /// covers them and its bridge avoids them.
    pub reserved: Vec<Ipv4Addr>,
    /// Login user made in every host, with `sudo` and no password.
    pub user: String,
}

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabHost {
    pub name: String,
    pub address: Ipv4Addr,
    /// Failure domain as the blueprint names it; kept for display.
    pub zone: String,
}

/// Hosts that were checked against each other, and the network that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) subnet: Ipv4Net,
    /// The machine's own address on the bridge.
    pub(super) gateway: Ipv4Addr,
}

impl LabSpec {
    /// Checks names and addresses and chooses subnet and bridge address.
    pub(super) fn layout(&self) -> Result<Layout, LabError> {
        names::check_user(&self.user)?;
        if self.hosts.is_empty() {
            return Err(LabError::NoHosts);
        }
        let mut by_address: BTreeMap<Ipv4Addr, &str> = BTreeMap::new();
        let mut by_name: BTreeMap<&str, Ipv4Addr> = BTreeMap::new();
        for host in &self.hosts {
            names::check_host(&host.name)?;
            if let Some(first) = by_name.insert(&host.name, host.address) {
                return Err(LabError::HostTwice { host: host.name.clone(), first, second: host.address });
            }
            if let Some(first) = by_address.insert(host.address, &host.name) {
                let (first, second) = (first.to_owned(), host.name.clone());
                return Err(LabError::SharedAddress { address: host.address, first, second });
            }
        }
        for address in &self.reserved {
            by_address.entry(*address).or_insert("reserved");
        }
        network(&by_address)
    }
}

fn network(taken: &BTreeMap<Ipv4Addr, &str>) -> Result<Layout, LabError> {
    for (address, of) in taken {
        if !rehearsable(*address) {
            return Err(LabError::AddressNotPrivate { address: *address, of: (*of).to_owned() });
        }
    }
    let subnet = smallest_subnet(taken.keys().copied());
    if subnet.prefix_len() < PREFIX_WIDEST {
        return Err(LabError::SubnetTooWide { subnet, limit: PREFIX_WIDEST });
    }
    for (address, of) in taken {
        if *address == subnet.network() || *address == subnet.broadcast() {
            return Err(LabError::AddressReserved { address: *address, of: (*of).to_owned(), subnet });
        }
    }
    let first = subnet.hosts().next();
    // After `.1` the top of the subnet: people number hosts from the bottom.
    let rest = (0..=u32::from(u16::MAX)).map_while(|down| {
        let candidate = Ipv4Addr::from(u32::from(subnet.broadcast()).checked_sub(down + 1)?);
        (candidate > subnet.network()).then_some(candidate)
    });
    let gateway = first.into_iter().chain(rest).find(|candidate| !taken.contains_key(candidate));
    Ok(Layout { subnet, gateway: gateway.ok_or(LabError::SubnetFull { subnet })? })
}

/// The smallest prefix, not narrower than /24, that holds all addresses.
fn smallest_subnet(addresses: impl Iterator<Item = Ipv4Addr> + Clone) -> Ipv4Net {
    let all = addresses.clone().map(u32::from).fold((u32::MAX, 0), |(and, or), a| (and & a, or | a));
    // Bits in which some address differs from another.
    let differing = all.0 ^ all.1;
    let common = u8::try_from(differing.leading_zeros()).unwrap_or(PREFIX_NARROWEST);
    let prefix = common.min(PREFIX_NARROWEST);
    Ipv4Net::new_assert(Ipv4Addr::from(all.0), prefix).trunc()
}

/// Private (RFC 1918), shared (RFC 6598), benchmarking (RFC 2544) and documentation (RFC 5737) ranges: a lab there
/// hides no real machine of the Internet.
fn rehearsable(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarking = a == 198 && (18..20).contains(&b);
    address.is_private() || address.is_documentation() || shared || benchmarking
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(hosts: &[(&str, &str)], reserved: &[&str]) -> LabSpec {
        let host = |(name, address): &(&str, &str)| LabHost {
            name: (*name).to_owned(),
            address: address.parse().unwrap(),
            zone: "rack-a".to_owned(),
        };
        LabSpec {
            hosts: hosts.iter().map(host).collect(),
            reserved: reserved.iter().map(|a| a.parse().unwrap()).collect(),
            user: "deploy".to_owned(),
        }
    }

    /// `Ok("subnet bridge-address")` or the error's text.
    fn check(hosts: &[(&str, &str)], reserved: &[&str], expected: Result<&str, &str>) {
        let outcome = spec(hosts, reserved).layout();
        match (outcome, expected) {
            (Ok(layout), Ok(text)) => assert_eq!(format!("{} {}", layout.subnet, layout.gateway), text),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (outcome, expected) => panic!("{outcome:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_subnet_is_the_smallest_that_holds_all() {
        check(&[("a", "10.77.0.11")], &[], Ok("10.77.0.0/24 10.77.0.1"));
        check(&[("a", "10.77.0.11"), ("b", "10.77.0.200")], &[], Ok("10.77.0.0/24 10.77.0.1"));
        check(&[("a", "10.77.0.11"), ("b", "10.77.1.11")], &[], Ok("10.77.0.0/23 10.77.0.1"));
        check(&[("a", "10.77.1.11"), ("b", "10.77.2.11")], &[], Ok("10.77.0.0/22 10.77.0.1"));
        check(&[("a", "10.77.1.11")], &["10.77.0.100"], Ok("10.77.0.0/23 10.77.0.1"));
        check(&[("a", "172.16.0.9"), ("b", "172.16.255.9")], &[], Ok("172.16.0.0/16 172.16.0.1"));
    }

    #[test]
    fn the_bridge_takes_an_address_nobody_has() {
        check(&[("a", "10.77.0.1")], &[], Ok("10.77.0.0/24 10.77.0.254"));
        check(&[("a", "10.77.0.1")], &["10.77.0.254"], Ok("10.77.0.0/24 10.77.0.253"));
    }

    #[test]
    fn clashes_are_named() {
        check(&[("a", "10.77.0.2"), ("b", "10.77.0.2")], &[], Err("hosts `a` and `b` have the same address"));
        check(&[("a", "10.77.0.2"), ("a", "10.77.0.3")], &[], Err("`a` is named twice"));
        check(&[("A!", "10.77.0.2")], &[], Err("cannot name a host"));
        check(&[], &[], Err("at least one host"));
        check(&[("a", "8.8.8.8")], &[], Err("not a private address"));
        check(&[("a", "127.0.0.5")], &[], Err("not a private address"));
        check(&[("a", "10.1.0.5"), ("b", "10.77.0.5")], &[], Err("wider than the /16"));
        check(&[("a", "10.77.0.255")], &[], Err("network or broadcast"));
        check(&[("a", "10.77.0.5")], &["10.77.0.0"], Err("network or broadcast"));
    }
}
