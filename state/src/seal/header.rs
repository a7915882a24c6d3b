//! The header: how the data key is wrapped. Clear text, so that whoever opens the state knows which key is asked for.
//!
//! It is one line of JSON that ends in the BLAKE3 digest of what stands before it, which holds for every format there
//! will be: a flipped bit is damage and never taken for a wrong key or a later format. A forger can compute the digest
//! too; the wrapped key itself is bound to all the rest.

use serde::{Deserialize, Serialize};

use super::error::SealError;

/// The newest format that this build writes and opens.
pub(super) const FORMAT: u32 = 1;

const CIPHER: &str = "XChaCha20-Poly1305";
const CHECKSUM: &str = ",\"checksum\":\"";

/// A header that is whole and of a format that this build knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    text: String,
    pub(super) body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    standfast_seal: u32,
    cipher: String,
    /// A public digest of the data key, 16 hex digits.
    pub(super) key_id: String,
    pub(super) wrap: Wrap,
}

/// How the data key is wrapped. Bytes are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Wrap {
    /// With a key from a passphrase, by the same cipher.
    Passphrase {
        argon2id: Cost,
        salt: String,
        /// What else comes from the passphrase: tells a wrong one from a forged key.
        verifier: String,
        wrapped: String,
    },
    /// As an age file for a list of X25519 recipients: <https://age-encryption.org/v1>.
    Recipients { recipients: Vec<String>, wrapped: String },
}

/// What a guess at a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// KiB.
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106, section 4, which is above what OWASP asks for: 64 MiB, 3 passes, 4 lanes.
    pub const RECOMMENDED: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 4 };

    /// A forged header must not take the machine down: 1 GiB, and some tens of seconds.
    pub(super) fn is_bearable(self) -> bool {
        self.memory_kib <= 1 << 20 && self.passes <= 64 && self.lanes <= 64
    }
}

/// What opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy<'a> {
    /// A passphrase.
    Passphrase,
    /// The identity of one of these recipients.
    Identity(&'a [String]),
}

impl Header {
    pub(super) fn new(key_id: String, wrap: Wrap) -> Result<Self, SealError> {
        let body = Body { standfast_seal: FORMAT, cipher: CIPHER.to_owned(), key_id, wrap };
        let mut text = body.text()?;
        text.pop();
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let text = format!("{text}{CHECKSUM}{digest}\"}}");
        Ok(Self { text, body })
    }

    /// Reads a header, the checksum first.
    ///
    /// # Errors
    /// [`SealError::HeaderDamaged`] and [`SealError::Newer`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let damaged = |reason: &str| SealError::HeaderDamaged { reason: reason.to_owned() };
        let whole = text.rsplit_once(CHECKSUM).filter(|(before, digest)| {
            digest.strip_suffix("\"}") == Some(blake3::hash(before.as_bytes()).to_hex().as_str())
        });
        let (before, _) = whole.ok_or_else(|| damaged("it does not match its checksum"))?;
        #[derive(Deserialize)]
        struct Version {
            standfast_seal: u32,
        }
        let unfit = |error: serde_json::Error| damaged(&error.to_string());
        let found = serde_json::from_str::<Version>(text).map_err(unfit)?.standfast_seal;
        if found > FORMAT {
            return Err(SealError::Newer { found, supported: FORMAT });
        }
        let whole = format!("{before}}}");
        let body: Body = serde_json::from_str(&whole).map_err(unfit)?;
        // One header, one text: format and cipher are what the wrapped key is bound to.
        if found != FORMAT || body.cipher != CIPHER || body.text()? != whole {
            return Err(damaged("it is not as this format writes it"));
        }
        Ok(Self { text: text.to_owned(), body })
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The public digest of the data key, 16 hex digits: two states with the same one have the same key.
    pub fn key_id(&self) -> &str {
        &self.body.key_id
    }

    /// What opens it.
    pub fn opened_by(&self) -> OpenedBy<'_> {
        match &self.body.wrap {
            Wrap::Passphrase { .. } => OpenedBy::Passphrase,
            Wrap::Recipients { recipients, .. } => OpenedBy::Identity(recipients),
        }
    }
}

impl Body {
    fn text(&self) -> Result<String, SealError> {
        serde_json::to_string(self).map_err(|error| SealError::Failed { reason: error.to_string() })
    }
}

/// What the wrapped key is bound to: all of the header but itself.
pub(super) fn binding(key_id: &str, wrap: &Wrap) -> Result<[u8; 32], SealError> {
    let mut wrap = wrap.clone();
    match &mut wrap {
        Wrap::Passphrase { wrapped, .. } | Wrap::Recipients { wrapped, .. } => wrapped.clear(),
    }
    let body = Body { standfast_seal: FORMAT, cipher: CIPHER.to_owned(), key_id: key_id.to_owned(), wrap };
    Ok(*blake3::hash(body.text()?.as_bytes()).as_bytes())
}
