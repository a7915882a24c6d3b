//! A gateway endpoint of a VPC: the free way to S3 that passes no NAT gateway.

use async_trait::async_trait;
use aws_sdk_ec2::types::{ResourceType, State, VpcEndpointType};
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, fixed, list, map, may, text, texts};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) struct VpcEndpoint;

static KIND: Kind =
    Kind::new("vpc_endpoint", &[ID, TAGS, fixed("vpc"), fixed("service"), may("route_tables")]);

#[async_trait]
impl Works for VpcEndpoint {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let endpoints = list_all(site, select).await?;
        let seen = endpoints.iter().map(|endpoint| Seen {
            id: endpoint.vpc_endpoint_id().unwrap_or_default().to_owned(),
            phase: phase(endpoint.state()),
            tags: ec2::tags_of(endpoint.tags()),
            attributes: map([
                ("vpc", text(endpoint.vpc_id())),
                ("service", text(endpoint.service_name())),
                ("route_tables", list(endpoint.route_table_ids().iter().map(String::as_str))),
            ]),
            outputs: map([("id", text(endpoint.vpc_endpoint_id()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let tables = job.texts("route_tables").into_iter().map(str::to_owned).collect();
        let call = job
            .site
            .change
            .ec2
            .create_vpc_endpoint()
            .client_token(&job.call.token)
            .vpc_endpoint_type(VpcEndpointType::Gateway)
            .vpc_id(job.text("vpc")?)
            .service_name(job.text("service")?)
            .set_route_table_ids(Some(tables))
            .tag_specifications(ec2::with_tags(ResourceType::VpcEndpoint, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateVpcEndpoint"))?;
        made.vpc_endpoint
            .and_then(|endpoint| endpoint.vpc_endpoint_id)
            .ok_or_else(|| Failure::lost("ec2:CreateVpcEndpoint"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let (wanted, have) = (job.texts("route_tables"), texts(&seen.attributes, "route_tables"));
        if wanted == have {
            return Ok(());
        }
        let owned = |one: &str| one.to_owned();
        let added: Vec<String> = wanted.difference(&have).copied().map(owned).collect();
        let removed: Vec<String> = have.difference(&wanted).copied().map(owned).collect();
        let call = job
            .site
            .change
            .ec2
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&seen.id)
            .set_add_route_table_ids(Some(added).filter(|added| !added.is_empty()))
            .set_remove_route_table_ids(Some(removed).filter(|removed| !removed.is_empty()));
        call.send().await.map_err(failed("ec2:ModifyVpcEndpoint"))?;
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id);
        let answer = call.send().await.map_err(failed("ec2:DeleteVpcEndpoints"))?;
        // A batch call: it succeeds even where it did nothing.
        match answer.unsuccessful().first().and_then(|one| one.error()) {
            Some(error) if !error.code().unwrap_or_default().ends_with("NotFound") => {
                let said = error.message().unwrap_or_default();
                Err(Failure::new(Trouble::InUse, "ec2:DeleteVpcEndpoints", said))
            }
            _ => Ok(()),
        }
    }
}

/// By their ids; where one of several is missing, which fails the call, all that there are.
async fn list_all(site: &Site, select: Select<'_>) -> Result<Vec<aws_sdk_ec2::types::VpcEndpoint>, Failure> {
    let describe = || site.look.ec2.describe_vpc_endpoints();
    let ids = ec2::ids(select);
    let is_one = ids.as_ref().is_some_and(|ids| ids.len() == 1);
    let call = describe().set_vpc_endpoint_ids(ids).set_filters(Some(ec2::filters(select, "")));
    let found: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    match found.map_err(failed("ec2:DescribeVpcEndpoints")) {
        Err(failure) if failure.trouble == Trouble::NotFound && is_one => Ok(Vec::new()),
        Err(failure) if failure.trouble == Trouble::NotFound => {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed("ec2:DescribeVpcEndpoints"))
        }
        other => other,
    }
}

/// The reference has these words with capitals; what is answered has none.
fn phase(state: Option<&State>) -> Phase {
    let word = state.map(State::as_str).unwrap_or_default().to_ascii_lowercase();
    match word.as_str() {
        "pending" | "pendingacceptance" | "deleting" => Phase::Pending(word),
        "deleted" => Phase::Gone,
        "failed" | "rejected" | "expired" => Phase::Failed(format!("its state is `{word}`")),
        _ => Phase::Ready,
    }
}
