//! A load balancer: ALB for layer 7, NLB for layer 4.

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as Found, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerStateEnum,
    LoadBalancerTypeEnum, SubnetMapping,
};
use standfast_contract::{Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, elb, fixed, list, map, may, must, out, text};
use crate::{
    clients::Site,
    failure::{Failure, failed, unless_gone},
    marks::Tags,
};

pub(super) struct LoadBalancer;

/// `elastic_ips`: of an NLB, one for each of `subnets` in their order. `settings`: attributes by AWS's names,
/// those that are not asked for left alone.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "load_balancer",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("type"),
            fixed("scheme"),
            fixed("vpc"),
            must("subnets"),
            may("elastic_ips").unobserved(),
            may("security_groups"),
            may("settings"),
            out("dns_name"),
            out("zone_id"),
            out("label"),
        ],
    )
};

#[async_trait]
impl Works for LoadBalancer {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let all = elb::load_balancers(site, select).await?;
        let mut seen = Vec::new();
        for (found, tags) in elb::selected(site, select, all, |one| one.load_balancer_arn()).await? {
            seen.extend(unless_gone(look_at(site, &found, tags).await)?);
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let groups: Vec<String> = job.texts("security_groups").into_iter().map(str::to_owned).collect();
        let call = job
            .site
            .change
            .elb
            .create_load_balancer()
            .name(job.text("name")?)
            .r#type(LoadBalancerTypeEnum::from(job.text("type")?))
            .scheme(LoadBalancerSchemeEnum::from(job.text("scheme")?))
            .set_subnet_mappings(Some(mappings(job)))
            .set_security_groups(Some(groups).filter(|groups| !groups.is_empty()))
            .set_tags(Some(elb::written(&job.tags())));
        let action = "elasticloadbalancing:CreateLoadBalancer";
        let made = call.send().await.map_err(failed(action))?;
        let first = made.load_balancers.unwrap_or_default().into_iter().next();
        first.and_then(|made| made.load_balancer_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let elb = &job.site.change.elb;
        if job.differs("settings", seen) {
            let settings = job.find("settings").and_then(Value::as_map).into_iter().flatten();
            let attributes = settings.map(|(key, value)| {
                LoadBalancerAttribute::builder().key(key).value(value.to_string()).build()
            });
            let call = elb
                .modify_load_balancer_attributes()
                .load_balancer_arn(&seen.id)
                .set_attributes(Some(attributes.collect()));
            call.send().await.map_err(failed("elasticloadbalancing:ModifyLoadBalancerAttributes"))?;
        }
        if job.differs("security_groups", seen) {
            let groups = job.texts("security_groups").into_iter().map(str::to_owned).collect();
            let call =
                elb.set_security_groups().load_balancer_arn(&seen.id).set_security_groups(Some(groups));
            call.send().await.map_err(failed("elasticloadbalancing:SetSecurityGroups"))?;
        }
        if job.differs("subnets", seen) {
            let call = elb.set_subnets().load_balancer_arn(&seen.id).set_subnet_mappings(Some(mappings(job)));
            call.send().await.map_err(failed("elasticloadbalancing:SetSubnets"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.elb.delete_load_balancer().load_balancer_arn(id);
        call.send().await.map_err(failed("elasticloadbalancing:DeleteLoadBalancer"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        elb::tag(site, id, set, unset).await
    }
}

fn mappings(job: &Job<'_>) -> Vec<SubnetMapping> {
    let texts = |key: &str| {
        let list = job.find(key).and_then(Value::as_list).unwrap_or_default();
        list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let addresses = texts("elastic_ips").into_iter().chain(std::iter::repeat(None));
    let each = texts("subnets").into_iter().zip(addresses);
    each.map(|(subnet, address)| {
        SubnetMapping::builder().set_subnet_id(subnet).set_allocation_id(address).build()
    })
    .collect()
}

async fn look_at(site: &Site, found: &Found, tags: Tags) -> Result<Seen, Failure> {
    let arn = found.load_balancer_arn().unwrap_or_default();
    let call = site.look.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
    let action = "elasticloadbalancing:DescribeLoadBalancerAttributes";
    let described = call.send().await.map_err(failed(action))?;
    let attributes = described.attributes().iter();
    let settings: Map =
        attributes.filter_map(|one| Some((one.key()?.to_owned(), one.value()?.into()))).collect();
    let subnets = found.availability_zones().iter().filter_map(|zone| zone.subnet_id());
    let state = found.state();
    let reason = || state.and_then(|state| state.reason()).unwrap_or("AWS gives no reason").to_owned();
    let label = arn.split_once(":loadbalancer/").map_or("", |(_, label)| label);
    Ok(Seen {
        id: arn.to_owned(),
        phase: match state.and_then(|state| state.code()) {
            Some(LoadBalancerStateEnum::Provisioning) => Phase::Pending("provisioning".into()),
            Some(LoadBalancerStateEnum::Failed) => Phase::Failed(reason()),
            _ => Phase::Ready,
        },
        tags,
        attributes: map([
            ("name", text(found.load_balancer_name())),
            ("type", text(found.r#type().map(LoadBalancerTypeEnum::as_str))),
            ("scheme", text(found.scheme().map(LoadBalancerSchemeEnum::as_str))),
            ("vpc", text(found.vpc_id())),
            ("subnets", list(subnets)),
            ("security_groups", list(found.security_groups().iter().map(String::as_str))),
            ("settings", settings.into()),
        ]),
        outputs: map([
            ("id", arn.into()),
            ("dns_name", text(found.dns_name())),
            ("zone_id", text(found.canonical_hosted_zone_id())),
            ("label", label.into()),
        ]),
        parts: Parts::new(),
    })
}
