//! A cluster of Aurora: the storage, which grows by itself and is in three zones, and the names under which the server
//! that writes and those that read are found. Its servers are `db_cluster_instance`.
//!
//! One with a `global_cluster` is that global database's copy in this region: its user is its source's. Which cluster of
//! a global database writes, and which server of a cluster, moves at run time and is no attribute. Deleting one always
//! leaves a final snapshot, whose name follows from the cluster.

use async_trait::async_trait;
use aws_sdk_rds::types::DbCluster as Found;
use standfast_contract::{Attribute, Call, Kind, LEFT, Map, Value, Way};

use super::{
    ID, Job, Seen, Select, TAGS, Works, db_instance, fixed, global_cluster, list, map, may, must, out, rds,
    text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct DbCluster;

/// `password`: without one RDS makes it, keeps it in Secrets Manager and changes it every week; a copy has that of its
/// source.
static KIND: Kind = Kind {
    holds_data: true,
    leaves: "`aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier NAME` deletes one",
    ..Kind::new(
        "db_cluster",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("engine"),
            fixed("subnet_group"),
            fixed("encrypted"),
            // Those of a global database have the first one's.
            Attribute::new("username").replaces(),
            Attribute::new("global_cluster").replaces().unobserved(),
            Attribute::new("kms_key").replaces().unobserved(),
            must("version").one_way(Way::Up).effect("restarts its servers"),
            Attribute::new("backup_days").required().unit("days"),
            may("backup_window"),
            may("maintenance_window"),
            must("deletion_protection"),
            must("parameter_group"),
            must("security_groups"),
            Attribute::new("password").sensitive().unobserved(),
            out("identifier"),
            out("endpoint"),
            out("reader_endpoint"),
            out("port"),
            Attribute::new("secret").computed(),
            out(LEFT),
        ],
    )
};

/// What one call changes.
const CHANGING: [&str; 7] = [
    "version",
    "backup_days",
    "backup_window",
    "maintenance_window",
    "deletion_protection",
    "parameter_group",
    "security_groups",
];

