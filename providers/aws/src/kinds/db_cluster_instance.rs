//! A server of an Aurora cluster. All are one kind: which of them writes moves at run time, and is nobody's to decide here.
//!
//! It keeps nothing of its own: what it serves is its cluster's, and deleting one leaves no snapshot.

use async_trait::async_trait;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Seen, Select, TAGS, Works, db_instance, fixed, may, must, out, rds};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct DbClusterInstance;

static KIND: Kind = Kind::new(
    "db_cluster_instance",
    &[
        ID,
        TAGS,
        fixed("name").kept().unique(),
        fixed("cluster"),
        fixed("engine"),
        fixed("zone"),
        must("class").effect("restarts the server"),
        must("public"),
        must("minor_upgrades"),
        may("maintenance_window"),
        out("identifier"),
        out("endpoint"),
        out("port"),
    ],
);

#[async_trait]
impl Works for DbClusterInstance {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = rds::instances(site, select).await?;
        Ok(found.iter().filter_map(|found| db_instance::seen_as(&KIND, found)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .rds
            .create_db_instance()
            .db_instance_identifier(job.text("name")?)
            .db_cluster_identifier(job.text("cluster")?)
            .engine(job.text("engine")?)
            .availability_zone(job.text("zone")?)
            .db_instance_class(job.text("class")?)
            .publicly_accessible(job.is("public"))
            .set_preferred_maintenance_window(job.maybe("maintenance_window").map(str::to_owned))
            .auto_minor_version_upgrade(job.is("minor_upgrades"))
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBInstance";
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
