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
    let session = Session::open(&args.stack, global, registry).await?;
    let select = SelectArgs::of(&args.scope);
    let work = Work::New { session: &session, select: &select, purpose: Purpose::Destroy };
    carry_out(&session.engine, &work, &args.stack.store, &args.run, global).await
}
