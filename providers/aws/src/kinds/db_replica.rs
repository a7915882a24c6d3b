//! A read replica of a database in its region.
//!
//! One that somebody promoted stays as it is: it may be what saved the day. Its source is compared with the blueprint
//! only, and when it is deleted it leaves a snapshot like any other database.

use async_trait::async_trait;
use standfast_contract::{Attribute, Kind, LEFT, Map, Way};

use super::{ID, Job, Seen, Select, TAGS, Works, db_instance, fixed, may, must, out, rds};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::Tags,
};

pub(super) struct DbReplica;

static KIND: Kind = Kind {
    leaves: rds::LEAVES,
    ..Kind::new(
        "db_replica",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("source").unobserved(),
            fixed("zone"),
            must("version").one_way(Way::Up).effect("restarts the replica"),
            must("class").effect("restarts the replica"),
            Attribute::new("storage_gib").required().one_way(Way::Up).unit("GiB"),
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
impl Works for DbReplica {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = rds::instances(site, select).await?;
        Ok(found.iter().filter_map(|found| db_instance::seen_as(&KIND, found)).collect())
    }

    /// Engine, version, storage, encryption, subnets and parameters are the source's.
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .rds
            .create_db_instance_read_replica()
            .db_instance_identifier(job.text("name")?)
            .source_db_instance_identifier(job.text("source")?)
            .availability_zone(job.text("zone")?)
            .db_instance_class(job.text("class")?)
            .publicly_accessible(job.is("public"))
            .multi_az(false)
            .deletion_protection(false)
            .auto_minor_version_upgrade(job.is("minor_upgrades"))
            .copy_tags_to_snapshot(true)
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

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}
