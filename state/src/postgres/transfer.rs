//! One state out of a database as a whole, and into one.

use std::collections::BTreeMap;

use super::failure::Fault;
use super::lease::{signed, system_time, timestamp, unsigned_opt, verify};
use super::session::{Context, Effect, effect};
use super::writing::Standing;
use super::{history, journal, records};
use crate::error::StoreError;
use crate::export::{EXPORT_FORMAT, Export, UsedPlan};
use crate::history::RunId;
use crate::lock::Lease;
use crate::record::StackId;

/// The statements that are sent at once: their values are in memory together.
const CHUNK: usize = 1_000;

/// Everything that is kept of the state.
pub(super) async fn export(context: &Context<'_>, stack: &StackId) -> Result<Export, Fault> {
    let mut runs = Vec::new();
    for run in history::latest(context, usize::MAX).await?.iter().rev() {
        runs.push(history::detail(context, run.id).await?);
    }
    let sql = "SELECT plan_id, at, run FROM standfast.used_plans WHERE state = $1 ORDER BY at, plan_id";
    let rows = context.session.query(sql, &[&context.state]).await?;
    let used_plans = rows.iter().map(|row| {
        Ok(UsedPlan {
            plan_id: row.try_get("plan_id")?,
            at: timestamp(row.try_get("at")?),
            run: unsigned_opt(row, "run")?.map(RunId),
        })
    });
    let used_plans = used_plans.collect::<Result<_, Fault>>()?;
    let sql = "SELECT key, value FROM standfast.meta WHERE state = $1";
    let rows = context.session.query(sql, &[&context.state]).await?;
    let meta = rows.iter().map(|row| Ok((row.try_get("key")?, row.try_get("value")?)));
    Ok(Export {
        format: EXPORT_FORMAT,
        stack: stack.clone(),
        head: records::head(context).await?,
        resources: records::all(context).await?,
        runs,
        used_plans,
        meta: meta.collect::<Result<BTreeMap<String, String>, Fault>>()?,
    })
}

/// Replaces everything that is kept of the state, the lock and the fencing tokens excepted.
pub(super) async fn import(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    export: &Export,
) -> Result<(), Fault> {
    verify(context, standing, lease)?;
    if export.format != EXPORT_FORMAT {
        let (place, found) = (context.place.to_owned(), export.format);
        return Err(StoreError::ExportFormat { place, found, supported: EXPORT_FORMAT }.into());
    }
    let state = context.state;
    let mut effects = vec![
        effect!("DELETE FROM standfast.resources WHERE state = $1", state),
        effect!("DELETE FROM standfast.journal WHERE state = $1", state),
        effect!("DELETE FROM standfast.runs WHERE state = $1", state),
        effect!("DELETE FROM standfast.blueprints WHERE state = $1", state),
        effect!("DELETE FROM standfast.used_plans WHERE state = $1", state),
        effect!("DELETE FROM standfast.meta WHERE state = $1", state),
    ];
    for record in &export.resources {
        effects.push(records::put(context, record)?);
        send_full(context, &mut effects).await?;
    }
    let entries = export.runs.iter().map(|run| run.journal.len()).sum();
    let mut numbers = journal::numbers(context, entries).await?.into_iter();
    for run in &export.runs {
        effects.extend(history::insert(context, &run.record, run.blueprint.as_deref(), &run.variables));
        for (entry, id) in run.journal.iter().zip(&mut numbers) {
            effects.push(journal::restore(context, id, entry)?);
            send_full(context, &mut effects).await?;
        }
    }
    for plan in &export.used_plans {
        effects.push(effect!(
            "INSERT INTO standfast.used_plans (state, plan_id, at, run) VALUES ($1, $2, $3, $4)",
            state,
            plan.plan_id.clone(),
            system_time(plan.at),
            plan.run.map(|run| signed(run.0)),
        ));
    }
    effects.extend(export.meta.iter().map(|(key, value)| history::put_meta(context, key, value)));
    let last_run = export.runs.iter().map(|run| run.record.id.0).max().unwrap_or(0);
    effects.push(effect!(
        "UPDATE standfast.states SET lineage = $2, serial = $3, last_run = greatest(last_run, $4) WHERE id = $1",
        state,
        export.head.lineage.clone(),
        signed(export.head.serial),
        signed(last_run),
    ));
    // A run that was begun under this lock went with the history that it belonged to.
    effects.push(effect!("UPDATE standfast.locks SET run = NULL WHERE state = $1", state));
    context.session.pipeline(effects).await
}

async fn send_full(context: &Context<'_>, effects: &mut Vec<Effect>) -> Result<(), Fault> {
    if effects.len() < CHUNK {
        return Ok(());
    }
    context.session.pipeline(std::mem::take(effects)).await
}
