//! The component model: what a blueprint can ask for, neutral of any provider.
//!
//! The blueprint room makes these from YAML and checks them; providers expand them. Texts that may hold `${...}` are
//! [`Value`]s. Every name in here has been checked to exist.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    address::{ComponentId, Section},
    alarm::Alarm,
    resource::{Lifecycle, OnFailure},
    secret::SecretSource,
    value::{Map, OutputRef, Value},
};

/// A place with a provider.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Region {
    pub name: String,
    pub provider: String,
    /// The provider's own name of it: `eu-west-1`.
    pub location: Option<String>,
    pub zones: Vec<Zone>,
    /// How hosts are reached.
    pub ssh: SshAccess,
    pub network: Option<IpNet>,
    /// The account that must answer, checked before anything.
    pub account: Option<String>,
    /// A role to assume.
    pub assume_role: Option<String>,
    /// The simulated world's seed, latency and faults.
    pub sim: SimWorld,
    pub tags: Map,
}

/// A failure domain: a rack, a room, a power feed; or a provider's zone, then without hosts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Zone {
    pub name: String,
    pub hosts: Vec<Host>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Host {
    pub name: String,
    /// An address or a DNS name.
    pub address: String,
    /// Overrides the region's.
    pub port: Option<u16>,
    pub user: Option<String>,
}

impl Region {
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.zones.iter().flat_map(|zone| &zone.hosts)
    }

    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts().find(|host| host.name == name)
    }

    pub fn zone_of(&self, host: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.hosts.iter().any(|one| one.name == host))
    }
}

#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SshAccess {
    pub user: Option<String>,
    pub port: Option<u16>,
    pub r#become: Become,
    pub become_password: Option<SecretSource>,
    /// Paths are absolute once checked.
    pub known_hosts: Option<String>,
    pub identity_file: Option<String>,
    /// An ssh_config file instead of the user's own.
    pub config: Option<String>,
    pub jump_host: Option<String>,
    pub connect_timeout: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Become {
    /// Work as the login user.
    #[default]
    No,
    Sudo,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SimWorld {
    pub seed: u64,
    /// Of each call.
    pub latency: Duration,
    /// Share of calls that fail and may be tried again, 0 to 1.
    pub fault_rate: f64,
    /// Share of calls whose answer is lost after they took effect, 0 to 1.
    pub lost_answer_rate: f64,
}

/// Anything that a blueprint names and a provider makes.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    Network(Network),
    Baseline(Baseline),
    LoadBalancer(LoadBalancer),
    AutoscalingGroup(AutoscalingGroup),
    Database(Database),
    SessionStore(SessionStore),
    Dns(Dns),
    Monitoring(Monitoring),
    DisasterRecovery(DisasterRecovery),
}

/// What every component has.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Common {
    pub name: String,
    pub region: String,
    pub lifecycle: Lifecycle,
    /// `None`: true for what holds data, else false.
    pub deletion_protection: Option<bool>,
    /// Components that must be done before it.
    pub depends_on: Vec<ComponentId>,
    pub tags: Map,
}

impl Component {
    pub fn common(&self) -> &Common {
        match self {
            Component::Network(it) => &it.common,
            Component::Baseline(it) => &it.common,
            Component::LoadBalancer(it) => &it.common,
            Component::AutoscalingGroup(it) => &it.common,
            Component::Database(it) => &it.common,
            Component::SessionStore(it) => &it.common,
            Component::Dns(it) => &it.common,
            Component::Monitoring(it) => &it.common,
            Component::DisasterRecovery(it) => &it.common,
        }
    }

    pub fn section(&self) -> Section {
        match self {
            Component::Network(_) => Section::Networks,
            Component::Baseline(_) => Section::Baselines,
            Component::LoadBalancer(_) => Section::LoadBalancers,
            Component::AutoscalingGroup(_) => Section::AutoscalingGroups,
            Component::Database(_) => Section::Databases,
            Component::SessionStore(_) => Section::SessionStores,
            Component::Dns(_) => Section::Dns,
            Component::Monitoring(_) => Section::Monitoring,
            Component::DisasterRecovery(_) => Section::DisasterRecovery,
        }
    }

    pub fn id(&self) -> ComponentId {
        ComponentId::new(self.section(), &self.common().name)
    }
}

/// A network of its own (AWS), or the firewall between hosts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Network {
    pub common: Common,
    pub cidr: Option<IpNet>,
    pub nat: Nat,
    /// An existing network to use instead, by id.
    pub existing: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nat {
    #[default]
    PerZone,
    Single,
    None,
}

/// What hosts have in common, whatever they serve: packages, files, users, kernel settings, firewall.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Baseline {
    pub common: Common,
    /// Never empty; `all` is written out.
    pub hosts: Vec<String>,
    pub packages: Vec<String>,
    pub directories: Vec<DirectorySpec>,
    pub files: Vec<FileSpec>,
    pub users: Vec<UserSpec>,
    pub sysctl: Vec<(String, Value)>,
    pub units: Vec<UnitSpec>,
    pub services: Vec<ServiceSpec>,
    pub firewall: Option<Firewall>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DirectorySpec {
    pub path: String,
    pub owner: String,
    pub group: String,
    /// Octal, as a text: `0755`.
    pub mode: String,
}

