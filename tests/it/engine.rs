//! The engine on the simulated world: plan, apply, plan again; with faults, interrupts and crashes.

use std::{collections::HashMap, sync::Arc};

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
    Context, Desired, SecretSource, Stack, Vault,
    component::Region,
    secret::{SecretError, SecretReader},
};
use standfast_sim::{Sim, World, layered};
use standfast_state::{LockRequest, RunStart, Snapshot, StackId, Store, open_memory};
use tokio::sync::{mpsc, watch};

struct NoSecrets;
impl SecretReader for NoSecrets {
    fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        Err(SecretError { from: source.to_string(), reason: "there are none here".into(), hint: None })
    }
}

/// A stack on a world of its own.
pub struct Bench {
    pub world: Arc<World>,
    pub store: Arc<dyn Store>,
    pub providers: Providers,
    vault: Arc<Vault>,
    stack: Stack,
    plans: std::cell::Cell<u32>,
}

impl Bench {
    pub fn new() -> Self {
        let world = Arc::new(World::memory());
        let sim: Arc<dyn standfast_contract::Provider> = Arc::new(Sim::new(Arc::clone(&world)));
        Bench {
            world,
            store: Arc::new(open_memory(&StackId::new("shop", None)).unwrap()),
            providers: Providers([("sim", sim)].into()),
            vault: Arc::new(Vault::new([1; 32], Box::new(NoSecrets))),
            stack: Stack { name: "shop".into(), environment: "default".into() },
            plans: std::cell::Cell::new(0),
        }
    }

    pub async fn plan(&self, graph: &Graph, purpose: Purpose) -> (Plan, Snapshot) {
        let snapshot = self.store.snapshot().await.unwrap();
        let recorded: Vec<Recorded> =
            snapshot.resources.iter().map(|one| Recorded::decode(one).unwrap()).collect();
        let interrupted = recorded::interrupted(&snapshot);
        let context = Context::quiet(self.stack.clone());
        let seen =
            observe(&self.providers, &context, graph, &recorded, &interrupted, &self.vault).await.unwrap();
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
        })
        .unwrap();
        (plan, snapshot)
    }

    /// Applies; `stop` is sent after so many events.
    pub async fn apply(&self, plan: Plan, snapshot: &Snapshot, stop: Option<(usize, Interrupt)>) -> Report {
        let request = LockRequest {
            owner: "test".into(),
            host: "here".into(),
            process: std::process::id(),
            command: "apply".into(),
            lease_ms: 30_000,
        };
        let lease = self.store.lock(&request).await.unwrap();
        let start = RunStart {
            command: "apply".into(),
            owner: "test".into(),
            host: "here".into(),
            blueprint: None,
            variables: "{}".into(),
            plan_id: None,
            summary: String::new(),
        };
        let run = self.store.begin_run(&lease, &start).await.unwrap();
        let (interrupt, interrupted) = watch::channel(Interrupt::None);
        let (events, mut received) = mpsc::unbounded_channel::<Event>();
        let watcher = tokio::spawn(async move {
            let mut count = 0;
            while received.recv().await.is_some() {
                count += 1;
                if let Some((after, level)) = stop
                    && count == after
                {
                    let _ = interrupt.send(level);
                }
            }
        });
        let settings = Settings {
            providers: self.providers.clone(),
            store: Arc::clone(&self.store),
            lease: lease.clone(),
            run,
            vault: Arc::clone(&self.vault),
            unreachable: Default::default(),
            parallelism: 16,
            interrupt: interrupted,
            events,
        };
        let report = apply(Arc::new(plan), snapshot, settings).await.unwrap();
        watcher.await.unwrap();
        self.store.end_run(&lease, run, "ended", "").await.unwrap();
        self.store.release(lease).await.unwrap();
        report
    }

    pub async fn converge(&self, graph: &Graph) -> Report {
        let (plan, snapshot) = self.plan(graph, Purpose::Apply).await;
        self.apply(plan, &snapshot, None).await
    }

    /// Whether nothing is left to do, and the world holds exactly what the state knows.
    pub async fn assert_settled(&self, graph: &Graph) {
        let (plan, snapshot) = self.plan(graph, Purpose::Apply).await;
        assert!(plan.is_empty(), "still to do: {:#?}", plan.steps);
        assert_eq!(plan.summary.no_op, graph.len());
        assert_eq!(self.world.duplicates().unwrap(), []);
        let recorded = snapshot.resources.iter().map(|record| record.address.parse().unwrap()).collect();
        assert_eq!(self.world.orphans(&recorded).unwrap(), []);
        assert_eq!(self.world.len().unwrap(), graph.len());
    }
}

