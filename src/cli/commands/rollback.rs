//! `rollback`: back to the blueprint and the variables of an earlier run.
//!
//! It plans them against what is there now; nothing of the earlier run is repeated. The history keeps the blueprint's text and
//! the variables, not the files that it names and no secrets: these are taken as they are now.

use std::{collections::HashSet, path::Path};

use standfast_contract::Stack;
use standfast_state::{RunDetail, RunId, RunRecord, Snapshot, Store};

use super::{
    super::{
        CliError, Registry,
        args::{Format, Global, RollbackArgs, ScopeArgs, SelectArgs},
        exit,
        session::{Engine, Session, find_blueprint, mistakes},
        terminal,
    },
    apply::{Work, carry_out},
    plan::{print, save},
};
use crate::{
    blueprint::{self, DEFAULT_ENVIRONMENT, Moved},
    plan::{Action, Plan, Purpose},
};

/// How far back a run to go back to is looked for when none is named.
const LOOKED_THROUGH_MAX: usize = 1_000;

pub async fn run(args: &RollbackArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let path = find_blueprint(args.blueprint.as_deref())?;
    let name = blueprint::name_of(&path).map_err(|problems| mistakes(&problems, global.format))?;
    let name = name.ok_or_else(|| {
        CliError::new(format!("{} does not say which stack it is", path.display()))
            .hint("it needs its `name`, to find the state; the rest of it may be wrong")
    })?;
    let environment = args.env.clone().unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
    let stack = Stack { name, environment };
    let engine = Engine::open(stack, &path, &args.store, global, registry).await?;
    let detail = chosen(engine.store.as_ref(), args.run.map(RunId)).await?;
    let run = detail.record.id;
    let about = {
        let RunRecord { command, owner, host, started, summary, .. } = &detail.record;
        format!("the `{command}` of {started:.0} by {owner}@{host}: {summary}")
    };
    let moves = moves_since(engine.store.as_ref(), run, &path, args.env.as_deref()).await?;
    let session = recall(&path, args.env.as_deref(), detail, moves, engine, global)?;
    if global.format != Format::Json {
        terminal::say(format_args!("Back to run {run}, {about}.\n"));
    }
    let back = Return { session, run, destroy: args.destroy.clone() };
    if args.plan || args.out.is_some() {
        let planned = back.plan().await;
        back.session.engine.providers.close().await;
        let (plan, _) = planned?;
        print(&plan, global.format, false);
        if let Some(out) = &args.out {
            save(&plan, out, back.session.engine.store.seal())?;
        }
        return Ok(exit::OK);
    }
    carry_out(&back.session.engine, &Work::Back(&back), &args.store, &args.run_args, global).await
}

/// The run that was asked for, or the one before the last change.
async fn chosen(store: &dyn Store, asked: Option<RunId>) -> Result<RunDetail, CliError> {
    let runs = store.runs(LOOKED_THROUGH_MAX).await?;
    let latest = runs.iter().find(|run| run.blueprint_digest.is_some());
    let Some(latest) = latest else {
        return Err(CliError::new("nothing has been applied yet: there is no run to go back to"));
    };
    let Some(asked) = asked else {
        return before(store, latest, &runs).await;
    };
    let detail = store.run(asked).await?;
    if detail.blueprint.is_none() {
        return Err(CliError::new(format!(
            "run {asked} was a `{}`, which has no blueprint to go back to",
            detail.record.command
        ))
        .hint("`standfast history` lists the runs; name one of `apply`, `destroy` or `rollback`"));
    }
    Ok(detail)
}

/// The last run that succeeded with another blueprint or other variables than the latest. A destroy wanted nothing: before
/// it is whatever succeeded last.
async fn before(store: &dyn Store, latest: &RunRecord, runs: &[RunRecord]) -> Result<RunDetail, CliError> {
    let now = store.run(latest.id).await?;
    let succeeded = |run: &&RunRecord| {
        run.id < latest.id
            && run.blueprint_digest.is_some()
            && run.command != "destroy"
            && run.result.as_deref() == Some("succeeded")
    };
    for run in runs.iter().filter(succeeded) {
        let detail = store.run(run.id).await?;
        let differs = detail.blueprint != now.blueprint || detail.variables != now.variables;
        if differs || latest.command == "destroy" {
            return Ok(detail);
        }
    }
    Err(CliError::new(format!(
        "no run before run {} succeeded with another blueprint or other variables",
        latest.id
    ))
    .hint("`standfast history` lists the runs: `standfast rollback RUN` goes back to any of them"))
}

