//! A database of RDS: one instance, with a standby in another zone where it is Multi-AZ.
//!
//! Which zone the primary is in is RDS's business and changes with every failover: it is no attribute. Deleting one
//! always leaves a final snapshot, whose name follows from the instance, so that a repeated delete makes no second one.

use async_trait::async_trait;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use standfast_contract::{Attribute, Call, Kind, LEFT, Map, Value, Way};

use super::{ID, Job, Phase, Seen, Select, TAGS, Told, Works, fixed, list, map, may, must, out, rds, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
    settle,
};

mod replicas;

pub(super) use replicas::left_behind;

#[cfg(test)]
mod tests;

pub(super) struct DbInstance;

/// `minor_upgrades`: RDS brings newer versions of the line, in the maintenance window. `password`: without one RDS makes it, keeps it in Secrets Manager and changes it every week.
pub(super) static KIND: Kind = Kind {
    holds_data: true,
    leaves: rds::LEAVES,
    ..Kind::new(
        "db_instance",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("engine"),
            fixed("username"),
            fixed("subnet_group"),
            fixed("encrypted"),
            must("version").one_way(Way::Up).effect("restarts the database"),
            must("class").effect("restarts the database"),
            Attribute::new("storage_gib").required().one_way(Way::Up).unit("GiB"),
            must("storage_type"),
            must("multi_az"),
            Attribute::new("backup_days").required().unit("days"),
            may("backup_window"),
            may("maintenance_window"),
            must("deletion_protection"),
            must("public"),
            must("minor_upgrades"),
            must("parameter_group"),
            must("security_groups"),
            Attribute::new("password").sensitive().unobserved(),
            out("identifier"),
            out("endpoint"),
            out("port"),
            Attribute::new("secret").computed(),
            Attribute::new(LEFT).computed(),
        ],
    )
};

/// What one call changes.
pub(super) const CHANGING: [&str; 13] = [
    "version",
    "minor_upgrades",
    "class",
    "storage_gib",
    "storage_type",
    "multi_az",
    "backup_days",
    "backup_window",
    "maintenance_window",
    "deletion_protection",
    "public",
    "parameter_group",
    "security_groups",
];
/// From here on General Purpose SSD (gp3) of PostgreSQL, MySQL and MariaDB has IOPS and throughput that can be said.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage>
const GP3_SAYS_IOPS_GIB: i64 = 400;

