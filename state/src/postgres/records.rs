//! The recorded resources: one consistent read of all, and the changes that writes make.

use tokio_postgres::Row;

use super::failure::Fault;
use super::lease::{signed, unsigned};
use super::session::{Context, Effect, effect};
use crate::error::StoreError;
use crate::record::{Change, Head, ResourceRecord};

/// Refuses text that PostgreSQL cannot keep. Payloads are bytes and may hold anything.
pub(super) fn check_text<'a>(
    context: &Context<'_>,
    what: &str,
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), StoreError> {
    match texts.into_iter().any(|text| text.contains('\0')) {
        true => Err(StoreError::Backend {
            operation: context.operation,
            place: context.place.to_owned(),
            reason: format!("{what} has a NUL character in it, which PostgreSQL cannot keep in text"),
        }),
        false => Ok(()),
    }
}

/// The version of the state.
pub(super) async fn head(context: &Context<'_>) -> Result<Head, Fault> {
    let sql = "SELECT lineage, serial FROM standfast.states WHERE id = $1";
    let row = context.session.query_one(sql, &[&context.state]).await?;
    Ok(Head { lineage: row.try_get("lineage")?, serial: unsigned(&row, "serial")? })
}

/// All records, ordered by address, current objects first.
pub(super) async fn all(context: &Context<'_>) -> Result<Vec<ResourceRecord>, Fault> {
    let sql = "SELECT address, deposed, kind, id, provider, inputs_digest, dependencies, payload
               FROM standfast.resources WHERE state = $1 ORDER BY address, deposed";
    let rows = context.session.query(sql, &[&context.state]).await?;
    rows.iter().map(|row| read(context, row)).collect()
}

/// The objects recorded under one address, the current one first.
pub(super) async fn objects(context: &Context<'_>, address: &str) -> Result<Vec<ResourceRecord>, Fault> {
    let sql = "SELECT address, deposed, kind, id, provider, inputs_digest, dependencies, payload
               FROM standfast.resources WHERE state = $1 AND address = $2 ORDER BY deposed";
    let rows = context.session.query(sql, &[&context.state, &address]).await?;
    rows.iter().map(|row| read(context, row)).collect()
}

fn read(context: &Context<'_>, row: &Row) -> Result<ResourceRecord, Fault> {
    let address: String = row.try_get("address")?;
    let payload = text(context, row, "payload", || format!("the payload of {address}"))?;
    Ok(ResourceRecord {
        deposed: row.try_get("deposed")?,
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        provider: row.try_get("provider")?,
        inputs_digest: row.try_get("inputs_digest")?,
        dependencies: row.try_get("dependencies")?,
        payload,
        address,
    })
}

/// Text that is kept as bytes.
pub(super) fn text(
    context: &Context<'_>,
    row: &Row,
    column: &str,
    what: impl FnOnce() -> String,
) -> Result<String, Fault> {
    String::from_utf8(row.try_get(column)?).map_err(|_| context.damaged(format!("{} is no text", what())))
}

/// Whether a change can be made without looking at other records first.
pub(super) fn is_plain(change: &Change) -> bool {
    matches!(change, Change::Put(_) | Change::Remove { .. })
}

/// The statement for a plain change.
pub(super) fn plain(context: &Context<'_>, change: &Change) -> Result<Effect, StoreError> {
    match change {
        Change::Put(record) => put(context, record),
        Change::Remove { address, deposed } => Ok(remove(context, address, deposed)),
        Change::Move { from: address, .. } | Change::Depose { address, .. } => {
            Err(conflict(address, "this change cannot share a transaction"))
        }
    }
}

