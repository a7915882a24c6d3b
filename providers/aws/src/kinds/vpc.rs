//! A VPC: the network that everything else is in.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName, VpcState};
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, fixed, map, may, out, text};
use crate::{
    clients::Site,
    failure::{Failure, failed, unless_gone},
};

pub(super) struct Vpc;

static KIND: Kind = Kind::new("vpc", &[ID, TAGS, fixed("cidr"), may("dns_hostnames"), out("account")]);

#[async_trait]
impl Works for Vpc {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let call = site.look.ec2.describe_vpcs().set_filters(Some(ec2::filters(select, "vpc-id")));
        let vpcs: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let mut seen = Vec::new();
        for vpc in vpcs.map_err(failed("ec2:DescribeVpcs"))? {
            let id = vpc.vpc_id().unwrap_or_default();
            let names = site
                .look
                .ec2
                .describe_vpc_attribute()
                .vpc_id(id)
                .attribute(VpcAttributeName::EnableDnsHostnames)
                .send()
                .await
                .map_err(failed("ec2:DescribeVpcAttribute"));
            let Some(names) = unless_gone(names)? else { continue };
            let has_names =
                names.enable_dns_hostnames().and_then(AttributeBooleanValue::value).unwrap_or(false);
            seen.push(Seen {
                id: id.to_owned(),
                phase: match vpc.state() {
                    Some(VpcState::Pending) => Phase::Pending("pending".into()),
                    _ => Phase::Ready,
                },
                tags: ec2::tags_of(vpc.tags()),
                attributes: map([("cidr", text(vpc.cidr_block())), ("dns_hostnames", has_names.into())]),
                outputs: map([("id", id.into()), ("account", text(vpc.owner_id()))]),
                parts: Parts::new(),
            });
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_vpc()
            .cidr_block(job.text("cidr")?)
            .tag_specifications(ec2::with_tags(ResourceType::Vpc, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateVpc"))?;
        made.vpc.and_then(|vpc| vpc.vpc_id).ok_or_else(|| Failure::lost("ec2:CreateVpc"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("dns_hostnames", seen) {
            let wanted = AttributeBooleanValue::builder().value(job.is("dns_hostnames")).build();
            let call =
                job.site.change.ec2.modify_vpc_attribute().vpc_id(&seen.id).enable_dns_hostnames(wanted);
            call.send().await.map_err(failed("ec2:ModifyVpcAttribute"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_vpc().vpc_id(id);
        call.send().await.map_err(failed("ec2:DeleteVpc"))?;
        Ok(())
    }
}
