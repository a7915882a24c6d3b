//! The engine on the simulated world: plan, apply, plan again; with faults, interrupts and crashes.

#[path = "../../benches/harness/mod.rs"]
mod harness;

use std::{ops::Deref, sync::Arc};

use harness::{Stand, graph, stack};
use standfast::{
    apply::{Interrupt, Report},
    graph::Graph,
    plan::{Plan, Purpose},
};
use standfast_sim::{Fault, FaultKind, World};
use standfast_state::{Snapshot, open_memory};

/// A stack on a world of its own, all in memory.
pub struct Bench {
    pub world: Arc<World>,
    stand: Stand,
}

impl Deref for Bench {
    type Target = Stand;
    fn deref(&self) -> &Stand {
        &self.stand
    }
}

impl Bench {
    pub fn new() -> Self {
        let world = Arc::new(World::memory());
        let stand = Stand::new(open_memory(&stack()).unwrap(), Arc::clone(&world));
        Bench { world, stand }
    }

    pub async fn plan(&self, graph: &Graph, purpose: Purpose) -> (Plan, Snapshot) {
        self.stand.plan(graph, purpose).await.unwrap()
    }

    /// Applies; `stop` is sent after so many events.
    pub async fn apply(&self, plan: Plan, snapshot: &Snapshot, stop: Option<(usize, Interrupt)>) -> Report {
        self.stand.apply(plan, snapshot, stop).await.unwrap().0
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

#[tokio::test]
async fn a_second_apply_changes_nothing_and_destroy_leaves_nothing() {
    let bench = Bench::new();
    let graph = graph(40, 8).unwrap();
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
            let graph = graph(24, 4).unwrap();
            let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
            bench.apply(plan, &snapshot, Some((after, level))).await;
            let report = bench.converge(&graph).await;
            assert!(report.succeeded(), "{level:?} after {after}: {report:#?}");
            bench.assert_settled(&graph).await;
        }
    }
}

/// More than may run at once: a step that only waits is in nobody's way.
#[tokio::test]
async fn waiting_for_a_state_holds_no_slot() {
    const FIRST_LAYER: usize = 20;
    const { assert!(FIRST_LAYER > harness::PARALLELISM) };
    let bench = Bench::new();
    let pending = Fault { wait_ms: Some(500), ..Fault::new("*", "create", FaultKind::Pending).forever() };
    bench.world.script(pending).unwrap();
    let graph = graph(2 * FIRST_LAYER, FIRST_LAYER).unwrap();
    let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
    let all_have_begun = 1 + FIRST_LAYER;
    let report = bench.apply(plan, &snapshot, Some((all_have_begun, Interrupt::Finish))).await;
    assert_eq!((report.created, report.cancelled.len()), (FIRST_LAYER, FIRST_LAYER), "{report:#?}");
}

#[tokio::test]
async fn drift_is_told_apart_and_healed() {
    let bench = Bench::new();
    let graph = graph(12, 4).unwrap();
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
        let graph = graph(16, 4).unwrap();
        let (plan, snapshot) = bench.plan(&graph, Purpose::Apply).await;
        bench.apply(plan, &snapshot, Some((after, Interrupt::Now))).await;
        let (plan, snapshot) = bench.plan(&Graph::default(), Purpose::Destroy).await;
        let report = bench.apply(plan, &snapshot, None).await;
        assert!(report.succeeded(), "after {after}: {report:#?}");
        assert_eq!(bench.world.len().unwrap(), 0, "after {after}");
    }
}
