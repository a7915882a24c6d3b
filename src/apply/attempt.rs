//! One task: intent, call, outcome, with retries; every effect is in the journal before it is tried.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use standfast_contract::{
    Address, Call, Context, ErrorClass, Made, Map, Operation, Provider, ProviderError, Value, Vault,
    provider::OPERATION_TIMEOUT_MAX,
};
use standfast_state::{Change, Intent, IntentId, Lease, Outcome, RunId, Store, StoreError};
use tokio::sync::mpsc::UnboundedSender;

use super::{event::Event, tasks::Service};
use crate::plan::{
    Action, Step,
    in_flight::OUT_OF_SERVICE,
    recorded::{Interrupted, Payload, Recorded},
    token,
};

/// Tries after the first, and the longest wait between two.
const RETRIES_MAX: usize = 6;
const RETRY_WAIT_MAX: Duration = Duration::from_secs(15);

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("could not record the result of {address}: {source}")]
    Store { address: Address, source: StoreError },
    #[error("{address} needs `{attribute}`, which nothing has put out")]
    Unknown { address: Address, attribute: String },
    #[error(transparent)]
    Secret(#[from] standfast_contract::secret::SecretError),
}

impl TaskError {
    pub fn hint(&self) -> Option<String> {
        match self {
            TaskError::Provider(error) => error.hint.clone(),
            TaskError::Store { source, .. } => source.hint(),
            TaskError::Unknown { .. } => None,
            TaskError::Secret(error) => error.hint.clone(),
        }
    }

    /// Nothing else at that place will work either.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, TaskError::Provider(error) if error.class == ErrorClass::Unreachable)
    }
}

/// A call that failed for good.
struct Failed {
    error: ProviderError,
    /// Some try of it had no answer. However clear the last one's was, that one may have taken effect.
    uncertain: bool,
}

impl From<Failed> for TaskError {
    fn from(failed: Failed) -> Self {
        failed.error.into()
    }
}

/// What a task left behind.
pub enum Done {
    Made { inputs: Map, outputs: Map },
    Removed,
    Operated,
}

/// What every task of a run shares.
pub struct Shared {
    pub store: Arc<dyn Store>,
    pub lease: Lease,
    pub run: RunId,
    pub vault: Arc<Vault>,
    pub plan_id: String,
    /// Keys of the old copies that were recorded when the run began.
    pub set_aside: HashSet<String>,
    /// What an earlier run of this plan has given its new address.
    pub renamed: HashSet<Address>,
    /// The journal's open intents of members that are out of service, by label.
    pub out_of_service: Mutex<BTreeMap<String, Vec<IntentId>>>,
    /// The journal's intents of this run that had no answer. What is undone needs no looking up any more.
    pub unanswered: Mutex<HashMap<Address, Vec<IntentId>>>,
    pub events: UnboundedSender<Event>,
}

impl Shared {
    /// Never held across a wait.
    pub fn out_of_service(&self) -> MutexGuard<'_, BTreeMap<String, Vec<IntentId>>> {
        self.out_of_service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held across a wait.
    fn unanswered(&self) -> MutexGuard<'_, HashMap<Address, Vec<IntentId>>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task with everything it needs.
pub struct Attempt {
    pub shared: Arc<Shared>,
    pub provider: Arc<dyn Provider>,
    pub context: Context,
    /// Whether the call waits for a state just now.
    pub waits: Arc<AtomicBool>,
    pub task: u32,
}

impl Attempt {
    /// Creates, updates, or only writes down.
    pub async fn make(&self, step: &Step, inputs: Map) -> Result<Done, TaskError> {
        let address = &step.address;
        // The old object of a replacement was renamed when it was dropped.
        if step.action != Action::Replace || step.create_before_destroy {
            self.rename(step).await?;
        }
        match step.action {
            Action::Forget => {
                self.record(address, &[remove(step, &step.deposed)]).await?;
                Ok(Done::Removed)
            }
            Action::Refresh => {
                let outputs = step.prior.as_ref().map(|prior| prior.outputs.clone()).unwrap_or_default();
                let id = step.prior.as_ref().map(|prior| prior.id.clone()).unwrap_or_default();
                self.record(address, &[Change::Put(record_of(step, id, &inputs, &outputs).encode())]).await?;
                Ok(Done::Made { inputs, outputs })
            }
            Action::Create => self.create(step, inputs, "create").await,
            Action::Replace if step.create_before_destroy => {
                // Known as an old copy before the new one exists, so that neither can be lost.
                let deposed = dropped(&self.shared.plan_id, step);
                if !self.shared.set_aside.contains(&deposed) {
                    let depose = Change::Depose { address: address.to_string(), deposed };
                    self.record(address, &[depose]).await?;
                }
                self.create(step, inputs, "create").await
            }
            Action::Replace => self.create(step, inputs, "create").await,
            Action::Move => {
                let prior = step.prior.as_ref();
                let (id, outputs) =
                    prior.map(|prior| (prior.id.clone(), prior.outputs.clone())).unwrap_or_default();
                self.record(address, &[Change::Put(record_of(step, id, &inputs, &outputs).encode())]).await?;
                Ok(Done::Made { inputs, outputs })
            }
            Action::Update => {
                let changed = step.changes.iter().map(|change| change.attribute.clone()).collect();
                self.update(step, inputs, changed, "update").await
            }
            Action::Delete => self.drop(step).await,
        }
    }

