//! The recorded resources: one consistent read of all, and the changes that writes make.
//!
//! Each row carries a checksum, since SQLite itself notices only damage that breaks its own structure, and a
//! flipped bit in an id would otherwise be believed.

use rusqlite::{OptionalExtension, Row};

use super::failure::Fault;
use super::writer::Context;
use crate::error::StoreError;
use crate::record::{Change, Head, ResourceRecord};

/// The CRC-32 of all fields, each with its length before it.
pub(super) fn checksum<const N: usize>(fields: [&str; N]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize()
}

/// The version of the state.
pub(super) fn head(context: &Context<'_>) -> Result<Head, Fault> {
    Ok(context
        .conn
        .prepare_cached("SELECT lineage, serial FROM states WHERE id = ?1")?
        .query_row([context.state], |row| Ok(Head { lineage: row.get(0)?, serial: row.get(1)? }))?)
}

/// What was counted of some rows: how many, and the sum of their checksums.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    /// Counts one row in.
    pub(super) fn add(&mut self, checksum: u32) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(u64::from(checksum));
    }

    /// Fails unless as many and the same rows were read as were written. `columns` of the state's row say which
    /// those are.
    pub(super) fn compare(&self, context: &Context<'_>, what: &str, columns: &str) -> Result<(), Fault> {
        let written: Tally = context
            .conn
            .prepare_cached(&format!("SELECT {columns} FROM states WHERE id = ?1"))?
            .query_row([context.state], |row| Ok(Tally { count: row.get(0)?, sum: row.get(1)? }))?;
        if *self == written {
            return Ok(());
        }
        let reason = if self.count == written.count {
            format!("the {what} are not those that were written")
        } else {
            format!("{} {what} were found of {} that were written", self.count, written.count)
        };
        Err(context.damaged(reason))
    }
}

/// All records, ordered by address, current objects first.
pub(super) fn all(context: &Context<'_>) -> Result<Vec<ResourceRecord>, Fault> {
    let mut statement = context.conn.prepare_cached(
        "SELECT address, deposed, kind, id, provider, inputs_digest, dependencies, payload, checksum
         FROM resources WHERE state = ?1 ORDER BY address, deposed",
    )?;
    let mut rows = statement.query([context.state])?;
    let mut records = Vec::new();
    let mut tally = Tally::default();
    while let Some(row) = rows.next()? {
        records.push(read(context, row)?);
        tally.add(row.get(8)?);
    }
    tally.compare(context, "records", "record_count, record_sum")?;
    Ok(records)
}

fn read(context: &Context<'_>, row: &Row<'_>) -> Result<ResourceRecord, Fault> {
    // Borrowed: a state has many rows, and this text is only looked at.
    let dependencies = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
    let mut record = ResourceRecord {
        address: row.get(0)?,
        deposed: row.get(1)?,
        kind: row.get(2)?,
        id: row.get(3)?,
        provider: row.get(4)?,
        inputs_digest: row.get(5)?,
        dependencies: Vec::new(),
        payload: row.get(7)?,
    };
    let expected: u32 = row.get(8)?;
    if sum(&record, dependencies) != expected {
        return Err(context.damaged(format!("the record of {} does not match its checksum", record.address)));
    }
    record.dependencies = parse_dependencies(context, &record.address, dependencies)?;
    Ok(record)
}

fn sum(record: &ResourceRecord, dependencies: &str) -> u32 {
    checksum([
        &record.address,
        &record.deposed,
        &record.kind,
        &record.id,
        &record.provider,
        &record.inputs_digest,
        dependencies,
        &record.payload,
    ])
}

fn parse_dependencies(context: &Context<'_>, address: &str, text: &str) -> Result<Vec<String>, Fault> {
    serde_json::from_str(text)
        .map_err(|error| context.damaged(format!("the dependencies of {address} are not a list: {error}")))
}

/// Makes the changes in order and returns the serial after them.
pub(super) fn apply(context: &Context<'_>, changes: &[Change]) -> Result<u64, Fault> {
    if changes.is_empty() {
        return Ok(head(context)?.serial);
    }
    for change in changes {
        match change {
            Change::Put(record) => put(context, record)?,
            Change::Remove { address, deposed } => {
                context
                    .conn
                    .prepare_cached(
                        "DELETE FROM resources WHERE state = ?1 AND address = ?2 AND deposed = ?3",
                    )?
                    .execute((context.state, address, deposed))?;
            }
            Change::Move { from, to } => rename(context, from, to)?,
            Change::Depose { address, deposed } => depose(context, address, deposed)?,
        }
    }
    Ok(context
        .conn
        .prepare_cached("UPDATE states SET serial = serial + 1 WHERE id = ?1 RETURNING serial")?
        .query_row([context.state], |row| row.get(0))?)
}

