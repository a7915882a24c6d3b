//! Base64 of texts, as EC2 takes user data.

use aws_smithy_types::base64;

/// What is no text stays as it is, marked as in a data URL: nothing of somebody else's is lost by a change beside it.
const BINARY: &str = "data:;base64,";

pub(crate) fn encode(text: &str) -> String {
    text.strip_prefix(BINARY).map_or_else(|| base64::encode(text), str::to_owned)
}

/// `None` where it is no base64.
pub(crate) fn decode(text: &str) -> Option<String> {
    let bytes = base64::decode(text).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|_| format!("{BINARY}{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_comes_back_as_it_was() {
        for (encoded, shown) in [("IyEvYmluL3NoCg==", "#!/bin/sh\n"), ("H4sI/w==", "data:;base64,H4sI/w==")] {
            assert_eq!(decode(encoded).as_deref(), Some(shown));
            assert_eq!(encode(shown), encoded);
        }
    }
}
