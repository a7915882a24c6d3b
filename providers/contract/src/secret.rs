//! Secrets: where they come from, and the promise that their value is never written anywhere.
//!
//! A [`SecretSource`] is a reference; a [`Vault`] fetches what it stands for, once; a [`Sensitive`] carries the value
//! in memory and shows, compares and stores itself by a keyed digest only.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Where a secret's value is found. Only this is written to plans.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// An environment variable of the process that plans and applies.
    Env(String),
    /// A file, whole, without a trailing newline.
    File(String),
    /// A file of bytes that is sensitive as it stands: a private key. Kept to the byte.
    FileExact(String),
    /// A command run through `sh -c`; its standard output without a trailing newline.
    Command(String),
    /// Made once from `length` random letters and digits and kept beside the state, mode 0600.
    Generate { name: String, length: u16 },
    /// A text that the blueprint holds as it stands and wants masked: shown nowhere, recorded as a digest.
    Inline(String),
    /// A secret of AWS Secrets Manager, by name or ARN.
    AwsSecretsManager(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "environment variable {name}"),
            SecretSource::File(path) | SecretSource::FileExact(path) => write!(f, "file {path}"),
            SecretSource::Command(command) => write!(f, "command `{command}`"),
            SecretSource::Generate { name, .. } => write!(f, "generated secret {name}"),
            SecretSource::Inline(_) => f.write_str("blueprint"),
            SecretSource::AwsSecretsManager(id) => write!(f, "AWS secret {id}"),
        }
    }
}

/// A text that must not be seen. Equal when the keyed digests are equal; writes itself as its digest.
#[derive(Clone)]
pub struct Sensitive {
    digest: Arc<str>,
    plain: Option<Arc<SecretString>>,
}

impl Sensitive {
    /// What was kept of a sensitive text: its digest.
    pub fn from_digest(digest: &str) -> Self {
        Sensitive { digest: digest.into(), plain: None }
    }

    /// The text itself, where this process has it: for the provider call that needs it, nothing else.
    pub fn expose(&self) -> Option<&str> {
        self.plain.as_deref().map(|plain| plain.expose_secret())
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl PartialEq for Sensitive {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// Why a secret could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not read the secret from {from}: {reason}")]
pub struct SecretError {
    pub from: String,
    pub reason: String,
    pub hint: Option<String>,
}

/// Fetches what a source stands for.
pub trait SecretReader: Send + Sync {
    fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError>;
}

/// Fetches secrets, each once, and makes their digests with the stack's own key.
pub struct Vault {
    key: [u8; 32],
    reader: Box<dyn SecretReader>,
    fetched: Mutex<BTreeMap<SecretSource, Sensitive>>,
}

impl Vault {
    /// `key`: 32 random bytes kept with the state, so that a digest cannot be guessed from outside.
    pub fn new(key: [u8; 32], reader: Box<dyn SecretReader>) -> Self {
        Vault { key, reader, fetched: Mutex::default() }
    }

    /// The secret behind a source.
    pub fn fetch(&self, source: &SecretSource) -> Result<Sensitive, SecretError> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = fetched.get(source) {
            return Ok(known.clone());
        }
        let sensitive = self.seal(self.reader.read(source)?);
        fetched.insert(source.clone(), sensitive.clone());
        Ok(sensitive)
    }

    /// Makes any text sensitive.
    pub fn seal(&self, plain: SecretString) -> Sensitive {
        let digest = blake3::keyed_hash(&self.key, plain.expose_secret().as_bytes());
        Sensitive { digest: digest.to_hex().as_str().into(), plain: Some(Arc::new(plain)) }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}
