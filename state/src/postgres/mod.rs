//! The shared store: one PostgreSQL database for many stacks and environments, in a schema of its own.
//!
//! A store holds two connections, so that a long read never waits for writes: one writes (`writing`, `batch`), one
//! reads. Both come back by themselves after the server went away. What is said to PostgreSQL is in `records`,
//! `journal`, `history`, `lease` and `transfer`; whose schema it is in `schema`.
//!
//! Deliberately absent: checksums of rows. What is on the server's disks is the server's to guard (`initdb
//! --data-checksums`).

mod batch;
mod failure;
mod history;
mod journal;
mod lease;
mod records;
mod schema;
mod session;
mod settings;
mod tls;
mod transfer;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::export::Export;
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::{Holder, Lease, LockRequest};
use crate::record::{Change, Head, ResourceRecord, Snapshot, StackId};
use crate::store::{OpenMode, Store};
use crate::url::StateUrl;
use batch::Quick;
use failure::Fault;
use lease::verify;
use session::{Context, Patience, RECONNECT_MS, Session, explain};
use settings::Settings;
use writing::{Work, Writer};

/// One state in a PostgreSQL database. Must be used on a tokio runtime.
pub struct PostgresStore {
    settings: Settings,
    stack: StackId,
    state: i64,
    writer: Arc<Writer>,
    reader: Mutex<Option<Session>>,
}

/// Opens the state of `stack` in the database that `url` names.
///
/// # Errors
/// Each way in which a server can refuse has its own [`StoreError`], with the next move in its hint.
pub async fn open_postgres(
    url: &StateUrl,
    stack: &StackId,
    mode: OpenMode,
) -> Result<PostgresStore, StoreError> {
    let settings = Settings::read(url)?;
    let session = Session::connect(&settings, Patience::First, "open the state").await?;
    schema::prepare(&session, mode, &settings.place).await?;
    let state = schema::state_row(&session, stack, mode, &settings.place).await?;
    let writer = Arc::new(Writer::new(settings.clone(), state, session));
    Ok(PostgresStore { settings, stack: stack.clone(), state, writer, reader: Mutex::new(None) })
}

impl PostgresStore {
    /// Reads in one consistent view of the database, again when the connection breaks.
    async fn read<T>(
        &self,
        operation: &'static str,
        work: impl for<'a> Fn(Context<'a>) -> Work<'a, T> + Sync,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + Duration::from_millis(RECONNECT_MS);
        let mut reader = self.reader.lock().await;
        loop {
            // Taken out: when the caller stops waiting in the middle, the connection is not used again.
            let session = match reader.take().filter(|session| !session.is_closed()) {
                Some(session) => session,
                None => Session::connect(&self.settings, Patience::Again, operation).await?,
            };
            let context =
                Context { session: &session, state: self.state, operation, place: &self.settings.place };
            match view(context, &work).await {
                Ok(value) => {
                    *reader = Some(session);
                    return Ok(value);
                }
                Err(Fault::Lost(_) | Fault::Undone) if Instant::now() < deadline => session.discard(),
                Err(fault) => return Err(explain(fault, operation, &self.settings.place)),
            }
        }
    }
}

async fn view<'a, T>(
    context: Context<'a>,
    work: &(impl Fn(Context<'a>) -> Work<'a, T> + Sync),
) -> Result<T, Fault> {
    context.session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let value = work(context).await?;
    context.session.batch("COMMIT").await?;
    Ok(value)
}

#[async_trait]
impl Store for PostgresStore {
    fn describe(&self) -> String {
        self.settings.place.clone()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.read("read the state", |context| Box::pin(async move { records::head(&context).await })).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read("read the state", |context| {
            Box::pin(async move {
                Ok(Snapshot {
                    head: records::head(&context).await?,
                    resources: records::all(&context).await?,
                    open_intents: journal::open(&context).await?,
                })
            })
        })
        .await
    }

    async fn objects(&self, address: &str) -> Result<Vec<ResourceRecord>, StoreError> {
        let address = Arc::new(address.to_owned());
        self.read("read the state", move |context| {
            let address = Arc::clone(&address);
            Box::pin(async move { records::objects(&context, &address).await })
        })
        .await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Lease, StoreError> {
        let request = Arc::new(request.clone());
        self.writer
            .alone("lock the state", move |context, standing| {
                let request = Arc::clone(&request);
                Box::pin(async move { lease::claim(&context, standing, &request).await })
            })
            .await
    }

    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writer.quick("renew the lock", Quick::Renew(lease.clone())).await.map(drop)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let lease = Arc::new(lease);
        self.writer
            .alone("release the lock", move |context, standing| {
                let lease = Arc::clone(&lease);
                Box::pin(async move {
                    verify(&context, standing, &lease)?;
                    lease::drop_lock(&context).await
                })
            })
            .await
    }

    async fn break_lock(&self) -> Result<Option<Holder>, StoreError> {
        self.writer
            .alone("break the lock", |context, standing| {
                Box::pin(async move { lease::break_lock(&context, standing).await })
            })
            .await
    }

