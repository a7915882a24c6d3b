//! `apply`: carries out a plan, new or saved; and the run that `destroy` shares.

use std::{io::IsTerminal, path::Path, sync::Arc};

use tokio::sync::mpsc;

use super::{
    super::{
        CliError, Registry,
        args::{ApplyArgs, Format, Global, RunArgs, SelectArgs, StoreArgs},
        exit,
        locking::{Lock, host, user},
        render,
        session::{Engine, Session},
        signals::Interrupts,
        terminal,
    },
    plan::{print, purpose},
    rollback::Return,
};
use crate::{
    apply::{META_PROBES, Report, Settings, apply, close_intents},
    plan::{
        Plan, Purpose, Summary,
        resume::{INTERRUPTED, resume},
        saved,
    },
};
use standfast_state::{Lease, OpenIntent, RunId, RunStart, Snapshot, Store, StoreError};

/// How far back the runs of a saved plan are looked for.
const RESUMES_MAX: usize = 100;
/// How many runs the history keeps when nobody says otherwise.
const RUNS_KEPT: u64 = 1_000;

pub async fn run(args: &ApplyArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let named = args.stack.blueprint.blueprint.as_deref();
    if let Some(path) = named.filter(|path| saved::is_saved_plan(path)) {
        return saved_plan(path, args, global, registry).await;
    }
    if let Some(path) = named.filter(|path| !path.exists() && !is_blueprint(path)) {
        let path = path.display();
        return Err(CliError::new(format!("there is no saved plan {path}"))
            .hint(format!("`standfast plan --out {path}` makes one; a blueprint is a `.yaml` file")));
    }
    let session = Session::open(&args.stack, global, registry).await?;
    let purpose = purpose(&args.select, false);
    let work = Work::New { session: &session, select: &args.select, purpose };
    carry_out(&session.engine, &work, &args.stack.store, &args.run, global).await
}

