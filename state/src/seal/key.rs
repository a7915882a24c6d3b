//! What opens a seal, and what one is made with: passphrases, identities, recipients, and the files that hold them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use age::x25519;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::SealError;
use super::header::Cost;

/// A file with a key is never larger, in bytes.
const KEY_FILE_MAX: u64 = 64 << 10;

/// What opens a seal.
#[derive(Debug)]
pub enum Opening {
    /// The passphrase.
    Passphrase(SecretString),
    /// The identity of one of its recipients.
    Identities(Identities),
}

/// What a seal is made with.
#[derive(Debug)]
pub enum Wrapping {
    /// A passphrase, and what each guess at it is to cost.
    Passphrase(SecretString, Cost),
    /// Recipients, of whom each can open it.
    Recipients(Vec<Recipient>),
}

/// A public key, `age1...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(pub(super) x25519::Recipient);

impl FromStr for Recipient {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let refuse = |reason: &str| SealError::Recipient { text: text.to_owned(), reason: reason.to_owned() };
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            // Not even shown: it is the secret half.
            let reason = "it is an identity, the secret half of a key".to_owned();
            return Err(SealError::Recipient { text: "AGE-SECRET-KEY-...".to_owned(), reason });
        }
        text.parse().map(Self).map_err(refuse)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Recipient {
    /// Those of a file, one a line; `#` begins a comment.
    ///
    /// # Errors
    /// [`SealError::KeyFile`] and [`SealError::Recipient`].
    pub fn read_list(path: &Path) -> Result<Vec<Self>, SealError> {
        let list: Vec<Self> = lines(&read(path, false)?).map(str::parse).collect::<Result<_, _>>()?;
        if list.is_empty() { Err(unusable(path, "it names no recipient")) } else { Ok(list) }
    }
}

/// Secret keys, `AGE-SECRET-KEY-1...`.
pub struct Identities(pub(super) Vec<x25519::Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl Identities {
    /// One that nobody has yet, and its public half.
    pub fn generate() -> (Self, Recipient) {
        let identity = x25519::Identity::generate();
        let recipient = Recipient(identity.to_public());
        (Self(vec![identity]), recipient)
    }

    /// Those of a file as `age-keygen` writes it, which only its owner may read.
    ///
    /// # Errors
    /// [`SealError::Exposed`] and [`SealError::KeyFile`].
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let text = read(path, true)?;
        let parse = |line: &str| line.parse().map_err(|reason| unusable(path, reason));
        let list: Vec<x25519::Identity> = lines(&text).map(parse).collect::<Result<_, _>>()?;
        if list.is_empty() { Err(unusable(path, "it holds no identity")) } else { Ok(Self(list)) }
    }
}

/// The passphrase in a file that only its owner may read: its first line.
///
/// # Errors
/// [`SealError::Exposed`] and [`SealError::KeyFile`].
pub fn read_passphrase(path: &Path) -> Result<SecretString, SealError> {
    let text = read(path, true)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line.to_owned())),
        _ => Err(unusable(path, "its first line is empty")),
    }
}

fn unusable(path: &Path, reason: impl fmt::Display) -> SealError {
    SealError::KeyFile { file: path.display().to_string(), reason: reason.to_string() }
}

/// What says something in a file of keys.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read(path: &Path, private: bool) -> Result<Zeroizing<String>, SealError> {
    let file = File::open(path).map_err(|error| unusable(path, error))?;
    if private {
        refuse_exposed(path, &file)?;
    }
    let mut text = Zeroizing::new(String::with_capacity(4 << 10));
    file.take(KEY_FILE_MAX).read_to_string(&mut text).map_err(|error| unusable(path, error))?;
    Ok(text)
}

/// As ssh does with its keys. A pipe, such as a shell's `<(...)`, has no others to speak of.
#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), SealError> {
    use std::os::unix::fs::PermissionsExt;
    let found = file.metadata().map_err(|error| unusable(path, error))?;
    let mode = found.permissions().mode() & 0o7777;
    if found.is_file() && mode & 0o077 != 0 {
        return Err(SealError::Exposed { file: path.display().to_string(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &File) -> Result<(), SealError> {
    Ok(())
}
