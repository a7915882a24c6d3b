//! The default store: one SQLite file, which may hold many stacks and environments.
//!
//! WAL with `synchronous=FULL`: a write that returned survives a power cut, and readers never wait for the
//! writer. Two connections on two threads (`writer`), the file checked before it is trusted (`open`), everything
//! that is said to SQLite in `records`, `journal`, `history`, `lease` and `transfer`.

mod backup;
mod failure;
mod history;
mod journal;
mod lease;
mod open;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod transfer;
mod wipe;
mod writer;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::export::Export;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::{Change, Head, ResourceRecord, Snapshot, StackId};
use crate::store::{OpenMode, Store};
use failure::{Fault, translate};
use writer::{Context, Role, Worker};

/// One state in an SQLite file or in memory. Dropping it closes the file in order.
pub struct SqliteStore {
    // Dropped first: the last connection to close folds the log into the file, and that is the writer's work.
    reader: Option<Worker>,
    writer: Worker,
    place: String,
    /// The file, and which state in it; `None` in memory and where nothing is written.
    backed_up: Option<(PathBuf, StackId)>,
    file: Option<PathBuf>,
}

/// Opens the state of `stack` in the file at `path`. Blocks for the opening.
///
/// # Errors
/// Each way in which a file can be no usable state has its own [`StoreError`], with the next move in its hint.
pub fn open_sqlite(
    path: impl AsRef<Path>,
    stack: &StackId,
    mode: OpenMode,
) -> Result<SqliteStore, StoreError> {
    let path = path.as_ref();
    let place = format!("sqlite:{}", path.display());
    // The working directory may change under an open store.
    let file =
        std::path::absolute(path).map_err(|error| StoreError::from_io("open the state", &place, &error))?;
    open_file(&file, stack, mode, &place).map_err(|error| backup::advise(error, &file))
}

fn open_file(file: &Path, stack: &StackId, mode: OpenMode, place: &str) -> Result<SqliteStore, StoreError> {
    if mode == OpenMode::ReadOnly {
        let mut conn = open::prepare_read_only(file, place)?;
        let state = open::state_row(&mut conn, stack, mode, place)?;
        let writer = Worker::spawn(Role::Read, conn, state, place, None)?;
        let (place, file) = (place.to_owned(), Some(file.to_owned()));
        return Ok(SqliteStore { reader: None, writer, place, backed_up: None, file });
    }
    let mut conn = open::prepare(file, mode, place)?;
    let state = open::state_row(&mut conn, stack, mode, place)?;
    let reading = open::connect(file, place)?;
    reading
        .pragma_update(None, "query_only", true)
        .map_err(|error| translate(&error, "open the state", place))?;
    let mut store = assemble(conn, Some(reading), state, place.to_owned(), Some(file.to_owned()))?;
    store.backed_up = Some((file.to_owned(), stack.clone()));
    Ok(store)
}

/// A state in memory, gone when it is dropped: for tests, benches and plans on a world without a state.
///
/// # Errors
/// Only when SQLite cannot be had at all.
pub fn open_memory(stack: &StackId) -> Result<SqliteStore, StoreError> {
    let place = "memory".to_owned();
    let explain = |error: rusqlite::Error| translate(&error, "open the state", "memory");
    let mut conn = Connection::open_in_memory().map_err(explain)?;
    open::configure(&conn).map_err(explain)?;
    schema::migrate(&mut conn).map_err(explain)?;
    let state = open::state_row(&mut conn, stack, OpenMode::Create, &place)?;
    assemble(conn, None, state, place, None)
}

fn assemble(
    writing: Connection,
    reading: Option<Connection>,
    state: i64,
    place: String,
    file: Option<PathBuf>,
) -> Result<SqliteStore, StoreError> {
    let writer = Worker::spawn(Role::Write, writing, state, &place, file.clone())?;
    let reader = match reading {
        Some(conn) => Some(Worker::spawn(Role::Read, conn, state, &place, None)?),
        None => None,
    };
    Ok(SqliteStore { reader, writer, place, backed_up: None, file })
}