fn region() -> Region {
    Region {
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
    }
}

fn graph(resources: Vec<Desired>) -> Graph {
    Graph::of_resources(resources).unwrap()
}

#[tokio::test]
async fn a_second_apply_changes_nothing_and_destroy_leaves_nothing() {
    let bench = Bench::new();
    let graph = graph(layered(40, 8, &region()));
    let report = bench.converge(&graph).await;
    assert!(report.succeeded(), "{report:#?}");
    assert_eq!(report.created, 40);
    bench.assert_settled(&graph).await;
    let (plan, snapshot) = bench.plan(&Graph::default(), Purpose::Destroy).await;
    assert_eq!(plan.summary.delete, 40);
    let report = bench.apply(plan, &snapshot, None).await;
    assert!(report.succeeded(), "{report:#?}");
    assert_eq!(bench.world.len().unwrap(), 0);
    assert!(bench.store.snapshot().await.unwrap().resources.is_empty());
}

#[tokio::test]
async fn stopped_at_any_event_the_next_apply_goes_on() {
    for level in [Interrupt::Finish, Interrupt::Now] {
        for after in 1..60 {
            let bench = Bench::new();
            let graph = graph(layered(24, 4, &region()));
            let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
            bench.apply(plan, &snapshot, Some((after, level))).await;
            let report = bench.converge(&graph).await;
            assert!(report.succeeded(), "{level:?} after {after}: {report:#?}");
            bench.assert_settled(&graph).await;
        }
    }
}

#[tokio::test]
async fn drift_is_told_apart_and_healed() {
    let bench = Bench::new();
    let graph = graph(layered(12, 4, &region()));
    bench.converge(&graph).await;
    let one = graph.resources[0].address.clone();
    let other = graph.resources[1].address.clone();
    let attribute = graph.resources[0].inputs.keys().find(|name| *name != "below").unwrap().clone();
    bench.world.tamper(&one, &attribute, "tampered").unwrap();
    bench.world.destroy(&other).unwrap();
    let (plan, _) = bench.plan(&graph, Purpose::RefreshOnly).await;
    assert_eq!((plan.summary.refresh, plan.summary.forget), (1, 1), "{:#?}", plan.steps);
    let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
    let of = |address| plan.steps.iter().find(|step| &step.address == address).unwrap();
    assert_eq!(of(&one).reason, format!("drift: {attribute}"));
    assert_eq!(of(&other).reason, "drift: it is gone");
    let report = bench.apply(plan, &snapshot, None).await;
    assert!(report.succeeded(), "{report:#?}");
    bench.assert_settled(&graph).await;
}

/// What an interrupted create made and nobody wants any more is taken away, not forgotten.
#[tokio::test]
async fn destroyed_after_a_stop_at_any_event_nothing_is_left() {
    for after in 1..40 {
        let bench = Bench::new();
        let graph = graph(layered(16, 4, &region()));
        let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
        bench.apply(plan, &snapshot, Some((after, Interrupt::Now))).await;
        let (plan, snapshot) = bench.plan(&Graph::default(), Purpose::Destroy).await;
        let report = bench.apply(plan, &snapshot, None).await;
        assert!(report.succeeded(), "after {after}: {report:#?}");
        assert_eq!(bench.world.len().unwrap(), 0, "after {after}");
    }
}
