//! A host's disk as it is when it first boots: the files that make it this host and no other, laid over the image.
//!
//! What goes where is pure ([`files`]); writing is one small function. A disk is written once, when it is made: later
//! it belongs to the host, and what was changed on it stays.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use super::error::LabError;
use super::layout::{LabHost, Layout};

const USER_ID: u32 = 1000;
const ROOT_ID: u32 = 0;

/// One file of a host's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostFile {
    /// Without the leading slash.
    pub(super) path: String,
    pub(super) content: String,
    pub(super) mode: u32,
    /// Numeric user and group, which are the same.
    pub(super) owner: u32,
}

/// What a host's disk is made from.
pub(super) struct Furniture<'a> {
    pub(super) host: &'a LabHost,
    pub(super) hosts: &'a [LabHost],
    pub(super) layout: &'a Layout,
    pub(super) user: &'a str,
    pub(super) mac: String,
    pub(super) machine_id: String,
    /// Public key line that lets the lab's user in.
    pub(super) user_key: String,
    /// The host's own key: private file content and public line.
    pub(super) host_key: (String, String),
    /// `/etc/passwd`, `/etc/group` and `/etc/shadow` of the image.
    pub(super) accounts: [String; 3],
}

/// All files of a new disk; refuses a login user that the image has for something else.
pub(super) fn files(of: &Furniture<'_>) -> Result<Vec<HostFile>, LabError> {
    let name = &of.host.name;
    let root = |path: &str, content: String, mode: u32| HostFile {
        path: path.to_owned(),
        content,
        mode,
        owner: ROOT_ID,
    };
    let mut files = vec![
        root("etc/hostname", format!("{name}\n"), 0o644),
        root("etc/hosts", hosts_file(of.host, of.hosts), 0o644),
        root("etc/machine-id", format!("{}\n", of.machine_id), 0o444),
        root("etc/systemd/network/10-host0.network", network_file(of), 0o644),
        root("etc/ssh/ssh_host_ed25519_key", of.host_key.0.clone(), 0o600),
        root("etc/ssh/ssh_host_ed25519_key.pub", format!("{}\n", of.host_key.1), 0o644),
    ];
    let (home, owner) = if of.user == "root" {
        ("root".to_owned(), ROOT_ID)
    } else {
        files.extend(account_files(of.user, &of.accounts)?);
        (format!("home/{}", of.user), USER_ID)
    };
    let content = format!("{}\n", of.user_key);
    files.push(HostFile { path: format!("{home}/.ssh/authorized_keys"), content, mode: 0o600, owner });
    Ok(files)
}

fn hosts_file(host: &LabHost, hosts: &[LabHost]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    // Its own line first: `hostname --fqdn` and sudo ask for it.
    text.push_str(&host_line(host));
    for other in hosts.iter().filter(|other| other.name != host.name) {
        text.push_str(&host_line(other));
    }
    text
}

fn host_line(host: &LabHost) -> String {
    format!("{} {}\n", host.address, host.name)
}

/// Lines that `/etc/hosts` of an older host lacks for hosts that joined the lab later; empty when it knows all.
pub(super) fn missing_host_lines(current: &str, hosts: &[LabHost]) -> String {
    let knows = |host: &&LabHost| {
        current.lines().any(|line| line.split_whitespace().skip(1).any(|name| name == host.name))
    };
    hosts.iter().filter(|host| !knows(host)).map(host_line).collect()
}

/// No gateway: a lab has no way out, and a connection that tries fails at once instead of timing out.
fn network_file(of: &Furniture<'_>) -> String {
    format!(
        "[Match]\nName=host0\n\n[Link]\nMACAddress={}\n\n[Network]\nAddress={}/{}\nLinkLocalAddressing=no\n\
         IPv6AcceptRA=no\nLLDP=no\n",
        of.mac,
        of.host.address,
        of.layout.subnet.prefix_len(),
    )
}

fn account_files(user: &str, accounts: &[String; 3]) -> Result<Vec<HostFile>, LabError> {
    let [passwd, group, shadow] = accounts;
    let taken = |file: &String| file.lines().any(|line| line.split(':').next() == Some(user));
    if taken(passwd) || taken(group) {
        let rule = "a name that Debian itself does not use";
        return Err(LabError::BadName { what: "login user", given: user.to_owned(), rule });
    }
    let append = |path: &str, before: &str, line: String, mode: u32| HostFile {
        path: path.to_owned(),
        content: format!("{before}{line}\n"),
        mode,
        owner: ROOT_ID,
    };
    Ok(vec![
        append("etc/passwd", passwd, format!("{user}:x:{USER_ID}:{USER_ID}::/home/{user}:/bin/bash"), 0o644),
        append("etc/group", group, format!("{user}:x:{USER_ID}:"), 0o644),
        // `*`: no password will ever match, but the account is not locked, so a key lets in.
        append("etc/shadow", shadow, format!("{user}:*:19000:0:99999:7:::"), 0o640),
        append("etc/sudoers.d/90-standfast-lab", "", format!("{user} ALL=(ALL:ALL) NOPASSWD: ALL"), 0o440),
    ])
}

