//! Apply: carries out a plan exactly as it stands.
//!
//! [`tasks`] lowers the plan's steps to single provider calls with their order, [`scheduler`] (a pure state machine)
//! says what may run now, [`run`] runs it with [`attempt`]'s intent-call-outcome for each, [`rollback`] says how a
//! failed rollout is undone. Progress leaves as [`event`]s; nothing in here prints.
//!
//! Deliberately absent: the blueprint and the graph. A plan carries all that apply needs.

mod attempt;
pub mod event;
mod outputs;
mod rollback;
mod run;
pub mod scheduler;
pub mod tasks;

pub use event::{Event, Failure, Outcome, Report};
pub use outputs::Outputs;
pub use run::{ApplyError, Interrupt, META_OUTPUTS, META_PROBES, Settings, apply, close_intents};
