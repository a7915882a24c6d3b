//! `status`: how everything is doing now. Asks the questions that the last apply left in the state.

use std::collections::BTreeMap;

use futures::future::join_all;
use standfast_contract::{Health, HealthState, Probe};

use super::super::{
    CliError, Registry,
    args::{Global, StackArgs},
    exit, render,
    session::Session,
    terminal,
};
use crate::{
    apply::{META_PROBES, Outputs},
    plan::recorded::Recorded,
};

pub async fn run(args: &StackArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let session = Session::open(args, global, registry).await?;
    let kept = session.engine.store.get_meta(META_PROBES).await?;
    let probes: Vec<Probe> =
        kept.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let snapshot = session.engine.store.snapshot().await?;
    let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
    let rows = ask(&session, probes, &recorded).await;
    session.engine.providers.close().await;
    let rows = rows?;
    if super::is_json(global.format) {
        terminal::out(render::status::json(&rows));
    } else if rows.is_empty() {
        terminal::out(nothing(recorded.len()));
    } else {
        terminal::show(render::status::table(&rows).trim_end());
    }
    let all_well = rows.iter().all(|(_, health)| health.state == HealthState::Healthy);
    Ok(if all_well { exit::OK } else { exit::CHANGES })
}

/// Every provider answers its own questions, all at once.
async fn ask(
    session: &Session,
    probes: Vec<Probe>,
    recorded: &[Recorded],
) -> Result<Vec<(Probe, Health)>, CliError> {
    // A question may refer to what is recorded: a member that was put back is asked where it serves again.
    let outputs = Outputs::from_records(recorded.iter());
    let mut batches: BTreeMap<String, Vec<Probe>> = BTreeMap::new();
    for mut probe in probes {
        probe.place = probe.place.resolve(&|_| None, &session.engine.vault)?;
        probe.inputs = outputs.resolve(&probe.inputs, &session.engine.vault)?;
        batches.entry(probe.provider.clone()).or_default().push(probe);
    }
    let context = session.engine.context();
    let answers = join_all(batches.into_iter().map(|(name, probes)| {
        let context = &context;
        let provider = session.engine.providers.get(&name).cloned();
        async move {
            let healths = match provider {
                Some(provider) => provider.probe(context, &probes).await,
                None => probes.iter().map(|_| unknown(&name)).collect(),
            };
            probes.into_iter().zip(healths).collect::<Vec<_>>()
        }
    }))
    .await;
    let mut rows: Vec<(Probe, Health)> = answers.into_iter().flatten().collect();
    rows.sort_by(|(a, _), (b, _)| {
        (&a.component, &a.subject, &a.verb).cmp(&(&b.component, &b.subject, &b.verb))
    });
    Ok(rows)
}

fn nothing(recorded: usize) -> String {
    match recorded {
        0 => "Nothing to ask: nothing has been applied yet.".to_owned(),
        1 => "Nothing to ask: the one resource that has been applied has no health of its own.".to_owned(),
        _ => format!(
            "Nothing to ask: none of the {recorded} resources that have been applied has a health of its own."
        ),
    }
}

fn unknown(provider: &str) -> Health {
    Health { state: HealthState::Unreachable, detail: format!("this standfast has no provider `{provider}`") }
}
