//! What makes a file ours, and how its schema grows from version to version.
//!
//! `application_id` says whose file it is, `user_version` which schema it has. Both are written in the same
//! transaction as the tables, so that no file is ever half one version and half another.

use rusqlite::{Connection, TransactionBehavior};

/// Written to the header of every state file: "Sfst".
pub(super) const APPLICATION_ID: i64 = 0x5366_7374;

/// What takes a file from version N to N + 1, N being the index. Never edit one that was released.
const MIGRATIONS: &[&str] =
    &[include_str!("../../migrations/0001.sql"), include_str!("../../migrations/0002.sql")];

/// The version that this build writes.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The oldest version that this build can migrate.
pub(super) const OLDEST_VERSION: i64 = 1;

/// Brings the file to [`SCHEMA_VERSION`], from an empty one too.
pub(super) fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    migrate_with(conn, MIGRATIONS)
}

fn migrate_with(conn: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read inside the transaction: another process may have migrated in between.
    let version = version(&tx)?;
    for (step, sql) in migrations.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", step as i64 + 1)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.commit()
}

/// The schema version of the file.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whose file it is; 0 when nobody said.
pub(super) fn application_id(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "application_id", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_through_every_version_in_turn() {
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "INSERT INTO a VALUES (1, 2)"];
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_with(&mut conn, &steps[..1]).unwrap();
        assert_eq!(version(&conn).unwrap(), 1);
        migrate_with(&mut conn, &steps).unwrap();
        migrate_with(&mut conn, &steps).unwrap();
        assert_eq!(version(&conn).unwrap(), 3);
        let rows: i64 = conn.query_row("SELECT count(*) FROM a WHERE y = 2", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1, "each step runs once");
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_with(&mut conn, &["CREATE TABLE a (x)"]).unwrap();
        migrate_with(&mut conn, &["", "CREATE TABLE b (x)", "CREATE TABLE a (x)"]).unwrap_err();
        assert_eq!(version(&conn).unwrap(), 1);
        conn.execute_batch("CREATE TABLE b (x)").unwrap();
    }
}