#[async_trait]
impl Works for DbInstance {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        Ok(self.look_around(site, select).await?.0)
    }

    async fn look_around(&self, site: &Site, select: Select<'_>) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
        let found = rds::instances(site, select).await?;
        let seen = found.iter().filter_map(|found| seen_as(&KIND, found)).collect();
        Ok((seen, found.iter().filter_map(subnet_group).collect()))
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let engine = job.text("engine")?;
        let password = password(&job.call.inputs, engine)?;
        let call = job
            .site
            .change
            .rds
            .create_db_instance()
            .db_instance_identifier(job.text("name")?)
            .engine(engine)
            .engine_version(job.text("version")?)
            .db_instance_class(job.text("class")?)
            .allocated_storage(job.int("storage_gib")?)
            .storage_type(job.text("storage_type")?)
            .storage_encrypted(job.is("encrypted"))
            .master_username(job.text("username")?)
            .set_manage_master_user_password(password.is_none().then_some(true))
            .set_master_user_password(password)
            .db_subnet_group_name(job.text("subnet_group")?)
            .set_vpc_security_group_ids(Some(owned(job, "security_groups")))
            .db_parameter_group_name(job.text("parameter_group")?)
            .multi_az(job.is("multi_az"))
            .backup_retention_period(job.int("backup_days")?)
            .set_preferred_backup_window(job.maybe("backup_window").map(str::to_owned))
            .set_preferred_maintenance_window(job.maybe("maintenance_window").map(str::to_owned))
            .deletion_protection(job.is("deletion_protection"))
            .publicly_accessible(job.is("public"))
            .auto_minor_version_upgrade(job.is("minor_upgrades"))
            .copy_tags_to_snapshot(true)
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBInstance";
        let made = call.send().await.map_err(failed(action))?;
        made.db_instance.and_then(|made| made.db_instance_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let new_password = has_new_password(job.call);
        let changes = modify(job, seen)?;
        if changes.is_none() && !new_password {
            return Ok(());
        }
        check(&seen.attributes, &job.call.inputs)?;
        if job.asks("version", seen) {
            replicas::upgrade(job, seen).await?;
        }
        let password = password(&job.call.inputs, job.text("engine")?)?.filter(|_| new_password);
        let call = changes
            .unwrap_or_else(|| at_once(job, seen))
            .set_manage_master_user_password(new_password.then_some(password.is_none()))
            .set_master_user_password(password);
        call.send().await.map_err(failed(MODIFY))?;
        Ok(())
    }

    fn unfinished(&self, job: &Job<'_>, before: &Seen, after: &Seen) -> Option<String> {
        rds::unfinished(job, before, after, &CHANGING)
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        remove(site, id).await
    }

    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        let engine = call.inputs.get("engine").and_then(Value::as_str).unwrap_or_default();
        password(&call.inputs, engine)?;
        check(&call.prior, &call.inputs)
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

/// What an instance tells of the group of subnets that it is in, whose ARN differs in the last two parts.
fn subnet_group(found: &aws_sdk_rds::types::DbInstance) -> Option<Told> {
    let group = found.db_subnet_group()?;
    let (stem, _) = found.db_instance_arn()?.split_once(":db:")?;
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
    Some(Told {
        kind: "db_subnet_group",
        id: format!("{stem}:subgrp:{}", group.db_subnet_group_name()?),
        attributes: map([("vpc", text(group.vpc_id())), ("subnets", list(subnets))]),
    })
}

const MODIFY: &str = "rds:ModifyDBInstance";

/// What an instance may change while it runs that has no password of its own: a replica, here or in another region, or a
/// server of a cluster.
pub(super) async fn fit(works: &dyn Works, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    if !goes_with_its_source(job, seen) {
        if let Some(call) = modify(job, seen)? {
            call.send().await.map_err(failed(MODIFY))?;
        }
        return Ok(());
    }
    // RDS takes it along, and that may last longer than what it does to its source.
    let seen = match &seen.phase {
        Phase::Pending(_) => &settle::ready(works, job, &seen.id).await?,
        _ => seen,
    };
    let Some(call) = modify(job, seen)? else { return Ok(()) };
    match call.send().await.map_err(failed(MODIFY)) {
        Err(failure) if failure.trouble == Trouble::Refused && goes_with_its_source(job, seen) => {
            let why = "RDS takes a read replica of PostgreSQL to another line together with its source only; one \
                       that it left behind has to be made anew (`--replace`)";
            Err(Failure::new(Trouble::Busy, MODIFY, format!("{}: {why}", failure.message)))
        }
        answer => answer.map(drop),
    }
}

/// Whether RDS itself brings the version: another line of a replica of PostgreSQL.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.html>
fn goes_with_its_source(job: &Job<'_>, seen: &Seen) -> bool {
    let is_postgres = seen.parts.get(rds::ENGINE).is_some_and(|engine| engine == "postgres");
    is_postgres && seen.parts.contains_key(rds::SOURCE) && is_of_other_line(job, seen)
}

/// Whether the version asked for is of another line than there is.
fn is_of_other_line(job: &Job<'_>, seen: &Seen) -> bool {
    let engine = seen.parts.get(rds::ENGINE).map_or("", String::as_str);
    let from = seen.attributes.get("version").and_then(Value::as_str);
    from.zip(job.maybe("version")).is_some_and(|(from, to)| rds::is_of_other_line(engine, from, to))
}

/// The call for what differs, of that which the kind has and somebody wants; none where nothing does. It would do at once
/// what others have put off to a maintenance window.
fn modify(job: &Job<'_>, seen: &Seen) -> Result<Option<ModifyDBInstanceFluentBuilder>, Failure> {
    let asks = |key: &str| job.asks(key, seen);
    if !CHANGING.into_iter().any(asks) {
        return Ok(None);
    }
    let text = |key: &str| job.maybe(key).filter(|_| asks(key)).map(str::to_owned);
    let int = |key: &str| asks(key).then(|| job.int(key)).transpose();
    let flag = |key: &str| asks(key).then(|| job.is(key));
    // "Major Version Upgrade not supported for Postgres Read Replica DB Instances", whatever the version.
    let may_be_major = asks("version") && is_of_other_line(job, seen) && !goes_with_its_source(job, seen);
    let (iops, throughput) = provisioned(job, seen);
    let call = at_once(job, seen)
        .set_engine_version(text("version"))
        .set_allow_major_version_upgrade(may_be_major.then_some(true))
        .set_auto_minor_version_upgrade(flag("minor_upgrades"))
        .set_db_instance_class(text("class"))
        .set_allocated_storage(int("storage_gib")?)
        .set_storage_type(text("storage_type"))
        .set_iops(iops)
        .set_storage_throughput(throughput)
        .set_multi_az(flag("multi_az"))
        .set_backup_retention_period(int("backup_days")?)
        .set_preferred_backup_window(text("backup_window"))
        .set_preferred_maintenance_window(text("maintenance_window"))
        .set_deletion_protection(flag("deletion_protection"))
        .set_publicly_accessible(flag("public"))
        .set_db_parameter_group_name(text("parameter_group"))
        .set_vpc_security_group_ids(asks("security_groups").then(|| owned(job, "security_groups")));
    Ok(Some(call))
}

/// IOPS and throughput as they are, without which RDS grows no disk that has them of its own, and with which none that
/// has not. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
fn provisioned(job: &Job<'_>, seen: &Seen) -> (Option<i32>, Option<i32>) {
    if !job.asks("storage_gib", seen) || job.asks("storage_type", seen) {
        return (None, None);
    }
    let part = |key: &str| seen.parts.get(key).and_then(|number| number.parse().ok());
    let from_gib = seen.attributes.get("storage_gib").and_then(Value::as_int).unwrap_or_default();
    match seen.parts.get(rds::STORAGE_TYPE).map(String::as_str) {
        Some("io1" | "io2") => (part(rds::IOPS), None),
        Some("gp3") if from_gib >= GP3_SAYS_IOPS_GIB => (part(rds::IOPS), part(rds::THROUGHPUT)),
        _ => (None, None),
    }
}

/// And not in the next maintenance window.
fn at_once(job: &Job<'_>, seen: &Seen) -> ModifyDBInstanceFluentBuilder {
    let call = job.site.change.rds.modify_db_instance();
    call.db_instance_identifier(rds::name_of(&seen.id)).apply_immediately(true)
}

/// An instance as a resource of this kind; nothing where its mark says that it is of another one.
pub(super) fn seen_as(kind: &Kind, found: &aws_sdk_rds::types::DbInstance) -> Option<Seen> {
    let tags = rds::tags_of(found.tag_list());
    if crate::marks::address(&tags).is_some_and(|address| address.kind() != kind.name) {
        return None;
    }
    let mut attributes = rds::attributes(found);
    attributes.retain(|key, _| kind.attribute(key).is_some());
    Some(Seen {
        id: found.db_instance_arn().unwrap_or_default().to_owned(),
        phase: rds::phase(found.db_instance_status().unwrap_or_default()),
        tags,
        attributes,
        outputs: rds::outputs(found),
        parts: rds::parts(found),
    })
}

pub(super) fn owned(job: &Job<'_>, key: &str) -> Vec<String> {
    job.texts(key).into_iter().map(str::to_owned).collect()
}

/// What is there, or was recorded, and what is wanted.
pub(super) fn check(is: &Map, wanted: &Map) -> Result<(), Failure> {
    let int = |map: &Map, key: &str| map.get(key).and_then(Value::as_int);
    if let (Some(from), Some(to)) = (int(is, "storage_gib"), int(wanted, "storage_gib")) {
        rds::check_storage(from, to)?;
    }
    let text = |map: &Map, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    if let (Some(from), Some(to)) = (text(is, "version"), text(wanted, "version")) {
        rds::check_version(&from, &to)?;
    }
    Ok(())
}

/// Whether the blueprint gives another password than it did, and does not leave it as it is (`ignore_changes`).
pub(super) fn has_new_password(call: &Call) -> bool {
    !call.prior.is_empty() && call.changed.iter().any(|key| key == "password")
}

/// The password, none where RDS makes it. What RDS takes:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
pub(super) fn password(inputs: &Map, engine: &str) -> Result<Option<String>, Failure> {
    let Some(password) = plain(inputs, "password")? else { return Ok(None) };
    match wrong_password(password, engine) {
        Some(why) => Err(Failure::refused("rds:CreateDBInstance", format!("the password {why}"))),
        None => Ok(Some(password.to_owned())),
    }
}

/// A secret's text. One that is there and cannot be read is refused: to go on without it would be another password.
pub(super) fn plain<'a>(inputs: &'a Map, key: &str) -> Result<Option<&'a str>, Failure> {
    match inputs.get(key) {
        // Before the first change not everything is known.
        None | Some(Value::Null | Value::Unknown) => Ok(None),
        Some(value) => value
            .expose()
            .map(Some)
            .ok_or_else(|| Failure::refused("", format!("the text of `{key}` is not known to this run"))),
    }
}

