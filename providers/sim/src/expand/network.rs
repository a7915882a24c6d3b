//! A network with a subnet in every zone, and gateways to go out by.

use standfast_contract::{
    OutputRef, Value,
    component::{Nat, Network},
};

use super::{Build, word};

/// Where neither the component nor its region says.
const CIDR_DEFAULT: &str = "10.0.0.0/16";

pub(super) fn expand(build: &mut Build<'_>, network: &Network) {
    if let Some(existing) = &network.existing {
        build.output("id", existing.as_str());
        return;
    }
    let given = network.cidr.or(build.region.network);
    let Some(cidr) = given.or_else(|| CIDR_DEFAULT.parse().ok()) else { return };
    let id = build.add("network", "main", [("cidr", cidr.to_string().into()), ("nat", word(network.nat))]);
    // Sixteen subnets, so that a zone more does not move the others; more only where there are more zones.
    let zones = build.zones.clone();
    let bits = if zones.len() > 16 { 8 } else { 4 };
    let Ok(mut ranges) = cidr.subnets(cidr.prefix_len() + bits) else {
        build.problem("cidr", format!("{cidr} is too small for a subnet in each of {} zones", zones.len()));
        return;
    };
    let mut all = vec![id.clone()];
    let mut subnets = Vec::new();
    for zone in &zones {
        let range = ranges.next().map_or(Value::Null, |range| range.to_string().into());
        let network = OutputRef::resource(&id, "id");
        let subnet = build.add(
            "subnet",
            zone,
            [("network", network), ("zone", zone.as_str().into()), ("cidr", range)],
        );
        subnets.push(OutputRef::resource(&subnet, "id"));
        all.push(subnet);
    }
    let gateways = match network.nat {
        Nat::PerZone => zones.len(),
        Nat::Single => 1,
        Nat::None => 0,
    };
    for (zone, subnet) in zones.iter().zip(&subnets).take(gateways) {
        let gateway = build.add("gateway", zone, [("subnet", subnet.clone())]);
        all.push(gateway);
    }
    build.output("id", OutputRef::resource(&id, "id"));
    build.output("subnets", subnets);
    build.probe("network", &all, &[id]);
}
