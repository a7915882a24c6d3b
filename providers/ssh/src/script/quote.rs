//! Quoting for a POSIX shell.

/// A text as one word of a shell script, whatever it holds but NUL.
///
/// Everything stands between single quotes, in which a POSIX shell knows no special character at all
/// (XCU 2.2.2); a single quote itself closes them, is escaped, and opens them again.
pub fn quote(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./,:=+@".contains(&b)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same for bytes that may be no UTF-8: names of files that a host gave us.
pub fn quote_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(b'\'');
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use proptest::prelude::*;

    use super::*;

    /// Sends words through a real shell's stdin and returns what `printf` makes of each.
    fn through(shell: &str, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut script = b"LC_ALL=C; f() { printf '%s\\000' \"$@\"; }\nf".to_vec();
        for word in words {
            script.push(b' ');
            script.extend(quote_bytes(word));
        }
        script.push(b'\n');
        let mut child =
            Command::new(shell).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&script).unwrap();
        let output = child.wait_with_output().unwrap().stdout;
        let mut parts: Vec<Vec<u8>> = output.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        parts.pop();
        parts
    }

    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(1u8..=255, 0..40),
            "[-'\"$`\\\\(){}\n\t *?!#~;&|<>%a-c\u{e9}\u{1F600}]{0,30}".prop_map(String::into_bytes),
            Just(b"-n".to_vec()),
            Just(b"$(reboot)".to_vec()),
            Just(b"\n\n".to_vec()),
        ]
    }

    proptest! {
        // 64 cases of up to 100 words each, through two shells: thousands of words in about a second.
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_survive_a_real_shell(words in prop::collection::vec(nasty(), 1..100)) {
            for shell in ["sh", "dash"] {
                prop_assert_eq!(&through(shell, &words), &words);
            }
        }

        #[test]
        fn a_text_is_quoted_like_its_bytes(text in "[^\u{0}]{0,40}") {
            let mut script = b"printf '%s' ".to_vec();
            script.extend(quote(&text).into_bytes());
            let mut child = Command::new("sh").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(&script).unwrap();
            prop_assert_eq!(child.wait_with_output().unwrap().stdout, text.into_bytes());
        }
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(quote("/etc/haproxy/haproxy.cfg"), "/etc/haproxy/haproxy.cfg");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