/// The statement that writes one record.
pub(super) fn put(context: &Context<'_>, record: &ResourceRecord) -> Result<Effect, StoreError> {
    let ResourceRecord { address, deposed, kind, id, provider, inputs_digest, dependencies, payload } =
        record;
    let own = [address, deposed, kind, id, provider, inputs_digest];
    check_text(context, &format!("the record of {address:?}"), own.into_iter().chain(dependencies))?;
    Ok(effect!(
        "INSERT INTO standfast.resources
            (state, address, deposed, kind, id, provider, inputs_digest, dependencies, payload)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (state, address, deposed) DO UPDATE SET
            kind = $4, id = $5, provider = $6, inputs_digest = $7, dependencies = $8, payload = $9",
        context.state,
        address.clone(),
        deposed.clone(),
        kind.clone(),
        id.clone(),
        provider.clone(),
        inputs_digest.clone(),
        dependencies.clone(),
        payload.clone().into_bytes(),
    ))
}

fn remove(context: &Context<'_>, address: &str, deposed: &str) -> Effect {
    effect!(
        "DELETE FROM standfast.resources WHERE state = $1 AND address = $2 AND deposed = $3",
        context.state,
        address.to_owned(),
        deposed.to_owned(),
    )
}

/// The statement that sets the serial.
pub(super) fn set_serial(context: &Context<'_>, serial: u64) -> Effect {
    effect!("UPDATE standfast.states SET serial = $2 WHERE id = $1", context.state, signed(serial))
}

/// Makes any changes in order, and returns the serial after them. `serial` is the one before.
pub(super) async fn apply(context: &Context<'_>, serial: u64, changes: &[Change]) -> Result<u64, Fault> {
    if changes.is_empty() {
        return Ok(serial);
    }
    for change in changes {
        match change {
            Change::Move { from, to } => rename(context, from, to).await?,
            Change::Depose { address, deposed } => depose(context, address, deposed).await?,
            change => context.session.pipeline(vec![plain(context, change)?]).await?,
        }
    }
    context.session.pipeline(vec![set_serial(context, serial + 1)]).await?;
    Ok(serial + 1)
}

/// Which objects are recorded under an address.
async fn deposed_keys(context: &Context<'_>, address: &str) -> Result<Vec<String>, Fault> {
    let sql = "SELECT deposed FROM standfast.resources WHERE state = $1 AND address = $2";
    let rows = context.session.query(sql, &[&context.state, &address]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn rename(context: &Context<'_>, from: &str, to: &str) -> Result<(), Fault> {
    if deposed_keys(context, from).await?.is_empty() {
        return Err(conflict(from, "nothing is recorded under that address").into());
    }
    if !deposed_keys(context, to).await?.is_empty() {
        return Err(conflict(to, "something is recorded under that address already").into());
    }
    let (state, from, to) = (context.state, from.to_owned(), to.to_owned());
    check_text(context, "the new address", [&to])?;
    let effects = vec![
        effect!(
            "UPDATE standfast.resources SET address = $3 WHERE state = $1 AND address = $2",
            state,
            from.clone(),
            to.clone()
        ),
        effect!(
            "UPDATE standfast.resources SET dependencies = array_replace(dependencies, $2, $3)
             WHERE state = $1 AND $2 = ANY (dependencies)",
            state,
            from,
            to
        ),
    ];
    context.session.pipeline(effects).await
}

async fn depose(context: &Context<'_>, address: &str, deposed: &str) -> Result<(), Fault> {
    if deposed.is_empty() {
        return Err(conflict(address, "an old copy needs a key").into());
    }
    let present = deposed_keys(context, address).await?;
    if present.iter().any(|key| key == deposed) {
        return Err(conflict(address, &format!("it has an old copy {deposed} already")).into());
    }
    if !present.iter().any(String::is_empty) {
        return Err(conflict(address, "no current object is recorded under that address").into());
    }
    let sql =
        "UPDATE standfast.resources SET deposed = $3 WHERE state = $1 AND address = $2 AND deposed = ''";
    context.session.execute(sql, &[&context.state, &address, &deposed]).await?;
    Ok(())
}

fn conflict(address: &str, reason: &str) -> StoreError {
    StoreError::Conflict { address: address.to_owned(), reason: reason.to_owned() }
}
