//! The writes that share a transaction: intents, outcomes, records, heartbeats.
//!
//! First everything that they must know is read at once, then each is decided in memory, then all statements are sent
//! at once. One that is refused takes none of the others with it, since it never reaches the server.

use std::collections::HashMap;

use super::failure::Fault;
use super::lease::{signed, unsigned, unsigned_opt, verify};
use super::session::{Context, Effect, effect};
use super::writing::Standing;
use super::{journal, records};
use crate::error::StoreError;
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::Lease;
use crate::record::Change;

/// One write, with the lease that it comes under.
#[derive(Debug)]
pub(super) enum Quick {
    /// Answers with the intent's number.
    Intend(Lease, Intent),
    /// Answers with the serial after it. No change that must look at other records first ([`records::is_plain`]).
    Settle(Lease, IntentId, Outcome, Vec<Change>),
    /// Answers with the serial after it. The same goes for its changes.
    Record(Lease, Vec<Change>),
    /// Answers with nothing of note.
    Renew(Lease),
}

/// What is known of an intent that is to be settled.
pub(super) struct Entry {
    open: bool,
    outcome: Option<String>,
    serial: Option<u64>,
}

/// Writes them all and answers each. A fault concerns all of them.
pub(super) async fn write(
    context: Context<'_>,
    standing: &Standing,
    jobs: &[(&'static str, Quick)],
) -> Result<Vec<Result<u64, StoreError>>, Fault> {
    let intents = jobs.iter().filter(|(_, job)| matches!(job, Quick::Intend(..))).count();
    let settled = jobs.iter().filter_map(|(_, job)| match job {
        Quick::Settle(_, id, ..) => Some(signed(id.0)),
        _ => None,
    });
    let settled: Vec<i64> = settled.collect();
    let (numbers, entries) =
        futures::try_join!(journal::numbers(&context, intents), entries(&context, &settled))?;
    let mut plan = Plan { standing, serial: standing.head.serial, numbers: numbers.into_iter(), entries };
    let (mut answers, mut effects) = (Vec::with_capacity(jobs.len()), Vec::new());
    for (operation, job) in jobs {
        let before = (effects.len(), plan.serial);
        let answer = plan.decide(&Context { operation, ..context }, job, &mut effects);
        if answer.is_err() {
            effects.truncate(before.0);
            plan.serial = before.1;
        }
        answers.push(answer);
    }
    if plan.serial != standing.head.serial {
        effects.push(records::set_serial(&context, plan.serial));
    }
    context.session.pipeline(effects).await?;
    Ok(answers)
}

/// What is known of the intents with these numbers.
pub(super) async fn entries(context: &Context<'_>, ids: &[i64]) -> Result<HashMap<u64, Entry>, Fault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT id, open, outcome, serial FROM standfast.journal WHERE state = $1 AND id = ANY ($2)";
    let rows = context.session.query(sql, &[&context.state, &ids]).await?;
    rows.iter()
        .map(|row| {
            let entry = Entry {
                open: row.try_get("open")?,
                outcome: row.try_get("outcome")?,
                serial: unsigned_opt(row, "serial")?,
            };
            Ok((unsigned(row, "id")?, entry))
        })
        .collect()
}

/// Fails unless the intent is there and open.
pub(super) fn settleable(
    context: &Context<'_>,
    entry: Option<&Entry>,
    id: IntentId,
) -> Result<(), StoreError> {
    match entry {
        None => Err(StoreError::NoSuchIntent { place: context.place.to_owned(), intent: id }),
        Some(Entry { open: true, .. }) => Ok(()),
        Some(Entry { outcome, serial, .. }) => Err(StoreError::AlreadySettled {
            intent: id,
            outcome: outcome.clone().unwrap_or_default(),
            serial: serial.unwrap_or_default(),
        }),
    }
}

struct Plan<'a> {
    standing: &'a Standing,
    /// The serial after what was decided so far.
    serial: u64,
    /// Numbers for the intents, unused so far.
    numbers: std::vec::IntoIter<u64>,
    entries: HashMap<u64, Entry>,
}

impl Plan<'_> {
    fn decide(
        &mut self,
        context: &Context<'_>,
        job: &Quick,
        effects: &mut Vec<Effect>,
    ) -> Result<u64, StoreError> {
        match job {
            Quick::Intend(lease, intent) => {
                let run = verify(context, self.standing, lease)?;
                if run != Some(intent.run) {
                    let reason = format!("run {} is not the one that was begun under this lock", intent.run);
                    return Err(StoreError::Conflict { address: intent.address.clone(), reason });
                }
                journal::check(context, intent)?;
                let id = self.numbers.next().ok_or_else(|| StoreError::Backend {
                    operation: context.operation,
                    place: context.place.to_owned(),
                    reason: "it gave too few numbers for the journal".to_owned(),
                })?;
                effects.push(journal::intend(context, id, intent, self.standing.now));
                Ok(id)
            }
            Quick::Settle(lease, id, outcome, changes) => {
                verify(context, self.standing, lease)?;
                settleable(context, self.entries.get(&id.0), *id)?;
                let serial = self.change(context, changes, effects)?;
                effects.push(journal::settle(*id, outcome, self.standing.now, serial));
                // Another write of this batch may be about the same intent.
                let (word, _) = journal::to_columns(outcome);
                let open = *outcome == Outcome::Unknown;
                let entry = Entry { open, outcome: Some(word.to_owned()), serial: Some(serial) };
                self.entries.insert(id.0, entry);
                Ok(serial)
            }
            Quick::Record(lease, changes) => {
                verify(context, self.standing, lease)?;
                self.change(context, changes, effects)
            }
            Quick::Renew(lease) => {
                verify(context, self.standing, lease)?;
                let sql = "UPDATE standfast.locks SET heartbeat = $2 WHERE state = $1";
                effects.push(effect!(sql, context.state, self.standing.now));
                Ok(0)
            }
        }
    }

    fn change(
        &mut self,
        context: &Context<'_>,
        changes: &[Change],
        effects: &mut Vec<Effect>,
    ) -> Result<u64, StoreError> {
        for change in changes {
            effects.push(records::plain(context, change)?);
        }
        self.serial += u64::from(!changes.is_empty());
        Ok(self.serial)
    }
}
