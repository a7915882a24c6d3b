//! What components offer to each other and to people: the names behind `${SECTION.NAME.OUTPUT}`.
//!
//! One table, which providers are held to and docs/blueprint.md is made of. Deliberately absent:
//! what a blueprint has no say in, such as ids of single resources.

use crate::{address::Section, value::Map};

/// One output of the components of a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    pub section: Section,
    /// [`OF_DATABASES`] stands for the name of any database of the region that is protected.
    pub name: &'static str,
    /// Those that offer it.
    pub providers: &'static [&'static str],
    /// What it is, and where that is not always, when it is there.
    pub doc: &'static str,
}

impl Output {
    /// Whether `name` is this one's.
    pub fn is(&self, name: &str) -> bool {
        self.name == OF_DATABASES || self.name == name
    }
}

/// What is called after a database.
pub const OF_DATABASES: &str = "DATABASE";

/// Those of a section with a provider, in the table's order.
pub fn offered(section: Section, provider: &str) -> impl Iterator<Item = &'static Output> {
    OUTPUTS.iter().filter(move |one| one.section == section && one.providers.contains(&provider))
}

/// Whether a component offers nothing but what the table says: providers assert it of each of their expansions.
pub fn are_known(section: Section, provider: &str, outputs: &Map) -> bool {
    outputs.keys().all(|name| offered(section, provider).any(|output| output.is(name)))
}

const AWS: &[&str] = &["aws"];
const SIM: &[&str] = &["sim"];
const SSH: &[&str] = &["ssh"];
const CLOUDS: &[&str] = &["aws", "sim"];
const ON_HOSTS: &[&str] = &["ssh", "sim"];
const ALL: &[&str] = &["aws", "ssh", "sim"];

const fn output(
    section: Section,
    name: &'static str,
    providers: &'static [&'static str],
    doc: &'static str,
) -> Output {
    Output { section, name, providers, doc }
}

/// Every output there is.
pub static OUTPUTS: &[Output] = &[
    output(Section::Networks, "id", CLOUDS, "The network's id; on AWS that of the VPC."),
    output(Section::Networks, "cidr", AWS, "Its addresses."),
    output(Section::Networks, "subnets", SIM, "The ids of its subnets."),
    output(
        Section::Networks,
        "public_subnets",
        AWS,
        "The ids of the subnets that face the internet, one in each zone.",
    ),
    output(Section::Networks, "private_subnets", AWS, "Those of the subnets for machines."),
    output(Section::Networks, "database_subnets", AWS, "Those of the subnets for what keeps data."),
    output(Section::Baselines, "hosts", ON_HOSTS, "The names of the hosts."),
    output(
        Section::LoadBalancers,
        "address",
        ALL,
        "Where it is reached: a virtual IP or the first host's, on AWS a DNS name.",
    ),
    output(Section::LoadBalancers, "url", ALL, "The URL of its listener with TLS, else of its first."),
    output(Section::LoadBalancers, "hosts", ON_HOSTS, "The names of the hosts that it runs on."),
    output(
        Section::LoadBalancers,
        "zone_id",
        AWS,
        "The zone of Route 53 that its DNS name is in, for an alias.",
    ),
    output(Section::AutoscalingGroups, "name", AWS, "The group's name at AWS."),
    output(
        Section::AutoscalingGroups,
        "capacity",
        ON_HOSTS,
        "How many members it has; on hosts in words, with the spares.",
    ),
    output(Section::AutoscalingGroups, "members", SIM, "The addresses of its members."),
    output(Section::AutoscalingGroups, "slots", SSH, "The names of the hosts that are members."),
    output(Section::AutoscalingGroups, "spares", SSH, "The names of the hosts of the pool that are none."),
    output(Section::AutoscalingGroups, "addresses", SSH, "The addresses of the members."),
    output(Section::AutoscalingGroups, "port", SSH, "What its members listen on."),
    output(
        Section::Databases,
        "writer",
        CLOUDS,
        "The host that takes writes, whoever that is after a failover.",
    ),
    output(Section::Databases, "reader", CLOUDS, "A host that takes reads: a read replica, else the writer."),
    output(Section::Databases, "readers", AWS, "The hosts of all read replicas."),
    output(Section::Databases, "port", AWS, "What it listens on."),
    output(Section::Databases, "username", AWS, "The first user."),
    output(
        Section::Databases,
        "secret",
        AWS,
        "Without `password`: the ARN of the secret that RDS keeps in Secrets Manager.",
    ),
    output(
        Section::SessionStores,
        "address",
        CLOUDS,
        "The host that takes writes, whoever that is after a failover.",
    ),
    output(
        Section::SessionStores,
        "url",
        CLOUDS,
        "The same as a URL with scheme and port, without the password.",
    ),
    output(Section::SessionStores, "reader", AWS, "A host that takes reads."),
    output(Section::SessionStores, "port", AWS, "What it listens on."),
    output(Section::Dns, "names", CLOUDS, "The names of its records."),
    output(Section::Dns, "zone_id", AWS, "The zone's id."),
    output(Section::Dns, "name_servers", AWS, "Whom the domain has to be delegated to."),
    output(Section::Monitoring, "url", AWS, "The dashboard, for a browser."),
    output(Section::Monitoring, "collector", SIM, "The id of what collects."),
    output(Section::DisasterRecovery, "into", CLOUDS, "The region that takes over."),
    output(
        Section::DisasterRecovery,
        OF_DATABASES,
        CLOUDS,
        "By the name of each database: the host of its copy, which takes writes once it is promoted. Not with `backup_restore`.",
    ),
];
