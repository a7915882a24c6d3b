//! A database: an instance of RDS (or a cluster of Aurora: `aurora`) in the network's database subnets, Multi-AZ where it fails over by itself, and read
//! replicas over the zones.
//!
//! `replicas` counts the servers beside the primary, the standby of Multi-AZ being the first of them: it follows
//! synchronously and takes over by itself, and takes no reads. Those beyond it are read replicas, which follow
//! asynchronously. RDS has no endpoint for all replicas: the output `reader` is the first one's, `readers` lists them.

use standfast_contract::{
    Address, Map, OutputRef, Value,
    component::{Backup, Database, DatabaseEngine, Failover, Replication, Topology},
};

use super::{
    Build,
    network::{self, Within},
    talk,
};
use crate::{
    health,
    kinds::{text, wrong_password},
    names::{self, DATABASE_MAX, LONG_MAX},
};

mod aurora;
pub(super) mod copy;

pub(super) use aurora::add_global;
#[cfg(test)]
pub(super) mod tests;

const SERVICE: &str = "rds";
const DAY_S: u64 = 24 * 60 * 60;
const GIB: u64 = 1 << 30;
/// Zones that a subnet group must reach into.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html>
const ZONES_MIN: usize = 2;
/// Of General Purpose SSD (gp3), in GiB: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html>
const STORAGE_GIB: std::ops::RangeInclusive<u64> = 20..=65_536;
/// Longest that RDS keeps its own backups.
const KEEP_MAX_DAYS: u64 = 35;
/// Where the blueprint says nothing of backups. Without any, no replica could be made either.
const KEEP_DAYS: u64 = 7;
/// The first user where the blueprint names none; `admin` and `user` are words of some engine's own.
const USERNAME: &str = "dbadmin";

/// What RDS calls the engine, and where it listens.
struct Engine {
    name: &'static str,
    port: u16,
    /// Parts of a version that name its line: 16 of 16.3, 8.0 of 8.0.39.
    line_parts: usize,
    username_max: usize,
    /// What the first user cannot be called.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
    reserved: &'static [&'static str],
    replicas_max: u32,
    /// A version, for hints.
    example: &'static str,
}

const POSTGRES: Engine = Engine {
    name: "postgres",
    port: 5432,
    line_parts: 1,
    username_max: 63,
    reserved: &["admin", "user", "rdsadmin"],
    replicas_max: 15,
    example: "16",
};
const MYSQL: Engine = Engine {
    name: "mysql",
    port: 3306,
    line_parts: 2,
    username_max: 16,
    reserved: &["rdsadmin"],
    replicas_max: 15,
    example: "8.4",
};
const MARIADB: Engine = Engine {
    name: "mariadb",
    port: 3306,
    line_parts: 2,
    username_max: 16,
    reserved: &["rdsadmin"],
    replicas_max: 15,
    example: "11.4",
};
const AURORA_POSTGRES: Engine = Engine { name: "aurora-postgresql", username_max: 16, ..POSTGRES };
const AURORA_MYSQL: Engine = Engine { name: "aurora-mysql", example: "8.0", ..MYSQL };

impl Engine {
    fn of(engine: DatabaseEngine) -> Self {
        match engine {
            DatabaseEngine::Postgres => POSTGRES,
            DatabaseEngine::Mysql => MYSQL,
            DatabaseEngine::Mariadb => MARIADB,
            DatabaseEngine::AuroraPostgres => AURORA_POSTGRES,
            DatabaseEngine::AuroraMysql => AURORA_MYSQL,
        }
    }

    fn is_aurora(&self) -> bool {
        self.name.starts_with("aurora-")
    }

    /// 16 of 16.3, 8.0 of 8.0.39.
    fn line_of<'a>(&self, version: &'a str) -> &'a str {
        let end = version.match_indices('.').nth(self.line_parts - 1);
        &version[..end.map_or(version.len(), |(at, _)| at)]
    }
}

/// The line of a version of what RDS calls by this name.
pub(crate) fn line_of<'a>(engine: &str, version: &'a str) -> &'a str {
    let all = [POSTGRES, MYSQL, MARIADB, AURORA_POSTGRES, AURORA_MYSQL];
    all.iter().find(|one| one.name == engine).map_or(version, |engine| engine.line_of(version))
}

/// Whether RDS brings newer versions by itself: of a line it does; a whole version stays what the blueprint says.
fn minor_upgrades(database: &Database, engine: &Engine) -> bool {
    database.version.as_deref().is_none_or(|version| engine.line_of(version) == version)
}

