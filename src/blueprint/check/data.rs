//! Networks, databases and session stores.

use std::time::Duration;

use standfast_contract::component::{
    Backup, Common, Database, DatabaseEngine, Failover, Nat, Network, Replication, SessionEngine,
    SessionStore, Topology,
};

use super::{
    super::{diagnostic::Diagnostic, reader::Reader, scalar},
    addresses,
    common::{Scope, hosts},
    window,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub fn network(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<Network> {
    if let (Some(entry), true) = (reader.entry("cidr"), reader.has("existing")) {
        reader.push(
            Diagnostic::error(entry.key, "a network that is there already has its addresses")
                .help("remove `cidr`, or `existing` to make a new one"),
        );
    }
    let cidr = addresses::network(reader, "cidr", scope.region.map(|region| region.provider.as_str()));
    Some(Network {
        common: common?,
        cidr,
        nat: reader
            .choice("nat", &[("per_zone", Nat::PerZone), ("single", Nat::Single), ("none", Nat::None)])?,
        existing: reader.text("existing"),
    })
}

pub fn database(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<Database> {
    let hosts = hosts(reader, scope, "a database");
    let topology = reader.choice(
        "topology",
        &[
            ("single", Topology::Single),
            ("primary_replica", Topology::PrimaryReplica),
            ("multi_primary", Topology::MultiPrimary),
        ],
    );
    let backup = match reader.child("backup") {
        None => None,
        Some(it) => Some(backup(&it)?),
    };
    let maintenance_window = window::weekly(reader, "maintenance_window");
    if let (Some(week), Some(Some(day))) = (&maintenance_window, backup.as_ref().map(|it| &it.window)) {
        window::check_apart(reader, week, day);
    }
    let replication = reader.choice(
        "replication",
        &[("asynchronous", Replication::Asynchronous), ("synchronous", Replication::Synchronous)],
    )?;
    let (topology, hosts) = (topology?, hosts?);
    let replicas = replicas(reader, hosts.len(), topology == Topology::Single)?;
    if topology == Topology::Single && (hosts.len() > 1 || replicas > 0) {
        let key = if hosts.len() > 1 { "hosts" } else { "replicas" };
        reader.push(
            reader
                .error(key, "a `single` database has one server")
                .help("say `topology: primary_replica`, or keep one host and no replicas"),
        );
    }
    if topology != Topology::Single && hosts.len() == 1 {
        reader.push(
            reader
                .error("hosts", "a replicated database needs at least two hosts")
                .help("or say `topology: single`"),
        );
    }
    if topology == Topology::Single && replication == Replication::Synchronous {
        reader.push(reader.error("replication", "a `single` database has nothing to replicate to"));
    }
    Some(Database {
        common: common?,
        engine: reader.choice(
            "engine",
            &[
                ("postgres", DatabaseEngine::Postgres),
                ("mysql", DatabaseEngine::Mysql),
                ("mariadb", DatabaseEngine::Mariadb),
                ("aurora_postgres", DatabaseEngine::AuroraPostgres),
                ("aurora_mysql", DatabaseEngine::AuroraMysql),
            ],
        )?,
        version: reader.text("version"),
        topology,
        hosts,
        replication,
        failover: reader
            .choice("failover", &[("automatic", Failover::Automatic), ("manual", Failover::Manual)])?,
        read_write_split: reader.bool("read_write_split")?,
        username: reader.text("username"),
        password: password(reader),
        instance_type: reader.text("instance_type"),
        storage: reader.size("storage"),
        replicas,
        backup,
        maintenance_window: maintenance_window.map(|it| it.text),
        parameters: reader.values("parameters"),
    })
}

/// Written, or what the hosts give, or one.
fn replicas(reader: &Reader<'_>, hosts: usize, single: bool) -> Option<u32> {
    if !reader.has("replicas") {
        return Some(match (single, hosts) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, hosts) => u32::try_from(hosts - 1).ok()?,
        });
    }
    let replicas: u32 = reader.int("replicas")?;
    if hosts > 0 && replicas as usize >= hosts {
        reader.push(
            reader
                .error("replicas", format!("{replicas} replicas and a primary need more than {hosts} hosts"))
                .help(format!("say `replicas: {}`, or name more hosts", hosts - 1)),
        );
    }
    Some(replicas)
}

/// A password that is written down is taken, with a warning.
fn password(reader: &Reader<'_>) -> Option<standfast_contract::Value> {
    let value = reader.value("password")?;
    if !value.is_sensitive() {
        reader.push(
            reader
                .warning("password", "the password is written in the blueprint")
                .label("anyone who reads the file, the plan or the state sees it")
                .help("declare it under `secrets` and say `${secrets.NAME}`"),
        );
    }
    Some(value)
}

fn backup(reader: &Reader<'_>) -> Option<Backup> {
    let verify = match reader.text("verify").as_deref() {
        None => None,
        Some("daily") => Some(DAY),
        Some("weekly") => Some(7 * DAY),
        Some("monthly") => Some(30 * DAY),
        Some(text) => Some(scalar::duration(text)?),
    };
    let (every, keep) = (reader.duration("every")?, reader.duration("keep")?);
    if every.is_zero() {
        reader.push(reader.error("every", "`every` cannot be zero"));
    }
    if keep < every {
        let key = if reader.has("keep") { "keep" } else { "every" };
        reader.push(
            reader.error(key, "a backup is gone before the next one is made").expected("keep >= every"),
        );
    }
    let window = window::daily(reader, "window");
    if let (Some(entry), true) = (reader.entry("window"), every != DAY) {
        reader.push(
            Diagnostic::error(entry.key, "a window of the day is for backups that are made once a day")
                .help("say `every: 1d`, or remove `window`"),
        );
    }
    Some(Backup {
        every,
        window,
        keep,
        point_in_time: reader.bool("point_in_time")?,
        to: reader.text("to").map(|to| if to.contains("://") { to } else { reader.context.absolute(&to) }),
        verify,
    })
}

pub fn session_store(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<SessionStore> {
    let hosts = hosts(reader, scope, "a session store")?;
    Some(SessionStore {
        common: common?,
        engine: reader
            .choice("engine", &[("redis", SessionEngine::Redis), ("valkey", SessionEngine::Valkey)])?,
        replicas: replicas(reader, hosts.len(), false)?,
        hosts,
        version: reader.text("version"),
        password: password(reader),
        instance_type: reader.text("instance_type"),
    })
}
