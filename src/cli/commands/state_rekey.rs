//! `state rekey`: a new key for the whole state, or none any more.
//!
//! One transaction replaces everything, so that a process that is killed leaves the old state or the new one. What the
//! old key would still open is wiped before the run ends: one that did not end says in the history that this is left to do.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use standfast_state::{
    Cost, Export, Header, Lease, Opening, Recipient, RunStart, SEAL_KEY, Seal, SealError, Sealed, Store,
    StoreError, Wrapping, same,
};

use super::{
    super::{
        CliError, Registry,
        args::{Global, StackOption},
        exit,
        keys::{new_passphrase, unseal},
        locking::{host, user},
        render,
        session::open_named_as_it_is,
    },
    state::{done, with_lock},
};

const COMMAND: &str = "state rekey";

#[derive(Args, Debug)]
pub struct RekeyArgs {
    #[command(flatten)]
    key: NewKey,
    #[command(flatten)]
    target: StackOption,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct NewKey {
    /// Seal it with a passphrase, from the variable STANDFAST_STATE_NEW_PASSPHRASE or asked for twice
    #[arg(long, conflicts_with_all = ["recipients", "recipients_file", "off"])]
    passphrase: bool,
    /// Seal it for an age recipient, age1...; may be repeated, and each of them can open it
    #[arg(long = "recipient", value_name = "RECIPIENT", conflicts_with = "off")]
    recipients: Vec<String>,
    /// Seal it for the recipients in a file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "off")]
    recipients_file: Option<PathBuf>,
    /// Keep it in clear from now on
    #[arg(long)]
    off: bool,
}

pub async fn run(args: &RekeyArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let stack = args.target.stack();
    let recipients = args.key.recipients()?;
    let raw = open_named_as_it_is(&stack, global, registry).await?;
    let store = unseal(Arc::clone(&raw), &stack.store.keys).await?;
    let wrapping = match args.key.word() {
        "passphrase" => Some(Wrapping::Passphrase(new_passphrase()?, Cost::RECOMMENDED)),
        "recipients" => Some(Wrapping::Recipients(recipients)),
        _ => None,
    };
    if wrapping.is_none() && store.seal().is_none() {
        return Err(CliError::new(format!("{} is not sealed", store.describe())));
    }
    let seal = wrapping.as_ref().map(Seal::new).transpose();
    let seal = seal.map_err(|error| failed(store.as_ref(), error))?;
    let removed = with_lock(&store, stack.store.lock_timeout, COMMAND, async |lease| {
        let start = start(args.key.summary());
        let run = store.begin_run(lease, &start).await?;
        let before = store.export().await?;
        if let Err(error) = replace(raw.as_ref(), lease, seal.as_ref(), &before).await {
            // Nothing of it was kept: the old key still holds.
            store.end_run(lease, run, "failed", &error.message).await?;
            return Err(error);
        }
        let arrived = open_named_as_it_is(&stack, global, registry).await?;
        let now = compare(arrived, wrapping.as_ref(), seal.as_ref(), &before).await?;
        let wiped = now.wipe().await.map_err(not_wiped);
        let result = if wiped.is_ok() { "succeeded" } else { "failed" };
        now.end_run(lease, run, result, &start.summary).await?;
        wiped
    })
    .await?;
    tell(store.as_ref(), seal.as_ref().map(Seal::header), args.key.word(), removed, global);
    Ok(exit::OK)
}

impl NewKey {
    /// Those that are named. Not by clap, which would repeat an identity that was mistaken for a recipient.
    fn recipients(&self) -> Result<Vec<Recipient>, CliError> {
        let unfit = |error: SealError| {
            let hint = error.hint();
            CliError { hint, ..CliError::new(error.to_string()).code(exit::USAGE) }
        };
        let parse = |text: &String| text.parse().map_err(unfit);
        let mut recipients: Vec<Recipient> = self.recipients.iter().map(parse).collect::<Result<_, _>>()?;
        if let Some(path) = &self.recipients_file {
            recipients.extend(Recipient::read_list(path).map_err(unfit)?);
        }
        Ok(recipients)
    }

    /// As the output has it.
    fn word(&self) -> &'static str {
        match (self.off, self.passphrase) {
            (true, _) => "off",
            (_, true) => "passphrase",
            _ => "recipients",
        }
    }

    fn summary(&self) -> String {
        match self.word() {
            "off" => "in clear from now on".to_owned(),
            word => format!("a new key, by {word}"),
        }
    }
}

