//! `check`: the blueprint and the files that it names; no state, no host, no cloud is asked.

use super::super::{
    CliError, ProviderSettings, Registry,
    args::{BlueprintArgs, Global},
    exit, render,
    session::{load, not_expanded, stack_of, warn},
    terminal,
};
use crate::graph::expand::{Wanted, foresee};

pub fn run(args: &BlueprintArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let blueprint = load(args, global)?;
    let providers = (registry.providers)(&ProviderSettings { sim_world: None })?;
    let wanted =
        Wanted { regions: &blueprint.regions, components: &blueprint.components, standing: Vec::new() };
    foresee(&wanted, &|name| providers.get(name).cloned(), &stack_of(&blueprint))
        .map_err(|error| not_expanded(&blueprint, error, global.format))?;
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
