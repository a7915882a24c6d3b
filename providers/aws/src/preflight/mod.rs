//! Before the first change: what can be known to fail. Who signs in and may do what, names that others have, quotas, sizes
//! of machines and databases that a zone or region has not.
//!
//! Only what the plan's calls need is asked, all questions at the same time. A question without an answer (it is not
//! allowed, the endpoint does not know it) is told and hinders nothing: AWS answers it in the end.

#[cfg(test)]
mod fixtures;
mod offers;
mod permissions;
mod processors;
mod standing;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use futures::{future::join_all, join};
use standfast_contract::{Attribute, Call, Context, Kind, Obstacle, ProviderError, Value};

use crate::{clients::Site, failure::Failure, kinds, place::Place, provider::AwsProvider};

/// The calls ahead at one place.
struct Ahead<'a> {
    site: &'a Site,
    context: &'a Context,
    /// Each with its position among all.
    calls: Vec<(usize, &'a Call)>,
    deletes: Vec<&'a Call>,
}

impl<'a> Ahead<'a> {
    /// Creates and updates of a kind.
    fn of(&self, kind: &str) -> impl Iterator<Item = (usize, &'a Call)> {
        self.calls.iter().copied().filter(move |(_, call)| call.kind == kind)
    }

    /// What is made and was not there before.
    fn creates(&self, kind: &str) -> impl Iterator<Item = (usize, &'a Call)> {
        self.of(kind).filter(|(_, call)| call.id.is_none())
    }

    /// That something could not be asked.
    fn unasked(&self, what: &str, failure: &Failure) {
        (self.context.progress)(&format!("{what} was not checked beforehand: {}", failure.message));
    }

    fn obstacle(&self, at: usize, call: &Call, reason: String, hint: impl Into<String>) -> Obstacle {
        let verb = if call.id.is_some() { "update" } else { "create" };
        let error = ProviderError::permanent(format!("{verb} {}", call.address), reason).hint(hint);
        Obstacle { error, calls: vec![at] }
    }
}

fn text<'a>(call: &'a Call, key: &str) -> Option<&'a str> {
    call.inputs.get(key).and_then(Value::as_str)
}

/// What is made or changed at a place, and what is deleted there.
type AtPlace<'a> = (Vec<(usize, &'a Call)>, Vec<&'a Call>);

pub(crate) async fn obstacles(
    provider: &AwsProvider,
    context: &Context,
    calls: &[Call],
    deletes: &[Call],
) -> Vec<Obstacle> {
    let mut places: BTreeMap<Place, AtPlace<'_>> = BTreeMap::new();
    let mut obstacles = Vec::new();
    let replaced: BTreeSet<_> = deletes.iter().map(|old| (&old.address, &old.id)).collect();
    for (at, call) in calls.iter().enumerate() {
        let is_made = call.id.is_none() || replaced.contains(&(&call.address, &call.id));
        let mut asked = call.clone();
        if is_made {
            // What was before is no matter to what is made in its place.
            asked.prior.clear();
        }
        let foreseen = kinds::by_name(&call.kind).map_or(Ok(()), |works| {
            works.foresee(&asked)?;
            if is_made { whole(works.kind(), &asked) } else { Ok(()) }
        });
        if let Err(failure) = foreseen {
            let verb = if call.id.is_some() { "update" } else { "create" };
            let error = failure.of(format!("{verb} {}", call.address), false);
            obstacles.push(Obstacle { error, calls: vec![at] });
        }
        match Place::parse(&call.place) {
            Ok(place) => places.entry(place).or_default().0.push((at, call)),
            Err(error) => obstacles.push(Obstacle { error, calls: vec![at] }),
        }
    }
    for call in deletes {
        match Place::parse(&call.place) {
            Ok(place) => places.entry(place).or_default().1.push(call),
            Err(error) => obstacles.push(Obstacle { error, calls: Vec::new() }),
        }
    }
    let asked = places.into_iter().map(|(place, ahead)| at_place(provider, context, place, ahead));
    obstacles.extend(join_all(asked).await.into_iter().flatten());
    obstacles
}

/// What is made needs all that its kind does, also what the blueprint would keep as it was.
fn whole(kind: &Kind, call: &Call) -> Result<(), Failure> {
    let missing = kind.attributes.iter().find(|it| it.required && !call.inputs.contains_key(it.name));
    missing.map_or(Ok(()), |Attribute { name, .. }| {
        Err(Failure::refused(
            "",
            format!(
                "the blueprint keeps its `{name}` as it was, and it is gone: take `{name}` out of `ignore_changes`, or make it \
                 by hand and take it over"
            ),
        ))
    })
}

async fn at_place(
    provider: &AwsProvider,
    context: &Context,
    place: Place,
    (calls, deletes): AtPlace<'_>,
) -> Vec<Obstacle> {
    let signed_in = async {
        let site = provider.site(&place).await?;
        site.check().await?;
        Ok(site)
    };
    match signed_in.await {
        Ok(site) => {
            let ahead = Ahead { site: &site, context, calls, deletes };
            let (denied, standing, zones, processors, machines, engines) = join!(
                permissions::ask(&ahead),
                standing::ask(&ahead),
                zones::ask(&ahead),
                processors::ask(&ahead),
                offers::machines(&ahead),
                offers::engines(&ahead)
            );
            [denied, standing, zones, processors, machines, engines].concat()
        }
        Err(error) => vec![Obstacle { error, calls: calls.into_iter().map(|(at, _)| at).collect() }],
    }
}
