//! `state`: a look at the records, and their repair by hand.

use std::{sync::Arc, time::Duration};

use standfast_contract::{Address, ReadRequest, value::resolve_map};
use standfast_state::{Change, Lease, ResourceRecord, RunStart, Store};

use super::super::{
    CliError, Registry,
    args::{Global, StackOption, StateCommand},
    exit,
    locking::{Lock, host, user},
    render::{self, Masked, MaskedMap},
    session::{Session, open_named, open_named_as_it_is},
    signals::Interrupts,
    terminal,
};
use super::{state_rebuild, state_rekey, state_transfer};
use crate::plan::recorded::{Payload, Recorded};

pub async fn run(command: &StateCommand, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    match command {
        StateCommand::List { selectors, target } => list(selectors, target, global, registry).await,
        StateCommand::Show { address, target } => show(address, target, global, registry).await,
        StateCommand::Mv { from, to, target } => rename(from, to, target, global, registry).await,
        StateCommand::Rm { addresses, target } => remove(addresses, target, global, registry).await,
        StateCommand::Import { address, id, target } => {
            import(address, id.as_deref(), target, global, registry).await
        }
        StateCommand::Pull { out, plain, target } => {
            state_transfer::pull(out.as_deref(), *plain, target, global, registry).await
        }
        StateCommand::Push { file, force, target } => {
            state_transfer::push(file, *force, target, global, registry).await
        }
        StateCommand::Migrate { from, to, target } => {
            state_transfer::migrate(from, to, target, global, registry).await
        }
        StateCommand::Rebuild { target } => state_rebuild::run(target, global, registry).await,
        StateCommand::Rekey(args) => state_rekey::run(args, global, registry).await,
        StateCommand::Unlock { target } => unlock(target, global, registry).await,
    }
}

