//! `state rebuild`: records what is found by its marks, when the state was lost or an old copy was put in its place.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures::future::join_all;
use standfast_contract::{Found, ProviderError, Value};
use standfast_state::{Change, Lease};

use super::{
    super::{
        CliError, Registry,
        args::{Global, StackOption},
        exit, render,
        session::{self, Session, load, stack_id, stack_of},
        terminal,
    },
    state::{done, record, with_lock},
    state_transfer::anew,
};
use crate::{
    graph::Graph,
    plan::{
        observe::no_provider,
        rebuild::{Rebuilt, Site, rebuild, sites},
        recorded::Recorded,
    },
};

/// Names that are told before the rest is only counted.
const NAMES_MAX: usize = 8;

pub async fn run(target: &StackOption, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    make_way(target, global, registry).await?;
    let session = Session::open(&target.stack(), global, registry).await?;
    let result =
        with_lock(&session.engine.store, target.store.lock_timeout, "state rebuild", async |lease| {
            rebuilt(&session, lease).await
        })
        .await;
    session.engine.providers.close().await;
    let rebuilt = result?;
    let names = |list: &[standfast_contract::Address]| list.iter().map(ToString::to_string).collect();
    let (unwanted, secrets): (Vec<String>, Vec<String>) =
        (names(&rebuilt.unwanted), names(&rebuilt.with_secrets));
    let old: Vec<String> = names(&rebuilt.old_copies);
    let count = rebuilt.records.len();
    done(
        global,
        &serde_json::json!({ "recorded": count, "unwanted": unwanted, "old_copies": old, "with_secrets": secrets }),
        &format!(
            "{} found and recorded. `standfast plan` shows what differs.",
            render::count(count, "resource")
        ),
    );
    for (list, what) in [
        (&unwanted, "not in the blueprint; the next plan deletes it unless `removed` names it"),
        (&old, "an old copy of it is left over; the next plan deletes that"),
        (&secrets, "its secrets cannot be compared any more; the next plan sets them again"),
    ] {
        for name in list.iter().take(NAMES_MAX) {
            terminal::say(format_args!("{name}: {what}"));
        }
        if list.len() > NAMES_MAX {
            terminal::say(format_args!("and {} more: {what}", list.len() - NAMES_MAX));
        }
    }
    Ok(exit::OK)
}

/// A state that is damaged is set aside; one that is not there is made by opening it.
async fn make_way(target: &StackOption, global: &Global, registry: &Registry) -> Result<(), CliError> {
    let blueprint = load(&target.stack().blueprint, global)?;
    let stack = stack_of(&blueprint);
    match session::open_store(&target.store, global, &blueprint.path, &stack, &registry.stores).await {
        Err(error) if error.damaged => {
            let usual = || session::usual_place(global, &blueprint.path, &stack);
            let url = target.store.state.clone().unwrap_or_else(usual);
            anew(&url, &stack_id(&stack), registry).await.map(drop)
        }
        opened => opened.map(drop),
    }
}

async fn rebuilt(session: &Session, lease: &Lease) -> Result<Rebuilt, CliError> {
    let engine = &session.engine;
    let snapshot = engine.store.snapshot().await?;
    let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
    let recorded: HashSet<_> = recorded.into_iter().map(|record| record.address).collect();
    let graph = session.graph(&[]).await?;
    let found = look(session, &graph).await?;
    let rebuilt = rebuild(&graph, &engine.providers, &recorded, found);
    let changes: Vec<Change> = rebuilt.records.iter().map(|one| Change::Put(one.encode())).collect();
    let summary = render::count(changes.len(), "resource");
    record(engine.store.as_ref(), lease, "state rebuild", &summary, &changes).await?;
    Ok(rebuilt)
}

/// Asks every place. One that does not answer stops it: what stands there would be made a second time.
async fn look(session: &Session, graph: &Graph) -> Result<Vec<(Site, Found)>, CliError> {
    let engine = &session.engine;
    let sites = sites(graph);
    let mut places: Vec<Value> = Vec::with_capacity(sites.len());
    for site in &sites {
        places.push(site.place.resolve(&|_| None, &engine.vault)?);
    }
    let context = engine.context();
    // A provider is asked for all of its places at once: only it knows what two of them share.
    let mut asked: BTreeMap<&str, (Vec<&Site>, Vec<Value>)> = BTreeMap::new();
    for (site, place) in sites.iter().zip(places) {
        let (of, there) = asked.entry(&site.provider).or_default();
        of.push(site);
        there.push(place);
    }
    let answers = join_all(asked.into_iter().map(|(name, (sites, places))| {
        let (context, provider) = (&context, engine.providers.get(name).map(Arc::clone));
        async move {
            let answers = match provider {
                Some(provider) => provider.find(context, &places).await,
                None => sites.iter().map(|_| Err(no_provider(name))).collect(),
            };
            sites.into_iter().zip(answers).collect::<Vec<_>>()
        }
    }))
    .await;
    let mut all = Vec::new();
    let mut failed: Vec<ProviderError> = Vec::new();
    for (site, answer) in answers.into_iter().flatten() {
        match answer {
            Ok(found) => all.extend(found.into_iter().map(|one| (site.clone(), one))),
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() {
        return Ok(all);
    }
    let lines: Vec<String> = failed.iter().map(|error| format!("- {error}")).collect();
    Err(CliError::new(format!("nothing was recorded, for not every place answered:\n{}", lines.join("\n")))
        .hint("bring it back, or take what is gone for good out of the blueprint, then run this again"))
}