    async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        self.read("read the lock", |context| Box::pin(async move { lease::holder(&context).await })).await
    }

    async fn begin_run(&self, lease: &Lease, start: &RunStart) -> Result<RunId, StoreError> {
        let with = Arc::new((lease.clone(), start.clone()));
        self.writer
            .alone("begin a run", move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move { history::begin(&context, standing, &with.0, &with.1).await })
            })
            .await
    }

    async fn end_run(
        &self,
        lease: &Lease,
        run: RunId,
        result: &str,
        summary: &str,
    ) -> Result<(), StoreError> {
        let with = Arc::new((lease.clone(), result.to_owned(), summary.to_owned()));
        self.writer
            .alone("end the run", move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move {
                    let (lease, result, summary) = &*with;
                    history::end(&context, standing, lease, (run, result, summary)).await
                })
            })
            .await
    }

    async fn intend(&self, lease: &Lease, intent: &Intent) -> Result<IntentId, StoreError> {
        let intent = Quick::Intend(lease.clone(), intent.clone());
        self.writer.quick("write an intent", intent).await.map(IntentId)
    }

    async fn settle(
        &self,
        lease: &Lease,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<u64, StoreError> {
        const OPERATION: &str = "write an outcome";
        if changes.iter().all(records::is_plain) {
            let settle = Quick::Settle(lease.clone(), intent, outcome.clone(), changes.to_vec());
            return self.writer.quick(OPERATION, settle).await;
        }
        let with = Arc::new((lease.clone(), outcome.clone(), changes.to_vec()));
        self.writer
            .alone(OPERATION, move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move {
                    let (lease, outcome, changes) = &*with;
                    journal::settle_alone(&context, standing, lease, (intent, outcome, changes)).await
                })
            })
            .await
    }

    async fn record(&self, lease: &Lease, changes: &[Change]) -> Result<u64, StoreError> {
        const OPERATION: &str = "change the records";
        if changes.iter().all(records::is_plain) {
            return self.writer.quick(OPERATION, Quick::Record(lease.clone(), changes.to_vec())).await;
        }
        let with = Arc::new((lease.clone(), changes.to_vec()));
        self.writer
            .alone(OPERATION, move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move {
                    verify(&context, standing, &with.0)?;
                    records::apply(&context, standing.head.serial, &with.1).await
                })
            })
            .await
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        self.read("read the history", |context| {
            Box::pin(async move { history::latest(&context, limit).await })
        })
        .await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, StoreError> {
        self.read("read the history", |context| Box::pin(async move { history::detail(&context, id).await }))
            .await
    }

    async fn prune(&self, lease: &Lease, keep_runs: usize) -> Result<u64, StoreError> {
        let lease = Arc::new(lease.clone());
        self.writer
            .alone("prune the history", move |context, standing| {
                let lease = Arc::clone(&lease);
                Box::pin(async move { history::prune(&context, standing, &lease, keep_runs).await })
            })
            .await
    }

    async fn consume_plan(&self, lease: &Lease, plan_id: &str) -> Result<(), StoreError> {
        let with = Arc::new((lease.clone(), plan_id.to_owned()));
        self.writer
            .alone("use the saved plan", move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move { history::consume_plan(&context, standing, &with.0, &with.1).await })
            })
            .await
    }

    async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = Arc::new(key.to_owned());
        self.read("read a value", move |context| {
            let key = Arc::clone(&key);
            Box::pin(async move { history::get_meta(&context, &key).await })
        })
        .await
    }

    async fn put_meta(&self, lease: Option<&Lease>, key: &str, value: &str) -> Result<(), StoreError> {
        let with = Arc::new((lease.cloned(), key.to_owned(), value.to_owned()));
        self.writer
            .alone("write a value", move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move {
                    let (lease, key, value) = &*with;
                    if let Some(lease) = lease {
                        verify(&context, standing, lease)?;
                    }
                    context.session.pipeline(vec![history::put_meta(&context, key, value)]).await
                })
            })
            .await
    }

    async fn get_or_insert_meta(&self, key: &str, value: &str) -> Result<String, StoreError> {
        // A look first: most often it is there, and a reader needs no more.
        if let Some(found) = self.get_meta(key).await? {
            return Ok(found);
        }
        let with = Arc::new((key.to_owned(), value.to_owned()));
        self.writer
            .alone("write a value", move |context, _| {
                let with = Arc::clone(&with);
                Box::pin(async move {
                    if let Some(found) = history::get_meta(&context, &with.0).await? {
                        return Ok(found);
                    }
                    let put = history::put_meta(&context, &with.0, &with.1);
                    context.session.pipeline(vec![put]).await?;
                    Ok(with.1.clone())
                })
            })
            .await
    }

    async fn export(&self) -> Result<Export, StoreError> {
        let stack = &self.stack;
        self.read("export the state", move |context| {
            let stack = stack.clone();
            Box::pin(async move { transfer::export(&context, &stack).await })
        })
        .await
    }

    async fn import(&self, lease: &Lease, export: &Export) -> Result<(), StoreError> {
        let with = Arc::new((lease.clone(), export.clone()));
        self.writer
            .alone("import into the state", move |context, standing| {
                let with = Arc::clone(&with);
                Box::pin(async move { transfer::import(&context, standing, &with.0, &with.1).await })
            })
            .await
    }

    async fn wipe(&self) -> Result<Option<usize>, StoreError> {
        Ok(None)
    }
}
