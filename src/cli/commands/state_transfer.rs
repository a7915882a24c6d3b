//! `state pull`, `push` and `migrate`: a whole state out, in, and from one store to another.

use std::{
    io::{Read, Write},
    path::Path,
    sync::Arc,
};

use standfast_state::{
    EXPORT_FORMAT, Export, Header, Lease, OpenMode, SEAL_KEY, Seal, SealError, Sealed, StackId, StateUrl,
    Store, StoreError, is_blank, is_sealed, objections, same, set_aside_sqlite,
};

use super::super::{
    CliError, Registry,
    args::{BlueprintArgs, Global, MigrateTarget, StackOption},
    exit,
    keys::{KeyArgs, unseal},
    render,
    session::{self, load, open_named_as_it_is, stack_id, stack_of},
    terminal,
};
use super::state::{done, with_lock, with_lock_as_it_is};
use crate::files;

/// How every SQLite file begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Writes a state out as it is kept: what is sealed stays so, and needs no key.
pub async fn pull(
    out: Option<&Path>,
    plain: bool,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let kept = open_named_as_it_is(&target.stack(), global, registry).await?;
    let export = if plain {
        let store = unseal(kept, &target.store.keys).await?;
        if store.seal().is_some() {
            terminal::say("This copy is not sealed: whoever reads it reads the whole state.");
        }
        store.export().await?
    } else {
        kept.export().await?
    };
    let sealed = export.meta.contains_key(SEAL_KEY);
    let text = super::pretty(&export);
    let Some(path) = out else {
        terminal::out(text);
        return Ok(exit::OK);
    };
    // A state or a blueprint in its place is a slip.
    if files::must_be_file(path).is_ok() && files::begins_with(path, b"{") == Some(false) {
        return Err(CliError::new(format!(
            "{} is there and is no export; it was left as it is",
            path.display()
        ))
        .hint("name another file with `--out`"));
    }
    files::write_private(path, |file| writeln!(file, "{text}"))
        .map_err(|error| CliError::new(format!("could not write {}: {error}", path.display())))?;
    let (serial, count) = (export.head.serial, export.resources.len());
    let recorded = render::count(count, "resource");
    done(
        global,
        &serde_json::json!({ "path": path, "serial": serial, "resources": count, "sealed": sealed }),
        &format!("{}: {recorded}, serial {serial}{}", path.display(), if sealed { ", sealed" } else { "" }),
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
    let kept = read_offered(file, &id, registry).await?;
    let offered = opened(file, &kept, &target.store.keys)?;
    if offered.stack.stack != id.stack && !force {
        return Err(CliError::new(format!("{} holds the state of {}", file.display(), offered.stack))
            .hint(format!("it would become that of {id}; --force makes it so")));
    }
    let url = target.store.state.clone();
    let url = url.unwrap_or_else(|| session::usual_place(global, &blueprint.path, &stack));
    let found = session::open_store(&target.store, global, &blueprint.path, &stack, &registry.stores).await;
    let (store, is_lost) = match found {
        Ok(store) => match store.export().await.map_err(CliError::from) {
            Err(error) if error.damaged && force => {
                let seal = store.seal().cloned();
                drop(store);
                (seal_as_before(anew(&url, &id, registry).await?, seal).await?, true)
            }
            Ok(_) => (store, false),
            Err(error) => return Err(error),
        },
        Err(error) if error.damaged && force => (anew(&url, &id, registry).await?, true),
        Err(error) => return Err(error),
    };
    let replace = async |lease: &Lease| {
        if !force {
            refuse_objections(&store.export().await?, &offered, &*store)?;
        }
        // A sealed state seals what comes in with its own key. One that is not takes over the seal of what comes in.
        let incoming = if store.seal().is_some() { &offered } else { &kept };
        store.import(lease, incoming).await?;
        // What was in clear is not left beside what is sealed from now on.
        let is_new_seal = store.seal().is_none() && kept.meta.contains_key(SEAL_KEY);
        Ok(if is_new_seal { store.wipe().await?.unwrap_or_default() } else { 0 })
    };
    let patience = target.store.lock_timeout;
    let removed = if is_lost {
        // On a server what is lost is still in its place, and may have lost its header.
        with_lock_as_it_is(&store, patience, "state push", replace).await?
    } else {
        with_lock(&store, patience, "state push", replace).await?
    };
    let sealed = store.seal().is_some() || kept.meta.contains_key(SEAL_KEY);
    let count = offered.resources.len();
    let serial = offered.head.serial;
    let recorded = render::count(count, "resource");
    let mut so = if sealed { "; it is sealed".to_owned() } else { String::new() };
    if removed > 0 {
        so += &format!(", and {} in clear removed from beside it", render::count(removed, "backup"));
    }
    done(
        global,
        &serde_json::json!({ "state": store.describe(), "serial": serial, "resources": count, "sealed": sealed }),
        &format!("{} has serial {serial} now, with {recorded}{so}.", store.describe()),
    );
    Ok(exit::OK)
}

/// The state in an export, which may be sealed.
fn opened(file: &Path, kept: &Export, keys: &KeyArgs) -> Result<Export, CliError> {
    let header = match kept.meta.get(SEAL_KEY) {
        Some(header) => Header::parse(header),
        None if kept.meta.values().any(|value| is_sealed(value)) => Err(SealError::header_lost()),
        None => return Ok(kept.clone()),
    };
    header.and_then(|header| keys.unlock(&header)).and_then(|seal| seal.unseal_export(kept)).map_err(
        |error| {
            let hint = error.hint();
            CliError { hint, ..CliError::new(format!("could not open {}: {error}", file.display())) }
        },
    )
}

/// A new state in place of a sealed one has the same key, so that nothing that is pushed there is in clear for being
/// pushed after an accident.
async fn seal_as_before(store: Arc<dyn Store>, seal: Option<Seal>) -> Result<Arc<dyn Store>, CliError> {
    let Some(seal) = seal else { return Ok(store) };
    let kept = store.get_or_insert_meta(SEAL_KEY, seal.header().as_str()).await?;
    if kept != seal.header().as_str() {
        let (operation, place) = ("replace the state", store.describe());
        let error = Box::new(SealError::OtherKey { what: "the state".to_owned() });
        return Err(StoreError::Sealed { operation, place, error }.into());
    }
    Ok(Arc::new(Sealed::new(store, seal)))
}

/// A new state in place of one that is lost, or damaged, which is kept beside it.
pub async fn anew(url: &StateUrl, id: &StackId, registry: &Registry) -> Result<Arc<dyn Store>, CliError> {
    if let Some(path) = url.file().map(Path::new).filter(|path| path.exists()) {
        let aside = set_aside_sqlite(path)?;
        terminal::say(format_args!("the damaged state was set aside as {}", aside.display()));
    }
    Ok(registry.stores.open(url, id, OpenMode::Anew).await?)
}

fn refuse_objections(present: &Export, offered: &Export, store: &dyn Store) -> Result<(), CliError> {
    let found = objections(present, offered);
    if found.is_empty() {
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
    // A sealed state is copied as it is: no key is needed, and the same one opens it there.
    let moved = with_lock_as_it_is(&source, patience, "state migrate", async |_| {
        with_lock_as_it_is(&goal, patience, "state migrate", async |lease| {
            let offered = source.export().await?;
            let present = goal.export().await?;
            if !is_blank(&present) {
                refuse_objections(&present, &offered, &*goal)?;
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
