//! The run: starts what the scheduler allows, writes down what ends, tells what happens.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use standfast_contract::{Address, Context, Map, OnFailure, ProviderError, Vault};
use standfast_state::{IntentId, Lease, RunId, Snapshot, Store, StoreError};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    task::JoinSet,
};

use super::{
    attempt::{Attempt, Done, Shared, TaskError, dropped},
    event::{Event, Failure, Outcome, Report},
    outputs::Outputs,
    rollback,
    scheduler::{Scheduler, State},
    tasks::{MemberKey, Service, Task, Work, lower},
};
use crate::plan::{
    Action, Because, Plan, Purpose, Step,
    in_flight::{self, Found},
    observe::{Providers, no_provider},
    recorded::{RecordError, Recorded},
    resume::DoneCall,
};

/// How long tasks that are told to stop now may take to end: each does at its next await.
const STOP_MAX: Duration = Duration::from_secs(1);

/// How far the user wants the run to stop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Interrupt {
    #[default]
    None,
    /// Finish what is in flight, start nothing else.
    Finish,
    /// Stop now; the journal keeps the truth.
    Now,
}

/// What a run needs beside the plan.
pub struct Settings {
    pub providers: Providers,
    pub store: Arc<dyn Store>,
    pub lease: Lease,
    pub run: RunId,
    pub vault: Arc<Vault>,
    /// Lanes whose place preflight could not reach, and why.
    pub unreachable: BTreeMap<String, ProviderError>,
    /// Steps that may run at once in one provider.
    pub parallelism: usize,
    pub interrupt: watch::Receiver<Interrupt>,
    pub events: UnboundedSender<Event>,
}

/// Why a run could not begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Secret(#[from] standfast_contract::secret::SecretError),
    #[error("the {source_name} has changed since the plan was made")]
    SecretChanged { source_name: String },
}

/// Carries out a plan. Failures of single steps are in the report; an error means that the run itself could not go on.
pub async fn apply(plan: Arc<Plan>, snapshot: &Snapshot, settings: Settings) -> Result<Report, ApplyError> {
    for (source, digest) in &plan.secrets {
        if settings.vault.fetch(source)?.digest() != digest {
            return Err(ApplyError::SecretChanged { source_name: source.to_string() });
        }
    }
    let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
    let (store, lease) = (Arc::clone(&settings.store), settings.lease.clone());
    let report = Run::new(Arc::clone(&plan), &recorded, settings).drive().await?;
    close_intents(store.as_ref(), &lease, &plan, &report).await?;
    Ok(report)
}

/// What an earlier run left without an outcome is history once this one has dealt with it; what it did not come to, or
/// failed at, stays open for the next. A member's absence ends with its return, nowhere else.
pub async fn close_intents(
    store: &dyn Store,
    lease: &Lease,
    plan: &Plan,
    report: &Report,
) -> Result<(), StoreError> {
    if report.interrupted {
        return Ok(());
    }
    let left = |address: &str| {
        report.failed.iter().any(|failed| failed.address == address)
            || report.blocked.iter().any(|blocked| blocked.0 == address)
            || report.cancelled.iter().any(|cancelled| cancelled == address)
    };
    for old in plan.in_flight.iter().filter(|old| !left(&old.address)) {
        match old.found {
            Found::LeftOpen | Found::StillOut => continue,
            // What would put it back was to be deleted; if it is still there, so is the member.
            Found::Gone if !report.succeeded() => continue,
            _ => {}
        }
        let message = format!("interrupted; {}", old.found.words());
        store.settle(lease, old.intent, &standfast_state::Outcome::Failed { message }, &[]).await?;
    }
    Ok(())
}

struct Run {
    plan: Arc<Plan>,
    tasks: Vec<Task>,
    scheduler: Scheduler,
    outputs: Outputs,
    /// What was applied by each step, for undoing it.
    applied: HashMap<u32, Map>,
    /// Steps that turned out to change nothing.
    untouched: Vec<bool>,
    providers: Providers,
    parallelism: usize,
    shared: Arc<Shared>,
    interrupt: watch::Receiver<Interrupt>,
    /// Which running tasks begin to wait for a state, and which go on.
    waits: UnboundedReceiver<Waits>,
    waits_tell: UnboundedSender<Waits>,
    /// Somebody may still interrupt.
    interruptible: bool,
    started: HashMap<u32, Instant>,
    /// Rollouts that failed: undone once their last running task has ended.
    failing: HashMap<u32, MemberKey>,
    undone: Vec<u32>,
    unreachable: BTreeMap<String, ProviderError>,
    /// Lanes whose place does not answer, and the task that found out.
    dead_lanes: HashMap<String, u32>,
    report: Report,
    begun_at: Instant,
}

