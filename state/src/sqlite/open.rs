//! From a path to a connection that may be trusted: what is there, whose is it, which version, is it whole.
//!
//! A new file is built under another name and moved into place complete, so that a half-made state is never
//! seen, and an empty file is always somebody's accident: it is refused, never taken for "nothing exists".
//! The integrity check costs time with the size of the file: it runs on small ones, and on any that was not
//! closed in order.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::backup;
use super::failure::{BUSY_TIMEOUT_MS, Fault, translate};
use super::records::checksum;
use super::schema;
use crate::error::StoreError;
use crate::host;
use crate::record::StackId;
use crate::store::OpenMode;

/// Files up to this size are checked on every opening, in bytes: 100,000 records take 0.12 s from the page cache, and
/// are read right after anyway.
const CHECK_ALWAYS_BYTES: u64 = 128 << 20;

/// The log grows to this many pages (of 4 KiB) before it is folded into the file: a page that many results
/// touch is then written there once.
const WAL_CHECKPOINT_PAGES: u32 = 4096;

/// The statements that a connection keeps prepared.
const STATEMENT_CACHE: usize = 64;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
const OPERATION: &str = "open the state";

/// Makes sure of the file: it is there, ours, of our version and whole. Returns a connection to it.
pub(super) fn prepare(path: &Path, mode: OpenMode, place: &str) -> Result<Connection, StoreError> {
    let present = path.try_exists().map_err(|error| StoreError::from_io(OPERATION, place, &error))?;
    match (present, mode) {
        (true, _) => {}
        (false, OpenMode::MustExist | OpenMode::ReadOnly) => {
            return Err(StoreError::Missing { place: place.to_owned() });
        }
        (false, OpenMode::Create) => {
            backup::refuse_lost(path, place)?;
            create(path, place)?;
        }
        (false, OpenMode::Anew) => create(path, place)?,
    }
    let suspicious = inspect(path, place)?;
    let opened = open_checked(path, suspicious, place);
    if let Err(StoreError::CannotOpen { .. }) = opened {
        // SQLite says no more than that; most often it is the files beside it that cannot be made.
        probe(path).map_err(|error| StoreError::from_io(OPERATION, place, &error))?;
    }
    opened
}

/// A connection that writes nothing, also where nothing can be written.
pub(super) fn prepare_read_only(path: &Path, place: &str) -> Result<Connection, StoreError> {
    if !path.try_exists().map_err(|error| StoreError::from_io(OPERATION, place, &error))? {
        return Err(StoreError::Missing { place: place.to_owned() });
    }
    let suspicious = inspect(path, place)?;
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match read_only(path, flags).map_err(explain) {
        // A log needs a file for its index beside it. Without a log there is nothing to be missed in the file alone,
        // which cannot change where nobody can write.
        Err(StoreError::CannotOpen { .. } | StoreError::ReadOnly { .. }) if log_bytes(path) == 0 => {
            read_only(&immutable(path), flags | OpenFlags::SQLITE_OPEN_URI).map_err(explain)?
        }
        Err(StoreError::CannotOpen { .. } | StoreError::ReadOnly { .. }) => {
            let reason =
                "the log beside it holds writes that must first be folded into the file, which needs \
                          the right to write"
                    .to_owned();
            return Err(StoreError::ReadOnly { operation: OPERATION, place: place.to_owned(), reason });
        }
        opened => opened?,
    };
    identify(&conn, place)?;
    if suspicious {
        check(&conn, place)?;
    }
    if schema::version(&conn).map_err(explain)? < schema::SCHEMA_VERSION {
        let reason = "its schema must be migrated first".to_owned();
        return Err(StoreError::ReadOnly { operation: OPERATION, place: place.to_owned(), reason });
    }
    Ok(conn)
}

fn read_only(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn)?;
    // The first look at the file, where it fails if it must.
    schema::version(&conn)?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

