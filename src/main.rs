//! The program: the command line with the providers of the registry.

mod registry;

use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    ExitCode::from(standfast::cli::main(Arc::new(registry::providers)))
}
