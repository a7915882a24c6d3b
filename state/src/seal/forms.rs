//! What a store is given of each thing, and how that becomes the thing again.
//!
//! | thing | clear | found by | sealed, and bound to |
//! |---|---|---|---|
//! | record | that there is an old copy | tags of address and key | all of it, to its tags |
//! | intent | run, times, the word for its outcome | tags, as the record | all of it, to its run and tags |
//! | reason of a failure | | | to nothing but that |
//! | run | number, command, times, result, serials | | what is known at its start, to the command; the closing line, to number and start |
//! | blueprint | | itself: the same text comes out the same | to its run by a digest in what is sealed of that |
//! | plan that was used | time, run | itself | |
//! | value | its key | | to its key |

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SealError;
use super::text::Seal;
use crate::export::{Export, UsedPlan};
use crate::history::{RunDetail, RunId, RunRecord, RunStart};
use crate::journal::{Intent, JournalEntry, OpenIntent, Outcome};
use crate::record::ResourceRecord;

/// The value beside the resources that holds the header, in clear.
pub const SEAL_KEY: &str = "seal";

/// What is known of a run when it begins, but its command.
#[derive(Serialize, Deserialize)]
struct Begun {
    owner: String,
    host: String,
    variables: String,
    plan_id: Option<String>,
    summary: String,
    /// The BLAKE3 digest of the blueprint's clear text.
    blueprint_digest: Option<String>,
}

/// What a run says at its end.
#[derive(Serialize, Deserialize)]
struct Ended {
    summary: String,
    /// The digest of the sealed text of its start.
    start: String,
}

type Sealing<T> = Result<T, SealError>;

impl Seal {
    fn seal_json<T: Serialize>(&self, place: &[&str], value: &T) -> Sealing<String> {
        let text =
            serde_json::to_string(value).map_err(|error| SealError::Failed { reason: error.to_string() })?;
        self.seal(place, &text)
    }

    fn unseal_json<T: DeserializeOwned>(
        &self,
        place: &[&str],
        sealed: &str,
        what: impl Fn() -> String,
    ) -> Sealing<T> {
        let text = self.unseal(place, sealed, &what)?;
        serde_json::from_str(&text).map_err(|_| SealError::Tampered { what: what() })
    }

    /// Address and key of an object as a store knows them. An empty key stays empty.
    pub(super) fn tags(&self, address: &str, deposed: &str) -> (String, String) {
        let old = if deposed.is_empty() { String::new() } else { self.tag(&["deposed", address], deposed) };
        (self.tag(&["address"], address), old)
    }

    pub(super) fn seal_record(&self, record: &ResourceRecord) -> Sealing<ResourceRecord> {
        let (address, deposed) = self.tags(&record.address, &record.deposed);
        let payload = self.seal_json(&["record", &address, &deposed], record)?;
        Ok(ResourceRecord {
            address,
            deposed,
            kind: String::new(),
            id: String::new(),
            provider: String::new(),
            inputs_digest: String::new(),
            dependencies: Vec::new(),
            payload,
        })
    }

    pub(super) fn unseal_record(&self, sealed: &ResourceRecord) -> Sealing<ResourceRecord> {
        let place = ["record", &sealed.address, &sealed.deposed];
        self.unseal_json(&place, &sealed.payload, || format!("the record that is kept as {}", sealed.address))
    }

    /// In the order of addresses, as a snapshot has them.
    pub(super) fn unseal_records(&self, sealed: &[ResourceRecord]) -> Sealing<Vec<ResourceRecord>> {
        let mut records: Vec<ResourceRecord> =
            sealed.iter().map(|one| self.unseal_record(one)).collect::<Sealing<_>>()?;
        records.sort_unstable_by(|a, b| (&a.address, &a.deposed).cmp(&(&b.address, &b.deposed)));
        Ok(records)
    }

    pub(super) fn seal_intent(&self, intent: &Intent) -> Sealing<Intent> {
        let (address, deposed) = self.tags(&intent.address, &intent.deposed);
        let payload = self.seal_json(&["intent", &intent.run.to_string(), &address, &deposed], intent)?;
        Ok(Intent { run: intent.run, address, deposed, action: String::new(), token: String::new(), payload })
    }

    fn unseal_intent(&self, sealed: &Intent) -> Sealing<Intent> {
        let place = ["intent", &sealed.run.to_string(), &sealed.address, &sealed.deposed];
        self.unseal_json(&place, &sealed.payload, || format!("an intent of run {}", sealed.run))
    }

