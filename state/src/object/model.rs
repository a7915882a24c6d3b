//! The state in memory, and what each entry of the log makes of it. Pure: no clock, no service, no luck.
//!
//! A writer tries its entries here before it writes them, and every reader comes to the same by reading them. Cloning
//! costs nothing, so that whatever is refused is tried on a clone and thrown away.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Imported};
use super::lease::LockRow;
use super::records::Records;
use crate::error::StoreError;
use crate::export::UsedPlan;
use crate::history::{RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, JournalEntry, OpenIntent, Outcome};
use crate::lock::Holder;
use crate::record::{Change, Head, ResourceRecord, Snapshot};

/// For the words of an error: what was to be done, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) operation: &'static str,
    pub(super) place: &'a str,
}

/// What an operation answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Nothing,
    Holder(Option<Holder>),
    Lock(Box<LockRow>),
    Run(RunId),
    Intent(IntentId),
    Serial(u64),
    Text(String),
}

/// A run: with its journal in the model, or kept in an object of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    /// Without it the run ended long ago, and only its object has it.
    pub(super) record: Option<Arc<RunRecord>>,
    pub(super) variables: Arc<str>,
    /// The number of its first intent; all of a run follow each other, since it holds the lock.
    pub(super) first: u64,
    pub(super) count: u64,
    /// The object's name. Then neither the variables nor the journal are here.
    pub(super) kept: Option<String>,
}

/// One state.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) head: Head,
    pub(super) lock: Option<LockRow>,
    pub(super) last_token: u64,
    last_run: u64,
    last_intent: u64,
    pub(super) records: Records,
    pub(super) runs: RedBlackTreeMapSync<u64, Arc<Run>>,
    /// The intents of the runs that are not kept elsewhere.
    pub(super) journal: RedBlackTreeMapSync<u64, Arc<JournalEntry>>,
    open: RedBlackTreeSetSync<u64>,
    pub(super) used_plans: RedBlackTreeMapSync<String, UsedPlan>,
    pub(super) meta: RedBlackTreeMapSync<String, String>,
}