pub(crate) fn wrong_password(password: &str, engine: &str) -> Option<String> {
    let max = if engine == "postgres" { 128 } else { 41 };
    let length = password.chars().count();
    if !(8..=max).contains(&length) {
        return Some(format!("must have 8 to {max} characters for {engine}; it has {length}"));
    }
    let is_taken = |c: char| c.is_ascii_graphic() && !"/'\"@".contains(c);
    let is_bad = !password.chars().all(is_taken);
    is_bad.then(|| "may hold printable ASCII only, without spaces, `/`, `@` and quotes".to_owned())
}

/// What holds data of its own leaves a final snapshot.
pub(super) async fn remove(site: &Site, id: &str) -> Result<(), Failure> {
    let found = rds::instances(site, Select::Ids(&[id])).await?;
    let Some(found) = found.first() else { return Ok(()) };
    if found.db_instance_status() == Some("deleting") {
        return Ok(());
    }
    let snapshot = rds::final_snapshot_of(found);
    let call = site
        .change
        .rds
        .delete_db_instance()
        .db_instance_identifier(rds::name_of(id))
        .skip_final_snapshot(snapshot.is_none())
        .set_final_db_snapshot_identifier(snapshot);
    call.send().await.map_err(failed("rds:DeleteDBInstance"))?;
    Ok(())
}