/// Writes one record.
pub(super) fn put(context: &Context<'_>, record: &ResourceRecord) -> Result<(), Fault> {
    let dependencies = serde_json::to_string(&record.dependencies).map_err(|error| StoreError::Backend {
        operation: context.operation,
        place: context.place.to_owned(),
        reason: format!("the dependencies of {} are no JSON: {error}", record.address),
    })?;
    context
        .conn
        .prepare_cached(
            "INSERT INTO resources
                (state, address, deposed, kind, id, provider, inputs_digest, dependencies, payload, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (state, address, deposed) DO UPDATE SET
                kind = ?4, id = ?5, provider = ?6, inputs_digest = ?7, dependencies = ?8, payload = ?9,
                checksum = ?10",
        )?
        .execute((
            context.state,
            &record.address,
            &record.deposed,
            &record.kind,
            &record.id,
            &record.provider,
            &record.inputs_digest,
            &dependencies,
            &record.payload,
            sum(record, &dependencies),
        ))?;
    Ok(())
}

/// The objects recorded under one address, the current one first.
pub(super) fn objects(context: &Context<'_>, address: &str) -> Result<Vec<ResourceRecord>, Fault> {
    let mut statement = context.conn.prepare_cached(
        "SELECT address, deposed, kind, id, provider, inputs_digest, dependencies, payload, checksum
         FROM resources WHERE state = ?1 AND address = ?2 ORDER BY deposed",
    )?;
    let mut rows = statement.query((context.state, address))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(read(context, row)?);
    }
    Ok(records)
}

/// Takes a record out and puts it back under another name: the checksum covers the name.
fn replace(context: &Context<'_>, old: &ResourceRecord, new: &ResourceRecord) -> Result<(), Fault> {
    context
        .conn
        .prepare_cached("DELETE FROM resources WHERE state = ?1 AND address = ?2 AND deposed = ?3")?
        .execute((context.state, &old.address, &old.deposed))?;
    put(context, new)
}

fn rename(context: &Context<'_>, from: &str, to: &str) -> Result<(), Fault> {
    let found = objects(context, from)?;
    if found.is_empty() {
        return Err(conflict(from, "nothing is recorded under that address"));
    }
    if !objects(context, to)?.is_empty() {
        return Err(conflict(to, "something is recorded under that address already"));
    }
    for old in found {
        let new = ResourceRecord { address: to.to_owned(), ..old.clone() };
        replace(context, &old, &new)?;
    }
    // Dependants are few and renames rare: a scan, and then each row by its own list.
    let mut statement = context
        .conn
        .prepare_cached("SELECT address FROM resources WHERE state = ?1 AND instr(dependencies, ?2) > 0")?;
    let dependants: Vec<String> = statement
        .query_map((context.state, json_inner(from)), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for address in dependants {
        for mut record in objects(context, &address)? {
            let before = record.dependencies.clone();
            for dependency in record.dependencies.iter_mut().filter(|dependency| *dependency == from) {
                to.clone_into(dependency);
            }
            if record.dependencies != before {
                put(context, &record)?;
            }
        }
    }
    Ok(())
}

/// The text as it stands inside a JSON string.
fn json_inner(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.trim_matches('"').to_owned()
}

fn depose(context: &Context<'_>, address: &str, deposed: &str) -> Result<(), Fault> {
    if deposed.is_empty() {
        return Err(conflict(address, "an old copy needs a key"));
    }
    let taken = context
        .conn
        .prepare_cached("SELECT 1 FROM resources WHERE state = ?1 AND address = ?2 AND deposed = ?3")?
        .query_row((context.state, address, deposed), |_| Ok(()))
        .optional()?;
    if taken.is_some() {
        return Err(conflict(address, &format!("it has an old copy {deposed} already")));
    }
    match objects(context, address)?.into_iter().find(|record| record.deposed.is_empty()) {
        Some(old) => replace(context, &old, &ResourceRecord { deposed: deposed.to_owned(), ..old.clone() }),
        None => Err(conflict(address, "no current object is recorded under that address")),
    }
}

fn conflict(address: &str, reason: &str) -> Fault {
    StoreError::Conflict { address: address.to_owned(), reason: reason.to_owned() }.into()
}
