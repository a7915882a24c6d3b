//! A text that machines fetch when they boot: a SecureString of Parameter Store, encrypted with the account's own key for
//! it. Its value is looked at by nobody: whoever changes it by hand is overruled with the next change of the blueprint.

use async_trait::async_trait;
use aws_sdk_ssm::types::{
    ParameterMetadata, ParameterStringFilter, ParameterType, ResourceTypeForTagging, Tag,
};
use futures::future::try_join_all;
use standfast_contract::{Attribute, Call, Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, map};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{ENVIRONMENT, STACK, TOKEN, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct Parameter;

/// `version` counts the values that it has had: what is made of it knows by that when to fetch it again.
static KIND: Kind = Kind::new(
    "parameter",
    &[
        ID,
        TAGS,
        fixed("name"),
        Attribute::new("value").required().sensitive().unobserved(),
        Attribute::new("version").computed(),
    ],
);

/// Of the standard tier, which costs nothing.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>
const BYTES_MAX: usize = 4096;
/// Names in one filter.
const NAMES_MAX: usize = 50;

#[async_trait]
impl Works for Parameter {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut found = Vec::new();
        for filters in filters(select)? {
            let call = site.look.ssm.describe_parameters().set_parameter_filters(Some(filters));
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                found.extend(page.map_err(failed("ssm:DescribeParameters"))?.parameters.unwrap_or_default());
            }
        }
        let seen = found.iter().map(|one| async move {
            let name = one.name().unwrap_or_default();
            let kind = ResourceTypeForTagging::Parameter;
            let call = site.look.ssm.list_tags_for_resource().resource_type(kind).resource_id(name);
            match call.send().await.map_err(failed("ssm:ListTagsForResource")) {
                Ok(answer) => Ok(Some(seen_as(one, answer.tag_list()))),
                Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
                Err(failure) => Err(failure),
            }
        });
        Ok(try_join_all(seen).await?.into_iter().flatten().collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let name = job.text("name")?;
        let call = job
            .site
            .change
            .ssm
            .put_parameter()
            .name(name)
            .value(value(&job.call.inputs)?.unwrap_or_default())
            .r#type(ParameterType::SecureString)
            .set_tags(Some(written(&job.tags())));
        call.send().await.map_err(failed(PUT))?;
        Ok(name.to_owned())
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if !changes(job) {
            return Ok(());
        }
        let call = job
            .site
            .change
            .ssm
            .put_parameter()
            .name(&seen.id)
            .value(value(&job.call.inputs)?.unwrap_or_default())
            .r#type(ParameterType::SecureString)
            .overwrite(true);
        call.send().await.map_err(failed(PUT))?;
        Ok(())
    }

    fn unfinished(&self, job: &Job<'_>, before: &Seen, after: &Seen) -> Option<String> {
        let is_old = after.outputs["version"] == before.outputs["version"];
        (is_old && changes(job)).then(|| "the value before".to_owned())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ssm.delete_parameter().name(id);
        call.send().await.map_err(failed("ssm:DeleteParameter"))?;
        Ok(())
    }

    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        value(&call.inputs).map(drop)
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        let ssm = &site.change.ssm;
        if !set.is_empty() {
            let call = ssm
                .add_tags_to_resource()
                .resource_type(ResourceTypeForTagging::Parameter)
                .resource_id(id)
                .set_tags(Some(written(set)));
            call.send().await.map_err(failed("ssm:AddTagsToResource"))?;
        }
        if !unset.is_empty() {
            let call = ssm
                .remove_tags_from_resource()
                .resource_type(ResourceTypeForTagging::Parameter)
                .resource_id(id)
                .set_tag_keys(Some(unset.to_vec()));
            call.send().await.map_err(failed("ssm:RemoveTagsFromResource"))?;
        }
        Ok(())
    }
}

/// Whether another value is wanted than was. In a create it has just been given.
fn changes(job: &Job<'_>) -> bool {
    !job.call.prior.is_empty() && job.call.prior.get("value") != job.call.inputs.get("value")
}

const PUT: &str = "ssm:PutParameter";

/// One line that Parameter Store takes; `None` where it is known only later.
fn value(inputs: &Map) -> Result<Option<String>, Failure> {
    let given = match inputs.get("value") {
        None | Some(Value::Null | Value::Unknown) => return Ok(None),
        Some(Value::Int(int)) => int.to_string(),
        Some(Value::Float(float)) => float.to_string(),
        Some(Value::Bool(bool)) => bool.to_string(),
        Some(value) => {
            let known = value.expose().map(str::to_owned);
            known.ok_or_else(|| Failure::refused("", "the value is not known to this run"))?
        }
    };
    let wrong = if given.is_empty() {
        "is empty"
    } else if given.contains(['\n', '\r']) {
        "has several lines, and an environment variable one"
    } else if given.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")) {
        "holds `{{...}}`, which Parameter Store takes for the name of another parameter"
    } else if given.len() > BYTES_MAX {
        "is longer than the 4 KiB that Parameter Store takes"
    } else {
        return Ok(Some(given));
    };
    Err(Failure::refused(PUT, format!("the value {wrong}")))
}

/// Of each call.
fn filters(select: Select<'_>) -> Result<Vec<Vec<ParameterStringFilter>>, Failure> {
    let filter = |key: &str, values: Vec<String>| {
        let built =
            ParameterStringFilter::builder().key(key).option("Equals").set_values(Some(values)).build();
        built.map_err(|error| Failure::refused("ssm:DescribeParameters", error.to_string()))
    };
    let tag = |key: &str, value: &str| filter(&format!("tag:{key}"), vec![value.to_owned()]);
    Ok(match select {
        Select::Ids(ids) | Select::Bare(ids, _) => {
            let pages = ids.chunks(NAMES_MAX);
            let of_page =
                |page: &[&str]| Ok(vec![filter("Name", page.iter().map(|id| (*id).to_owned()).collect())?]);
            pages.map(of_page).collect::<Result<_, Failure>>()?
        }
        Select::Stack(stack) => vec![vec![tag(STACK, &stack.name)?, tag(ENVIRONMENT, &stack.environment)?]],
        Select::Token(stack, token) => {
            vec![vec![tag(STACK, &stack.name)?, tag(ENVIRONMENT, &stack.environment)?, tag(TOKEN, token)?]]
        }
    })
}

/// SSM's builder asks for both parts of a tag.
fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn seen_as(found: &ParameterMetadata, tags: &[Tag]) -> Seen {
    let id = found.name().unwrap_or_default().to_owned();
    Seen {
        phase: Phase::Ready,
        tags: tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        attributes: map([("name", id.as_str().into())]),
        outputs: map([("id", id.as_str().into()), ("version", Value::Text(found.version().to_string()))]),
        parts: Parts::new(),
        id,
    }
}
