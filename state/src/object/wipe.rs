//! Leaves nothing readable of what was replaced: earlier snapshots, the log before the newest, and runs and blueprints that
//! nobody names any more.
//!
//! An object of the log is emptied and not deleted. Its number must stay taken: a writer that was stalled since would find the
//! place free, and take its own write for the state's.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::history;
use super::log::Log;
use super::snapshot;
use crate::error::StoreError;

const OPERATION: &str = "wipe what was replaced";
const LIST_MAX: usize = 1_000;

/// Wipes all that is older than the state as it is now.
pub(super) async fn wipe(log: &Log) -> Result<(), StoreError> {
    snapshot::take(log).await?;
    let tail = log.tail();
    let newest = log.snapshot_name(tail.snapshot);
    let mut named: BTreeSet<String> =
        tail.model.runs.values().filter_map(|run| run.kept.as_deref()).map(|rest| log.name(rest)).collect();
    for record in history::latest(log, &tail, tail.model.runs.size(), OPERATION).await? {
        named.extend(record.blueprint_digest.map(|digest| history::blueprint_name(log, &digest)));
    }
    let mut doomed = names(log, "runs/").await?;
    doomed.extend(names(log, "blueprints/").await?);
    doomed.retain(|name| !named.contains(name));
    doomed.extend(names(log, "snapshot/").await?.into_iter().filter(|name| *name < newest));
    for doomed in doomed.chunks(LIST_MAX) {
        let _ = log.ask(OPERATION, || log.objects.delete(doomed)).await?;
    }
    let last = log.entry_name(tail.snapshot);
    for name in names(log, "log/").await?.into_iter().filter(|name| *name <= last) {
        empty(log, &name).await?;
    }
    Ok(())
}

async fn empty(log: &Log, name: &str) -> Result<(), StoreError> {
    while let Some(found) = log.get(OPERATION, name).await?.filter(|found| !found.bytes.is_empty()) {
        let emptied =
            log.ask(OPERATION, || log.objects.put_if_match(name, Bytes::new(), &found.etag)).await?;
        if emptied.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Every object of a folder.
async fn names(log: &Log, folder: &str) -> Result<Vec<String>, StoreError> {
    let (folder, mut names) = (log.name(folder), Vec::<String>::new());
    loop {
        let after = names.last().cloned().unwrap_or_default();
        let listed = log.ask(OPERATION, || log.objects.list(&folder, &after, LIST_MAX)).await?;
        let listed = listed.unwrap_or_default();
        let is_all = listed.len() < LIST_MAX;
        names.extend(listed.into_iter().map(|object| object.key));
        if is_all {
            return Ok(names);
        }
    }
}
