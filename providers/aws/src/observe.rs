//! What a look has found, as the engine compares it: by id, or by address where a create was cut off.

use standfast_contract::{Context, Found, Map, Observed, ProviderError, ReadRequest, Value};
use tokio::time::sleep;

use crate::{
    clients::Site,
    failure::Failure,
    kinds::{self, IDS_MAX, Seen, Select, Told, Wanted, Works, as_asked},
    marks,
};

/// What a create without an answer may have made is looked for so often before it is made again.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
pub(crate) const DOUBTS_MAX: u32 = 4;

/// For `find`: what carries an address of ours.
pub(crate) fn found_as(kind: &str, seen: Seen) -> Option<Found> {
    let mut inputs = seen.attributes;
    let is_own = |key: &&String| !key.starts_with("standfast:") && !key.starts_with("aws:") && *key != "Name";
    let own: Map = seen
        .tags
        .iter()
        .filter(|(key, _)| is_own(key))
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    if !own.is_empty() {
        inputs.insert("tags".into(), own.into());
    }
    Some(Found {
        address: marks::address(&seen.tags)?,
        kind: kind.to_owned(),
        id: seen.id,
        token: seen.tags.get(marks::TOKEN).cloned(),
        inputs,
        outputs: seen.outputs,
    })
}

/// In a call for each page of ids, and one list where an id is not known; with what the answers tell of others.
pub(crate) async fn look_for(
    site: &Site,
    works: &dyn Works,
    context: &Context,
    requests: &[&ReadRequest],
) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
    let ids: Vec<&str> = requests.iter().filter_map(|request| request.id.as_deref()).collect();
    let wanted = wanted(works, requests);
    let (mut seen, mut told) = (Vec::new(), Vec::new());
    for page in ids.chunks(IDS_MAX) {
        let (these, others) = kinds::look_around(works, site, Select::Bare(page, &wanted)).await?;
        seen.extend(these);
        told.extend(others);
    }
    // What a create that was cut off may have made: listed soon, where not at once. Until then the one that it was to
    // replace may stand in its place.
    let without_id = || requests.iter().filter(|request| request.id.is_none());
    for look in 1..=DOUBTS_MAX {
        let is_it = |request: &ReadRequest| {
            marked(request, &seen).is_some_and(|it| has_token(request, it) || differences(request, it) == 0)
        };
        if without_id().all(|request| is_it(request)) {
            break;
        }
        if look > 1 {
            sleep(site.poll).await;
        }
        seen.extend(kinds::look(works, site, Select::Stack(&context.stack)).await?);
    }
    for request in without_id() {
        // What carries the address may be the old one that was to be replaced.
        if let Some(token) = &request.token
            && marked(request, &seen).is_none_or(|it| !has_token(request, it))
        {
            seen.extend(kinds::look(works, site, Select::Token(&context.stack, token)).await?);
        }
    }
    seen.retain(Seen::is_there);
    for request in requests {
        let is_it = |seen: &&mut Seen| request.id.as_ref() == Some(&seen.id);
        if let Some(it) = seen.iter_mut().find(is_it) {
            for inputs in inputs_of(request) {
                works.look_closer(site, it, inputs).await?;
            }
        }
    }
    Ok((seen, told))
}

/// As recorded, where all that others tell of it is, and its tags are nobody's wish.
pub(crate) fn confirmed(request: &ReadRequest, told: &[Told]) -> Option<Observed> {
    let (id, (inputs, outputs)) = (request.id.as_ref()?, request.recorded.as_ref()?);
    let wished = [Some(&**inputs), request.desired.as_deref()];
    if wished.into_iter().flatten().any(|map| map.get("tags").is_some_and(|tags| *tags != Value::Null)) {
        return None;
    }
    let mut of_it = told.iter().filter(|told| told.kind == request.kind && told.id == *id).peekable();
    of_it.peek()?;
    let is_as_recorded = |told: &Told| {
        told.attributes.iter().all(|(key, is)| {
            let was = inputs.get(key).or_else(|| outputs.get(key));
            was.is_some_and(|was| as_asked(key, was, is) == *was)
        })
    };
    of_it.all(is_as_recorded).then(|| Observed {
        id: id.clone(),
        attributes: Map::clone(inputs),
        outputs: Map::clone(outputs),
    })
}

/// What somebody wants of any of them, or did, and what is compared.
fn wanted<'a>(works: &dyn Works, requests: &[&'a ReadRequest]) -> Wanted<'a> {
    let given = requests.iter().flat_map(|request| inputs_of(request)).flatten();
    let given = given.filter(|(_, value)| **value != Value::Null).map(|(key, _)| key.as_str());
    given.filter(|key| works.kind().attribute(key).is_some_and(|attribute| attribute.observed)).collect()
}

/// What was wanted of it, and what is.
fn inputs_of(request: &ReadRequest) -> impl Iterator<Item = &Map> {
    let recorded = request.recorded.as_ref().map(|(inputs, _)| &**inputs);
    recorded.into_iter().chain(request.desired.as_deref())
}