/// Writes files below `disk`, making the folders above them with the modes that the image has.
pub(super) fn write(disk: &Path, files: &[HostFile]) -> Result<(), LabError> {
    for file in files {
        let path = disk.join(&file.path);
        make_folders(disk, file)?;
        std::fs::write(&path, &file.content).map_err(LabError::io("write", &path))?;
        // Owner first: a change of owner would clear bits of the mode.
        let group = if file.path == "etc/shadow" { SHADOW_GROUP } else { file.owner };
        chown(&path, Some(file.owner), Some(group)).map_err(LabError::io("set the owner of", &path))?;
        std::fs::set_permissions(&path, Permissions::from_mode(file.mode))
            .map_err(LabError::io("set the mode of", &path))?;
    }
    Ok(())
}

/// Debian's fixed number (base-passwd).
const SHADOW_GROUP: u32 = 42;

/// A folder made here shows through with our mode, even where the image has it too.
fn make_folders(disk: &Path, file: &HostFile) -> Result<(), LabError> {
    let mut folder = disk.to_owned();
    let names: Vec<&str> = file.path.split('/').collect();
    for (depth, name) in names.iter().enumerate().take(names.len().saturating_sub(1)) {
        folder.push(name);
        if folder.exists() {
            continue;
        }
        let home = names.first() == Some(&"home") && depth >= 1;
        let private = *name == ".ssh" || (*name == "root" && depth == 0);
        let (mode, owner) = (if private { 0o700 } else { 0o755 }, if home { file.owner } else { ROOT_ID });
        DirBuilder::new().mode(mode).create(&folder).map_err(LabError::io("make a folder", &folder))?;
        std::fs::set_permissions(&folder, Permissions::from_mode(mode))
            .map_err(LabError::io("set the mode of", &folder))?;
        chown(&folder, Some(owner), Some(owner)).map_err(LabError::io("set the owner of", &folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, address: &str) -> LabHost {
        LabHost { name: name.into(), address: address.parse().unwrap(), zone: "rack-a".into() }
    }

    fn furnish(user: &str) -> Result<Vec<HostFile>, LabError> {
        let hosts = [host("lb1", "10.77.0.11"), host("web1", "10.77.0.21")];
        let layout =
            Layout { subnet: "10.77.0.0/24".parse().unwrap(), gateway: "10.77.0.1".parse().unwrap() };
        files(&Furniture {
            host: &hosts[1],
            hosts: &hosts,
            layout: &layout,
            user,
            mac: "02:00:00:00:00:01".into(),
            machine_id: "0123".into(),
            user_key: "ssh-ed25519 AAAA lab".into(),
            host_key: ("PRIVATE\n".into(), "ssh-ed25519 BBBB root@web1".into()),
            accounts: [
                "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/:/x\n".into(),
                "root:x:0:\n".into(),
                "root:*:1::::::\n".into(),
            ],
        })
    }

    fn content<'a>(files: &'a [HostFile], path: &str) -> &'a HostFile {
        files.iter().find(|file| file.path == path).unwrap()
    }

    #[test]
    fn a_host_knows_itself_and_the_others() {
        let files = furnish("deploy").unwrap();
        let hosts = &content(&files, "etc/hosts").content;
        assert!(hosts.ends_with("10.77.0.21 web1\n10.77.0.11 lb1\n"), "{hosts}");
        let network = &content(&files, "etc/systemd/network/10-host0.network").content;
        assert!(network.contains("MACAddress=02:00:00:00:00:01\n"), "{network}");
        assert!(network.contains("Address=10.77.0.21/24\n"), "{network}");
        assert!(!network.contains("Gateway"), "{network}");
    }

    #[test]
    fn secrets_are_private() {
        let files = furnish("deploy").unwrap();
        assert_eq!(content(&files, "etc/ssh/ssh_host_ed25519_key").mode, 0o600);
        assert_eq!(content(&files, "etc/shadow").mode, 0o640);
        assert_eq!(content(&files, "etc/sudoers.d/90-standfast-lab").mode, 0o440);
    }

    #[test]
    fn the_login_user_is_added_and_root_is_not() {
        let files = furnish("deploy").unwrap();
        assert!(
            content(&files, "etc/passwd").content.ends_with("deploy:x:1000:1000::/home/deploy:/bin/bash\n")
        );
        assert_eq!(content(&files, "home/deploy/.ssh/authorized_keys").owner, 1000);
        let files = furnish("root").unwrap();
        assert!(!files.iter().any(|file| file.path == "etc/passwd"));
        assert_eq!(content(&files, "root/.ssh/authorized_keys").owner, 0);
        assert!(matches!(furnish("www-data"), Err(LabError::BadName { .. })));
    }

    #[test]
    fn hosts_that_joined_later_are_added_once() {
        let hosts = [host("lb1", "10.77.0.11"), host("web1", "10.77.0.21")];
        assert_eq!(missing_host_lines("10.77.0.11 lb1\n", &hosts), "10.77.0.21 web1\n");
        assert_eq!(missing_host_lines("10.77.0.11 lb1\n10.77.0.21 front web1\n", &hosts), "");
        // A name that only starts alike is another host.
        assert_eq!(missing_host_lines("10.77.0.11 lb1\n10.77.0.22 web10\n", &hosts), "10.77.0.21 web1\n");
    }
}
