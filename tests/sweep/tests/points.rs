//! The sweep within this process: every point of every kind of plan, and a share of the random lives.
//!
//! `STANDFAST_SEEDS=N` lives through so many seeds, however long that takes; `STANDFAST_SEED=N` through that one alone.

use std::time::Duration;

use standfast_sweep::{
    scenario::{self, RESOURCES},
    seeds::live,
    stand::{Stand, Way},
    sweep::{Plan, sweep},
    voice::Voice,
};

const SEEDS_USUAL: u64 = 60;
/// New seeds are begun for so long.
const BUDGET: Duration = Duration::from_secs(30);

#[test]
fn killed_at_any_point_the_next_run_brings_it_to_its_end() {
    let voice = Voice::aside().unwrap();
    let plan = Plan { way: Way::InProcess, parallelism: 1, twice: false, threads: 2 };
    let swept: Vec<_> = scenario::all().iter().map(|scenario| sweep(scenario, &plan)).collect();
    drop(voice);
    let swept: Vec<_> = swept.into_iter().map(Result::unwrap).collect();
    let findings: Vec<&String> = swept.iter().flat_map(|one| &one.findings).collect();
    println!(
        "{} kinds of plan, {} points, {} runs, {} findings",
        swept.len(),
        swept.iter().map(|one| one.points).sum::<u64>(),
        swept.iter().map(|one| one.runs).sum::<u64>(),
        findings.len()
    );
    assert!(findings.is_empty(), "{findings:#?}");
    for one in &swept {
        // Two groups that roll at once take their turns by chance: one run may have a few points less than another.
        assert!(one.deaths * 10 >= one.points * 9, "`{}` died at {} of {}", one.name, one.deaths, one.points);
    }
}

#[test]
fn random_lives_under_faults_converge() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let voice = Voice::aside().unwrap();
    let lived = match (number("STANDFAST_SEED"), number("STANDFAST_SEEDS")) {
        (Some(seed), _) => live(&Way::InProcess, seed, 1, 1, BUDGET),
        (None, Some(seeds)) => live(&Way::InProcess, 1, seeds, 12, Duration::MAX),
        (None, None) => live(&Way::InProcess, 1, SEEDS_USUAL, 12, BUDGET),
    };
    drop(voice);
    println!(
        "{} seeds, {} runs, {} killed, {} findings",
        lived.seeds,
        lived.runs,
        lived.deaths,
        lived.findings.len()
    );
    assert!(lived.findings.is_empty(), "{:#?}", lived.findings);
    assert!(lived.seeds > 0);
}

/// The plans are as large as is said of them.
#[test]
fn what_is_swept_has_more_than_forty_resources() {
    let voice = Voice::aside().unwrap();
    let create = &scenario::all()[0];
    let stand = Stand::new(&Way::InProcess, 1).unwrap();
    create.before.iter().for_each(|deed| stand.perform(deed).unwrap());
    let ran = stand.run(&create.line, 0).unwrap();
    let recorded = stand.look().unwrap().unwrap().0.resources.len();
    drop(voice);
    assert_eq!((ran.code, recorded), (Some(0), RESOURCES));
}
