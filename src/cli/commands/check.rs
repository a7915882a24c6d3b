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
    terminal::out(format_args!(
        "{} ({}) is well-formed: {}, {}, {}.",
        blueprint.name,
        blueprint.environment,
        render::count(blueprint.regions.len(), "region"),
        render::count(hosts, "host"),
        render::count(blueprint.components.len(), "component"),
    ));
    Ok(exit::OK)
}
