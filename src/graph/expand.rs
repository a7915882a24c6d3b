//! From components to resources: lookups asked, every component expanded, the graph built.
//!
//! The lookups are the only I/O; local files are answered here, the rest by each region's provider, all at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use standfast_contract::{
    Answers, Component, Context, ExpandRequest, Lookup, Problem, Provider, ProviderError, Region, Stack,
    Standing,
};

use super::{Graph, GraphError, local};
use std::sync::Arc;

/// What the blueprint says, as far as expansion needs it.
pub struct Wanted<'a> {
    pub regions: &'a [Region],
    pub components: &'a [Component],
    /// What stands, as far as it is recorded.
    pub standing: Vec<Standing<'a>>,
}

/// Why a blueprint could not be expanded.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// Components that cannot be built as they are written, or as far as could be found out: `unanswered` says which
    /// questions nobody answered, each reason once.
    #[error("{}", crate::words::count(.problems.len(), "problem"))]
    Problems { problems: Vec<Problem>, unanswered: Vec<ProviderError> },
    #[error(transparent)]
    Lookup(#[from] ProviderError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Expands every component with its region's provider.
///
/// `provider` gives a provider by name; a name that it does not know is a problem of each component there.
pub async fn expand(
    wanted: &Wanted<'_>,
    provider: &(dyn Fn(&str) -> Option<Arc<dyn Provider>> + Send + Sync),
    known: &[&str],
    context: &Context,
) -> Result<Graph, ExpandError> {
    let mut problems = Vec::new();
    let mut placed: Vec<(ExpandRequest<'_>, Arc<dyn Provider>)> = Vec::new();
    for component in wanted.components {
        let Some(region) = wanted.regions.iter().find(|region| region.name == component.common().region)
        else {
            continue;
        };
        match provider(&region.provider) {
            Some(provider) => placed.push((
                ExpandRequest {
                    stack: &context.stack,
                    region,
                    component,
                    components: wanted.components,
                    regions: wanted.regions,
                },
                provider,
            )),
            None => problems.push(Problem {
                component: component.id(),
                key: String::new(),
                message: format!(
                    "{} cannot be built: this standfast has no provider `{}` (region {})",
                    component.id(),
                    region.provider,
                    region.name
                ),
                hint: Some(format!("providers here: {}", known.join(", "))),
                unanswered: false,
            }),
        }
    }
    if !problems.is_empty() {
        return Err(ExpandError::Problems { problems, unanswered: Vec::new() });
    }
    let (answers, unanswered) = answer(wanted, &placed, provider, context).await?;
    let mut parts = Vec::new();
    for (request, provider) in &placed {
        match provider.expand(request, &answers) {
            Ok(expansion) => parts.push((request.component, expansion)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(ExpandError::Problems { problems, unanswered });
    }
    for (component, expansion) in &mut parts {
        let common = component.common();
        let region = wanted.regions.iter().find(|one| one.name == common.region);
        let owner = region.and_then(|region| provider(&region.provider));
        let holds_data = |kind: &str| {
            owner.as_ref().and_then(|owner| owner.kind(kind)).is_some_and(|kind| kind.holds_data)
        };
        let has_data = expansion.resources.iter().any(|resource| holds_data(&resource.kind));
        for resource in &mut expansion.resources {
            let is_protected = match common.deletion_protection {
                Some(false) => false,
                // What stands around data may be made again, and sometimes must be: parameters of another version.
                None => holds_data(&resource.kind),
                Some(true) => holds_data(&resource.kind) || !has_data,
            };
            // What there cannot be two of is the provider's to know.
            let never_twice = resource.lifecycle.create_before_destroy == Some(false);
            resource.lifecycle = common.lifecycle.clone();
            if never_twice {
                resource.lifecycle.create_before_destroy = Some(false);
            }
            resource.lifecycle.prevent_destroy |= is_protected;
        }
    }
    Ok(Graph::build(parts)?)
}

/// Fails where anything is wrong with the components as far as they and local files tell: nobody is asked. What has no
/// provider here is left to [`expand`].
pub fn foresee(
    wanted: &Wanted<'_>,
    provider: &dyn Fn(&str) -> Option<Arc<dyn Provider>>,
    stack: &Stack,
) -> Result<(), ExpandError> {
    let (mut problems, mut parts) = (Vec::new(), Vec::new());
    for component in wanted.components {
        let region = wanted.regions.iter().find(|region| region.name == component.common().region);
        let Some((region, provider)) = region.and_then(|it| Some((it, provider(&it.provider)?))) else {
            continue;
        };
        let (components, regions) = (wanted.components, wanted.regions);
        let request = ExpandRequest { stack, region, component, components, regions };
        let (answers, _) = answer_here(provider.lookups(&request).into_iter().collect())?;
        match provider.expand(&request, &answers) {
            Ok(expansion) => parts.push((component, expansion)),
            Err(found) => problems.extend(found.into_iter().filter(|problem| !problem.unanswered)),
        }
    }
    if !problems.is_empty() {
        return Err(ExpandError::Problems { problems, unanswered: Vec::new() });
    }
    // Circles show only in the whole.
    if parts.len() == wanted.components.len() {
        Graph::build(parts)?;
    }
    Ok(())
}

/// The questions of each region.
type Asked = BTreeMap<String, Vec<Lookup>>;

/// What this machine answers, and what the regions are to be asked.
fn answer_here(questions: BTreeSet<Lookup>) -> Result<(Answers, Asked), ProviderError> {
    let mut answers = Answers::default();
    let mut asked = Asked::new();
    for question in questions {
        match &question {
            // A provider may ask for both, not knowing which it is. What has no answer is absent, and the expansion
            // that needs it says so at its place in the blueprint.
            Lookup::File { path } => {
                if let Some(found) = local::file(path)? {
                    answers.0.insert(question, found);
                }
            }
            Lookup::Tree { path } => {
                if let Some(found) = local::tree(path)? {
                    answers.0.insert(question, found);
                }
            }
            Lookup::Provider { region, .. } => asked.entry(region.clone()).or_default().push(question),
        }
    }
    Ok((answers, asked))
}

/// Asks every question once. What was not answered is told beside the answers; that a region cannot be worked in at all is
/// told instead, once. Who has made a mistake needs no answer first.
async fn answer(
    wanted: &Wanted<'_>,
    placed: &[(ExpandRequest<'_>, Arc<dyn Provider>)],
    provider: &(dyn Fn(&str) -> Option<Arc<dyn Provider>> + Send + Sync),
    context: &Context,
) -> Result<(Answers, Vec<ProviderError>), ExpandError> {
    let lookups = placed.iter().flat_map(|(request, provider)| provider.lookups(request));
    let (mut answers, asked) = answer_here(lookups.collect())?;
    if !asked.is_empty() {
        let found = placed
            .iter()
            .flat_map(|(request, provider)| provider.expand(request, &answers).err().unwrap_or_default());
        let problems: Vec<_> = found.filter(|problem| !problem.unanswered).collect();
        if !problems.is_empty() {
            return Err(ExpandError::Problems { problems, unanswered: Vec::new() });
        }
    }
    let replies = join_all(asked.into_iter().map(|(name, lookups)| async move {
        let region = wanted.regions.iter().find(|region| region.name == name)?;
        let provider = provider(&region.provider)?;
        let standing: Vec<_> = wanted.standing.iter().filter(|one| one.region == name).copied().collect();
        let found = provider.lookup(context, region, &lookups, &standing).await;
        Some((region, lookups.into_iter().zip(found).collect::<Vec<_>>()))
    }))
    .await;
    let mut unanswered: Vec<ProviderError> = Vec::new();
    // Each reason once: whoever is signed in nowhere is told so of the first region.
    let mut shut = BTreeMap::new();
    let mut open = Vec::new();
    for (region, replies) in replies.into_iter().flatten() {
        let shutting = replies.iter().find_map(|(_, reply)| {
            let error = reply.as_ref().err()?;
            Some((error, error.shut_by?))
        });
        let first = placed.iter().find(|(request, _)| request.region.name == region.name);
        match shutting.zip(first) {
            Some(((error, key), (request, _))) => {
                shut.entry(error.reason.clone()).or_insert_with(|| Problem {
                    component: request.component.id(),
                    key: format!("region.{key}"),
                    message: error.to_string(),
                    hint: error.hint.clone(),
                    unanswered: false,
                });
            }
            None => open.extend(replies),
        }
    }
    if !shut.is_empty() {
        // What else is missing there is missing for this.
        return Err(ExpandError::Problems { problems: shut.into_values().collect(), unanswered: Vec::new() });
    }
    for (lookup, reply) in open {
        // Without an answer the expansion says what it lacks, or does without: a dead host must not stop a plan.
        match reply {
            Ok(value) => {
                answers.0.insert(lookup, value);
            }
            Err(error) if unanswered.iter().all(|other| other.to_string() != error.to_string()) => {
                unanswered.push(error);
            }
            Err(_) => {}
        }
    }
    Ok((answers, unanswered))
}