pub async fn open(
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<Arc<dyn Store>, CliError> {
    open_named(&target.stack(), global, registry).await
}

fn not_recorded(address: &str, store: &dyn Store) -> CliError {
    CliError::new(format!("{address} is not recorded in {}", store.describe()))
        .hint("`standfast state list` shows what is")
}

async fn list(
    selectors: &[String],
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let snapshot = open(target, global, registry).await?.snapshot().await?;
    let wanted = |record: &&ResourceRecord| {
        selectors.is_empty()
            || record
                .address
                .parse::<Address>()
                .is_ok_and(|address| selectors.iter().any(|selector| address.matches(selector)))
    };
    let records: Vec<&ResourceRecord> = snapshot.resources.iter().filter(wanted).collect();
    if super::is_json(global.format) {
        let rows: Vec<_> = records
            .iter()
            .map(|one| serde_json::json!({"address": one.address, "deposed": one.deposed, "kind": one.kind, "id": one.id, "provider": one.provider, "dependencies": one.dependencies}))
            .collect();
        let head = &snapshot.head;
        terminal::out(super::pretty(&serde_json::json!({
            "format_version": 1, "lineage": head.lineage, "serial": head.serial, "resources": rows,
        })));
        return Ok(exit::OK);
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|one| {
            let old =
                if one.deposed.is_empty() { String::new() } else { format!(" (old copy {})", one.deposed) };
            vec![format!("{}{old}", one.address), one.id.clone()]
        })
        .collect();
    if rows.is_empty() {
        terminal::out(if selectors.is_empty() {
            "Nothing is recorded."
        } else {
            "Nothing recorded matches."
        });
    } else {
        terminal::show(render::listing::table(&["address", "id"], &rows).trim_end());
    }
    Ok(exit::OK)
}

pub async fn show(
    address: &str,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let store = open(target, global, registry).await?;
    let snapshot = store.snapshot().await?;
    let record =
        snapshot.resources.iter().find(|record| record.address == address && record.deposed.is_empty());
    let recorded = Recorded::decode(record.ok_or_else(|| not_recorded(address, store.as_ref()))?)?;
    let payload = &recorded.payload;
    if super::is_json(global.format) {
        terminal::out(super::pretty(&serde_json::json!({
            "format_version": 1, "address": recorded.address, "kind": recorded.kind, "provider": recorded.provider,
            "id": recorded.id, "dependencies": recorded.dependencies,
            "inputs": MaskedMap(&payload.inputs), "outputs": MaskedMap(&payload.outputs), "place": Masked(&payload.place),
            "lifecycle": payload.lifecycle,
        })));
        return Ok(exit::OK);
    }
    terminal::out(terminal::paint(terminal::BOLD, &recorded.address));
    for (name, value) in [("kind", &recorded.kind), ("provider", &recorded.provider), ("id", &recorded.id)] {
        terminal::out(format_args!("  {name:10} {value}"));
    }
    for (title, map) in [("inputs", &*payload.inputs), ("outputs", &*payload.outputs)] {
        terminal::out(format_args!("  {title}"));
        for (name, value) in map {
            let text = value.to_string();
            if text.contains('\n') {
                terminal::out(format_args!("    {name}:"));
                text.lines().for_each(|line| terminal::out(format_args!("      {line}")));
            } else {
                terminal::out(format_args!("    {name}: {text}"));
            }
        }
    }
    for dependency in &recorded.dependencies {
        terminal::out(format_args!("  after      {dependency}"));
    }
    Ok(exit::OK)
}

/// Says what was done: to a program as one object with its `format_version`.
pub fn done(global: &Global, object: &serde_json::Value, text: &str) {
    if super::is_json(global.format) {
        let mut object = object.clone();
        object["format_version"] = 1.into();
        terminal::out(super::pretty(&object));
    } else {
        terminal::show(text);
    }
}

/// Holds the lock around a change of the records.
///
/// A signal ends the waiting for the lock. Once it is held the first one lets the change come to its end, since half of a new
/// key would leave copies that the old one opens; the second stops at once.
pub async fn with_lock<R>(
    store: &Arc<dyn Store>,
    patience: Duration,
    command: &str,
    change: impl AsyncFnOnce(&Lease) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let interrupts = Interrupts::listen()?;
    let lock = Lock::take(store, command, patience, interrupts.sender.clone()).await?;
    holding(lock, &interrupts, change).await
}

/// The same around what is moved as it is, sealed or not.
pub async fn with_lock_as_it_is<R>(
    store: &Arc<dyn Store>,
    patience: Duration,
    command: &str,
    change: impl AsyncFnOnce(&Lease) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let interrupts = Interrupts::listen()?;
    let lock = Lock::take_as_it_is(store, command, patience, interrupts.sender.clone()).await?;
    holding(lock, &interrupts, change).await
}

async fn holding<R>(
    lock: Lock,
    interrupts: &Interrupts,
    change: impl AsyncFnOnce(&Lease) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let result = interrupts.hurry(change(lock.lease())).await;
    interrupts.hurry(lock.release()).await?;
    result
}

/// The start of a run that needs no blueprint.
pub fn plain_run(command: &str, summary: &str) -> RunStart {
    RunStart {
        command: command.to_owned(),
        owner: user(),
        host: host(),
        blueprint: None,
        variables: "{}".to_owned(),
        plan_id: None,
        summary: summary.to_owned(),
    }
}

/// Changes the records as a run of its own: the history says who did it, and a plan that was begun is not gone on with.
pub async fn record(
    store: &dyn Store,
    lease: &Lease,
    command: &str,
    summary: &str,
    changes: &[Change],
) -> Result<(), CliError> {
    let run = store.begin_run(lease, &plain_run(command, summary)).await?;
    let recorded = store.record(lease, changes).await;
    let result = if recorded.is_ok() { "succeeded" } else { "failed" };
    store.end_run(lease, run, result, summary).await?;
    recorded?;
    Ok(())
}

async fn rename(
    from: &str,
    to: &str,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let to: Address = to.parse().map_err(|error| CliError::new(format!("{error}")).code(exit::USAGE))?;
    let store = open(target, global, registry).await?;
    with_lock(&store, target.store.lock_timeout, "state mv", async |lease| {
        let snapshot = store.snapshot().await?;
        if !snapshot.resources.iter().any(|record| record.address == from) {
            return Err(not_recorded(from, store.as_ref()));
        }
        if snapshot.resources.iter().any(|record| record.address == to.as_str()) {
            return Err(CliError::new(format!("{to} is recorded already"))
                .hint("remove it first with `standfast state rm`"));
        }
        let change = Change::Move { from: from.to_owned(), to: to.to_string() };
        record(store.as_ref(), lease, "state mv", &format!("{from} to {to}"), &[change]).await
    })
    .await?;
    done(
        global,
        &serde_json::json!({ "from": from, "to": to.as_str() }),
        &format!("{from} is recorded as {to} now."),
    );
    Ok(exit::OK)
}

async fn remove(
    addresses: &[String],
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let store = open(target, global, registry).await?;
    let forgotten = with_lock(&store, target.store.lock_timeout, "state rm", async |lease| {
        let snapshot = store.snapshot().await?;
        let mut changes = Vec::new();
        for selector in addresses {
            let before = changes.len();
            changes.extend(
                snapshot
                    .resources
                    .iter()
                    .filter(|record| {
                        record.address.parse::<Address>().is_ok_and(|address| address.matches(selector))
                    })
                    .map(|record| Change::Remove {
                        address: record.address.clone(),
                        deposed: record.deposed.clone(),
                    }),
            );
            if changes.len() == before {
                return Err(not_recorded(selector, store.as_ref()));
            }
        }
        record(store.as_ref(), lease, "state rm", &addresses.join(", "), &changes).await?;
        let address = |change: &Change| match change {
            Change::Remove { address, .. } => Some(address.clone()),
            _ => None,
        };
        Ok(changes.iter().filter_map(address).collect::<Vec<String>>())
    })
    .await?;
    let text = match forgotten.len() {
        1 => "1 resource forgotten. It is still there in the world.".to_owned(),
        many => format!("{} forgotten. They are still there in the world.", render::count(many, "resource")),
    };
    done(global, &serde_json::json!({ "forgotten": forgotten }), &text);
    Ok(exit::OK)
}

async fn import(
    address: &str,
    id: Option<&str>,
    target: &StackOption,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let address: Address =
        address.parse().map_err(|error| CliError::new(format!("{error}")).code(exit::USAGE))?;
    let session = Session::open(&target.stack(), global, registry).await?;
    let result = with_lock(&session.engine.store, target.store.lock_timeout, "state import", async |lease| {
        adopt(&session, &address, id, lease).await
    })
    .await;
    session.engine.providers.close().await;
    result?;
    let text = format!("{address} is recorded. `standfast plan` shows what differs from the blueprint.");
    done(global, &serde_json::json!({ "imported": address.as_str() }), &text);
    Ok(exit::OK)
}

async fn adopt(
    session: &Session,
    address: &Address,
    id: Option<&str>,
    lease: &Lease,
) -> Result<(), CliError> {
    let snapshot = session.engine.store.snapshot().await?;
    if snapshot.resources.iter().any(|record| record.address == address.as_str()) {
        return Err(CliError::new(format!("{address} is recorded already")));
    }
    let graph = session.graph(&[]).await?;
    let Some(position) = graph.position(address) else {
        return Err(CliError::new(format!("{address} is not in the blueprint"))
            .hint("`standfast graph` shows what is"));
    };
    let desired = &graph.resources[position as usize];
    let provider = session
        .engine
        .providers
        .get(&desired.provider)
        .ok_or_else(|| CliError::from(crate::plan::observe::no_provider(&desired.provider)))?;
    let request = ReadRequest {
        address: address.clone(),
        kind: desired.kind.clone(),
        place: Arc::new(desired.place.resolve(&|_| None, &session.engine.vault)?),
        id: id.map(str::to_owned),
        token: None,
        recorded: None,
        desired: Some(Arc::new(resolve_map(&desired.inputs, &|_| None, &session.engine.vault)?)),
    };
    let looks = provider.read(&session.engine.context(), &[request]).await;
    let Some(observed) = looks.into_iter().next().transpose()?.flatten() else {
        return Err(CliError::new(format!("{address} does not exist yet")).hint("`standfast apply` makes it"));
    };
    let recorded = Recorded {
        address: address.clone(),
        deposed: String::new(),
        kind: desired.kind.clone(),
        provider: desired.provider.clone(),
        id: observed.id,
        dependencies: graph
            .dependencies(position)
            .iter()
            .map(|edge| graph.resources[edge.to as usize].address.clone())
            .collect(),
        payload: Payload::new(
            observed.attributes,
            observed.outputs,
            desired.place.clone(),
            desired.lane.clone(),
            desired.lifecycle.clone(),
        ),
    };
    let put = [Change::Put(recorded.encode())];
    record(session.engine.store.as_ref(), lease, "state import", address.as_str(), &put).await
}

async fn unlock(target: &StackOption, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    // Who holds the lock is no secret, and the key may be out of reach.
    let store = open_named_as_it_is(&target.stack(), global, registry).await?;
    let Some(holder) = store.holder().await? else {
        done(global, &serde_json::json!({ "broken": false }), "Nobody holds the lock.");
        return Ok(exit::OK);
    };
    let runs = if holder.expires > jiff::Timestamp::now() { "runs until" } else { "ran out at" };
    terminal::say(format_args!("{holder} holds the lock; its lease {runs} {:.0}.", holder.expires));
    let question = "Break it? If that process still works, it will be stopped at its next write.";
    if !terminal::confirm(question).await? {
        return Err(CliError::new("the lock was left as it is"));
    }
    store.break_lock().await?;
    done(global, &serde_json::json!({ "broken": true }), "The lock is broken.");
    Ok(exit::OK)
}