    pub(super) fn unseal_open(&self, sealed: &OpenIntent) -> Sealing<OpenIntent> {
        Ok(OpenIntent { intent: self.unseal_intent(&sealed.intent)?, ..sealed.clone() })
    }

    pub(super) fn seal_outcome(&self, outcome: &Outcome) -> Sealing<Outcome> {
        match outcome {
            Outcome::Failed { message } => Ok(Outcome::Failed { message: self.seal(&["failure"], message)? }),
            plain => Ok(plain.clone()),
        }
    }

    fn seal_entry(&self, entry: &JournalEntry) -> Sealing<JournalEntry> {
        let outcome = entry.outcome.as_ref().map(|outcome| self.seal_outcome(outcome)).transpose()?;
        Ok(JournalEntry { intent: self.seal_intent(&entry.intent)?, outcome, ..entry.clone() })
    }

    fn unseal_entry(&self, sealed: &JournalEntry) -> Sealing<JournalEntry> {
        let outcome = match &sealed.outcome {
            Some(Outcome::Failed { message }) => {
                let what = || format!("the reason of the failure of intent {}", sealed.id);
                Some(Outcome::Failed { message: self.unseal(&["failure"], message, what)? })
            }
            plain => plain.clone(),
        };
        Ok(JournalEntry { intent: self.unseal_intent(&sealed.intent)?, outcome, ..sealed.clone() })
    }

    pub(super) fn seal_plan_id(&self, plan_id: &str) -> Sealing<String> {
        self.seal_same(&["plan"], plan_id)
    }

    fn unseal_plan_id(&self, sealed: &str) -> Sealing<String> {
        self.unseal(&["plan"], sealed, || "the number of a saved plan".to_owned())
    }

    pub(super) fn seal_start(&self, start: &RunStart) -> Sealing<RunStart> {
        let begun = Begun {
            owner: start.owner.clone(),
            host: start.host.clone(),
            variables: start.variables.clone(),
            plan_id: start.plan_id.clone(),
            summary: start.summary.clone(),
            blueprint_digest: start.blueprint.as_deref().map(digest),
        };
        let blueprint = start.blueprint.as_deref().map(|text| self.seal_same(&["blueprint"], text));
        let plan_id = start.plan_id.as_deref().map(|id| self.seal_plan_id(id));
        Ok(RunStart {
            command: start.command.clone(),
            owner: self.seal_json(&["run", &start.command], &begun)?,
            host: String::new(),
            blueprint: blueprint.transpose()?,
            variables: "{}".to_owned(),
            plan_id: plan_id.transpose()?,
            summary: String::new(),
        })
    }

    /// The closing line of a run, tied to how it began.
    pub(super) fn seal_end(&self, run: RunId, sealed_owner: &str, summary: &str) -> Sealing<String> {
        let ended = Ended { summary: summary.to_owned(), start: digest(sealed_owner) };
        self.seal_json(&["end", &run.to_string()], &ended)
    }

    pub(super) fn unseal_run(&self, sealed: &RunRecord) -> Sealing<RunRecord> {
        self.unseal_begun(sealed).map(|(record, _)| record)
    }

    /// The run, and its variables.
    fn unseal_begun(&self, sealed: &RunRecord) -> Sealing<(RunRecord, String)> {
        let what = || format!("run {}", sealed.id);
        let begun: Begun = self.unseal_json(&["run", &sealed.command], &sealed.owner, what)?;
        let summary = if sealed.summary.is_empty() {
            begun.summary
        } else {
            let ended: Ended = self.unseal_json(&["end", &sealed.id.to_string()], &sealed.summary, what)?;
            if ended.start != digest(&sealed.owner) {
                return Err(SealError::Tampered { what: what() });
            }
            ended.summary
        };
        let record = RunRecord {
            owner: begun.owner,
            host: begun.host,
            summary,
            blueprint_digest: begun.blueprint_digest,
            plan_id: begun.plan_id,
            ..sealed.clone()
        };
        Ok((record, begun.variables))
    }

