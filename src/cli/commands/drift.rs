//! `drift`: what differs in the world from what was left there. Changes of the blueprint are not drift.

use super::super::{
    CliError, Registry,
    args::{Global, PlanArgs, SelectArgs},
    exit,
    session::Session,
    terminal,
};
use super::plan::show;
use crate::plan::Purpose;

pub async fn run(args: &PlanArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let session = Session::open(&args.blueprint, &args.store, global, registry).await?;
    let select = SelectArgs { refresh: true, refresh_only: true, ..args.select.clone() };
    let planned = session.plan(&select, Purpose::RefreshOnly).await;
    session.engine.providers.close().await;
    let (plan, _) = planned?;
    terminal::out(show(&plan, global.format, args.details));
    Ok(match plan.is_empty() {
        false => exit::CHANGES,
        true => exit::nothing_to_do(plan.unread),
    })
}
