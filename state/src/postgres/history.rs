//! Runs, the plans that were used up, and the small values kept beside the resources.

use std::time::SystemTime;

use tokio_postgres::Row;

use super::failure::Fault;
use super::journal::{self, legible};
use super::lease::{signed, system_time, timestamp, unsigned, unsigned_opt, verify};
use super::records;
use super::session::{Context, Effect, effect};
use super::writing::Standing;
use crate::error::StoreError;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::lock::Lease;

/// Begins a run and ties it to the lock.
pub(super) async fn begin(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    start: &RunStart,
) -> Result<RunId, Fault> {
    verify(context, standing, lease)?;
    let record = RunRecord {
        id: RunId(standing.last_run + 1),
        command: start.command.clone(),
        owner: start.owner.clone(),
        host: start.host.clone(),
        started: timestamp(standing.now),
        ended: None,
        result: None,
        summary: start.summary.clone(),
        blueprint_digest: None,
        plan_id: start.plan_id.clone(),
        serial_before: standing.head.serial,
        serial_after: None,
    };
    let (state, run) = (context.state, signed(record.id.0));
    let mut effects = insert(context, &record, start.blueprint.as_deref(), &start.variables);
    effects.push(effect!("UPDATE standfast.states SET last_run = $2 WHERE id = $1", state, run));
    effects.push(effect!("UPDATE standfast.locks SET run = $2 WHERE state = $1", state, run));
    context.session.pipeline(effects).await?;
    Ok(record.id)
}

/// The statements that write a run, with its blueprint unless the same text is there already.
pub(super) fn insert(
    context: &Context<'_>,
    run: &RunRecord,
    blueprint: Option<&str>,
    variables: &str,
) -> Vec<Effect> {
    let digest = blueprint.map(|text| blake3::hash(text.as_bytes()).to_hex().to_string());
    let mut effects = Vec::new();
    if let (Some(digest), Some(text)) = (&digest, blueprint) {
        effects.push(effect!(
            "INSERT INTO standfast.blueprints (state, digest, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            context.state,
            digest.clone(),
            text.as_bytes().to_vec(),
        ));
    }
    effects.push(effect!(
        "INSERT INTO standfast.runs (state, id, command, owner, host, started, ended, result, summary, variables,
            blueprint_digest, plan_id, serial_before, serial_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        context.state,
        signed(run.id.0),
        run.command.clone(),
        run.owner.clone(),
        run.host.clone(),
        system_time(run.started),
        run.ended.map(system_time),
        run.result.clone(),
        legible(&run.summary),
        variables.as_bytes().to_vec(),
        digest,
        run.plan_id.clone(),
        signed(run.serial_before),
        run.serial_after.map(signed),
    ));
    effects
}

/// Ends a run.
pub(super) async fn end(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    (run, result, summary): (RunId, &str, &str),
) -> Result<(), Fault> {
    verify(context, standing, lease)?;
    let sql = "UPDATE standfast.runs SET ended = $3, result = $4, summary = $5, serial_after = $6
               WHERE state = $1 AND id = $2";
    let (id, serial) = (signed(run.0), signed(standing.head.serial));
    let ended = context
        .session
        .execute(sql, &[&context.state, &id, &standing.now, &result, &legible(summary), &serial])
        .await?;
    if ended == 0 { Err(no_such_run(context, run)) } else { Ok(()) }
}

/// The last runs, newest first.
pub(super) async fn latest(context: &Context<'_>, limit: usize) -> Result<Vec<RunRecord>, Fault> {
    let sql = "SELECT * FROM standfast.runs WHERE state = $1 ORDER BY id DESC LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = context.session.query(sql, &[&context.state, &limit]).await?;
    rows.iter().map(read).collect()
}

/// One run with all that is kept of it.
pub(super) async fn detail(context: &Context<'_>, run: RunId) -> Result<RunDetail, Fault> {
    let sql = "SELECT runs.*, blueprints.body FROM standfast.runs
               LEFT JOIN standfast.blueprints
                   ON blueprints.state = runs.state AND blueprints.digest = runs.blueprint_digest
               WHERE runs.state = $1 AND runs.id = $2";
    let row = context.session.query_opt(sql, &[&context.state, &signed(run.0)]).await?;
    let row = row.ok_or_else(|| no_such_run(context, run))?;
    let record = read(&row)?;
    let blueprint = match (&record.blueprint_digest, row.try_get::<_, Option<Vec<u8>>>("body")?) {
        (None, _) => None,
        (Some(digest), Some(body)) if blake3::hash(&body).to_hex().as_str() == digest => {
            let text = String::from_utf8(body);
            Some(text.map_err(|_| context.damaged(format!("the blueprint {digest} is no text")))?)
        }
        (Some(digest), Some(_)) => {
            return Err(context.damaged(format!("the blueprint {digest} does not match its digest")));
        }
        (Some(digest), None) => return Err(context.damaged(format!("the blueprint {digest} is not there"))),
    };
    let variables = records::text(context, &row, "variables", || format!("the variables of run {run}"))?;
    Ok(RunDetail { record, blueprint, variables, journal: journal::of_run(context, run).await? })
}

