//! A health check of Route 53, which asks a load balancer from many places of the world whether it answers: what a region
//! says of itself is not to be had when the region is lost.
//!
//! One is made without tags. Until they follow, in a call of their own, its caller reference, which is the token of the
//! create, says which try made it. It is no thing of any region.

use async_trait::async_trait;
use aws_sdk_route53::types::{
    HealthCheck as Found, HealthCheckConfig, HealthCheckType, ResettableElementName, TagResourceType,
};
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, map, may, must, route53, text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::{self, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct HealthCheck;

/// `type` is `HTTP`, `HTTPS` or `TCP`; a `path` goes with the first two.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "health_check",
        &[
            ID,
            TAGS,
            fixed("type"),
            Attribute::new("interval_s").required().replaces().unit("seconds"),
            must("target"),
            must("port"),
            may("path"),
            must("unhealthy"),
        ],
    )
};

#[async_trait]
impl Works for HealthCheck {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let call = site.look.route53.list_health_checks();
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let mut all: Vec<Found> = all.map_err(failed("route53:ListHealthChecks"))?;
        if let Some(ids) = select.ids() {
            all.retain(|found| ids.contains(&found.id()));
        }
        let ids: Vec<&str> = all.iter().map(Found::id).collect();
        let mut tagged = route53::tags(site, TagResourceType::Healthcheck, &ids).await?;
        let seen = all.iter().map(|found| {
            let mut tags = tagged.remove(found.id()).unwrap_or_default();
            if let Select::Token(stack, token) = select
                && found.caller_reference() == token
                && (tags.is_empty() || marks::is_of(&tags, stack))
            {
                tags.extend(marks::of_try(stack, token));
            }
            seen_as(found, tags)
        });
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let tls = job.maybe("type") == Some(HealthCheckType::Https.as_str());
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::from(job.text("type")?))
            .fully_qualified_domain_name(job.text("target")?)
            .port(job.int("port")?)
            .set_resource_path(job.maybe("path").map(str::to_owned))
            .request_interval(job.int("interval_s")?)
            .failure_threshold(job.int("unhealthy")?)
            .set_enable_sni(tls.then_some(true))
            .build()
            .map_err(|error| Failure::refused("", error.to_string()))?;
        let call = job
            .site
            .change
            .route53
            .create_health_check()
            .caller_reference(&job.call.token)
            .health_check_config(config);
        let action = "route53:CreateHealthCheck";
        let made = call.send().await.map_err(failed(action))?;
        let made = made.health_check.ok_or_else(|| Failure::lost(action))?;
        // Without them it is ours by its reference, and what every create ends with tags it or says why not.
        let _ = route53::tag(job.site, TagResourceType::Healthcheck, made.id(), &job.tags(), &[]).await;
        Ok(made.id)
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if !["target", "port", "path", "unhealthy"].into_iter().any(|key| job.differs(key, seen)) {
            return Ok(());
        }
        let path = job.maybe("path");
        let unset = path.is_none().then_some(vec![ResettableElementName::ResourcePath]);
        let call = job
            .site
            .change
            .route53
            .update_health_check()
            .health_check_id(&seen.id)
            .fully_qualified_domain_name(job.text("target")?)
            .port(job.int("port")?)
            .failure_threshold(job.int("unhealthy")?)
            .set_resource_path(path.map(str::to_owned))
            .set_reset_elements(unset);
        call.send().await.map_err(failed("route53:UpdateHealthCheck"))?;
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.route53.delete_health_check().health_check_id(id);
        call.send().await.map_err(failed("route53:DeleteHealthCheck"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        route53::tag(site, TagResourceType::Healthcheck, id, set, unset).await
    }
}

fn seen_as(found: &Found, tags: Tags) -> Seen {
    let config = found.health_check_config();
    let int = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    Seen {
        id: found.id().to_owned(),
        phase: Phase::Ready,
        tags,
        attributes: map([
            ("type", text(config.map(|config| config.r#type().as_str()))),
            ("target", text(config.and_then(HealthCheckConfig::fully_qualified_domain_name))),
            ("port", int(config.and_then(HealthCheckConfig::port))),
            ("path", text(config.and_then(HealthCheckConfig::resource_path))),
            ("interval_s", int(config.and_then(HealthCheckConfig::request_interval))),
            ("unhealthy", int(config.and_then(HealthCheckConfig::failure_threshold))),
        ]),
        outputs: map([("id", found.id().into())]),
        parts: Parts::new(),
    }
}
