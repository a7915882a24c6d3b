//! The command line: arguments in, words and exit codes out. One file a command.
//!
//! Only this room prints. stdout is data, stderr is talk: a plan, a listing and JSON go to stdout; progress, warnings
//! and errors to stderr.

mod args;
mod commands;
pub mod error;
pub mod exit;
mod keys;
mod limits;
mod locking;
pub mod render;
mod session;
mod signals;
mod terminal;

use std::{path::PathBuf, sync::Arc};

use clap::Parser;
use standfast_state::Stores;

use crate::plan::observe::Providers;
pub use args::Cli;
pub use error::CliError;

/// What the registry must know to build the providers.
pub struct ProviderSettings {
    /// Where the simulated world lives; beside the state. `None`: nowhere, for what asks and changes nothing.
    pub sim_world: Option<PathBuf>,
}

/// Builds the providers of this program.
pub type BuildProviders = Arc<dyn Fn(&ProviderSettings) -> Result<Providers, CliError> + Send + Sync>;

/// What this program was built with; `main` gives it, so that nothing in here names a provider crate.
pub struct Registry {
    pub providers: BuildProviders,
    /// Where states can be kept.
    pub stores: Stores,
}

/// Carries out one command and gives its exit code: what `main` does, for a caller with a runtime of its own. Dropped in
/// the middle it leaves behind what a killed process would.
pub async fn run(cli: &Cli, registry: &Registry) -> Result<u8, CliError> {
    commands::run(cli, registry).await
}

/// Runs the program and returns its exit code.
pub fn main(registry: Registry) -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data; anything else is a mistake in the arguments.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let _ = error.print();
            return code;
        }
    };
    terminal::set_color(cli.global.no_color);
    if let Err(error) = limits::open_files() {
        terminal::error(&error, &cli.global);
        return error.code;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::error(&CliError::new(format!("could not start the runtime: {error}")), &cli.global);
            return exit::ERROR;
        }
    };
    let code = match runtime.block_on(run(&cli, &registry)) {
        Ok(code) => match terminal::unwritten() {
            None => code,
            Some(reason) => {
                let error = CliError::new(format!("could not write to standard output: {reason}"));
                terminal::error(&error, &cli.global);
                error.code
            }
        },
        Err(error) => {
            terminal::error(&error, &cli.global);
            error.code
        }
    };
    // A task that still waits for a dead connection must not hold up the exit.
    runtime.shutdown_background();
    code
}
