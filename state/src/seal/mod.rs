//! Encryption of a whole state, of its exports and of saved plans.
//!
//! A state has a random data key, which a passphrase or the identity of a recipient unwraps. The header that says so is
//! kept in clear among the state's values; everything else that is not needed to lock, to order and to count is sealed.
//! The ciphers are those of well-kept libraries: Argon2id, XChaCha20-Poly1305, age, BLAKE3.
//!
//! | file | holds |
//! |---|---|
//! | `key` | passphrases, identities and recipients, and the files that they come from |
//! | `header` | how the data key is wrapped, with a checksum |
//! | `wrap` | wrapping and unwrapping it |
//! | `text` | one sealed text, bound to its place |
//! | `forms` | what a store is given of each thing |
//! | `store` | a store around another |
//! | `changes` | renames and deposings, worked out on what can be read |
//! | `error` | no key, the wrong key, damage, tampering |
//!
//! Deliberately absent: a guard against what is old or missing. Who can write to the store can put an earlier row or file
//! back, or take one away, and nobody sees it by the key alone.

mod changes;
mod error;
mod forms;
mod header;
mod key;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod wrap;

pub use error::SealError;
pub use forms::SEAL_KEY;
pub use header::{Cost, Header, OpenedBy};
pub use key::{Identities, Opening, Recipient, Wrapping, read_passphrase};
pub use store::{Sealed, header_of};
pub use text::{Seal, is_sealed};
