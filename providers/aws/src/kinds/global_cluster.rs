//! A global database of Aurora: what copies a cluster into other regions. It is made of the cluster that is to be copied,
//! so that one can be made of a cluster that has long been there; the copies join it by its name.
//!
//! Which of its members writes is nobody's to decide here: a failover moves it. It is of no region, and keeps nothing:
//! deleting it leaves its members as they are, each for itself.

use async_trait::async_trait;
use aws_sdk_rds::types::GlobalCluster as Found;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Seen, Select, TAGS, Works, fixed, map, out, rds, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct GlobalCluster;

/// `source` is the ARN of the cluster it is made of.
static KIND: Kind = Kind::new(
    "global_cluster",
    &[
        ID,
        TAGS,
        fixed("name").kept().unique(),
        fixed("source").unobserved(),
        out("identifier"),
        out("endpoint"),
    ],
);

#[async_trait]
impl Works for GlobalCluster {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let seen = globals(site, select).await?.into_iter().map(|found| Seen {
            id: found.global_cluster_arn().unwrap_or_default().to_owned(),
            phase: rds::phase(found.status().unwrap_or_default()),
            tags: rds::tags_of(found.tag_list()),
            attributes: map([("name", text(found.global_cluster_identifier()))]),
            outputs: map([
                ("id", text(found.global_cluster_arn())),
                ("identifier", text(found.global_cluster_identifier())),
                ("endpoint", text(found.endpoint())),
            ]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    /// Engine, version and encryption are the cluster's.
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .rds
            .create_global_cluster()
            .global_cluster_identifier(job.text("name")?)
            .source_db_cluster_identifier(job.text("source")?)
            .deletion_protection(false)
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateGlobalCluster";
        let made = call.send().await.map_err(failed(action))?;
        made.global_cluster.and_then(|made| made.global_cluster_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    /// Only an empty one is deleted. The cluster that writes goes last: the others follow it.
    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let found = globals(site, Select::Ids(&[id])).await?;
        let Some(found) = found.first().filter(|found| found.status() != Some("deleting")) else {
            return Ok(());
        };
        let name = rds::name_of(id);
        let mut members: Vec<_> = found.global_cluster_members().iter().collect();
        members.sort_by_key(|member| member.is_writer());
        for member in members {
            detach(site, name, member.db_cluster_arn().unwrap_or_default()).await?;
        }
        let call = site.change.rds.delete_global_cluster().global_cluster_identifier(name);
        call.send().await.map_err(failed("rds:DeleteGlobalCluster"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

async fn globals(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.rds.describe_global_clusters();
    let action = "rds:DescribeGlobalClusters";
    if let Some([id]) = select.ids() {
        let call = describe().global_cluster_identifier(rds::name_of(id));
        return match call.send().await.map_err(failed(action)) {
            Ok(answer) => Ok(answer.global_clusters.unwrap_or_default()),
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(Vec::new()),
            Err(failure) => Err(failure),
        };
    }
    let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
    all.map_err(failed(action))
}

/// The name of the global database that a cluster is a member of.
pub(super) async fn of_member(site: &Site, cluster: &str) -> Result<Option<String>, Failure> {
    let mut all = globals(site, Select::Ids(&[])).await?.into_iter();
    let is_of = |found: &Found| {
        found.global_cluster_members().iter().any(|member| member.db_cluster_arn() == Some(cluster))
    };
    Ok(all.find(is_of).and_then(|found| found.global_cluster_identifier))
}

/// Leaves the cluster by itself. One that is detached already, or gone, is fine.
pub(super) async fn detach(site: &Site, global: &str, cluster: &str) -> Result<(), Failure> {
    let call = site
        .change
        .rds
        .remove_from_global_cluster()
        .global_cluster_identifier(global)
        .db_cluster_identifier(cluster);
    match call.send().await.map_err(failed("rds:RemoveFromGlobalCluster")) {
        Err(failure) if failure.trouble != Trouble::NotFound => Err(failure),
        _ => Ok(()),
    }
}
