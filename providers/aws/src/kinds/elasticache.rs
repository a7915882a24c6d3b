//! What the kinds of ElastiCache have in common: tags, which no list brings with it.

use aws_sdk_elasticache::types::Tag;
use futures::future::try_join_all;

use super::{Select, rds::may_be};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

pub(super) fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) async fn tag(site: &Site, arn: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
    let client = &site.change.elasticache;
    if !set.is_empty() {
        let call = client.add_tags_to_resource().resource_name(arn).set_tags(Some(written(set)));
        call.send().await.map_err(failed("elasticache:AddTagsToResource"))?;
    }
    if !unset.is_empty() {
        let call = client.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(failed("elasticache:RemoveTagsFromResource"))?;
    }
    Ok(())
}

/// Those that were asked for, each with its tags: a call each, but only for those whose name can be the stack's.
/// ElastiCache does not tell the tags of what is being made or deleted: that is taken to be ours where it was asked for
/// by id, and left for the next look otherwise.
pub(super) async fn with_tags<T>(
    site: &Site,
    select: Select<'_>,
    mut all: Vec<T>,
    arn: impl Fn(&T) -> Option<&str>,
) -> Result<Vec<(T, Tags)>, Failure> {
    all.retain(|one| arn(one).is_some_and(|arn| may_be(select, arn)));
    if !select.asks("tags") {
        return Ok(all.into_iter().map(|one| (one, Tags::new())).collect());
    }
    let asked = all.into_iter().map(|one| async {
        match tags(site, arn(&one).unwrap_or_default()).await {
            Ok(tags) => Ok(Some((one, tags))),
            Err(failure) if failure.trouble == Trouble::Busy => Ok(Some((one, Tags::new()))),
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let found = try_join_all(asked).await?.into_iter().flatten();
    Ok(found.filter(|(one, tags)| select.takes(arn(one).unwrap_or_default(), tags)).collect())
}

/// [`Trouble::Busy`] while it is being made.
pub(crate) async fn tags(site: &Site, arn: &str) -> Result<Tags, Failure> {
    let call = site.look.elasticache.list_tags_for_resource().resource_name(arn);
    let answer = call.send().await.map_err(failed("elasticache:ListTagsForResource"))?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(answer.tag_list().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect())
}
