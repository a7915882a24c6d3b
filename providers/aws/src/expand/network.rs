//! A network: a VPC with public, private and database subnets in every zone, and the ways out of it.
//!
//! Its addresses are cut so that a zone more moves nothing: of eight equal parts the first six are the private subnets
//! of six zones (no AWS region has more), the seventh holds the public and the eighth the database subnets.

use ipnet::{IpNet, Ipv4Net};
use standfast_contract::{
    Address, Component, ExpandRequest, Lookup, Map, OutputRef, Section, Value,
    component::{Nat, Network},
};

use super::{Build, ask};
use crate::{kinds::map, look_up::VPC};

const SERVICE: &str = "ec2";
/// Where neither the component nor its region says.
const CIDR_DEFAULT: &str = "10.0.0.0/16";
const ZONES_MAX: usize = 6;
/// AWS's own limits of a VPC, and of the smallest subnet (/28) that the cut leaves.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=22;
/// The smallest network in whose public subnets (/27) a load balancer may be.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>
const PREFIX_BALANCED: u8 = 21;
const ANYWHERE: &str = "0.0.0.0/0";
/// The names of the table of the public subnets, and of the endpoint.
const PUBLIC: &str = "public";
const S3: &str = "s3";

/// A third of a network, by who may be reached from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tier {
    Public,
    Private,
    Database,
}

impl Tier {
    pub(super) const ALL: [Tier; 3] = [Tier::Public, Tier::Private, Tier::Database];

    fn word(self) -> &'static str {
        match self {
            Tier::Public => "public",
            Tier::Private => "private",
            Tier::Database => "database",
        }
    }

    /// The range of its subnet in the zone of this number.
    pub(super) fn range(self, cidr: Ipv4Net, zone: usize) -> Option<Ipv4Net> {
        let mut eighths = cidr.subnets(cidr.prefix_len() + 3).ok()?;
        let small = |eighth: Ipv4Net| eighth.subnets(eighth.prefix_len() + 3).ok()?.nth(zone);
        match self {
            Tier::Private => eighths.nth(zone),
            Tier::Public => small(eighths.nth(6)?),
            Tier::Database => small(eighths.nth(7)?),
        }
    }
}

pub(super) fn lookups(request: &ExpandRequest<'_>) -> Option<Lookup> {
    let existing = of_region(request)?.existing.as_deref()?;
    Some(ask(request.region, VPC, existing))
}

/// The network that the components of a region are in.
fn of_region<'a>(request: &ExpandRequest<'a>) -> Option<&'a Network> {
    if let Component::Network(network) = request.component {
        return Some(network);
    }
    request.components.iter().find_map(|component| match component {
        Component::Network(network) if network.common.region == request.region.name => Some(network),
        _ => None,
    })
}

/// Where in a network the other components of its region go.
pub(super) struct Within {
    pub vpc: Value,
    /// Its addresses.
    pub cidrs: Vec<Value>,
    /// Whether its public subnets are large enough for load balancers, as far as that is known.
    pub is_balanced: bool,
    /// What must be there before anybody outside can reach what is in it, and before what is in it can reach anybody. Of a
    /// network that is there already, nothing.
    pub way_in: Option<Address>,
    pub way_out: Option<Address>,
    /// Subnets by tier: ids, in the order of zones.
    pub public: Vec<Value>,
    pub private: Vec<Value>,
    pub database: Vec<Value>,
}