/// What has been moved since a run, the other way round and the last first: what has another name now gets its old one back.
async fn moves_since(
    store: &dyn Store,
    run: RunId,
    path: &Path,
    environment: Option<&str>,
) -> Result<Vec<Moved>, CliError> {
    let mut known = HashSet::new();
    let mut moves = Vec::new();
    for later in store.runs(LOOKED_THROUGH_MAX).await?.into_iter().filter(|later| later.id > run) {
        if !later.blueprint_digest.as_ref().is_some_and(|digest| known.insert(digest.clone())) {
            continue;
        }
        let detail = store.run(later.id).await?;
        // One that cannot be read any more tells of no moves.
        let text = detail.blueprint.unwrap_or_default();
        if let Ok(then) = blueprint::recall(&text, path, environment, &detail.variables) {
            moves.extend(then.moved.into_iter().rev().map(|Moved { from, to }| Moved { from: to, to: from }));
        }
    }
    Ok(moves)
}

/// The blueprint as that run had it, beside the file as it lies now.
fn recall(
    path: &Path,
    environment: Option<&str>,
    detail: RunDetail,
    moves: Vec<Moved>,
    engine: Engine,
    global: &Global,
) -> Result<Session, CliError> {
    let run = detail.record.id;
    let text = detail.blueprint.unwrap_or_default();
    let mut recalled =
        blueprint::recall(&text, path, environment, &detail.variables).map_err(|problems| {
            let error = mistakes(&problems, global.format);
            error.hint(format!("this is the blueprint of run {run}, as this standfast reads it"))
        })?;
    let is_there =
        |name: &str| recalled.components.iter().any(|component| name.ends_with(&component.id().to_string()));
    // A name that was given to something else since.
    let moves: Vec<Moved> = moves.into_iter().filter(|moved| !is_there(&moved.from)).collect();
    recalled.moved.extend(moves);
    Session::of(recalled, engine, global)
}

/// An earlier run to go back to.
pub struct Return {
    /// With the blueprint of that run.
    pub session: Session,
    pub run: RunId,
    /// Addresses of what holds data and may go all the same.
    destroy: Vec<String>,
}

impl Return {
    /// The plan back. What holds data goes only when it was named.
    pub async fn plan(&self) -> Result<(Plan, Snapshot), CliError> {
        let scope = ScopeArgs { targets: Vec::new(), excludes: Vec::new() };
        let (plan, snapshot) = self.session.plan(&SelectArgs::of(&scope), Purpose::Apply).await?;
        if let Some(stranger) = self.destroy.iter().find(|one| !goes(&plan).any(|(at, _)| at == **one)) {
            return Err(CliError::new(format!("this would neither delete nor replace {stranger}"))
                .hint("`--destroy` takes whole addresses, as the plan shows them under their component")
                .code(exit::USAGE));
        }
        let kind = |step: usize| {
            let step = &plan.steps[step];
            self.session.engine.providers.kind(&step.provider, &step.kind)
        };
        let unnamed: Vec<(String, Action)> = goes(&plan)
            .filter(|(address, step)| {
                kind(*step).is_none_or(|kind| kind.holds_data) && !self.destroy.contains(address)
            })
            .map(|(address, step)| (address, plan.steps[step].action))
            .collect();
        if unnamed.is_empty() {
            return Ok((plan, snapshot));
        }
        let lines: Vec<String> = unnamed
            .iter()
            .map(|(address, action)| format!("- {} {address}, and its data with it", action.words().0))
            .collect();
        let named: Vec<String> = unnamed.iter().map(|(address, _)| format!("--destroy {address}")).collect();
        Err(CliError::new(format!(
            "nothing was changed; going back to run {} would:\n{}",
            self.run,
            lines.join("\n")
        ))
        .hint(format!("if that is meant: `standfast rollback {} {}`", self.run, named.join(" "))))
    }

    /// The file is the user's own.
    pub fn say_what_differs(&self) {
        let then = &self.session.blueprint;
        let options =
            blueprint::Options { environment: Some(then.environment.clone()), ..Default::default() };
        let same = blueprint::load(&then.path, &options)
            .is_ok_and(|now| now.text == then.text && now.variables == then.variables);
        if !same {
            terminal::say(format_args!(
                "\n{} does not say what run {1} did: the next `standfast apply` goes by the file again, and by the variables \
                 that it is given. `standfast history show {1} --format json` has the blueprint and the variables of run {1}.",
                then.path.display(),
                self.run
            ));
        }
    }
}

/// What the plan deletes or replaces: its address, and the number of its step.
fn goes(plan: &Plan) -> impl Iterator<Item = (String, usize)> {
    plan.steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.action, Action::Delete | Action::Replace))
        .map(|(number, step)| (step.address.to_string(), number))
}
