//! The engine at 1,000 and 10,000 layered resources: linking, plan of new, plan of unchanged, apply; and what the
//! simulated world's file costs a process before it can look at anything.
//!
//! `cargo bench --no-default-features --bench engine`; with `STANDFAST_BENCH_LARGE=1` also 100,000. The state is an
//! SQLite file, the world in memory or in a file as named. Peak memory and bytes written belong to whole processes:
//! `scripts/bench` measures them.

mod harness;

use std::sync::{Arc, OnceLock};

use divan::{Bencher, counter::ItemsCount};
use harness::{Stand, graph, stack};
use standfast::{
    graph::Graph,
    plan::{Plan, Purpose},
};
use standfast_sim::World;
use standfast_state::{OpenMode, Snapshot, open_sqlite};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Resources in one layer.
const WIDTH: usize = 100;
/// The world's file in a folder.
const WORLD: &str = "world.jsonl";

fn main() {
    divan::main();
}

fn counts() -> Vec<usize> {
    let large = std::env::var_os("STANDFAST_BENCH_LARGE").is_some_and(|value| value == "1");
    let mut counts = vec![1_000, 10_000];
    counts.extend(large.then_some(100_000));
    counts
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| must(Runtime::new()))
}

/// A bench that cannot do its work has no figure.
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// An empty stack in a folder of its own. With the world in a file too, it is as the commands have it.
fn fresh(world_in_file: bool) -> (TempDir, Stand) {
    let folder = must(TempDir::new());
    let world = match world_in_file {
        true => must(World::open(&folder.path().join(WORLD))),
        false => World::memory(),
    };
    let store = must(open_sqlite(folder.path().join("load.db"), &stack(), OpenMode::Create));
    (folder, Stand::new(store, Arc::new(world)))
}

fn plan(stand: &Stand, graph: &Graph) -> (Plan, Snapshot) {
    must(runtime().block_on(stand.plan(graph, Purpose::Apply)))
}

fn carry_out(stand: &Stand, plan: Plan, snapshot: &Snapshot) {
    let (report, _) = must(runtime().block_on(stand.apply(plan, snapshot, None)));
    assert!(report.succeeded(), "{:?}", report.failed);
}

#[divan::bench(args = counts(), sample_count = 20)]
fn link(bencher: Bencher<'_, '_>, count: usize) {
    bencher.counter(ItemsCount::new(count)).bench(|| must(graph(count, WIDTH)));
}

#[divan::bench(args = counts(), sample_count = 20)]
fn plan_new(bencher: Bencher<'_, '_>, count: usize) {
    let (_folder, stand) = fresh(false);
    let graph = must(graph(count, WIDTH));
    bencher.counter(ItemsCount::new(count)).bench_local(|| plan(&stand, &graph));
}

#[divan::bench(args = counts(), consts = [false, true], sample_count = 20)]
fn plan_unchanged<const FILE: bool>(bencher: Bencher<'_, '_>, count: usize) {
    let (_folder, stand) = fresh(FILE);
    let graph = must(graph(count, WIDTH));
    let (first, snapshot) = plan(&stand, &graph);
    carry_out(&stand, first, &snapshot);
    bencher.counter(ItemsCount::new(count)).bench_local(|| plan(&stand, &graph));
}

#[divan::bench(args = counts(), consts = [false, true], sample_count = 5, sample_size = 1)]
fn apply<const FILE: bool>(bencher: Bencher<'_, '_>, count: usize) {
    let graph = must(graph(count, WIDTH));
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| {
            let (folder, stand) = fresh(FILE);
            let (plan, snapshot) = plan(&stand, &graph);
            (folder, stand, plan, snapshot)
        })
        .bench_local_values(|(folder, stand, plan, snapshot)| {
            carry_out(&stand, plan, &snapshot);
            // Dropped outside of the measurement.
            (folder, stand)
        });
}

#[divan::bench(args = counts(), sample_count = 20)]
fn open_world(bencher: Bencher<'_, '_>, count: usize) {
    let (folder, stand) = fresh(true);
    let (first, snapshot) = plan(&stand, &must(graph(count, WIDTH)));
    carry_out(&stand, first, &snapshot);
    let path = folder.path().join(WORLD);
    bencher.counter(ItemsCount::new(count)).bench_local(|| must(World::open(&path)));
}