/// The network of the component's region; without one, a problem.
pub(super) fn within(build: &mut Build<'_>) -> Option<Within> {
    let Some(network) = of_region(build.request) else {
        // Told once, at the first that would be in it.
        let here = |one: &&Component| one.common().region == build.region.name && is_within(one);
        let first = build.request.components.iter().find(here);
        if first.is_some_and(|first| first.id() != build.id) {
            return None;
        }
        let region = &build.region.name;
        let hint = format!(
            "Add one: `networks: {{ main: {{ region: {region} }} }}`, or with `existing: vpc-...` one that is there."
        );
        build.problem("region", format!("region `{region}` has no network to put it into"), hint);
        return None;
    };
    if let Some(existing) = &network.existing {
        // Where there is none, the network says so, once for all that would be in it.
        let found = build.answer(VPC, existing).and_then(Value::as_map)?;
        return Some(Within {
            vpc: existing.as_str().into(),
            cidrs: found.get("cidrs").and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default(),
            is_balanced: true,
            way_in: None,
            way_out: None,
            public: ids(found, Tier::Public),
            private: ids(found, Tier::Private),
            database: ids(found, Tier::Database),
        });
    }
    let id = Component::Network(network.clone()).id();
    let address = |kind: &str, name: &str| Address::new(&build.region.name, &id, kind, name);
    let output = |kind: &str, name: &str| OutputRef::resource(&address(kind, name), "id");
    let subnets = |tier: Tier| {
        build.zones.iter().map(|zone| output("subnet", &format!("{}.{zone}", tier.word()))).collect()
    };
    let given = network.cidr.or(build.region.network);
    let cidr = given.map_or(CIDR_DEFAULT.to_owned(), |cidr| cidr.trunc().to_string());
    Some(Within {
        vpc: output("vpc", "main"),
        cidrs: vec![cidr.into()],
        is_balanced: given.is_none_or(|cidr| cidr.prefix_len() <= PREFIX_BALANCED),
        way_in: Some(address("route_table", PUBLIC)),
        // It is in every route table, and those lead to the NAT gateways.
        way_out: Some(address("vpc_endpoint", S3)),
        public: subnets(Tier::Public),
        private: subnets(Tier::Private),
        database: subnets(Tier::Database),
    })
}

/// Whether a component is in the network of its region.
fn is_within(component: &Component) -> bool {
    use Section::{AutoscalingGroups, Databases, LoadBalancers, SessionStores};
    matches!(component.section(), LoadBalancers | AutoscalingGroups | Databases | SessionStores)
}

/// The subnets of an existing VPC.
fn ids(found: &Map, tier: Tier) -> Vec<Value> {
    let subnets = found.get(tier.word()).and_then(Value::as_list).unwrap_or_default();
    subnets.iter().filter_map(|one| one.as_map()?.get("id").cloned()).collect()
}

pub(super) fn expand(build: &mut Build<'_>, network: &Network) {
    if let Some(existing) = &network.existing {
        if !existing.starts_with("vpc-") {
            let location = &build.place.location;
            let hint = format!("`aws ec2 describe-vpcs --region {location}` lists those that are there.");
            return build.problem(
                "existing",
                format!("`{existing}` is no id of a VPC: it begins with `vpc-`"),
                hint,
            );
        }
        return expand_existing(build, existing);
    }
    let Some(cidr) = cidr(build, network) else { return };
    let vpc = build.add(
        SERVICE,
        "vpc",
        "main",
        [("cidr", cidr.to_string().into()), ("dns_hostnames", true.into())],
    );
    let vpc_id = OutputRef::resource(&vpc, "id");
    for tier in Tier::ALL {
        let mut ids = Vec::new();
        for (at, zone) in build.zones.clone().iter().enumerate() {
            let range = tier.range(cidr, at).map_or(Value::Null, |range| range.to_string().into());
            let subnet = build.add(
                SERVICE,
                "subnet",
                &format!("{}.{zone}", tier.word()),
                [
                    ("vpc", vpc_id.clone()),
                    ("zone", zone.as_str().into()),
                    ("cidr", range),
                    // What must be reached from outside is behind a load balancer, which brings its own addresses.
                    ("public_addresses", false.into()),
                ],
            );
            ids.push(OutputRef::resource(&subnet, "id"));
        }
        build.output(&format!("{}_subnets", tier.word()), ids);
    }
    let gateway = build.add(SERVICE, "internet_gateway", "main", [("vpc", vpc_id.clone())]);
    let tables = route_tables(build, network.nat, &vpc_id, &gateway);
    build.add(
        SERVICE,
        "vpc_endpoint",
        S3,
        [
            ("vpc", vpc_id.clone()),
            ("service", format!("com.amazonaws.{}.s3", build.place.location).into()),
            ("route_tables", tables.iter().map(|table| OutputRef::resource(table, "id")).collect()),
        ],
    );
    build.output("id", vpc_id);
    build.output("cidr", cidr.to_string());
}

