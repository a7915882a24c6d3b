//! What keeps data: databases, session stores, and what a second region holds of them.

use standfast_contract::{
    Address, Component, ComponentId, Map, OutputRef, Value,
    component::{
        Backup, Database, DatabaseEngine, DisasterRecovery, RecoveryStrategy, SessionStore, Topology,
    },
};

use super::{Build, PROVIDER, map, ms, text, word};

fn database_address(region: &str, component: &ComponentId) -> Address {
    Address::new(region, component, "database", "main")
}

pub(super) fn expand_database(build: &mut Build<'_>, database: &Database) {
    let engine = engine(database.engine);
    let family = match &database.version {
        Some(version) => format!("{engine}{version}"),
        None => engine.to_owned(),
    };
    let parameters = build.add(
        "parameter_group",
        "main",
        [("family", family.into()), ("parameters", map(&database.parameters))],
    );
    // The first spot is the writer's at the beginning; who writes later is observed and in no plan.
    let copies = match database.topology {
        Topology::Single => 0,
        _ if database.hosts.is_empty() => database.replicas.max(1),
        _ => u32::try_from(database.hosts.len()).unwrap_or(u32::MAX).saturating_sub(1),
    };
    let mut spots = build.spots(&database.common.name, &database.hosts, copies.saturating_add(1)).into_iter();
    let Some(first) = spots.next() else { return };
    let main = build.add(
        "database",
        "main",
        [
            ("engine", engine.into()),
            ("topology", word(database.topology)),
            ("zone", first.zone.as_str().into()),
            ("host", text(first.host.as_deref())),
            ("subnet", build.subnet(&first.zone)),
            ("username", text(database.username.as_deref())),
            ("parameter_group", OutputRef::resource(&parameters, "id")),
            ("version", text(database.version.as_deref())),
            ("instance_type", text(database.instance_type.as_deref())),
            (
                "storage_bytes",
                database.storage.and_then(|bytes| i64::try_from(bytes).ok()).map_or(Value::Null, Value::Int),
            ),
            ("password", database.password.clone().unwrap_or_default()),
            ("replication", word(database.replication)),
            ("failover", word(database.failover)),
            ("read_write_split", database.read_write_split.into()),
            ("backup", database.backup.as_ref().map_or(Value::Null, backup)),
            ("maintenance_window", text(database.maintenance_window.as_deref())),
        ],
    );
    let mut all = vec![main.clone()];
    let mode = if database.topology == Topology::MultiPrimary { "primary" } else { "replica" };
    for spot in spots {
        let replica = build.add(
            "replica",
            &spot.name,
            [
                ("source", OutputRef::resource(&main, "id")),
                ("zone", spot.zone.as_str().into()),
                ("host", text(spot.host.as_deref())),
                ("subnet", build.subnet(&spot.zone)),
                ("mode", mode.into()),
                ("instance_type", text(database.instance_type.as_deref())),
            ],
        );
        all.push(replica);
    }
    build.output("writer", OutputRef::resource(&main, "endpoint"));
    let reads = if all.len() > 1 { "reader_endpoint" } else { "endpoint" };
    build.output("reader", OutputRef::resource(&main, reads));
    build.probe("cluster", &all, &[main]);
}

fn engine(engine: DatabaseEngine) -> &'static str {
    match engine {
        DatabaseEngine::Postgres => "postgres",
        DatabaseEngine::Mysql => "mysql",
        DatabaseEngine::Mariadb => "mariadb",
        DatabaseEngine::AuroraPostgres => "aurora_postgres",
        DatabaseEngine::AuroraMysql => "aurora_mysql",
    }
}

fn backup(backup: &Backup) -> Value {
    let mut inputs = Map::from([
        ("every_ms".into(), ms(backup.every)),
        ("keep_ms".into(), ms(backup.keep)),
        ("point_in_time".into(), backup.point_in_time.into()),
    ]);
    inputs.extend(backup.window.as_deref().map(|window| ("window".into(), window.into())));
    inputs.extend(backup.to.as_deref().map(|to| ("to".into(), to.into())));
    inputs.extend(backup.verify.map(|verify| ("verify_ms".into(), ms(verify))));
    Value::Map(inputs)
}