/// A task, and whether it waits.
type Waits = (u32, bool);
type Ended = (u32, Result<Done, TaskError>);

impl Run {
    fn new(plan: Arc<Plan>, recorded: &[Recorded], settings: Settings) -> Self {
        let tasks = lower(&plan);
        let count = plan.steps.len();
        let (waits_tell, waits) = unbounded_channel();
        let mut run = Run {
            outputs: Outputs::from_records(recorded.iter()),
            applied: HashMap::new(),
            untouched: vec![false; count],
            providers: settings.providers,
            parallelism: settings.parallelism,
            shared: Arc::new(Shared {
                store: settings.store,
                lease: settings.lease,
                run: settings.run,
                vault: settings.vault,
                plan_id: plan.id.clone(),
                set_aside: recorded.iter().map(|record| record.deposed.clone()).collect(),
                renamed: plan.resumed.as_ref().map(|resumed| resumed.renamed.clone()).unwrap_or_default(),
                out_of_service: Mutex::new(still_out(&plan)),
                unanswered: Mutex::default(),
                events: settings.events,
            }),
            interrupt: settings.interrupt,
            waits,
            waits_tell,
            interruptible: true,
            scheduler: Scheduler::default(),
            started: HashMap::new(),
            failing: HashMap::new(),
            undone: Vec::new(),
            unreachable: settings.unreachable,
            dead_lanes: HashMap::new(),
            report: Report { run: settings.run.0, ..Report::default() },
            begun_at: Instant::now(),
            tasks: Vec::new(),
            plan,
        };
        run.schedule(tasks);
        run.skip_done(recorded);
        run
    }

    fn schedule(&mut self, tasks: Vec<Task>) {
        let batch: Vec<_> = tasks.iter().map(|task| (task.needs.clone(), self.groups(task))).collect();
        self.tasks.extend(tasks);
        self.scheduler.add(batch);
    }

    /// What earlier runs of this plan did is not done again. A member whose steps are all done is not drained again; it is
    /// proven and put back unless it was back in service.
    fn skip_done(&mut self, recorded: &[Recorded]) {
        let Some(resumed) = &self.plan.resumed else { return };
        let done: Vec<bool> =
            self.tasks.iter().map(|task| is_done(&self.plan, task, &resumed.done)).collect();
        let out = self.shared.out_of_service();
        let over = |(task, done_itself): (&Task, &bool)| {
            let (Work::Operate(operation, _), Some(key)) = (&task.work, task.member) else {
                return *done_itself;
            };
            let member = &self.plan.rollouts[key.rollout as usize].members[key.member as usize];
            let inside_done = self
                .tasks
                .iter()
                .zip(&done)
                .all(|(other, done)| *done || other.member != Some(key) || other.work.step().is_none());
            let is_back = !member.before.is_empty() && !out.contains_key(&self.label(key));
            inside_done && (member.before.contains(operation) || is_back)
        };
        let skipped: Vec<bool> = self.tasks.iter().zip(&done).map(over).collect();
        drop(out);
        // What undoing them would have to know.
        let inputs: HashMap<&Address, &Arc<Map>> =
            recorded.iter().map(|record| (&record.address, &record.payload.inputs)).collect();
        for (task, _) in (0u32..).zip(&skipped).filter(|(_, skipped)| **skipped) {
            self.scheduler.skip(task);
            if let Work::Make(step) = self.tasks[task as usize].work
                && let Some(applied) = inputs.get(&self.plan.steps[step as usize].address)
            {
                self.applied.insert(step, Map::clone(applied));
            }
        }
    }

    /// Waiting for a state (an operation) holds no slot.
    fn groups(&mut self, task: &Task) -> Vec<u32> {
        let Some(step) = task.work.step() else { return Vec::new() };
        let step = &self.plan.steps[step as usize];
        let lane_limit = self.providers.get(&step.provider).map_or(1, |provider| provider.lane_limit());
        let provider = self.scheduler.group(&format!("provider {}", step.provider), self.parallelism);
        let lane = self.scheduler.group(&format!("lane {}", step.lane), lane_limit);
        vec![provider, lane]
    }

