//! The way into a lab: one key pair for the user, one for each host, and the files that ssh reads.
//!
//! Host keys are made here and put in, so `known_hosts` is written and never scanned from the network.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::run;
use super::error::LabError;
use super::layout::LabHost;

pub(super) const USER_KEY: &str = "id_ed25519";
pub(super) const KNOWN_HOSTS: &str = "known_hosts";
pub(super) const SSH_CONFIG: &str = "ssh_config";

/// Makes an ed25519 pair at `path` and `path.pub` unless both are there.
pub(super) fn ensure_pair(path: &Path, comment: &str) -> Result<(), LabError> {
    let public = public_half(path);
    if path.exists() && public.exists() {
        return Ok(());
    }
    for half in [path, &public] {
        match std::fs::remove_file(half) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::io("remove half a key pair", half)(error));
            }
            _ => {}
        }
    }
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path);
    run("make a key pair", &mut command).map(drop)
}

/// The public half of the pair at `path`, one line.
pub(super) fn read_public(path: &Path) -> Result<String, LabError> {
    let public = public_half(path);
    let text = std::fs::read_to_string(&public).map_err(LabError::io("read a public key", &public))?;
    Ok(text.trim().to_owned())
}

fn public_half(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// `known_hosts` with each host under its name and its address (sshd(8)). `keys` are public key lines.
pub(super) fn known_hosts(hosts: &[LabHost], keys: &[String]) -> String {
    let mut text = String::new();
    for (host, key) in hosts.iter().zip(keys) {
        // Type and key; the comment behind them says nothing here.
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        let _ = writeln!(text, "{},{} {}", host.name, host.address, key.join(" "));
    }
    text
}

/// A whole ssh_config(5) for `ssh -F`: nothing of the user's own configuration or agent is mixed in.
pub(super) fn ssh_config(lab_folder: &Path, user: &str, hosts: &[LabHost]) -> String {
    let file = |name: &str| quoted(&lab_folder.join(name));
    let mut text = String::from("# Written by `standfast lab up`; changes here are overwritten.\n");
    for host in hosts {
        let _ = write!(text, "\nHost {} {}\n    HostName {}\n", host.name, host.address, host.address);
    }
    let names: Vec<String> = hosts.iter().map(|host| format!("{} {}", host.name, host.address)).collect();
    let _ = write!(
        text,
        "\nHost {}\n    User {user}\n    IdentityFile {}\n    IdentitiesOnly yes\n    IdentityAgent none\n    \
         UserKnownHostsFile {}\n    GlobalKnownHostsFile none\n    StrictHostKeyChecking yes\n    \
         UpdateHostKeys no\n    PasswordAuthentication no\n",
        names.join(" "),
        file(USER_KEY),
        file(KNOWN_HOSTS),
    );
    text
}

/// ssh expands `%` and splits at blanks.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<LabHost> {
        let host = |name: &str, address: &str| LabHost {
            name: name.into(),
            address: address.parse().unwrap(),
            zone: "rack-a".into(),
        };
        vec![host("lb1", "10.77.0.11"), host("lb2", "10.77.0.12")]
    }

    #[test]
    fn known_hosts_has_names_and_addresses() {
        let keys = ["ssh-ed25519 AAAA root@lb1".to_owned(), "ssh-ed25519 BBBB root@lb2".to_owned()];
        assert_eq!(
            known_hosts(&hosts(), &keys),
            "lb1,10.77.0.11 ssh-ed25519 AAAA\nlb2,10.77.0.12 ssh-ed25519 BBBB\n"
        );
    }

    #[test]
    fn ssh_itself_reads_the_config() {
        let folder = tempfile::tempdir().unwrap();
        let lab = folder.path().join("100% a lab");
        std::fs::create_dir(&lab).unwrap();
        let config = lab.join(SSH_CONFIG);
        std::fs::write(&config, ssh_config(&lab, "deploy", &hosts())).unwrap();
        for name in ["lb2", "10.77.0.12"] {
            let told =
                run("ask ssh", Command::new("ssh").arg("-G").arg("-F").arg(&config).arg(name)).unwrap();
            for line in
                ["hostname 10.77.0.12", "user deploy", "stricthostkeychecking true", "identitiesonly yes"]
            {
                assert!(told.lines().any(|other| other == line), "{name}: {line}\n{told}");
            }
        }
    }

    #[test]
    fn half_a_pair_is_made_anew_and_a_whole_one_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "torn").unwrap();
        ensure_pair(&path, "a test").unwrap();
        let public = read_public(&path).unwrap();
        assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" a test"), "{public}");
        ensure_pair(&path, "another").unwrap();
        assert_eq!(read_public(&path).unwrap(), public);
    }
}
