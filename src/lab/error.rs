//! What can go wrong with a lab, each named after the operation that failed, with the next move in [`LabError::next_move`].

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv4Net;

/// A failed lab operation. `Display` says what failed and why; [`LabError::next_move`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("a lab needs Linux: its hosts are systemd-nspawn containers on this machine's own kernel")]
    NotLinux,
    #[error("a lab needs root: it mounts file systems, makes a bridge and starts hosts")]
    NotRoot,
    #[error("a lab needs `{tool}`, which is not on this machine")]
    MissingTool { tool: String, package: &'static str },
    #[error("`{given}` cannot name a {what}: {rule}")]
    BadName { what: &'static str, given: String, rule: &'static str },
    #[error("a lab needs at least one host, and this blueprint names none that can be rehearsed")]
    NoHosts,
    #[error("hosts `{first}` and `{second}` have the same address {address}")]
    SharedAddress { address: Ipv4Addr, first: String, second: String },
    #[error("host `{host}` is named twice, with the addresses {first} and {second}")]
    HostTwice { host: String, first: Ipv4Addr, second: Ipv4Addr },
    #[error(
        "{address} ({of}) cannot be rehearsed: it is not a private address, and a lab on it would hide the real one"
    )]
    AddressNotPrivate { address: Ipv4Addr, of: String },
    #[error("the lab's addresses span {subnet}, wider than the /{limit} that one lab may take")]
    SubnetTooWide { subnet: Ipv4Net, limit: u8 },
    #[error("{address} ({of}) is the network or broadcast address of the lab's subnet {subnet}")]
    AddressReserved { address: Ipv4Addr, of: String, subnet: Ipv4Net },
    #[error("no address of {subnet} is left for the lab's bridge")]
    SubnetFull { subnet: Ipv4Net },
    #[error("the lab's subnet {subnet} is in use on this machine: {by}")]
    SubnetInUse { subnet: Ipv4Net, by: String },
    #[error("the interface `{name}` that the lab needs as its bridge is something else: {what}")]
    BridgeTaken { name: String, what: String },
    #[error("lab `{lab}` does not fit this blueprint: {what}")]
    LabDiffers { lab: String, what: String },
    #[error("there is no lab `{lab}`")]
    NoSuchLab { lab: String },
    #[error("lab `{lab}` has no host `{host}`; it has {}", known.join(", "))]
    NoSuchHost { lab: String, host: String, known: Vec<String> },
    #[error("host `{host}` of lab `{lab}` is off")]
    HostOff { lab: String, host: String },
    #[error("the image {image} that the disks of lab `{lab}` were made from is gone")]
    ImageGone { lab: String, image: PathBuf },
    #[error("the cached images are still in use by {by}")]
    ImageInUse { by: String },
    #[error("only {} MiB are free under {path}, and {what} needs {} MiB", free_bytes / MIB, need_bytes / MIB)]
    DiskNearlyFull { path: PathBuf, what: &'static str, free_bytes: u64, need_bytes: u64 },
    #[error("could not build the host image: {why}\n{tail}")]
    ImageBuild { why: String, tail: String },
    #[error("host `{host}` did not come up: {why}\n{tail}")]
    HostNotUp { host: String, why: String, console: PathBuf, tail: String },
    #[error("host `{host}` did not go down within {} s", after.as_secs())]
    HostNotDown { host: String, after: Duration },
    #[error("lab `{lab}` is not wholly gone, this is left: {}", left.join(", "))]
    LeftBehind { lab: String, left: Vec<String> },
    #[error("{path} is no record of a lab that this version can read: {why}")]
    BadRecord { path: PathBuf, why: String },
    #[error("{path} cannot hold a lab: the kernel's overlay mount takes no path with `:`, `,` or `\\` in it")]
    BadPath { path: PathBuf },
    #[error("could not {doing}: {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("could not {doing}: `{command}` failed: {why}")]
    Command { doing: String, command: String, why: String },
}

const MIB: u64 = 1024 * 1024;

impl LabError {
    /// What the user can do next, one line, or `None` where the message already says it all.
    #[must_use]
    pub fn next_move(&self) -> Option<String> {
        let text = match self {
            Self::NotLinux => {
                "run the lab on a Linux machine or in a Linux virtual machine; `provider: sim` rehearses anywhere".into()
            }
            Self::NotRoot => "run the same command with `sudo`".into(),
            Self::MissingTool { package, .. } => format!("apt-get install {package}"),
            Self::BadName { .. } | Self::SharedAddress { .. } | Self::HostTwice { .. } => {
                "correct it in the blueprint".into()
            }
            Self::NoHosts => "give a region with `provider: ssh` zones with hosts and their addresses".into(),
            Self::AddressNotPrivate { .. } | Self::SubnetTooWide { .. } | Self::AddressReserved { .. } => {
                "rehearse with an environment overlay that gives the hosts private addresses close together".into()
            }
            Self::SubnetFull { .. } | Self::SubnetInUse { .. } => {
                "take other addresses for the rehearsal, for example with an environment overlay".into()
            }
            Self::BridgeTaken { name, .. } => format!("remove it with `ip link delete {name}` if nothing needs it"),
            Self::LabDiffers { .. } | Self::ImageGone { .. } | Self::BadRecord { .. } => {
                "take the lab down with `standfast lab down` and bring it up anew".into()
            }
            Self::NoSuchLab { .. } => "bring it up with `standfast lab up BLUEPRINT`".into(),
            Self::HostOff { host, .. } => format!("standfast lab power-on {host}"),
            Self::ImageInUse { .. } => "take those labs down first".into(),
            Self::DiskNearlyFull { path, .. } => {
                format!("free space on the disk of {}, or choose another with {}", path.display(), super::ROOT_ENV)
            }
            Self::ImageBuild { .. } => {
                "check that `apt-get update` works on this machine, then run `standfast lab up` again".into()
            }
            Self::HostNotUp { console, .. } => format!("its whole console log is {}", console.display()),
            Self::HostNotDown { .. } => "try again; `standfast lab down` takes the whole lab away".into(),
            Self::LeftBehind { .. } => "end what still uses it, then run `standfast lab down` again".into(),
            Self::BadPath { .. } => format!("choose other folders with {} and {}", super::ROOT_ENV, super::CACHE_ENV),
            Self::NoSuchHost { .. } | Self::Io { .. } | Self::Command { .. } => return None,
        };
        Some(text)
    }

    /// Makes the closure that `map_err` wants for an I/O error on `path`.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
