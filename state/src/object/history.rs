//! Runs and whole states, where a part of them lies in objects of its own.

use std::collections::BTreeMap;

use super::entry::{Imported, ImportedRun};
use super::envelope;
use super::log::{Log, Tail};
use super::model::{Run, is_open, word};
use super::snapshot;
use crate::error::StoreError;
use crate::export::{EXPORT_FORMAT, Export, UsedPlan};
use crate::history::{RunDetail, RunId, RunRecord};
use crate::journal::{IntentId, JournalEntry};

/// The last runs, newest first.
pub(super) async fn latest(
    log: &Log,
    tail: &Tail,
    limit: usize,
    operation: &'static str,
) -> Result<Vec<RunRecord>, StoreError> {
    let mut found = Vec::new();
    for run in tail.model.runs.values().rev().take(limit) {
        found.push(match &run.record {
            Some(record) => (**record).clone(),
            None => kept(log, run, operation).await?.record,
        });
    }
    Ok(found)
}

/// One run with all that is kept of it.
pub(super) async fn detail(
    log: &Log,
    tail: &Tail,
    id: RunId,
    operation: &'static str,
) -> Result<RunDetail, StoreError> {
    let missing = || StoreError::NoSuchRun { place: log.place.clone(), run: id };
    let run = tail.model.runs.get(&id.0).ok_or_else(missing)?;
    let mut detail = match (&run.kept, &run.record) {
        (None, Some(record)) => RunDetail {
            record: (**record).clone(),
            blueprint: None,
            variables: run.variables.to_string(),
            journal: tail.model.journal_of(run),
        },
        _ => kept(log, run, operation).await?,
    };
    if let Some(digest) = &detail.record.blueprint_digest {
        detail.blueprint = Some(log.fetch(operation, &blueprint_name(log, digest)).await?.value);
    }
    Ok(detail)
}

/// The runs that go when only so many are kept; which ones stay, `Store::prune` says.
pub(super) async fn superfluous(
    log: &Log,
    tail: &Tail,
    keep: usize,
    operation: &'static str,
) -> Result<Vec<u64>, StoreError> {
    let runs = &tail.model.runs;
    let old: Vec<u64> = runs.keys().rev().skip(keep.max(1)).copied().collect();
    if old.is_empty() {
        return Ok(old);
    }
    let mut last_of_result = BTreeMap::new();
    for record in latest(log, tail, runs.size(), operation).await? {
        if record.blueprint_digest.is_some() {
            last_of_result.entry(record.result).or_insert(record.id.0);
        }
    }
    let with_intents = runs.iter().rev().find(|(_, run)| run.count > 0).map(|(id, _)| *id);
    let stays = |id: &u64| {
        let open = runs.get(id).is_some_and(|run| tail.model.has_open(run));
        open || with_intents == Some(*id) || last_of_result.values().any(|last| last == id)
    };
    Ok(old.into_iter().filter(|id| !stays(id)).collect())
}

/// A run that lies in an object of its own.
async fn kept(log: &Log, run: &Run, operation: &'static str) -> Result<RunDetail, StoreError> {
    let name = log.name(run.kept.as_deref().unwrap_or_default());
    let mut detail: RunDetail = log.fetch(operation, &name).await?.value;
    // It may have been ended after it was put there; and its intents have the numbers of this state.
    if let Some(record) = &run.record {
        detail.record = (**record).clone();
    }
    for (number, entry) in (run.first..).zip(&mut detail.journal) {
        entry.id = IntentId(number);
    }
    Ok(detail)
}

pub(super) fn blueprint_name(log: &Log, digest: &str) -> String {
    log.name(&format!("blueprints/{digest}.jsonl.zst"))
}

/// Writes a blueprint's text, each distinct one once, and gives its digest.
pub(super) async fn put_blueprint(
    log: &Log,
    text: &str,
    operation: &'static str,
) -> Result<String, StoreError> {
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    let name = blueprint_name(log, &digest);
    let (bytes, _) = envelope::seal(&name, &text).map_err(|reason| {
        let place = log.place.clone();
        StoreError::Backend { operation, place, reason }
    })?;
    log.put_new(operation, &name, &bytes).await?;
    Ok(digest)
}

/// How an intent ended that lies in a run's own object.
pub(super) async fn settled_before(
    log: &Log,
    id: IntentId,
    operation: &'static str,
) -> Result<StoreError, StoreError> {
    let tail = log.tail();
    let run = tail.model.run_of(id).and_then(|run| tail.model.runs.get(&run));
    let missing = || StoreError::NoSuchIntent { place: log.place.clone(), intent: id };
    let detail = kept(log, run.ok_or_else(missing)?, operation).await?;
    let entry = detail.journal.into_iter().find(|entry| entry.id == id).ok_or_else(missing)?;
    let (outcome, serial) = (word(&entry), entry.serial.unwrap_or_default());
    Ok(StoreError::AlreadySettled { intent: id, outcome, serial })
}

/// Everything that is kept of the state.
pub(super) async fn export(log: &Log, tail: &Tail, operation: &'static str) -> Result<Export, StoreError> {
    let model = &tail.model;
    let mut runs = Vec::new();
    for id in model.runs.keys() {
        runs.push(detail(log, tail, RunId(*id), operation).await?);
    }
    let mut used_plans: Vec<UsedPlan> = model.used_plans.values().cloned().collect();
    used_plans.sort_by(|a, b| (a.at, &a.plan_id).cmp(&(b.at, &b.plan_id)));
    let snapshot = model.snapshot();
    Ok(Export {
        format: EXPORT_FORMAT,
        stack: log.stack.clone(),
        head: snapshot.head,
        resources: snapshot.resources,
        runs,
        used_plans,
        meta: model.meta.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    })
}

/// Writes what of an import lies in objects of its own, and gives the rest for the log.
pub(super) async fn prepare_import(
    log: &Log,
    export: &Export,
    operation: &'static str,
) -> Result<Imported, StoreError> {
    let mut runs = Vec::new();
    for run in &export.runs {
        let digest = match &run.blueprint {
            Some(text) => Some(put_blueprint(log, text, operation).await?),
            None => None,
        };
        let record = RunRecord { blueprint_digest: digest, ..run.record.clone() };
        let count = run.journal.len() as u64;
        if run.journal.iter().any(is_open) || record.ended.is_none() {
            let (variables, journal) = (run.variables.clone(), run.journal.clone());
            runs.push(ImportedRun { record, variables, kept: None, count, journal });
        } else {
            let detail = RunDetail { record: record.clone(), blueprint: None, ..run.clone() };
            let kept = Some(snapshot::put_run(log, &detail).await?);
            let (variables, journal) = (String::new(), Vec::<JournalEntry>::new());
            runs.push(ImportedRun { record, variables, kept, count, journal });
        }
    }
    let meta: BTreeMap<String, String> = export.meta.clone();
    Ok(Imported {
        head: export.head.clone(),
        resources: export.resources.clone(),
        runs,
        used_plans: export.used_plans.clone(),
        meta,
    })
}
