//! Runs, the plans that were used up, and the small values kept beside the resources.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row};

use super::failure::Fault;
use super::journal;
use super::lease::{self, timestamp};
use super::records::{self, checksum};
use super::writer::Context;
use crate::error::StoreError;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::host;
use crate::lock::Lease;

const COLUMNS: &str = "id, command, owner, host, started_ms, ended_ms, result, summary, blueprint_digest, plan_id, \
                       serial_before, serial_after, variables";

/// Begins a run and ties it to the lock.
pub(super) fn begin(context: &Context<'_>, lease: &Lease, start: &RunStart) -> Result<RunId, Fault> {
    lease::verify(context, lease)?;
    let run: u64 = context.conn.query_row(
        "UPDATE states SET last_run = last_run + 1 WHERE id = ?1 RETURNING last_run",
        [context.state],
        |row| row.get(0),
    )?;
    let record = RunRecord {
        id: RunId(run),
        command: start.command.clone(),
        owner: start.owner.clone(),
        host: start.host.clone(),
        started: timestamp(host::now().wall_ms),
        ended: None,
        result: None,
        summary: start.summary.clone(),
        blueprint_digest: None,
        plan_id: start.plan_id.clone(),
        serial_before: records::head(context)?.serial,
        serial_after: None,
    };
    insert(context, &record, start.blueprint.as_deref(), &start.variables)?;
    lease::tie(context, record.id)?;
    Ok(record.id)
}

/// Writes a run, with its blueprint unless the same text is there already.
pub(super) fn insert(
    context: &Context<'_>,
    run: &RunRecord,
    blueprint: Option<&str>,
    variables: &str,
) -> Result<(), Fault> {
    let digest = blueprint.map(|text| blake3::hash(text.as_bytes()).to_hex().to_string());
    if let (Some(digest), Some(text)) = (&digest, blueprint) {
        context.conn.execute(
            "INSERT INTO blueprints (state, digest, text) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (context.state, digest, text),
        )?;
    }
    context.conn.execute(
        "INSERT INTO runs (state, id, command, owner, host, started_ms, ended_ms, result, summary, variables,
            blueprint_digest, plan_id, serial_before, serial_after, first_intent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        (
            context.state,
            run.id.0,
            &run.command,
            &run.owner,
            &run.host,
            run.started.as_millisecond(),
            run.ended.map(|at| at.as_millisecond()),
            &run.result,
            &run.summary,
            variables,
            digest,
            &run.plan_id,
            run.serial_before,
            run.serial_after,
            journal::next(context)?,
        ),
    )?;
    Ok(())
}

/// Ends a run.
pub(super) fn end(
    context: &Context<'_>,
    lease: &Lease,
    run: RunId,
    result: &str,
    summary: &str,
) -> Result<(), Fault> {
    lease::verify(context, lease)?;
    let serial = records::head(context)?.serial;
    let ended = context.conn.execute(
        "UPDATE runs SET ended_ms = ?3, result = ?4, summary = ?5, serial_after = ?6 WHERE state = ?1 AND id = ?2",
        (context.state, run.0, host::now().wall_ms, result, summary, serial),
    )?;
    if ended == 0 { Err(no_such_run(context, run)) } else { Ok(()) }
}

/// The last runs, newest first.
pub(super) fn latest(context: &Context<'_>, limit: usize) -> Result<Vec<RunRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE state = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = context.conn.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let runs = statement.query_map((context.state, limit), read)?.collect::<Result<_, _>>()?;
    Ok(runs)
}

/// One run with all that is kept of it.
pub(super) fn detail(context: &Context<'_>, run: RunId) -> Result<RunDetail, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE state = ?1 AND id = ?2");
    let (record, variables): (RunRecord, String) = context
        .conn
        .prepare_cached(&sql)?
        .query_row((context.state, run.0), |row| Ok((read(row)?, row.get("variables")?)))
        .optional()?
        .ok_or_else(|| no_such_run(context, run))?;
    let blueprint = match &record.blueprint_digest {
        Some(digest) => Some(blueprint(context, digest)?),
        None => None,
    };
    Ok(RunDetail { record, blueprint, variables, journal: journal::of_run(context, run)? })
}

fn blueprint(context: &Context<'_>, digest: &str) -> Result<String, Fault> {
    let text: Option<String> = context
        .conn
        .prepare_cached("SELECT text FROM blueprints WHERE state = ?1 AND digest = ?2")?
        .query_row((context.state, digest), |row| row.get(0))
        .optional()?;
    match text {
        Some(text) if blake3::hash(text.as_bytes()).to_hex().as_str() == digest => Ok(text),
        Some(_) => Err(context.damaged(format!("the blueprint {digest} does not match its digest"))),
        None => Err(context.damaged(format!("the blueprint {digest} is not there"))),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: RunId(row.get("id")?),
        command: row.get("command")?,
        owner: row.get("owner")?,
        host: row.get("host")?,
        started: timestamp(row.get("started_ms")?),
        ended: row.get::<_, Option<i64>>("ended_ms")?.map(timestamp),
        result: row.get("result")?,
        summary: row.get("summary")?,
        blueprint_digest: row.get("blueprint_digest")?,
        plan_id: row.get("plan_id")?,
        serial_before: row.get("serial_before")?,
        serial_after: row.get("serial_after")?,
    })
}