fn cidr(build: &mut Build<'_>, network: &Network) -> Option<Ipv4Net> {
    let given = network.cidr.or(build.region.network).or_else(|| CIDR_DEFAULT.parse().ok())?;
    let key = if network.cidr.is_some() { "cidr" } else { "region.network" };
    let zones = build.zones.len();
    if zones > ZONES_MAX {
        build.problem(
            "region.zones",
            format!("{zones} zones are more than any AWS region has"),
            "Name at most six.",
        );
        return None;
    }
    match given {
        IpNet::V4(cidr) if PREFIXES.contains(&cidr.prefix_len()) => Some(cidr.trunc()),
        IpNet::V4(cidr) => {
            let size = if cidr.prefix_len() > *PREFIXES.end() { "small" } else { "large" };
            build.problem(
                key,
                format!(
                    "{cidr} is too {size} for a VPC with public, private and database subnets in each zone"
                ),
                "Give it from a /16 to a /22: `cidr: 10.20.0.0/16`.",
            );
            None
        }
        IpNet::V6(cidr) => {
            build.problem(
                key,
                format!("{cidr} is IPv6; a VPC needs an IPv4 network"),
                "Say `cidr: 10.20.0.0/16`.",
            );
            None
        }
    }
}

/// One table for the public subnets, one for the private subnets of each zone, one for those of databases, which lead
/// nowhere. However many NAT gateways there are, the tables stay: only their routes change.
fn route_tables(build: &mut Build<'_>, nat: Nat, vpc: &Value, gateway: &Address) -> Vec<Address> {
    let zones = build.zones.clone();
    let subnet = |build: &Build<'_>, tier: Tier, zone: &str| {
        OutputRef::resource(&build.address("subnet", &format!("{}.{zone}", tier.word())), "id")
    };
    let subnets =
        |build: &Build<'_>, tier: Tier| zones.iter().map(|zone| subnet(build, tier, zone)).collect();
    let out = map([("to", ANYWHERE.into()), ("internet_gateway", OutputRef::resource(gateway, "id"))]);
    let public: Value = subnets(build, Tier::Public);
    let table = |build: &mut Build<'_>, name: &str, routes: Value, subnets: Value| {
        build.add(
            SERVICE,
            "route_table",
            name,
            [("vpc", vpc.clone()), ("routes", routes), ("subnets", subnets)],
        )
    };
    let mut tables = vec![table(build, PUBLIC, Value::List(vec![out.into()]), public)];
    let mut nat_gateway = None;
    for (at, zone) in zones.iter().enumerate() {
        if nat == Nat::PerZone || (nat == Nat::Single && at == 0) {
            nat_gateway = Some(add_nat(build, zone, subnet(build, Tier::Public, zone), &tables[0]));
        }
        let routes = nat_gateway.as_ref().map_or(Value::Null, |nat| {
            Value::List(vec![
                map([("to", ANYWHERE.into()), ("nat_gateway", OutputRef::resource(nat, "id"))]).into(),
            ])
        });
        let own = Value::List(vec![subnet(build, Tier::Private, zone)]);
        tables.push(table(build, &format!("private.{zone}"), routes, own));
    }
    let database: Value = subnets(build, Tier::Database);
    tables.push(table(build, "database", Value::Null, database));
    tables
}

/// It reaches the world only once its own subnet does.
fn add_nat(build: &mut Build<'_>, zone: &str, subnet: Value, public: &Address) -> Address {
    let address = build.add(SERVICE, "elastic_ip", &format!("nat.{zone}"), []);
    let nat = build.add(
        SERVICE,
        "nat_gateway",
        zone,
        [("subnet", subnet), ("elastic_ip", OutputRef::resource(&address, "id"))],
    );
    if let Some(desired) = build.out.resources.last_mut() {
        desired.after.push(public.clone());
    }
    nat
}

/// One that is there already: looked at, never changed.
fn expand_existing(build: &mut Build<'_>, id: &str) {
    let Some(found) = build.answer(VPC, id) else {
        build.unanswered("existing", format!("what is in `{id}` is not known"));
        return;
    };
    let Some(found) = found.as_map() else {
        let location = build.place.location.clone();
        build.problem(
            "existing",
            format!("there is no VPC `{id}` in {location}"),
            format!("`aws ec2 describe-vpcs --region {location}` lists those that are there."),
        );
        return;
    };
    build.output("id", id);
    if let Some(cidr) = found.get("cidr") {
        build.output("cidr", cidr.clone());
    }
    for tier in Tier::ALL {
        build.output(&format!("{}_subnets", tier.word()), ids(found, tier));
    }
}