/// A file or, where `from` is a folder, the files in it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FileSpec {
    pub to: String,
    pub content: FileContent,
    pub owner: String,
    pub group: String,
    pub mode: String,
    /// The content is masked wherever it would be shown.
    pub sensitive: bool,
    /// Services to reload or restart when it changes.
    pub reloads: Vec<String>,
    pub restarts: Vec<String>,
    /// A command on the host that must accept the new content, `%s` being its path: `nginx -t -c %s`.
    pub validate: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileContent {
    /// A local file or folder; absolute once checked.
    From(String),
    Inline(Value),
    /// A local minijinja template with its variables; knows `host` (name, address, zone) and `stack` too.
    Template {
        path: String,
        variables: Map,
    },
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UserSpec {
    pub name: String,
    pub uid: Option<u32>,
    pub groups: Vec<String>,
    pub shell: String,
    pub home: Option<String>,
    pub system: bool,
    pub authorized_keys: Vec<String>,
}

/// A systemd unit file.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UnitSpec {
    /// `backup.timer`.
    pub name: String,
    pub content: FileContent,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ServiceSpec {
    pub name: String,
    pub enabled: bool,
    pub running: bool,
}

/// nftables rules for what may come in; established connections, loopback and the way in (ssh) always may.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Firewall {
    pub allow: Vec<FirewallRule>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FirewallRule {
    /// `tcp`, `udp`, `icmp` or `vrrp`.
    pub protocol: String,
    /// Empty: every port.
    pub ports: Vec<u16>,
    /// Empty: from anywhere.
    pub from: Vec<IpNet>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LoadBalancer {
    pub common: Common,
    /// 4 or 7.
    pub layer: u8,
    pub hosts: Vec<String>,
    pub virtual_ip: Option<IpAddr>,
    pub algorithm: Algorithm,
    /// Never empty; ports differ.
    pub listeners: Vec<Listener>,
    pub stickiness: Option<Stickiness>,
    pub drain_timeout: Duration,
    /// AWS: only what is inside its network reaches it.
    pub internal: bool,
    /// AWS: where a log of its requests goes.
    pub access_logs: Option<AccessLogs>,
}

/// A folder in S3.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AccessLogs {
    pub bucket: String,
    /// Without `/` at either end; may be empty.
    pub prefix: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    #[default]
    RoundRobin,
    LeastConnections,
    SourceIp,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Listener {
    pub port: u16,
    /// Redirect everything to https.
    pub redirect_https: bool,
    pub certificate: Option<Certificate>,
    /// In order; the first that fits is taken. Empty only with a redirect.
    pub routes: Vec<Route>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// A PEM file with chain and key; absolute once checked.
    Pem(String),
    /// An ACM certificate.
    Arn(String),
    /// One that ACM issues for these names, `*.example.net` among them.
    Requested { domain: String, also: Vec<String> },
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Route {
    /// `/api/*`, `/healthz`: a `*` is allowed at the end only.
    pub path: Option<String>,
    /// `shop.example.net` or `*.example.net`.
    pub host: Option<String>,
    /// The autoscaling group that gets the requests.
    pub to: ComponentId,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Stickiness {
    pub cookie: String,
    pub ttl: Option<Duration>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AutoscalingGroup {
    pub common: Common,
    /// A fixed pool (metal); empty where the provider makes machines.
    pub hosts: Vec<String>,
    pub capacity: Capacity,
    pub workload: Workload,
    pub port: u16,
    pub health_check: HealthCheck,
    pub scaling: Vec<ScalingRule>,
    pub update: UpdatePolicy,
    /// AWS: `t3.small` and an image by id or SSM parameter.
    pub instance_type: Option<String>,
    pub image: Option<String>,
    /// AWS: several sizes, the most wanted first; empty where there is an `instance_type`.
    pub instance_types: Vec<String>,
    /// AWS: a share of spot machines.
    pub spot: Option<Spot>,
    /// AWS: other capacities at certain times, by name.
    pub schedule: Vec<ScheduledCapacity>,
}

/// Machines of spare capacity, which is taken back with two minutes' notice.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Spot {
    /// Percent of those beyond `base`, 1 to 100.
    pub share: u8,
    /// So many are never spot.
    pub base: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScheduledCapacity {
    pub name: String,
    /// Minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// An IANA name; `None`: UTC.
    pub time_zone: Option<String>,
    /// One of them at least.
    pub min: Option<u32>,
    pub desired: Option<u32>,
    pub max: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Capacity {
    pub min: u32,
    pub desired: u32,
    pub max: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Workload {
    pub source: WorkloadSource,
    pub files: Vec<FileSpec>,
    /// For release and container; a value may hold secrets and references.
    pub environment: Map,
}

impl Workload {
    /// Calls `visit` for every reference in its environment and its files.
    pub fn for_each_reference<'a>(&'a self, mut visit: impl FnMut(&'a OutputRef)) {
        self.environment.values().for_each(|value| value.for_each_reference(&mut visit));
        for file in &self.files {
            match &file.content {
                FileContent::Inline(value) => value.for_each_reference(&mut visit),
                FileContent::Template { variables, .. } => {
                    variables.values().for_each(|value| value.for_each_reference(&mut visit));
                }
                FileContent::From(_) => {}
            }
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadSource {
    /// A Debian package, whose service of the same name (or `service`) serves.
    Package {
        package: String,
        version: Option<String>,
        service: String,
    },
    /// A local `.tar.gz` (absolute once checked), unpacked beside the older ones; `run` starts in its folder.
    Release {
        archive: String,
        run: String,
        user: Option<String>,
    },
    Container {
        image: String,
        command: Vec<String>,
    },
    /// Nothing is installed: the image of the machines has all of it.
    Image,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HealthCheck {
    /// `None`: a TCP connect.
    pub path: Option<String>,
    pub host: Option<String>,
    /// `None`: the group's own.
    pub port: Option<u16>,
    pub interval: Duration,
    pub timeout: Duration,
    /// Passes in a row that make a member healthy; failures in a row that make it unhealthy.
    pub healthy: u32,
    pub unhealthy: u32,
    /// Which of these the blueprint says itself, by their keys: the others are defaults, which a provider may fit to its
    /// limits.
    pub stated: Vec<&'static str>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScalingRule {
    pub metric: ScalingMetric,
    /// Percent for cpu and memory, requests per second and member for requests.
    pub target: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingMetric {
    Cpu,
    Memory,
    Requests,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UpdatePolicy {
    /// Members; a share of the group is written out. At least 1.
    pub max_unavailable: u32,
    pub canary: u32,
    pub on_failure: OnFailure,
    /// How long a member may take to pass its health check after a change.
    pub health_timeout: Duration,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Database {
    pub common: Common,
    pub engine: DatabaseEngine,
    /// `15`, `8.0`.
    pub version: Option<String>,
    pub topology: Topology,
    pub hosts: Vec<String>,
    pub replication: Replication,
    pub failover: Failover,
    pub read_write_split: bool,
    pub username: Option<String>,
    pub password: Option<Value>,
    pub instance_type: Option<String>,
    /// Bytes.
    pub storage: Option<u64>,
    pub replicas: u32,
    pub backup: Option<Backup>,
    /// When it may be patched and restarted: `sun:03:00-sun:04:00`, UTC, half an hour at least.
    pub maintenance_window: Option<String>,
    pub parameters: Map,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseEngine {
    Postgres,
    Mysql,
    Mariadb,
    AuroraPostgres,
    AuroraMysql,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    Single,
    PrimaryReplica,
    MultiPrimary,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replication {
    #[default]
    Asynchronous,
    Synchronous,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failover {
    #[default]
    Automatic,
    Manual,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Backup {
    pub every: Duration,
    /// When it is made, where that is once a day: `02:00-03:00`, UTC, half an hour at least.
    pub window: Option<String>,
    pub keep: Duration,
    pub point_in_time: bool,
    /// A folder, absolute once checked, or a URL.
    pub to: Option<String>,
    /// How often a restore is proven.
    pub verify: Option<Duration>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SessionStore {
    pub common: Common,
    pub engine: SessionEngine,
    pub hosts: Vec<String>,
    pub version: Option<String>,
    pub replicas: u32,
    pub password: Option<Value>,
    pub instance_type: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEngine {
    Redis,
    Valkey,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Dns {
    pub common: Common,
    pub zone: String,
    /// An existing zone to use instead, by id.
    pub existing: Option<String>,
    pub records: Vec<DnsRecord>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DnsRecord {
    pub name: String,
    /// The load balancer it points at.
    pub to: ComponentId,
    pub routing: DnsRouting,
    pub ttl: Duration,
    pub health_check: Option<DnsHealthCheck>,
}

/// How a name's target is asked from outside whether it answers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DnsHealthCheck {
    /// `None`: a TCP connect.
    pub path: Option<String>,
    /// `None`: the first port of the load balancer that speaks TLS, else its first.
    pub port: Option<u16>,
    pub interval: Duration,
    /// Failures in a row that make it unhealthy.
    pub unhealthy: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsRouting {
    #[default]
    Simple,
    Failover,
    Latency,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Monitoring {
    pub common: Common,
    pub hosts: Vec<String>,
    /// Where alerts go, by name.
    pub notify: Vec<(String, Notify)>,
    pub retention: Option<Duration>,
    /// Whether every component of the region has alarms that nobody wrote down.
    pub default_alarms: bool,
    /// Each takes the place of the default one of its component and metric.
    pub alarms: Vec<Alarm>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    Webhook(Value),
    Email(String),
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DisasterRecovery {
    /// `region` is the region that is protected.
    pub common: Common,
    pub from: String,
    pub into: String,
    pub strategy: RecoveryStrategy,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryStrategy {
    BackupRestore,
    PilotLight,
    WarmStandby,
    ActiveActive,
}
