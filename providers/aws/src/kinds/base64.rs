//! Base64 of texts, as EC2 takes user data.

use aws_smithy_types::base64;

pub(crate) fn encode(text: &str) -> String {
    base64::encode(text)
}

/// `None` where it is no base64, or no UTF-8 behind it.
pub(crate) fn decode(text: &str) -> Option<String> {
    String::from_utf8(base64::decode(text).ok()?).ok()
}