    async fn drive(mut self) -> Result<Report, ApplyError> {
        self.tell(Event::Started { run: self.report.run, tasks: self.tasks.len() });
        self.give_up_unreachable();
        let mut running: JoinSet<Ended> = JoinSet::new();
        loop {
            while let Some(task) = self.scheduler.start() {
                self.start(task, &mut running);
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                changed = self.interrupt.changed(), if self.interruptible => {
                    self.interruptible = changed.is_ok();
                    let level = *self.interrupt.borrow_and_update();
                    if changed.is_ok() && level == Interrupt::Now {
                        // They hold the state too, and what the last one drops is closed in order. One that is stuck
                        // must not hold up the exit.
                        let _ = tokio::time::timeout(STOP_MAX, running.shutdown()).await;
                        self.report.interrupted = true;
                        break;
                    }
                    if changed.is_ok() && level == Interrupt::Finish {
                        self.stop();
                    }
                }
                Some((task, waits)) = self.waits.recv() => self.scheduler.lend(task, waits),
                Some(ended) = running.join_next() => {
                    // A task that panicked is a bug; its intent stays open in the journal.
                    let Ok((task, result)) = ended else { continue };
                    self.end(task, result);
                }
            }
        }
        self.finish().await
    }

    fn start(&mut self, number: u32, running: &mut JoinSet<Ended>) {
        let task = self.tasks[number as usize].clone();
        let (address, doing, undo) = self.describe(&task.work);
        self.started.insert(number, Instant::now());
        let quiet = self.is_quiet(&task.work);
        if !quiet {
            self.tell(Event::TaskStarted { task: number, address: address.clone(), doing, undo });
        }
        let name = match &task.work {
            Work::Operate(operation, _) => operation.provider.clone(),
            Work::Make(step) | Work::Drop(step) | Work::Undo(step) => {
                self.plan.steps[*step as usize].provider.clone()
            }
        };
        let Some(provider) = self.providers.get(&name).cloned() else {
            running.spawn(async move { (number, Err(no_provider(&name).into())) });
            return;
        };
        let waits = Arc::new(AtomicBool::new(false));
        let context = self.context(number, address, Arc::clone(&waits));
        let attempt = Attempt { shared: Arc::clone(&self.shared), provider, context, waits, task: number };
        let plan = Arc::clone(&self.plan);
        match task.work {
            Work::Make(step) => {
                let prepared = self.prepare(step);
                if let Ok(None) = prepared {
                    self.untouched[step as usize] = true;
                }
                running.spawn(async move {
                    let step = &plan.steps[step as usize];
                    let result = match prepared {
                        Err(error) => Err(error),
                        Ok(None) => {
                            let prior = step.prior.clone();
                            let (inputs, outputs) =
                                prior.map(|prior| (prior.inputs, prior.outputs)).unwrap_or_default();
                            Ok(Done::Made { inputs, outputs })
                        }
                        Ok(Some(inputs)) => attempt.make(step, inputs).await,
                    };
                    (number, result)
                });
            }
            Work::Drop(step) => {
                running.spawn(async move { (number, attempt.drop(&plan.steps[step as usize]).await) });
            }
            Work::Undo(step) => {
                let applied = self.applied.get(&step).cloned().unwrap_or_default();
                running
                    .spawn(async move { (number, attempt.undo(&plan.steps[step as usize], applied).await) });
            }
            Work::Operate(mut operation, service) => {
                // As things are now: a member that was put back is asked where it serves again.
                let inputs = self.outputs.resolve(&operation.inputs, &self.shared.vault);
                let member = task.member.map(|key| self.label(key)).unwrap_or_default();
                running.spawn(async move {
                    let result = match inputs {
                        Ok(inputs) => {
                            operation.inputs = inputs;
                            attempt.operate(&operation, service, &member).await
                        }
                        Err(error) => Err(error.into()),
                    };
                    (number, result)
                });
            }
        }
    }

    /// The inputs of a step, resolved; `None` when there turns out to be nothing to do.
    fn prepare(&mut self, number: u32) -> Result<Option<Map>, TaskError> {
        let plan = Arc::clone(&self.plan);
        let step = &plan.steps[number as usize];
        if step.action == Action::Forget || step.action == Action::Delete {
            return Ok(Some(step.inputs.clone()));
        }
        let inputs = self.outputs.resolve(&step.inputs, &self.shared.vault)?;
        if let Some((attribute, _)) = inputs.iter().find(|(_, value)| value.is_unknown()) {
            return Err(TaskError::Unknown { address: step.address.clone(), attribute: attribute.clone() });
        }
        self.applied.insert(number, inputs.clone());
        Ok((!self.came_to_nothing(step, &inputs)).then_some(inputs))
    }

