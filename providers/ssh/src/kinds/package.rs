//! `package`: Debian packages, one apt transaction a resource.
//!
//! A delete removes what was not there before (dependencies too) and nothing that others need; configuration and data
//! of a removed package stay, as `apt-get remove` leaves them.

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{LONG, Refused, Work, Works, file_look::known, input};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub(crate) const PACKAGE: &str = include_str!("package.sh");

pub struct Package;

static KIND: Kind =
    Kind::new("package", &[Attribute::new("names").required(), Attribute::new("versions").computed()]);

/// `haproxy` or `nginx=1.22*`, as Debian Policy 5.6.1 has names.
pub(crate) fn names(inputs: &Map) -> Result<Vec<String>, Refused> {
    let names = input::texts(inputs, "names");
    if names.is_empty() {
        return Err(Refused::new("`names` is empty"));
    }
    for word in &names {
        let (name, version) =
            word.split_once('=').map_or((word.as_str(), None), |(name, version)| (name, Some(version)));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:".contains(c);
        let version_fits = version.is_none_or(|version| {
            !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:~*?".contains(c))
        });
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) || !version_fits
        {
            return Err(Refused(format!("`{}` is no name of a Debian package", word.escape_debug())));
        }
    }
    Ok(names)
}

fn bare(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// Whether a version is the one asked for: `*` and `?` as in a shell.
fn fits(pattern: &[u8], version: &[u8]) -> bool {
    match (pattern.first(), version.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            fits(&pattern[1..], version) || (!version.is_empty() && fits(pattern, &version[1..]))
        }
        (Some(b'?'), Some(_)) => fits(&pattern[1..], &version[1..]),
        (Some(one), Some(other)) if one == other => fits(&pattern[1..], &version[1..]),
        _ => false,
    }
}

/// Installed versions by name, from `NAME STATUS VERSION` lines.
fn versions(listing: &str) -> Map {
    let mut versions = Map::new();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some("installed"), Some(version)) = (words.next(), words.next(), words.next()) {
            versions.insert(name.to_owned(), Value::text(version));
        }
    }
    versions
}

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let mut work = Work::new(&[MARKS, PACKAGE]);
    work.script.set("NAMES", &names(&call.inputs)?.join("\n")).timeout(LONG).main(main);
    Ok(work)
}

impl Works for Package {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        Ok(names(inputs)?.iter().map(|word| bare(word)).collect::<Vec<_>>().join(","))
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "begin package_snapshot\nput_packages\nfinish\nversions")
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "marks_open\ndrop_packages\nforget")
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        let mut all: Vec<String> = requests
            .iter()
            .filter_map(|(_, request)| names(known(request)?).ok())
            .flatten()
            .map(|word| quote(bare(&word)))
            .collect();
        all.sort();
        all.dedup();
        if !all.is_empty() {
            script.main(&format!(
                "sect packages\ndpkg-query -W -f='${{Package}} ${{db:Status-Status}} ${{Version}}\\n' -- {} 2>/dev/null >&3 || :",
                all.join(" ")
            ));
        }
    }

    fn seen(&self, _: usize, request: &ReadRequest, answer: &Answer) -> Result<Option<Observed>, Refused> {
        let Some(inputs) = known(request) else { return Ok(None) };
        let installed = versions(&answer.text("packages").unwrap_or_default());
        let version = |word: &str| installed.get(bare(word)).and_then(Value::as_str);
        let wanted = names(inputs)?;
        let mut there: Vec<Value> = wanted
            .iter()
            .filter(|word| match (version(word), word.split_once('=')) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(version), Some((_, pattern))) => fits(pattern.as_bytes(), version.as_bytes()),
            })
            .map(Value::text)
            .collect();
        // A wanted version that is not the one there is named as what is there.
        for word in wanted.iter().filter(|word| word.contains('=')) {
            if let Some(version) = version(word)
                && !there.contains(&Value::text(word.as_str()))
            {
                there.push(Value::Text(format!("{}={version}", bare(word))));
            }
        }
        if there.is_empty() {
            return Ok(None);
        }
        let found = wanted
            .iter()
            .filter_map(|word| Some((bare(word).to_owned(), Value::text(version(word)?))))
            .collect();
        Ok(Some(Observed {
            id: self.id(inputs)?,
            attributes: Map::from([("names".to_owned(), Value::List(there))]),
            outputs: Map::from([("versions".to_owned(), Value::Map(found))]),
        }))
    }

    fn made(&self, _: &Call, answer: &Answer) -> Map {
        let found = versions(&answer.text("versions").unwrap_or_default());
        Map::from([("versions".to_owned(), Value::Map(found))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_packages_are_names() {
        let inputs = |name: &str| Map::from([("names".to_owned(), Value::List(vec![Value::text(name)]))]);
        for good in ["haproxy", "nginx=1.22*", "libstdc++6", "g++:amd64", "x=1:2.3-1~deb12u1"] {
            assert!(names(&inputs(good)).is_ok(), "{good}");
        }
        for bad in ["-y", "a b", "a;reboot", "$(x)", "nginx=", "nginx=1 2", "UPPER", ""] {
            assert!(names(&inputs(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_is_a_pattern() {
        assert!(fits(b"1.22*", b"1.22.1-9"));
        assert!(fits(b"1.22.1-9", b"1.22.1-9"));
        assert!(!fits(b"1.23*", b"1.22.1-9"));
    }
}
