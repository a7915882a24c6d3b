//! The ordinary command line on a watched store and a watched world.

use std::{path::Path, sync::Arc};

use clap::Parser;
use standfast::{
    cli::{self, Cli, CliError, ProviderSettings, Registry},
    plan::observe::Providers,
};
use standfast_contract::Provider;
use standfast_sim::{Sim, World};
use standfast_state::Stores;

use crate::{
    point::{Death, Passed, Points},
    watched::{Swept, WatchedProvider},
};

/// At which point the process kills itself, 0 for never; its presence makes the sweep's program the ordinary one.
pub const KILL_AT: &str = "STANDFAST_KILL_AT";
/// Where the process leaves what it passed.
pub const EPITAPH: &str = "STANDFAST_EPITAPH";

fn registry(points: &Arc<Points>, death: Death) -> Registry {
    let watching = Arc::clone(points);
    Registry {
        providers: Arc::new(move |settings: &ProviderSettings| {
            let world = match &settings.sim_world {
                Some(path) => World::open(path)
                    .map_err(|error| CliError::new(format!("could not open the simulated world: {error}")))?,
                None => World::memory(),
            };
            let provider = Sim::new(Arc::new(world));
            let watched: Arc<dyn Provider> =
                Arc::new(WatchedProvider { provider, points: Arc::clone(&watching) });
            Ok(Providers([(watched.name(), watched)].into()))
        }),
        stores: Stores::default().with(Arc::new(Swept(Arc::clone(points), death))),
    }
}

/// This process as the ordinary program.
pub fn main(kill_at: u64, epitaph: Option<&Path>) -> u8 {
    let epitaph = epitaph.map(Path::to_owned);
    let write = move |passed: &Passed| {
        if let Some(path) = &epitaph {
            let Passed { count, last, in_run } = passed;
            let _ = std::fs::write(path, format!("{count}\n{last}\n{in_run}\n"));
        }
    };
    let points = Arc::new(Points::new(kill_at, Death::Process, write.clone()));
    let code = cli::main(registry(&points, Death::Process));
    write(&points.passed());
    code
}

/// What a process left.
pub fn read_epitaph(path: &Path) -> Passed {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default().to_owned();
    Passed { count: next().parse().unwrap_or(0), last: next(), in_run: next() == "true" }
}

/// The same in this process: `None` for a run that died.
pub fn drive(words: &[String], kill_at: u64) -> Result<(Option<Result<u8, CliError>>, Passed), String> {
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let points = Arc::new(Points::new(kill_at, Death::Task, |_| {}));
    let registry = registry(&points, Death::Task);
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            () = points.died() => None,
            ended = cli::run(&cli, &registry) => Some(ended),
        }
    });
    // Its tasks go with it, and the store with them.
    drop(runtime);
    let passed = points.passed();
    Ok((ended, passed))
}
