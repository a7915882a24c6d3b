//! Copies of the file beside it, one for each of the last serials that a run began at.
//!
//! A run that writes begins with a copy, once; its steps cost nothing more. The bounds are hard: [`KEPT`] copies of
//! a state, [`BYTES_MAX`] for all of them together, and no second copy of a serial that has one. A copy is the whole
//! file, with every state in it, and is itself a state that can be opened.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::failure::translate;
use super::open;
use crate::error::StoreError;

/// How many copies of one state are kept.
const KEPT: usize = 10;

/// The most that all copies take together, in bytes; the newest is kept whatever its size. A file that is larger by
/// itself is not copied: at that size a copy is no longer cheap, and belongs to the machine's own backup.
const BYTES_MAX: u64 = 512 << 20;

const OPERATION: &str = "back up the state";

/// Which copy: the state that a run begins on, as it is then.
pub(super) struct Occasion {
    pub(super) stack: String,
    pub(super) environment: String,
    pub(super) lineage: String,
    pub(super) serial: u64,
}

impl Occasion {
    fn prefix(&self) -> String {
        format!("{}.{}.", self.stack, self.environment)
    }

    /// Two states of one name are told apart by their lineage.
    fn name(&self) -> String {
        let lineage: String = self.lineage.chars().take(8).collect();
        format!("{}{lineage}.{:08}.db", self.prefix(), self.serial)
    }
}

/// The folder of the copies: `shop.backup` beside `shop.db`.
pub(super) fn folder(file: &Path) -> PathBuf {
    match file.extension() {
        Some(extension) if extension == "db" => file.with_extension("backup"),
        _ => {
            let mut name = file.as_os_str().to_owned();
            name.push(".backup");
            name.into()
        }
    }
}

/// Copies the file, unless this serial has its copy, and drops the oldest. Blocks for as long as the copying takes.
pub(super) fn take(file: &Path, occasion: &Occasion, place: &str) -> Result<(), StoreError> {
    let explain_io = |error: std::io::Error| StoreError::from_io(OPERATION, place, &error);
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let folder = folder(file);
    let target = folder.join(occasion.name());
    let size = fs::metadata(file).map_err(explain_io)?.len();
    if size > BYTES_MAX || target.exists() {
        return Ok(());
    }
    open::make_directory(&folder).map_err(explain_io)?;
    // Mode 0600 from its first byte, and under its name only when it is whole.
    let draft =
        tempfile::Builder::new().prefix(".state-").suffix(".new").tempfile_in(&folder).map_err(explain_io)?;
    let source = open::connect(file, place)?;
    let mut copy = Connection::open_with_flags(draft.path(), open::flags()).map_err(explain)?;
    let copying = Backup::new(&source, &mut copy).map_err(explain)?;
    // All pages in one step: readers and writers of a file in WAL mode are not held up by it.
    if copying.step(-1).map_err(explain)? != StepResult::Done {
        return Err(StoreError::Busy { operation: OPERATION, place: place.to_owned(), waited_ms: 0 });
    }
    drop(copying);
    copy.close().map_err(|(_, error)| explain(error))?;
    draft.as_file().sync_all().map_err(explain_io)?;
    draft.persist(&target).map_err(|error| explain_io(error.error))?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(explain_io)?;
    prune(&folder, &occasion.prefix()).map_err(explain_io)
}

struct Copy {
    path: PathBuf,
    bytes: u64,
    made: SystemTime,
}

/// The copies in the folder, newest first.
fn copies(folder: &Path) -> std::io::Result<Vec<Copy>> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            let file = entry.metadata()?;
            copies.push(Copy { path, bytes: file.len(), made: file.modified()? });
        }
    }
    copies.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| b.path.cmp(&a.path)));
    Ok(copies)
}

fn prune(folder: &Path, prefix: &str) -> std::io::Result<()> {
    let (mut of_state, mut bytes) = (0, 0);
    for (at, copy) in copies(folder)?.iter().enumerate() {
        let own = copy.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        of_state += usize::from(own);
        bytes += copy.bytes;
        if at > 0 && (own && of_state > KEPT || bytes > BYTES_MAX) {
            fs::remove_file(&copy.path)?;
        }
    }
    Ok(())
}

/// Removes every copy, and what is left of one that was not completed. Returns how many.
pub(super) fn remove_all(file: &Path) -> std::io::Result<usize> {
    let folder = folder(file);
    if !folder.try_exists()? {
        return Ok(0);
    }
    let mut removed = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db" || extension == "new") {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    File::open(&folder)?.sync_all()?;
    Ok(removed)
}

/// The newest copy that is whole, if there is one.
fn newest_good(file: &Path) -> Option<PathBuf> {
    let copies = copies(&folder(file)).ok()?;
    copies.into_iter().map(|copy| copy.path).find(|path| is_good(path))
}

fn is_good(path: &Path) -> bool {
    // Nobody writes to a copy: opened as any other file, it would get a log beside it.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let check = || -> rusqlite::Result<bool> {
        let conn = Connection::open_with_flags(open::immutable(path), flags)?;
        let report: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(report == "ok")
    };
    check().unwrap_or(false)
}

/// A file that is gone while copies of it are left was lost: it is never taken for "nothing exists".
pub(super) fn refuse_lost(file: &Path, place: &str) -> Result<(), StoreError> {
    let folder = folder(file);
    if !copies(&folder).is_ok_and(|copies| !copies.is_empty()) {
        return Ok(());
    }
    let backup = newest_good(file).map(|path| path.display().to_string());
    Err(StoreError::Lost { place: place.to_owned(), copies: folder.display().to_string(), backup })
}

/// Names the newest good copy in an error that the file is damaged.
pub(super) fn advise(error: StoreError, file: &Path) -> StoreError {
    match error {
        StoreError::Damaged { operation, place, reason, backup: None } => {
            let backup = newest_good(file).map(|path| path.display().to_string());
            StoreError::Damaged { operation, place, reason, backup }
        }
        other => other,
    }
}
