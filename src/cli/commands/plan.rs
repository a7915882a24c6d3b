//! `plan`: what apply would do, and why.

use std::path::Path;

use super::super::{
    CliError, Registry,
    args::{Format, Global, PlanArgs, SelectArgs},
    exit, render,
    session::Session,
    terminal,
};
use crate::plan::{Plan, Purpose, Warning, saved};
use standfast_state::{Seal, Store};

pub async fn run(args: &PlanArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let session = Session::open(&args.stack, global, registry).await?;
    let planned = session.plan(&args.select, purpose(&args.select, args.destroy)).await;
    session.engine.providers.close().await;
    let (mut plan, _) = planned?;
    plan.warnings.extend(still_going(session.engine.store.as_ref()).await?);
    print(&plan, global.format, args.details);
    if let Some(path) = &args.out {
        save(&plan, path, session.engine.store.seal())?;
    }
    Ok(match (args.detailed_exitcode, plan.is_empty()) {
        (true, false) => exit::CHANGES,
        (true, true) => exit::nothing_to_do(plan.unread),
        (false, _) => exit::OK,
    })
}

/// Saves a plan, and says what it is for.
pub fn save(plan: &Plan, path: &Path, seal: Option<&Seal>) -> Result<(), CliError> {
    // A state or a blueprint in its place is a slip.
    if std::fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() > 0)
        && !saved::is_saved_plan(path)
    {
        return Err(CliError::new(format!(
            "{} is there and is no saved plan; it was left as it is",
            path.display()
        ))
        .hint("name another file with `--out`"));
    }
    saved::write(plan, path, seal)?;
    terminal::say(format_args!("\nSaved. `standfast apply {}` does exactly this.", path.display()));
    Ok(())
}

/// Whoever holds the state may still be at work.
async fn still_going(store: &dyn Store) -> Result<Option<Warning>, CliError> {
    let holder = store.holder().await?.filter(|holder| holder.expires > jiff::Timestamp::now());
    Ok(holder.and_then(|holder| holder.run.map(|run| (run, holder))).map(|(run, holder)| Warning {
        subject: format!("run {run} may still be going"),
        message: format!(
            "its `{}` holds the state; what is called in flight may be its work, and this plan is stale when it ends",
            holder.command
        ),
        hint: Some("`standfast state unlock` says who it is, before it asks".to_owned()),
    }))
}

pub fn purpose(select: &SelectArgs, destroy: bool) -> Purpose {
    match (select.refresh_only, destroy) {
        (true, _) => Purpose::RefreshOnly,
        (false, true) => Purpose::Destroy,
        (false, false) => Purpose::Apply,
    }
}

/// Prints the plan; for a person broken to the terminal's width.
pub fn print(plan: &Plan, format: Format, details: bool) {
    let text = show(plan, format, details);
    if format == Format::Text { terminal::show(text) } else { terminal::out(text) }
}

/// The plan in the format that was asked for.
fn show(plan: &Plan, format: Format, details: bool) -> String {
    let text = match format {
        Format::Text => render::plan::text(plan, details),
        Format::Json => render::plan::json(plan),
        Format::Markdown => render::plan::markdown(plan),
        Format::Html => render::plan::html(plan),
    };
    text.trim_end().to_owned()
}
