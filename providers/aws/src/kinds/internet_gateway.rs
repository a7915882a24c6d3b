//! An internet gateway, attached to its VPC: the way in and out of public subnets.

use async_trait::async_trait;
use aws_sdk_ec2::types::ResourceType;
use standfast_contract::{Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, fixed, map, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) struct InternetGateway;

static KIND: Kind = Kind::new("internet_gateway", &[ID, TAGS, fixed("vpc")]);

#[async_trait]
impl Works for InternetGateway {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let filters = ec2::filters(select, "internet-gateway-id");
        let call = site.look.ec2.describe_internet_gateways().set_filters(Some(filters));
        let gateways: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let gateways = gateways.map_err(failed("ec2:DescribeInternetGateways"))?;
        let seen = gateways.iter().map(|gateway| Seen {
            id: gateway.internet_gateway_id().unwrap_or_default().to_owned(),
            phase: Phase::Ready,
            tags: ec2::tags_of(gateway.tags()),
            attributes: map([("vpc", text(gateway.attachments().first().and_then(|one| one.vpc_id())))]),
            outputs: map([("id", text(gateway.internet_gateway_id()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    /// A route to one that is not attached is a black hole.
    fn told_by(&self) -> Option<&'static str> {
        Some("route_table")
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let tags = ec2::with_tags(ResourceType::InternetGateway, &job.tags());
        let call = job.site.change.ec2.create_internet_gateway().tag_specifications(tags);
        let made = call.send().await.map_err(failed("ec2:CreateInternetGateway"))?;
        made.internet_gateway
            .and_then(|gateway| gateway.internet_gateway_id)
            .ok_or_else(|| Failure::lost("ec2:CreateInternetGateway"))
    }

    /// Attached once. What is in the old VPC keeps it there as long as it has addresses of its own.
    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if !job.differs("vpc", seen) {
            return Ok(());
        }
        let ec2 = &job.site.change.ec2;
        let call = ec2.attach_internet_gateway().internet_gateway_id(&seen.id).vpc_id(job.text("vpc")?);
        call.send().await.map_err(failed("ec2:AttachInternetGateway"))?;
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, recorded: &Map) -> Result<(), Failure> {
        if let Some(vpc) = recorded.get("vpc").and_then(Value::as_str) {
            match detach(site, id, vpc).await {
                Err(failure) if failure.trouble == Trouble::NotFound => {}
                other => other?,
            }
        }
        let call = site.change.ec2.delete_internet_gateway().internet_gateway_id(id);
        call.send().await.map_err(failed("ec2:DeleteInternetGateway"))?;
        Ok(())
    }
}

async fn detach(site: &Site, id: &str, vpc: &str) -> Result<(), Failure> {
    let call = site.change.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    call.send().await.map_err(failed("ec2:DetachInternetGateway"))?;
    Ok(())
}
