//! A sealed text: `sealed1.KEY.CHECKSUM.BASE64URL`, with a nonce at the head of what is encoded.
//!
//! The checksum (CRC-32, hex) covers all the rest and is for damage alone. What guards against forgery is the cipher,
//! and the place that a text was sealed for is part of what it authenticates: one that was moved elsewhere does not open.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::error::SealError;
use super::header::{FORMAT, Header};
use super::key::{Opening, Wrapping};
use super::wrap::{self, Secret};

const PREFIX: &str = "sealed";
/// Whether a text is sealed, or was.
pub fn is_sealed(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

const NONCE_BYTES: usize = 24;

/// A key that is open, with the header that it came from. Clones are the same key; it is wiped with the last of them.
#[derive(Clone)]
pub struct Seal {
    header: Header,
    keys: Arc<Keys>,
}

struct Keys {
    cipher: XChaCha20Poly1305,
    /// For names that must be found again without being readable.
    tag: Secret,
    /// For the nonces of texts that must come out the same each time.
    nonce: Secret,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", self.header.key_id())
    }
}

impl Seal {
    /// A new data key, wrapped. With a passphrase this takes as long as a guess at it costs.
    ///
    /// # Errors
    /// [`SealError::Failed`] when there is no randomness, or no recipient.
    pub fn new(wrapping: &Wrapping) -> Result<Self, SealError> {
        let key: Secret = Zeroizing::new(random()?);
        let header = wrap::wrap(&key, &key_id(&key), wrapping)?;
        Ok(Self { header, keys: Arc::new(Keys::new(&key)) })
    }

    /// Unwraps the data key.
    ///
    /// # Errors
    /// No key, the wrong key, and a header that somebody else made are told apart by [`SealError`].
    pub fn open(header: &Header, opening: &Opening) -> Result<Self, SealError> {
        let key = wrap::unwrap(header, opening)?;
        if key_id(&key) != header.key_id() {
            return Err(SealError::Tampered { what: "the header of its seal".to_owned() });
        }
        Ok(Self { header: header.clone(), keys: Arc::new(Keys::new(&key)) })
    }

    /// The header that its texts need beside them.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Seals a text for a place, which opening must name again.
    ///
    /// # Errors
    /// [`SealError::Failed`] when there is no randomness.
    pub fn seal(&self, place: &[&str], text: &str) -> Result<String, SealError> {
        self.encrypt(&random::<NONCE_BYTES>()?, place, text)
    }

    /// The same, and the same text comes out the same each time: for what a store must find or keep once. Nobody without
    /// the key can tell more than that two are equal, since the nonce is a keyed digest of place and text.
    pub(super) fn seal_same(&self, place: &[&str], text: &str) -> Result<String, SealError> {
        let digest = self.keys.digest(&self.keys.nonce, place, text);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&digest.as_bytes()[..NONCE_BYTES]);
        self.encrypt(&nonce, place, text)
    }

    /// A name that is found again and says nothing: 40 hex digits.
    pub(super) fn tag(&self, place: &[&str], name: &str) -> String {
        self.keys.digest(&self.keys.tag, place, name).to_hex()[..40].to_owned()
    }

    fn encrypt(&self, nonce: &[u8; NONCE_BYTES], place: &[&str], text: &str) -> Result<String, SealError> {
        let payload = Payload { msg: text.as_bytes(), aad: &join(place, "") };
        let sealed = self.keys.cipher.encrypt(&XNonce::from(*nonce), payload);
        let sealed = sealed.map_err(|_| SealError::Failed { reason: "the text is too long".to_owned() })?;
        let body = BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat());
        let key = self.header.key_id();
        let checksum = checksum(&FORMAT.to_string(), key, &body);
        Ok(format!("{PREFIX}{FORMAT}.{key}.{checksum}.{body}"))
    }

    /// Opens a text that was sealed for this place. `what` names it in errors.
    ///
    /// # Errors
    /// Damage, tampering, another key and a later format are told apart by [`SealError`].
    pub fn unseal(
        &self,
        place: &[&str],
        sealed: &str,
        what: impl Fn() -> String,
    ) -> Result<String, SealError> {
        let damaged = |reason| SealError::Damaged { what: what(), reason };
        let tampered = || SealError::Tampered { what: what() };
        let (format, key, body) = take_apart(sealed).map_err(damaged)?;
        if format > FORMAT {
            return Err(SealError::Newer { found: format, supported: FORMAT });
        }
        if key != self.header.key_id() {
            return Err(SealError::OtherKey { what: what() });
        }
        let body = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|_| tampered())?;
        let (nonce, sealed) = body.split_at_checked(NONCE_BYTES).ok_or_else(tampered)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| tampered())?;
        let payload = Payload { msg: sealed, aad: &join(place, "") };
        let text = self.keys.cipher.decrypt(&nonce, payload).map_err(|_| tampered())?;
        String::from_utf8(text).map_err(|_| tampered())
    }
}

/// Format, key and body of a text that matches its checksum.
fn take_apart(sealed: &str) -> Result<(u32, &str, &str), &'static str> {
    let none = "it is no sealed text";
    let mut parts = sealed.strip_prefix(PREFIX).ok_or(none)?.splitn(4, '.');
    let (Some(format), Some(key), Some(sum), Some(body)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(none);
    };
    if sum != checksum(format, key, body) {
        return Err("it does not match its checksum");
    }
    match format.parse::<u32>() {
        // One number, one text: neither `01` nor `0`.
        Ok(number) if number >= FORMAT && number.to_string() == format => Ok((number, key, body)),
        _ => Err(none),
    }
}

fn checksum(format: &str, key: &str, body: &str) -> String {
    let mut hasher = crc32fast::Hasher::new();
    [format, ".", key, ".", body].iter().for_each(|part| hasher.update(part.as_bytes()));
    format!("{:08x}", hasher.finalize())
}

impl Keys {
    fn new(key: &Secret) -> Self {
        let derive = |context: &str| Zeroizing::new(blake3::derive_key(context, key.as_slice()));
        Self {
            cipher: XChaCha20Poly1305::new((&*derive("standfast 2026-11 seal: cipher")).into()),
            tag: derive("standfast 2026-11 seal: tags"),
            nonce: derive("standfast 2026-11 seal: nonces"),
        }
    }

    fn digest(&self, key: &Secret, place: &[&str], text: &str) -> blake3::Hash {
        blake3::keyed_hash(key, &join(place, text))
    }
}

fn key_id(key: &Secret) -> String {
    let digest = blake3::derive_key("standfast 2026-11 seal: key id", key.as_slice());
    blake3::Hash::from_bytes(digest).to_hex()[..16].to_owned()
}

/// Place and text as bytes that no other place and text give: each part of the place with its length.
fn join(place: &[&str], text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 64);
    for part in place {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&u64::MAX.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| SealError::Failed { reason: format!("there is no randomness: {error}") })?;
    Ok(bytes)
}
