//! `standfast-sweep`: the long sweep, with real processes. Started by itself it is the ordinary program.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use standfast_sweep::{
    program::{self, EPITAPH, KILL_AT},
    scenario,
    seeds::live,
    stand::Way,
    sweep::{Plan, Swept, sweep},
    voice::Voice,
};

/// Kills standfast at every point of every kind of plan, and looks at what is left.
#[derive(Parser)]
struct Arguments {
    /// Only the scenarios whose names hold this
    #[arg(long, default_value = "")]
    only: String,
    /// Let runs die within this process instead: faster, and no `kill -9`
    #[arg(long)]
    in_process: bool,
    /// Without a second death in each recovery
    #[arg(long)]
    once: bool,
    /// Steps at once; may be repeated
    #[arg(long, default_values_t = [1, 16])]
    parallelism: Vec<u16>,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Random blueprints under faults, after the scenarios
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Lives at once: they mostly wait
    #[arg(long, default_value_t = 12)]
    seed_threads: usize,
}

fn main() -> ExitCode {
    if let Some(kill_at) = std::env::var(KILL_AT).ok().and_then(|at| at.parse().ok()) {
        let epitaph = std::env::var_os(EPITAPH).map(PathBuf::from);
        return ExitCode::from(program::main(kill_at, epitaph.as_deref()));
    }
    let arguments = Arguments::parse();
    let Ok(voice) = Voice::aside() else { return ExitCode::FAILURE };
    match long(&arguments, &voice) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            voice.say(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns how much was found.
fn long(arguments: &Arguments, voice: &Voice) -> Result<usize, String> {
    let way = if arguments.in_process {
        Way::InProcess
    } else {
        Way::Process(std::env::current_exe().map_err(|error| error.to_string())?)
    };
    let mut all = Vec::new();
    for &parallelism in &arguments.parallelism {
        let plan = Plan { way: way.clone(), parallelism, twice: !arguments.once, threads: arguments.threads };
        for scenario in scenario::all().iter().filter(|one| one.name.contains(&arguments.only)) {
            let swept = sweep(scenario, &plan)?;
            voice.say(row(&swept));
            swept.findings.iter().for_each(|finding| voice.say(format_args!("  FOUND {finding}")));
            all.push(swept);
        }
    }
    let seeds = live(
        &way,
        arguments.first_seed,
        arguments.seeds,
        arguments.seed_threads,
        Duration::from_secs(24 * 60 * 60),
    );
    seeds.findings.iter().for_each(|finding| voice.say(format_args!("  FOUND {finding}")));
    let sum = |of: fn(&Swept) -> u64| all.iter().map(of).sum::<u64>();
    let findings = all.iter().map(|swept| swept.findings.len()).sum::<usize>() + seeds.findings.len();
    voice.say("\nall of it:");
    all.iter().for_each(|swept| voice.say(row(swept)));
    voice.say(format_args!(
        "{} random seeds: {} runs, {} killed, {} findings, {:.0} s",
        seeds.seeds,
        seeds.runs,
        seeds.deaths,
        seeds.findings.len(),
        seeds.took.as_secs_f64()
    ));
    voice.say(format_args!(
        "{} points, {} runs, {} of them killed, {} seeds, {findings} findings",
        sum(|swept| swept.points),
        sum(|swept| swept.runs) + seeds.runs,
        sum(|swept| swept.deaths) + seeds.deaths,
        seeds.seeds,
    ));
    Ok(findings)
}

fn row(swept: &Swept) -> String {
    format!(
        "{:36} x{:<3} {:>5} points {:>6} runs {:>6} killed {:>4} findings {:>6.1} s",
        swept.name,
        swept.parallelism,
        swept.points,
        swept.runs,
        swept.deaths,
        swept.findings.len(),
        swept.took.as_secs_f64()
    )
}
