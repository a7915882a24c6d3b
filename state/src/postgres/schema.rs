//! The database's schema `standfast`: whose it is, which version, and how it grows.
//!
//! Migrations run in one transaction under an advisory lock, so that of many who open a new database at once one
//! makes it and the others wait. The version is in `standfast.schema_version`, one row a version, with its time.

use super::failure::Fault;
use super::session::{Context, Session, explain};
use crate::error::StoreError;
use crate::record::StackId;
use crate::store::OpenMode;

/// What takes a database from version N to N + 1, N being the index. Never edit one that was released.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/postgres/0001.sql")];

/// The version that this build writes.
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The advisory lock of migrations: "Sfst".
const MIGRATION_LOCK: i64 = 0x5366_7374;

const OPERATION: &str = "open the state";

/// What the database has of ours.
enum Found {
    /// No schema `standfast`, or an empty one.
    Nothing,
    Version(i64),
    /// A schema of that name that is not ours.
    Foreign,
}

/// Makes sure of the schema, and makes or migrates it where `mode` says so.
pub(super) async fn prepare(session: &Session, mode: OpenMode, place: &str) -> Result<(), StoreError> {
    let wrap = |fault| explain(fault, OPERATION, place);
    let found = look(session).await.map_err(wrap)?;
    let version = match (&found, mode) {
        (Found::Foreign, _) => return Err(foreign(place)),
        (Found::Nothing, OpenMode::Create | OpenMode::Anew) => 0,
        (Found::Nothing, _) => return Err(StoreError::Missing { place: place.to_owned() }),
        (Found::Version(version), _) => *version,
    };
    if version > SCHEMA_VERSION {
        let (place, supported) = (place.to_owned(), SCHEMA_VERSION);
        return Err(StoreError::Newer { place, found: version, supported });
    }
    if version == SCHEMA_VERSION {
        return Ok(());
    }
    if mode == OpenMode::ReadOnly {
        let reason = format!("its schema version {version} must be migrated first");
        return Err(StoreError::ReadOnly { operation: OPERATION, place: place.to_owned(), reason });
    }
    match migrate(session).await {
        Ok(()) => Ok(()),
        Err(fault) => {
            let error = wrap(fault);
            // Best effort: when this fails too, the session is given up with the error.
            let _ = session.batch("ROLLBACK").await;
            Err(error)
        }
    }
}

fn foreign(place: &str) -> StoreError {
    let reason = "its schema `standfast` holds something else".to_owned();
    StoreError::Foreign { place: place.to_owned(), reason }
}

async fn look(session: &Session) -> Result<Found, Fault> {
    let sql = "SELECT to_regclass('standfast.schema_version') IS NOT NULL AS ours,
                      EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('standfast')) AS anything";
    let row = session.query_one(sql, &[]).await?;
    let (ours, anything): (bool, bool) = (row.try_get("ours")?, row.try_get("anything")?);
    if !ours {
        return Ok(if anything { Found::Foreign } else { Found::Nothing });
    }
    let row = session.query_one("SELECT max(version) AS version FROM standfast.schema_version", &[]).await?;
    Ok(row.try_get::<_, Option<i64>>("version")?.map_or(Found::Foreign, Found::Version))
}

async fn migrate(session: &Session) -> Result<(), Fault> {
    session.batch("BEGIN").await?;
    session.query_one("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
    // Looked at again under the lock: another may have migrated in between.
    let version = match look(session).await? {
        Found::Version(version) => version,
        Found::Nothing | Found::Foreign => {
            let there = "SELECT to_regnamespace('standfast') IS NOT NULL";
            if !session.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
                session.batch("CREATE SCHEMA standfast").await?;
            }
            let table = "CREATE TABLE standfast.schema_version (
                             version bigint PRIMARY KEY,
                             migrated timestamptz(3) NOT NULL DEFAULT clock_timestamp())";
            session.batch(table).await?;
            0
        }
    };
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        session.batch(sql).await?;
        let version = step as i64 + 1;
        session.execute("INSERT INTO standfast.schema_version (version) VALUES ($1)", &[&version]).await?;
    }
    session.batch("COMMIT").await
}

/// The row of the state, made when the mode says so.
pub(super) async fn state_row(
    session: &Session,
    stack: &StackId,
    mode: OpenMode,
    place: &str,
) -> Result<i64, StoreError> {
    let context = Context { session, state: 0, operation: OPERATION, place };
    find_or_make(&context, stack, mode).await.map_err(|fault| context.explain(fault))
}

async fn find_or_make(context: &Context<'_>, stack: &StackId, mode: OpenMode) -> Result<i64, Fault> {
    let (session, names) = (context.session, (&stack.stack, &stack.environment));
    let find = "SELECT id FROM standfast.states WHERE stack = $1 AND environment = $2";
    if let Some(row) = session.query_opt(find, &[names.0, names.1]).await? {
        return Ok(row.try_get("id")?);
    }
    if !mode.makes() {
        let all = "SELECT stack, environment FROM standfast.states ORDER BY stack, environment";
        let found = session.query(all, &[]).await?;
        let found = found
            .iter()
            .map(|row| Ok(StackId { stack: row.try_get(0)?, environment: row.try_get(1)? }))
            .collect::<Result<_, Fault>>()?;
        let place = context.place.to_owned();
        return Err(StoreError::NoSuchState { place, stack: stack.clone(), found }.into());
    }
    let lineage = uuid::Uuid::new_v4().to_string();
    let make = "INSERT INTO standfast.states (stack, environment, lineage) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    session.execute(make, &[names.0, names.1, &lineage]).await?;
    Ok(session.query_one(find, &[names.0, names.1]).await?.try_get("id")?)
}
