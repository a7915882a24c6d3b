//! What the lab says while it works and when it is done. A closed set: whoever draws it draws all of it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv4Net;

/// Something that `up` does or has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabEvent {
    /// The image was in the cache.
    ImageCached,
    /// Another `up` on this machine is building the image; this one waits for it.
    ImageAwaited,
    /// Building the image: step `step` of `of` begins (counted from 1).
    ImageStep { step: usize, of: usize, label: &'static str },
    /// The image was built.
    ImageBuilt { took: Duration },
    /// The bridge is there.
    NetworkReady { bridge: String, subnet: Ipv4Net, gateway: Ipv4Addr },
    /// The host was running already and is left as it is.
    HostKept { host: String },
    /// The host is starting.
    HostBooting { host: String, address: Ipv4Addr },
    /// The host has finished booting and its sshd answers.
    HostReady { host: String, took: Duration },
    /// The host could not be started; the error that `up` returns says why.
    HostFailed { host: String },
}

/// What `up` has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpReport {
    pub subnet: Ipv4Net,
    /// This machine's own address in the lab.
    pub gateway: Ipv4Addr,
    pub bridge: String,
    /// The image was built in this run.
    pub image_built: bool,
    /// Names of hosts started in this run.
    pub started: Vec<String>,
    /// Names of hosts that were running already.
    pub kept: Vec<String>,
    /// Names of hosts of this lab that the blueprint no longer has; they are left as they are.
    pub extra: Vec<String>,
    /// For `ssh -F`.
    pub ssh_config: PathBuf,
}

/// What `down` has taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownReport {
    /// Names of hosts that were running.
    pub stopped: Vec<String>,
    /// Names of all hosts whose disks were removed.
    pub removed: Vec<String>,
    /// Cached images removed.
    pub images_purged: usize,
}

/// One host as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    pub name: String,
    pub address: Ipv4Addr,
    pub zone: String,
    pub state: HostState,
    /// Its first process as this machine numbers it; `None` when off.
    pub pid: Option<u32>,
    pub uptime: Option<Duration>,
    /// Page cache included; `None` when off or where the machine keeps no account.
    pub memory_bytes: Option<u64>,
}

/// Is a host there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    Running,
    /// Running, with its network cable pulled.
    Cut,
    Off,
}
