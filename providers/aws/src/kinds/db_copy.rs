//! A copy of a database in another region: a read replica there, encrypted with a key of its own region.
//!
//! Which zone it is in is RDS's business, and no attribute. As with a replica, one that somebody promoted stays as it is:
//! its source is compared with the blueprint only, and when it is deleted it leaves a snapshot like any other database.
//!
//! RDS signs the call to the source's region by itself, but for the regions of China and GovCloud, between which
//! expansion makes no copies: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html>.

use async_trait::async_trait;
use standfast_contract::{Attribute, Call, Kind, LEFT, Map, Value, Way};

use super::{ID, Job, Seen, Select, TAGS, Works, db_instance, fixed, may, must, out, rds};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct DbCopy;

/// `source` is an ARN; `kms_key` a key of the copy's own region.
static KIND: Kind = Kind {
    leaves: rds::LEAVES,
    ..Kind::new(
        "db_copy",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("source").unobserved(),
            fixed("engine"),
            fixed("subnet_group"),
            fixed("kms_key").unobserved(),
            must("version").one_way(Way::Up).effect("restarts the copy"),
            must("class").effect("restarts the copy"),
            Attribute::new("storage_gib").required().one_way(Way::Up).unit("GiB"),
            must("multi_az"),
            must("public"),
            must("minor_upgrades"),
            must("parameter_group"),
            must("security_groups"),
            may("maintenance_window"),
            out("identifier"),
            out("endpoint"),
            out("port"),
            Attribute::new(LEFT).computed(),
        ],
    )
};

#[async_trait]
impl Works for DbCopy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = rds::instances(site, select).await?;
        Ok(found.iter().filter_map(|found| db_instance::seen_as(&KIND, found)).collect())
    }

    /// A parameter group is taken here from MySQL only; the others get theirs by the update that follows.
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let parameter_group = job.maybe("parameter_group").filter(|_| job.maybe("engine") == Some("mysql"));
        let call = job
            .site
            .change
            .rds
            .create_db_instance_read_replica()
            .db_instance_identifier(job.text("name")?)
            .source_db_instance_identifier(job.text("source")?)
            .kms_key_id(job.text("kms_key")?)
            .db_subnet_group_name(job.text("subnet_group")?)
            .db_instance_class(job.text("class")?)
            .multi_az(job.is("multi_az"))
            .publicly_accessible(job.is("public"))
            .deletion_protection(false)
            .auto_minor_version_upgrade(job.is("minor_upgrades"))
            .copy_tags_to_snapshot(true)
            .set_db_parameter_group_name(parameter_group.map(str::to_owned))
            .set_vpc_security_group_ids(Some(db_instance::owned(job, "security_groups")))
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBInstanceReadReplica";
        let made = call.send().await.map_err(failed(action))?;
        made.db_instance.and_then(|made| made.db_instance_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        db_instance::fit(self, job, seen).await
    }

    fn unfinished(&self, job: &Job<'_>, before: &Seen, after: &Seen) -> Option<String> {
        rds::unfinished(job, before, after, &db_instance::CHANGING)
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        db_instance::remove(site, id).await
    }

    /// Within a line the source's change brings it first; to another line RDS takes none along that is in another region.
    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        let text = |map: &Map, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let (from, to) = (text(&call.prior, "version"), text(&call.inputs, "version"));
        let engine = text(&call.inputs, "engine").unwrap_or_default();
        match from.zip(to).filter(|_| call.changed.iter().any(|key| key == "version")) {
            Some((from, to)) if rds::is_of_other_line(&engine, &from, &to) => {
                Err(db_instance::left_behind(call.id.as_deref().unwrap_or_default(), &to))
            }
            _ => Ok(()),
        }
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}