/// What of the things seen a request is about: by its id; by its address where a create was cut off. An error where AWS is
/// deleting it: it is neither there nor gone.
pub(crate) fn observed(request: &ReadRequest, seen: &[Seen]) -> Result<Option<Observed>, ProviderError> {
    let it = match &request.id {
        Some(id) => seen.iter().find(|seen| seen.id == *id),
        None => marked(request, seen),
    };
    match it {
        Some(it) if it.phase.is_leaving() && request.desired.is_some() => {
            let operation = format!("look at {}", request.address);
            Err(ProviderError::permanent(operation, "AWS is deleting it")
                .hint("Wait until it is gone, then run the same command again: it is made anew."))
        }
        it => Ok(it.map(|it| Observed {
            id: it.id.clone(),
            attributes: tidy(request, it),
            outputs: it.outputs.clone(),
        })),
    }
}

/// What carries the address, or the token alone where the marks did not follow. Beside an old one that is being replaced,
/// the new one has the token, or is more like what is wanted.
fn marked<'a>(request: &ReadRequest, seen: &'a [Seen]) -> Option<&'a Seen> {
    let is_mine = |seen: &&Seen| match marks::address(&seen.tags) {
        Some(address) => address == request.address,
        None => has_token(request, seen),
    };
    seen.iter().filter(is_mine).min_by_key(|seen| (!has_token(request, seen), differences(request, seen)))
}

fn has_token(request: &ReadRequest, seen: &Seen) -> bool {
    request.token.is_some() && seen.tags.get(marks::TOKEN) == request.token.as_ref()
}

fn differences(request: &ReadRequest, seen: &Seen) -> usize {
    let desired = request.desired.as_deref();
    desired.map_or(0, |desired| {
        seen.attributes
            .iter()
            .filter(|(key, is)| desired.get(*key).is_some_and(|want| as_asked(key, want, is) != *want))
            .count()
    })
}

/// Attributes as they are compared: lists in the order in which they were asked for, an absent one as null, and only
/// those tags that somebody asked for, because others may tag what is ours.
fn tidy(request: &ReadRequest, seen: &Seen) -> Map {
    let asked = [request.recorded.as_ref().map(|(inputs, _)| &**inputs), request.desired.as_deref()];
    let mut attributes = seen.attributes.clone();
    let kind = kinds::by_name(&request.kind).map(Works::kind);
    for map in asked.into_iter().flatten() {
        for (key, wanted) in map {
            let is_seen =
                kind.and_then(|kind| kind.attribute(key)).is_some_and(|attribute| attribute.observed);
            if is_seen && key != "tags" {
                let is = attributes.entry(key.clone()).or_default();
                *is = as_asked(key, wanted, is);
            }
        }
    }
    let keys = asked.into_iter().flatten().flat_map(|inputs| marks::own(inputs).into_keys());
    let tags: Map =
        keys.filter_map(|key| seen.tags.get(&key).map(|value| (key, value.as_str().into()))).collect();
    attributes.insert("tags".into(), if tags.is_empty() { Value::Null } else { tags.into() });
    attributes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use standfast_contract::ErrorClass;

    use super::*;
    use crate::kinds::{Parts, Phase};

    #[test]
    fn what_is_being_deleted_is_neither_there_nor_gone() {
        let request = |desired: Option<Map>| ReadRequest {
            address: "home/session_stores.s/replication_group.main".parse().unwrap(),
            kind: "replication_group".into(),
            place: Value::Null.into(),
            id: Some("x".into()),
            token: None,
            recorded: None,
            desired: desired.map(Into::into),
        };
        let seen = |phase: &str| {
            let phase = Phase::Pending(phase.into());
            let (tags, attributes, outputs) = Default::default();
            [Seen { id: "x".into(), phase, tags, attributes, outputs, parts: Parts::new() }]
        };
        let refused = observed(&request(Some(Map::new())), &seen("deleting")).unwrap_err();
        assert_eq!((refused.class, refused.reason.as_str()), (ErrorClass::Permanent, "AWS is deleting it"));
        assert!(observed(&request(Some(Map::new())), &seen("modifying")).unwrap().is_some());
        assert!(observed(&request(None), &seen("deleting")).unwrap().is_some(), "nobody wants it");
    }

    #[test]
    fn what_others_tell_is_enough_where_it_is_as_recorded_and_no_tags_are_wished_for() {
        let map = |pairs: &[(&str, &str)]| -> Arc<Map> {
            Arc::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect())
        };
        let request = |desired: Option<Map>| ReadRequest {
            address: "home/networks.main/internet_gateway.main".parse().unwrap(),
            kind: "internet_gateway".into(),
            place: Value::Null.into(),
            id: Some("igw-1".into()),
            token: None,
            recorded: Some((map(&[("vpc", "vpc-1")]), map(&[("id", "igw-1")]))),
            desired: desired.map(Into::into),
        };
        let told = |id: &str, vpc: &str| Told {
            kind: "internet_gateway",
            id: id.into(),
            attributes: Map::clone(&map(&[("vpc", vpc)])),
        };
        let same = told("igw-1", "vpc-1");
        let seen = confirmed(&request(None), std::slice::from_ref(&same)).unwrap();
        assert_eq!(
            (seen.attributes.get("vpc"), seen.outputs.get("id")),
            (Some(&"vpc-1".into()), Some(&"igw-1".into()))
        );
        for told in [vec![], vec![told("igw-2", "vpc-1")], vec![same.clone(), told("igw-1", "vpc-2")]] {
            assert_eq!(confirmed(&request(None), &told), None, "{told:?}");
        }
        let tagged = Map::from([("tags".to_owned(), Map::new().into())]);
        assert_eq!(confirmed(&request(Some(tagged)), &[same]), None);
    }
}
