//! One state out of a file as a whole, and into one.

use super::failure::Fault;
use super::lease::{self, timestamp};
use super::writer::Context;
use super::{history, journal, records};
use crate::error::StoreError;
use crate::export::{EXPORT_FORMAT, Export, UsedPlan};
use crate::history::{RunDetail, RunId};
use crate::lock::Lease;
use crate::record::StackId;

/// Everything that is kept of the state.
pub(super) fn export(context: &Context<'_>) -> Result<Export, Fault> {
    let (conn, state) = (context.conn, context.state);
    let mut runs: Vec<RunDetail> = history::latest(context, usize::MAX)?
        .iter()
        .map(|run| history::detail(context, run.id))
        .collect::<Result<_, _>>()?;
    runs.reverse();
    let used_plans = conn
        .prepare("SELECT plan_id, at_ms, run FROM used_plans WHERE state = ?1 ORDER BY at_ms, plan_id")?
        .query_map([state], |row| {
            Ok(UsedPlan {
                plan_id: row.get(0)?,
                at: timestamp(row.get(1)?),
                run: row.get::<_, Option<u64>>(2)?.map(RunId),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Export {
        format: EXPORT_FORMAT,
        stack: stack(context)?,
        head: records::head(context)?,
        resources: records::all(context)?,
        runs,
        used_plans,
        meta: history::all_meta(context)?,
    })
}

fn stack(context: &Context<'_>) -> Result<StackId, Fault> {
    let sql = "SELECT stack, environment FROM states WHERE id = ?1";
    Ok(context.conn.query_row(sql, [context.state], |row| {
        Ok(StackId { stack: row.get(0)?, environment: row.get(1)? })
    })?)
}

/// Replaces everything that is kept of the state, the lock and the fencing tokens excepted.
pub(super) fn import(context: &Context<'_>, lease: &Lease, export: &Export) -> Result<(), Fault> {
    lease::verify(context, lease)?;
    if export.format != EXPORT_FORMAT {
        let (place, found) = (context.place.to_owned(), export.format);
        return Err(StoreError::ExportFormat { place, found, supported: EXPORT_FORMAT }.into());
    }
    let (conn, state) = (context.conn, context.state);
    for table in ["resources", "journal", "runs", "blueprints", "used_plans", "meta"] {
        conn.execute(&format!("DELETE FROM {table} WHERE state = ?1"), [state])?;
    }
    for record in &export.resources {
        records::put(context, record)?;
    }
    for run in &export.runs {
        history::insert(context, &run.record, run.blueprint.as_deref(), &run.variables)?;
        for entry in &run.journal {
            journal::restore(context, entry)?;
        }
    }
    for plan in &export.used_plans {
        conn.execute(
            "INSERT INTO used_plans (state, plan_id, at_ms, run) VALUES (?1, ?2, ?3, ?4)",
            (state, &plan.plan_id, plan.at.as_millisecond(), plan.run.map(|run| run.0)),
        )?;
    }
    for (key, value) in &export.meta {
        history::put_meta(context, key, value)?;
    }
    let own = stack(context)?;
    let checksum = records::checksum([&own.stack, &own.environment, &export.head.lineage]);
    let last_run = export.runs.iter().map(|run| run.record.id.0).max().unwrap_or(0);
    conn.execute(
        "UPDATE states SET lineage = ?2, serial = ?3, last_run = max(last_run, ?4), checksum = ?5 WHERE id = ?1",
        (state, &export.head.lineage, export.head.serial, last_run, checksum),
    )?;
    // A run that was begun under this lock went with the history that it belonged to.
    conn.execute("UPDATE locks SET run = NULL WHERE state = ?1", [state])?;
    Ok(())
}