pub(super) fn expand(build: &mut Build<'_>, database: &Database) {
    let Some(within) = network::within(build) else { return };
    let engine = Engine::of(database.engine);
    check(build, database, &within, &engine);
    if engine.is_aurora() {
        return aurora::expand(build, database, &within, &engine);
    }
    check_standby(build, database);
    let Some(family) = family(build, database, &engine) else { return };
    let Some(class) = class(build, database) else { return };
    let servers = servers(build, database, &engine);
    let wanted = Wanted {
        parameter_group: add_parameter_group(build, database, "main", &family),
        guard: talk::add_guard(build, &within, engine.port),
        version: database.version.clone().unwrap_or_default(),
        minor_upgrades: minor_upgrades(database, &engine),
        class,
        storage_gib: storage(build, database),
        maintenance_window: text(database.maintenance_window.as_deref()),
    };
    let main = add_instance(build, database, &within, &engine, &wanted, servers.has_standby);
    let endpoint = OutputRef::resource(&main, "endpoint");
    build.probe(
        "primary",
        health::DATABASE,
        [("instance", OutputRef::resource(&main, "id")), ("multi_az", servers.has_standby.into())],
    );
    let readers: Vec<Value> = (0..servers.readers)
        .map(|at| OutputRef::resource(&add_replica(build, &main, at, &wanted), "endpoint"))
        .collect();
    build.output("writer", endpoint.clone());
    build.output("reader", readers.first().cloned().unwrap_or(endpoint));
    build.output("readers", readers);
    build.output("port", engine.port);
    build.output("username", database.username.as_deref().unwrap_or(USERNAME));
    if database.password.is_none() {
        build.output("secret", OutputRef::resource(&main, "secret"));
    }
}

/// What the instance and its replicas have alike.
struct Wanted {
    parameter_group: Address,
    guard: Address,
    version: String,
    minor_upgrades: bool,
    class: String,
    storage_gib: u64,
    maintenance_window: Value,
}

fn check(build: &mut Build<'_>, database: &Database, within: &Within, engine: &Engine) {
    if database.topology == Topology::MultiPrimary {
        build.problem(
            "topology",
            "RDS has no database in which every server takes writes",
            "Say `primary_replica`: one takes writes, and its standby takes over by itself.",
        );
    }
    if !database.hosts.is_empty() {
        build.problem("hosts", "a database on AWS has no hosts of yours", "Say how many: `replicas`.");
    }
    if within.database.len() < ZONES_MIN && !build.keeps("subnet_group") {
        build.problem(
            "region",
            "a database needs subnets without a way out in two zones at least",
            "Use a network of two zones or more, with database subnets.",
        );
    }
    check_user(build, database, engine);
    if let Some(backup) = &database.backup {
        check_backup(build, backup);
    }
}

fn check_standby(build: &mut Build<'_>, database: &Database) {
    if database.replication == Replication::Synchronous && database.failover == Failover::Manual {
        build.problem(
            "failover",
            "the only server that follows synchronously on RDS is the standby, which takes over by itself",
            "Say `failover: automatic`, or `replication: asynchronous`.",
        );
    }
}

fn check_user(build: &mut Build<'_>, database: &Database, engine: &Engine) {
    if let Some(name) = &database.username {
        let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word || name.len() > engine.username_max {
            build.problem(
                "username",
                format!(
                    "a first user on RDS has 1 to {} letters, digits and `_`, a letter first",
                    engine.username_max
                ),
                format!("Say `username: {USERNAME}`."),
            );
        }
    }
    let is_reserved =
        |name: &&&str| database.username.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(name));
    if let Some(name) = engine.reserved.iter().find(is_reserved) {
        build.problem(
            "username",
            format!("`{name}` is a word of the engine's own on RDS, and no first user"),
            format!("Say `username: {USERNAME}`."),
        );
    }
    let plain = database.password.as_ref().and_then(Value::as_str);
    if let Some(why) = plain.and_then(|password| wrong_password(password, engine.name)) {
        build.problem("password", format!("the password {why}"), "");
    }
}

/// RDS makes one each day, with the log that leads to any moment since.
fn check_backup(build: &mut Build<'_>, backup: &Backup) {
    if backup.every.as_secs() != DAY_S {
        build.problem("backup.every", "RDS makes a backup each day, no more and no less", "Say `every: 1d`.");
    }
    if backup.keep.as_secs() > KEEP_MAX_DAYS * DAY_S {
        build.problem("backup.keep", "RDS keeps its backups for 35 days at most", "Say `keep: 35d` or less.");
    }
    if backup.to.is_some() {
        build.problem("backup.to", "RDS keeps its backups by itself", "Remove `to`.");
    }
    if backup.verify.is_some() {
        build.problem(
            "backup.verify",
            "proving a restore on AWS is not built yet in this version",
            "Remove `verify`, and restore one by hand from time to time.",
        );
    }
}

