//! The key of a sealed state: where it comes from, and that it is derived and asked for once in a command.
//!
//! A passphrase is never an argument, which every user of the machine could read.

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use standfast_state::{
    Header, Identities, OpenedBy, Opening, Seal, SealError, Sealed, Store, StoreError, header_of, is_sealed,
    read_passphrase,
};

use super::{error::CliError, terminal};

/// The value that every state has once it was opened: the key of the digests.
pub const DIGEST_KEY: &str = "digest_key";
const PASSPHRASE: &str = "STANDFAST_STATE_PASSPHRASE";
const NEW_PASSPHRASE: &str = "STANDFAST_STATE_NEW_PASSPHRASE";

#[derive(Args, Debug, Clone)]
pub struct KeyArgs {
    /// A private file with the passphrase of a sealed state; the variable STANDFAST_STATE_PASSPHRASE may hold the passphrase
    /// itself, and at a terminal it is asked for
    #[arg(
        help_heading = "State",
        long = "state-passphrase-file",
        env = "STANDFAST_STATE_PASSPHRASE_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    passphrase_file: Option<PathBuf>,
    /// A private file with an age identity, as `age-keygen` writes it, for a state that is sealed for recipients
    #[arg(
        help_heading = "State",
        long = "state-identity",
        env = "STANDFAST_STATE_IDENTITY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    identity: Option<PathBuf>,
    #[arg(skip)]
    used: Arc<Mutex<Used>>,
}

/// What became of the keys in this command.
#[derive(Debug, Default)]
struct Used {
    seal: Option<Seal>,
    warned: bool,
}

impl KeyArgs {
    /// The key to what this header belongs to.
    pub fn unlock(&self, header: &Header) -> Result<Seal, SealError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // A saved plan and its state, most often: a passphrase takes its time, and nobody wants to type it twice.
        if let Some(seal) = used.seal.as_ref().filter(|seal| seal.header() == header) {
            return Ok(seal.clone());
        }
        let seal = Seal::open(header, &self.opening(header)?)?;
        used.seal = Some(seal.clone());
        Ok(seal)
    }

    fn opening(&self, header: &Header) -> Result<Opening, SealError> {
        match header.opened_by() {
            OpenedBy::Passphrase => {
                let passphrase = match &self.passphrase_file {
                    Some(path) => Some(read_passphrase(path)?),
                    None => variable(PASSPHRASE),
                };
                let asked = || ask(&format!("Passphrase (key {}): ", header.key_id()));
                passphrase.or_else(asked).map(Opening::Passphrase).ok_or(SealError::NoPassphrase)
            }
            OpenedBy::Identity(recipients) => match &self.identity {
                Some(path) => Identities::read(path).map(Opening::Identities),
                None => Err(SealError::NoIdentity { recipients: recipients.to_vec() }),
            },
        }
    }

    /// A key for a state that needs none is most often a state that was meant to be sealed.
    fn warn_of_plain(&self, store: &dyn Store) {
        let given =
            self.passphrase_file.is_some() || self.identity.is_some() || variable(PASSPHRASE).is_some();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if given && !used.warned {
            used.warned = true;
            terminal::warn(
                "state",
                &format!("a key was given, but {} is not sealed", store.describe()),
                Some("`standfast state rekey --passphrase`, or with `--recipient age1...`, seals it"),
            );
        }
    }
}

/// A state as it is worked with: opened, where it is sealed.
pub async fn unseal(store: Arc<dyn Store>, keys: &KeyArgs) -> Result<Arc<dyn Store>, CliError> {
    let Some(header) = header_of(store.as_ref()).await? else {
        // Every state that was ever opened has this value.
        if store.get_meta(DIGEST_KEY).await?.is_some_and(|value| is_sealed(&value)) {
            return Err(StoreError::Sealed {
                operation: "open the state",
                place: store.describe(),
                error: Box::new(SealError::header_lost()),
            }
            .into());
        }
        keys.warn_of_plain(store.as_ref());
        return Ok(store);
    };
    let seal = keys.unlock(&header).map_err(|error| StoreError::Sealed {
        operation: "open the state",
        place: store.describe(),
        error: Box::new(error),
    })?;
    Ok(Arc::new(Sealed::new(store, seal)))
}

/// The passphrase that a state is to have from now on; asked for twice, since a slip would lock everybody out.
pub fn new_passphrase() -> Result<SecretString, CliError> {
    if let Some(passphrase) = variable(NEW_PASSPHRASE) {
        return Ok(passphrase);
    }
    let none = || {
        CliError::new("there is no new passphrase, and nobody to ask for one").hint(format!(
            "set {NEW_PASSPHRASE}; it is no argument, since every user of this machine could read it"
        ))
    };
    if !std::io::stdin().is_terminal() {
        return Err(none());
    }
    let empty = || CliError::new("the new passphrase is empty; nothing was changed");
    let first = ask("New passphrase: ").ok_or_else(empty)?;
    match ask("The same once more: ") {
        Some(second) if first.expose_secret() == second.expose_secret() => Ok(first),
        _ => Err(CliError::new("the two passphrases differ; nothing was changed")),
    }
}

/// A secret in the environment. An empty one is none.
fn variable(name: &str) -> Option<SecretString> {
    let value = std::env::var(name).ok()?;
    // As the first line of a file.
    let line = value.trim_end_matches(['\r', '\n']);
    Some(SecretString::from(line)).filter(|line| !line.expose_secret().is_empty())
}

/// Asks at the terminal, without an echo.
fn ask(question: &str) -> Option<SecretString> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    rpassword::prompt_password(question).ok().filter(|answer| !answer.is_empty()).map(SecretString::from)
}