    async fn create(&self, step: &Step, inputs: Map, action: &str) -> Result<Done, TaskError> {
        let token = step.token.clone().unwrap_or_else(|| self.token(&step.address, action));
        let place = self.place(&step.place)?;
        let call = Call {
            prior: Map::new(),
            prior_outputs: Map::new(),
            id: None,
            ..call(step, place, token, inputs)
        };
        let intent = self.intend(step, "", action, &call.token).await?;
        let made = self.call(&step.address, || self.provider.create(&self.context, &call)).await;
        self.settle_made(step, intent, call.inputs, made).await
    }

    /// The marks take the new address, then the record: before anything else is done to it.
    async fn rename(&self, step: &Step) -> Result<(), TaskError> {
        let Some(from) = step.moved_from.as_ref().filter(|_| !self.shared.renamed.contains(&step.address))
        else {
            return Ok(());
        };
        let place = self.place(&step.place)?;
        let inputs = step.prior.as_ref().map(|prior| prior.inputs.clone()).unwrap_or_default();
        let call = call(step, place, self.token(&step.address, "rename"), inputs);
        let intent = self.intend(step, "", "rename", &call.token).await?;
        match self.call(&step.address, || self.provider.rename(&self.context, &call, from)).await {
            Ok(()) => {
                let moved = Change::Move { from: from.to_string(), to: step.address.to_string() };
                self.settle(&step.address, intent, &Outcome::Done, &[moved]).await
            }
            Err(failed) => self.settle_failed(&step.address, intent, failed).await.map(drop),
        }
    }

    async fn update(
        &self,
        step: &Step,
        inputs: Map,
        changed: Vec<String>,
        action: &str,
    ) -> Result<Done, TaskError> {
        let place = self.place(&step.place)?;
        let call = Call { changed, ..call(step, place, self.token(&step.address, action), inputs) };
        let intent = self.intend(step, "", action, &call.token).await?;
        let made = self.call(&step.address, || self.provider.update(&self.context, &call)).await;
        self.settle_made(step, intent, call.inputs, made).await
    }

    /// Deletes the old object: the current one, or the copy that a replacement set aside.
    pub async fn drop(&self, step: &Step) -> Result<Done, TaskError> {
        if !step.create_before_destroy {
            self.rename(step).await?;
        }
        let deposed = dropped(&self.shared.plan_id, step);
        let inputs = step.prior.as_ref().map(|prior| prior.inputs.clone()).unwrap_or_default();
        self.delete(step, inputs, deposed, "delete").await
    }

    async fn delete(
        &self,
        step: &Step,
        inputs: Map,
        deposed: String,
        action: &str,
    ) -> Result<Done, TaskError> {
        let place = self.place(&step.place)?;
        let call = call(step, place, self.token(&step.address, action), inputs);
        let intent = self.intend(step, &deposed, action, &call.token).await?;
        let deleted = self.call(&step.address, || self.provider.delete(&self.context, &call)).await;
        match deleted {
            Ok(()) => {
                self.settle(&step.address, intent, &Outcome::Done, &[remove(step, &deposed)]).await?;
                Ok(Done::Removed)
            }
            Err(failed) => self.settle_failed(&step.address, intent, failed).await,
        }
    }

