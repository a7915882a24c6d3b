//! Names in DNS: what is one, why another text is none, and which one was probably meant.
//!
//! Labels of 1 to 63 characters and 253 in all are RFC 1035's, <https://datatracker.ietf.org/doc/html/rfc1035#section-2.3.4>;
//! letters, digits and hyphens those of host names, <https://datatracker.ietf.org/doc/html/rfc1123#section-2.1>. A name in
//! other letters is asked for as DNS has it (`xn--...`), so that plans, records and certificates all show the same one.

use super::super::reader::Reader;

const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

/// What is wrong with a name.
#[derive(PartialEq, Eq, Debug)]
pub struct Wrong {
    pub why: String,
    pub meant: Option<String>,
}

/// A name as it is compared: in lower case, without a dot at its end.
pub fn plain(written: &str) -> String {
    written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase()
}

/// A whole name, such as a zone's; without a dot at its end.
pub fn check(name: &str) -> Result<(), Wrong> {
    check_labels(name)?;
    let last = name.rsplit('.').next().unwrap_or(name);
    match last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(wrong("it ends in a number, as addresses do")),
        false => Ok(()),
    }
}

/// The labels of a name, or of the part of one that is said within a zone.
pub fn check_labels(name: &str) -> Result<(), Wrong> {
    if !name.is_ascii()
        && let Ok(ascii) = idna::domain_to_ascii(name)
        && ascii != name
    {
        return Err(Wrong { meant: Some(ascii), ..wrong("DNS has it in another form") });
    }
    if let Some((_, rest)) = name.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or(rest);
        return Err(Wrong { meant: Some(host.to_owned()), ..wrong("it is a URL") });
    }
    if name.contains('*') {
        return Err(wrong("`*` can only be the whole first label"));
    }
    name.split('.').try_for_each(check_label)?;
    if name.len() > NAME_MAX {
        return Err(wrong(format!("it has {} characters, and a name has {NAME_MAX} at most", name.len())));
    }
    Ok(())
}

/// `*.` at the beginning may stand for any first label.
pub fn check_wildcard(name: &str) -> Result<(), Wrong> {
    check(name.strip_prefix("*.").unwrap_or(name))
}

fn check_label(label: &str) -> Result<(), Wrong> {
    let strange = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_');
    if label.is_empty() {
        return Err(wrong("a label of it is empty"));
    }
    if let Some(strange) = label.chars().find(strange) {
        let shown = if strange.is_whitespace() { "a blank".to_owned() } else { format!("`{strange}`") };
        return Err(wrong(format!("{shown} cannot be in a name")));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(wrong(format!("`{label}` begins or ends with a hyphen")));
    }
    if label.len() > LABEL_MAX {
        return Err(wrong(format!(
            "a label of it has {} characters, and may have {LABEL_MAX} at most",
            label.len()
        )));
    }
    Ok(())
}

fn wrong(why: impl Into<String>) -> Wrong {
    Wrong { why: why.into(), meant: None }
}

/// Tells what is wrong with the name at a key; whether nothing is. `what` is "DNS zone".
pub fn told(reader: &Reader<'_>, key: &str, what: &str, written: &str, checked: Result<(), Wrong>) -> bool {
    let Err(Wrong { why, meant }) = checked else { return true };
    let problem = reader.error(key, format!("`{written}` is no {what}: {why}"));
    reader.push(problem.help_maybe(meant.map(|meant| format!("did you mean `{meant}`?"))));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_dns_does_not_take() {
        let long = "a".repeat(64);
        // 25 labels of nine letters and their dots.
        let most = format!("{}.net", ["abcdefghi"; 25].join("."));
        let more = format!("a{most}");
        assert_eq!((most.len(), check(&most)), (253, Ok(())));
        for name in
            ["example.net", "a-b.example.net", "xn--mnchen-3ya.example", "1.example.net", "_x.example"]
        {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check_wildcard("*.example.net"), Ok(()));
        for (name, why) in [
            ("", "a label of it is empty"),
            (".", "a label of it is empty"),
            ("a..b", "a label of it is empty"),
            (".example.net", "a label of it is empty"),
            ("shop example.net", "a blank cannot be in a name"),
            ("shop/x.example.net", "`/` cannot be in a name"),
            ("-a.example.net", "`-a` begins or ends with a hyphen"),
            ("a-.example.net", "`a-` begins or ends with a hyphen"),
            ("*.example.net", "`*` can only be the whole first label"),
            ("10.0.0.1", "it ends in a number, as addresses do"),
            (long.as_str(), "a label of it has 64 characters, and may have 63 at most"),
            (more.as_str(), "it has 254 characters, and a name has 253 at most"),
        ] {
            assert_eq!(check(name).unwrap_err().why, why, "{name}");
        }
        for (name, meant) in
            [("münchen.example", "xn--mnchen-3ya.example"), ("https://www.example.net/a", "www.example.net")]
        {
            assert_eq!(check(name).unwrap_err().meant.as_deref(), Some(meant), "{name}");
        }
        assert_eq!(
            check_wildcard("*.*.example.net").unwrap_err().why,
            "`*` can only be the whole first label"
        );
    }
}
