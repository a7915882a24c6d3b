//! `destroy`: a plan that wants nothing, carried out.

use super::{
    super::{
        CliError, Registry,
        args::{DestroyArgs, Global, SelectArgs},
        session::Session,
    },
    apply::{Work, carry_out},
};
use crate::plan::Purpose;

pub async fn run(args: &DestroyArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let session = Session::open(&args.blueprint, &args.store, global, registry).await?;
    let select = SelectArgs {
        targets: args.targets.clone(),
        excludes: args.excludes.clone(),
        replace: Vec::new(),
        refresh_only: false,
        refresh: true,
    };
    let work = Work::New { session: &session, select: &select, purpose: Purpose::Destroy };
    carry_out(&session.engine, &work, &args.store, &args.run, global).await
}