    /// Puts a resource back to what it was before the plan.
    pub async fn undo(&self, step: &Step, applied: Map) -> Result<Done, TaskError> {
        let done = self.put_back(step, applied).await?;
        let open = self.shared.unanswered().remove(&step.address);
        for intent in open.into_iter().flatten() {
            let message = "no answer; rolled back".to_owned();
            self.settle(&step.address, intent, &Outcome::Failed { message }, &[]).await?;
        }
        Ok(done)
    }

    async fn put_back(&self, step: &Step, applied: Map) -> Result<Done, TaskError> {
        let Some(prior) = &step.prior else {
            return self.delete(step, applied, String::new(), "undo").await;
        };
        let restored = prior.inputs.clone();
        match step.action {
            Action::Update => {
                let changed = step.changes.iter().map(|change| change.attribute.clone()).collect();
                // What is there now is what the plan put there.
                let mut now = step.clone();
                if let Some(now) = &mut now.prior {
                    now.inputs = applied;
                }
                self.update(&now, restored, changed, "undo").await
            }
            _ => self.create(step, restored, "undo").await,
        }
    }

    /// Before a member leaves service its label is in the journal, until it is back: whoever dies in between, the next
    /// plan knows. The inputs are resolved.
    pub async fn operate(
        &self,
        operation: &Operation,
        service: Service,
        member: &str,
    ) -> Result<Done, TaskError> {
        if service == Service::Leaves {
            self.leave(operation, member).await?;
        }
        let resolved = Operation { place: self.place(&operation.place)?, ..operation.clone() };
        self.call(&operation.address, || self.provider.operate(&self.context, &resolved)).await?;
        if service == Service::Returns {
            let open = self.shared.out_of_service().remove(member);
            for intent in open.into_iter().flatten() {
                self.settle(&operation.address, intent, &Outcome::Done, &[]).await?;
            }
        }
        Ok(Done::Operated)
    }

    async fn leave(&self, operation: &Operation, member: &str) -> Result<(), TaskError> {
        let intent = Intent {
            run: self.shared.run,
            address: member.to_owned(),
            deposed: String::new(),
            action: OUT_OF_SERVICE.to_owned(),
            token: self.token(&operation.address, &operation.verb),
            payload: "{}".to_owned(),
        };
        let stored = self.shared.store.intend(&self.shared.lease, &intent).await;
        let intent =
            stored.map_err(|source| TaskError::Store { address: operation.address.clone(), source })?;
        self.shared.out_of_service().entry(member.to_owned()).or_default().push(intent);
        Ok(())
    }

