//! One scenario killed at every point; and killed again while it recovers.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    random::Dice,
    scenario::{Deed, Scenario},
    stand::{Stand, Way},
};

/// What came of it.
#[derive(Debug)]
pub struct Swept {
    pub name: String,
    pub parallelism: u16,
    pub points: u64,
    /// Commands that were begun, killed ones among them.
    pub runs: u64,
    pub deaths: u64,
    pub findings: Vec<String>,
    pub took: Duration,
}

/// How thorough.
#[derive(Clone, Debug)]
pub struct Plan {
    pub way: Way,
    pub parallelism: u16,
    /// Kill the recovery, too, at a point of its own.
    pub twice: bool,
    pub threads: usize,
}

#[derive(Default)]
struct Count {
    runs: AtomicU64,
    deaths: AtomicU64,
}

/// Sweeps over one scenario. An error is a scenario that does not even work when nobody dies.
pub fn sweep(scenario: &Scenario, plan: &Plan) -> Result<Swept, String> {
    let begun = Instant::now();
    let name = scenario.name;
    let base = Stand::new(&plan.way, plan.parallelism)?;
    for deed in &scenario.before {
        base.perform(deed).map_err(|error| format!("{name}, before: {error}"))?;
    }
    let whole = try_of(scenario, &base)?;
    let ran = whole.run(&scenario.line, 0)?;
    whole.expect(&scenario.line, &ran).map_err(|error| format!("{name}: {error}"))?;
    let points = ran.passed.count;
    let count = Count::default();
    let todo: Mutex<VecDeque<u64>> = Mutex::new((1..=points).collect());
    let findings = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| {
                loop {
                    let Some(at) = todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                        return;
                    };
                    let found = die_at(scenario, &base, at, plan.twice, &count);
                    findings.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    Ok(Swept {
        name: name.to_owned(),
        parallelism: plan.parallelism,
        points,
        runs: count.runs.load(Relaxed),
        deaths: count.deaths.load(Relaxed),
        findings: findings.into_inner().unwrap_or_else(PoisonError::into_inner),
        took: begun.elapsed(),
    })
}

fn try_of(scenario: &Scenario, base: &Stand) -> Result<Stand, String> {
    let stand = base.copy()?;
    scenario.each.iter().try_for_each(|deed| stand.perform(deed))?;
    Ok(stand)
}

/// Dies at one point and recovers; then again, with a second death in the recovery.
fn die_at(scenario: &Scenario, base: &Stand, at: u64, twice: bool, count: &Count) -> Vec<String> {
    let mut findings = Vec::new();
    let mut last = String::new();
    let recovered = recover(scenario, base, at, 0, count, &mut last);
    let points = match recovered {
        Ok(points) => points,
        Err(finding) => {
            findings.push(format!("{}, killed at {at} ({last}): {finding}", scenario.name));
            return findings;
        }
    };
    if twice && points > 0 {
        let second = 1 + Dice(at).roll() % points;
        if let Err(finding) = recover(scenario, base, at, second, count, &mut last) {
            findings.push(format!(
                "{}, killed at {at} and, recovering, at {second} ({last}): {finding}",
                scenario.name
            ));
        }
    }
    findings
}

/// Returns the points of the first command of the recovery.
fn recover(
    scenario: &Scenario,
    base: &Stand,
    first: u64,
    second: u64,
    count: &Count,
    last: &mut String,
) -> Result<u64, String> {
    let stand = try_of(scenario, base)?;
    let mut deaths_in_run = 0;
    let mut die = |line, at: u64| {
        let ran = stand.run(line, at)?;
        count.runs.fetch_add(1, Relaxed);
        last.clone_from(&ran.passed.last);
        match ran.code {
            // With more than one step at a time the last points may not be reached.
            Some(code) if line.codes.contains(&code) => return Ok(()),
            Some(code) => return Err(format!("it ended with {code}: {}", ran.told)),
            None => {}
        }
        count.deaths.fetch_add(1, Relaxed);
        deaths_in_run += usize::from(ran.passed.in_run);
        stand.check_death(deaths_in_run)
    };
    die(&scenario.line, first)?;
    if second > 0
        && let Some(Deed::Run(line)) = scenario.after.first()
    {
        die(line, second)?;
    }
    let mut points = None;
    for deed in &scenario.after {
        if let (None, Deed::Run(line)) = (points, deed) {
            let ran = stand.run(line, 0)?;
            points = Some(ran.passed.count);
            stand.expect(line, &ran)?;
        } else {
            stand.perform(deed)?;
        }
        count.runs.fetch_add(u64::from(matches!(deed, Deed::Run(_))), Relaxed);
    }
    stand.check_settled()?;
    Ok(points.unwrap_or(0))
}
