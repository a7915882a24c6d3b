//! A DB subnet group: the subnets in which RDS may put a database and its standby.

use async_trait::async_trait;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, list, map, must, out, rds, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

pub(super) struct DbSubnetGroup;

static KIND: Kind = Kind::new(
    "db_subnet_group",
    &[ID, TAGS, fixed("name").kept().unique(), fixed("vpc"), must("subnets"), out("identifier")],
);

#[async_trait]
impl Works for DbSubnetGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let describe = || site.look.rds.describe_db_subnet_groups();
        let action = "rds:DescribeDBSubnetGroups";
        let all = if let Some([id]) = select.ids() {
            let call = describe().db_subnet_group_name(rds::name_of(id));
            match call.send().await.map_err(failed(action)) {
                Ok(answer) => answer.db_subnet_groups.unwrap_or_default(),
                Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
                Err(failure) => return Err(failure),
            }
        } else {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed(action))?
        };
        let all = rds::with_tags(site, select, all, |one| one.db_subnet_group_arn()).await?;
        let seen = all.into_iter().map(|(group, tags)| Seen {
            id: group.db_subnet_group_arn().unwrap_or_default().to_owned(),
            phase: Phase::Ready,
            tags,
            attributes: map([
                ("name", text(group.db_subnet_group_name())),
                ("vpc", text(group.vpc_id())),
                ("subnets", list(group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier()))),
            ]),
            outputs: map([
                ("id", text(group.db_subnet_group_arn())),
                ("identifier", text(group.db_subnet_group_name())),
            ]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    fn told_by(&self) -> Option<&'static str> {
        Some("db_instance")
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .rds
            .create_db_subnet_group()
            .db_subnet_group_name(job.text("name")?)
            .db_subnet_group_description(job.call.address.component())
            .set_subnet_ids(Some(job.texts("subnets").into_iter().map(str::to_owned).collect()))
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBSubnetGroup";
        let made = call.send().await.map_err(failed(action))?;
        made.db_subnet_group.and_then(|group| group.db_subnet_group_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("subnets", seen) {
            let call = job
                .site
                .change
                .rds
                .modify_db_subnet_group()
                .db_subnet_group_name(rds::name_of(&seen.id))
                .set_subnet_ids(Some(job.texts("subnets").into_iter().map(str::to_owned).collect()));
            call.send().await.map_err(failed("rds:ModifyDBSubnetGroup"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.rds.delete_db_subnet_group().db_subnet_group_name(rds::name_of(id));
        call.send().await.map_err(failed("rds:DeleteDBSubnetGroup"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}
