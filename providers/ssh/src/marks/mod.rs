//! Marks: what is written down on a host about everything made there.
//!
//! Under `/var/lib/standfast/STACK.ENVIRONMENT/` (root only; `~/.local/state/standfast` where work is done as a plain user):
//! `manifest/` one JSON file a resource, `before/` what was there before it, `kept/` copies for going back,
//! `saved/` what somebody changed by hand and would have lost, `armed/` changes that wait for a fresh connection.
//! The same address always writes to the same names, so a create that is asked for twice makes one thing.

use serde::{Deserialize, Serialize};
use standfast_contract::{Address, Call, Map, Stack};

use crate::script::Script;

pub const MARKS: &str = include_str!("marks.sh");

/// How long an armed change waits for a fresh connection.
pub const ARM_S: u64 = 45;

/// The longest part of a file name taken from an address; a file name holds 255 bytes.
const KEY_MAX: usize = 160;

/// A manifest, as it stands on the host. `format` comes first and grows by one with every change of meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub address: Address,
    pub kind: String,
    pub id: String,
    pub token: String,
    /// Sensitive texts are keyed digests.
    pub inputs: Map,
    pub outputs: Map,
}

pub const FORMAT: u32 = 1;

impl Manifest {
    pub fn new(call: &Call, id: &str, outputs: &Map) -> Self {
        Manifest {
            format: FORMAT,
            address: call.address.clone(),
            kind: call.kind.clone(),
            id: id.to_owned(),
            token: call.token.clone(),
            inputs: call.inputs.clone(),
            outputs: outputs.clone(),
        }
    }
}

/// The file name of an address: `/`, which no name holds, becomes `:`.
pub fn key(address: &Address) -> String {
    let key = address.as_str().replace('/', ":");
    if key.len() <= KEY_MAX {
        return key;
    }
    format!("{}~{}", &key[..KEY_MAX - 20], &blake3::hash(key.as_bytes()).to_hex()[..16])
}

/// A short word for unit and file names that stands for an address in a stack.
pub fn tag(stack: &Stack, address: &Address) -> String {
    let text = format!("{}\n{}\n{address}", stack.name, stack.environment);
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

/// The folder of a stack.
pub fn folder(stack: &Stack) -> String {
    let clean = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
            .collect()
    };
    format!("{}.{}", clean(&stack.name), clean(&stack.environment))
}

/// Tells a script where its marks are. `root` instead of the usual place, for tests.
pub fn locate(script: &mut Script, root: Option<&str>, stack: &Stack, address: Option<&Address>) {
    script.set("ROOT", root.unwrap_or_default()).set("STACK", &folder(stack));
    if let Some(address) = address {
        script.set("K", &key(address)).set("TAG", &tag(stack, address)).set("ARM_S", &ARM_S.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_a_file_name_that_is_its_own() {
        let short: Address = "home/load_balancers.front/file.lb1.haproxy.cfg".parse().unwrap();
        assert_eq!(key(&short), "home:load_balancers.front:file.lb1.haproxy.cfg");
        let long = |end: char| format!("home/baselines.b/file.{}{end}", "x".repeat(126)).parse::<Address>();
        let region = "r".repeat(60);
        let deep = |end: char| {
            format!("{region}/baselines.{}/file.{}{end}", "b".repeat(60), "x".repeat(100)).parse().unwrap()
        };
        assert!(long('a').is_ok());
        assert!(key(&deep('a')).len() <= KEY_MAX);
        assert_ne!(key(&deep('a')), key(&deep('b')));
    }
}