    /// An update that was planned only because something below might turn out different, and did not.
    fn came_to_nothing(&self, step: &Step, inputs: &Map) -> bool {
        step.action == Action::Update
            && step.changes.iter().all(|change| change.because == Because::Upstream)
            && step.prior.as_ref().is_some_and(|prior| prior.inputs == *inputs)
            && step.after.iter().all(|wait| self.untouched[wait.step as usize])
    }

    fn end(&mut self, number: u32, result: Result<Done, TaskError>) {
        let blocked = self.scheduler.finish(number, result.is_ok());
        self.conclude(number, result, &blocked);
    }

    /// What was to be done at a place that preflight could not reach is not begun: its first task fails, the others
    /// and the rollouts with a member there are blocked by it.
    fn give_up_unreachable(&mut self) {
        for (lane, error) in std::mem::take(&mut self.unreachable) {
            let there = (0u32..).zip(&self.tasks).find(|(number, task)| {
                !self.scheduler.state(*number).is_over() && self.lane(task) == Some(lane.as_str())
            });
            let Some((number, _)) = there else { continue };
            let blocked: Vec<u32> =
                self.scheduler.block(number, number).into_iter().filter(|&other| other != number).collect();
            self.conclude(number, Err(error.into()), &blocked);
        }
    }

    fn lane(&self, task: &Task) -> Option<&str> {
        task.work.step().map(|step| self.plan.steps[step as usize].lane.as_str())
    }

    fn conclude(&mut self, number: u32, result: Result<Done, TaskError>, blocked: &[u32]) {
        let task = self.tasks[number as usize].clone();
        let (address, _, _) = self.describe(&task.work);
        let elapsed = self.started.remove(&number).map(|at| at.elapsed()).unwrap_or_default();
        let outcome = match result {
            Ok(done) => {
                self.report.put_back += usize::from(self.puts_back(&task));
                self.note(&task.work, done)
            }
            Err(error) => {
                let outcome = Outcome::Failed { error: error.to_string(), hint: error.hint() };
                self.fail(number, &task, &address, &error);
                outcome
            }
        };
        self.tell(Event::TaskEnded {
            task: number,
            address: address.clone(),
            did: self.did(&task.work),
            outcome,
            elapsed,
            tasks_over: self.scheduler.over(),
            tasks: self.scheduler.len(),
        });
        self.tell_blocked(blocked, &address);
        self.roll_back();
    }

    /// Whether it ends the absence of a member that nothing changes.
    fn puts_back(&self, task: &Task) -> bool {
        matches!(task.work, Work::Operate(_, Service::Returns))
            && task.member.is_some_and(|key| {
                self.plan.rollouts[key.rollout as usize].members[key.member as usize].steps.is_empty()
            })
    }

    /// Keeps what a success left.
    fn note(&mut self, work: &Work, done: Done) -> Outcome {
        let plan = Arc::clone(&self.plan);
        let Some(number) = work.step() else { return Outcome::Done };
        let step = &plan.steps[number as usize];
        match done {
            Done::Made { inputs, outputs } => self.outputs.put(&step.address, outputs, inputs),
            Done::Removed if matches!(work, Work::Drop(_)) && step.action == Action::Replace => {}
            Done::Removed => self.outputs.remove(&step.address),
            Done::Operated => {}
        }
        let report = &mut self.report;
        match work {
            Work::Undo(_) => report.rolled_back += 1,
            Work::Make(_) if self.untouched[number as usize] => {
                report.unchanged += 1;
                return Outcome::Unchanged;
            }
            Work::Drop(_) if step.action == Action::Replace => {}
            Work::Make(_) | Work::Drop(_) | Work::Operate(..) => match step.action {
                Action::Create => report.created += 1,
                Action::Update => report.updated += 1,
                Action::Replace => report.replaced += 1,
                Action::Delete => report.deleted += 1,
                Action::Forget => report.forgotten += 1,
                Action::Refresh => report.refreshed += 1,
                Action::Move => report.moved += 1,
            },
        }
        Outcome::Done
    }