impl SqliteStore {
    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = self.reader.as_ref().unwrap_or(&self.writer);
        reader.call(operation, work).await.map_err(|error| self.advise(error))
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.call(operation, work).await.map_err(|error| self.advise(error))
    }

    fn advise(&self, error: StoreError) -> StoreError {
        match &self.file {
            Some(file) => backup::advise(error, file),
            None => error,
        }
    }

    /// Copies the file as it is before a run.
    async fn back_up(&self) -> Result<(), StoreError> {
        let Some((file, stack)) = self.backed_up.clone() else { return Ok(()) };
        let Head { lineage, serial } = self.head().await?;
        let StackId { stack, environment } = stack;
        let occasion = backup::Occasion { stack, environment, lineage, serial };
        let place = self.place.clone();
        self.aside("back up the state", move || backup::take(&file, &occasion, &place)).await
    }

    /// Work on the whole file, on a thread and a connection of its own.
    async fn aside<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, wait) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("state-aside".to_owned())
            .spawn(move || {
                // Nobody waits any more when this fails.
                let _ = answer.send(work());
            })
            .map_err(|error| StoreError::from_io(operation, &self.place, &error))?;
        let closed = |_| StoreError::Closed {
            operation,
            place: self.place.clone(),
            reason: "its thread has ended".to_owned(),
        };
        wait.await.map_err(closed)?
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.read("read the state", records::head).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read("read the state", |context| {
            Ok(Snapshot {
                head: records::head(context)?,
                resources: records::all(context)?,
                open_intents: journal::open(context)?,
            })
        })
        .await
    }

    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError> {
        let address = address.to_owned();
        self.read("read the state", move |context| records::objects(context, &address)).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError> {
        let request = request.clone();
        match self.write("lock the state", move |context| lease::claim(context, &request)).await? {
            lease::Claim::Granted(lease) => Ok(lease),
            lease::Claim::Refused(holder) => {
                Err(StoreError::Locked { place: self.place.clone(), holder: Box::new(holder) })
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write("renew the lock", move |context| lease::renew(context, &lease)).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.write("release the lock", move |context| lease::release(context, &lease)).await
    }

    async fn break_lock(&self) -> Result<Option<Holder>, StoreError> {
        self.write("break the lock", lease::break_lock).await
    }

    async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        self.read("read the lock", lease::holder).await
    }

    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError> {
        self.back_up().await?;
        let (lease, start) = (lease.clone(), start.clone());
        self.write("begin a run", move |context| history::begin(context, &lease, &start)).await
    }

    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        result: &str,
        summary: &str,
    ) -> Result<(), StoreError> {
        let (lease, result, summary) = (lease.clone(), result.to_owned(), summary.to_owned());
        self.write("end the run", move |context| history::end(context, &lease, run, &result, &summary)).await
    }

    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError> {
        let (lease, intent) = (lease.clone(), intent.clone());
        self.write("write an intent", move |context| journal::intend(context, &lease, &intent)).await
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError> {
        let (lease, outcome, changes) = (lease.clone(), outcome.clone(), changes.to_vec());
        self.write("write an outcome", move |context| {
            journal::settle(context, &lease, intent, &outcome, &changes)
        })
        .await
    }

    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError> {
        let (lease, changes) = (lease.clone(), changes.to_vec());
        self.write("change the records", move |context| {
            lease::verify(context, &lease)?;
            records::apply(context, &changes)
        })
        .await
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        self.read("read the history", move |context| history::latest(context, limit)).await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError> {
        self.read("read the history", move |context| history::detail(context, id)).await
    }

    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError> {
        let lease = lease.clone();
        self.write("prune the history", move |context| history::prune(context, &lease, keep_runs)).await
    }

    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError> {
        let (lease, plan_id) = (lease.clone(), plan_id.to_owned());
        self.write("use the saved plan", move |context| history::consume_plan(context, &lease, &plan_id))
            .await
    }

    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        self.read("read a value", move |context| history::get_meta(context, &key)).await
    }

    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError> {
        let (lease, key, value) = (lease.cloned(), key.to_owned(), value.to_owned());
        self.write("write a value", move |context| {
            if let Some(lease) = &lease {
                lease::verify(context, lease)?;
            }
            history::put_meta(context, &key, &value)
        })
        .await
    }

    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError> {
        // A look first: most often it is there, and a reader needs no more.
        if let Some(found) = self.get_meta(key).await? {
            return Ok(found);
        }
        let (key, value) = (key.to_owned(), value.to_owned());
        self.write("write a value", move |context| match history::get_meta(context, &key)? {
            Some(found) => Ok(found),
            None => history::put_meta(context, &key, &value).map(|()| value),
        })
        .await
    }

    async fn export(&self) -> Result<Export, StoreError> {
        self.read("export the state", transfer::export).await
    }

    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError> {
        self.back_up().await?;
        let (lease, export) = (lease.clone(), export.clone());
        self.write("import into the state", move |context| transfer::import(context, &lease, &export)).await
    }

    async fn wipe(&self) -> Result<Option<usize>, StoreError> {
        match self.file.clone() {
            Some(file) => {
                let place = self.place.clone();
                self.aside("wipe the state", move || wipe::run(&file, &place)).await.map(Some)
            }
            None => Ok(Some(0)),
        }
    }
}

/// Moves a damaged file out of the way, with what SQLite keeps beside it, and returns its new path. The copies stay.
///
/// # Errors
/// As the system reports them.
pub fn set_aside_sqlite(path: &Path) -> Result<PathBuf, StoreError> {
    let explain =
        |error| StoreError::from_io("set the damaged state aside", &path.display().to_string(), &error);
    let beside = |base: &Path, suffix: &str| {
        let mut name = base.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (1..)
        .map(|number| beside(path, &format!(".damaged-{number}")))
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| beside(path, ".damaged"));
    // The log first: it must never lie beside another file than its own.
    for suffix in ["-wal", "-shm", ""] {
        match std::fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !suffix.is_empty() => {}
            moved => moved.map_err(explain)?,
        }
    }
    Ok(aside)
}
