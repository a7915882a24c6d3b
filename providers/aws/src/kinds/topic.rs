//! A topic of SNS: where alarms are sent to reach one receiver.

use async_trait::async_trait;
use aws_sdk_sns::types::Tag;
use futures::future::try_join_all;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, fixed, map, rds::name_of};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
    names,
};

#[cfg(test)]
mod tests;

pub(super) struct Topic;

static KIND: Kind = Kind::new("topic", &[ID, UNSEEN_TAGS, fixed("name").kept().unique()]);

#[async_trait]
impl Works for Topic {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = topics(site, select).await?;
        let seen = found.into_iter().map(|(arn, tags)| Seen {
            phase: Phase::Ready,
            tags,
            attributes: map([("name", name_of(&arn).into())]),
            outputs: map([("id", arn.as_str().into())]),
            id: arn,
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    /// Made again by the same try it is the same one. With other tags, of which the token is one, SNS refuses it: what
    /// stands there is taken over where it is this resource's, as a run without the state finds it.
    /// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let name = job.text("name")?;
        let call = job.site.change.sns.create_topic().name(name).set_tags(Some(written(&job.tags())?));
        let action = "sns:CreateTopic";
        let made = match call.send().await.map_err(failed(action)) {
            Err(failure) if failure.message.contains("already exists with different tags") => {
                let topics = topics(job.site, Select::Stack(&job.context.stack)).await?;
                let is_it = |(arn, tags): &(String, Tags)| {
                    name_of(arn) == name && marks::address(tags).as_ref() == Some(&job.call.address)
                };
                let ours = topics.into_iter().find(is_it).map(|(arn, _)| arn);
                return ours.ok_or_else(|| {
                    Failure::refused(action, format!("the name `{name}` is taken by a topic of others"))
                });
            }
            made => made?,
        };
        made.topic_arn.ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    /// With its subscriptions, those that nobody has confirmed too.
    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.sns.delete_topic().topic_arn(id);
        call.send().await.map_err(failed("sns:DeleteTopic"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        let sns = &site.change.sns;
        if !set.is_empty() {
            let call = sns.tag_resource().resource_arn(id).set_tags(Some(written(set)?));
            call.send().await.map_err(failed("sns:TagResource"))?;
        }
        if !unset.is_empty() {
            let call = sns.untag_resource().resource_arn(id).set_tag_keys(Some(unset.to_vec()));
            call.send().await.map_err(failed("sns:UntagResource"))?;
        }
        Ok(())
    }
}

fn written(tags: &Tags) -> Result<Vec<Tag>, Failure> {
    let each = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    each.collect::<Result<_, _>>().map_err(|error| Failure::refused("sns:TagResource", error.to_string()))
}

/// Those that were asked for, each with its tags as far as they were: by their ARNs a call each, for a stack has a few,
/// else by the names of the region's.
pub(super) async fn topics(site: &Site, select: Select<'_>) -> Result<Vec<(String, Tags)>, Failure> {
    let arns = match select {
        Select::Ids(ids) | Select::Bare(ids, _) => {
            let there = ids.iter().map(|id| async move {
                let call = site.look.sns.get_topic_attributes().topic_arn(*id);
                match call.send().await.map_err(failed("sns:GetTopicAttributes")) {
                    Ok(_) => Ok(Some((*id).to_owned())),
                    Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
                    Err(failure) => Err(failure),
                }
            });
            try_join_all(there).await?.into_iter().flatten().collect()
        }
        Select::Stack(stack) => {
            let all: Result<Vec<_>, _> =
                site.look.sns.list_topics().into_paginator().items().send().collect().await;
            let all = all.map_err(failed("sns:ListTopics"))?;
            let mut arns: Vec<String> = all.into_iter().filter_map(|topic| topic.topic_arn).collect();
            arns.retain(|arn| name_of(arn).starts_with(&names::beginning(stack)));
            arns
        }
        // A create makes no second one.
        Select::Token(..) => Vec::new(),
    };
    let asked = arns.into_iter().map(|arn| async {
        if !select.asks("tags") {
            return Ok(Some((arn, Tags::new())));
        }
        let call = site.look.sns.list_tags_for_resource().resource_arn(&arn);
        match call.send().await.map_err(failed("sns:ListTagsForResource")) {
            Ok(answer) => {
                let tags = answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
                Ok(Some((arn, tags.collect())))
            }
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let found = try_join_all(asked).await?.into_iter().flatten();
    Ok(found.filter(|(arn, tags)| select.takes(arn, tags)).collect())
}