    fn fail(&mut self, number: u32, task: &Task, address: &str, error: &TaskError) {
        self.report.failed.push(Failure {
            address: address.to_owned(),
            error: error.to_string(),
            hint: error.hint(),
        });
        if error.is_unreachable() {
            self.give_up_lane(number, task, address);
        }
        let Some(key) = task.member else { return };
        self.report.rolled_back_in_vain |= self.undone.contains(&key.rollout);
        if self.undone.contains(&key.rollout)
            || self.plan.rollouts[key.rollout as usize].members[key.member as usize].new
        {
            return;
        }
        self.failing.entry(key.rollout).or_insert(key);
        for stopped in rollback::stopped_by(&self.plan, &self.tasks, &self.scheduler, key) {
            let blocked = self.scheduler.block(stopped, number);
            self.tell_blocked(&blocked, address);
        }
    }

    /// A place that does not answer fails once, not once for each of its steps.
    fn give_up_lane(&mut self, number: u32, task: &Task, address: &str) {
        let Some(lane) = self.lane(task).map(str::to_owned) else { return };
        if self.dead_lanes.insert(lane.clone(), number).is_some() {
            return;
        }
        let there: Vec<u32> = (0u32..)
            .zip(&self.tasks)
            .filter(|(_, task)| self.lane(task) == Some(lane.as_str()))
            .map(|(task, _)| task)
            .collect();
        for task in there {
            let blocked = self.scheduler.block(task, number);
            self.tell_blocked(&blocked, address);
        }
    }

    /// Undoes a failed rollout once nothing of it runs any more.
    fn roll_back(&mut self) {
        let ready: Vec<MemberKey> = self
            .failing
            .values()
            .copied()
            .filter(|failed| {
                !(0u32..).zip(&self.tasks).any(|(task, entry)| {
                    entry.member.is_some_and(|key| key.rollout == failed.rollout)
                        && self.scheduler.state(task) == State::Running
                })
            })
            .collect();
        for failed in ready {
            self.failing.remove(&failed.rollout);
            self.undone.push(failed.rollout);
            let rollout = &self.plan.rollouts[failed.rollout as usize];
            if rollout.on_failure != OnFailure::Rollback {
                continue;
            }
            let component = rollout.component.clone();
            let first = self.tasks.len() as u32;
            let undoing = rollback::undo(&self.plan, &self.tasks, &self.scheduler, failed, first);
            if let Some(gone) = undoing.gone {
                self.tell(Event::NoWayBack { component, gone: gone.to_string() });
            } else if !undoing.tasks.is_empty() {
                self.tell(Event::RollingBack { component, members: undoing.names });
                self.schedule(undoing.tasks);
            }
        }
    }

    /// The first interrupt. A member of a rollout that has begun is brought to its end: it must not stay drained.
    fn stop(&mut self) {
        self.report.interrupted = true;
        self.tell(Event::Stopping { running: self.scheduler.running() });
        let begun: Vec<MemberKey> = (0..self.plan.rollouts.len() as u32)
            .flat_map(|rollout| {
                let members = rollback::begun(&self.tasks, &self.scheduler, rollout);
                members.into_iter().map(move |member| MemberKey { rollout, member })
            })
            .collect();
        for task in 0..self.tasks.len() as u32 {
            if !self.tasks[task as usize].member.is_some_and(|key| begun.contains(&key)) {
                self.scheduler.cancel(task);
            }
        }
    }

    async fn finish(mut self) -> Result<Report, ApplyError> {
        for number in 0..self.tasks.len() as u32 {
            let task = &self.tasks[number as usize];
            let (address, _, undo) = self.describe(&task.work);
            if undo {
                continue;
            }
            match self.scheduler.state(number) {
                // Given up before it was begun: it is among the failed.
                State::Blocked { by } if by == number => {}
                State::Blocked { by } => {
                    let (by, _, _) = self.describe(&self.tasks[by as usize].work);
                    self.report.blocked.push((address, by));
                }
                State::Cancelled => self.report.cancelled.push(address),
                // What is left waiting after a run to the end waits for itself. Never to be taken for success.
                State::Waiting | State::Ready if !self.report.interrupted => {
                    self.report.failed.push(Failure {
                        address,
                        error: "it was never begun: its steps wait for each other".to_owned(),
                        hint: Some(
                            "this is a mistake in standfast; please report it with the plan".to_owned(),
                        ),
                    });
                }
                _ => {}
            }
        }
        self.report.blocked.dedup_by(|a, b| a.0 == b.0);
        self.report.out_of_service = self.shared.out_of_service().keys().cloned().collect();
        self.report.outputs = self.outputs.of_components(&self.plan.outputs, &self.shared.vault)?;
        self.report.elapsed = self.begun_at.elapsed();
        let report = std::mem::take(&mut self.report);
        let store = &self.shared.store;
        let lease = Some(&self.shared.lease);
        if self.plan.purpose != Purpose::RefreshOnly {
            let outputs = serde_json::to_string(&report.outputs).unwrap_or_default();
            let probes = serde_json::to_string(&self.plan.probes).unwrap_or_default();
            store.put_meta(lease, META_OUTPUTS, &outputs).await?;
            store.put_meta(lease, META_PROBES, &probes).await?;
        }
        self.tell(Event::Ended(report.clone()));
        Ok(report)
    }

