//! An Elastic IP: a public address that stays ours while what holds it comes and goes.

use async_trait::async_trait;
use aws_sdk_ec2::types::{DomainType, ResourceType};
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, map, out, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) struct ElasticIp;

static KIND: Kind = Kind::new("elastic_ip", &[ID, TAGS, out("address")]);

#[async_trait]
impl Works for ElasticIp {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        // Not paged by EC2.
        let call =
            site.look.ec2.describe_addresses().set_filters(Some(ec2::filters(select, "allocation-id")));
        let answer = call.send().await.map_err(failed("ec2:DescribeAddresses"))?;
        let seen = answer.addresses().iter().map(|address| Seen {
            id: address.allocation_id().unwrap_or_default().to_owned(),
            phase: Phase::Ready,
            tags: ec2::tags_of(address.tags()),
            attributes: Map::new(),
            outputs: map([("id", text(address.allocation_id())), ("address", text(address.public_ip()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    fn told_by(&self) -> Option<&'static str> {
        Some("nat_gateway")
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let tags = ec2::with_tags(ResourceType::ElasticIp, &job.tags());
        let call = job.site.change.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        let made = call.send().await.map_err(failed("ec2:AllocateAddress"))?;
        made.allocation_id.ok_or_else(|| Failure::lost("ec2:AllocateAddress"))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.release_address().allocation_id(id);
        let released = call.send().await.map_err(failed("ec2:ReleaseAddress")).map(drop);
        // For as long as the interface that had it lingers EC2 says `AuthFailure`; who may not call it is told otherwise.
        released.map_err(|failure| match failure.trouble {
            Trouble::Denied if failure.message.contains("(AuthFailure)") => {
                Failure { trouble: Trouble::InUse, ..failure }
            }
            _ => failure,
        })
    }
}
