//! Databases of RDS, with their standby and their read replicas.

use aws_sdk_rds::types::DbInstance;
use standfast_contract::{Map, Value};

use super::text::{Names, Text};
use crate::{
    clients::Site,
    expand::line_of,
    failure::{Failure, failed},
    kinds, marks, names,
};

/// What stays as it is.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "subnet_group", "parameter_group", "security_groups", "storage_type", "encrypted", "public", "backup_window",
    "maintenance_window",
];
const ENGINES: [&str; 3] = ["postgres", "mysql", "mariadb"];

/// The servers of a VPC.
#[derive(Default)]
pub(super) struct Databases {
    primaries: Vec<DbInstance>,
    replicas: Vec<DbInstance>,
    /// Of clusters.
    pub members: Vec<DbInstance>,
}

pub(super) async fn look(site: &Site, vpc: &str, text: &mut Text) -> Result<Databases, Failure> {
    let call = site.look.rds.describe_db_instances();
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut found = Databases::default();
    for one in all.map_err(failed("rds:DescribeDBInstances"))? {
        if one.db_subnet_group().and_then(|group| group.vpc_id()) != Some(vpc) {
            continue;
        }
        let (name, engine) = (id(&one), one.engine().unwrap_or_default());
        if one.db_cluster_identifier().is_some() {
            found.members.push(one);
        } else if one.tag_list().iter().any(|tag| tag.key() == Some(marks::STACK)) {
            text.leave_out(format!("the database {name} is a stack's already"));
        } else if !ENGINES.contains(&engine) {
            text.leave_out(format!("the database {name} is of the engine {engine}"));
        } else if one.read_replica_source_db_instance_identifier().is_some() {
            found.replicas.push(one);
        } else {
            found.primaries.push(one);
        }
    }
    Ok(found)
}

pub(super) fn id(one: &DbInstance) -> &str {
    one.db_instance_identifier().unwrap_or_default()
}

/// `zones`: as the blueprint names them, in order. Gives whether there was something to write.
pub(super) fn write(text: &mut Text, found: &Databases, zones: &[String], own: &mut Names) -> bool {
    let is_of = |replica: &DbInstance, primary: &DbInstance| {
        replica.read_replica_source_db_instance_identifier() == primary.db_instance_identifier()
    };
    for replica in &found.replicas {
        if !found.primaries.iter().any(|primary| is_of(replica, primary)) {
            let source = replica.read_replica_source_db_instance_identifier().unwrap_or_default();
            text.leave_out(format!(
                "the read replica {} follows {source}, which is in no blueprint",
                id(replica)
            ));
        }
    }
    if !found.primaries.is_empty() {
        text.line("databases:");
    }
    for primary in &found.primaries {
        let replicas = found.replicas.iter().filter(|replica| is_of(replica, primary)).collect();
        one(text, primary, replicas, zones, own);
    }
    !found.primaries.is_empty()
}

fn one(text: &mut Text, primary: &DbInstance, replicas: Vec<&DbInstance>, zones: &[String], own: &mut Names) {
    let name = own.take(id(primary));
    // As a plan sees it: with what is under way.
    let seen = kinds::database_attributes(primary);
    let said = |key: &str| seen.get(key).map(ToString::to_string).unwrap_or_default();
    text.line(format!("  {name}:\n    engine: {}", said("engine")));
    text.line(format!("    version: \"{}\"", version(&seen)));
    text.line(format!("    instance_type: {}", said("class")));
    text.line(format!("    storage: {}GiB", said("storage_gib")));
    let has_standby = seen.get("multi_az").and_then(Value::as_bool) == Some(true);
    if has_standby || !replicas.is_empty() {
        text.line(format!("    replicas: {}", replicas.len() + usize::from(has_standby)));
    } else {
        text.line("    topology: single");
    }
    if !has_standby && !replicas.is_empty() {
        text.note("It has no standby: nothing takes over by itself.");
        text.line("    failover: manual");
    }
    if let Some(user) = primary.master_username() {
        text.line(format!("    username: {user}"));
    }
    let days = seen.get("backup_days").and_then(Value::as_int).unwrap_or(0);
    if days > 0 {
        text.line(format!("    backup: {{ keep: {days}d }}"));
    }
    text.line(format!("    deletion_protection: {}", primary.deletion_protection() == Some(true)));
    let mut kept = KEPT.to_vec();
    if days == 0 {
        kept.push("backup_days");
    }
    if replicas.is_empty() {
        text.note("Its password is as it was: without `password` here nothing changes it.");
    } else {
        text.note("Its password is as it was: nothing changes it while `password` stands below.");
        kept.push("password");
    }
    let (placed, is_in_zones) = placed(replicas, zones);
    if !is_in_zones {
        text.note("Its read replicas are in other zones than their addresses say, and stay there.");
        kept.push("zone");
    }
    for key in ["version", "class", "storage_gib", "minor_upgrades"] {
        if placed.iter().any(|(_, replica)| kinds::database_attributes(replica).get(key) != seen.get(key)) {
            text.note(format!("Its read replicas differ from it in `{key}`: each stays as it is."));
            kept.push(key);
        }
    }
    let grows =
        |one: &DbInstance| one.max_allocated_storage().is_some_and(|max| Some(max) > one.allocated_storage());
    if grows(primary) || placed.iter().any(|(_, replica)| grows(replica)) {
        text.note("Its storage grows by itself (storage autoscaling), and `storage` is what it was: it stays as it is.");
        if !kept.contains(&"storage_gib") {
            kept.push("storage_gib");
        }
    }
    for (_, replica) in placed.iter().filter(|(_, replica)| replica.multi_az() == Some(true)) {
        text.note(format!(
            "Its read replica {} has a standby of its own, which no blueprint says.",
            id(replica)
        ));
    }
    note_port(text, primary, &seen);
    text.keep(&kept);
    let component = format!("databases.{name}");
    text.import(&component, "db_instance", "main", primary.db_instance_arn());
    for (slot, replica) in placed {
        text.import(&component, "db_replica", &slot, replica.db_instance_arn());
    }
}

