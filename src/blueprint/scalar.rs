//! Scalars to values: strict, without surprises. `yes` is no boolean, `0644` no number, `10` no duration.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::node::Scalar;

const DURATION_UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// `true` or `false`, without quotes.
pub fn boolean(scalar: &Scalar) -> Option<bool> {
    match scalar.text.as_str() {
        "true" if scalar.plain => Some(true),
        "false" if scalar.plain => Some(false),
        _ => None,
    }
}

/// A whole decimal number, without quotes or leading zeros.
pub fn integer(scalar: &Scalar) -> Option<i64> {
    let digits = scalar.text.strip_prefix('-').unwrap_or(&scalar.text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if !scalar.plain || leading_zero || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    scalar.text.parse().ok()
}

/// A decimal number, finite, without quotes.
pub fn number(scalar: &Scalar) -> Option<f64> {
    let shape = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    (scalar.plain && shape(&scalar.text)).then(|| scalar.text.parse().ok())?
}

/// `10s`, `1h30m`: whole numbers with a unit, the larger units first.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut above = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let amount: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, unit) = DURATION_UNITS.iter().find(|(name, _)| *name == &rest[..unit_end])?;
        if *unit >= above {
            return None;
        }
        above = *unit;
        rest = &rest[unit_end..];
        total = total.checked_add(amount.checked_mul(*unit)?)?;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// `4GiB`, `1.5TB`: bytes.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (_, unit) = SIZE_UNITS.iter().find(|(name, _)| *name == &text[digits..])?;
    match text[..digits].parse::<u64>() {
        Ok(whole) => whole.checked_mul(*unit),
        Err(_) => {
            let bytes = text[..digits].parse::<f64>().ok()? * *unit as f64;
            // Exact below 2^53 bytes, 8 PiB.
            (bytes < 9e15).then_some(bytes as u64)
        }
    }
}

/// `60%`, `99.95%`: percent, 0 to 100.
pub fn share(text: &str) -> Option<f64> {
    let digits = text.strip_suffix('%')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    digits.parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

/// `0644`, `755`, `1777`: four octal digits.
pub fn mode(text: &str) -> Option<String> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    octal.then(|| format!("{text:0>4}"))
}

pub fn port(scalar: &Scalar) -> Option<u16> {
    integer(scalar).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

pub fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// `10.20.0.0/16`; an address alone is a network of one.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// What was probably meant by a scalar that is no duration, size, share, boolean or number.
pub fn probably_meant(scalar: &Scalar, units: &[&str]) -> Option<String> {
    let text = scalar.text.trim();
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.trim_end_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() || digits.parse::<f64>().is_err() {
        return None;
    }
    let unit = &compact[digits.len()..];
    let known = match unit.to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hour" | "hours" | "hr" | "hrs" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        "k" | "kib" => "KiB",
        "m" | "mib" => "MiB",
        "g" | "gib" | "gi" => "GiB",
        "t" | "tib" | "ti" => "TiB",
        "gb" => "GB",
        "mb" => "MB",
        "" => units.first()?,
        _ => units.iter().find(|known| **known == unit)?,
    };
    units.contains(&known).then(|| format!("did you mean `{digits}{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.into(), plain: true }
    }

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in [("10s", 10), ("5m", 300), ("1h30m", 5400), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for text in [
            "",
            "10",
            "s",
            "10 s",
            "1m1h",
            "1.5h",
            "10sec",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615w",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_and_shares() {
        assert_eq!(size("4GiB"), Some(4 << 30));
        assert_eq!(size("1.5kB"), Some(1500));
        assert_eq!(share("99.95%"), Some(99.95));
        for text in ["4", "4G", "GiB", "-4GiB", "99999999999999TiB"] {
            assert_eq!(size(text), None, "{text}");
        }
        for text in ["60", "101%", "-1%", "%", "1e1%", "nan%"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    #[test]
    fn modes_keep_their_zero_and_words_are_no_booleans() {
        assert_eq!(mode("0644").as_deref(), Some("0644"));
        assert_eq!(mode("755").as_deref(), Some("0755"));
        assert_eq!(mode("0888"), None);
        assert_eq!(boolean(&plain("yes")), None);
        assert_eq!(integer(&plain("0755")), None);
        assert_eq!(integer(&Scalar { text: "80".into(), plain: false }), None);
        assert_eq!(number(&plain("inf")), None);
    }

    #[test]
    fn what_was_meant_is_guessed_from_the_number() {
        assert_eq!(probably_meant(&plain("10"), &["s", "m"]).as_deref(), Some("did you mean `10s`?"));
        assert_eq!(probably_meant(&plain("5 min"), &["s", "m"]).as_deref(), Some("did you mean `5m`?"));
        assert_eq!(probably_meant(&plain("soon"), &["s"]), None);
    }
}
