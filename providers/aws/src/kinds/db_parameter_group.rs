//! A DB parameter group: the settings of an engine, for one database.

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

pub(super) struct DbParameterGroup;

/// `parameters`: every one that is not as the engine has it by itself, as texts.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "db_parameter_group",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("family").unobserved(),
            may("parameters").effect("static ones wait for a restart"),
            out("identifier"),
        ],
    )
};

#[async_trait]
impl Works for DbParameterGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        if let Select::Bare(ids, wanted) = select
            && !wanted.contains("tags")
        {
            // What is set tells whether there is one, and the rest does not change.
            let each = ids.iter().map(|id| async { told(site, id).await });
            return Ok(try_join_all(each).await?.into_iter().flatten().collect());
        }
        let describe = || site.look.rds.describe_db_parameter_groups();
        let action = "rds:DescribeDBParameterGroups";
        let all = if let Some([id]) = select.ids() {
            let call = describe().db_parameter_group_name(rds::name_of(id));
            match call.send().await.map_err(failed(action)) {
                Ok(answer) => answer.db_parameter_groups.unwrap_or_default(),
                Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
                Err(failure) => return Err(failure),
            }
        } else {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed(action))?
        };
        let all = rds::with_tags(site, select, all, |one| one.db_parameter_group_arn()).await?;
        let seen = all.into_iter().map(|(group, tags)| async move {
            let arn = group.db_parameter_group_arn().unwrap_or_default();
            let mut seen = told(site, arn).await?;
            if let Some(seen) = &mut seen {
                seen.attributes.insert("family".into(), text(group.db_parameter_group_family()));
                seen.tags = tags;
            }
            Ok::<_, Failure>(seen)
        });
        Ok(try_join_all(seen).await?.into_iter().flatten().collect())
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
            .create_db_parameter_group()
            .db_parameter_group_name(job.text("name")?)
            .db_parameter_group_family(job.text("family")?)
            .description(job.call.address.component())
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:CreateDBParameterGroup";
        let made = call.send().await.map_err(failed(action))?;
        made.db_parameter_group
            .and_then(|group| group.db_parameter_group_arn)
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
            let call = rds.modify_db_parameter_group().db_parameter_group_name(name);
            let call = call.set_parameters(Some(some.clone()));
            call.send().await.map_err(failed("rds:ModifyDBParameterGroup"))?;
        }
        for some in &changes.reset {
            let call = rds.reset_db_parameter_group().db_parameter_group_name(name);
            let call = call.set_parameters(Some(some.clone()));
            call.send().await.map_err(failed("rds:ResetDBParameterGroup"))?;
        }
        changes.tell(job);
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.rds.delete_db_parameter_group().db_parameter_group_name(rds::name_of(id));
        call.send().await.map_err(failed("rds:DeleteDBParameterGroup"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

/// One by its ARN, without its tags and its family.
async fn told(site: &Site, arn: &str) -> Result<Option<Seen>, Failure> {
    let name = rds::name_of(arn);
    let set = match parameters(site, name, Some("user")).await {
        Ok(set) => set,
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    Ok(Some(Seen {
        id: arn.to_owned(),
        phase: Phase::Ready,
        tags: Tags::new(),
        attributes: map([("name", name.into()), ("parameters", parameters::attribute(&set))]),
        outputs: map([("id", arn.into()), ("identifier", name.into())]),
        parts: Parts::new(),
    }))
}

async fn parameters(site: &Site, name: &str, source: Option<&str>) -> Result<Vec<Parameter>, Failure> {
    let call = site.look.rds.describe_db_parameters().db_parameter_group_name(name);
    let call = call.set_source(source.map(str::to_owned));
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    all.map_err(failed("rds:DescribeDBParameters"))
}
