//! A cluster of Aurora: one server in each of as many zones as it has servers, of which one writes and the others read and
//! take over. All of them share one storage, so that nothing is lost when one takes over.
//!
//! The name `writer` follows whoever writes, and `reader` leads to the others in turn. With disaster recovery it is the
//! source of a global database, which is made of it.
//!
//! Serverless capacity is deliberately absent: an `instance_type` says what a server is.

use standfast_contract::{
    Address, OutputRef, Value,
    component::{Database, Failover, Topology},
};

use super::{
    super::{Build, network::Within, talk},
    Engine, SERVICE, USERNAME, add_parameter_group, add_subnet_group, backup_days,
    copy::{KMS_KEY, Readiness, Source},
    family, minor_upgrades, spot, whole,
};
use crate::{
    health,
    kinds::text,
    names::{self, DATABASE_MAX},
};

#[cfg(test)]
mod tests;

/// What a cluster is made of.
pub(super) struct Cluster<'a> {
    pub engine: Engine,
    /// The name of the group.
    pub subnets: &'a Value,
    pub guard: &'a Address,
    pub parameter_group: &'a Address,
}

pub(super) fn expand(build: &mut Build<'_>, database: &Database, within: &Within, engine: &Engine) {
    check(build, database, engine);
    let Some(family) = family(build, database, engine) else { return };
    let Some(_) = super::class(build, database) else { return };
    let (subnets, guard) = (add_subnet_group(build, within), talk::add_guard(build, within, engine.port));
    let parameter_group = add_parameter_group(build, database, "main", &family);
    let cluster = Cluster {
        engine: Engine::of(database.engine),
        subnets: &subnets,
        guard: &guard,
        parameter_group: &parameter_group,
    };
    let main = add_cluster(build, database, "main", &cluster, None);
    build.probe("cluster", health::CLUSTER, [("cluster", OutputRef::resource(&main, "id"))]);
    add_servers(build, database, &main, engine, "", servers(database));
    let reader = OutputRef::resource(&main, "reader_endpoint");
    build.output("writer", OutputRef::resource(&main, "endpoint"));
    build.output("reader", reader.clone());
    build.output("readers", vec![reader]);
    build.output("port", engine.port);
    build.output("username", database.username.as_deref().unwrap_or(USERNAME));
    if database.password.is_none() {
        build.output("secret", OutputRef::resource(&main, "secret"));
    }
}

/// How many.
pub(super) fn servers(database: &Database) -> u32 {
    if database.topology == Topology::Single { 1 } else { database.replicas.saturating_add(1) }
}

fn check(build: &mut Build<'_>, database: &Database, engine: &Engine) {
    if database.storage.is_some() {
        build.problem("storage", "the storage of Aurora grows by itself", "Remove `storage`.");
    }
    if database.failover == Failover::Manual {
        build.problem(
            "failover",
            "a server of Aurora always takes over by itself",
            "Say `failover: automatic`.",
        );
    }
    if database.topology != Topology::Single && database.replicas == 0 {
        build.problem(
            "replicas",
            "a server alone has nobody to take over",
            "Say 1 or more, or `topology: single`.",
        );
    }
    if database.replicas > engine.replicas_max {
        build.problem("replicas", format!("Aurora has {} readers at most", engine.replicas_max), "");
    }
}