/// As the blueprint says it: the line where RDS brings newer versions of it, else the whole.
fn version(seen: &Map) -> &str {
    let text = |key: &str| seen.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_followed = seen.get("minor_upgrades").and_then(Value::as_bool) == Some(true);
    if is_followed { line_of(text("engine"), text("version")) } else { text("version") }
}

/// Outputs and who may reach it go by the engine's own port.
fn note_port(text: &mut Text, one: &DbInstance, seen: &Map) {
    let is_postgres = seen.get("engine").and_then(Value::as_str) == Some("postgres");
    let usual = if is_postgres { 5432 } else { 3306 };
    if let Some(port) = one.endpoint().and_then(|endpoint| endpoint.port()).filter(|port| *port != usual) {
        text.note(format!("It listens at {port}, which no blueprint says: the output `port` is {usual}."));
    }
}

/// Each server with the name that a blueprint has for it, which is its zone where that can be, and whether it is for all.
pub(super) fn placed<'a>(
    servers: Vec<&'a DbInstance>,
    zones: &[String],
) -> (Vec<(String, &'a DbInstance)>, bool) {
    let mut slots: Vec<Option<&DbInstance>> = vec![None; servers.len()];
    let mut others = Vec::new();
    for server in servers {
        let is_free = |(at, slot): (usize, &Option<&DbInstance>)| {
            slot.is_none()
                && zones.get(at % zones.len().max(1)).map(String::as_str) == server.availability_zone()
        };
        match slots.iter().enumerate().position(is_free) {
            Some(at) => slots[at] = Some(server),
            None => others.push(server),
        }
    }
    let is_in_zones = others.is_empty();
    let mut others = others.into_iter();
    let named = slots
        .into_iter()
        .enumerate()
        .filter_map(|(at, server)| Some((names::server(zones, at), server.or_else(|| others.next())?)));
    (named.collect(), is_in_zones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_the_name_of_its_zone_where_that_is_free() {
        let zones = ["a", "b"].map(str::to_owned);
        let server = |name: &str, zone: &str| {
            DbInstance::builder().db_instance_identifier(name).availability_zone(zone).build()
        };
        let told = |servers: &[DbInstance]| {
            let (placed, is_in_zones) = placed(servers.iter().collect(), &zones);
            let told = placed.iter().map(|(slot, server)| format!("{slot}={}", id(server)));
            (told.collect::<Vec<_>>().join(" "), is_in_zones)
        };
        assert_eq!(told(&[server("x", "b"), server("y", "a")]), ("a=y b=x".into(), true));
        assert_eq!(
            told(&[server("x", "a"), server("y", "b"), server("z", "a")]),
            ("a=x b=y a.2=z".into(), true)
        );
        assert_eq!(told(&[server("x", "b")]), ("a=x".into(), false));
        assert_eq!(told(&[]), (String::new(), true));
    }

    #[test]
    fn a_disk_that_grows_by_itself_stays_as_it_is() {
        let written = |max: Option<i32>| {
            let database = DbInstance::builder().db_instance_identifier("orders").engine("postgres");
            let database = database.allocated_storage(20).set_max_allocated_storage(max).build();
            let found = Databases { primaries: vec![database], ..Databases::default() };
            let mut text = Text::new("home");
            write(&mut text, &found, &["a".to_owned()], &mut Names::default());
            text.sections
        };
        let grows = written(Some(100));
        assert!(
            grows.contains("# Its storage grows by itself") && grows.contains(", storage_gib]"),
            "{grows}"
        );
        assert!(!written(None).contains("storage_gib") && !written(Some(20)).contains("storage_gib"));
    }
}
