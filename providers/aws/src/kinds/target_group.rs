//! A target group: the members that a load balancer gives requests to, and how it tells the healthy ones.

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as Found, TargetGroupAttribute, TargetTypeEnum,
};
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, elb, fixed, map, may, must, out, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed, unless_gone},
    marks::Tags,
};

pub(super) struct TargetGroup;

/// `settings`: attributes by AWS's names, those that are not asked for left alone.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "target_group",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            fixed("vpc"),
            fixed("protocol"),
            fixed("port").effect("serves nobody until the group's machines are there"),
            must("check_protocol"),
            may("check_path"),
            must("check_port"),
            may("check_matcher"),
            Attribute::new("check_interval_s").required().unit("seconds"),
            Attribute::new("check_timeout_s").required().unit("seconds"),
            must("healthy"),
            must("unhealthy"),
            may("settings"),
            out("label"),
        ],
    )
};

#[async_trait]
impl Works for TargetGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (found, tags) in
            elb::selected(site, select, list(site, select).await?, |one| one.target_group_arn()).await?
        {
            seen.extend(unless_gone(look_at(site, &found, tags).await)?);
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .elb
            .create_target_group()
            .name(job.text("name")?)
            .vpc_id(job.text("vpc")?)
            .protocol(ProtocolEnum::from(job.text("protocol")?))
            .port(job.int("port")?)
            .target_type(TargetTypeEnum::Instance)
            .health_check_enabled(true)
            .health_check_protocol(ProtocolEnum::from(job.text("check_protocol")?))
            .health_check_port(job.text("check_port")?)
            .set_health_check_path(job.maybe("check_path").map(str::to_owned))
            .set_matcher(matcher(job))
            .health_check_interval_seconds(job.int("check_interval_s")?)
            .health_check_timeout_seconds(job.int("check_timeout_s")?)
            .healthy_threshold_count(job.int("healthy")?)
            .unhealthy_threshold_count(job.int("unhealthy")?)
            .set_tags(Some(elb::written(&job.tags())));
        let action = "elasticloadbalancing:CreateTargetGroup";
        let made = call.send().await.map_err(failed(action))?;
        let first = made.target_groups.unwrap_or_default().into_iter().next();
        first.and_then(|made| made.target_group_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        const CHECK: [&str; 8] = [
            "check_protocol",
            "check_path",
            "check_port",
            "check_matcher",
            "check_interval_s",
            "check_timeout_s",
            "healthy",
            "unhealthy",
        ];
        let elb = &job.site.change.elb;
        if CHECK.iter().any(|key| job.differs(key, seen)) {
            let call = elb
                .modify_target_group()
                .target_group_arn(&seen.id)
                .health_check_protocol(ProtocolEnum::from(job.text("check_protocol")?))
                .health_check_port(job.text("check_port")?)
                .set_health_check_path(job.maybe("check_path").map(str::to_owned))
                .set_matcher(matcher(job))
                .health_check_interval_seconds(job.int("check_interval_s")?)
                .health_check_timeout_seconds(job.int("check_timeout_s")?)
                .healthy_threshold_count(job.int("healthy")?)
                .unhealthy_threshold_count(job.int("unhealthy")?);
            call.send().await.map_err(failed("elasticloadbalancing:ModifyTargetGroup"))?;
        }
        if job.differs("settings", seen) {
            let settings = job.find("settings").and_then(Value::as_map).into_iter().flatten();
            let attributes = settings.map(|(key, value)| {
                TargetGroupAttribute::builder().key(key).value(value.to_string()).build()
            });
            let call = elb
                .modify_target_group_attributes()
                .target_group_arn(&seen.id)
                .set_attributes(Some(attributes.collect()));
            call.send().await.map_err(failed("elasticloadbalancing:ModifyTargetGroupAttributes"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.elb.delete_target_group().target_group_arn(id);
        call.send().await.map_err(failed("elasticloadbalancing:DeleteTargetGroup"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        elb::tag(site, id, set, unset).await
    }
}

fn matcher(job: &Job<'_>) -> Option<Matcher> {
    job.maybe("check_matcher").map(|codes| Matcher::builder().http_code(codes).build())
}

/// A few by their ARNs, else every one of the region, page by page.
async fn list(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.elb.describe_target_groups();
    let action = "elasticloadbalancing:DescribeTargetGroups";
    if let Some(ids) = select.ids()
        && ids.len() <= elb::ARNS_MAX
    {
        let few = ids.iter().map(|id| (*id).to_owned()).collect();
        match describe().set_target_group_arns(Some(few)).send().await.map_err(failed(action)) {
            Ok(answer) => return Ok(answer.target_groups.unwrap_or_default()),
            Err(failure) if failure.trouble == Trouble::NotFound && ids.len() == 1 => return Ok(Vec::new()),
            Err(failure) if failure.trouble == Trouble::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
    all.map_err(failed(action))
}

async fn look_at(site: &Site, found: &Found, tags: Tags) -> Result<Seen, Failure> {
    let arn = found.target_group_arn().unwrap_or_default();
    let call = site.look.elb.describe_target_group_attributes().target_group_arn(arn);
    let action = "elasticloadbalancing:DescribeTargetGroupAttributes";
    let described = call.send().await.map_err(failed(action))?;
    let attributes = described.attributes().iter();
    let settings: Map =
        attributes.filter_map(|one| Some((one.key()?.to_owned(), one.value()?.into()))).collect();
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    let label = arn.rsplit(':').next().unwrap_or_default();
    Ok(Seen {
        id: arn.to_owned(),
        phase: Phase::Ready,
        tags,
        attributes: map([
            ("name", text(found.target_group_name())),
            ("vpc", text(found.vpc_id())),
            ("protocol", text(found.protocol().map(ProtocolEnum::as_str))),
            ("port", whole(found.port())),
            ("check_protocol", text(found.health_check_protocol().map(ProtocolEnum::as_str))),
            ("check_path", text(found.health_check_path())),
            ("check_port", text(found.health_check_port())),
            ("check_matcher", text(found.matcher().and_then(Matcher::http_code))),
            ("check_interval_s", whole(found.health_check_interval_seconds())),
            ("check_timeout_s", whole(found.health_check_timeout_seconds())),
            ("healthy", whole(found.healthy_threshold_count())),
            ("unhealthy", whole(found.unhealthy_threshold_count())),
            ("settings", settings.into()),
        ]),
        outputs: map([("id", arn.into()), ("label", label.into())]),
        parts: Parts::new(),
    })
}
