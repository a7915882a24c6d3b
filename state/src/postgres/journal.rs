//! Intents and how they ended.

use std::time::SystemTime;

use tokio_postgres::Row;

use super::batch;
use super::failure::Fault;
use super::lease::{signed, system_time, timestamp, unsigned, unsigned_opt, verify};
use super::records::{self, check_text};
use super::session::{Context, Effect, effect};
use super::writing::Standing;
use crate::error::StoreError;
use crate::history::RunId;
use crate::journal::{Intent, IntentId, JournalEntry, OpenIntent, Outcome};
use crate::lock::Lease;
use crate::record::Change;

/// Numbers for new intents, growing.
pub(super) async fn numbers(context: &Context<'_>, count: usize) -> Result<Vec<u64>, Fault> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT nextval('standfast.intents') AS id FROM generate_series(1, $1::bigint)";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = context.session.query(sql, &[&count]).await?;
    rows.iter().map(|row| unsigned(row, "id")).collect()
}

/// Refuses an intent that PostgreSQL cannot keep.
pub(super) fn check(context: &Context<'_>, intent: &Intent) -> Result<(), StoreError> {
    let texts = [&intent.address, &intent.deposed, &intent.action, &intent.token];
    check_text(context, &format!("the intent for {:?}", intent.address), texts)
}

/// The statement that writes an intent.
pub(super) fn intend(context: &Context<'_>, id: u64, intent: &Intent, now: SystemTime) -> Effect {
    effect!(
        "INSERT INTO standfast.journal (id, state, run, address, deposed, action, token, payload, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        signed(id),
        context.state,
        signed(intent.run.0),
        intent.address.clone(),
        intent.deposed.clone(),
        intent.action.clone(),
        intent.token.clone(),
        intent.payload.clone().into_bytes(),
        now,
    )
}

/// The statement that writes an outcome.
pub(super) fn settle(id: IntentId, outcome: &Outcome, now: SystemTime, serial: u64) -> Effect {
    let (word, message) = to_columns(outcome);
    effect!(
        "UPDATE standfast.journal SET open = $2, outcome = $3, message = $4, settled = $5, serial = $6 WHERE id = $1",
        signed(id.0),
        *outcome == Outcome::Unknown,
        word,
        message,
        now,
        signed(serial),
    )
}

/// Settles an intent with changes that must look at other records first.
pub(super) async fn settle_alone(
    context: &Context<'_>,
    standing: &Standing,
    lease: &Lease,
    (id, outcome, changes): (IntentId, &Outcome, &[Change]),
) -> Result<u64, Fault> {
    verify(context, standing, lease)?;
    let entries = batch::entries(context, &[signed(id.0)]).await?;
    batch::settleable(context, entries.get(&id.0), id)?;
    let serial = records::apply(context, standing.head.serial, changes).await?;
    context.session.pipeline(vec![settle(id, outcome, standing.now, serial)]).await?;
    Ok(serial)
}

/// Intents that nothing has closed, oldest first.
pub(super) async fn open(context: &Context<'_>) -> Result<Vec<OpenIntent>, Fault> {
    let sql = "SELECT * FROM standfast.journal WHERE state = $1 AND open ORDER BY id";
    let rows = context.session.query(sql, &[&context.state]).await?;
    rows.iter()
        .map(|row| {
            let entry = read(context, row)?;
            Ok(OpenIntent {
                id: entry.id,
                at: entry.at,
                answer_lost: entry.outcome == Some(Outcome::Unknown),
                intent: entry.intent,
            })
        })
        .collect()
}

/// A run's entries, oldest first.
pub(super) async fn of_run(context: &Context<'_>, run: RunId) -> Result<Vec<JournalEntry>, Fault> {
    let sql = "SELECT * FROM standfast.journal WHERE state = $1 AND run = $2 ORDER BY id";
    let rows = context.session.query(sql, &[&context.state, &signed(run.0)]).await?;
    rows.iter().map(|row| read(context, row)).collect()
}

/// The statement that writes an entry as it was in another store, under a number of this one.
pub(super) fn restore(context: &Context<'_>, id: u64, entry: &JournalEntry) -> Result<Effect, StoreError> {
    check(context, &entry.intent)?;
    let intent = &entry.intent;
    let (word, message) = entry.outcome.as_ref().map(to_columns).unzip();
    Ok(effect!(
        "INSERT INTO standfast.journal (id, state, run, address, deposed, action, token, payload, at, open, outcome,
            message, settled, serial)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        signed(id),
        context.state,
        signed(intent.run.0),
        intent.address.clone(),
        intent.deposed.clone(),
        intent.action.clone(),
        intent.token.clone(),
        intent.payload.clone().into_bytes(),
        system_time(entry.at),
        matches!(entry.outcome, None | Some(Outcome::Unknown)),
        word,
        message.flatten(),
        entry.settled.map(system_time),
        entry.serial.map(signed),
    ))
}

fn read(context: &Context<'_>, row: &Row) -> Result<JournalEntry, Fault> {
    let id = IntentId(unsigned(row, "id")?);
    let intent = Intent {
        run: RunId(unsigned(row, "run")?),
        address: row.try_get("address")?,
        deposed: row.try_get("deposed")?,
        action: row.try_get("action")?,
        token: row.try_get("token")?,
        payload: records::text(context, row, "payload", || format!("the payload of intent {id}"))?,
    };
    let message = || Ok::<_, Fault>(row.try_get::<_, Option<String>>("message")?.unwrap_or_default());
    let outcome = match row.try_get::<_, Option<String>>("outcome")?.as_deref() {
        None => None,
        Some("done") => Some(Outcome::Done),
        Some("failed") => Some(Outcome::Failed { message: message()? }),
        Some("unknown") => Some(Outcome::Unknown),
        Some(other) => return Err(context.damaged(format!("intent {id} ended as `{other}`"))),
    };
    Ok(JournalEntry {
        id,
        intent,
        at: timestamp(row.try_get("at")?),
        outcome,
        settled: row.try_get::<_, Option<SystemTime>>("settled")?.map(timestamp),
        serial: unsigned_opt(row, "serial")?,
    })
}

/// The outcome as its columns have it.
pub(super) fn to_columns(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Done => ("done", None),
        Outcome::Failed { message } => ("failed", Some(legible(message))),
        Outcome::Unknown => ("unknown", None),
    }
}

/// Words for people. What a program printed may hold NUL, which PostgreSQL cannot keep.
pub(super) fn legible(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
