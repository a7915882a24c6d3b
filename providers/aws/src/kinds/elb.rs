//! What the kinds of Elastic Load Balancing have in common. Its calls know no filters: what is ours is told by names
//! and tags, and tags are asked for twenty at a time.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, Tag};

use super::Select;
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed, unless_gone},
    marks::Tags,
};

/// ARNs in one call.
pub(super) const ARNS_MAX: usize = 20;

pub(super) fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) async fn tag(site: &Site, arn: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
    let elb = &site.change.elb;
    if !set.is_empty() {
        let call = elb.add_tags().resource_arns(arn).set_tags(Some(written(set)));
        call.send().await.map_err(failed("elasticloadbalancing:AddTags"))?;
    }
    if !unset.is_empty() {
        let call = elb.remove_tags().resource_arns(arn).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(failed("elasticloadbalancing:RemoveTags"))?;
    }
    Ok(())
}

/// The tags of each that is still there. One that somebody has removed since it was listed fails the call for all of its
/// page, and the call does not say which: then each is asked for by itself.
pub(crate) async fn tags_of(site: &Site, arns: &[String]) -> Result<BTreeMap<String, Tags>, Failure> {
    let mut found = BTreeMap::new();
    for page in arns.chunks(ARNS_MAX) {
        match tags_of_page(site, page).await {
            Ok(these) => found.extend(these),
            Err(failure) if failure.trouble == Trouble::NotFound => {
                for arn in page {
                    found.extend(
                        unless_gone(tags_of_page(site, std::slice::from_ref(arn)).await)?
                            .into_iter()
                            .flatten(),
                    );
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

async fn tags_of_page(site: &Site, arns: &[String]) -> Result<Vec<(String, Tags)>, Failure> {
    let call = site.look.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
    let answer = call.send().await.map_err(failed("elasticloadbalancing:DescribeTags"))?;
    let tags = answer.tag_descriptions().iter().map(|described| {
        let tags = described.tags().iter().map(|tag| {
            (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())
        });
        (described.resource_arn().unwrap_or_default().to_owned(), tags.collect())
    });
    Ok(tags.collect())
}

/// Those that were asked for, each with its tags. `arn` names one.
pub(super) async fn selected<T>(
    site: &Site,
    select: Select<'_>,
    mut all: Vec<T>,
    arn: impl Fn(&T) -> Option<&str>,
) -> Result<Vec<(T, Tags)>, Failure> {
    if let Some(ids) = select.ids() {
        all.retain(|one| arn(one).is_some_and(|arn| ids.contains(&arn)));
    }
    if !select.asks("tags") {
        return Ok(all.into_iter().map(|one| (one, Tags::new())).collect());
    }
    let arns: Vec<String> = all.iter().filter_map(|one| arn(one).map(str::to_owned)).collect();
    let mut tags = tags_of(site, &arns).await?;
    let with_tags = all.into_iter().filter_map(|one| {
        let arn = arn(&one)?.to_owned();
        let tags = tags.remove(&arn)?;
        select.takes(&arn, &tags).then_some((one, tags))
    });
    Ok(with_tags.collect())
}

/// A few by their ARNs, else every one of the region, page by page.
pub(crate) async fn load_balancers(site: &Site, select: Select<'_>) -> Result<Vec<LoadBalancer>, Failure> {
    let describe = || site.look.elb.describe_load_balancers();
    let action = "elasticloadbalancing:DescribeLoadBalancers";
    if let Some(ids) = select.ids()
        && ids.len() <= ARNS_MAX
    {
        let few = ids.iter().map(|id| (*id).to_owned()).collect();
        let answer = describe().set_load_balancer_arns(Some(few)).send().await.map_err(failed(action));
        match answer {
            Ok(answer) => return Ok(answer.load_balancers.unwrap_or_default()),
            Err(failure) if failure.trouble == Trouble::NotFound && ids.len() == 1 => return Ok(Vec::new()),
            // One of them is missing, and the call does not say which.
            Err(failure) if failure.trouble == Trouble::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
    all.map_err(failed(action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, site_that};

    /// Of a page, and of one by one.
    #[tokio::test]
    async fn what_somebody_removes_meanwhile_hides_no_others() {
        let (site, recorded) = site_that(|asked| {
            let is_asked = |name: &str| asked.line.contains(name);
            Some(match (is_asked("one"), is_asked("gone")) {
                (_, true) => {
                    Answer::error(400, "LoadBalancerNotFound", "One or more load balancers not found")
                }
                _ => Answer::ok(
                    "<DescribeTagsResponse><DescribeTagsResult><TagDescriptions><member><ResourceArn>one</ResourceArn><Tags>\
                     <member><Key>team</Key><Value>web</Value></member></Tags></member></TagDescriptions></DescribeTagsResult>\
                     </DescribeTagsResponse>",
                ),
            })
        });
        let tags = tags_of(&site, &["gone".into(), "one".into()]).await.unwrap();
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["one"]);
        assert_eq!(tags["one"]["team"], "web");
        assert_eq!(recorded.actions().len(), 3);
    }
}
