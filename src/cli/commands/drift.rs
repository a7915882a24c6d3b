//! `drift`: what differs in the world from what was left there. Changes of the blueprint are not drift.

use super::super::{
    CliError, Registry,
    args::{DriftArgs, Global, SelectArgs},
    exit,
    session::Session,
};
use super::plan::print;
use crate::plan::Purpose;

pub async fn run(args: &DriftArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let session = Session::open(&args.stack, global, registry).await?;
    let planned = session.plan(&SelectArgs::of(&args.scope), Purpose::RefreshOnly).await;
    session.engine.providers.close().await;
    let (plan, _) = planned?;
    print(&plan, global.format, args.details);
    Ok(match plan.is_empty() {
        false => exit::CHANGES,
        true => exit::nothing_to_do(plan.unread),
    })
}
