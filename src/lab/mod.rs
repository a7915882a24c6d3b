//! Real hosts to rehearse on, on this machine: own systemd, sshd, address and disk, from one cached image.
//!
//! A host is an overlay file system on the image, booted by systemd-nspawn on the lab's bridge. There is no daemon of
//! ours and no pid file: a lab is found again from its folder, `/proc`, the mounts and the interfaces, so that every
//! operation works from a fresh process, also after a crash or a restart of the machine.
//!
//! Deliberately absent: drawing (`up` sends [`LabEvent`]s), blueprints (the caller hands over plain hosts), a way out
//! of the lab's network, and any engine that standfast itself would install.
//!
//! The pure parts are `layout`, `names`, `recipe`, `furnish` and what `keys` renders; the rest talks to the machine.
//! `docs/lab.md` tells users what a rehearsal can and cannot show.

mod cgroup;
mod command;
mod down;
mod error;
mod event;
mod furnish;
mod image;
mod keys;
mod layout;
mod link;
mod mounts;
mod names;
mod nspawn;
mod power;
mod process;
mod recipe;
mod record;
mod roots;
mod up;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

pub use error::LabError;
pub use event::{DownReport, HostState, HostStatus, LabEvent, UpReport};
pub use layout::{LabHost, LabSpec};
pub use roots::{CACHE_ENV, ROOT_ENV, Roots};

use names::Names;
use record::Record;

/// One lab, by name; it need not exist yet.
#[derive(Debug, Clone)]
pub struct Lab {
    name: String,
    roots: Roots,
    names: Names,
}

/// Paths of one host's files inside the lab's folder.
struct HostFolder {
    /// Holds all of the below.
    path: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    /// Where the disk is mounted.
    root: PathBuf,
    console: PathBuf,
}

impl Lab {
    /// The lab called `name`, which is the stack's name, kept where [`Roots::from_env`] says. Touches nothing.
    ///
    /// # Errors
    /// When the name cannot be a folder's name.
    pub fn open(name: &str) -> Result<Self, LabError> {
        Self::open_in(name, Roots::from_env())
    }

    /// As [`Lab::open`], kept in other folders.
    ///
    /// # Errors
    /// When the name cannot be a folder's name.
    pub fn open_in(name: &str, roots: Roots) -> Result<Self, LabError> {
        names::check_lab(name)?;
        let names = Names::new(&roots.state, name);
        Ok(Self { name: name.to_owned(), roots, names })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each host as it is now, in the order of the blueprint.
    ///
    /// # Errors
    /// When there is no such lab, or the machine cannot be asked.
    pub fn status(&self) -> Result<Vec<HostStatus>, LabError> {
        require_root()?;
        let record = self.record()?;
        let leaders = process::leaders();
        let links = link::links()?;
        let status = |host: &LabHost| {
            let identity = self.names.identity(&host.name);
            let leader = leaders.iter().find(|leader| leader.identity == identity);
            let cable = self.names.cable(&host.name);
            let plugged = links.iter().any(|link| link.name == cable && link.up);
            HostStatus {
                name: host.name.clone(),
                address: host.address,
                zone: host.zone.clone(),
                state: match (leader, plugged) {
                    (None, _) => HostState::Off,
                    (Some(_), true) => HostState::Running,
                    (Some(_), false) => HostState::Cut,
                },
                pid: leader.map(|leader| leader.pid),
                uptime: leader.map(|leader| leader.uptime),
                memory_bytes: leader.and_then(|leader| cgroup::memory_bytes(leader.pid)),
            }
        };
        Ok(record.hosts.iter().map(status).collect())
    }

    /// `ssh` to a host, ready to run or to get more arguments: options of ssh go before what to run there.
    ///
    /// # Errors
    /// When there is no such lab or host.
    pub fn ssh_command(&self, host: &str) -> Result<Command, LabError> {
        self.host(host)?;
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.folder().join(keys::SSH_CONFIG)).arg(host);
        Ok(command)
    }

    /// An ssh_config(5) that reaches every host of this lab by name and by address; `None` when there is no such lab.
    #[must_use]
    pub fn ssh_config(&self) -> Option<PathBuf> {
        let path = self.folder().join(keys::SSH_CONFIG);
        path.is_file().then_some(path)
    }

    fn folder(&self) -> PathBuf {
        self.roots.state.join(&self.name)
    }

    fn host_folder(&self, host: &str) -> HostFolder {
        let path = self.folder().join("hosts").join(host);
        HostFolder {
            upper: path.join("upper"),
            work: path.join("work"),
            root: path.join("root"),
            console: path.join("console.log"),
            path,
        }
    }

    fn record(&self) -> Result<Record, LabError> {
        Record::read(&self.folder())?.ok_or_else(|| LabError::NoSuchLab { lab: self.name.clone() })
    }

    fn host(&self, name: &str) -> Result<(Record, LabHost), LabError> {
        let record = self.record()?;
        match record.hosts.iter().find(|host| host.name == name).cloned() {
            Some(host) => Ok((record, host)),
            None => Err(LabError::NoSuchHost {
                lab: self.name.clone(),
                host: name.to_owned(),
                known: record.hosts.into_iter().map(|host| host.name).collect(),
            }),
        }
    }

    fn leader(&self, host: &str) -> Option<process::Leader> {
        let identity = self.names.identity(host);
        process::leaders().into_iter().find(|leader| leader.identity == identity)
    }

    /// One change of a lab at a time. The lab's folder must exist.
    fn lock(&self) -> Result<File, LabError> {
        roots::lock(&self.folder().join("lock"), || {})
    }
}

fn require_root() -> Result<(), LabError> {
    if !cfg!(target_os = "linux") {
        return Err(LabError::NotLinux);
    }
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(LabError::NotRoot) }
}
