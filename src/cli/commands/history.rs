//! `history`: the runs that the state remembers, and how it forgets old ones.

use std::{sync::Arc, time::Duration};

use standfast_state::{RunId, RunRecord, Store};

use super::{
    super::{
        CliError, Registry,
        args::{Global, HistoryArgs, HistoryCommand},
        exit, render,
        session::open_named,
        terminal,
    },
    state::{done, plain_run, with_lock},
};

pub async fn run(args: &HistoryArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    match &args.command {
        Some(HistoryCommand::Show { run, target }) => {
            let store = open_named(&target.stack(), global, registry).await?;
            one(store.as_ref(), RunId(*run), global).await
        }
        Some(HistoryCommand::Prune { keep, target }) => {
            let store = open_named(&target.stack(), global, registry).await?;
            let keep = usize::try_from(*keep).unwrap_or(usize::MAX);
            prune(&store, keep, target.store.lock_timeout, global).await
        }
        None => {
            let store = open_named(&args.stack, global, registry).await?;
            all(store.as_ref(), args.limit, global).await
        }
    }
}

/// A run of its own: it is seen who did it, and the state was copied before.
async fn prune(
    store: &Arc<dyn Store>,
    keep: usize,
    patience: Duration,
    global: &Global,
) -> Result<u8, CliError> {
    let removed = with_lock(store, patience, "history prune", async |lease| {
        let summary = format!("all but the last {keep}");
        let run = store.begin_run(lease, &plain_run("history prune", &summary)).await?;
        // This run is not one of those that were asked for.
        let pruned = store.prune(lease, keep.saturating_add(1)).await;
        let (result, summary) = match &pruned {
            Ok(removed) => ("succeeded", format!("{} removed", runs(*removed))),
            Err(error) => ("failed", error.to_string()),
        };
        store.end_run(lease, run, result, &summary).await?;
        Ok(pruned?)
    })
    .await?;
    done(
        global,
        &serde_json::json!({ "removed": removed }),
        &format!("{} removed from the history.", runs(removed)),
    );
    Ok(exit::OK)
}

fn runs(number: u64) -> String {
    render::count(usize::try_from(number).unwrap_or(usize::MAX), "run")
}

async fn all(store: &dyn Store, limit: usize, global: &Global) -> Result<u8, CliError> {
    let runs = store.runs(limit).await?;
    if super::is_json(global.format) {
        terminal::out(super::pretty(&serde_json::json!({ "format_version": 1, "runs": runs })));
        return Ok(exit::OK);
    }
    if runs.is_empty() {
        terminal::out("Nothing has been run yet.");
        return Ok(exit::OK);
    }
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    terminal::show(
        render::listing::table(&["run", "started", "command", "by", "took", "result", "what"], &rows)
            .trim_end(),
    );
    Ok(exit::OK)
}

fn row(run: &RunRecord) -> Vec<String> {
    let took = run.ended.map_or_else(String::new, |ended| {
        let seconds = ended.duration_since(run.started).as_secs_f64();
        format!("{seconds:.1} s")
    });
    vec![
        run.id.to_string(),
        format!("{:.0}", run.started),
        run.command.clone(),
        format!("{}@{}", run.owner, run.host),
        took,
        run.result.clone().unwrap_or_else(|| "did not end".to_owned()),
        run.summary.clone(),
    ]
}

async fn one(store: &dyn Store, id: RunId, global: &Global) -> Result<u8, CliError> {
    let detail = store.run(id).await?;
    if super::is_json(global.format) {
        let mut shown = serde_json::json!(detail);
        shown["format_version"] = 1.into();
        terminal::out(super::pretty(&shown));
        return Ok(exit::OK);
    }
    let cells = row(&detail.record);
    for (name, value) in ["run", "started", "command", "by", "took", "result", "what"].iter().zip(&cells) {
        terminal::show(format_args!("{name:8}  {value}"));
    }
    let rows: Vec<Vec<String>> = detail
        .journal
        .iter()
        .map(|entry| {
            let outcome = match &entry.outcome {
                None => "no outcome".to_owned(),
                Some(standfast_state::Outcome::Done) => "done".to_owned(),
                Some(standfast_state::Outcome::Unknown) => "answer lost".to_owned(),
                Some(standfast_state::Outcome::Failed { message }) => format!("failed: {message}"),
            };
            vec![
                format!("{:.0}", entry.at),
                entry.intent.action.clone(),
                entry.intent.address.clone(),
                outcome,
            ]
        })
        .collect();
    terminal::out("");
    terminal::show(render::listing::table(&["at", "action", "address", "outcome"], &rows).trim_end());
    Ok(exit::OK)
}
