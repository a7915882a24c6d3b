//! The log of a state, as objects: where its end is, and how one comes there.
//!
//! The log is the truth. `latest.jsonl` and the snapshots only shorten the way to its end, so that one is never read as
//! newer than it is. Opening lists the log and refuses a gap in it; an open store asks for the next object by its number.
//!
//! Old objects are deleted after a day (`snapshot`), and then a number would be free again. So what is known of the end
//! counts for much less than that: a store that was stalled begins anew from `latest.jsonl`, and one that was stalled in the
//! middle of a write does not believe that it succeeded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::entry::Batch;
use super::envelope::{self, Flaw, Opened};
use super::model::{Context, Model, Saved};
use super::objects::{Found, ObjectError, Objects};
use crate::error::StoreError;
use crate::record::StackId;

/// How long a service that does not answer is tried again, in milliseconds: a run in its middle waits for it.
pub(super) const PATIENCE_MS: u64 = 60_000;
/// The same when a state is opened: then an operator waits, and nothing is in flight.
const OPENING_PATIENCE_MS: u64 = 5_000;
const PAUSE_MIN_MS: u64 = 20;
const PAUSE_MAX_MS: u64 = 2_000;

/// How long one may rely on where the end of the log was.
pub(super) const STALE: Duration = Duration::from_secs(3_600);
/// How long a write may take before its success means nothing; half the time that deleted objects are kept.
const STALLED: Duration = Duration::from_secs(12 * 3_600);

const FETCHES_AT_ONCE: usize = 16;
const LIST_MAX: usize = 1_000;
/// After so many objects one by one the rest is listed, and fetched at once.
const ONE_BY_ONE_MAX: usize = 3;

/// What may stand in a part of a key as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// `latest.jsonl`: the newest snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Latest {
    pub(super) snapshot: u64,
}

/// `snapshot/NUMBER.jsonl.zst`: the state after the log's object of that number.
#[derive(Serialize, Deserialize)]
pub(super) struct Snapped {
    /// The digest of that object.
    pub(super) previous: String,
    pub(super) model: Saved,
}

/// The end of the log, as far as it was read.
#[derive(Clone, Default)]
pub(super) struct Tail {
    /// The last object's number; 0 before the first.
    pub(super) number: u64,
    /// Its digest.
    pub(super) digest: String,
    pub(super) model: Model,
    /// When nothing came after it, by the service's clock.
    pub(super) confirmed: Option<SystemTime>,
    /// The newest snapshot that was read or written, and its length in bytes.
    pub(super) snapshot: u64,
    pub(super) snapshot_bytes: usize,
    /// How long the log is since then.
    pub(super) bytes_since: usize,
}

/// The log of one state.
pub(super) struct Log {
    pub(super) objects: Arc<dyn Objects>,
    pub(super) place: String,
    pub(super) stack: StackId,
    root: String,
    tail: Mutex<Tail>,
}

impl Log {
    pub(super) fn new(objects: Arc<dyn Objects>, stack: &StackId) -> Self {
        let place = objects.place();
        let part = |text| utf8_percent_encode(text, PLAIN).to_string();
        let root = format!("{}/{}/", part(&stack.stack), part(&stack.environment));
        Self { objects, place, stack: stack.clone(), root, tail: Mutex::default() }
    }

