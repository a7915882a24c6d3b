//! `import`: a blueprint of what somebody else built, with the commands that record it.

use std::{fmt::Write as _, io::Write as _, path::Path};

use standfast_contract::{
    Context, Region, Stack, Survey,
    component::{SimWorld, SshAccess},
};

use super::super::{
    CliError, Registry,
    args::{Global, ImportArgs},
    exit,
    session::providers_beside,
    terminal,
};
use crate::{plan::observe::no_provider, words};

/// The blueprint's own name of the region.
const REGION: &str = "home";

pub async fn run(args: &ImportArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    if let Some(path) = args.out.as_deref().filter(|path| path.exists()) {
        return Err(is_there(path));
    }
    let stack = Stack { name: args.name.clone(), environment: "default".into() };
    let providers = providers_beside(args.out.as_deref().unwrap_or(Path::new("")), &stack, registry)?;
    let provider = providers.get(&args.from).ok_or_else(|| CliError::from(no_provider(&args.from)))?;
    let survey = provider.survey(&Context::quiet(stack), &region(args), &args.vpc).await;
    providers.close().await;
    let survey = survey?;
    let text = blueprint(args, &survey);
    if let Some(path) = &args.out {
        write(path, &text)?;
    }
    if super::is_json(global.format) {
        let imports: Vec<_> = survey
            .imports
            .iter()
            .map(|one| serde_json::json!({ "address": one.address, "id": one.id }))
            .collect();
        let told = serde_json::json!({
            "format_version": 1, "path": args.out, "blueprint": text, "imports": imports,
        });
        terminal::out(super::pretty(&told));
    } else if let Some(path) = &args.out {
        let resources = words::count(survey.imports.len(), "resource");
        terminal::out(format_args!(
            "{} is written; nothing was changed. Its first lines say how to take over {resources}.",
            path.display()
        ));
    } else {
        terminal::out(text.trim_end());
    }
    Ok(exit::OK)
}

fn region(args: &ImportArgs) -> Region {
    Region {
        name: REGION.into(),
        provider: args.from.clone(),
        location: Some(args.region.clone()),
        zones: Vec::new(),
        ssh: SshAccess::default(),
        network: None,
        account: None,
        assume_role: None,
        sim: SimWorld::default(),
        tags: standfast_contract::Map::new(),
    }
}

fn blueprint(args: &ImportArgs, survey: &Survey) -> String {
    let mut text = format!(
        "# What is in {} in {}, as standfast found it. Look through it: what it does not say stands in comments.\n",
        args.vpc, args.region
    );
    if !survey.imports.is_empty() {
        let file = args.out.as_deref().unwrap_or(Path::new("FILE")).display();
        text += "#\n# These record what is there, and change nothing. Then `standfast plan` shows what standfast would change:\n#\n";
        for one in &survey.imports {
            let _ = writeln!(
                text,
                "#   standfast state import --blueprint {file} {} --id '{}'",
                one.address, one.id
            );
        }
    }
    let _ = write!(
        text,
        "standfast: 1\nname: {}\nregions:\n  {REGION}: {{ provider: {}, location: {}, zones: [{}] }}\n{}",
        args.name,
        args.from,
        args.region,
        survey.zones.join(", "),
        survey.sections
    );
    text
}

fn is_there(path: &Path) -> CliError {
    CliError::new(format!("{} is there already; it was left as it is", path.display()))
        .hint("name another file with `--out`")
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let mut file = std::fs::File::create_new(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => is_there(path),
        _ => CliError::new(format!("could not write {}: {error}", path.display())),
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| CliError::new(format!("could not write {}: {error}", path.display())))
}
