//! What the kinds of EC2 have in common: filters, and tags.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use super::Select;
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::{ADDRESS, ENVIRONMENT, STACK, TOKEN, Tags},
};

/// For calls that know no filter of ids: the ids themselves. One that is missing fails the whole call.
pub(super) fn ids(select: Select<'_>) -> Option<Vec<String>> {
    select.ids().map(|ids| ids.iter().map(|id| (*id).to_owned()).collect())
}

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// `id`: the name of the filter that takes ids, empty where there is none. A filter finds what there is; a list of ids would fail for one missing.
pub(super) fn filters(select: Select<'_>, id: &str) -> Vec<Filter> {
    let tag = |key: &str, value: &str| filter(&format!("tag:{key}"), [value]);
    match select {
        Select::Ids(_) | Select::Bare(..) if id.is_empty() => Vec::new(),
        Select::Ids(ids) | Select::Bare(ids, _) => vec![filter(id, ids.iter().copied())],
        Select::Stack(stack) => vec![tag(STACK, &stack.name), tag(ENVIRONMENT, &stack.environment)],
        Select::Token(stack, token) => {
            vec![tag(STACK, &stack.name), tag(ENVIRONMENT, &stack.environment), tag(TOKEN, token)]
        }
    }
}

pub(super) fn tags_of(tags: &[Tag]) -> Tags {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    tags.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

pub(super) fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags of what a thing makes by itself: machines and their disks. They carry the stack, and no address, for they are
/// nobody's resource.
pub(super) fn of_parts(tags: &Tags) -> Tags {
    let is_kept = |key: &str| key != ADDRESS && key != TOKEN;
    tags.iter().filter(|(key, _)| is_kept(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags that a create gives at once.
pub(super) fn with_tags(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(written(tags))).build()
}

pub(super) async fn tag(site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
    let ec2 = &site.change.ec2;
    if !set.is_empty() {
        let call = ec2.create_tags().resources(id).set_tags(Some(written(set)));
        call.send().await.map_err(failed("ec2:CreateTags"))?;
    }
    if !unset.is_empty() {
        let gone = unset.iter().map(|key| Tag::builder().key(key).build()).collect();
        let call = ec2.delete_tags().resources(id).set_tags(Some(gone));
        call.send().await.map_err(failed("ec2:DeleteTags"))?;
    }
    Ok(())
}