    /// The name of one of the state's objects.
    pub(super) fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.root)
    }

    pub(super) fn entry_name(&self, number: u64) -> String {
        self.name(&format!("log/{number:020}.jsonl"))
    }

    pub(super) fn snapshot_name(&self, number: u64) -> String {
        self.name(&format!("snapshot/{number:020}.jsonl.zst"))
    }

    /// The number in the name of a log's object or a snapshot.
    pub(super) fn number(key: &str) -> Option<u64> {
        key.rsplit('/').next()?.split('.').next()?.parse().ok()
    }

    pub(super) fn context(&self, operation: &'static str) -> Context<'_> {
        Context { operation, place: &self.place }
    }

    /// The end of the log as it was last seen.
    pub(super) fn tail(&self) -> Tail {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what was learnt, unless more is known already.
    pub(super) fn publish(&self, tail: &Tail) {
        let mut known = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.number >= known.number {
            *known = tail.clone();
        }
    }

    /// Notes that there is a snapshot.
    pub(super) fn note_snapshot(&self, number: u64, bytes: usize) {
        let mut known = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if number > known.snapshot {
            (known.snapshot, known.snapshot_bytes, known.bytes_since) = (number, bytes, 0);
        }
    }

    /// Calls the service, again while it does not answer. An answer that was lost is no success yet: the call is
    /// repeated, and finds what it did itself.
    pub(super) async fn ask<T, F>(
        &self,
        operation: &'static str,
        call: impl FnMut() -> F,
    ) -> Result<Result<T, Precondition>, StoreError>
    where
        F: Future<Output = Result<T, ObjectError>>,
    {
        // Before anything was read, an operator waits at the prompt.
        let opening = self.tail().confirmed.is_none();
        let patience = if opening { OPENING_PATIENCE_MS } else { PATIENCE_MS };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(PAUSE_MIN_MS))
            .with_max_delay(Duration::from_millis(PAUSE_MAX_MS))
            .with_total_delay(Some(Duration::from_millis(patience)))
            .without_max_times()
            .with_jitter();
        let again =
            |error: &ObjectError| matches!(error, ObjectError::Transient(_) | ObjectError::Unknown(_));
        let place = || self.place.clone();
        match call.retry(pauses).when(again).await {
            Ok(value) => Ok(Ok(value)),
            Err(ObjectError::Precondition) => Ok(Err(Precondition)),
            Err(ObjectError::Transient(reason) | ObjectError::Unknown(reason)) => {
                Err(StoreError::Unreachable { operation, place: place(), reason })
            }
            Err(ObjectError::Refused { reason, next_move }) => {
                Err(StoreError::Refused { operation, place: place(), reason, next_move })
            }
        }
    }

    /// An object's bytes.
    pub(super) async fn get(&self, operation: &'static str, name: &str) -> Result<Option<Found>, StoreError> {
        let found = self.ask(operation, || self.objects.get(name)).await?;
        found.map_err(|Precondition| self.damaged(operation, name, "it changed while it was read"))
    }

    /// Writes an object that is not there yet. `false` when there is one: perhaps this very one, its answer lost.
    pub(super) async fn put_new(
        &self,
        operation: &'static str,
        name: &str,
        bytes: &Bytes,
    ) -> Result<bool, StoreError> {
        let put = self.ask(operation, || self.objects.put_if_absent(name, bytes.clone())).await?;
        Ok(put.is_ok())
    }

    /// Reads an object that is there.
    pub(super) fn open<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        name: &str,
        bytes: &Bytes,
    ) -> Result<Opened<T>, StoreError> {
        envelope::open(name, bytes).map_err(|flaw| match flaw {
            Flaw::Damaged(reason) => self.damaged(operation, name, &reason),
            Flaw::Newer(found) => {
                StoreError::Newer { place: self.place.clone(), found, supported: envelope::FORMAT }
            }
        })
    }

    /// Reads an object that must be there.
    pub(super) async fn fetch<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        name: &str,
    ) -> Result<Opened<T>, StoreError> {
        match self.get(operation, name).await? {
            Some(found) => self.open(operation, name, &found.bytes),
            None => Err(self.damaged(operation, name, "it is not there")),
        }
    }

    pub(super) fn damaged(&self, operation: &'static str, object: &str, reason: &str) -> StoreError {
        let (place, object, reason) = (self.place.clone(), object.to_owned(), reason.to_owned());
        StoreError::DamagedObject { operation, place, object, reason }
    }

    /// Reads the whole state, from its newest snapshot on. `None` when there is nothing at all.
    pub(super) async fn load(&self, operation: &'static str) -> Result<Option<Tail>, StoreError> {
        let pointer = self.name("latest.jsonl");
        let mut tail = Tail::default();
        if let Some(found) = self.get(operation, &pointer).await? {
            let latest: Opened<Latest> = self.open(operation, &pointer, &found.bytes)?;
            tail = self.snapped(operation, latest.value.snapshot).await?;
        }
        self.replay_listed(operation, &mut tail).await?;
        if tail.number == 0 {
            let any = self.ask(operation, || self.objects.list(&self.root, "", 1)).await?;
            let any = any.ok().and_then(|listed| listed.into_iter().next());
            return match any {
                None => Ok(None),
                // The log's first object may have come since; else what is left is no state.
                Some(listed) if listed.key == self.entry_name(1) => {
                    self.replay_listed(operation, &mut tail).await?;
                    Ok(Some(tail))
                }
                Some(_) => Err(self.damaged(operation, &pointer, "it is not there, and other objects are")),
            };
        }
        Ok(Some(tail))
    }

    /// The state as one snapshot has it.
    pub(super) async fn snapped(&self, operation: &'static str, number: u64) -> Result<Tail, StoreError> {
        let opened: Opened<Snapped> = self.fetch(operation, &self.snapshot_name(number)).await?;
        Ok(Tail {
            number,
            digest: opened.value.previous,
            model: opened.value.model.into(),
            confirmed: None,
            snapshot: number,
            snapshot_bytes: opened.length,
            bytes_since: 0,
        })
    }

    /// Reads everything that is listed after the tail. A number that is missing before another is a gap.
    async fn replay_listed(&self, operation: &'static str, tail: &mut Tail) -> Result<(), StoreError> {
        let folder = self.name("log/");
        loop {
            let (asked, after) = (self.objects.now(), self.entry_name(tail.number));
            let listed = self.ask(operation, || self.objects.list(&folder, &after, LIST_MAX)).await?;
            let listed = listed.unwrap_or_default();
            let is_all = listed.len() < LIST_MAX;
            for (number, object) in (tail.number + 1..).zip(&listed) {
                if object.key != self.entry_name(number) {
                    let reason = format!("it is not there, and {} is", object.key);
                    return Err(self.damaged(operation, &self.entry_name(number), &reason));
                }
            }
            let names: Vec<String> = listed.into_iter().map(|object| object.key).collect();
            let fetches = names.into_iter().map(|name| self.piece(operation, name));
            let mut found = stream::iter(fetches).buffered(FETCHES_AT_ONCE);
            while let Some(found) = found.try_next().await? {
                self.replay(operation, tail, &found.bytes)?;
            }
            if is_all {
                tail.confirmed = Some(asked);
                return Ok(());
            }
        }
    }

    /// An object that a listing showed.
    async fn piece(&self, operation: &'static str, name: String) -> Result<Found, StoreError> {
        let found = self.get(operation, &name).await?;
        found.ok_or_else(|| self.damaged(operation, &name, "it is not there"))
    }

    /// Applies the log's next object.
    fn replay(&self, operation: &'static str, tail: &mut Tail, bytes: &Bytes) -> Result<(), StoreError> {
        let name = self.entry_name(tail.number + 1);
        let opened: Opened<Batch> = self.open(operation, &name, bytes)?;
        if opened.value.previous != tail.digest {
            return Err(self.damaged(operation, &name, "it does not follow the one before it"));
        }
        for entry in &opened.value.entries {
            let applied = tail.model.apply(entry, self.context(operation));
            applied.map_err(|error| self.damaged(operation, &name, &format!("it does not fit: {error}")))?;
        }
        if tail.model.head.serial != opened.value.serial {
            return Err(self.damaged(operation, &name, "it comes to another serial"));
        }
        tail.number += 1;
        tail.digest = opened.digest;
        tail.bytes_since += bytes.len();
        Ok(())
    }

    /// Reads on to the end of the log.
    pub(super) async fn catch_up(&self, operation: &'static str) -> Result<Tail, StoreError> {
        let mut tail = self.tail();
        if self.is_stale(&tail) {
            return self.begin_anew(operation).await;
        }
        for _ in 0..ONE_BY_ONE_MAX {
            let (asked, name) = (self.objects.now(), self.entry_name(tail.number + 1));
            match self.get(operation, &name).await? {
                Some(found) => self.replay(operation, &mut tail, &found.bytes)?,
                // A clock that stood still until the answer (a suspended machine) hid how long ago that was.
                None if self.is_stale(&self.tail()) => return self.begin_anew(operation).await,
                None => {
                    tail.confirmed = Some(asked);
                    self.publish(&tail);
                    return Ok(tail);
                }
            }
        }
        self.replay_listed(operation, &mut tail).await?;
        self.publish(&tail);
        Ok(tail)
    }

    /// Reads the state again from its newest snapshot: between it and here may be nothing any more.
    async fn begin_anew(&self, operation: &'static str) -> Result<Tail, StoreError> {
        let tail = self.load(operation).await?.ok_or_else(|| self.gone(operation))?;
        self.publish(&tail);
        Ok(tail)
    }

    /// Whether the end may have moved so far that old objects are deleted.
    pub(super) fn is_stale(&self, tail: &Tail) -> bool {
        self.age(tail) > STALE
    }

    /// Whether a write after this tail, which just succeeded, may have gone into the place of a deleted object.
    pub(super) fn is_stalled(&self, tail: &Tail) -> bool {
        self.age(tail) > STALLED
    }

    fn age(&self, tail: &Tail) -> Duration {
        let confirmed = tail.confirmed.unwrap_or(SystemTime::UNIX_EPOCH);
        self.objects.now().duration_since(confirmed).unwrap_or_default()
    }

    fn gone(&self, operation: &'static str) -> StoreError {
        self.damaged(operation, &self.name("latest.jsonl"), "all of the state's objects are gone")
    }

    /// The states that are kept here, for a message.
    pub(super) async fn states(&self, operation: &'static str) -> Result<Vec<StackId>, StoreError> {
        let decoded =
            |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let listed = self.ask(operation, || self.objects.list("", &after, 1)).await?;
            let Some(object) = listed.unwrap_or_default().into_iter().next() else { return Ok(found) };
            let mut parts = object.key.splitn(3, '/');
            let (Some(stack), Some(environment), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
                after = object.key;
                continue;
            };
            found.push(StackId::new(decoded(stack), Some(&decoded(environment))));
            // The character after `/`: past everything of this state.
            after = format!("{stack}/{environment}0");
        }
    }
}

/// The object was not as the write wanted it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precondition;
