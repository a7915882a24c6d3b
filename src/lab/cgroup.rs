//! A control group for each host, on machines where no systemd hands them out.
//!
//! Without one of its own, every host started from the same shell would share one group, and each host's systemd
//! would count the processes of the others as its own. On a machine that runs systemd, systemd-nspawn asks it for a
//! scope, and nothing here is needed but [`memory_bytes`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::LabError;
use super::mounts::{self, Mount};
use super::process::wait_until;

const PARENT: &str = "standfast-lab";
/// The v1 hierarchies that matter: systemd's own for tracking, the other two for figures.
const V1_WANTED: [&str; 3] = ["name=systemd", "memory", "pids"];

/// How long the ended processes of a host may take to leave its groups.
const EMPTY_LIMIT: Duration = Duration::from_secs(5);

/// Does systemd run this machine? (sd_booted(3))
pub(super) fn machine_runs_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn hierarchies() -> Result<Vec<PathBuf>, LabError> {
    let wanted = |mount: &Mount| match mount.fs_type.as_str() {
        "cgroup2" => true,
        "cgroup" => mount.options.split(',').any(|option| V1_WANTED.contains(&option)),
        _ => false,
    };
    Ok(mounts::mounts()?.into_iter().filter(wanted).map(|mount| mount.at).collect())
}

/// Makes the groups of a host; a process is moved by writing to `cgroup.procs` in each.
pub(super) fn make(machine: &str) -> Result<Vec<PathBuf>, LabError> {
    let mut made = Vec::new();
    for hierarchy in hierarchies()? {
        let folder = hierarchy.join(PARENT).join(machine);
        std::fs::create_dir_all(&folder).map_err(LabError::io("make a control group", &folder))?;
        made.push(folder);
    }
    Ok(made)
}

/// Removes the groups of a host, and the parent with the last of them.
pub(super) fn remove(machine: &str) -> Result<(), LabError> {
    for hierarchy in hierarchies()? {
        let parent = hierarchy.join(PARENT);
        let group = parent.join(machine);
        // A process that has ended stays in its group until its parent has asked for its exit code.
        let gone = wait_until(EMPTY_LIMIT, || remove_groups(&group).is_ok());
        if !gone {
            remove_groups(&group)?;
        }
        // Fails while other hosts are in it, as it should.
        let _ = std::fs::remove_dir(&parent);
    }
    Ok(())
}

/// A group is removed with `rmdir`, children first; its files are the kernel's.
fn remove_groups(folder: &Path) -> Result<(), LabError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_groups(&entry.path())?;
    }
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::io("remove a control group", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Is a group of this host left?
pub(super) fn leftovers(machine: &str) -> Result<Vec<PathBuf>, LabError> {
    let folders = hierarchies()?.into_iter().map(|hierarchy| hierarchy.join(PARENT).join(machine));
    Ok(folders.filter(|folder| folder.exists()).collect())
}

/// Memory that a running host uses, page cache included, in bytes; `None` where the machine does not account for it.
pub(super) fn memory_bytes(leader: u32) -> Option<u64> {
    let groups = std::fs::read_to_string(format!("/proc/{leader}/cgroup")).ok()?;
    let mounts = mounts::mounts().ok()?;
    let v1 = mounts
        .iter()
        .find(|mount| mount.fs_type == "cgroup" && mount.options.split(',').any(|option| option == "memory"));
    let (mount, group, file) = match v1 {
        Some(mount) => (mount, group_of(&groups, "memory")?, "memory.usage_in_bytes"),
        None => (
            mounts.iter().find(|mount| mount.fs_type == "cgroup2")?,
            group_of(&groups, "")?,
            "memory.current",
        ),
    };
    let folder = mount.at.join(group.trim_start_matches('/'));
    std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// The whole host's group from a line of `/proc/PID/cgroup`: its first process sits in `payload/init.scope` below it.
fn group_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    let line = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let controllers = fields.nth(1)?;
        controllers.split(',').any(|name| name == controller).then(|| fields.next())?
    })?;
    let line = line.strip_suffix("/init.scope").unwrap_or(line);
    let group = line.strip_suffix("/payload").unwrap_or(line);
    // The root group is the whole machine, not a host.
    (group != "/" && !group.is_empty()).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_the_whole_host_is_found() {
        let v1 = "9:name=systemd:/standfast-lab/x/payload/init.scope\n4:memory:/standfast-lab/x\n0::/standfast-lab/x/payload/init.scope\n";
        assert_eq!(group_of(v1, "memory"), Some("/standfast-lab/x"));
        assert_eq!(group_of(v1, ""), Some("/standfast-lab/x"));
        assert_eq!(group_of("0::/init.scope\n", ""), None);
        assert_eq!(group_of("4:memory:/\n", "memory"), None);
    }
}