    pub(super) fn unseal_detail(&self, sealed: &RunDetail) -> Sealing<RunDetail> {
        let (record, variables) = self.unseal_begun(&sealed.record)?;
        let what = || format!("the blueprint of run {}", record.id);
        let blueprint = sealed.blueprint.as_deref().map(|text| self.unseal(&["blueprint"], text, what));
        let blueprint = blueprint.transpose()?;
        if blueprint.as_deref().map(digest) != record.blueprint_digest {
            return Err(SealError::Tampered { what: what() });
        }
        let journal = sealed.journal.iter().map(|entry| self.unseal_entry(entry)).collect::<Sealing<_>>()?;
        Ok(RunDetail { record, blueprint, variables, journal })
    }

    fn seal_detail(&self, run: &RunDetail) -> Sealing<RunDetail> {
        let record = &run.record;
        let start = self.seal_start(&RunStart {
            command: record.command.clone(),
            owner: record.owner.clone(),
            host: record.host.clone(),
            blueprint: run.blueprint.clone(),
            variables: run.variables.clone(),
            plan_id: record.plan_id.clone(),
            summary: record.summary.clone(),
        })?;
        let summary = match record.ended {
            Some(_) => self.seal_end(record.id, &start.owner, &record.summary)?,
            None => String::new(),
        };
        let record = RunRecord {
            owner: start.owner,
            host: start.host,
            summary,
            blueprint_digest: start.blueprint.as_deref().map(digest),
            plan_id: start.plan_id,
            ..record.clone()
        };
        let journal = run.journal.iter().map(|entry| self.seal_entry(entry)).collect::<Sealing<_>>()?;
        Ok(RunDetail { record, blueprint: start.blueprint, variables: start.variables, journal })
    }

    pub(super) fn seal_value(&self, key: &str, value: &str) -> Sealing<String> {
        self.seal(&["value", key], value)
    }

    pub(super) fn unseal_value(&self, key: &str, sealed: &str) -> Sealing<String> {
        self.unseal(&["value", key], sealed, || format!("the value `{key}`"))
    }

    /// A whole state as a store keeps it sealed, the header with it: what is exported of a sealed state needs no more.
    ///
    /// # Errors
    /// [`SealError::Failed`] when there is no randomness.
    pub fn seal_export(&self, export: &Export) -> Sealing<Export> {
        let plan = |plan: &UsedPlan| {
            self.seal_plan_id(&plan.plan_id).map(|plan_id| UsedPlan { plan_id, ..plan.clone() })
        };
        let value = |(key, value): (&String, &String)| {
            self.seal_value(key, value).map(|sealed| (key.clone(), sealed))
        };
        let mut meta: BTreeMap<_, _> = export.meta.iter().map(value).collect::<Sealing<_>>()?;
        meta.insert(SEAL_KEY.to_owned(), self.header().as_str().to_owned());
        Ok(Export {
            format: export.format,
            stack: export.stack.clone(),
            head: export.head.clone(),
            resources: export.resources.iter().map(|one| self.seal_record(one)).collect::<Sealing<_>>()?,
            runs: export.runs.iter().map(|run| self.seal_detail(run)).collect::<Sealing<_>>()?,
            used_plans: export.used_plans.iter().map(plan).collect::<Sealing<_>>()?,
            meta,
        })
    }

    /// The state in an export of a sealed one.
    ///
    /// # Errors
    /// Damage, tampering and another key are told apart by [`SealError`].
    pub fn unseal_export(&self, sealed: &Export) -> Sealing<Export> {
        let plan = |plan: &UsedPlan| {
            self.unseal_plan_id(&plan.plan_id).map(|plan_id| UsedPlan { plan_id, ..plan.clone() })
        };
        let value = |(key, value): (&String, &String)| {
            self.unseal_value(key, value).map(|value| (key.clone(), value))
        };
        let meta = sealed.meta.iter().filter(|(key, _)| *key != SEAL_KEY).map(value);
        let mut used_plans = sealed.used_plans.iter().map(plan).collect::<Sealing<Vec<_>>>()?;
        used_plans.sort_unstable_by(|a, b| (a.at, &a.plan_id).cmp(&(b.at, &b.plan_id)));
        Ok(Export {
            format: sealed.format,
            stack: sealed.stack.clone(),
            head: sealed.head.clone(),
            resources: self.unseal_records(&sealed.resources)?,
            runs: sealed.runs.iter().map(|run| self.unseal_detail(run)).collect::<Sealing<_>>()?,
            used_plans,
            meta: meta.collect::<Sealing<_>>()?,
        })
    }
}

/// The BLAKE3 digest of a text, hex.
fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
