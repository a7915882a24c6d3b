//! The program: the command line with the providers of the registry.

mod registry;

use std::{process::ExitCode, sync::Arc};

use standfast::cli::Registry;

fn main() -> ExitCode {
    let registry = Registry { providers: Arc::new(registry::providers), stores: registry::stores() };
    ExitCode::from(standfast::cli::main(registry))
}