/// By its name.
fn is_blueprint(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// A saved plan needs no blueprint, only the place where one was: its state lies there.
async fn saved_plan(
    path: &Path,
    args: &ApplyArgs,
    global: &Global,
    registry: &Registry,
) -> Result<u8, CliError> {
    let plan = saved::read(path, |header| args.stack.store.keys.unlock(header))?;
    let blueprint = plan.blueprint_path.clone().unwrap_or_default();
    let engine =
        Engine::open(plan.stack.clone(), Path::new(&blueprint), &args.stack.store, global, registry).await?;
    carry_out(&engine, &Work::Saved(Box::new(plan)), &args.stack.store, &args.run, global).await
}

/// What is to be done.
pub enum Work<'a> {
    New { session: &'a Session, select: &'a SelectArgs, purpose: Purpose },
    Saved(Box<Plan>),
    Back(&'a Return),
}

/// Locks, plans, asks, applies, records the run, unlocks.
pub async fn carry_out(
    engine: &Engine,
    work: &Work<'_>,
    store_args: &StoreArgs,
    run_args: &RunArgs,
    global: &Global,
) -> Result<u8, CliError> {
    let interrupts = Interrupts::listen()?;
    let command = match work {
        Work::New { purpose: Purpose::Destroy, .. } => "destroy",
        Work::Back(_) => "rollback",
        _ => "apply",
    };
    let lock = Lock::take(&engine.store, command, store_args.lock_timeout, interrupts.sender.clone()).await?;
    let result = locked(engine, work, run_args, global, &lock, command, &interrupts).await;
    engine.providers.close().await;
    let released = interrupts.hurry(lock.release()).await;
    let code = result?;
    released?;
    Ok(code)
}

async fn locked(
    engine: &Engine,
    work: &Work<'_>,
    run_args: &RunArgs,
    global: &Global,
    lock: &Lock,
    command: &str,
    interrupts: &Interrupts,
) -> Result<u8, CliError> {
    let (plan, snapshot) = match work {
        Work::New { session, select, purpose } => interrupts.or_stop(session.plan(select, *purpose)).await?,
        Work::Saved(plan) => {
            let snapshot = engine.store.snapshot().await?;
            (usable(engine.store.as_ref(), plan, &snapshot).await?, snapshot)
        }
        Work::Back(back) => interrupts.or_stop(back.plan()).await?,
    };
    let about = match work {
        Work::Back(back) => format!("back to run {}: ", back.run),
        _ => String::new(),
    };
    let saved = matches!(work, Work::Saved(_));
    if global.format != Format::Json {
        print(&plan, global.format, false);
    }
    if plan.is_empty() {
        close_intents(engine.store.as_ref(), lock.lease(), &plan, &Report::default()).await?;
        keep_questions(engine.store.as_ref(), lock.lease(), &plan).await?;
        if global.format == Format::Json {
            print(&plan, Format::Json, false);
        }
        return Ok(exit::nothing_to_do(plan.unread));
    }
    if !saved && !run_args.auto_approve && !interrupts.or_stop(terminal::confirm(question(&plan))).await? {
        return Err(CliError::new("not approved; nothing was changed"));
    }
    let unreachable = interrupts.or_stop(engine.preflight(&plan, &snapshot)).await?;
    if saved && plan.resumed.is_none() {
        match engine.store.consume_plan(lock.lease(), &plan.id).await {
            // Whoever used it died before anything of it was begun.
            Err(StoreError::PlanUsed { run: None, .. }) => {}
            consumed => consumed?,
        }
    }
    let start = RunStart {
        command: command.to_owned(),
        owner: user(),
        host: host(),
        blueprint: plan.blueprint.clone(),
        variables: serde_json::to_string(&plan.variables).unwrap_or_default(),
        plan_id: Some(plan.id.clone()),
        summary: format!("{about}{}", counts(&plan.summary)),
    };
    let run = engine.store.begin_run(lock.lease(), &start).await?;
    let (events, received) = mpsc::unbounded_channel();
    let style = match global.format {
        Format::Json => render::progress::Style::Json,
        _ if std::io::stderr().is_terminal() => render::progress::Style::Live,
        _ => render::progress::Style::Plain,
    };
    let operations = render::report::operations(&plan);
    let drawing = tokio::spawn(render::progress::follow(received, style, operations));
    let settings = Settings {
        providers: engine.providers.clone(),
        store: Arc::clone(&engine.store),
        lease: lock.lease().clone(),
        run,
        vault: Arc::clone(&engine.vault),
        unreachable,
        parallelism: usize::from(run_args.parallelism),
        interrupt: interrupts.receiver.clone(),
        events,
    };
    let plan = Arc::new(plan);
    let applied = apply(Arc::clone(&plan), &snapshot, settings).await;
    let _ = drawing.await;
    let applied = applied.map(|report| render::report::of_resources(report, &plan));
    let (result, summary) = match &applied {
        Ok(report) => (result_word(report), render::report::counts(report)),
        Err(error) => ("failed", error.to_string()),
    };
    let summary = format!("{about}{summary}");
    let recorded = interrupts.hurry(engine.store.end_run(lock.lease(), run, result, &summary)).await;
    if recorded.is_ok() {
        forget_old(engine.store.as_ref(), lock.lease(), run).await;
    }
    let report = applied?;
    // Told also when the state takes no more: what was done is done.
    if global.format != Format::Json {
        terminal::say(render::report::text(&report).trim_end());
        if let Work::Back(back) = work {
            back.say_what_differs();
        }
    }
    recorded?;
    Ok(if report.succeeded() {
        exit::OK
    } else if report.interrupted {
        exit::INTERRUPTED
    } else {
        exit::ERROR
    })
}

/// What `status` asks may be more than it was when this was applied: by an older version.
async fn keep_questions(store: &dyn Store, lease: &Lease, plan: &Plan) -> Result<(), CliError> {
    let probes = serde_json::to_string(&plan.probes).unwrap_or_default();
    if plan.purpose == Purpose::Apply && store.get_meta(META_PROBES).await?.is_some_and(|kept| kept != probes)
    {
        store.put_meta(Some(lease), META_PROBES, &probes).await?;
    }
    Ok(())
}

/// A state does not grow for ever. That the history could not be shortened takes nothing from what the run did.
async fn forget_old(store: &dyn Store, lease: &Lease, run: RunId) {
    if run.0 > RUNS_KEPT
        && let Err(error) = store.prune(lease, RUNS_KEPT as usize).await
    {
        terminal::warn("history", &error.to_string(), error.hint().as_deref());
    }
}

/// A saved plan whose run was killed or stopped is gone on with; any other fits only the state that it was made from.
async fn usable(store: &dyn Store, plan: &Plan, snapshot: &Snapshot) -> Result<Plan, CliError> {
    let latest = store.runs(RESUMES_MAX).await?;
    let mut ours = Vec::new();
    for record in latest.iter().filter(|run| run.plan_id.as_deref() == Some(plan.id.as_str())) {
        ours.push(store.run(record.id).await?);
    }
    if ours.is_empty() || plan.lineage != snapshot.head.lineage {
        refuse_stale(plan, snapshot)?;
        return Ok(plan.clone());
    }
    ours.reverse();
    let last = latest.first().map_or(0, |run| run.id.0);
    Ok(resume(plan.clone(), &ours, last, &snapshot.open_intents)?)
}

/// A saved plan fits only the state that it was made from.
fn refuse_stale(plan: &Plan, snapshot: &Snapshot) -> Result<(), CliError> {
    if plan.lineage != snapshot.head.lineage {
        return Err(CliError::new("the plan was made from another state: the lineages differ")
            .hint("plan again against this state, or name the right one with `--state`"));
    }
    if plan.serial != snapshot.head.serial {
        return Err(CliError::new(format!(
            "the plan is stale: it was made from serial {} of the state, which is at {} now",
            plan.serial, snapshot.head.serial
        ))
        .hint("plan again and apply the new plan"));
    }
    let told = |open: &OpenIntent| plan.in_flight.iter().any(|old| old.intent == open.id);
    if !snapshot.open_intents.iter().all(told) {
        return Err(CliError::new("the plan is stale: an apply was interrupted after it was made")
            .hint("plan again and apply the new plan: it takes over what was in flight"));
    }
    Ok(())
}

fn question(plan: &Plan) -> &'static str {
    match plan.purpose {
        Purpose::Destroy => "Destroy all of this?",
        Purpose::RefreshOnly => "Take this over into the state?",
        Purpose::Apply => "Apply this?",
    }
}

fn counts(summary: &Summary) -> String {
    let parts = [
        (summary.create, "create"),
        (summary.update, "update"),
        (summary.replace, "replace"),
        (summary.delete, "delete"),
        (summary.forget, "forget"),
        (summary.refresh, "refresh"),
        (summary.r#move, "move"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} to {word}"))
        .collect();
    words.join(", ")
}

fn result_word(report: &Report) -> &'static str {
    match (report.succeeded(), report.interrupted, report.rolled_back > 0) {
        (true, ..) => "succeeded",
        (_, true, _) => INTERRUPTED,
        (_, _, true) => "rolled back",
        _ => "failed",
    }
}
