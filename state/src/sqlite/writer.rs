//! The threads that own the connections: one writes, one reads.
//!
//! The writer takes everything that waits into one transaction and answers all of it after one commit. While
//! the disk flushes one batch the next one gathers, so that sixteen parallel steps cost few flushes and a lone
//! one is never delayed. Each job has its own savepoint: one that fails takes nothing of the others with it.
//!
//! A caller that stops waiting does not take its write back.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::{Connection, ffi};
use tokio::sync::oneshot;

use super::failure::{Fault, translate};
use crate::error::StoreError;

/// The most jobs that share one transaction.
const BATCH_MAX: usize = 512;

/// What a job works with.
pub(super) struct Context<'a> {
    pub(super) conn: &'a Connection,
    /// The state's row.
    pub(super) state: i64,
    /// Completes "could not ...".
    pub(super) operation: &'static str,
    pub(super) place: &'a str,
}

impl Context<'_> {
    /// The error for data that does not hold together.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> Fault {
        StoreError::Damaged {
            operation: self.operation,
            place: self.place.to_owned(),
            reason: reason.into(),
            backup: None,
        }
        .into()
    }
}

/// What a worker's connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Batches in one immediate transaction each.
    Write,
    /// One consistent read a job.
    Read,
}

/// One connection on its own thread. Dropping it closes the connection, after what was sent is done.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    place: String,
}

impl Worker {
    /// Starts the thread. `file` is watched for being removed or replaced under the open connection.
    pub(super) fn spawn(
        role: Role,
        conn: Connection,
        state: i64,
        place: &str,
        file: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel::<Box<dyn Job>>();
        let place = place.to_owned();
        let mut desk = Desk {
            conn,
            state,
            place: place.clone(),
            watch: file.as_deref().and_then(Watch::new),
            stopped: None,
        };
        let name = match role {
            Role::Write => "state-writer",
            Role::Read => "state-reader",
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Ok(first) = queue.recv() {
                    match role {
                        Role::Write => {
                            let mut batch = vec![first];
                            batch.extend(queue.try_iter().take(BATCH_MAX - 1));
                            desk.write(batch);
                        }
                        Role::Read => desk.read(first),
                    }
                }
            })
            .map_err(|error| StoreError::from_io("start the state's thread", &place, &error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), place })
    }

    /// Sends a job and waits for its answer. `operation` completes "could not ...".
    pub(super) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, wait) = oneshot::channel();
        let job = Box::new(Call { operation, work: Some(work), result: None, answer });
        let closed = || StoreError::Closed {
            operation,
            place: self.place.clone(),
            reason: "its thread has ended".to_owned(),
        };
        self.jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())?;
        wait.await.map_err(|_| closed())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

/// A job with its type forgotten.
trait Job: Send {
    fn operation(&self) -> &'static str;
    /// Does the work and keeps the result. An error says that the work failed, with SQLite's code if it was SQLite.
    fn run(&mut self, context: &Context<'_>) -> Result<(), Option<ffi::Error>>;
    /// Answers: the kept result, or `failure` in its place.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Call<T, F> {
    operation: &'static str,
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Context<'_>) -> Result<T, Fault> + Send> Job for Call<T, F> {
    fn operation(&self) -> &'static str {
        self.operation
    }

    fn run(&mut self, context: &Context<'_>) -> Result<(), Option<ffi::Error>> {
        let result = self.work.take().map(|work| work(context));
        let failure = match &result {
            Some(Ok(_)) => Ok(()),
            Some(Err(Fault::Sql(error))) => Err(error.sqlite_error().copied()),
            Some(Err(Fault::State(_))) | None => Err(None),
        };
        let explain = |fault: Fault| fault.into_error(self.operation, context.place);
        self.result = result.map(|result| result.map_err(explain));
        failure
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (failure, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => return,
        };
        // Nobody waits any more when this fails; the write stands.
        let _ = self.answer.send(result);
    }
}

/// The thread's side: the connection and what is known about it.
struct Desk {
    conn: Connection,
    state: i64,
    place: String,
    watch: Option<Watch>,
    /// Why nothing may be written any more.
    stopped: Option<String>,
}

impl Desk {
    fn context(&self, operation: &'static str) -> Context<'_> {
        Context { conn: &self.conn, state: self.state, operation, place: &self.place }
    }

    fn read(&self, mut job: Box<dyn Job>) {
        let operation = job.operation();
        let failure = match self.conn.unchecked_transaction() {
            Ok(_reading) => {
                // The job keeps its own failure, and a read leaves nothing to undo.
                let _ = job.run(&self.context(operation));
                None
            }
            Err(error) => Some(translate(&error, operation, &self.place)),
        };
        job.answer(failure);
    }

    fn write(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let place = self.place.clone();
        let refuse = |batch: Vec<Box<dyn Job>>, error: &dyn Fn(&'static str) -> StoreError| {
            for job in batch {
                let failure = error(job.operation());
                job.answer(Some(failure));
            }
        };
        if let Some(reason) = self.stopped.clone() {
            return refuse(batch, &|operation| StoreError::Closed {
                operation,
                place: place.clone(),
                reason: reason.clone(),
            });
        }
        if self.watch.as_ref().is_some_and(|watch| !watch.in_place()) {
            return refuse(batch, &|operation| StoreError::Moved { operation, place: place.clone() });
        }
        match self.commit(&mut batch) {
            Ok(()) => batch.into_iter().for_each(|job| job.answer(None)),
            Err(error) => {
                if let failure @ StoreError::Io { .. } = translate(&error, "write", &place) {
                    // After a failed flush the kernel may have dropped the pages: only a fresh open tells what is there.
                    self.stopped = Some(format!("an earlier write failed: {failure}"));
                }
                refuse(batch, &|operation| translate(&error, operation, &place));
            }
        }
    }

    /// Runs the batch in one transaction. An error means that none of it was kept.
    fn commit(&self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let run = |sql: &str| self.conn.prepare_cached(sql)?.execute([]);
        run("BEGIN IMMEDIATE")?;
        let done = batch.iter_mut().try_for_each(|job| {
            run("SAVEPOINT job")?;
            let operation = job.operation();
            if let Err(code) = job.run(&self.context(operation)) {
                if let (Some(code), true) = (code, self.conn.is_autocommit()) {
                    // A full disk and the like: SQLite has rolled the whole transaction back by itself.
                    return Err(rusqlite::Error::SqliteFailure(code, None));
                }
                run("ROLLBACK TO job")?;
            }
            run("RELEASE job").map(drop)
        });
        let done = done.and_then(|()| run("COMMIT").map(drop));
        if done.is_err() && !self.conn.is_autocommit() {
            run("ROLLBACK")?;
        }
        done
    }
}

/// Notices when a path no longer leads to the file that was opened.
struct Watch {
    path: PathBuf,
    file: (u64, u64),
}

impl Watch {
    fn new(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), file: identity(path)? })
    }

    fn in_place(&self) -> bool {
        identity(&self.path) == Some(self.file)
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}
