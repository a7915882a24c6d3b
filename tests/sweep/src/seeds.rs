//! Random blueprints, one after the other, under faults; every apply may die anywhere. In the end the world holds exactly what
//! the state knows.
//!
//! A seed decides the blueprints, the faults and the points of death; with more than one step at once, not the order of calls.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{
    random::{Dice, blueprint},
    scenario::{Deed, Line},
    stand::{Stand, Way},
};

/// Commands until it must be done.
const ROUNDS_MAX: usize = 16;
/// The latest point at which a run is killed: most have fewer.
const POINTS_MAX: u64 = 300;

/// What came of it.
#[derive(Debug, Default)]
pub struct Lived {
    pub seeds: u64,
    pub runs: u64,
    pub deaths: u64,
    pub findings: Vec<String>,
    pub took: Duration,
}

/// Lives through the seeds from `first` on, `count` of them or as many as are begun within `budget`.
pub fn live(way: &Way, first: u64, count: u64, threads: usize, budget: Duration) -> Lived {
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let work = || {
        let mut lived = Lived::default();
        while begun.elapsed() < budget {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= first + count {
                break;
            }
            lived.seeds += 1;
            if let Err(finding) = one(way, seed, &mut lived) {
                lived.findings.push(format!("seed {seed}: {finding}"));
            }
        }
        lived
    };
    let mut all = Lived::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(lived) => {
                    all.seeds += lived.seeds;
                    all.runs += lived.runs;
                    all.deaths += lived.deaths;
                    all.findings.extend(lived.findings);
                }
                Err(_) => all.findings.push("a seed panicked: see above".to_owned()),
            }
        }
    });
    all.took = begun.elapsed();
    all
}

/// A fault of the simulated world, as a line of its file.
fn fault(dice: &mut Dice) -> Deed {
    let verb = *dice.of(&["create", "update", "delete", "health", "drain", "undrain", "read"]);
    let kinds: &[&str] = match verb {
        // A plan that cannot look is refused, and that is right.
        "read" => &["throttled", "internal"],
        "create" | "update" | "delete" => {
            &["throttled", "internal", "lost_answer", "hang", "refused", "unreachable"]
        }
        _ => &["throttled", "internal", "refused"],
    };
    let (kind, nth, times) = (*dice.of(kinds), 1 + dice.below(6), 1 + dice.below(2));
    Deed::Meddle(format!(
        r#"{{"fault":{{"address":"home/*","verb":"{verb}","kind":"{kind}","nth":{nth},"times":{times},"wait_ms":50}}}}"#
    ))
}

fn one(way: &Way, seed: u64, lived: &mut Lived) -> Result<(), String> {
    let mut dice = Dice(seed);
    let stand = Stand::new(way, if dice.chance(50) { 1 } else { 8 })?;
    let faults = dice.chance(60);
    let apply =
        Line { text: "apply @/standfast.yaml --auto-approve --parallelism N".to_owned(), codes: &[0, 1] };
    let mut deaths_in_run = 0;
    let mut attempt = |kill_at: u64| {
        let ran = stand.run(&apply, kill_at)?;
        lived.runs += 1;
        match ran.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(code) => Err(format!("it ended with {code}: {}", ran.told)),
            None => {
                lived.deaths += 1;
                deaths_in_run += usize::from(ran.passed.in_run);
                stand
                    .check_death(deaths_in_run)
                    .map_err(|finding| format!("{}: {finding}", ran.passed.last))?;
                Ok(false)
            }
        }
    };
    for _ in 0..1 + dice.below(3) {
        stand.perform(&Deed::Write(blueprint(&mut dice, faults)))?;
        if dice.chance(70) {
            stand.perform(&fault(&mut dice))?;
        }
        for _ in 0..1 + dice.below(3) {
            let kill_at = if dice.chance(80) { 1 + dice.roll() % POINTS_MAX } else { 0 };
            attempt(kill_at)?;
        }
    }
    for _ in 0..ROUNDS_MAX {
        if attempt(0)? {
            return stand.check_settled();
        }
    }
    let ran = stand.run(&apply, 0)?;
    Err(format!("{ROUNDS_MAX} applies did not bring it to its end: {}", ran.told))
}