/// `postgres16`, `mysql8.0`: what a parameter group is for.
fn family(build: &mut Build<'_>, database: &Database, engine: &Engine) -> Option<String> {
    let hint = format!("For example `version: {}`; the newest of that line is taken.", engine.example);
    let Some(version) = &database.version else {
        build.problem("", format!("a database on AWS needs the `version` of {}", engine.name), hint);
        return None;
    };
    let family = family_of(version, engine);
    if family.is_none() {
        build.problem("version", format!("`{version}` is no version of {} that RDS has", engine.name), hint);
    }
    family
}

fn family_of(version: &str, engine: &Engine) -> Option<String> {
    let parts: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    // `8.0.mysql_aurora.3.08.0`: what comes after the line is Aurora's own.
    let told = if engine.is_aurora() { engine.line_parts } else { parts.len() };
    let is_version = parts.len() >= engine.line_parts && parts.iter().take(told).all(is_number);
    is_version.then(|| format!("{}{}", engine.name, engine.line_of(version)))
}

fn class(build: &mut Build<'_>, database: &Database) -> Option<String> {
    let hint = "For example `instance_type: db.t4g.medium`.";
    match &database.instance_type {
        Some(class) if class.starts_with("db.") => Some(class.clone()),
        Some(class) => {
            let is_machine = class.split('.').count() == 2;
            let hint = if is_machine { format!("Did you mean `db.{class}`?") } else { hint.to_owned() };
            build.problem("instance_type", format!("`{class}` is no size of a database"), hint);
            None
        }
        None => {
            build.problem("", "a database on AWS needs an `instance_type`", hint);
            None
        }
    }
}

fn storage(build: &mut Build<'_>, database: &Database) -> u64 {
    let gib = storage_gib(database);
    if !STORAGE_GIB.contains(&gib) {
        build.problem("storage", "a database on RDS has from 20 GiB to 64 TiB", "Say `storage: 20GiB`.");
    }
    gib
}

pub(super) fn storage_gib(database: &Database) -> u64 {
    database.storage.map_or(*STORAGE_GIB.start(), |bytes| bytes.div_ceil(GIB))
}

/// Servers of a cluster of Aurora, by their names.
pub(super) fn cluster_servers(build: &Build<'_>, database: &Database) -> Vec<String> {
    (0..aurora::servers(database)).map(|at| spot(build, at).1).collect()
}

/// Read replicas, by their names.
pub(super) fn replicas(build: &Build<'_>, database: &Database) -> Vec<String> {
    if database.topology == Topology::Single {
        return Vec::new();
    }
    let has_standby = database.failover == Failover::Automatic;
    let readers = database.replicas.saturating_sub(u32::from(has_standby));
    (0..readers).map(|at| spot(build, at).1).collect()
}

struct Servers {
    has_standby: bool,
    readers: u32,
}

fn servers(build: &mut Build<'_>, database: &Database, engine: &Engine) -> Servers {
    if database.topology == Topology::Single {
        return Servers { has_standby: false, readers: 0 };
    }
    let has_standby = database.failover == Failover::Automatic;
    if database.replicas == 0 {
        build.problem(
            "replicas",
            "a primary alone has nobody to take over",
            "Say 1 or more, or `topology: single`.",
        );
    }
    let readers = database.replicas.saturating_sub(u32::from(has_standby));
    if readers > engine.replicas_max {
        build.problem("replicas", format!("RDS has {} read replicas at most", engine.replicas_max), "");
    }
    if database.read_write_split && readers == 0 {
        build.problem(
            "read_write_split",
            "the standby of RDS takes no reads, and there is no server beside it",
            "Say `replicas: 2`: a standby and a read replica.",
        );
    }
    // <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
    if readers > 0 && database.password.is_none() && !build.keeps("password") {
        build.problem(
            "replicas",
            "RDS makes no read replica of a database whose password it makes by itself",
            "Give one: `password: ${secrets.NAME}`.",
        );
    }
    Servers { has_standby, readers }
}

