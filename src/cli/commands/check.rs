//! `check`: the blueprint alone; no state, no host, no provider is asked.

use super::super::{
    CliError,
    args::{BlueprintArgs, Global},
    exit, render,
    session::{load, warn},
    terminal,
};

pub fn run(args: &BlueprintArgs, global: &Global) -> Result<u8, CliError> {
    let blueprint = load(args, global)?;
    let hosts: usize = blueprint.regions.iter().map(|region| region.hosts().count()).sum();
    if super::is_json(global.format) {
        let components: Vec<String> = blueprint.components.iter().map(|one| one.id().to_string()).collect();
        terminal::out(super::pretty(&serde_json::json!({
            "format_version": 1,
            "name": blueprint.name,
            "environment": blueprint.environment,
            "regions": blueprint.regions.iter().map(|region| &region.name).collect::<Vec<_>>(),
            "components": components,
            "warnings": blueprint.warnings,
        })));
        return Ok(exit::OK);
    }
    warn(&blueprint);
    // A simulated region needs no hosts.
    let there: Vec<String> =
        [(blueprint.regions.len(), "region"), (hosts, "host"), (blueprint.components.len(), "component")]
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| render::count(*number, what))
            .collect();
    terminal::out(format_args!(
        "{} ({}) is well-formed: {}.",
        blueprint.name,
        blueprint.environment,
        there.join(", "),
    ));
    Ok(exit::OK)
}