fn failed(store: &dyn Store, error: SealError) -> CliError {
    let place = store.describe();
    StoreError::Sealed { operation: "seal the state", place, error: Box::new(error) }.into()
}

fn start(summary: String) -> RunStart {
    RunStart {
        command: COMMAND.to_owned(),
        owner: user(),
        host: host(),
        blueprint: None,
        variables: "{}".to_owned(),
        plan_id: None,
        summary,
    }
}

/// Writes the whole state anew, after a proof in memory that it can be opened again.
async fn replace(
    raw: &dyn Store,
    lease: &Lease,
    seal: Option<&Seal>,
    before: &Export,
) -> Result<(), CliError> {
    let Some(seal) = seal else { return Ok(raw.import(lease, before).await?) };
    let sealed = seal.seal_export(before).map_err(|error| failed(raw, error))?;
    let opened = seal.unseal_export(&sealed).map_err(|error| failed(raw, error))?;
    match same(before, &opened) {
        None => Ok(raw.import(lease, &sealed).await?),
        Some(part) => {
            Err(CliError::new(format!("the {part} would not come back as they are; nothing was changed")))
        }
    }
}

/// Reads back what arrived, by another handle and with the new key as the next command will, and compares all of it.
/// Returns the state as it is now.
async fn compare(
    arrived: Arc<dyn Store>,
    wrapping: Option<&Wrapping>,
    seal: Option<&Seal>,
    before: &Export,
) -> Result<Arc<dyn Store>, CliError> {
    let explain = |error| failed(arrived.as_ref(), error);
    let export = arrived.export().await?;
    let (found, now): (Export, Arc<dyn Store>) = match seal {
        None => (export, Arc::clone(&arrived)),
        Some(seal) => {
            let text = export.meta.get(SEAL_KEY).map_or("", String::as_str);
            let header = Header::parse(text).map_err(explain)?;
            let reopened = match wrapping {
                Some(Wrapping::Passphrase(passphrase, _)) => {
                    Seal::open(&header, &Opening::Passphrase(passphrase.clone())).map_err(explain)?
                }
                // Whoever seals for others need not be able to open it.
                _ => seal.clone(),
            };
            let found = reopened.unseal_export(&export).map_err(explain)?;
            (found, Arc::new(Sealed::new(Arc::clone(&arrived), reopened)))
        }
    };
    match same(before, &found) {
        None => Ok(now),
        Some(part) => Err(CliError::new(format!(
            "what arrived in {} is not what was sent: the {part} differ",
            arrived.describe()
        ))
        .hint("restore a copy of before: `standfast state push --force BACKUP`")),
    }
}

fn not_wiped(error: StoreError) -> CliError {
    CliError::new(format!("the new key holds, but what the old one opens is still there: {error}"))
        .hint("end what else has the state open, and run `standfast state rekey` again")
}

fn tell(store: &dyn Store, header: Option<&Header>, word: &str, removed: Option<usize>, global: &Global) {
    let key = header.map(Header::key_id);
    let place = store.describe();
    let mut lines = vec![match (key, word) {
        (None, _) => format!("{place} is in clear from now on."),
        (Some(key), "passphrase") => format!("{place} is sealed with the new passphrase (key {key})."),
        (Some(key), _) => format!("{place} is sealed for these recipients (key {key})."),
    }];
    match removed {
        Some(0) => {}
        Some(count) => {
            let why = match (store.seal(), count) {
                (Some(_), 1) => "the old key would have opened it",
                (Some(_), _) => "the old key would have opened them",
                (None, 1) => "it was in clear",
                (None, _) => "they were in clear",
            };
            lines.push(format!("{} removed from beside it: {why}.", render::count(count, "backup")));
        }
        None => lines.push(
            "What the server still keeps of the old rows or objects is not wiped: until it vacuums them, in its logs and \
             backups, as earlier versions in a bucket."
                .to_owned(),
        ),
    }
    lines.push("Exports and saved plans of before keep the key that they have.".to_owned());
    if key.is_some() {
        lines.push("A lost key opens nothing, for nobody: keep it in a second place.".to_owned());
    }
    let object = serde_json::json!({
        "state": place, "sealed": key.is_some(), "by": key.map(|_| word), "key_id": key,
        "backups_removed": removed,
    });
    done(global, &object, &lines.join("\n"));
}
