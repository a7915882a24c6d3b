//! A NAT gateway: how private subnets reach the world, billed by the hour.

use async_trait::async_trait;
use aws_sdk_ec2::types::{NatGateway as Found, NatGatewayState, ResourceType};
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Told, Works, ec2, fixed, map, out, text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
};

pub(super) struct NatGateway;

static KIND: Kind =
    Kind::new("nat_gateway", &[ID, TAGS, fixed("subnet"), fixed("elastic_ip"), out("address")]);

#[async_trait]
impl Works for NatGateway {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        Ok(self.look_around(site, select).await?.0)
    }

    async fn look_around(&self, site: &Site, select: Select<'_>) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
        let call =
            site.look.ec2.describe_nat_gateways().set_filter(Some(ec2::filters(select, "nat-gateway-id")));
        let gateways: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let gateways = gateways.map_err(failed("ec2:DescribeNatGateways"))?;
        let seen = gateways.iter().map(|gateway| {
            let held = gateway.nat_gateway_addresses().first();
            Seen {
                id: gateway.nat_gateway_id().unwrap_or_default().to_owned(),
                phase: match gateway.state() {
                    Some(NatGatewayState::Pending) => Phase::Pending("pending".into()),
                    Some(NatGatewayState::Deleting) => Phase::Pending("deleting".into()),
                    // Listed for an hour or so after its end.
                    Some(NatGatewayState::Deleted) => Phase::Gone,
                    Some(NatGatewayState::Failed) => {
                        Phase::Failed(gateway.failure_message().unwrap_or("AWS gives no reason").to_owned())
                    }
                    _ => Phase::Ready,
                },
                tags: ec2::tags_of(gateway.tags()),
                attributes: map([
                    ("subnet", text(gateway.subnet_id())),
                    ("elastic_ip", text(held.and_then(|held| held.allocation_id()))),
                ]),
                outputs: map([
                    ("id", text(gateway.nat_gateway_id())),
                    ("address", text(held.and_then(|held| held.public_ip()))),
                ]),
                parts: Parts::new(),
            }
        });
        let is_in_use = |gateway: &&Found| gateway.state() == Some(&NatGatewayState::Available);
        let addresses = gateways.iter().filter(is_in_use).flat_map(|gateway| gateway.nat_gateway_addresses());
        let told = addresses.filter_map(|held| {
            Some(Told {
                kind: "elastic_ip",
                id: held.allocation_id()?.to_owned(),
                attributes: map([("address", text(held.public_ip()))]),
            })
        });
        Ok((seen.collect(), told.collect()))
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_nat_gateway()
            .client_token(&job.call.token)
            .subnet_id(job.text("subnet")?)
            .allocation_id(job.text("elastic_ip")?)
            .tag_specifications(ec2::with_tags(ResourceType::Natgateway, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateNatGateway"))?;
        made.nat_gateway
            .and_then(|gateway| gateway.nat_gateway_id)
            .ok_or_else(|| Failure::lost("ec2:CreateNatGateway"))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_nat_gateway().nat_gateway_id(id);
        call.send().await.map_err(failed("ec2:DeleteNatGateway"))?;
        Ok(())
    }
}
