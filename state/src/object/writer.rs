//! How a write becomes durable: everything that waits goes into the log's next object together.
//!
//! The object is written only where there is none. When there is one, somebody was faster, or it is this very write whose
//! answer was lost: the object says whose it is. What another wrote is read first, and everything that waits is decided
//! anew: so a writer that was taken over finds the takeover, and writes nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::entry::{Batch, Entry};
use super::envelope::{self, Opened};
use super::lease::{LockRow, timestamp};
use super::log::{Log, PATIENCE_MS, Tail};
use super::model::{Context, Model, Reply};
use super::snapshot;
use crate::error::StoreError;
use crate::lock::LockRequest;

/// The most operations in one object.
const BATCH_MAX: usize = 256;

/// What a caller wants.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// That this happens.
    Write(Box<Entry>),
    /// The lock.
    Lock(LockRequest),
    /// The value of a key, this one where there is none.
    Insert { key: String, value: String },
}

/// A wish on its way, and where its answer goes.
pub(super) struct Job {
    pub(super) operation: &'static str,
    pub(super) wish: Wish,
    pub(super) answer: oneshot::Sender<Result<Reply, StoreError>>,
}

/// Writes what comes, one object after the other, until nobody can send any more.
pub(super) async fn run(log: Arc<Log>, mut jobs: mpsc::Receiver<Job>) {
    let (writer, snapping) = (Uuid::new_v4().to_string(), Arc::new(AtomicBool::new(false)));
    let mut sequence = 0;
    while let Some(first) = jobs.recv().await {
        // Whoever was answered together comes again together.
        tokio::task::yield_now().await;
        let mut waiting = vec![first];
        while waiting.len() < BATCH_MAX
            && let Ok(job) = jobs.try_recv()
        {
            waiting.push(job);
        }
        sequence += 1;
        let answers = write(&log, &writer, sequence, &waiting).await;
        for (job, answer) in waiting.into_iter().zip(answers) {
            // Whoever stopped waiting needs no answer.
            let _ = job.answer.send(answer);
        }
        if snapshot::is_due(&log.tail()) && !snapping.swap(true, Ordering::SeqCst) {
            let (log, snapping) = (Arc::clone(&log), Arc::clone(&snapping));
            tokio::spawn(async move {
                // Without it the log is longer, and nothing else: the next one is tried as soon as this one.
                let _ = snapshot::take(&log).await;
                snapping.store(false, Ordering::SeqCst);
            });
        }
    }
}

/// Writes them together and answers each.
async fn write(log: &Log, writer: &str, sequence: u64, jobs: &[Job]) -> Vec<Result<Reply, StoreError>> {
    let operation = jobs.first().map_or("write", |job| job.operation);
    match attempts(log, writer, sequence, jobs, operation).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); jobs.len()],
    }
}

/// What became of an object that was to be the log's next.
enum Put {
    Done,
    /// Somebody else's is there.
    Taken,
}

async fn attempts(
    log: &Log,
    writer: &str,
    sequence: u64,
    jobs: &[Job],
    operation: &'static str,
) -> Result<Vec<Result<Reply, StoreError>>, StoreError> {
    let begun = Instant::now();
    let mut tail = log.tail();
    while begun.elapsed() < Duration::from_millis(PATIENCE_MS) {
        if log.is_stale(&tail) {
            tail = log.catch_up(operation).await?;
        }
        let (entries, model, answers) = decide(log, &tail.model, jobs);
        if entries.is_empty() {
            // A refusal holds only where nothing came since that would change it.
            let end = log.catch_up(operation).await?;
            if end.number == tail.number {
                return Ok(answers);
            }
            tail = end;
            continue;
        }
        let name = log.entry_name(tail.number + 1);
        let (previous, serial) = (tail.digest.clone(), model.head.serial);
        let batch = Batch { writer: writer.to_owned(), sequence, previous, serial, entries };
        let sealed = envelope::seal(&name, &batch);
        let (bytes, digest) = sealed.map_err(|reason| backend(log, operation, reason))?;
        let asked = log.objects.now();
        match put(log, operation, &name, &bytes, (writer, sequence)).await? {
            Put::Done if log.is_stalled(&tail) => {
                let reason = "it was stalled for longer than old objects are kept".to_owned();
                return Err(StoreError::Closed { operation, place: log.place.clone(), reason });
            }
            Put::Done => {
                let number = tail.number + 1;
                let bytes_since = tail.bytes_since + bytes.len();
                // What is known of snapshots may have changed meanwhile.
                let known = log.tail();
                let bytes_since = if known.snapshot > tail.snapshot { bytes.len() } else { bytes_since };
                let (snapshot, snapshot_bytes) = (known.snapshot, known.snapshot_bytes);
                let confirmed = Some(asked);
                log.publish(&Tail {
                    number,
                    digest,
                    model,
                    confirmed,
                    snapshot,
                    snapshot_bytes,
                    bytes_since,
                });
                return Ok(answers);
            }
            Put::Taken => tail = log.catch_up(operation).await?,
        }
    }
    Err(StoreError::Busy { operation, place: log.place.clone(), waited_ms: PATIENCE_MS })
}

/// Writes the log's next object, and looks whose is there when there is one.
async fn put(
    log: &Log,
    operation: &'static str,
    name: &str,
    bytes: &bytes::Bytes,
    (writer, sequence): (&str, u64),
) -> Result<Put, StoreError> {
    if log.put_new(operation, name, bytes).await? {
        return Ok(Put::Done);
    }
    let there: Opened<Batch> = log.fetch(operation, name).await?;
    let own = there.value.writer == writer && there.value.sequence == sequence;
    Ok(if own { Put::Done } else { Put::Taken })
}

/// What each wish comes to after this model: the entries to write, the model after them, and all answers.
fn decide(log: &Log, model: &Model, jobs: &[Job]) -> (Vec<Entry>, Model, Vec<Result<Reply, StoreError>>) {
    let mut model = model.clone();
    let mut entries = Vec::new();
    let answers = jobs.iter().map(|job| {
        let context = log.context(job.operation);
        let entry = match &job.wish {
            Wish::Write(entry) => (**entry).clone(),
            Wish::Lock(request) => claim(log, &model, request, context)?,
            Wish::Insert { key, value } => match model.meta.get(key) {
                Some(found) => return Ok(Reply::Text(found.clone())),
                None => Entry::Meta { token: None, key: key.clone(), value: value.clone() },
            },
        };
        let reply = model.apply(&entry, context)?;
        entries.push(entry);
        match &job.wish {
            Wish::Insert { value, .. } => Ok(Reply::Text(value.clone())),
            _ => Ok(reply),
        }
    });
    let answers = answers.collect();
    (entries, model, answers)
}

/// The entry by which the lock is taken, when it is free or may be taken over.
fn claim(log: &Log, model: &Model, request: &LockRequest, context: Context<'_>) -> Result<Entry, StoreError> {
    let now = timestamp(log.objects.now());
    if let Some(lock) = model.lock.as_ref().filter(|lock| !lock.is_over(now)) {
        let (place, holder) = (context.place.to_owned(), Box::new(lock.holder()));
        return Err(StoreError::Locked { place, holder });
    }
    let lock = Box::new(LockRow::new(request, model.last_token + 1, now));
    Ok(Entry::Locked { lock, over: model.lock.as_ref().map(|lock| lock.token) })
}

fn backend(log: &Log, operation: &'static str, reason: String) -> StoreError {
    StoreError::Backend { operation, place: log.place.clone(), reason }
}
