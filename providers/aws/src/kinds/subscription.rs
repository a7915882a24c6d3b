//! A subscription of SNS: who is told by a topic, by e-mail or by a webhook.
//!
//! Until the receiver has confirmed it, it is pending. That is no drift and nothing to wait for: `status` tells it. After
//! two days SNS takes an unconfirmed one away, and the next plan makes it anew, which asks the receiver once more.
//!
//! Subscriptions have no tags. Whose one is follows from its topic, which is ours alone: a topic has one receiver.

use async_trait::async_trait;
use futures::future::try_join_all;
use standfast_contract::{Address, Attribute, Kind, Map};

use super::{
    ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, db_instance::plain, fixed, map, text, topic,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
};

pub(super) struct Subscription;

/// `email` or `url`. The latter is a secret, so that what there is cannot be compared with it: after the state was lost,
/// it is subscribed anew.
static KIND: Kind = Kind::new(
    "subscription",
    &[
        ID,
        UNSEEN_TAGS,
        fixed("topic"),
        fixed("protocol"),
        Attribute::new("email").replaces(),
        Attribute::new("url").replaces().sensitive().unobserved(),
    ],
);

/// What SNS lists in the place of the ARN of one that is not confirmed.
const PENDING: &str = "PendingConfirmation";
/// The same, of one that has been taken away and is listed for a while.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html>
const DELETED: &str = "Deleted";

#[async_trait]
impl Works for Subscription {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        match select {
            Select::Ids(ids) | Select::Bare(ids, _) => {
                let asked = ids.iter().map(|id| subscribed(site, id));
                Ok(try_join_all(asked).await?.into_iter().flatten().map(seen_as).collect())
            }
            Select::Stack(_) => {
                let topics = topic::topics(site, select).await?;
                let asked = topics.iter().map(|(arn, tags)| of_topic(site, arn, tags));
                Ok(try_join_all(asked).await?.into_iter().flatten().collect())
            }
            // SNS makes no second one.
            Select::Token(..) => Ok(Vec::new()),
        }
    }

    /// Made again it is the same one; the receiver may be asked once more.
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let endpoint = match job.maybe("email") {
            Some(email) => Some(email),
            None => plain(&job.call.inputs, "url")?,
        };
        let call = job
            .site
            .change
            .sns
            .subscribe()
            .topic_arn(job.text("topic")?)
            .protocol(job.text("protocol")?)
            .set_endpoint(endpoint.map(str::to_owned))
            .return_subscription_arn(true);
        let action = "sns:Subscribe";
        let made = call.send().await.map_err(failed(action)).map_err(|failure| veiled(failure, endpoint))?;
        (job.context.progress)("the receiver has to confirm it: SNS has just asked");
        made.subscription_arn.ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.sns.unsubscribe().subscription_arn(id);
        match call.send().await.map_err(failed("sns:Unsubscribe")) {
            // It goes with its topic, or by itself after two days, and tells nobody until then.
            Err(failure) if failure.message.contains("pending confirmation") => {
                Err(Failure { trouble: Trouble::NotFound, ..failure })
            }
            other => other.map(drop),
        }
    }

    /// It has none of its own.
    async fn tag(&self, _: &Site, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

/// What SNS says of a refused address may repeat it.
fn veiled(failure: Failure, endpoint: Option<&str>) -> Failure {
    let message = match endpoint.filter(|endpoint| endpoint.contains("://")) {
        Some(url) => failure.message.replace(url, "(sensitive)"),
        None => failure.message.clone(),
    };
    Failure { message, ..failure }
}

/// One by its ARN.
pub(crate) struct Subscribed {
    arn: String,
    topic: String,
    protocol: String,
    /// A secret where it is a URL.
    endpoint: String,
    pub is_confirmed: bool,
}

impl Subscribed {
    /// Who it is, as far as that may be told.
    pub fn receiver(&self) -> &str {
        if self.protocol == "email" { &self.endpoint } else { "the webhook" }
    }
}

pub(crate) async fn subscribed(site: &Site, arn: &str) -> Result<Option<Subscribed>, Failure> {
    let call = site.look.sns.get_subscription_attributes().subscription_arn(arn);
    let answer = match call.send().await.map_err(failed("sns:GetSubscriptionAttributes")) {
        Ok(answer) => answer,
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let attributes = answer.attributes.unwrap_or_default();
    let of = |key: &str| attributes.get(key).cloned().unwrap_or_default();
    Ok(Some(Subscribed {
        arn: arn.to_owned(),
        topic: of("TopicArn"),
        protocol: of("Protocol"),
        endpoint: of("Endpoint"),
        is_confirmed: of("PendingConfirmation") != "true",
    }))
}

fn seen_as(found: Subscribed) -> Seen {
    let email = (found.protocol == "email").then_some(found.endpoint.as_str());
    Seen {
        phase: Phase::Ready,
        tags: Tags::new(),
        attributes: map([
            ("topic", found.topic.as_str().into()),
            ("protocol", found.protocol.as_str().into()),
            ("email", text(email)),
        ]),
        outputs: map([("id", found.arn.as_str().into())]),
        id: found.arn,
        parts: Parts::new(),
    }
}

/// With marks as its topic has them. One that is pending has no ARN here: it is made again, which is the same one.
async fn of_topic(site: &Site, topic: &str, tags: &Tags) -> Result<Option<Seen>, Failure> {
    let call = site.look.sns.list_subscriptions_by_topic().topic_arn(topic);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let all = match all.map_err(failed("sns:ListSubscriptionsByTopic")) {
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
        all => all?,
    };
    let found = all
        .into_iter()
        .find(|one| one.subscription_arn().is_some_and(|arn| arn != PENDING && arn != DELETED));
    let Some(found) = found else { return Ok(None) };
    let mut seen = seen_as(Subscribed {
        arn: found.subscription_arn.unwrap_or_default(),
        topic: topic.to_owned(),
        protocol: found.protocol.unwrap_or_default(),
        endpoint: found.endpoint.unwrap_or_default(),
        is_confirmed: true,
    });
    seen.tags = tags.clone();
    seen.tags.remove(marks::TOKEN);
    if let Some(of) = marks::address(tags)
        && let Ok(component) = of.component().parse()
    {
        let address = Address::new(of.region(), &component, KIND.name, of.name());
        seen.tags.insert(marks::ADDRESS.into(), address.to_string());
    }
    Ok(Some(seen))
}

#[cfg(test)]
mod tests;
