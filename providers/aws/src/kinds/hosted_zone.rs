//! A hosted zone of Route 53: the names of a domain, for anyone who asks.
//!
//! A zone is made without tags. Until they follow, in a call of their own, its comment says whose it is; the caller
//! reference is the token of the create.

use async_trait::async_trait;
use aws_sdk_route53::types::{HostedZone as Found, HostedZoneConfig, TagResourceType};
use futures::future::try_join_all;
use standfast_contract::{Kind, Map};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, list, map, out, route53, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
};

pub(super) struct HostedZone;

static KIND: Kind = Kind {
    // What delegates to it would have to learn other name servers.
    holds_data: true,
    ..Kind::new("hosted_zone", &[ID, TAGS, fixed("name"), out("name_servers")])
};

#[async_trait]
impl Works for HostedZone {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = zones(site, select).await?;
        let seen = found.into_iter().map(|(zone, tags)| async move {
            let id = id_of(&zone).to_owned();
            let call = site.look.route53.get_hosted_zone().id(&id);
            let whole = match call.send().await.map_err(failed("route53:GetHostedZone")) {
                Ok(whole) => whole,
                Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
                Err(failure) => return Err(failure),
            };
            let servers = whole.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
            Ok(Some(Seen {
                attributes: map([("name", text(Some(zone.name().trim_end_matches('.'))))]),
                outputs: map([
                    ("id", id.as_str().into()),
                    ("name_servers", list(servers.iter().map(String::as_str))),
                ]),
                id,
                phase: Phase::Ready,
                tags,
                parts: Parts::new(),
            }))
        });
        Ok(try_join_all(seen).await?.into_iter().flatten().collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let tags = job.tags();
        let call = job
            .site
            .change
            .route53
            .create_hosted_zone()
            .name(job.text("name")?)
            .caller_reference(&job.call.token)
            .hosted_zone_config(HostedZoneConfig::builder().comment(comment(&tags)).build());
        let action = "route53:CreateHostedZone";
        let made = call.send().await.map_err(failed(action))?;
        let id = made
            .hosted_zone
            .as_ref()
            .map(|zone| id_of(zone).to_owned())
            .ok_or_else(|| Failure::lost(action))?;
        // Without them it is ours by its comment, and what every create ends with tags it or says why not.
        let _ = route53::tag(job.site, TagResourceType::Hostedzone, &id, &tags, &[]).await;
        Ok(id)
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.route53.delete_hosted_zone().id(id);
        call.send().await.map_err(failed("route53:DeleteHostedZone"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        route53::tag(site, TagResourceType::Hostedzone, id, set, unset).await
    }
}

/// `Z2FDTNDATAQYW2` of `/hostedzone/Z2FDTNDATAQYW2`.
fn id_of(zone: &Found) -> &str {
    zone.id().rsplit('/').next().unwrap_or_default()
}

/// Those that were asked for, each with its tags.
pub(super) async fn zones(site: &Site, select: Select<'_>) -> Result<Vec<(Found, Tags)>, Failure> {
    let call = site.look.route53.list_hosted_zones();
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut all: Vec<Found> = all.map_err(failed("route53:ListHostedZones"))?;
    if let Some(ids) = select.ids() {
        all.retain(|zone| ids.contains(&id_of(zone)));
    }
    if !select.asks("tags") {
        return Ok(all.into_iter().map(|zone| (zone, Tags::new())).collect());
    }
    let ids: Vec<&str> = all.iter().map(id_of).collect();
    let mut tagged = route53::tags(site, TagResourceType::Hostedzone, &ids).await?;
    let mut found = Vec::new();
    for zone in all {
        let mut tags = tagged.remove(id_of(&zone)).unwrap_or_default();
        // One that a run made and did not come to tag says by its comment whose it is.
        if select.ids().is_none() {
            if !tags.contains_key(marks::ADDRESS) {
                tags.extend(commented(zone.config().and_then(|config| config.comment()).unwrap_or_default()));
            }
            tags.insert(marks::TOKEN.into(), zone.caller_reference().to_owned());
        }
        if select.takes(id_of(&zone), &tags) {
            found.push((zone, tags));
        }
    }
    Ok(found)
}

/// What the registrar of a name must be told, where its zone is in this account: "; the registrar of example.net must name
/// its servers: ns-1.awsdns-01.org, ...".
pub(super) async fn delegation(site: &Site, name: &str) -> Result<String, Failure> {
    let call = site.look.route53.list_hosted_zones();
    let all: Result<Vec<Found>, _> = call.into_paginator().items().send().collect().await;
    let all = all.map_err(failed("route53:ListHostedZones"))?;
    let name = name.strip_prefix("*.").unwrap_or(name);
    let holds = |zone: &&Found| {
        let origin = zone.name().trim_end_matches('.');
        let is_public = zone.config().is_none_or(|config| !config.private_zone());
        is_public && name.strip_suffix(origin).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let Some(zone) = all.iter().filter(holds).max_by_key(|zone| zone.name().len()) else {
        return Ok(String::new());
    };
    let call = site.look.route53.get_hosted_zone().id(id_of(zone));
    let whole = call.send().await.map_err(failed("route53:GetHostedZone"))?;
    let servers = whole.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
    let origin = zone.name().trim_end_matches('.');
    Ok(format!("; the registrar of {origin} must name its servers: {}", servers.join(", ")))
}

/// The marks that say whose it is, in one line.
fn comment(tags: &Tags) -> String {
    let mark = |key: &str| tags.get(key).map_or("", String::as_str);
    format!("{} {} {}", mark(marks::STACK), mark(marks::ENVIRONMENT), mark(marks::ADDRESS))
}

fn commented(comment: &str) -> Tags {
    match comment.split(' ').collect::<Vec<_>>()[..] {
        [stack, environment, address] if address.contains('/') => [
            (marks::STACK.to_owned(), stack.to_owned()),
            (marks::ENVIRONMENT.to_owned(), environment.to_owned()),
            (marks::ADDRESS.to_owned(), address.to_owned()),
        ]
        .into(),
        _ => Tags::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{site, stack};

    const ZONES: &str = "<ListHostedZonesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HostedZones><HostedZone>\
         <Id>/hostedzone/Z1</Id><Name>example.net.</Name><CallerReference>token</CallerReference>\
         <Config><Comment>shop default refuge/dns.names/hosted_zone.main</Comment></Config></HostedZone></HostedZones>\
         <IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>";
    const UNTAGGED: &str = "<ListTagsForResourcesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceTagSets>\
         <ResourceTagSet><ResourceType>hostedzone</ResourceType><ResourceId>Z1</ResourceId><Tags/></ResourceTagSet>\
         </ResourceTagSets></ListTagsForResourcesResponse>";

    #[tokio::test]
    async fn a_zone_whose_tags_did_not_follow_is_known_by_its_comment_and_reference() {
        let stack = stack();
        for (select, count) in [
            (Select::Stack(&stack), 1),
            (Select::Token(&stack, "token"), 1),
            (Select::Token(&stack, "other"), 0),
        ] {
            let (site, _) = site(&[(200, ZONES), (200, UNTAGGED)]);
            let found = zones(&site, select).await.unwrap();
            assert_eq!(found.len(), count);
        }
        let (site, _) = site(&[(200, ZONES), (200, UNTAGGED)]);
        let found = zones(&site, Select::Stack(&stack)).await.unwrap();
        assert_eq!(marks::address(&found[0].1).unwrap().to_string(), "refuge/dns.names/hosted_zone.main");
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        for (status, code, trouble) in [
            (400, "Throttling", Trouble::Throttled),
            (403, "AccessDenied", Trouble::Denied),
            (400, "HostedZoneNotEmpty", Trouble::Refused),
            (404, "NoSuchHostedZone", Trouble::NotFound),
        ] {
            let answer = format!(
                "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
            );
            let (site, _) = site(&[(status, &answer)]);
            let failure = HostedZone.remove(&site, "Z1", &Map::new()).await.unwrap_err();
            assert_eq!((failure.trouble, failure.action), (trouble, "route53:DeleteHostedZone"), "{code}");
        }
    }
}
