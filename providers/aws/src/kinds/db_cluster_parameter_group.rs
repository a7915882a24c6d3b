//! A DB cluster parameter group: the settings of an engine of Aurora, for one cluster and all of its servers.

use async_trait::async_trait;
use aws_sdk_rds::types::Parameter;
use futures::future::try_join_all;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, map, may, out, parameters, rds, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct DbClusterParameterGroup;

/// `parameters`: every one that is not as the engine has it by itself, as texts.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "db_cluster_parameter_group",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("family"),
            may("parameters").effect("static ones wait for a restart"),
            out("identifier"),
        ],
    )
};

#[async_trait]
impl Works for DbClusterParameterGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let describe = || site.look.rds.describe_db_cluster_parameter_groups();
        let action = "rds:DescribeDBClusterParameterGroups";
        let all = if let Some([id]) = select.ids() {
            let call = describe().db_cluster_parameter_group_name(rds::name_of(id));
            match call.send().await.map_err(failed(action)) {
                Ok(answer) => answer.db_cluster_parameter_groups.unwrap_or_default(),
                Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
                Err(failure) => return Err(failure),
            }
        } else {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed(action))?
        };
        let all = rds::with_tags(site, select, all, |one| one.db_cluster_parameter_group_arn()).await?;
        let seen = all.into_iter().map(|(group, tags)| async move {
            let name = group.db_cluster_parameter_group_name().unwrap_or_default();
            let set = parameters(site, name, Some("user")).await?;
            Ok::<_, Failure>(Seen {
                id: group.db_cluster_parameter_group_arn().unwrap_or_default().to_owned(),
                phase: Phase::Ready,
                tags,
                attributes: map([
                    ("name", name.into()),
                    ("family", text(group.db_parameter_group_family())),
                    ("parameters", parameters::attribute(&set)),
                ]),
                outputs: map([
                    ("id", text(group.db_cluster_parameter_group_arn())),
                    ("identifier", name.into()),
                ]),
                parts: Parts::new(),
            })
        });
        try_join_all(seen).await
    }

    async fn look_closer(&self, site: &Site, seen: &mut Seen, inputs: &Map) -> Result<(), Failure> {
        if parameters::lacks(seen, inputs) {
            let known = parameters(site, rds::name_of(&seen.id), None).await?;
            parameters::complete(seen, inputs, &known);
        }
        Ok(())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .rds
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(job.text("name")?)
            .db_parameter_group_family(job.text("family")?)
            .description(job.call.address.component())
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBClusterParameterGroup";
        let made = call.send().await.map_err(failed(action))?;
        made.db_cluster_parameter_group
            .and_then(|group| group.db_cluster_parameter_group_arn)
            .ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if !job.differs("parameters", seen) {
            return Ok(());
        }
        let name = rds::name_of(&seen.id);
        let changes = parameters::changes(job, seen, &parameters(job.site, name, None).await?);
        let rds = &job.site.change.rds;
        for some in &changes.set {
            let call = rds.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
            let call = call.set_parameters(Some(some.clone()));
            call.send().await.map_err(failed("rds:ModifyDBClusterParameterGroup"))?;
        }
        for some in &changes.reset {
            let call = rds.reset_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
            let call = call.set_parameters(Some(some.clone()));
            call.send().await.map_err(failed("rds:ResetDBClusterParameterGroup"))?;
        }
        changes.tell(job);
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site
            .change
            .rds
            .delete_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(rds::name_of(id));
        call.send().await.map_err(failed("rds:DeleteDBClusterParameterGroup"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

async fn parameters(site: &Site, name: &str, source: Option<&str>) -> Result<Vec<Parameter>, Failure> {
    let call = site.look.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(name);
    let call = call.set_source(source.map(str::to_owned));
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    all.map_err(failed("rds:DescribeDBClusterParameters"))
}