fn read(row: &Row) -> Result<RunRecord, Fault> {
    Ok(RunRecord {
        id: RunId(unsigned(row, "id")?),
        command: row.try_get("command")?,
        owner: row.try_get("owner")?,
        host: row.try_get("host")?,
        started: timestamp(row.try_get("started")?),
        ended: row.try_get::<_, Option<SystemTime>>("ended")?.map(timestamp),
        result: row.try_get("result")?,
        summary: row.try_get("summary")?,
        blueprint_digest: row.try_get("blueprint_digest")?,
        plan_id: row.try_get("plan_id")?,
        serial_before: unsigned(row, "serial_before")?,
        serial_after: unsigned_opt(row, "serial_after")?,
    })
}

/// Takes old runs out of the history, and says how many.
pub(super) async fn prune(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    keep_runs: usize,
) -> Result<u64, Fault> {
    verify(context, standing, lease)?;
    let keep = i64::try_from(keep_runs.max(1)).unwrap_or(i64::MAX);
    let sql = "SELECT id FROM standfast.runs WHERE state = $1
            AND id NOT IN (SELECT id FROM standfast.runs WHERE state = $1 ORDER BY id DESC LIMIT $2)
            AND id NOT IN (SELECT run FROM standfast.journal WHERE state = $1 AND open)
            AND id NOT IN (SELECT run FROM standfast.journal j WHERE state = $1 ORDER BY j.id DESC LIMIT 1)
            AND id NOT IN (SELECT max(id) FROM standfast.runs
                           WHERE state = $1 AND blueprint_digest IS NOT NULL GROUP BY result)";
    let rows = context.session.query(sql, &[&context.state, &keep]).await?;
    let old: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if old.is_empty() {
        return Ok(0);
    }
    let effects = vec![
        // Until now the run itself tells that it used the plan.
        effect!(
            "UPDATE standfast.used_plans u SET run = (SELECT max(id) FROM standfast.runs r
                WHERE r.state = u.state AND r.plan_id = u.plan_id)
             WHERE u.state = $1 AND u.run IS NULL",
            context.state,
        ),
        effect!(
            "DELETE FROM standfast.journal WHERE state = $1 AND run = ANY ($2)",
            context.state,
            old.clone(),
        ),
        effect!("DELETE FROM standfast.runs WHERE state = $1 AND id = ANY ($2)", context.state, old.clone()),
        effect!(
            "DELETE FROM standfast.blueprints b WHERE b.state = $1 AND NOT EXISTS
                (SELECT 1 FROM standfast.runs r WHERE r.state = b.state AND r.blueprint_digest = b.digest)",
            context.state,
        ),
    ];
    context.session.pipeline(effects).await?;
    Ok(old.len() as u64)
}

fn no_such_run(context: &Context<'_>, run: RunId) -> Fault {
    StoreError::NoSuchRun { place: context.place.to_owned(), run }.into()
}

/// Uses a plan up.
pub(super) async fn consume_plan(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    plan_id: &str,
) -> Result<(), Fault> {
    let run = verify(context, standing, lease)?;
    // The run may have begun after the plan was used up, and then names the plan itself.
    let sql = "SELECT at, coalesce(run, (SELECT max(id) FROM standfast.runs WHERE state = $1 AND plan_id = $2)) AS run
               FROM standfast.used_plans WHERE state = $1 AND plan_id = $2";
    if let Some(row) = context.session.query_opt(sql, &[&context.state, &plan_id]).await? {
        let (at, run) = (timestamp(row.try_get("at")?), unsigned_opt(&row, "run")?.map(RunId));
        return Err(StoreError::PlanUsed { plan_id: plan_id.to_owned(), at, run }.into());
    }
    let run = run.map(|run| signed(run.0));
    context
        .session
        .execute(
            "INSERT INTO standfast.used_plans (state, plan_id, at, run) VALUES ($1, $2, $3, $4)",
            &[&context.state, &plan_id, &standing.now, &run],
        )
        .await?;
    Ok(())
}

/// A small value.
pub(super) async fn get_meta(context: &Context<'_>, key: &str) -> Result<Option<String>, Fault> {
    let sql = "SELECT value FROM standfast.meta WHERE state = $1 AND key = $2";
    let row = context.session.query_opt(sql, &[&context.state, &key]).await?;
    Ok(row.map(|row| row.try_get("value")).transpose()?)
}

/// The statement that writes a small value, over what is there.
pub(super) fn put_meta(context: &Context<'_>, key: &str, value: &str) -> Effect {
    effect!(
        "INSERT INTO standfast.meta (state, key, value) VALUES ($1, $2, $3)
         ON CONFLICT (state, key) DO UPDATE SET value = $3",
        context.state,
        key.to_owned(),
        value.to_owned(),
    )
}
