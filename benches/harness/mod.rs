//! The engine without a blueprint: layered resources, the simulated provider, any store.
//!
//! Shared by the benches, by `examples/engine_load.rs`, which measures whole processes, and by the tests of the engine.
//! Goes the way that the commands go: snapshot, decode, observe, make; then lease, run, apply.

use std::{cell::Cell, collections::HashMap, error::Error, sync::Arc};

use secrecy::SecretString;
use standfast::{
    apply::{Event, Interrupt, Report, Settings, apply},
    graph::Graph,
    plan::{
        Plan, Purpose, Selection,
        make::{Situation, make},
        observe::{Providers, observe},
        recorded::{self, Recorded},
    },
};
use standfast_contract::{
    Context, Provider, SecretSource, Stack, Vault,
    component::Region,
    secret::{SecretError, SecretReader},
};
use standfast_sim::{Sim, World, layered};
use standfast_state::{LockRequest, RunStart, Snapshot, StackId, Store};
use tokio::sync::{mpsc, watch};

pub type Failure = Box<dyn Error + Send + Sync>;

/// The default of `--parallelism`.
pub const PARALLELISM: usize = 16;

struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        Err(SecretError { from: source.to_string(), reason: "there are none here".into(), hint: None })
    }
}

/// One stack: its state in any store, its resources in a simulated world.
pub struct Stand {
    pub store: Arc<dyn Store>,
    pub providers: Providers,
    vault: Arc<Vault>,
    stack: Stack,
    /// Plans made: each has an id of its own.
    plans: Cell<u32>,
}

/// The stack whose state [`Stand::new`] wants.
pub fn stack() -> StackId {
    StackId::new("shop", None)
}

impl Stand {
    pub fn new(store: impl Store + 'static, world: Arc<World>) -> Stand {
        let sim: Arc<dyn Provider> = Arc::new(Sim::new(world));
        let StackId { stack: name, environment } = stack();
        Stand {
            store: Arc::new(store),
            providers: Providers([("sim", sim)].into()),
            vault: Arc::new(Vault::new([1; 32], Box::new(NoSecrets))),
            stack: Stack { name, environment },
            plans: Cell::default(),
        }
    }

    /// The plan, and the snapshot that it was made from.
    pub async fn plan(&self, graph: &Graph, purpose: Purpose) -> Result<(Plan, Snapshot), Failure> {
        let snapshot = self.store.snapshot().await?;
        let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
        let interrupted = recorded::interrupted(&snapshot);
        let context = Context::quiet(self.stack.clone());
        let seen = observe(&self.providers, &context, graph, &recorded, &interrupted, &self.vault).await?;
        self.plans.set(self.plans.get() + 1);
        let plan = make(&Situation {
            stack: self.stack.clone(),
            purpose,
            head: snapshot.head.clone(),
            graph,
            recorded: &recorded,
            moves: HashMap::new(),
            observations: Some(&seen),
            open_intents: &snapshot.open_intents,
            interrupted,
            providers: &self.providers,
            vault: &self.vault,
            selection: Selection::default(),
            replace: Vec::new(),
            forget: Vec::new(),
            plan_id: format!("plan-{}", self.plans.get()),
            blueprint: None,
            blueprint_path: None,
            variables: Default::default(),
        })?;
        Ok((plan, snapshot))
    }

    /// Carries the plan out; `stop` is sent after so many events. Returns the report and the number of events.
    pub async fn apply(
        &self,
        plan: Plan,
        snapshot: &Snapshot,
        stop: Option<(usize, Interrupt)>,
    ) -> Result<(Report, usize), Failure> {
        let request = LockRequest {
            owner: "bench".into(),
            host: "here".into(),
            process: std::process::id(),
            command: "apply".into(),
            lease_ms: 600_000,
        };
        let start = RunStart {
            command: "apply".into(),
            owner: "bench".into(),
            host: "here".into(),
            blueprint: None,
            variables: "{}".into(),
            plan_id: None,
            summary: String::new(),
        };
        let lease = self.store.lock(&request).await?;
        let run = self.store.begin_run(&lease, &start).await?;
        let (interrupt, interrupted) = watch::channel(Interrupt::None);
        let (events, mut received) = mpsc::unbounded_channel::<Event>();
        let listener = tokio::spawn(async move {
            let mut count = 0;
            while received.recv().await.is_some() {
                count += 1;
                if let Some((after, level)) = stop
                    && count == after
                {
                    // Nobody listens any more: the run has ended.
                    let _ = interrupt.send(level);
                }
            }
            count
        });
        let settings = Settings {
            providers: self.providers.clone(),
            store: Arc::clone(&self.store),
            lease: lease.clone(),
            run,
            vault: Arc::clone(&self.vault),
            unreachable: Default::default(),
            parallelism: PARALLELISM,
            interrupt: interrupted,
            events,
        };
        let report = apply(Arc::new(plan), snapshot, settings).await?;
        let events = listener.await?;
        self.store.end_run(&lease, run, "ended", "").await?;
        self.store.release(lease).await?;
        Ok((report, events))
    }
}

/// `count` resources in layers of `width`, linked.
pub fn graph(count: usize, width: usize) -> Result<Graph, Failure> {
    let region = Region {
        name: "home".into(),
        provider: "sim".into(),
        location: None,
        zones: Vec::new(),
        ssh: Default::default(),
        network: None,
        account: None,
        assume_role: None,
        sim: Default::default(),
        tags: Default::default(),
    };
    Ok(Graph::of_resources(layered(count, width, &region))?)
}