/// `global`: the global database that it is a copy for, in the region that `build` is in.
fn add_cluster(
    build: &mut Build<'_>,
    database: &Database,
    name: &str,
    cluster: &Cluster<'_>,
    global: Option<&Address>,
) -> Address {
    let address = build.address("db_cluster", name);
    let backup = database.backup.as_ref();
    let password = database.password.clone().filter(|_| global.is_none());
    let made = build.add(
        SERVICE,
        "db_cluster",
        name,
        [
            ("name", names::identifier(build.request.stack, &address, DATABASE_MAX).into()),
            ("engine", cluster.engine.name.into()),
            ("version", text(database.version.as_deref())),
            ("username", database.username.as_deref().unwrap_or(USERNAME).into()),
            ("password", password.map_or(Value::Null, Value::masked)),
            ("global_cluster", global.map_or(Value::Null, |it| OutputRef::resource(it, "identifier"))),
            ("kms_key", global.map_or(Value::Null, |_| KMS_KEY.into())),
            ("encrypted", true.into()),
            ("subnet_group", cluster.subnets.clone()),
            ("security_groups", vec![OutputRef::resource(cluster.guard, "id")].into()),
            ("parameter_group", OutputRef::resource(cluster.parameter_group, "identifier")),
            ("backup_days", whole(backup_days(database))),
            ("backup_window", text(backup.and_then(|it| it.window.as_deref()))),
            ("maintenance_window", text(database.maintenance_window.as_deref())),
            (
                "deletion_protection",
                build.request.component.common().deletion_protection.unwrap_or(true).into(),
            ),
        ],
    );
    // It has the first one's, and AWS need not say so.
    if let (Some(_), Some(desired)) = (global, build.out.resources.last_mut()) {
        desired.inputs.remove("username");
    }
    made
}

/// `prefix` tells the servers of several clusters of a component apart.
fn add_servers(
    build: &mut Build<'_>,
    database: &Database,
    cluster: &Address,
    engine: &Engine,
    prefix: &str,
    count: u32,
) {
    for at in 0..count {
        let (zone, name) = spot(build, at);
        let name = format!("{prefix}{name}");
        let address = build.address("db_cluster_instance", &name);
        build.probe(
            &format!("server {name}"),
            health::SERVER,
            [
                ("cluster", OutputRef::resource(cluster, "id")),
                ("instance", OutputRef::resource(&address, "id")),
            ],
        );
        build.add(
            SERVICE,
            "db_cluster_instance",
            &name,
            [
                ("name", names::identifier(build.request.stack, &address, DATABASE_MAX).into()),
                ("cluster", OutputRef::resource(cluster, "identifier")),
                ("engine", engine.name.into()),
                ("zone", zone.into()),
                ("class", text(database.instance_type.as_deref())),
                ("maintenance_window", text(database.maintenance_window.as_deref())),
                ("public", false.into()),
                ("minor_upgrades", minor_upgrades(database, engine).into()),
            ],
        );
    }
}

/// In the region that may be lost: the global database, made of the cluster there.
pub(in crate::expand) fn add_global(build: &mut Build<'_>, source: &Source<'_>) -> Address {
    let name = &source.database.common.name;
    // <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-getting-started.html>
    let class = source.database.instance_type.as_deref().unwrap_or_default();
    if class.starts_with("db.t") {
        build.problem(
            "from",
            format!(
                "a global database of Aurora takes no burstable servers (`{class}` of `databases.{name}`)"
            ),
            "For example `instance_type: db.r6g.large`.",
        );
    }
    let address = build.address("global_cluster", name);
    let global = build.add(
        SERVICE,
        "global_cluster",
        name,
        [
            ("name", names::identifier(build.request.stack, &address, DATABASE_MAX).into()),
            ("source", source.arn()),
        ],
    );
    // A cluster without a server has nothing that could be followed.
    let (_, first) = spot(build, 0);
    if let Some(desired) = build.out.resources.last_mut() {
        desired.after.push(source.address("db_cluster_instance", &first));
    }
    global
}

/// In the region that takes over: a cluster that follows, with one server or two. Gives the name under which it takes
/// writes after a failover.
pub(super) fn add_copy(
    build: &mut Build<'_>,
    database: &Database,
    cluster: &Cluster<'_>,
    global: &Address,
    readiness: Readiness,
) -> Value {
    let name = &database.common.name;
    let copy = add_cluster(build, database, name, cluster, Some(global));
    let id = OutputRef::resource(&copy, "id");
    build.probe(&format!("copy of {name}"), health::CLUSTER, [("cluster", id)]);
    let servers = if readiness == Readiness::Standby { 2 } else { 1 };
    add_servers(build, database, &copy, &cluster.engine, &format!("{name}."), servers);
    OutputRef::resource(&copy, "endpoint")
}
