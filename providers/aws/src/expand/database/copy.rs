//! What the region that takes over has of a database: copies of its backups, a replica, or of Aurora the cluster of a
//! global database. Nothing where the database itself is wrong, which its own expansion says.

use standfast_contract::{Address, ComponentId, OutputRef, Section, Value, component::Database};

use super::{
    super::{Build, network::Within, talk},
    Engine, SERVICE, add_parameter_group, aurora, backup_days, family_of, minor_upgrades, storage_gib, whole,
};
use crate::{
    health,
    kinds::text,
    names::{self, DATABASE_MAX},
};

/// The key of RDS's own that every region has; a copy is encrypted with that of its own region.
pub(super) const KMS_KEY: &str = "alias/aws/rds";

/// A database that may be lost with its region.
pub(in crate::expand) struct Source<'a> {
    pub database: &'a Database,
    /// Its region.
    pub region: &'a str,
}

impl Source<'_> {
    /// Its ARN, which is what another region knows it by.
    pub(super) fn arn(&self) -> Value {
        let kind = if self.is_aurora() { "db_cluster" } else { "db_instance" };
        OutputRef::resource(&self.address(kind, "main"), "id")
    }

    /// Of a resource of it.
    pub(super) fn address(&self, kind: &str, name: &str) -> Address {
        let id = ComponentId::new(Section::Databases, &self.database.common.name);
        Address::new(self.region, &id, kind, name)
    }

    pub(in crate::expand) fn is_aurora(&self) -> bool {
        Engine::of(self.database.engine).is_aurora()
    }
}

/// How much of it is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::expand) enum Readiness {
    /// The data.
    Data,
    /// As many servers as take over by themselves at home.
    Standby,
}

/// In the region that `build` is in: the backups of the database, as they are made.
pub(in crate::expand) fn add_backups(build: &mut Build<'_>, source: &Source<'_>) {
    if source.is_aurora() {
        build.problem(
            "strategy",
            format!("RDS copies no backups of Aurora (`databases.{}`)", source.database.common.name),
            "Say `strategy: pilot_light`: a global database, of which one server is enough.",
        );
        return;
    }
    build.add(
        SERVICE,
        "db_backup_copy",
        &source.database.common.name,
        [
            ("source", source.arn()),
            ("backup_days", whole(backup_days(source.database))),
            ("kms_key", KMS_KEY.into()),
        ],
    );
}

/// In the region that `build` is in: what a failover promotes. Gives the name that it is reached by.
pub(in crate::expand) fn add(
    build: &mut Build<'_>,
    within: &Within,
    subnets: &Value,
    source: &Source<'_>,
    readiness: Readiness,
    global: Option<&Address>,
) -> Option<Value> {
    let database = source.database;
    let name = &database.common.name;
    let engine = Engine::of(database.engine);
    let version = database.version.as_deref()?;
    let family = family_of(version, &engine)?;
    if database.password.is_none() {
        build.problem(
            "from",
            format!("RDS makes no copy of `databases.{name}`, whose password it makes by itself"),
            format!("Give it one: `password: ${{secrets.NAME}}` under `databases.{name}`."),
        );
    }
    let parameter_group = add_parameter_group(build, database, name, &family);
    let guard = talk::add_guard_of(build, within, name, engine.port);
    if let Some(global) = global {
        let cluster = aurora::Cluster { engine, subnets, guard: &guard, parameter_group: &parameter_group };
        return Some(aurora::add_copy(build, database, &cluster, global, readiness));
    }
    let address = build.address("db_copy", name);
    let copy = build.add(
        SERVICE,
        "db_copy",
        name,
        [
            ("name", names::identifier(build.request.stack, &address, DATABASE_MAX).into()),
            ("source", source.arn()),
            ("engine", engine.name.into()),
            ("version", version.into()),
            ("class", text(database.instance_type.as_deref())),
            ("storage_gib", whole(storage_gib(database))),
            ("kms_key", KMS_KEY.into()),
            ("subnet_group", subnets.clone()),
            ("security_groups", vec![OutputRef::resource(&guard, "id")].into()),
            ("parameter_group", OutputRef::resource(&parameter_group, "identifier")),
            ("multi_az", (readiness == Readiness::Standby).into()),
            ("maintenance_window", text(database.maintenance_window.as_deref())),
            ("public", false.into()),
            ("minor_upgrades", minor_upgrades(database, &engine).into()),
        ],
    );
    let id = OutputRef::resource(&copy, "id");
    build.probe(&format!("copy of {name}"), health::REPLICA, [("instance", id)]);
    Some(OutputRef::resource(&copy, "endpoint"))
}
