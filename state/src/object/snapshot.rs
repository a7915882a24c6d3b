//! Snapshots: a shorter way to the end of the log, and the copies to go back to.
//!
//! One is taken when a run ends, and in a long run whenever the log since the last has become a part of it worth the
//! writing, so that all snapshots together cost no more than the log does. Runs that are over go into objects of their own
//! first, once, and no snapshot holds their journal again.
//!
//! The last ten are kept. Objects of the log that are older than all of them are deleted when they are a day old: a reader
//! that is on its way finds what it was told of, and `log` says why no writer may come later than that.

use std::time::Duration;

use super::envelope::{self, Opened};
use super::log::{Latest, Log, Precondition, Snapped, Tail};
use super::model::{Model, Run, Saved};
use crate::error::StoreError;
use crate::history::RunDetail;

const OPERATION: &str = "write a snapshot";

/// How many snapshots are kept.
const KEPT: usize = 10;
/// How old an object of the log must be before it is deleted.
const GRACE: Duration = Duration::from_secs(24 * 3_600);
/// How many objects the log may have since the last snapshot: opening reads them all, sixteen at once.
const OBJECTS_MAX: u64 = 4_096;
const OBJECTS_MIN: u64 = 256;
/// The log since the last snapshot is worth a new one when it has this part of its size.
const PART: usize = 4;
/// The records of the last runs stay in the snapshot, for `history`.
const RUNS_LISTED: usize = 100;
const LIST_MAX: usize = 1_000;

/// Whether a snapshot in the middle of a run pays.
pub(super) fn is_due(tail: &Tail) -> bool {
    let objects = tail.number - tail.snapshot;
    objects >= OBJECTS_MAX || (objects >= OBJECTS_MIN && tail.bytes_since >= tail.snapshot_bytes / PART)
}

/// Takes one of the log as it is known here, and makes it the newest. Whoever does the same at the same time comes to the
/// same.
pub(super) async fn take(log: &Log) -> Result<(), StoreError> {
    let tail = log.tail();
    if tail.number == tail.snapshot {
        return Ok(());
    }
    let model = put_runs_away(log, tail.model).await?;
    let name = log.snapshot_name(tail.number);
    let snapped = Snapped { previous: tail.digest, model: Saved::from(&model) };
    let sealed = sealed(log, name.clone(), snapped).await?;
    log.put_new(OPERATION, &name, &sealed.0).await?;
    point_to(log, tail.number).await?;
    log.note_snapshot(tail.number, sealed.1);
    Ok(())
}

/// Seals on a thread of its own: a large state takes a while.
async fn sealed(log: &Log, name: String, snapped: Snapped) -> Result<(bytes::Bytes, usize), StoreError> {
    let work = tokio::task::spawn_blocking(move || {
        let body = serde_json::to_vec(&snapped).map_err(|error| error.to_string())?;
        Ok((envelope::seal_body(&name, &body)?.0, body.len()))
    });
    let done: Result<_, String> = work.await.unwrap_or_else(|error| Err(error.to_string()));
    done.map_err(|reason| StoreError::Backend { operation: OPERATION, place: log.place.clone(), reason })
}

/// Moves the pointer forward, and never back.
async fn point_to(log: &Log, snapshot: u64) -> Result<(), StoreError> {
    let name = log.name("latest.jsonl");
    let latest = envelope::seal(&name, &Latest { snapshot });
    let (bytes, _) = latest.map_err(|reason| {
        let place = log.place.clone();
        StoreError::Backend { operation: OPERATION, place, reason }
    })?;
    loop {
        let moved = match log.get(OPERATION, &name).await? {
            None => log.put_new(OPERATION, &name, &bytes).await?,
            Some(found) => {
                let there: Opened<Latest> = log.open(OPERATION, &name, &found.bytes)?;
                if there.value.snapshot >= snapshot {
                    return Ok(());
                }
                let put = || log.objects.put_if_match(&name, bytes.clone(), &found.etag);
                log.ask(OPERATION, put).await?.is_ok()
            }
        };
        // Else another moved it, or it was this very write: the next look tells.
        if moved {
            return Ok(());
        }
    }
}

/// Writes the runs that are over into objects of their own; the model that comes back only names them.
async fn put_runs_away(log: &Log, mut model: Model) -> Result<Model, StoreError> {
    let runs: Vec<(u64, std::sync::Arc<Run>)> =
        model.runs.iter().map(|(id, run)| (*id, std::sync::Arc::clone(run))).collect();
    let newest = runs.len().saturating_sub(RUNS_LISTED);
    for (at, (id, run)) in runs.into_iter().enumerate() {
        let mut kept = (*run).clone();
        if run.kept.is_none()
            && model.is_closed(id, &run)
            && let Some(record) = &run.record
        {
            let detail = RunDetail {
                record: (**record).clone(),
                // It lies under its digest already.
                blueprint: None,
                variables: run.variables.to_string(),
                journal: model.journal_of(&run),
            };
            kept.kept = Some(put_run(log, &detail).await?);
            kept.variables = "".into();
            for intent in run.first..run.first + run.count {
                model.journal.remove_mut(&intent);
            }
        }
        let ended = run.record.as_ref().is_some_and(|record| record.ended.is_some());
        if at < newest && ended && kept.kept.is_some() {
            kept.record = None;
        }
        model.runs.insert_mut(id, kept.into());
    }
    Ok(model)
}

/// Writes a run's object, named after what is in it, and gives its name without the state's folder.
pub(super) async fn put_run(log: &Log, detail: &RunDetail) -> Result<String, StoreError> {
    let backend =
        |reason: String| StoreError::Backend { operation: OPERATION, place: log.place.clone(), reason };
    let body = serde_json::to_vec(detail).map_err(|error| backend(error.to_string()))?;
    let digest = blake3::hash(&body).to_hex();
    let rest = format!("runs/{:08}-{}.jsonl.zst", detail.record.id.0, &digest[..16]);
    let name = log.name(&rest);
    let (bytes, _) = envelope::seal_body(&name, &body).map_err(backend)?;
    log.put_new(OPERATION, &name, &bytes).await?;
    Ok(rest)
}

/// Deletes the snapshots that are one too many, and what of the log only they needed.
pub(super) async fn sweep(log: &Log) -> Result<(), StoreError> {
    let snapshots = keys(log, "snapshot/").await?;
    let Some(superfluous) = snapshots.len().checked_sub(KEPT) else { return Ok(()) };
    let (old, kept) = snapshots.split_at(superfluous);
    let mut doomed: Vec<String> = old.iter().map(|(key, _)| key.clone()).collect();
    let oldest = kept.first().and_then(|(key, _)| Log::number(key)).unwrap_or(0);
    for (key, age) in keys(log, "log/").await? {
        if Log::number(&key).is_some_and(|number| number <= oldest) && age > GRACE {
            doomed.push(key);
        }
    }
    for doomed in doomed.chunks(LIST_MAX) {
        let _: Result<(), Precondition> = log.ask(OPERATION, || log.objects.delete(doomed)).await?;
    }
    Ok(())
}

/// The first objects of a folder, and how old each is.
async fn keys(log: &Log, folder: &str) -> Result<Vec<(String, Duration)>, StoreError> {
    let (folder, now) = (log.name(folder), log.objects.now());
    let listed = log.ask(OPERATION, || log.objects.list(&folder, "", LIST_MAX)).await?.unwrap_or_default();
    let age = |modified| now.duration_since(modified).unwrap_or_default();
    Ok(listed.into_iter().map(|object| (object.key, age(object.modified))).collect())
}
