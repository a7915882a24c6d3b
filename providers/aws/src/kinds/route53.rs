//! What the kinds of Route 53 have in common: tags, which no list brings with it.

use std::collections::BTreeMap;

use aws_sdk_route53::types::{Tag, TagResourceType};

use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks::Tags,
};

/// Things in one call of tags.
const IDS_MAX: usize = 10;

/// The tags of each, by id.
pub(crate) async fn tags(
    site: &Site,
    what: TagResourceType,
    ids: &[&str],
) -> Result<BTreeMap<String, Tags>, Failure> {
    let mut found = BTreeMap::new();
    for some in ids.chunks(IDS_MAX) {
        let call = site.look.route53.list_tags_for_resources().resource_type(what.clone());
        let call = call.set_resource_ids(Some(some.iter().map(|id| (*id).to_owned()).collect()));
        let answer = call.send().await.map_err(failed("route53:ListTagsForResources"))?;
        for set in answer.resource_tag_sets() {
            let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
            let tags = set.tags().iter().filter_map(pair).collect();
            found.insert(set.resource_id().unwrap_or_default().to_owned(), tags);
        }
    }
    Ok(found)
}

pub(super) async fn tag(
    site: &Site,
    what: TagResourceType,
    id: &str,
    set: &Tags,
    unset: &[String],
) -> Result<(), Failure> {
    let tags: Vec<Tag> =
        set.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = site
        .change
        .route53
        .change_tags_for_resource()
        .resource_type(what)
        .resource_id(id)
        .set_add_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .set_remove_tag_keys(Some(unset.to_vec()).filter(|keys| !keys.is_empty()));
    call.send().await.map_err(failed("route53:ChangeTagsForResource"))?;
    Ok(())
}