/// The path as a URI that promises SQLite a file that nobody changes: <https://sqlite.org/uri.html>.
pub(super) fn immutable(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

/// Fails as the system does when the file cannot be written or none can be made beside it.
fn probe(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?;
    tempfile::Builder::new().prefix(".state-").suffix(".probe").tempfile_in(directory_of(path))?;
    Ok(())
}

/// The directory that the file is in.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn open_checked(path: &Path, suspicious: bool, place: &str) -> Result<Connection, StoreError> {
    let mut conn = connect(path, place)?;
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    if conn.is_readonly("main").map_err(explain)? {
        let reason = "no write permission".to_owned();
        return Err(StoreError::ReadOnly { operation: OPERATION, place: place.to_owned(), reason });
    }
    identify(&conn, place)?;
    if suspicious {
        check(&conn, place)?;
    }
    if is_truncated(path).map_err(|error| StoreError::from_io(OPERATION, place, &error))? {
        let reason = "the file is shorter than its header says".to_owned();
        return Err(StoreError::Damaged {
            operation: OPERATION,
            place: place.to_owned(),
            reason,
            backup: None,
        });
    }
    if schema::version(&conn).map_err(explain)? < schema::SCHEMA_VERSION {
        schema::migrate(&mut conn).map_err(explain)?;
    }
    Ok(conn)
}

/// Builds the file beside its place and moves it there. Another process may win; its file is as good.
fn create(path: &Path, place: &str) -> Result<(), StoreError> {
    const OPERATION: &str = "make the state";
    let explain_io = |error: io::Error| StoreError::from_io(OPERATION, place, &error);
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let directory = directory_of(path);
    make_directory(directory).map_err(explain_io)?;
    // Mode 0600 from its first byte; the -wal and -shm files take theirs from it.
    let draft = tempfile::Builder::new()
        .prefix(".state-")
        .suffix(".new")
        .tempfile_in(directory)
        .map_err(explain_io)?;
    let mut conn = Connection::open_with_flags(draft.path(), flags()).map_err(explain)?;
    schema::migrate(&mut conn).map_err(explain)?;
    conn.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;
    conn.close().map_err(|(_, error)| explain(error))?;
    match draft.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(explain_io(error.error)),
    }
    // The name is as durable as what is in the file only once the directory is flushed.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(explain_io)
}

#[cfg(unix)]
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

pub(super) fn flags() -> OpenFlags {
    // Never CREATE: an empty file would come of it. No URI: a path is a path.
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// A connection with our settings. Nothing is read or written yet.
pub(super) fn connect(path: &Path, place: &str) -> Result<Connection, StoreError> {
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let conn = Connection::open_with_flags(path, flags()).map_err(explain)?;
    configure(&conn).map_err(explain)?;
    Ok(conn)
}

/// Our settings for a connection, a file's or one in memory.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    conn.pragma_update(None, "synchronous", "FULL")?;
    // On macOS only this reaches the platter.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "cache_size", -8192)?;
    conn.pragma_update(None, "wal_autocheckpoint", WAL_CHECKPOINT_PAGES)
}

/// Reads the first bytes without SQLite, which would make files beside it. True when the file needs a check.
fn inspect(path: &Path, place: &str) -> Result<bool, StoreError> {
    let explain = |error: io::Error| StoreError::from_io(OPERATION, place, &error);
    // Asked before it is opened: a pipe would wait for a writer for ever.
    let kind = fs::metadata(path).map_err(explain)?.file_type();
    if !kind.is_file() {
        let reason = if kind.is_dir() { "it is a directory" } else { "it is a pipe or a device, not a file" };
        let (place, reason) = (place.to_owned(), reason.to_owned());
        return Err(StoreError::CannotOpen { operation: OPERATION, place, reason });
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let mut file = File::open(path).map_err(explain)?;
    file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(explain)?;
    let length = file.metadata().map_err(explain)?.len();
    let place = place.to_owned();
    if header.is_empty() {
        return Err(StoreError::Empty { place });
    }
    let damaged = |reason: String| StoreError::Damaged {
        operation: OPERATION,
        place: place.clone(),
        reason,
        backup: None,
    };
    if !header.starts_with(&MAGIC[..header.len().min(MAGIC.len())]) {
        if word(&header, 68) == Some(schema::APPLICATION_ID as u32) {
            return Err(damaged("the first bytes of the file are not its own".to_owned()));
        }
        return Err(StoreError::Foreign { place, reason: "not an SQLite file".to_owned() });
    }
    if header.len() < HEADER_BYTES {
        return Err(damaged(format!("only {length} bytes are left of the file")));
    }
    Ok(log_bytes(path) > 0 || length <= CHECK_ALWAYS_BYTES || is_truncated(path).map_err(explain)?)
}

/// Whether pages are missing at the end. SQLite itself does not notice when it is less than one. While there is a
/// log, another process may be folding it into the file, and the header runs ahead.
fn is_truncated(path: &Path) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    let before = log_bytes(path);
    let mut file = File::open(path)?;
    file.read_exact(&mut header)?;
    let length = file.metadata()?.len();
    // <https://sqlite.org/fileformat2.html#the_database_header>
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = word(&header, 28).unwrap_or(0);
    Ok(before == 0 && u64::from(pages) * page_bytes > length && log_bytes(path) == 0)
}

