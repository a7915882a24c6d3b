//! A subnet: the part of a VPC that is in one zone.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, SubnetState};
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, fixed, map, may, text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
};

pub(super) struct Subnet;

static KIND: Kind =
    Kind::new("subnet", &[ID, TAGS, fixed("vpc"), fixed("zone"), fixed("cidr"), may("public_addresses")]);

#[async_trait]
impl Works for Subnet {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let call = site.look.ec2.describe_subnets().set_filters(Some(ec2::filters(select, "subnet-id")));
        let subnets: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let subnets = subnets.map_err(failed("ec2:DescribeSubnets"))?;
        let seen = subnets.iter().map(|subnet| Seen {
            id: subnet.subnet_id().unwrap_or_default().to_owned(),
            phase: match subnet.state() {
                Some(SubnetState::Pending) => Phase::Pending("pending".into()),
                Some(state @ (SubnetState::Failed | SubnetState::FailedInsufficientCapacity)) => {
                    Phase::Failed(format!("its state is `{state}`"))
                }
                _ => Phase::Ready,
            },
            tags: ec2::tags_of(subnet.tags()),
            attributes: map([
                ("vpc", text(subnet.vpc_id())),
                ("zone", text(subnet.availability_zone())),
                ("cidr", text(subnet.cidr_block())),
                ("public_addresses", subnet.map_public_ip_on_launch().unwrap_or(false).into()),
            ]),
            outputs: map([("id", text(subnet.subnet_id()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_subnet()
            .vpc_id(job.text("vpc")?)
            .availability_zone(job.text("zone")?)
            .cidr_block(job.text("cidr")?)
            .tag_specifications(ec2::with_tags(ResourceType::Subnet, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateSubnet"))?;
        made.subnet.and_then(|subnet| subnet.subnet_id).ok_or_else(|| Failure::lost("ec2:CreateSubnet"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("public_addresses", seen) {
            let wanted = AttributeBooleanValue::builder().value(job.is("public_addresses")).build();
            let ec2 = &job.site.change.ec2;
            let call = ec2.modify_subnet_attribute().subnet_id(&seen.id).map_public_ip_on_launch(wanted);
            call.send().await.map_err(failed("ec2:ModifySubnetAttribute"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_subnet().subnet_id(id);
        call.send().await.map_err(failed("ec2:DeleteSubnet"))?;
        Ok(())
    }
}