    fn context(&self, task: u32, address: String, waits: Arc<AtomicBool>) -> Context {
        let events = self.shared.events.clone();
        let progress = move |text: &str| {
            let _ = events.send(Event::Progress { task, address: address.clone(), text: text.to_owned() });
        };
        let lend = self.waits_tell.clone();
        let waiting = move |begins: bool| {
            waits.store(begins, Ordering::Relaxed);
            // The run is over: nobody counts slots.
            let _ = lend.send((task, begins));
        };
        Context { stack: self.plan.stack.clone(), progress: Arc::new(progress), waiting: Arc::new(waiting) }
    }

    /// Address, what is being done, and whether it undoes something.
    fn describe(&self, work: &Work) -> (String, String, bool) {
        match work {
            Work::Operate(operation, _) => (operation.address.to_string(), operation.verb.clone(), false),
            Work::Undo(step) => {
                (self.plan.steps[*step as usize].address.to_string(), "undoing".to_owned(), true)
            }
            Work::Drop(step) => {
                (self.plan.steps[*step as usize].address.to_string(), "deleting".to_owned(), false)
            }
            Work::Make(step) => {
                let step = &self.plan.steps[*step as usize];
                let doing = if step.action == Action::Replace { "creating" } else { step.action.words().2 };
                (step.address.to_string(), doing.to_owned(), false)
            }
        }
    }

    fn label(&self, key: MemberKey) -> String {
        let rollout = &self.plan.rollouts[key.rollout as usize];
        in_flight::label(rollout, &rollout.members[key.member as usize])
    }

    fn did(&self, work: &Work) -> String {
        match work {
            Work::Operate(operation, _) => operation.verb.clone(),
            Work::Undo(_) => "undone".to_owned(),
            Work::Drop(_) => "deleted".to_owned(),
            Work::Make(step) => self.plan.steps[*step as usize].action.words().1.to_owned(),
        }
    }

    /// Written down only; not worth a line while it runs.
    fn is_quiet(&self, work: &Work) -> bool {
        matches!(work, Work::Make(step)
            if matches!(self.plan.steps[*step as usize].action, Action::Forget | Action::Refresh))
    }

    fn tell_blocked(&self, tasks: &[u32], by: &str) {
        for task in tasks {
            let (address, _, undo) = self.describe(&self.tasks[*task as usize].work);
            if !undo {
                self.tell(Event::Blocked { address, by: by.to_owned() });
            }
        }
    }

    fn tell(&self, event: Event) {
        let _ = self.shared.events.send(event);
    }
}

/// Whether the journal has a task's call as done.
fn is_done(plan: &Plan, task: &Task, done: &HashSet<DoneCall>) -> bool {
    let call = |step: u32, deposed: String, deletes| {
        let address = plan.steps[step as usize].address.clone();
        done.contains(&DoneCall { address, deposed, deletes })
    };
    match task.work {
        Work::Make(step) => call(step, String::new(), false),
        Work::Drop(step) => call(step, dropped(&plan.id, &plan.steps[step as usize]), true),
        Work::Operate(..) | Work::Undo(_) => false,
    }
}

/// What the plan is to put back.
fn still_out(plan: &Plan) -> BTreeMap<String, Vec<IntentId>> {
    let mut out = BTreeMap::<String, Vec<IntentId>>::new();
    for old in plan.in_flight.iter().filter(|old| old.found == Found::StillOut) {
        out.entry(old.address.clone()).or_default().push(old.intent);
    }
    out
}

/// Where a run leaves the components' outputs and the questions of `status` in the state.
pub const META_OUTPUTS: &str = "outputs";
pub const META_PROBES: &str = "probes";
