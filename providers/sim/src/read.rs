//! Reading: a page of resources at a time, so that its latency grows with pages and not with resources.

use standfast_contract::{Context, Observed, ProviderError, ReadRequest};
use tokio::time::sleep;

use crate::{
    fault::{Exposure, Subject},
    kinds,
    provider::WORLD_HINT,
    settings::Settings,
    world::{Attempt, Turn, World},
};

/// One call that reads many. The requests share one place.
pub(crate) async fn page(
    world: &World,
    context: &Context,
    page: &[ReadRequest],
) -> Result<Vec<Result<Option<Observed>, ProviderError>>, ProviderError> {
    let Some(first) = page.first() else { return Ok(Vec::new()) };
    let settings = Settings::of_place(&first.place)?;
    let attempt = |request, count| Attempt {
        settings,
        context,
        subject: Subject::Resource(request),
        verb: "read",
        exposure: Exposure::Refusals,
        inputs: None,
        count,
    };
    // Scripted faults hit one by one, inside; the page as a whole meets the random ones.
    let (there, back) = settings.ways();
    if !there.is_zero() {
        sleep(there).await;
    }
    let read = world.turn(|turn| {
        if let Some(struck) = turn.struck_page(&attempt(&first.address, page.len()))? {
            return Ok(Err(struck.error(format!("read {} and {} more", first.address, page.len() - 1))));
        }
        let mut answers = Vec::with_capacity(page.len());
        for request in page {
            answers.push(match turn.scripted(&attempt(&request.address, 1))? {
                Some(struck) => Err(struck.error(format!("read {}", request.address))),
                None => Ok(look(turn, context, request)),
            });
        }
        Ok(Ok(answers))
    });
    if !back.is_zero() {
        sleep(back).await;
    }
    read.unwrap_or_else(|error| {
        Err(ProviderError::permanent("read the simulated world", error.to_string()).hint(WORLD_HINT))
    })
}
/// What there is under a recorded id or, without one, under the mark: a create whose answer was lost. Of several with the
/// mark it is the last one: the others are old copies.
fn look(turn: &Turn<'_>, context: &Context, request: &ReadRequest) -> Option<Observed> {
    let id = match &request.id {
        Some(id) => id.parse().ok()?,
        None => *turn.ledger.marked(&context.stack, &request.address).last()?,
    };
    let entry = turn.ledger.entry(id)?;
    let mut attributes = entry.inputs();
    let outputs = kinds::outputs(id, entry.address.region(), &attributes);
    let schema = &id.sim_kind().schema;
    attributes.retain(|name, _| {
        schema.attribute(name).is_some_and(|attribute| attribute.observed && !attribute.computed)
    });
    Some(Observed { id: id.to_string(), attributes, outputs })
}
