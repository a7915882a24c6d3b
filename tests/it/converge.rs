//! Random blueprints, changed at random, applied under random faults and interrupts: in the end nothing is left to do
//! and the world holds exactly what the state knows.
//!
//! A seed decides everything but the order in which calls end. A failure prints its seed; `STANDFAST_SEED=N` runs that
//! one alone.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use standfast::{
    apply::{Interrupt, tasks::lower},
    blueprint::{self, Options},
    graph::{
        Graph,
        expand::{Wanted, expand},
    },
    plan::{Plan, Purpose, in_flight::Found},
};
use standfast_contract::{Context, Stack};
use standfast_sim::{Fault, FaultKind};

use crate::{
    engine::Bench,
    random::{Dice, blueprint},
};

/// How long new seeds are begun.
const BUDGET: Duration = Duration::from_secs(20);
const THREADS: usize = 8;
/// How long one seed may take: a run that waits for nothing is a failure, not a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Applies until it must be done.
const ROUNDS_MAX: usize = 12;

async fn graph(bench: &Bench, text: &str) -> Graph {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.yaml");
    std::fs::write(&path, text).unwrap();
    let blueprint = blueprint::load(&path, &Options::default()).unwrap_or_else(|problems| {
        panic!("{}\n{text}", standfast::cli::render::diagnostic::render(&problems, false, 100))
    });
    let wanted =
        Wanted { regions: &blueprint.regions, components: &blueprint.components, standing: Vec::new() };
    let providers = &bench.providers;
    let find = |name: &str| providers.get(name).cloned();
    let context = Context::quiet(Stack { name: "shop".into(), environment: "default".into() });
    expand(&wanted, &find, &providers.names(), &context).await.unwrap()
}

/// Every task can come to its turn.
fn assert_acyclic(plan: &Plan) {
    let tasks = lower(plan);
    let mut done = vec![false; tasks.len()];
    let mut left = tasks.len();
    loop {
        let ready: Vec<usize> = (0..tasks.len())
            .filter(|&at| !done[at] && tasks[at].needs.iter().all(|need| done[need.task as usize]))
            .collect();
        if ready.is_empty() {
            break;
        }
        left -= ready.len();
        ready.into_iter().for_each(|at| done[at] = true);
    }
    assert_eq!(left, 0, "tasks that wait for each other in {:#?}", plan.steps);
}

/// What a run met, for the line at the end.
#[derive(Default)]
struct Count {
    seeds: AtomicU64,
    applies: AtomicU64,
    interrupted: AtomicU64,
    failed: AtomicU64,
    calls: AtomicU64,
}

async fn live(seed: u64, count: &Count) {
    let mut dice = Dice(seed);
    let bench = Bench::new();
    let faults = dice.chance(50);
    let mut wanted = Graph::default();
    for _ in 0..1 + dice.below(3) {
        let text = blueprint(&mut dice, faults);
        wanted = graph(&bench, &text).await;
        if dice.chance(70) {
            let verb = *dice.of(&["create", "update", "delete", "health", "drain", "*"]);
            let kind = *dice.of(&[
                FaultKind::Throttled,
                FaultKind::Internal,
                FaultKind::LostAnswer,
                FaultKind::Refused,
                FaultKind::Unreachable,
            ]);
            // What only looks is not struck for good: a plan that cannot look is refused, and that is right.
            let kind = if verb == "*" { FaultKind::Throttled } else { kind };
            let nth = 1 + dice.below(6) as u32;
            bench
                .world
                .script(Fault::new("home/*", verb, kind).nth(nth).times(1 + dice.below(2) as u32))
                .unwrap();
        }
        let (plan, snapshot) = bench.plan(&wanted, Purpose::Apply).await;
        assert_acyclic(&plan);
        let stop =
            dice.chance(50).then(|| (1 + dice.below(40), *dice.of(&[Interrupt::Finish, Interrupt::Now])));
        let report = bench.apply(plan, &snapshot, stop).await;
        count.applies.fetch_add(1, Ordering::Relaxed);
        count.interrupted.fetch_add(u64::from(report.interrupted), Ordering::Relaxed);
        count.failed.fetch_add(u64::from(!report.failed.is_empty()), Ordering::Relaxed);
        count.calls.fetch_add(
            (report.created + report.updated + report.replaced + report.deleted) as u64,
            Ordering::Relaxed,
        );
    }
    for round in 0.. {
        let (plan, snapshot) = bench.plan(&wanted, Purpose::Apply).await;
        assert_acyclic(&plan);
        let report = bench.apply(plan, &snapshot, None).await;
        count.applies.fetch_add(1, Ordering::Relaxed);
        if report.succeeded() {
            break;
        }
        assert!(round < ROUNDS_MAX, "it does not get done: {report:#?}");
    }
    bench.assert_settled(&wanted).await;
    let drained = bench.world.objects().unwrap().into_iter().find(|object| object.drained);
    assert!(drained.is_none(), "left out of service: {drained:#?}");
    count.seeds.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn random_blueprints_under_random_faults_converge() {
    let count = Count::default();
    let begun = Instant::now();
    let next = AtomicU64::new(1);
    let only: Option<u64> = std::env::var("STANDFAST_SEED").ok().map(|seed| seed.parse().unwrap());
    let work = || {
        loop {
            let seed = only.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let lived = tokio::time::timeout(PATIENCE, live(seed, &count)).await;
                    assert!(lived.is_ok(), "it does not come to an end");
                })
            }));
            assert!(lived.is_ok(), "seed {seed}: see above");
            if only.is_some() || begun.elapsed() > BUDGET {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..if only.is_some() { 1 } else { THREADS }).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{} seeds, {} applies of {} changes ({} interrupted, {} with failures), all settled, in {:.0?}",
        read(&count.seeds),
        read(&count.applies),
        read(&count.calls),
        read(&count.interrupted),
        read(&count.failed),
        begun.elapsed()
    );
    assert!(only.is_some() || read(&count.seeds) >= 20);
}

