//! How each object is written: one line that says what it is, one line of JSON that it holds.
//!
//! The first line names the format, the object's own name and a digest of both name and content, so that a flipped bit, a
//! truncated object and one that was copied to another name are all noticed. Names that end in `.zst` are compressed.

use std::io::Read;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version that this build writes and reads.
pub(super) const FORMAT: i64 = 1;

/// More than any state has; what would become larger is no object of ours.
const DECODED_MAX_BYTES: u64 = 4 << 30;

/// 1 is the fastest level, and takes a snapshot of records to about a tenth.
const ZSTD_LEVEL: i32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    standfast: i64,
    name: String,
    blake3: String,
}

/// What is wrong with an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A later standfast wrote it.
    Newer(i64),
    /// It does not hold together.
    Damaged(String),
}

/// An object that was read and found whole.
pub(super) struct Opened<T> {
    pub(super) value: T,
    /// The digest of its name and content.
    pub(super) digest: String,
    /// How long it is when it is not compressed, in bytes.
    pub(super) length: usize,
}

fn digest(name: &str, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(&[0]).update(body);
    hasher.finalize().to_hex().to_string()
}

/// The bytes of an object under this name, and its digest.
pub(super) fn seal<T: Serialize>(name: &str, value: &T) -> Result<(Bytes, String), String> {
    let body = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    seal_body(name, &body)
}

/// The same for a value that is JSON already.
pub(super) fn seal_body(name: &str, body: &[u8]) -> Result<(Bytes, String), String> {
    let digest = digest(name, body);
    let header = Header { standfast: FORMAT, name: name.to_owned(), blake3: digest.clone() };
    let mut bytes = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes.push(b'\n');
    if name.ends_with(".zst") {
        bytes = zstd::bulk::compress(&bytes, ZSTD_LEVEL).map_err(|error| error.to_string())?;
    }
    Ok((bytes.into(), digest))
}

/// Reads an object that was found under this name.
pub(super) fn open<T: DeserializeOwned>(name: &str, bytes: &Bytes) -> Result<Opened<T>, Flaw> {
    let damaged = |reason: &str| Flaw::Damaged(reason.to_owned());
    let mut unpacked = Vec::new();
    let text: &[u8] = if name.ends_with(".zst") {
        let decoder = zstd::Decoder::new(bytes.as_ref()).map_err(|_| damaged("it cannot be unpacked"))?;
        let mut limited = decoder.take(DECODED_MAX_BYTES);
        limited.read_to_end(&mut unpacked).map_err(|_| damaged("it cannot be unpacked"))?;
        &unpacked
    } else {
        bytes
    };
    let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut short"))?;
    let (header, body) = (&text[..end], text[end + 1..].strip_suffix(b"\n"));
    let header: serde_json::Value =
        serde_json::from_slice(header).map_err(|_| damaged("its first line is none of ours"))?;
    // The format first: what a later one has beside it is not known here.
    match header.get("standfast").and_then(serde_json::Value::as_i64) {
        Some(FORMAT) => {}
        Some(found) => return Err(Flaw::Newer(found)),
        None => return Err(damaged("its first line is none of ours")),
    }
    let header: Header =
        serde_json::from_value(header).map_err(|_| damaged("its first line is none of ours"))?;
    let body = body.ok_or_else(|| damaged("it is cut short"))?;
    if header.name != name {
        return Err(Flaw::Damaged(format!("it was written as {}", header.name)));
    }
    let digest = digest(name, body);
    if header.blake3 != digest {
        return Err(damaged("its content does not match its digest"));
    }
    let value = serde_json::from_slice(body)
        .map_err(|error| Flaw::Damaged(format!("its content is not understood: {error}")))?;
    Ok(Opened { value, digest, length: text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(name: &str, bytes: &[u8]) -> Flaw {
        open::<String>(name, &Bytes::copy_from_slice(bytes)).err().unwrap()
    }

    #[test]
    fn what_was_sealed_comes_back_and_any_flipped_bit_is_noticed() {
        for name in ["a/log/1.jsonl", "a/snapshot/1.jsonl.zst"] {
            let (bytes, digest) = seal(name, &"text\n\u{fc}").unwrap();
            let opened: Opened<String> = open(name, &bytes).unwrap();
            assert_eq!((opened.value.as_str(), &opened.digest), ("text\n\u{fc}", &digest));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut flipped = bytes.to_vec();
                    flipped[at] ^= 1 << bit;
                    // Compression has bits without a meaning; nothing may come of them but the same.
                    match open::<String>(name, &flipped.into()) {
                        Ok(opened) => assert_eq!(opened.digest, digest),
                        Err(Flaw::Newer(_) | Flaw::Damaged(_)) => {}
                    }
                }
                assert!(open::<String>(name, &bytes.slice(..at)).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_later_format_and_another_name_are_told_apart_from_damage() {
        assert_eq!(flaw("x.jsonl", b"{\"standfast\":2,\"new\":1}\n?"), Flaw::Newer(2));
        assert_eq!(flaw("x.jsonl", b"{}\n{}\n"), Flaw::Damaged("its first line is none of ours".into()));
        let (bytes, _) = seal("log/1.jsonl", &"one").unwrap();
        assert_eq!(flaw("log/2.jsonl", &bytes), Flaw::Damaged("it was written as log/1.jsonl".into()));
    }
}
