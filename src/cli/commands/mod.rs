//! The commands, one file each.

mod apply;
mod check;
mod destroy;
mod drift;
mod graph;
mod history;
mod import;
mod init;
pub mod lab;
mod outputs;
mod plan;
mod rollback;
mod show;
mod state;
mod state_rebuild;
pub mod state_rekey;
mod state_transfer;
mod status;

use clap::CommandFactory;

use super::{
    Cli, CliError, Registry,
    args::{Command, Format},
    exit, terminal,
};

/// Runs the command that was asked for.
pub async fn run(cli: &Cli, registry: &Registry) -> Result<u8, CliError> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(args, global),
        Command::Import(args) => import::run(args, global, registry).await,
        Command::Check(args) => check::run(args, global, registry),
        Command::Plan(args) => plan::run(args, global, registry).await,
        Command::Apply(args) => apply::run(args, global, registry).await,
        Command::Destroy(args) => destroy::run(args, global, registry).await,
        Command::Rollback(args) => rollback::run(args, global, registry).await,
        Command::Status(args) => status::run(args, global, registry).await,
        Command::Drift(args) => drift::run(args, global, registry).await,
        Command::Graph(args) => graph::run(args, global, registry).await,
        Command::Show(args) => show::run(args, global, registry).await,
        Command::History(args) => history::run(args, global, registry).await,
        Command::Outputs(args) => outputs::run(args, global, registry).await,
        Command::State(args) => state::run(&args.command, global, registry).await,
        Command::Schema => {
            terminal::out(pretty(&crate::blueprint::schema()));
            Ok(exit::OK)
        }
        Command::Completions { shell } => {
            // Into memory first: it panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "standfast", &mut script);
            terminal::out(String::from_utf8_lossy(&script).trim_end());
            Ok(exit::OK)
        }
        Command::Lab(args) => lab::run(args, global).await,
    }
}

/// JSON for people and programs alike.
fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Commands whose result is no document know text and JSON.
fn is_json(format: Format) -> bool {
    format == Format::Json
}