/// Two members behind a load balancer.
fn pair(release: u32, on_failure: &str) -> String {
    format!(
        "standfast: 1
name: shop
regions:
  home: {{ provider: sim, zones: 2 }}
load_balancers:
  front: {{ region: home, listeners: [{{ port: 80, to: web }}] }}
autoscaling_groups:
  web:
    region: home
    capacity: {{ min: 1, desired: 2, max: 2 }}
    workload: {{ package: nginx, version: \"{release}\" }}
    port: 8000
    health_check: {{ path: / }}
    update: {{ max_unavailable: 1, on_failure: {on_failure} }}
"
    )
}

fn drained(bench: &Bench) -> Vec<String> {
    let objects = bench.world.objects().unwrap();
    objects.into_iter().filter(|object| object.drained).map(|object| object.address.to_string()).collect()
}

/// Killed or stopped at any event of a rolling update, the next plan says who was left out of service, and the next
/// apply puts it back, also when the blueprint has been taken back and nothing else is left to do.
#[tokio::test]
async fn a_rolling_update_stopped_at_any_event_leaves_nobody_out_of_service() {
    let mut out = 0;
    for then in [1, 2] {
        for after in 1.. {
            let bench = Bench::new();
            let old = graph(&bench, &pair(1, "stop")).await;
            assert!(bench.converge(&old).await.succeeded());
            let new = graph(&bench, &pair(2, "stop")).await;
            let (plan, snapshot) = bench.plan(&new, Purpose::Apply).await;
            let report = bench.apply(plan, &snapshot, Some((after, Interrupt::Now))).await;
            if !report.interrupted {
                break;
            }
            let next = if then == 1 { &old } else { &new };
            let (plan, snapshot) = bench.plan(next, Purpose::Apply).await;
            let told = plan.in_flight.iter().filter(|old| old.found == Found::StillOut).count();
            assert!(told >= drained(&bench).len(), "after {after}: {:#?}", plan.in_flight);
            out += drained(&bench).len();
            let report = bench.apply(plan, &snapshot, None).await;
            assert!(report.succeeded(), "after {after}: {report:#?}");
            assert_eq!(drained(&bench), [""; 0], "after {after}");
            bench.assert_settled(next).await;
            assert_eq!(bench.store.snapshot().await.unwrap().open_intents, [], "after {after}");
        }
    }
    assert!(out > 4, "the stops missed the time between drain and undrain");
}

/// A failed step with `on_failure: stop` leaves its member drained; the report and the next plan say so.
#[tokio::test]
async fn a_member_that_a_failure_left_out_of_service_is_put_back_once_it_is_well() {
    let bench = Bench::new();
    let old = graph(&bench, &pair(1, "stop")).await;
    assert!(bench.converge(&old).await.succeeded());
    bench
        .world
        .script(Fault::new("home/autoscaling_groups.web", "update", FaultKind::Refused).times(1))
        .unwrap();
    let new = graph(&bench, &pair(2, "stop")).await;
    let (plan, snapshot) = bench.plan(&new, Purpose::Apply).await;
    let report = bench.apply(plan, &snapshot, None).await;
    assert_eq!(report.failed.len(), 1, "{report:#?}");
    assert_eq!(report.out_of_service.len(), 1);
    assert_eq!(drained(&bench).len(), 1);
    // The blueprint is taken back: the member is as it should be but for its place in the load balancer.
    let (plan, snapshot) = bench.plan(&old, Purpose::Apply).await;
    assert!(plan.steps.is_empty() && !plan.is_empty());
    let report = bench.apply(plan, &snapshot, None).await;
    assert!(report.succeeded() && report.out_of_service.is_empty(), "{report:#?}");
    assert_eq!(drained(&bench), [""; 0]);
    bench.assert_settled(&old).await;
}
