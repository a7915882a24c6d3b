//! How a write becomes durable, over connections that break and servers that restart.
//!
//! Every write is one transaction that first locks the state's row: writers of one state go one after the other, and
//! what a transaction then reads of head and lock holds until its end. Intents, outcomes and heartbeats that wait at
//! the same time share a transaction, and their statements are sent without waiting for each other.
//!
//! A `COMMIT` without an answer may have been kept or not. It is never repeated blindly: each transaction notes its
//! number for this store in `writers`. The next connection takes the row's lock, which waits until the old transaction
//! has ended either way, and reads that number. Only when it is not there the work is done again.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::batch::{self, Quick};
use super::failure::Fault;
use super::lease::{self, LockRow};
use super::session::{Context, Patience, RECONNECT_MS, STATEMENT_TIMEOUT_MS, Session, explain};
use super::settings::Settings;
use crate::error::StoreError;
use crate::record::Head;

/// The most writes that share one transaction.
const BATCH_MAX: usize = 256;

/// How long a transaction may take before its connection counts as lost, in milliseconds: longer than the server
/// itself allows a statement, so that this is only for one that does not answer at all.
const TRANSACTION_MS: u64 = 4 * STATEMENT_TIMEOUT_MS;

const LOCK_STATE: &str =
    "SELECT lineage, serial, last_token, last_run FROM standfast.states WHERE id = $1 FOR NO KEY UPDATE";
const LAST_BATCH: &str = "SELECT batch FROM standfast.writers WHERE id = $1";
const NOTE_BATCH: &str =
    "INSERT INTO standfast.writers (id, state, batch, at) VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET batch = $3, at = clock_timestamp()";

/// How a state stood when its row was locked; nobody changes it until the transaction ends.
pub(super) struct Standing {
    pub(super) head: Head,
    pub(super) last_token: u64,
    pub(super) last_run: u64,
    /// The server's time.
    pub(super) now: SystemTime,
    pub(super) lock: Option<LockRow>,
}

/// A future that borrows.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// The writing side of a store.
pub(super) struct Writer {
    settings: Settings,
    state: i64,
    /// Tells this store from every other in `writers`.
    id: Uuid,
    desk: tokio::sync::Mutex<Desk>,
    waiting: Mutex<Vec<Waiting>>,
}

struct Desk {
    session: Option<Session>,
    /// The number of the last transaction that is known to be kept.
    batch: i64,
}

struct Waiting {
    operation: &'static str,
    quick: Quick,
    answer: oneshot::Sender<Result<u64, StoreError>>,
}

/// How one attempt at a transaction ended.
enum Attempt<T> {
    /// Kept.
    Done(T),
    /// It is the attempt before that was kept after all.
    DoneBefore,
    /// Not kept.
    Failed(Fault),
    /// No answer came to the `COMMIT`: with what is to be told when it was kept.
    Unknown(T, String),
}

impl Writer {
    pub(super) fn new(settings: Settings, state: i64, session: Session) -> Self {
        let desk = tokio::sync::Mutex::new(Desk { session: Some(session), batch: 0 });
        Self { settings, state, id: Uuid::new_v4(), desk, waiting: Mutex::default() }
    }

    /// A write that may share its transaction with others. Answers with the number that the write is about.
    pub(super) async fn quick(
        self: &Arc<Self>,
        operation: &'static str,
        quick: Quick,
    ) -> Result<u64, StoreError> {
        let (answer, wait) = oneshot::channel();
        self.queue().push(Waiting { operation, quick, answer });
        let writer = Arc::clone(self);
        // A caller that stops waiting does not take its write back, nor those that share its transaction.
        tokio::spawn(async move { writer.write_waiting().await });
        wait.await.map_err(|_| self.closed(operation))?
    }

