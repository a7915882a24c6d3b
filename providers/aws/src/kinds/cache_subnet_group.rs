//! A cache subnet group: the subnets in which ElastiCache may put a session store's servers.

use async_trait::async_trait;
use standfast_contract::{Kind, Map};

use super::{
    ID, Job, Parts, Phase, Seen, Select, TAGS, Works, elasticache, fixed, list, map, must, out, rds::name_of,
    text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

pub(super) struct CacheSubnetGroup;

static KIND: Kind = Kind::new(
    "cache_subnet_group",
    &[ID, TAGS, fixed("name").kept().unique(), fixed("vpc"), must("subnets"), out("identifier")],
);

#[async_trait]
impl Works for CacheSubnetGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let describe = || site.look.elasticache.describe_cache_subnet_groups();
        let action = "elasticache:DescribeCacheSubnetGroups";
        let all = if let Some([id]) = select.ids() {
            let call = describe().cache_subnet_group_name(name_of(id));
            match call.send().await.map_err(failed(action)) {
                Ok(answer) => answer.cache_subnet_groups.unwrap_or_default(),
                Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
                Err(failure) => return Err(failure),
            }
        } else {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed(action))?
        };
        let all = elasticache::with_tags(site, select, all, |one| one.arn()).await?;
        let seen = all.into_iter().map(|(group, tags)| Seen {
            id: group.arn().unwrap_or_default().to_owned(),
            phase: Phase::Ready,
            tags,
            attributes: map([
                ("name", text(group.cache_subnet_group_name())),
                ("vpc", text(group.vpc_id())),
                ("subnets", list(group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier()))),
            ]),
            outputs: map([("id", text(group.arn())), ("identifier", text(group.cache_subnet_group_name()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .elasticache
            .create_cache_subnet_group()
            .cache_subnet_group_name(job.text("name")?)
            .cache_subnet_group_description(job.call.address.component())
            .set_subnet_ids(Some(job.texts("subnets").into_iter().map(str::to_owned).collect()))
            .set_tags(Some(elasticache::written(&job.tags())));
        let action = "elasticache:CreateCacheSubnetGroup";
        let made = call.send().await.map_err(failed(action))?;
        made.cache_subnet_group.and_then(|group| group.arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("subnets", seen) {
            let call = job
                .site
                .change
                .elasticache
                .modify_cache_subnet_group()
                .cache_subnet_group_name(name_of(&seen.id))
                .set_subnet_ids(Some(job.texts("subnets").into_iter().map(str::to_owned).collect()));
            call.send().await.map_err(failed("elasticache:ModifyCacheSubnetGroup"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.elasticache.delete_cache_subnet_group().cache_subnet_group_name(name_of(id));
        call.send().await.map_err(failed("elasticache:DeleteCacheSubnetGroup"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        elasticache::tag(site, id, set, unset).await
    }
}
