//! The data key, wrapped by a passphrase or for recipients, and unwrapped again.

use std::io::{Read, Write};

use age::x25519;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::SealError;
use super::header::{Cost, Header, Wrap, binding};
use super::key::{Identities, Opening, Recipient, Wrapping};
use super::text::random;

/// 32 bytes that are wiped when they are dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

const HEADER: &str = "the header of its seal";

/// A header with the data key wrapped in it.
pub(super) fn wrap(key: &Secret, key_id: &str, wrapping: &Wrapping) -> Result<Header, SealError> {
    let wrap = match wrapping {
        Wrapping::Passphrase(passphrase, cost) => by_passphrase(key, key_id, passphrase, *cost)?,
        Wrapping::Recipients(recipients) => for_recipients(key, key_id, recipients)?,
    };
    Header::new(key_id.to_owned(), wrap)
}

/// The data key. Whether it is that of the header's key id is for the caller to see.
pub(super) fn unwrap(header: &Header, opening: &Opening) -> Result<Secret, SealError> {
    let bound = binding(header.key_id(), &header.body.wrap)?;
    match (&header.body.wrap, opening) {
        (Wrap::Passphrase { argon2id, salt, verifier, wrapped }, Opening::Passphrase(passphrase)) => {
            if !argon2id.is_bearable() {
                return Err(tampered());
            }
            let derived = Derived::new(passphrase, &bytes(salt)?, *argon2id)?;
            // Neither side is a secret by itself: a digest of a digest.
            if derived.verifier() != *verifier {
                return Err(SealError::WrongPassphrase);
            }
            let wrapped = bytes(wrapped)?;
            let (nonce, sealed) = wrapped.split_at_checked(24).ok_or_else(tampered)?;
            let nonce = XNonce::try_from(nonce).map_err(|_| tampered())?;
            let payload = Payload { msg: sealed, aad: &bound };
            let key = derived.cipher().decrypt(&nonce, payload).map_err(|_| tampered())?;
            secret(&Zeroizing::new(key))
        }
        (Wrap::Recipients { recipients, wrapped }, Opening::Identities(identities)) => {
            let key = decrypt(&bytes(wrapped)?, identities, recipients)?;
            let (key, with) = key.split_at_checked(32).ok_or_else(tampered)?;
            if with != bound {
                return Err(tampered());
            }
            secret(key)
        }
        (Wrap::Passphrase { .. }, Opening::Identities(_)) => Err(SealError::NoPassphrase),
        (Wrap::Recipients { recipients, .. }, Opening::Passphrase(_)) => {
            Err(SealError::NoIdentity { recipients: recipients.clone() })
        }
    }
}

fn tampered() -> SealError {
    SealError::Tampered { what: HEADER.to_owned() }
}

fn bytes(text: &str) -> Result<Vec<u8>, SealError> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| tampered())
}

fn secret(bytes: &[u8]) -> Result<Secret, SealError> {
    <[u8; 32]>::try_from(bytes).map(Zeroizing::new).map_err(|_| tampered())
}

fn by_passphrase(
    key: &Secret,
    key_id: &str,
    passphrase: &SecretString,
    cost: Cost,
) -> Result<Wrap, SealError> {
    let salt: [u8; 16] = random()?;
    let derived = Derived::new(passphrase, &salt, cost)?;
    let form = |wrapped: String| Wrap::Passphrase {
        argon2id: cost,
        salt: BASE64URL_NOPAD.encode(&salt),
        verifier: derived.verifier(),
        wrapped,
    };
    let bound = binding(key_id, &form(String::new()))?;
    let nonce: [u8; 24] = random()?;
    let sealed = derived
        .cipher()
        .encrypt(&XNonce::from(nonce), Payload { msg: key.as_slice(), aad: &bound })
        .map_err(|_| SealError::Failed { reason: "the cipher refused the data key".to_owned() })?;
    Ok(form(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat())))
}

/// What Argon2id makes of a passphrase: half of it a key, half of it to know the passphrase by.
struct Derived(Zeroizing<[u8; 64]>);

impl Derived {
    fn new(passphrase: &SecretString, salt: &[u8], cost: Cost) -> Result<Self, SealError> {
        let mut derived = Zeroizing::new([0; 64]);
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(64))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon2| {
                argon2.hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut *derived)
            })
            .map_err(|_| tampered())?;
        Ok(Self(derived))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&self.0[..32]);
        XChaCha20Poly1305::new((&*key).into())
    }

    fn verifier(&self) -> String {
        let digest = blake3::derive_key("standfast 2026-11 seal: verifier of a passphrase", &self.0[32..]);
        BASE64URL_NOPAD.encode(&digest)
    }
}

fn for_recipients(key: &Secret, key_id: &str, recipients: &[Recipient]) -> Result<Wrap, SealError> {
    let failed = |reason: String| SealError::Failed { reason };
    let names: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    let form = |wrapped: String| Wrap::Recipients { recipients: names.clone(), wrapped };
    let bound = binding(key_id, &form(String::new()))?;
    let keys = recipients.iter().map(|one| &one.0 as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(|error| failed(error.to_string()))?;
    let mut wrapped = Vec::new();
    let write = || -> std::io::Result<()> {
        let mut writer = encryptor.wrap_output(&mut wrapped)?;
        writer.write_all(key.as_slice())?;
        writer.write_all(&bound)?;
        writer.finish().map(drop)
    };
    write().map_err(|error| failed(error.to_string()))?;
    Ok(form(BASE64URL_NOPAD.encode(&wrapped)))
}

fn decrypt(
    wrapped: &[u8],
    identities: &Identities,
    recipients: &[String],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let decryptor = age::Decryptor::new(wrapped).map_err(|_| tampered())?;
    let keys = identities.0.iter().map(|one: &x25519::Identity| one as &dyn age::Identity);
    let mut reader = match decryptor.decrypt(keys) {
        Ok(reader) => reader,
        Err(age::DecryptError::NoMatchingKeys) => {
            return Err(SealError::NoIdentityFits { recipients: recipients.to_vec() });
        }
        Err(_) => return Err(tampered()),
    };
    // Room for all of it, so that no copy is left behind by growing.
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    reader.by_ref().take(65).read_to_end(&mut key).map_err(|_| tampered())?;
    if key.len() == 64 { Ok(key) } else { Err(tampered()) }
}