    /// A write of its own.
    pub(super) async fn alone<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        work: impl for<'a> Fn(Context<'a>, &'a Standing) -> Work<'a, T> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let writer = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut desk = writer.desk.lock().await;
            writer.transact(&mut desk, operation, &work).await
        });
        task.await.map_err(|_| self.closed(operation))?
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self, operation: &'static str) -> StoreError {
        let reason = "its task has ended".to_owned();
        StoreError::Closed { operation, place: self.settings.place.clone(), reason }
    }

    /// Writes what waits, if nobody did it yet.
    async fn write_waiting(&self) {
        let mut desk = self.desk.lock().await;
        let waiting: Vec<Waiting> = {
            let mut queue = self.queue();
            let count = queue.len().min(BATCH_MAX);
            queue.drain(..count).collect()
        };
        let Some(operation) = waiting.first().map(|first| first.operation) else { return };
        let mut senders = Vec::with_capacity(waiting.len());
        let mut jobs = Vec::with_capacity(waiting.len());
        for Waiting { operation, quick, answer } in waiting {
            senders.push(answer);
            jobs.push((operation, quick));
        }
        let jobs: Arc<[(&'static str, Quick)]> = jobs.into();
        let written = self
            .transact(&mut desk, operation, &|context, standing| {
                let jobs = Arc::clone(&jobs);
                Box::pin(async move { batch::write(context, standing, &jobs).await })
            })
            .await;
        drop(desk);
        // Nobody waits any more for an answer that cannot be sent; the write stands.
        match written {
            Ok(answers) => senders.into_iter().zip(answers).for_each(|(sender, answer)| {
                let _ = sender.send(answer);
            }),
            Err(error) => senders.into_iter().for_each(|sender| {
                let _ = sender.send(Err(error.clone()));
            }),
        }
    }

    /// Carries `work` out in one transaction, once, whatever happens to the connection.
    async fn transact<T>(
        &self,
        desk: &mut Desk,
        operation: &'static str,
        work: &(impl for<'a> Fn(Context<'a>, &'a Standing) -> Work<'a, T> + Sync),
    ) -> Result<T, StoreError> {
        let number = desk.batch + 1;
        let deadline = Instant::now() + Duration::from_millis(RECONNECT_MS);
        let mut in_doubt: Option<T> = None;
        loop {
            let session = match desk.session.take().filter(|session| !session.is_closed()) {
                Some(session) => session,
                None => match Session::connect(&self.settings, Patience::Again, operation).await {
                    Ok(session) => session,
                    Err(error) if in_doubt.is_some() => return Err(in_doubt_error(error)),
                    Err(error) => return Err(error),
                },
            };
            let fault = match self.attempt(&session, number, in_doubt.is_some(), operation, work).await {
                Attempt::Done(value) => {
                    *desk = Desk { session: Some(session), batch: number };
                    return Ok(value);
                }
                Attempt::DoneBefore => {
                    *desk = Desk { session: Some(session), batch: number };
                    return in_doubt.ok_or_else(|| self.closed(operation));
                }
                Attempt::Unknown(value, reason) => {
                    in_doubt = Some(value);
                    Fault::Lost(reason)
                }
                Attempt::Failed(fault) => fault,
            };
            match &fault {
                Fault::Lost(_) => session.discard(),
                _ => match session.batch("ROLLBACK").await {
                    Ok(()) => desk.session = Some(session),
                    Err(_) => session.discard(),
                },
            }
            let again = matches!(fault, Fault::Lost(_) | Fault::Undone) && Instant::now() < deadline;
            if !again {
                let error = explain(fault, operation, &self.settings.place);
                return Err(if in_doubt.is_some() { in_doubt_error(error) } else { error });
            }
        }
    }

    async fn attempt<T>(
        &self,
        session: &Session,
        number: i64,
        ask: bool,
        operation: &'static str,
        work: &(impl for<'a> Fn(Context<'a>, &'a Standing) -> Work<'a, T> + Sync),
    ) -> Attempt<T> {
        let patience = Duration::from_millis(TRANSACTION_MS);
        let silent = || Fault::Lost("the server does not answer".to_owned());
        let prepared = timeout(patience, self.up_to_commit(session, number, ask, operation, work)).await;
        let value = match prepared.unwrap_or_else(|_| Err(silent())) {
            Ok(Some(value)) => value,
            Ok(None) => return Attempt::DoneBefore,
            Err(fault) => return Attempt::Failed(fault),
        };
        match timeout(patience, session.batch("COMMIT")).await.unwrap_or_else(|_| Err(silent())) {
            Ok(()) => Attempt::Done(value),
            Err(Fault::Lost(reason)) => Attempt::Unknown(value, reason),
            Err(fault) => Attempt::Failed(fault),
        }
    }

    /// All but the `COMMIT`. `None` when `ask` found that the attempt before was kept.
    async fn up_to_commit<T>(
        &self,
        session: &Session,
        number: i64,
        ask: bool,
        operation: &'static str,
        work: &(impl for<'a> Fn(Context<'a>, &'a Standing) -> Work<'a, T> + Sync),
    ) -> Result<Option<T>, Fault> {
        session.prepare(&[LOCK_STATE, lease::STANDING, LAST_BATCH, NOTE_BATCH]).await?;
        // One round trip: each is sent without waiting for the one before, and each sees what was committed before
        // the row was had.
        let state: [&(dyn ToSql + Sync); 1] = [&self.state];
        let id: [&(dyn ToSql + Sync); 1] = [&self.id];
        let (_, state, lock, last) = futures::try_join!(
            session.batch("BEGIN"),
            session.query_opt(LOCK_STATE, &state),
            session.query_one(lease::STANDING, &state),
            session.query_opt(LAST_BATCH, &id),
        )?;
        let place = &self.settings.place;
        let context = Context { session, state: self.state, operation, place };
        let Some(state) = state else {
            return Err(StoreError::Missing { place: place.clone() }.into());
        };
        let last = last.map(|row| row.try_get::<_, i64>(0)).transpose()?;
        if ask && last == Some(number) {
            session.batch("ROLLBACK").await?;
            return Ok(None);
        }
        let standing = lease::standing(&state, &lock)?;
        let value = work(context, &standing).await?;
        session.execute(NOTE_BATCH, &[&self.id, &self.state, &number]).await?;
        Ok(Some(value))
    }
}

/// The error when it cannot even be found out whether the write was kept.
fn in_doubt_error(error: StoreError) -> StoreError {
    match error {
        StoreError::Unreachable { operation, place, reason } => StoreError::Unreachable {
            operation,
            place,
            reason: format!("{reason}; no answer came to the last write, which may have been kept"),
        },
        other => other,
    }
}