pub(super) fn expand_store(build: &mut Build<'_>, store: &SessionStore) {
    let main = build.add(
        "store",
        "main",
        [
            ("engine", word(store.engine)),
            ("version", text(store.version.as_deref())),
            ("instance_type", text(store.instance_type.as_deref())),
            ("password", store.password.clone().unwrap_or_default()),
        ],
    );
    let count = if store.hosts.is_empty() {
        store.replicas.saturating_add(1)
    } else {
        u32::try_from(store.hosts.len()).unwrap_or(u32::MAX)
    };
    let mut all = vec![main.clone()];
    for spot in build.spots(&store.common.name, &store.hosts, count) {
        let node = build.add(
            "store_node",
            &spot.name,
            [
                ("store", OutputRef::resource(&main, "id")),
                ("zone", spot.zone.as_str().into()),
                ("host", text(spot.host.as_deref())),
                ("subnet", build.subnet(&spot.zone)),
            ],
        );
        all.push(node);
    }
    let endpoint = OutputRef::resource(&main, "endpoint");
    let scheme = word(store.engine);
    build.output("url", Value::Join(vec![scheme, "://".into(), endpoint.clone(), ":6379".into()]));
    build.output("address", endpoint);
    build.probe("store", &all, &[main]);
}

/// In the region that takes over: a copy of every database of the one that may be lost, and standing capacity.
pub(super) fn expand_recovery(build: &mut Build<'_>, recovery: &DisasterRecovery) {
    let Some(into) = build.request.regions.iter().find(|region| region.name == recovery.into) else {
        build.problem("into", format!("there is no region `{}`", recovery.into));
        return;
    };
    if into.provider != PROVIDER {
        build.problem(
            "into",
            format!(
                "region `{}` is of provider `{}`; `{PROVIDER}` recovers into its own only",
                into.name, into.provider
            ),
        );
        return;
    }
    let zone = into.zones.first().map_or("a", |zone| zone.name.as_str());
    let mut all = Vec::new();
    for component in build.request.components {
        if component.common().region != recovery.from {
            continue;
        }
        let name = &component.common().name;
        match component {
            Component::Database(database) => {
                let source = OutputRef::resource(&database_address(&recovery.from, &component.id()), "id");
                let copy = if recovery.strategy == RecoveryStrategy::BackupRestore {
                    let into_name = into.name.as_str().into();
                    build.add_in(into, "backup_copy", name, [("source", source), ("into", into_name)])
                } else {
                    build.add_in(
                        into,
                        "replica",
                        name,
                        [
                            ("source", source),
                            ("zone", zone.into()),
                            ("mode", "standby".into()),
                            ("instance_type", text(database.instance_type.as_deref())),
                        ],
                    )
                };
                if recovery.strategy != RecoveryStrategy::BackupRestore {
                    build.output(name, OutputRef::resource(&copy, "endpoint"));
                }
                all.push(copy);
            }
            Component::AutoscalingGroup(group) => {
                let capacity = match recovery.strategy {
                    RecoveryStrategy::BackupRestore | RecoveryStrategy::PilotLight => continue,
                    RecoveryStrategy::WarmStandby => group.capacity.min,
                    RecoveryStrategy::ActiveActive => group.capacity.desired,
                };
                let serving = recovery.strategy == RecoveryStrategy::ActiveActive;
                let standby = build.add_in(
                    into,
                    "standby",
                    name,
                    [
                        ("group", component.id().to_string().into()),
                        ("capacity", capacity.into()),
                        ("serving", serving.into()),
                    ],
                );
                all.push(standby);
            }
            _ => {}
        }
    }
    build.output("into", recovery.into.as_str());
    build.probe("second region", &all, &[]);
}
