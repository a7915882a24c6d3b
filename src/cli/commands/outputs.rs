//! `outputs`: addresses and endpoints that the last apply left.

use std::collections::BTreeMap;

use standfast_contract::{ComponentId, Map};

use super::super::{
    CliError, Registry,
    args::{Global, OutputsArgs},
    exit,
    render::{self, Masked, MaskedMap},
    session::open_named,
    terminal,
};
use crate::apply::META_OUTPUTS;

pub async fn run(args: &OutputsArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let store = open_named(&args.stack, global, registry).await?;
    let kept = store.get_meta(META_OUTPUTS).await?;
    let outputs: BTreeMap<ComponentId, Map> = match kept {
        Some(text) => serde_json::from_str(&text).map_err(|error| {
            CliError::new(format!("the outputs in {} cannot be read: {error}", store.describe()))
        })?,
        None => BTreeMap::new(),
    };
    if let Some(wanted) = &args.only {
        let found = outputs.iter().find_map(|(id, map)| {
            let name = wanted.strip_prefix(&format!("{id}."))?;
            map.get(name)
        });
        let Some(value) = found else {
            let known: Vec<String> = outputs
                .iter()
                .flat_map(|(id, map)| map.keys().map(move |name| format!("{id}.{name}")))
                .collect();
            return Err(CliError::new(format!("there is no output `{wanted}`"))
                .hint(format!("there are: {}", known.join(", "))));
        };
        if value.is_unknown() {
            return Err(CliError::new(format!(
                "`{wanted}` is not known: what it comes from has not been made"
            ))
            .hint("`standfast plan` shows what is not done"));
        }
        terminal::out(match super::is_json(global.format) {
            true => super::pretty(&Masked(value)),
            false => value.to_string(),
        });
        return Ok(exit::OK);
    }
    if super::is_json(global.format) {
        let masked: BTreeMap<_, _> = outputs.iter().map(|(id, map)| (id, MaskedMap(map))).collect();
        terminal::out(super::pretty(&serde_json::json!({ "format_version": 1, "outputs": masked })));
    } else if outputs.is_empty() {
        terminal::out("No outputs: nothing has been applied yet.");
    } else {
        terminal::out(render::report::outputs(&outputs).trim_end());
    }
    Ok(exit::OK)
}
