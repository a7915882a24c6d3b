//! Going on with a saved plan whose run was killed or stopped. Pure.
//!
//! What the journal has as done is not done again. What was in flight is: with the same token, so that a provider knows
//! it for the same try. A run that had begun to undo something is not gone on with: its plan has failed.

use std::collections::HashSet;

use standfast_contract::Address;
use standfast_state::{JournalEntry, OpenIntent, Outcome, RunDetail};

use super::{
    Plan,
    in_flight::{Found, InFlight, OUT_OF_SERVICE},
};

/// One provider call that the journal has as done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DoneCall {
    pub address: Address,
    /// The key of the object that was deleted; empty for the current one.
    pub deposed: String,
    pub deletes: bool,
}

/// What the runs of a plan have left to do.
#[derive(Clone, PartialEq, Debug)]
pub struct Resumed {
    /// The last of them.
    pub run: u64,
    pub done: HashSet<DoneCall>,
    /// What has its new address already.
    pub renamed: HashSet<Address>,
}

/// Why a plan cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error("the plan was used by run {run}, which {}", ended(.result))]
    Ended { run: u64, result: String },
    #[error("the plan was used by run {run}, which was undoing a failed rollout when it ended")]
    Undoing { run: u64 },
    #[error("the plan was begun by run {run}, and other commands have changed the state since")]
    Overtaken { run: u64 },
}

fn ended(result: &str) -> String {
    match result {
        "succeeded" => "carried it out".to_owned(),
        other => format!("ended as `{other}`"),
    }
}

/// The engine's word for a run that was stopped by a signal.
pub const INTERRUPTED: &str = "interrupted";

/// The plan with what its `runs` (the newest last) have done marked as done. `latest` is the state's last run.
pub fn resume(plan: Plan, runs: &[RunDetail], latest: u64, open: &[OpenIntent]) -> Result<Plan, ResumeError> {
    let Some(last) = runs.last() else { return Ok(plan) };
    let run = last.record.id.0;
    if let Some(result) = last.record.result.as_deref().filter(|result| *result != INTERRUPTED) {
        return Err(ResumeError::Ended { run, result: result.to_owned() });
    }
    if latest != run {
        return Err(ResumeError::Overtaken { run });
    }
    let journal = || runs.iter().flat_map(|run| &run.journal);
    if journal().any(|entry| entry.intent.action == "undo") {
        return Err(ResumeError::Undoing { run });
    }
    let mut plan = plan;
    let known: HashSet<_> = plan.in_flight.iter().map(|old| old.intent).collect();
    plan.in_flight.extend(open.iter().filter(|open| !known.contains(&open.id)).map(|open| InFlight {
        intent: open.id,
        run: open.intent.run.0,
        address: open.intent.address.clone(),
        action: open.intent.action.clone(),
        found: if open.intent.action == OUT_OF_SERVICE { Found::StillOut } else { Found::Unfinished },
    }));
    let renamed = journal().filter(|entry| entry.intent.action == "rename" && is_done(entry));
    plan.resumed = Some(Resumed {
        run,
        renamed: renamed.filter_map(|entry| entry.intent.address.parse().ok()).collect(),
        done: journal().filter_map(done).collect(),
    });
    Ok(plan)
}

fn done(entry: &JournalEntry) -> Option<DoneCall> {
    let deletes = match entry.intent.action.as_str() {
        "create" | "update" => false,
        "delete" => true,
        _ => return None,
    };
    let address = entry.intent.address.parse().ok()?;
    is_done(entry).then(|| DoneCall { address, deposed: entry.intent.deposed.clone(), deletes })
}

fn is_done(entry: &JournalEntry) -> bool {
    entry.outcome == Some(Outcome::Done)
}
