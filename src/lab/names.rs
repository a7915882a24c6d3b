//! The names and numbers that a lab derives from its own name: interfaces, machines, hardware addresses. All pure.
//!
//! Everything on the machine that belongs to a lab must be found again by a fresh process, also when the lab's own
//! record is lost. So these names are functions of (state folder, lab, host) and are stored nowhere.

use std::path::Path;

use super::error::LabError;

/// How every lab's bridge is called first.
pub(super) const BRIDGE_PREFIX: &str = "sf-";
/// RFC 1035, one label.
const HOST_NAME_MAX: usize = 63;
const LAB_NAME_MAX: usize = 63;
/// `useradd`'s limit on Debian.
const USER_NAME_MAX: usize = 32;
/// Five characters of base 32: one chance in 33 million that two names of a kind meet.
const TAG_LEN: usize = 5;
const READABLE_LEN: usize = 6;

/// The derived names of one lab.
#[derive(Debug, Clone)]
pub(super) struct Names {
    seed: blake3::Hasher,
    lab: String,
}

impl Names {
    pub(super) fn new(state_root: &Path, lab: &str) -> Self {
        let mut seed = blake3::Hasher::new_derive_key("standfast lab names 1");
        seed.update(state_root.as_os_str().as_encoded_bytes());
        seed.update(b"\0");
        seed.update(lab.as_bytes());
        seed.update(b"\0");
        Self { seed, lab: lab.to_owned() }
    }

    fn digest(&self, of: &str) -> [u8; 32] {
        let mut hasher = self.seed.clone();
        hasher.update(of.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn tag(&self, of: &str) -> String {
        const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let digest = self.digest(of);
        digest.iter().take(TAG_LEN).map(|byte| char::from(BASE32[usize::from(byte & 31)])).collect()
    }

    /// The bridge's interface name, at most 15 characters, for example `sf-shop-k3x9q`.
    pub(super) fn bridge(&self) -> String {
        format!("{BRIDGE_PREFIX}{}-{}", readable(&self.lab), self.tag("bridge"))
    }

    /// The name systemd-nspawn knows a host by: at most 12 characters, so that `vb-` before it still fits an
    /// interface name and nspawn has no reason to shorten it.
    pub(super) fn machine(&self, host: &str) -> String {
        format!("{}-{}", readable(host), self.tag(&format!("host {host}")))
    }

    /// The machine's end of a host's network cable. systemd-nspawn names it so for `--network-bridge`.
    pub(super) fn cable(&self, host: &str) -> String {
        format!("vb-{}", self.machine(host))
    }

    /// Hardware address of a host, or of the bridge for `None`: pinned, because peers keep the old one in their ARP
    /// tables for seconds, which makes a restarted host look dead. Locally administered, unicast (IEEE 802).
    pub(super) fn mac(&self, host: Option<&str>) -> String {
        let digest = match host {
            Some(host) => self.digest(&format!("mac {host}")),
            None => self.digest("bridge mac"),
        };
        let tail: Vec<String> = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        format!("02:{}", tail.join(":"))
    }

    /// `/etc/machine-id` of a host: 32 hexadecimal digits (machine-id(5)).
    pub(super) fn machine_id(&self, host: &str) -> String {
        let digest = self.digest(&format!("machine-id {host}"));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What a host's first process carries in its environment, so that it is known from outside without a pid file.
    pub(super) fn identity(&self, host: &str) -> String {
        format!("{}/{host}", self.tag("bridge"))
    }
}

/// The start of a name, in characters that read well in `ip link`.
fn readable(name: &str) -> String {
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).take(READABLE_LEN).collect();
    kept.to_ascii_lowercase()
}

/// A host name of one label: RFC 1123, lower case.
pub(super) fn check_host(name: &str) -> Result<(), LabError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ok = (1..=HOST_NAME_MAX).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name != "localhost";
    let rule =
        "1 to 63 lower-case letters, digits and dashes, with no dash at either end, and not `localhost`";
    if ok { Ok(()) } else { Err(LabError::BadName { what: "host", given: name.to_owned(), rule }) }
}

/// A lab's name is a folder's name: no separator and no leading dot can be in it.
pub(super) fn check_lab(name: &str) -> Result<(), LabError> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ok = (1..=LAB_NAME_MAX).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rule = "1 to 63 letters, digits, dashes, underscores and dots, with a letter or digit first";
    if ok { Ok(()) } else { Err(LabError::BadName { what: "lab", given: name.to_owned(), rule }) }
}

/// A login name as Debian's `adduser` takes it.
pub(super) fn check_user(name: &str) -> Result<(), LabError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let ok = (1..=USER_NAME_MAX).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rule = "1 to 32 lower-case letters, digits, dashes and underscores, with a letter first";
    if ok { Ok(()) } else { Err(LabError::BadName { what: "login user", given: name.to_owned(), rule }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux keeps interface names in 16 bytes with the closing zero (`IFNAMSIZ`).
    const INTERFACE_NAME_MAX: usize = 15;

    fn names(root: &str, lab: &str) -> Names {
        Names::new(Path::new(root), lab)
    }

    #[test]
    fn interface_names_fit_the_kernel() {
        let names = names("/var/lib/standfast-lab", "a-very-long-stack-name.with_everything");
        for host in ["a", "lb1", "database-primary-in-rack-a-number-17", "x-1"] {
            assert!(names.cable(host).len() <= INTERFACE_NAME_MAX, "{}", names.cable(host));
            check_host(&names.machine(host)).unwrap();
        }
        assert!(names.bridge().len() <= INTERFACE_NAME_MAX, "{}", names.bridge());
    }

    #[test]
    fn names_are_stable_and_differ_by_root_lab_and_host() {
        let shop = names("/a", "shop");
        assert_eq!(shop.mac(Some("lb1")), names("/a", "shop").mac(Some("lb1")));
        let others = [
            shop.mac(Some("lb2")),
            shop.mac(None),
            names("/b", "shop").mac(Some("lb1")),
            names("/a", "shop2").mac(Some("lb1")),
        ];
        for other in others {
            assert_ne!(shop.mac(Some("lb1")), other);
        }
        assert_ne!(shop.machine("lb1"), names("/b", "shop").machine("lb1"));
        assert_ne!(shop.machine_id("lb1"), shop.machine_id("lb2"));
        // Long names that start alike stay apart.
        assert_ne!(shop.machine("database1"), shop.machine("database2"));
    }

    #[test]
    fn hardware_addresses_are_local_and_unicast() {
        let mac = names("/a", "shop").mac(Some("lb1"));
        assert_eq!(mac.len(), 17);
        assert!(mac.starts_with("02:"), "{mac}");
    }

    #[test]
    fn bad_names_are_refused() {
        for bad in ["", "-a", "a-", "Lb1", "a.b", "a_b", "localhost", "../x", &"x".repeat(64)] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
        for bad in ["", ".hidden", "a/b", "..", "a b"] {
            assert!(check_lab(bad).is_err(), "{bad}");
        }
        for bad in ["", "1a", "Deploy", "a:b", "a\nb"] {
            assert!(check_user(bad).is_err(), "{bad}");
        }
        check_host("lb1").unwrap();
        check_lab("shop-2_x.y").unwrap();
        check_user("deploy").unwrap();
    }
}
