//! Intents and how they ended.

use rusqlite::{OptionalExtension, Row};

use super::failure::Fault;
use super::lease::{self, timestamp};
use super::records::{self, Tally, checksum};
use super::writer::Context;
use crate::error::StoreError;
use crate::history::RunId;
use crate::host;
use crate::journal::{Intent, IntentId, JournalEntry, OpenIntent, Outcome};
use crate::lock::Lease;
use crate::record::Change;

const COLUMNS: &str = "id, run, address, deposed, action, token, payload, at_ms, checksum, open, outcome, message, \
                       settled_ms, serial";

fn sum(intent: &Intent) -> u32 {
    checksum([&intent.address, &intent.deposed, &intent.action, &intent.token, &intent.payload])
}

/// Writes an intent of the run that holds the lock.
pub(super) fn intend(context: &Context<'_>, lease: &Lease, intent: &Intent) -> Result<IntentId, Fault> {
    let run = lease::verify(context, lease)?;
    if run != Some(intent.run) {
        // The history finds a run's entries by this rule.
        let reason = format!("run {} is not the one that was begun under this lock", intent.run);
        return Err(StoreError::Conflict { address: intent.address.clone(), reason }.into());
    }
    context
        .conn
        .prepare_cached(
            "INSERT INTO journal (state, run, address, deposed, action, token, payload, at_ms, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            context.state,
            intent.run.0,
            &intent.address,
            &intent.deposed,
            &intent.action,
            &intent.token,
            &intent.payload,
            host::now().wall_ms,
            sum(intent),
        ))?;
    u64::try_from(context.conn.last_insert_rowid())
        .map(IntentId)
        .map_err(|_| context.damaged("the journal has a negative number"))
}