    /// Calls until it works, the error is final, or the tries are used up.
    async fn call<T, F, R>(&self, address: &Address, mut call: F) -> Result<T, Failed>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, ProviderError>>,
    {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(RETRY_WAIT_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        let (mut attempt, mut uncertain) = (1, false);
        loop {
            let no_answer = || {
                Err(ProviderError::new(
                    ErrorClass::Uncertain,
                    format!("finish {address}"),
                    format!("no answer within {} s", OPERATION_TIMEOUT_MAX.as_secs()),
                ))
            };
            let error = match in_time(&self.waits, call()).await.unwrap_or_else(no_answer) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            uncertain |= error.class == ErrorClass::Uncertain;
            if !matches!(error.class, ErrorClass::Transient | ErrorClass::Uncertain) {
                return Err(Failed { error, uncertain });
            }
            let Some(wait) = waits.next() else { return Err(Failed { error, uncertain }) };
            let wait = error.retry_after.map_or(wait, |asked| asked.max(wait));
            attempt += 1;
            self.tell(Event::Retrying {
                task: self.task,
                address: address.to_string(),
                attempt,
                wait,
                reason: error.to_string(),
            });
            tokio::time::sleep(wait).await;
        }
    }

    async fn intend(
        &self,
        step: &Step,
        deposed: &str,
        action: &str,
        token: &str,
    ) -> Result<IntentId, TaskError> {
        let payload = Interrupted {
            token: token.to_owned(),
            provider: step.provider.clone(),
            kind: step.kind.clone(),
            place: step.place.clone(),
            lane: step.lane.clone(),
        };
        let intent = Intent {
            run: self.shared.run,
            address: step.address.to_string(),
            deposed: deposed.to_owned(),
            action: action.to_owned(),
            token: token.to_owned(),
            payload: serde_json::to_string(&payload).unwrap_or_default(),
        };
        let stored = self.shared.store.intend(&self.shared.lease, &intent).await;
        stored.map_err(|source| TaskError::Store { address: step.address.clone(), source })
    }

    async fn settle_made(
        &self,
        step: &Step,
        intent: IntentId,
        inputs: Map,
        made: Result<Made, Failed>,
    ) -> Result<Done, TaskError> {
        match made {
            Ok(made) => {
                let put = Change::Put(record_of(step, made.id, &inputs, &made.outputs).encode());
                self.settle(&step.address, intent, &Outcome::Done, &[put]).await?;
                Ok(Done::Made { inputs, outputs: made.outputs })
            }
            Err(failed) => self.settle_failed(&step.address, intent, failed).await,
        }
    }

    async fn settle_failed(
        &self,
        address: &Address,
        intent: IntentId,
        failed: Failed,
    ) -> Result<Done, TaskError> {
        // An answer that never came leaves the intent open: the next run looks the matter up.
        let outcome = match failed.uncertain {
            true => Outcome::Unknown,
            false => Outcome::Failed { message: failed.error.to_string() },
        };
        self.settle(address, intent, &outcome, &[]).await?;
        if failed.uncertain {
            self.shared.unanswered().entry(address.clone()).or_default().push(intent);
        }
        Err(failed.into())
    }

    async fn settle(
        &self,
        address: &Address,
        intent: IntentId,
        outcome: &Outcome,
        changes: &[Change],
    ) -> Result<(), TaskError> {
        let settled = self.shared.store.settle(&self.shared.lease, intent, outcome, changes).await;
        settled.map(drop).map_err(|source| TaskError::Store { address: address.clone(), source })
    }

    async fn record(&self, address: &Address, changes: &[Change]) -> Result<(), TaskError> {
        let recorded = self.shared.store.record(&self.shared.lease, changes).await;
        recorded.map(drop).map_err(|source| TaskError::Store { address: address.clone(), source })
    }

    fn place(&self, place: &Value) -> Result<Value, TaskError> {
        Ok(place.resolve(&|_| None, &self.shared.vault)?)
    }

    /// The same for every try of the same step of the same plan.
    fn token(&self, address: &Address, action: &str) -> String {
        token(&self.shared.plan_id, address, action)
    }

    fn tell(&self, event: Event) {
        // Nobody listening is no reason to stop.
        let _ = self.shared.events.send(event);
    }
}

/// The key under which the object lies that a step deletes; empty for the current one.
pub fn dropped(plan_id: &str, step: &Step) -> String {
    match step.action {
        Action::Replace if step.create_before_destroy => {
            token(plan_id, &step.address, "depose")[..8].to_owned()
        }
        _ => step.deposed.clone(),
    }
}

fn call(step: &Step, place: Value, token: String, inputs: Map) -> Call {
    let (id, prior, prior_outputs) = match &step.prior {
        Some(prior) => (Some(prior.id.clone()), prior.inputs.clone(), prior.outputs.clone()),
        None => (None, Map::new(), Map::new()),
    };
    Call {
        address: step.address.clone(),
        kind: step.kind.clone(),
        place,
        token,
        id,
        inputs,
        prior,
        prior_outputs,
        changed: Vec::new(),
    }
}

fn record_of(step: &Step, id: String, inputs: &Map, outputs: &Map) -> Recorded {
    Recorded {
        address: step.address.clone(),
        deposed: String::new(),
        kind: step.kind.clone(),
        provider: step.provider.clone(),
        id,
        dependencies: step.dependencies.clone(),
        payload: Payload::new(
            inputs.clone(),
            outputs.clone(),
            step.place.clone(),
            step.lane.clone(),
            step.lifecycle.clone(),
        ),
    }
}

fn remove(step: &Step, deposed: &str) -> Change {
    Change::Remove { address: step.address.to_string(), deposed: deposed.to_owned() }
}

/// `None`: no answer in time. Where it waits for a state the time does not count.
async fn in_time<T>(waits: &AtomicBool, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    loop {
        match tokio::time::timeout(OPERATION_TIMEOUT_MAX, call.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_) if waits.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_has_its_time_and_a_wait_for_a_state_as_long_as_it_takes() {
        for waits in [false, true] {
            let long = tokio::time::sleep(OPERATION_TIMEOUT_MAX * 3);
            let answer = in_time(&AtomicBool::new(waits), long).await;
            assert_eq!(answer.is_some(), waits);
        }
    }
}