/// The size of the log beside the file.
fn log_bytes(path: &Path) -> u64 {
    fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len())
}

/// A big-endian number of the header.
fn word(header: &[u8], at: usize) -> Option<u32> {
    header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The path of a file that SQLite keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses what is not ours or not our version, before anything is written.
fn identify(conn: &Connection, place: &str) -> Result<(), StoreError> {
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let place = place.to_owned();
    let application = schema::application_id(conn).map_err(explain)?;
    if application != schema::APPLICATION_ID {
        let reason = match application {
            0 => "an SQLite file that says no application".to_owned(),
            other => format!("an SQLite file of application {other:#x}"),
        };
        return Err(StoreError::Foreign { place, reason });
    }
    match schema::version(conn).map_err(explain)? {
        found if found > schema::SCHEMA_VERSION => {
            Err(StoreError::Newer { place, found, supported: schema::SCHEMA_VERSION })
        }
        found if found < schema::OLDEST_VERSION => {
            Err(StoreError::TooOld { place, found, oldest: schema::OLDEST_VERSION })
        }
        _ => Ok(()),
    }
}

/// SQLite's own check of the file's structure: <https://sqlite.org/pragma.html#pragma_quick_check>.
fn check(conn: &Connection, place: &str) -> Result<(), StoreError> {
    let report: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| translate(&error, OPERATION, place))?;
    match report.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged {
            operation: OPERATION,
            place: place.to_owned(),
            reason: report,
            backup: None,
        }),
    }
}

/// The row of the state, made when the mode says so.
pub(super) fn state_row(
    conn: &mut Connection,
    stack: &StackId,
    mode: OpenMode,
    place: &str,
) -> Result<i64, StoreError> {
    find_or_make(conn, stack, mode, place).map_err(|fault| fault.into_error(OPERATION, place))
}

fn find_or_make(conn: &mut Connection, stack: &StackId, mode: OpenMode, place: &str) -> Result<i64, Fault> {
    if let Some(state) = find(conn, stack, place)? {
        return Ok(state);
    }
    if !mode.makes() {
        let found = states(conn, place)?.into_iter().map(|(_, stack)| stack).collect();
        return Err(StoreError::NoSuchState { place: place.to_owned(), stack: stack.clone(), found }.into());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let lineage = uuid::Uuid::new_v4().to_string();
    tx.execute(
        "INSERT INTO states (stack, environment, lineage, checksum, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        (
            &stack.stack,
            &stack.environment,
            &lineage,
            checksum([&stack.stack, &stack.environment, &lineage]),
            host::now().wall_ms,
        ),
    )?;
    let state = find(&tx, stack, place)?;
    tx.commit()?;
    state.ok_or(Fault::Sql(rusqlite::Error::QueryReturnedNoRows))
}

fn find(conn: &Connection, stack: &StackId, place: &str) -> Result<Option<i64>, Fault> {
    Ok(states(conn, place)?.into_iter().find(|(_, found)| found == stack).map(|(state, _)| state))
}

/// All states of the file, in order of name. They are few, and each is verified: a state whose name a flipped bit
/// had changed would else be missing, and a new and empty one be made in its place.
fn states(conn: &Connection, place: &str) -> Result<Vec<(i64, StackId)>, Fault> {
    // NOT INDEXED: the rows themselves, not what an index says of them.
    let mut statement = conn.prepare(
        "SELECT id, stack, environment, lineage, checksum FROM states NOT INDEXED ORDER BY stack, environment",
    )?;
    let mut rows = statement.query([])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let stack = StackId { stack: row.get(1)?, environment: row.get(2)? };
        let (lineage, expected): (String, u32) = (row.get(3)?, row.get(4)?);
        if checksum([&stack.stack, &stack.environment, &lineage]) != expected {
            let reason = format!("the name or lineage of {stack} does not match its checksum");
            return Err(StoreError::Damaged {
                operation: OPERATION,
                place: place.to_owned(),
                reason,
                backup: None,
            }
            .into());
        }
        states.push((row.get(0)?, stack));
    }
    Ok(states)
}