/// Writes an outcome with its changes and returns the serial after them.
pub(super) fn settle(
    context: &Context<'_>,
    lease: &Lease,
    intent: IntentId,
    outcome: &Outcome,
    changes: &[Change],
) -> Result<u64, Fault> {
    lease::verify(context, lease)?;
    let before: Option<(bool, Option<String>, Option<u64>)> = context
        .conn
        .prepare_cached("SELECT open, outcome, serial FROM journal WHERE id = ?1 AND state = ?2")?
        .query_row((intent.0, context.state), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match before {
        None => return Err(StoreError::NoSuchIntent { place: context.place.to_owned(), intent }.into()),
        Some((false, outcome, serial)) => {
            let (outcome, serial) = (outcome.unwrap_or_default(), serial.unwrap_or_default());
            return Err(StoreError::AlreadySettled { intent, outcome, serial }.into());
        }
        Some((true, ..)) => {}
    }
    let serial = records::apply(context, changes)?;
    let (word, message) = to_columns(outcome);
    context
        .conn
        .prepare_cached(
            "UPDATE journal SET open = ?2, outcome = ?3, message = ?4, settled_ms = ?5, serial = ?6 WHERE id = ?1",
        )?
        .execute((intent.0, *outcome == Outcome::Unknown, word, message, host::now().wall_ms, serial))?;
    Ok(serial)
}

/// Intents that nothing has closed, oldest first.
pub(super) fn open(context: &Context<'_>) -> Result<Vec<OpenIntent>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM journal WHERE state = ?1 AND open = 1 ORDER BY id");
    let entries = entries(context, &sql, &[context.state])?;
    let mut tally = Tally::default();
    entries.iter().for_each(|entry| tally.add(sum(&entry.intent)));
    tally.compare(context, "open intents", "open_count, open_sum")?;
    let open = |entry: JournalEntry| OpenIntent {
        id: entry.id,
        at: entry.at,
        answer_lost: entry.outcome == Some(Outcome::Unknown),
        intent: entry.intent,
    };
    Ok(entries.into_iter().map(open).collect())
}

/// A run's entries, found without an index: its first entry and the next run's bound the search, since only the run that
/// holds the lock writes intents.
const OF_RUN: &str = "state = ?1 AND run = ?2
    AND id >= (SELECT first_intent FROM runs WHERE state = ?1 AND id = ?2)
    AND id < coalesce((SELECT min(first_intent) FROM runs WHERE state = ?1 AND id > ?2), 1 << 62)";

/// Drops a run's entries, before the run itself goes.
pub(super) fn remove(context: &Context<'_>, run: i64) -> Result<(), Fault> {
    let sql = format!("DELETE FROM journal WHERE {OF_RUN}");
    context.conn.prepare_cached(&sql)?.execute((context.state, run))?;
    Ok(())
}

/// A run's entries, oldest first.
pub(super) fn of_run(context: &Context<'_>, run: RunId) -> Result<Vec<JournalEntry>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM journal WHERE {OF_RUN} ORDER BY id");
    let run = i64::try_from(run.0).unwrap_or(i64::MAX);
    entries(context, &sql, &[context.state, run])
}

/// The number that the next intent of any state gets, at least.
pub(super) fn next(context: &Context<'_>) -> Result<i64, Fault> {
    Ok(context.conn.query_row("SELECT coalesce(max(id), 0) + 1 FROM journal", [], |row| row.get(0))?)
}

/// Writes an entry as it was in another store, under a number of this one.
pub(super) fn restore(context: &Context<'_>, entry: &JournalEntry) -> Result<(), Fault> {
    let intent = &entry.intent;
    let (word, message) = match &entry.outcome {
        Some(outcome) => {
            let (word, message) = to_columns(outcome);
            (Some(word), message)
        }
        None => (None, None),
    };
    let open = matches!(entry.outcome, None | Some(Outcome::Unknown));
    context
        .conn
        .prepare_cached(
            "INSERT INTO journal (state, run, address, deposed, action, token, payload, at_ms, checksum, open,
                outcome, message, settled_ms, serial)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute((
            context.state,
            intent.run.0,
            &intent.address,
            &intent.deposed,
            &intent.action,
            &intent.token,
            &intent.payload,
            entry.at.as_millisecond(),
            sum(intent),
            open,
            word,
            message,
            entry.settled.map(|at| at.as_millisecond()),
            entry.serial,
        ))?;
    Ok(())
}

fn entries(context: &Context<'_>, sql: &str, keys: &[i64]) -> Result<Vec<JournalEntry>, Fault> {
    let mut statement = context.conn.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(keys))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(context, row)?);
    }
    Ok(entries)
}

fn read(context: &Context<'_>, row: &Row<'_>) -> Result<JournalEntry, Fault> {
    let id = IntentId(row.get("id")?);
    let intent = Intent {
        run: RunId(row.get("run")?),
        address: row.get("address")?,
        deposed: row.get("deposed")?,
        action: row.get("action")?,
        token: row.get("token")?,
        payload: row.get("payload")?,
    };
    let expected: u32 = row.get("checksum")?;
    if sum(&intent) != expected {
        return Err(context.damaged(format!("intent {id} does not match its checksum")));
    }
    let outcome = match row.get::<_, Option<String>>("outcome")?.as_deref() {
        None => None,
        Some("done") => Some(Outcome::Done),
        Some("failed") => {
            Some(Outcome::Failed { message: row.get::<_, Option<String>>("message")?.unwrap_or_default() })
        }
        Some("unknown") => Some(Outcome::Unknown),
        Some(other) => return Err(context.damaged(format!("intent {id} ended as `{other}`"))),
    };
    Ok(JournalEntry {
        id,
        intent,
        at: timestamp(row.get("at_ms")?),
        outcome,
        settled: row.get::<_, Option<i64>>("settled_ms")?.map(timestamp),
        serial: row.get("serial")?,
    })
}

fn to_columns(outcome: &Outcome) -> (&'static str, Option<&str>) {
    match outcome {
        Outcome::Done => ("done", None),
        Outcome::Failed { message } => ("failed", Some(message)),
        Outcome::Unknown => ("unknown", None),
    }
}
