//! The kinds of resource, one file each: schema, the script that makes it, the script that looks, what was seen.
//!
//! Everything in here is pure: requests in, scripts out, answers in, values out. Shell functions stand in `*.sh`.

mod directory;
mod file;
mod file_look;
pub(crate) mod guard;
mod nftables;
mod package;
pub(crate) mod release;
mod service;
mod sysctl;
mod unit;
mod user;

use std::time::Duration;

use standfast_contract::{Call, Kind, Map, Observed, ProviderError, ReadRequest, Stack, Value};

use crate::script::{Answer, Script};

/// A local file to stream to the host before the script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub local: String,
    /// Bytes.
    pub size: u64,
    /// blake3, hex: what the file must still be.
    pub digest: String,
    /// The shell variable that gets its path on the host.
    pub variable: &'static str,
    /// A path on the host that needs no upload when it is there; empty: always sent.
    pub unless: String,
}

/// A create, update or delete as a script.
#[derive(Clone, Debug)]
pub struct Work {
    pub script: Script,
    pub uploads: Vec<Upload>,
    /// Waits for a fresh connection after it.
    pub armed: bool,
    /// The outputs that are known beforehand; the answer may add some.
    pub outputs: Map,
}

impl Work {
    pub fn new(libraries: &[&'static str]) -> Self {
        let mut script = Script::changes();
        for library in libraries {
            script.library(library);
        }
        Work { script, uploads: Vec::new(), armed: false, outputs: Map::new() }
    }
}

/// Why a kind refuses its inputs: expansion made a mistake, or the record is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Refused {
    pub fn new(reason: impl Into<String>) -> Self {
        Refused(reason.into())
    }
}

/// What every kind says of itself.
pub(crate) trait Works: Sync {
    fn kind(&self) -> &'static Kind;

    /// What it is called on the host.
    fn id(&self, inputs: &Map) -> Result<String, Refused>;

    /// Makes it as `call.inputs` say, whatever is there: create and update are one.
    fn apply(&self, stack: &Stack, call: &Call) -> Result<Work, Refused>;

    /// Takes it away and puts back what was there before.
    fn remove(&self, stack: &Stack, call: &Call) -> Result<Work, Refused>;

    /// Adds lines that look at many at once. `index` names the sections.
    fn look(&self, stack: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script);

    /// What was seen of one.
    fn seen(&self, index: usize, request: &ReadRequest, answer: &Answer)
    -> Result<Option<Observed>, Refused>;

    /// Outputs that only the host knows.
    fn made(&self, _call: &Call, _answer: &Answer) -> Map {
        Map::new()
    }
}

const ALL: &[&dyn Works] = &[
    &package::Package,
    &file::File,
    &directory::Directory,
    &user::User,
    &unit::Unit,
    &service::Service,
    &sysctl::Sysctl,
    &nftables::Nftables,
    &release::Release,
];

pub(crate) fn all() -> &'static [&'static dyn Works] {
    ALL
}

pub(crate) fn find(name: &str) -> Option<&'static dyn Works> {
    ALL.iter().copied().find(|works| works.kind().name == name)
}

/// The schema of a kind.
pub fn schema(name: &str) -> Option<&'static Kind> {
    find(name).map(Works::kind)
}

pub(crate) fn known(name: &str) -> Result<&'static dyn Works, ProviderError> {
    find(name).ok_or_else(|| {
        ProviderError::permanent(format!("work on a `{name}`"), "the ssh provider has no such kind")
    })
}

/// How long a script of this kind may take.
pub(crate) const LONG: Duration = Duration::from_secs(15 * 60);

/// Reading inputs.
pub(crate) mod input {
    use super::{Map, Refused, Value};

    pub fn text<'a>(inputs: &'a Map, name: &str) -> Result<&'a str, Refused> {
        inputs.get(name).and_then(Value::as_str).ok_or_else(|| Refused(format!("`{name}` is missing")))
    }

    pub fn text_or<'a>(inputs: &'a Map, name: &str, default: &'a str) -> &'a str {
        inputs.get(name).and_then(Value::as_str).unwrap_or(default)
    }

    pub fn bool_or(inputs: &Map, name: &str, default: bool) -> bool {
        inputs.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    pub fn texts(inputs: &Map, name: &str) -> Vec<String> {
        let list = inputs.get(name).and_then(Value::as_list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// An absolute path without what would confuse a listing.
    pub fn path<'a>(inputs: &'a Map, name: &str) -> Result<&'a str, Refused> {
        let path = text(inputs, name)?;
        let strange = |c: char| c.is_control() || c == '\\';
        if !path.starts_with('/') || path.contains(strange) || path.split('/').any(|part| part == "..") {
            return Err(Refused(format!(
                "`{name}: {}` is no absolute path without `..`, backslash and control characters",
                path.escape_debug()
            )));
        }
        Ok(path)
    }

    /// A name that is safe as part of a path.
    pub fn name<'a>(inputs: &'a Map, key: &str) -> Result<&'a str, Refused> {
        let name = text(inputs, key)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:\\".contains(c);
        if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(plain) {
            return Err(Refused(format!("`{key}: {}` is no name", name.escape_debug())));
        }
        Ok(name)
    }
}

/// The bare names of the packages that a call will install.
pub(crate) fn known_packages(call: &Call) -> Vec<String> {
    if call.kind != package::Package.kind().name {
        return Vec::new();
    }
    let names = package::names(&call.inputs).unwrap_or_default();
    names.iter().map(|word| word.split_once('=').map_or(word.as_str(), |(name, _)| name).to_owned()).collect()
}

/// The unit of a call for a service.
pub(crate) fn unit_of(call: &Call) -> Option<String> {
    (call.kind == service::Service.kind().name).then(|| service::unit(&call.inputs).ok()).flatten()
}
