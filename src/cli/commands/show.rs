//! `show`: a saved plan, or everything recorded of one resource.

use std::path::Path;

use super::super::{
    CliError, Registry,
    args::{Global, ShowArgs},
    exit,
};
use crate::plan::saved;

pub async fn run(args: &ShowArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let path = Path::new(&args.what);
    if path.exists() && saved::is_saved_plan(path) {
        let plan = saved::read(path, |header| args.target.store.keys.unlock(header))?;
        super::plan::print(&plan, global.format, true);
        return Ok(exit::OK);
    }
    // Every address has a `/`.
    if !path.exists() && !args.what.contains('/') {
        let what = &args.what;
        return Err(CliError::new(format!("there is no saved plan {what}")).hint(format!(
            "`standfast plan --out {what}` makes one; a resource is named by its address, as `standfast state list` shows it"
        )));
    }
    super::state::show(&args.what, &args.target, global, registry).await
}
