//! `state pull`, `push` and `migrate`: a whole state out, in, and from one store to another.

use std::{
    io::{Read, Write},
    path::Path,
    sync::Arc,
};

use standfast_state::{
    EXPORT_FORMAT, Export, OpenMode, StackId, StateUrl, Store, StoreError, is_blank, objections, same,
    set_aside_sqlite,
};

use super::super::{
    CliError, Registry,
    args::{BlueprintArgs, Global, MigrateTarget, StackOption},
    exit, render,
    session::{self, load, stack_id, stack_of},
    terminal,
};
use super::state::{done, open, with_lock};
use crate::files;

/// How every SQLite file begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

pub async fn pull(
    out: Option<&Path>,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let store = open(target, global, registry).await?;
    let export = store.export().await?;
    let text = super::pretty(&export);
    let Some(path) = out else {
        terminal::out(text);
        return Ok(exit::OK);
    };
    files::write_private(path, |file| writeln!(file, "{text}"))
        .map_err(|error| CliError::new(format!("could not write {}: {error}", path.display())))?;
    let (serial, count) = (export.head.serial, export.resources.len());
    let recorded = render::count(count, "resource");
    done(
        global,
        &serde_json::json!({ "path": path, "serial": serial, "resources": count }),
        &format!("{}: {recorded}, serial {serial}", path.display()),
    );
    Ok(exit::OK)
}

pub async fn push(
    file: &Path,
    force: bool,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let blueprint = load(&target.stack().blueprint, global)?;
    let stack = stack_of(&blueprint);
    let id = stack_id(&stack);
    let offered = read_offered(file, &id, registry).await?;
    if offered.stack.stack != id.stack && !force {
        return Err(CliError::new(format!("{} holds the state of {}", file.display(), offered.stack))
            .hint(format!("it would become that of {id}; --force makes it so")));
    }
    let url = target.store.state.clone();
    let url = url.unwrap_or_else(|| session::usual_place(global, &blueprint.path, &stack));
    let opened = session::open_store(&target.store, global, &blueprint.path, &stack, &registry.stores).await;
    let store = match opened {
        Ok(store) => match store.export().await {
            Err(StoreError::Damaged { .. }) if force => {
                drop(store);
                anew(&url, &id, registry).await?
            }
            Ok(_) => store,
            Err(error) => return Err(error.into()),
        },
        Err(error) if error.damaged && force => anew(&url, &id, registry).await?,
        Err(error) => return Err(error),
    };
    with_lock(&store, target.store.lock_timeout, "state push", async |lease| {
        let present = store.export().await?;
        refuse_unless(force, &present, &offered, &*store)?;
        Ok(store.import(lease, &offered).await?)
    })
    .await?;
    let count = offered.resources.len();
    let serial = offered.head.serial;
    let recorded = render::count(count, "resource");
    done(
        global,
        &serde_json::json!({ "state": store.describe(), "serial": serial, "resources": count }),
        &format!("{} has serial {serial} now, with {recorded}.", store.describe()),
    );
    Ok(exit::OK)
}

/// A new state in place of a damaged one, which is kept beside it.
pub async fn anew(url: &StateUrl, id: &StackId, registry: &Registry) -> Result<Arc<dyn Store>, CliError> {
    if let Some(path) = url.file() {
        let aside = set_aside_sqlite(Path::new(path))?;
        terminal::say(format_args!("the damaged state was set aside as {}", aside.display()));
    }
    Ok(registry.stores.open(url, id, OpenMode::Create).await?)
}

fn refuse_unless(force: bool, present: &Export, offered: &Export, store: &dyn Store) -> Result<(), CliError> {
    let found = objections(present, offered);
    if force || found.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = found.iter().map(|objection| format!("- {objection}")).collect();
    Err(CliError::new(format!("{} was left as it is:\n{}", store.describe(), reasons.join("\n"))).hint(
        "look at both (`standfast state pull`, `standfast history`); --force replaces what is there, which \
         is forgotten with its history",
    ))
}

/// The state in a file: what `pull` wrote, or a copy of an SQLite state.
async fn read_offered(file: &Path, id: &StackId, registry: &Registry) -> Result<Export, CliError> {
    let unreadable =
        |error: std::io::Error| CliError::new(format!("could not read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        files::must_be_file(file).map_err(unreadable)?;
        let mut opened = std::fs::File::open(file).map_err(unreadable)?;
        (&mut opened).take(SQLITE_MAGIC.len() as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes == SQLITE_MAGIC {
            let store = registry.stores.open(&StateUrl::sqlite(file), id, OpenMode::ReadOnly).await?;
            return Ok(store.export().await?);
        }
        opened.read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let no_export = |reason: String| {
        CliError::new(format!("{} is no exported state: {reason}", file.display()))
            .hint("`standfast state pull --out FILE` writes one")
    };
    // The version first: a later one may have another shape.
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| no_export(error.to_string()))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(EXPORT_FORMAT) => {}
        Some(format) => {
            return Err(CliError::new(format!(
                "{} has format {format}, and this standfast reads {EXPORT_FORMAT}",
                file.display()
            ))
            .hint("use the standfast that wrote it, or a later one"));
        }
        None => return Err(no_export("it says no `format`".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| no_export(error.to_string()))
}

pub async fn migrate(
    from: &StateUrl,
    to: &StateUrl,
    target: &MigrateTarget,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let named = BlueprintArgs { blueprint: target.blueprint.clone(), reading: target.reading.clone() };
    let id = stack_id(&stack_of(&load(&named, global)?));
    if from == to {
        return Err(CliError::new("both places are the same").code(exit::USAGE));
    }
    let source = registry.stores.open(from, &id, OpenMode::MustExist).await?;
    let goal = registry.stores.open(to, &id, OpenMode::Create).await?;
    let patience = target.lock_timeout;
    let moved = with_lock(&source, patience, "state migrate", async |_| {
        with_lock(&goal, patience, "state migrate", async |lease| {
            let offered = source.export().await?;
            let present = goal.export().await?;
            if !is_blank(&present) {
                refuse_unless(false, &present, &offered, &*goal)?;
            }
            goal.import(lease, &offered).await?;
            // A handle of its own: what is read back is what another process would read.
            let arrived = registry.stores.open(to, &id, OpenMode::MustExist).await?.export().await?;
            match same(&offered, &arrived) {
                None => Ok(offered),
                Some(part) => Err(CliError::new(format!(
                    "what arrived in {} is not what was sent: the {part} differ",
                    goal.describe()
                ))
                .hint(format!("go on working with {}, which is as it was", source.describe()))),
            }
        })
        .await
    })
    .await?;
    let (count, serial) = (moved.resources.len(), moved.head.serial);
    let text = format!(
        "{id}: {}, {}, serial {serial}: copied to {} and compared.\n\
         From now on use `--state {to}`, or set STANDFAST_STATE, for every run. {} is as it was; move it away, \
         so that nobody goes on with it.",
        render::count(count, "resource"),
        render::count(moved.runs.len(), "run"),
        goal.describe(),
        source.describe()
    );
    let object = serde_json::json!({
        "from": source.describe(), "to": goal.describe(), "serial": serial, "resources": count, "runs": moved.runs.len(),
    });
    done(global, &object, &text);
    Ok(exit::OK)
}