/// Another line of versions has another one; the new one is there before the old one goes.
fn add_parameter_group(build: &mut Build<'_>, database: &Database, name: &str, family: &str) -> Address {
    let of_cluster = Engine::of(database.engine).is_aurora();
    let kind = if of_cluster { "db_cluster_parameter_group" } else { "db_parameter_group" };
    let texts: Map = database.parameters.iter().map(|(key, value)| (key.clone(), parameter(value))).collect();
    let address = build.address(kind, name);
    build.add(
        SERVICE,
        kind,
        name,
        [
            ("name", names::identifier(build.request.stack, &address, LONG_MAX).into()),
            ("family", family.into()),
            ("parameters", if texts.is_empty() { Value::Null } else { texts.into() }),
        ],
    )
}

/// RDS takes texts, and 1 and 0 for yes and no.
fn parameter(value: &Value) -> Value {
    match value {
        Value::Bool(yes) => if *yes { "1" } else { "0" }.into(),
        other => other.to_string().into(),
    }
}

fn add_instance(
    build: &mut Build<'_>,
    database: &Database,
    within: &Within,
    engine: &Engine,
    wanted: &Wanted,
    has_standby: bool,
) -> Address {
    let stack = build.request.stack;
    let subnets = add_subnet_group(build, within);
    let address = build.address("db_instance", "main");
    build.add(
        SERVICE,
        "db_instance",
        "main",
        [
            ("name", names::identifier(stack, &address, DATABASE_MAX).into()),
            ("engine", engine.name.into()),
            ("version", wanted.version.as_str().into()),
            ("class", wanted.class.as_str().into()),
            ("storage_gib", whole(wanted.storage_gib)),
            ("storage_type", "gp3".into()),
            ("encrypted", true.into()),
            ("username", database.username.as_deref().unwrap_or(USERNAME).into()),
            ("password", database.password.clone().map_or(Value::Null, Value::masked)),
            ("subnet_group", subnets),
            ("security_groups", vec![OutputRef::resource(&wanted.guard, "id")].into()),
            ("parameter_group", OutputRef::resource(&wanted.parameter_group, "identifier")),
            ("multi_az", has_standby.into()),
            ("backup_days", whole(backup_days(database))),
            ("backup_window", text(database.backup.as_ref().and_then(|it| it.window.as_deref()))),
            ("maintenance_window", wanted.maintenance_window.clone()),
            ("deletion_protection", database.common.deletion_protection.unwrap_or(true).into()),
            ("public", false.into()),
            ("minor_upgrades", wanted.minor_upgrades.into()),
        ],
    )
}

/// Its name; null where there are too few subnets for one and the database keeps its own.
pub(super) fn add_subnet_group(build: &mut Build<'_>, within: &Within) -> Value {
    if within.database.len() < ZONES_MIN && build.keeps("subnet_group") {
        return Value::Null;
    }
    let address = build.address("db_subnet_group", "main");
    let group = build.add(
        SERVICE,
        "db_subnet_group",
        "main",
        [
            ("name", names::identifier(build.request.stack, &address, LONG_MAX).into()),
            ("vpc", within.vpc.clone()),
            ("subnets", within.database.clone().into()),
        ],
    );
    OutputRef::resource(&group, "identifier")
}

fn backup_days(database: &Database) -> u64 {
    database.backup.as_ref().map_or(KEEP_DAYS, |it| it.keep.as_secs().div_ceil(DAY_S))
}

/// The zone of the server of this number, and its name: that of its zone, so that one more moves none.
fn spot(build: &Build<'_>, at: u32) -> (String, String) {
    let at = at as usize;
    let zone = build.zones.get(at % build.zones.len().max(1)).cloned().unwrap_or_default();
    (zone, names::server(&build.zones, at))
}

fn add_replica(build: &mut Build<'_>, main: &Address, at: u32, wanted: &Wanted) -> Address {
    let (zone, name) = spot(build, at);
    let address = build.address("db_replica", &name);
    let id = OutputRef::resource(&address, "id");
    build.probe(&format!("replica {name}"), health::REPLICA, [("instance", id)]);
    build.add(
        SERVICE,
        "db_replica",
        &name,
        [
            ("name", names::identifier(build.request.stack, &address, DATABASE_MAX).into()),
            ("source", OutputRef::resource(main, "identifier")),
            ("zone", zone.into()),
            ("version", wanted.version.as_str().into()),
            ("class", wanted.class.as_str().into()),
            ("storage_gib", whole(wanted.storage_gib)),
            ("security_groups", vec![OutputRef::resource(&wanted.guard, "id")].into()),
            ("parameter_group", OutputRef::resource(&wanted.parameter_group, "identifier")),
            ("maintenance_window", wanted.maintenance_window.clone()),
            ("public", false.into()),
            ("minor_upgrades", wanted.minor_upgrades.into()),
        ],
    )
}

fn whole(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