#[async_trait]
impl Works for DbCluster {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        Ok(clusters(site, select).await?.iter().filter_map(seen_as).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let global = job.maybe("global_cluster");
        let engine = job.text("engine")?;
        let password = db_instance::password(&job.call.inputs, engine)?;
        let managed = (global.is_none() && password.is_none()).then_some(true);
        let owned = |key: &str| job.maybe(key).map(str::to_owned);
        let call = job
            .site
            .change
            .rds
            .create_db_cluster()
            .db_cluster_identifier(job.text("name")?)
            .engine(engine)
            .engine_version(job.text("version")?)
            .storage_encrypted(job.is("encrypted"))
            .set_kms_key_id(owned("kms_key"))
            .set_global_cluster_identifier(global.map(str::to_owned))
            .set_master_username(owned("username").filter(|_| global.is_none()))
            .set_master_user_password(password)
            .set_manage_master_user_password(managed)
            .db_subnet_group_name(job.text("subnet_group")?)
            .set_vpc_security_group_ids(Some(db_instance::owned(job, "security_groups")))
            .db_cluster_parameter_group_name(job.text("parameter_group")?)
            .backup_retention_period(job.int("backup_days")?)
            .set_preferred_backup_window(owned("backup_window"))
            .set_preferred_maintenance_window(owned("maintenance_window"))
            .deletion_protection(job.is("deletion_protection"))
            .copy_tags_to_snapshot(true)
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBCluster";
        let made = call.send().await.map_err(failed(action))?;
        made.db_cluster.and_then(|made| made.db_cluster_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let asks = |key: &str| job.asks(key, seen);
        let new_password = db_instance::has_new_password(job.call);
        if !CHANGING.into_iter().any(asks) && !new_password {
            return Ok(());
        }
        db_instance::check(&seen.attributes, &job.call.inputs)?;
        if asks("version")
            && let Some(global) = global_cluster::of_member(job.site, &seen.id).await?
        {
            return Err(one_of_several(&job.call.inputs, &seen.attributes, &global, rds::name_of(&seen.id)));
        }
        let password = db_instance::password(&job.call.inputs, job.text("engine")?)?;
        let password = password.filter(|_| new_password);
        let text = |key: &str| job.maybe(key).filter(|_| asks(key)).map(str::to_owned);
        let groups = asks("security_groups").then(|| db_instance::owned(job, "security_groups"));
        let call = job
            .site
            .change
            .rds
            .modify_db_cluster()
            .db_cluster_identifier(rds::name_of(&seen.id))
            .apply_immediately(true)
            .set_engine_version(text("version"))
            .set_allow_major_version_upgrade(asks("version").then_some(true))
            .set_backup_retention_period(asks("backup_days").then(|| job.int("backup_days")).transpose()?)
            .set_preferred_backup_window(text("backup_window"))
            .set_preferred_maintenance_window(text("maintenance_window"))
            .set_deletion_protection(asks("deletion_protection").then(|| job.is("deletion_protection")))
            .set_db_cluster_parameter_group_name(text("parameter_group"))
            .set_vpc_security_group_ids(groups)
            .set_manage_master_user_password(new_password.then_some(password.is_none()))
            .set_master_user_password(password);
        call.send().await.map_err(failed("rds:ModifyDBCluster"))?;
        Ok(())
    }

    fn unfinished(&self, job: &Job<'_>, before: &Seen, after: &Seen) -> Option<String> {
        rds::unfinished(job, before, after, &CHANGING)
    }

    /// Out of its global database first: RDS deletes no member of one.
    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let found = clusters(site, Select::Ids(&[id])).await?;
        let Some(found) = found.first() else { return Ok(()) };
        if found.status() == Some("deleting") {
            return Ok(());
        }
        if let Some(global) = global_cluster::of_member(site, id).await? {
            global_cluster::detach(site, &global, id).await?;
        }
        let call = site
            .change
            .rds
            .delete_db_cluster()
            .db_cluster_identifier(rds::name_of(id))
            .skip_final_snapshot(false)
            .final_db_snapshot_identifier(final_snapshot(found));
        call.send().await.map_err(failed("rds:DeleteDBCluster"))?;
        Ok(())
    }

    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        let engine = call.inputs.get("engine").and_then(Value::as_str).unwrap_or_default();
        db_instance::password(&call.inputs, engine)?;
        db_instance::check(&call.prior, &call.inputs)?;
        let is_changed = !call.prior.is_empty() && call.changed.iter().any(|key| key == "version");
        match call.inputs.get("global_cluster").and_then(Value::as_str).filter(|_| is_changed) {
            Some(global) => {
                let name = rds::name_of(call.id.as_deref().unwrap_or_default());
                Err(one_of_several(&call.inputs, &call.prior, global, name))
            }
            None => Ok(()),
        }
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

/// Why a member of a global database gets no other version by itself: to another line they go all at once, and within one
/// the one that writes goes last, which nobody here knows before it is asked.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-upgrade.html>
fn one_of_several(wanted: &Map, is: &Map, global: &str, name: &str) -> Failure {
    let text = |map: &Map, key: &str| map.get(key).map(ToString::to_string).unwrap_or_default();
    let (engine, from, to) = (text(wanted, "engine"), text(is, "version"), text(wanted, "version"));
    let how = if rds::is_of_other_line(&engine, &from, &to) {
        format!(
            "all of it goes to another line at once: `aws rds modify-global-cluster --global-cluster-identifier {global} \
             --engine-version {to} --allow-major-version-upgrade`"
        )
    } else {
        format!(
            "its copies go first and the cluster that writes last: `aws rds modify-db-cluster --db-cluster-identifier \
             NAME --engine-version {to} --apply-immediately`, in the region of each"
        )
    };
    let message = format!(
        "{name} is in the global database {global} and gets no other version by itself: {how}; then run the same \
         command again"
    );
    Failure::refused("rds:ModifyDBCluster", message)
}

/// One by its name, else every one of the region, page by page; each comes with its tags.
pub(crate) async fn clusters(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.rds.describe_db_clusters();
    let action = "rds:DescribeDBClusters";
    if let Some([id]) = select.ids() {
        let call = describe().db_cluster_identifier(rds::name_of(id));
        return match call.send().await.map_err(failed(action)) {
            Ok(answer) => Ok(answer.db_clusters.unwrap_or_default()),
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(Vec::new()),
            Err(failure) => Err(failure),
        };
    }
    let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
    all.map_err(failed(action))
}

/// As it will be when what is under way is done.
fn seen_as(found: &Found) -> Option<Seen> {
    let id = found.db_cluster_arn()?;
    let tags = rds::tags_of(found.tag_list());
    if marks::address(&tags).is_some_and(|address| address.kind() != KIND.name) {
        return None;
    }
    let pending = found.pending_modified_values();
    let version = pending.and_then(|pending| pending.engine_version()).or(found.engine_version());
    let days = pending.and_then(|it| it.backup_retention_period()).or(found.backup_retention_period());
    let pending = pending.map(|pending| {
        [
            ("version", pending.engine_version().is_some()),
            ("backup_days", pending.backup_retention_period().is_some()),
            ("password", pending.master_user_password().is_some()),
        ]
    });
    let mut members = found.db_cluster_members().iter().map(|it| it.db_cluster_parameter_group_status());
    let pending = pending.into_iter().flatten().chain([("parameter_group", members.any(rds::is_applying))]);
    let groups = found.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    let int = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    Some(Seen {
        id: id.to_owned(),
        phase: rds::phase(found.status().unwrap_or_default()),
        tags,
        attributes: map([
            ("name", text(found.db_cluster_identifier())),
            ("engine", text(found.engine())),
            ("version", text(version)),
            ("username", text(found.master_username())),
            ("subnet_group", text(found.db_subnet_group())),
            ("encrypted", found.storage_encrypted().unwrap_or(false).into()),
            ("backup_days", int(days)),
            ("backup_window", text(found.preferred_backup_window())),
            ("maintenance_window", text(found.preferred_maintenance_window())),
            ("deletion_protection", found.deletion_protection().unwrap_or(false).into()),
            ("parameter_group", text(found.db_cluster_parameter_group())),
            ("security_groups", list(groups)),
        ]),
        outputs: map([
            ("id", id.into()),
            ("identifier", text(found.db_cluster_identifier())),
            ("endpoint", text(found.endpoint())),
            ("reader_endpoint", text(found.reader_endpoint())),
            ("port", int(found.port())),
            ("secret", text(found.master_user_secret().and_then(|secret| secret.secret_arn()))),
            (LEFT, final_snapshot(found).into()),
        ]),
        parts: rds::marked_pending(pending).collect(),
    })
}

/// The same for the same cluster, and another one for a later cluster of the same name.
fn final_snapshot(found: &Found) -> String {
    let born = found.cluster_create_time().map_or(0, |time| time.secs());
    rds::final_snapshot(
        found.db_cluster_identifier().unwrap_or_default(),
        &format!("{} {born}", found.db_cluster_resource_id().unwrap_or_default()),
    )
}