/// Takes old runs out of the history, and says how many.
pub(super) fn prune(context: &Context<'_>, lease: &Lease, keep_runs: usize) -> Result<u64, Fault> {
    lease::verify(context, lease)?;
    let (conn, state) = (context.conn, context.state);
    let keep = i64::try_from(keep_runs.max(1)).unwrap_or(i64::MAX);
    let old: Vec<i64> = conn
        .prepare(
            "SELECT id FROM runs WHERE state = ?1
                AND id NOT IN (SELECT id FROM runs WHERE state = ?1 ORDER BY id DESC LIMIT ?2)
                AND id NOT IN (SELECT run FROM journal WHERE state = ?1 AND open = 1)
                AND id NOT IN (SELECT run FROM journal WHERE state = ?1 ORDER BY journal.id DESC LIMIT 1)
                AND id NOT IN (SELECT max(id) FROM runs
                               WHERE state = ?1 AND blueprint_digest IS NOT NULL GROUP BY result)",
        )?
        .query_map((state, keep), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if old.is_empty() {
        return Ok(0);
    }
    // Until now the run itself tells that it used the plan.
    conn.execute(
        "UPDATE used_plans SET run = (SELECT max(id) FROM runs
            WHERE runs.state = used_plans.state AND runs.plan_id = used_plans.plan_id)
         WHERE state = ?1 AND run IS NULL",
        [state],
    )?;
    for run in &old {
        journal::remove(context, *run)?;
        conn.prepare_cached("DELETE FROM runs WHERE state = ?1 AND id = ?2")?.execute((state, run))?;
    }
    conn.execute(
        "DELETE FROM blueprints WHERE state = ?1 AND NOT EXISTS
            (SELECT 1 FROM runs WHERE runs.state = ?1 AND blueprint_digest = digest)",
        [state],
    )?;
    Ok(old.len() as u64)
}

fn no_such_run(context: &Context<'_>, run: RunId) -> Fault {
    StoreError::NoSuchRun { place: context.place.to_owned(), run }.into()
}

/// Uses a plan up.
pub(super) fn consume_plan(context: &Context<'_>, lease: &Lease, plan_id: &str) -> Result<(), Fault> {
    let run = lease::verify(context, lease)?;
    let used: Option<(i64, Option<u64>)> = context
        .conn
        .query_row(
            // The run may have begun after the plan was used up, and then names the plan itself.
            "SELECT at_ms, coalesce(run, (SELECT max(id) FROM runs WHERE state = ?1 AND plan_id = ?2))
             FROM used_plans WHERE state = ?1 AND plan_id = ?2",
            (context.state, plan_id),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((at_ms, run)) = used {
        let (at, run) = (timestamp(at_ms), run.map(RunId));
        return Err(StoreError::PlanUsed { plan_id: plan_id.to_owned(), at, run }.into());
    }
    context.conn.execute(
        "INSERT INTO used_plans (state, plan_id, at_ms, run) VALUES (?1, ?2, ?3, ?4)",
        (context.state, plan_id, host::now().wall_ms, run.map(|run| run.0)),
    )?;
    Ok(())
}

/// A small value. Where there is none of the name, the names of all others are looked at: its own may be damaged.
pub(super) fn get_meta(context: &Context<'_>, key: &str) -> Result<Option<String>, Fault> {
    let found = context
        .conn
        .prepare_cached("SELECT value, checksum FROM meta WHERE state = ?1 AND key = ?2")?
        .query_row((context.state, key), |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .optional()?;
    let Some((value, sum)) = found else {
        all_meta(context)?;
        return Ok(None);
    };
    verify_meta(context, key, &value, sum)?;
    Ok(Some(value))
}

/// All small values.
pub(super) fn all_meta(context: &Context<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut select = context.conn.prepare_cached("SELECT key, value, checksum FROM meta WHERE state = ?1")?;
    let mut rows = select.query([context.state])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (key, value): (String, String) = (row.get(0)?, row.get(1)?);
        verify_meta(context, &key, &value, row.get(2)?)?;
        all.insert(key, value);
    }
    Ok(all)
}

fn verify_meta(context: &Context<'_>, key: &str, value: &str, sum: Option<u32>) -> Result<(), Fault> {
    match sum {
        Some(sum) if sum != checksum([key, value]) => {
            Err(context.damaged(format!("the value {key:?} does not match its checksum")))
        }
        _ => Ok(()),
    }
}

/// Writes a small value, over what is there.
pub(super) fn put_meta(context: &Context<'_>, key: &str, value: &str) -> Result<(), Fault> {
    context
        .conn
        .prepare_cached(
            "INSERT INTO meta (state, key, value, checksum) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (state, key) DO UPDATE SET value = ?3, checksum = ?4",
        )?
        .execute((context.state, key, value, checksum([key, value])))?;
    Ok(())
}
