//! The engine without a blueprint: layered resources, the simulated provider, the state in an SQLite file.
//!
//! Shared by the benches and by `examples/engine_load.rs`, which measures whole processes. Goes the way that the
//! commands go: snapshot, decode, observe, make; then lease, run, apply.

use std::{collections::HashMap, error::Error, path::Path, sync::Arc};

use secrecy::SecretString;
use standfast::{
    apply::{Event, Interrupt, Report, Settings, apply},
    graph::Graph,
    plan::{
        Plan, Purpose, Selection,
        make::{Situation, make},
        observe::{Providers, observe},
        recorded::Recorded,
    },
};
use standfast_contract::{
    Context, Provider, SecretSource, Stack, Vault,
    component::Region,
    secret::{SecretError, SecretReader},
};
use standfast_sim::{Sim, World, layered};
use standfast_state::{LockRequest, OpenMode, RunStart, Snapshot, StackId, Store, open_sqlite};
use tokio::sync::{mpsc, watch};

pub type Failure = Box<dyn Error + Send + Sync>;

/// The default of `--parallelism`.
const PARALLELISM: usize = 16;

struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        Err(SecretError { from: source.to_string(), reason: "there are none here".into(), hint: None })
    }
}

/// One stack: its state in a folder, its world in memory or in a file.
pub struct Stand {
    store: Arc<dyn Store>,
    providers: Providers,
    vault: Arc<Vault>,
    stack: Stack,
}

impl Stand {
    pub fn open(folder: &Path, world: World) -> Result<Stand, Failure> {
        let sim: Arc<dyn Provider> = Arc::new(Sim::new(Arc::new(world)));
        let id = StackId { stack: "load".into(), environment: "default".into() };
        Ok(Stand {
            store: Arc::new(open_sqlite(folder.join("load.db"), &id, OpenMode::Create)?),
            providers: Providers([("sim", sim)].into()),
            vault: Arc::new(Vault::new([1; 32], Box::new(NoSecrets))),
            stack: Stack { name: id.stack, environment: id.environment },
        })
    }

    /// The plan, and the snapshot that it was made from.
    pub async fn plan(&self, graph: &Graph) -> Result<(Plan, Snapshot), Failure> {
        let snapshot = self.store.snapshot().await?;
        let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
        let context = Context::quiet(self.stack.clone());
        let seen = observe(&self.providers, &context, graph, &recorded, &HashMap::new(), &self.vault).await?;
        let plan = make(&Situation {
            stack: self.stack.clone(),
            purpose: Purpose::Apply,
            head: snapshot.head.clone(),
            graph,
            recorded: &recorded,
            moves: HashMap::new(),
            observations: Some(&seen),
            open_intents: &[],
            interrupted: HashMap::new(),
            providers: &self.providers,
            vault: &self.vault,
            selection: Selection::default(),
            replace: Vec::new(),
            forget: Vec::new(),
            plan_id: format!("serial-{}", snapshot.head.serial),
            blueprint: None,
            blueprint_path: None,
            variables: Default::default(),
        })?;
        Ok((plan, snapshot))
    }

    /// Carries the plan out; a step that fails is an error here. Returns the report and the number of events.
    pub async fn apply(&self, plan: Plan, snapshot: &Snapshot) -> Result<(Report, usize), Failure> {
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
        let (_interrupt, interrupted) = watch::channel(Interrupt::None);
        let (events, mut received) = mpsc::unbounded_channel::<Event>();
        let listener = tokio::spawn(async move {
            let mut count = 0;
            while received.recv().await.is_some() {
                count += 1;
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
        self.store.end_run(&lease, run, "succeeded", "").await?;
        self.store.release(lease).await?;
        if !report.succeeded() {
            return Err(format!("the apply did not succeed: {:?}", report.failed).into());
        }
        Ok((report, listener.await?))
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
