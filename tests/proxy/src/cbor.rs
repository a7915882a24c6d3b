//! CBOR, which newer services speak and moto does not: read and written as JSON, and the rule that translates between a
//! client and moto. <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>, RFC 8949.

use async_trait::async_trait;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

const PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Left with a translated call, so that its answer is translated too.
const TRANSLATED: HeaderName = HeaderName::from_static("x-translated");

/// Moto speaks no CBOR: calls of that protocol go on in JSON, and so come their answers back.
#[derive(Debug, Default)]
pub struct Translate;

#[async_trait]
impl Rule for Translate {
    async fn before(&self, call: &mut Call) -> Verdict {
        if call.header(PROTOCOL.as_str()) != Some("rpc-v2-cbor") {
            return Verdict::Pass;
        }
        // `/service/NAME/operation/NAME`
        let parts: Vec<&str> = call.target.split('/').collect();
        let ["", "service", service, "operation", action] = parts[..] else { return Verdict::Pass };
        let Ok(target) = HeaderValue::from_str(&format!("{service}.{action}")) else { return Verdict::Pass };
        let Some(body) = read(&call.body) else { return Verdict::Pass };
        call.action = action.to_owned();
        call.target = "/".to_owned();
        call.body = body.to_string().into();
        call.headers.remove(PROTOCOL);
        call.headers.remove(ACCEPT);
        call.headers.insert(TARGET, target);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        call.headers.insert(TRANSLATED, HeaderValue::from_static("true"));
        Verdict::Pass
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        if call.headers.contains_key(TRANSLATED) {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            answer.body = write(&body).into();
            answer.headers.insert(PROTOCOL, HeaderValue::from_static("rpc-v2-cbor"));
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
        }
        Fate::Deliver
    }
}

/// A whole document. `None` where it is none, or holds bytes, which JSON does not know.
pub fn read(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Object(Map::new()));
    }
    let mut rest = bytes;
    let value = item(&mut rest)?;
    rest.is_empty().then_some(value)
}

const BREAK: u8 = 0xff;

fn item(rest: &mut &[u8]) -> Option<Value> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let (major, info) = (first >> 5, first & 31);
    if major == 7 {
        return simple(info, rest);
    }
    let count = if info == 31 { None } else { Some(number(info, rest)?) };
    Some(match major {
        0 => count?.into(),
        1 => (-1 - i64::try_from(count?).ok()?).into(),
        3 => text(count, rest)?.into(),
        4 => {
            let mut items = Vec::new();
            while goes_on(count, items.len(), rest)? {
                items.push(item(rest)?);
            }
            items.into()
        }
        5 => {
            let mut entries = Map::new();
            let mut read = 0;
            while goes_on(count, read, rest)? {
                let Value::String(key) = item(rest)? else { return None };
                entries.insert(key, item(rest)?);
                read += 1;
            }
            entries.into()
        }
        // A time: the number of seconds behind the tag.
        6 => item(rest)?,
        _ => return None,
    })
}

fn simple(info: u8, rest: &mut &[u8]) -> Option<Value> {
    Some(match info {
        20 => false.into(),
        21 => true.into(),
        22 | 23 => Value::Null,
        26 => f64::from(f32::from_be_bytes(taken(rest)?)).into(),
        27 => f64::from_be_bytes(taken(rest)?).into(),
        _ => return None,
    })
}

fn number(info: u8, rest: &mut &[u8]) -> Option<u64> {
    Some(match info {
        0..24 => info.into(),
        24 => u8::from_be_bytes(taken(rest)?).into(),
        25 => u16::from_be_bytes(taken(rest)?).into(),
        26 => u32::from_be_bytes(taken(rest)?).into(),
        27 => u64::from_be_bytes(taken(rest)?),
        _ => return None,
    })
}

/// In one piece, or in several until a break.
fn text(count: Option<u64>, rest: &mut &[u8]) -> Option<String> {
    if let Some(count) = count {
        let (text, after) = rest.split_at_checked(usize::try_from(count).ok()?)?;
        *rest = after;
        return String::from_utf8(text.to_vec()).ok();
    }
    let mut whole = String::new();
    while goes_on(None, 0, rest)? {
        whole += item(rest)?.as_str()?;
    }
    Some(whole)
}

/// Whether there is another one; takes the break behind the last.
fn goes_on(count: Option<u64>, read: usize, rest: &mut &[u8]) -> Option<bool> {
    if let Some(count) = count {
        return Some(u64::try_from(read).ok()? < count);
    }
    let (&first, after) = rest.split_first()?;
    if first == BREAK {
        *rest = after;
    }
    Some(first != BREAK)
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

/// A document in CBOR. What is a time is known by its name only: `...Timestamp`, `LastModified`.
pub fn write(value: &Value) -> Vec<u8> {
    let mut to = Vec::new();
    write_item(value, &mut to);
    to
}

fn write_item(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Null => to.push(0xf6),
        Value::Bool(is) => to.push(0xf4 + u8::from(*is)),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => head(0, whole, to),
            (None, Some(whole)) => head(1, whole.unsigned_abs() - 1, to),
            (None, None) => {
                to.push(0xfb);
                to.extend(number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => {
            head(3, text.len() as u64, to);
            to.extend(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, to);
            items.iter().for_each(|item| write_item(item, to));
        }
        Value::Object(entries) => {
            head(5, entries.len() as u64, to);
            for (key, value) in entries {
                head(3, key.len() as u64, to);
                to.extend(key.as_bytes());
                if value.is_number() && (key.ends_with("Timestamp") || key == "LastModified") {
                    head(6, 1, to);
                }
                write_item(value, to);
            }
        }
    }
}

/// Always of nine bytes: nobody counts them.
fn head(major: u8, count: u64, to: &mut Vec<u8>) {
    to.push(major << 5 | 27);
    to.extend(count.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let whole = json!({ "Alarms": [{ "Name": "a", "Threshold": 1.5, "Periods": 3, "Below": -7, "On": true }],
            "Next": null, "StateUpdatedTimestamp": 1795729039.645 });
        assert_eq!(read(&write(&whole)), Some(whole));
    }

    #[test]
    fn what_has_no_length_ends_with_a_break() {
        // {_ "a": [_ 1, 2], "b": (_ "x", "yz")}, as in RFC 8949, section 3.2.
        let bytes = [
            0xbf, 0x61, b'a', 0x9f, 0x01, 0x02, 0xff, 0x61, b'b', 0x7f, 0x61, b'x', 0x62, b'y', b'z', 0xff,
            0xff,
        ];
        assert_eq!(read(&bytes), Some(json!({ "a": [1, 2], "b": "xyz" })));
        assert_eq!(read(&bytes[..9]), None);
        assert_eq!(read(&[]), Some(json!({})));
    }
}