impl Default for Model {
    /// Before the first entry.
    fn default() -> Self {
        Self {
            head: Head { lineage: String::new(), serial: 0 },
            lock: None,
            last_token: 0,
            last_run: 0,
            last_intent: 0,
            records: Records::default(),
            runs: RedBlackTreeMapSync::new_sync(),
            journal: RedBlackTreeMapSync::new_sync(),
            open: RedBlackTreeSetSync::new_sync(),
            used_plans: RedBlackTreeMapSync::new_sync(),
            meta: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl Model {
    /// Applies an entry as a whole or not at all.
    pub(super) fn apply(&mut self, entry: &Entry, context: Context<'_>) -> Result<Reply, StoreError> {
        let mut next = self.clone();
        let reply = next.enter(entry, context)?;
        *self = next;
        Ok(reply)
    }

    /// Applies an entry; what was done before a refusal stays.
    fn enter(&mut self, entry: &Entry, context: Context<'_>) -> Result<Reply, StoreError> {
        match entry {
            Entry::Born { lineage } => lineage.clone_into(&mut self.head.lineage),
            Entry::Locked { lock, over } => return self.locked(lock, *over, context),
            Entry::Renewed { token, heartbeat, heartbeat_boot_ms } => {
                self.verify(*token, context)?;
                if let Some(lock) = &mut self.lock {
                    (lock.heartbeat, lock.heartbeat_boot_ms) = (*heartbeat, *heartbeat_boot_ms);
                }
            }
            Entry::Released { token } => {
                self.verify(*token, context)?;
                self.lock = None;
            }
            Entry::Broken => return Ok(Reply::Holder(self.lock.take().map(|lock| lock.holder()))),
            Entry::RunBegun { token, start, at } => return self.run_begun(*token, start, *at, context),
            Entry::RunEnded { token, run, result, summary, at } => {
                self.verify(*token, context)?;
                self.run_ended(*run, (result, summary, *at), context)?;
            }
            Entry::Intended { token, intent, at } => return self.intended(*token, intent, *at, context),
            Entry::Settled { token, intent, outcome, changes, at } => {
                self.verify(*token, context)?;
                return self.settled(*intent, outcome, (changes, *at), context);
            }
            Entry::Recorded { token, changes } => {
                self.verify(*token, context)?;
                return self.change(changes).map(Reply::Serial);
            }
            Entry::Pruned { token, runs } => {
                self.verify(*token, context)?;
                self.pruned(runs);
            }
            Entry::PlanUsed { token, plan_id, at } => self.plan_used(*token, plan_id, *at, context)?,
            Entry::Meta { token, key, value } => {
                if let Some(token) = token {
                    self.verify(*token, context)?;
                }
                self.meta.insert_mut(key.clone(), value.clone());
            }
            Entry::Imported { token, state } => {
                self.verify(*token, context)?;
                self.imported(state);
            }
        }
        Ok(Reply::Nothing)
    }

    /// The fence: fails unless the token is the current lease's. Answers the run that was begun under it.
    pub(super) fn verify(&self, token: u64, context: Context<'_>) -> Result<Option<RunId>, StoreError> {
        match &self.lock {
            Some(lock) if lock.token == token => Ok(lock.run),
            other => Err(StoreError::LeaseLost {
                operation: context.operation,
                place: context.place.to_owned(),
                holder: other.as_ref().map(|lock| Box::new(lock.holder())),
            }),
        }
    }

    fn locked(
        &mut self,
        lock: &LockRow,
        over: Option<u64>,
        context: Context<'_>,
    ) -> Result<Reply, StoreError> {
        // The claimant judged this very lease as over; another one it has not seen.
        if let Some(present) = self.lock.as_ref().filter(|present| Some(present.token) != over) {
            let (place, holder) = (context.place.to_owned(), Box::new(present.holder()));
            return Err(StoreError::Locked { place, holder });
        }
        self.last_token = lock.token;
        self.lock = Some(lock.clone());
        Ok(Reply::Lock(Box::new(lock.clone())))
    }

    fn run_begun(
        &mut self,
        token: u64,
        start: &RunStart,
        at: Timestamp,
        context: Context<'_>,
    ) -> Result<Reply, StoreError> {
        self.verify(token, context)?;
        self.last_run += 1;
        let id = RunId(self.last_run);
        let record = RunRecord {
            id,
            command: start.command.clone(),
            owner: start.owner.clone(),
            host: start.host.clone(),
            started: at,
            ended: None,
            result: None,
            summary: start.summary.clone(),
            blueprint_digest: start.blueprint.clone(),
            plan_id: start.plan_id.clone(),
            serial_before: self.head.serial,
            serial_after: None,
        };
        let (record, variables) = (Some(Arc::new(record)), start.variables.as_str().into());
        let run = Run { record, variables, first: self.last_intent + 1, count: 0, kept: None };
        self.runs.insert_mut(id.0, Arc::new(run));
        // From now on the plan tells who used it, also when this run is forgotten.
        let used = start.plan_id.as_ref().and_then(|plan_id| self.used_plans.get(plan_id));
        if let Some(used) = used.filter(|used| used.run.is_none()).cloned() {
            self.used_plans.insert_mut(used.plan_id.clone(), UsedPlan { run: Some(id), ..used });
        }
        if let Some(lock) = &mut self.lock {
            lock.run = Some(id);
        }
        Ok(Reply::Run(id))
    }

    fn run_ended(
        &mut self,
        id: RunId,
        (result, summary, at): (&str, &str, Timestamp),
        context: Context<'_>,
    ) -> Result<(), StoreError> {
        let missing = || StoreError::NoSuchRun { place: context.place.to_owned(), run: id };
        let mut run = (**self.runs.get(&id.0).ok_or_else(missing)?).clone();
        let Some(record) = run.record.as_mut().map(Arc::make_mut) else {
            return Err(StoreError::Backend {
                operation: context.operation,
                place: context.place.to_owned(),
                reason: format!("run {id} ended long ago"),
            });
        };
        record.ended = Some(at);
        record.result = Some(result.to_owned());
        record.summary = summary.to_owned();
        record.serial_after = Some(self.head.serial);
        self.runs.insert_mut(id.0, Arc::new(run));
        Ok(())
    }

    fn intended(
        &mut self,
        token: u64,
        intent: &Intent,
        at: Timestamp,
        context: Context<'_>,
    ) -> Result<Reply, StoreError> {
        let current = self.verify(token, context)?;
        let run = self.runs.get(&intent.run.0).filter(|_| current == Some(intent.run));
        let Some(run) = run else {
            // A run's intents follow each other by this rule.
            let reason = format!("run {} is not the one that was begun under this lock", intent.run);
            return Err(StoreError::Conflict { address: intent.address.clone(), reason });
        };
        let run = Run { count: run.count + 1, ..(**run).clone() };
        self.runs.insert_mut(intent.run.0, Arc::new(run));
        self.last_intent += 1;
        let id = IntentId(self.last_intent);
        self.add_to_journal(JournalEntry {
            id,
            intent: intent.clone(),
            at,
            outcome: None,
            settled: None,
            serial: None,
        });
        Ok(Reply::Intent(id))
    }

    fn add_to_journal(&mut self, entry: JournalEntry) {
        if is_open(&entry) {
            self.open.insert_mut(entry.id.0);
        } else {
            self.open.remove_mut(&entry.id.0);
        }
        self.journal.insert_mut(entry.id.0, Arc::new(entry));
    }

    fn settled(
        &mut self,
        id: IntentId,
        outcome: &Outcome,
        (changes, at): (&[Change], Timestamp),
        context: Context<'_>,
    ) -> Result<Reply, StoreError> {
        let place = || context.place.to_owned();
        let Some(entry) = self.journal.get(&id.0).cloned() else {
            return Err(match self.run_of(id) {
                // Only what is settled for good is kept elsewhere; how it ended is for the store to look up.
                Some(_) => StoreError::AlreadySettled { intent: id, outcome: String::new(), serial: 0 },
                None => StoreError::NoSuchIntent { place: place(), intent: id },
            });
        };
        if !is_open(&entry) {
            let (outcome, serial) = (word(&entry), entry.serial.unwrap_or_default());
            return Err(StoreError::AlreadySettled { intent: id, outcome, serial });
        }
        let serial = self.change(changes)?;
        let (outcome, settled) = (Some(outcome.clone()), Some(at));
        self.add_to_journal(JournalEntry { outcome, settled, serial: Some(serial), ..(*entry).clone() });
        Ok(Reply::Serial(serial))
    }

    /// The run that has this intent, when its journal is kept elsewhere.
    pub(super) fn run_of(&self, id: IntentId) -> Option<u64> {
        let has = |run: &Run| run.kept.is_some() && (run.first..run.first + run.count).contains(&id.0);
        self.runs.iter().find(|(_, run)| has(run)).map(|(id, _)| *id)
    }

    /// Makes changes in order and answers the serial after them.
    fn change(&mut self, changes: &[Change]) -> Result<u64, StoreError> {
        for change in changes {
            self.records.apply(change)?;
        }
        self.head.serial += u64::from(!changes.is_empty());
        Ok(self.head.serial)
    }

    fn pruned(&mut self, runs: &[u64]) {
        for id in runs {
            let Some(run) = self.runs.get(id).cloned() else { continue };
            self.runs.remove_mut(id);
            for intent in run.first..run.first + run.count {
                self.journal.remove_mut(&intent);
            }
        }
    }

    fn plan_used(
        &mut self,
        token: u64,
        plan_id: &str,
        at: Timestamp,
        context: Context<'_>,
    ) -> Result<(), StoreError> {
        let run = self.verify(token, context)?;
        if let Some(used) = self.used_plans.get(plan_id) {
            // The run may have begun after the plan was used up, and then names the plan itself.
            let names_it = |run: &&Arc<Run>| {
                run.record.as_ref().is_some_and(|record| record.plan_id.as_deref() == Some(plan_id))
            };
            let later = self.runs.values().rfind(names_it).and_then(|run| Some(run.record.as_ref()?.id));
            let (plan_id, run) = (plan_id.to_owned(), used.run.or(later));
            return Err(StoreError::PlanUsed { plan_id, at: used.at, run });
        }
        let used = UsedPlan { plan_id: plan_id.to_owned(), at, run };
        self.used_plans.insert_mut(plan_id.to_owned(), used);
        Ok(())
    }

    /// Replaces everything but the lock and the numbers that were given out.
    fn imported(&mut self, state: &Imported) {
        let mut lock = self.lock.take();
        if let Some(lock) = &mut lock {
            // A run that was begun under it went with the history that it belonged to.
            lock.run = None;
        }
        let (last_token, last_run, last_intent) = (self.last_token, self.last_run, self.last_intent);
        *self = Self { head: state.head.clone(), lock, last_token, last_run, last_intent, ..Self::default() };
        for record in &state.resources {
            self.records.put(record.clone());
        }
        for run in &state.runs {
            let first = self.last_intent + 1;
            for entry in &run.journal {
                self.last_intent += 1;
                self.add_to_journal(JournalEntry { id: IntentId(self.last_intent), ..entry.clone() });
            }
            self.last_intent = first + run.count - 1;
            let id = run.record.id.0;
            let (record, variables) = (Arc::new(run.record.clone()), run.variables.as_str().into());
            let (count, kept) = (run.count, run.kept.clone());
            let run = Run { record: Some(record), variables, first, count, kept };
            self.runs.insert_mut(id, Arc::new(run));
            self.last_run = self.last_run.max(id);
        }
        for plan in &state.used_plans {
            self.used_plans.insert_mut(plan.plan_id.clone(), plan.clone());
        }
        for (key, value) in &state.meta {
            self.meta.insert_mut(key.clone(), value.clone());
        }
    }

    /// One consistent read.
    pub(super) fn snapshot(&self) -> Snapshot {
        let open = self.open.iter().filter_map(|id| self.journal.get(id));
        Snapshot {
            head: self.head.clone(),
            resources: self.records.all().map(|record| (**record).clone()).collect(),
            open_intents: open
                .map(|entry| OpenIntent {
                    id: entry.id,
                    intent: entry.intent.clone(),
                    at: entry.at,
                    answer_lost: entry.outcome == Some(Outcome::Unknown),
                })
                .collect(),
        }
    }

    /// The journal of a run that is not kept elsewhere, oldest first.
    pub(super) fn journal_of(&self, run: &Run) -> Vec<JournalEntry> {
        let range = self.journal.range(run.first..run.first + run.count);
        range.map(|(_, entry)| (**entry).clone()).collect()
    }

    pub(super) fn has_open(&self, run: &Run) -> bool {
        self.open.range(run.first..run.first + run.count).next().is_some()
    }

    /// Whether anything in a run may still change but its end.
    pub(super) fn is_closed(&self, id: u64, run: &Run) -> bool {
        let is_current = self.lock.as_ref().is_some_and(|lock| lock.run == Some(RunId(id)));
        let ended = run.record.as_ref().is_none_or(|record| record.ended.is_some());
        !self.has_open(run) && (ended || (!is_current && id < self.last_run))
    }
}

/// Whether nothing is known yet that would close the intent.
pub(super) fn is_open(entry: &JournalEntry) -> bool {
    matches!(entry.outcome, None | Some(Outcome::Unknown))
}

/// How a closed intent ended.
pub(super) fn word(entry: &JournalEntry) -> String {
    let word = match entry.outcome {
        Some(Outcome::Done) => "done",
        Some(Outcome::Failed { .. }) => "failed",
        Some(Outcome::Unknown) | None => "unknown",
    };
    word.to_owned()
}

/// A model as a snapshot has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    head: Head,
    lock: Option<LockRow>,
    last_token: u64,
    last_run: u64,
    last_intent: u64,
    resources: Vec<Arc<ResourceRecord>>,
    runs: BTreeMap<u64, Arc<Run>>,
    journal: Vec<Arc<JournalEntry>>,
    used_plans: Vec<UsedPlan>,
    meta: BTreeMap<String, String>,
}

impl From<&Model> for Saved {
    fn from(model: &Model) -> Self {
        Self {
            head: model.head.clone(),
            lock: model.lock.clone(),
            last_token: model.last_token,
            last_run: model.last_run,
            last_intent: model.last_intent,
            resources: model.records.all().cloned().collect(),
            runs: model.runs.iter().map(|(id, run)| (*id, Arc::clone(run))).collect(),
            journal: model.journal.values().cloned().collect(),
            used_plans: model.used_plans.values().cloned().collect(),
            meta: model.meta.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

impl From<Saved> for Model {
    fn from(saved: Saved) -> Self {
        let mut model = Self {
            head: saved.head,
            lock: saved.lock,
            last_token: saved.last_token,
            last_run: saved.last_run,
            last_intent: saved.last_intent,
            ..Self::default()
        };
        for record in saved.resources {
            model.records.put(Arc::unwrap_or_clone(record));
        }
        for (id, run) in saved.runs {
            model.runs.insert_mut(id, run);
        }
        for entry in saved.journal {
            model.add_to_journal(Arc::unwrap_or_clone(entry));
        }
        for plan in saved.used_plans {
            model.used_plans.insert_mut(plan.plan_id.clone(), plan);
        }
        for (key, value) in saved.meta {
            model.meta.insert_mut(key, value);
        }
        model
    }
}
