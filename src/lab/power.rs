//! Taking a host's power or network away and giving it back, as a rehearsal does. Each works from a fresh process.

use std::time::Duration;

use super::error::LabError;
use super::layout::Layout;
use super::{Lab, cgroup, image, link, mounts, nspawn, process, require_root};

/// The kernel ends a host in milliseconds; a loaded machine gets its time.
const OFF_LIMIT: Duration = Duration::from_secs(10);
/// How long systemd-nspawn gets to notice by itself that its host is gone.
const KEEPER_LIMIT: Duration = Duration::from_secs(2);

impl Lab {
    /// Cuts a host's power: no shutdown, no goodbye on the network. Its disk stays. A host that is off stays off.
    ///
    /// # Errors
    /// When there is no such lab or host, or the host cannot be ended.
    pub fn power_off(&self, host: &str) -> Result<(), LabError> {
        require_root()?;
        let (_, host) = self.host(host)?;
        let _lock = self.lock()?;
        self.pull_power(&host.name)
    }

    /// Boots a host with its disk as it was, and its network plugged in; returns how long until it answered.
    /// `None` when it was running already.
    ///
    /// # Errors
    /// When there is no such lab or host, or the host does not come up.
    pub fn power_on(&self, host: &str) -> Result<Option<Duration>, LabError> {
        require_root()?;
        let _lock = self.host(host).and_then(|_| self.lock())?;
        let (record, host) = self.host(host)?;
        if self.leader(&host.name).is_some() {
            return Ok(None);
        }
        let layout = Layout { subnet: record.subnet, gateway: record.gateway };
        link::ensure_bridge(&self.names.bridge(), &self.names.mac(None), &layout)?;
        let disk = self.host_folder(&host.name);
        if !mounts::is_mounted(&disk.root)? {
            let lower = image::path(&self.roots, &record.image);
            if !lower.is_dir() {
                return Err(LabError::ImageGone { lab: self.name.clone(), image: lower });
            }
            mounts::overlay(&lower, &disk.upper, &disk.work, &disk.root)?;
        }
        self.boot(&host).map(Some)
    }

    /// Pulls a host's network cable; the host runs on.
    ///
    /// # Errors
    /// When there is no such lab or host, or the host is off.
    pub fn cut(&self, host: &str) -> Result<(), LabError> {
        self.plug(host, false)
    }

    /// Plugs a host's network cable in again.
    ///
    /// # Errors
    /// When there is no such lab or host, or the host is off.
    pub fn heal(&self, host: &str) -> Result<(), LabError> {
        self.plug(host, true)
    }

    fn plug(&self, host: &str, into: bool) -> Result<(), LabError> {
        require_root()?;
        let (_, host) = self.host(host)?;
        let _lock = self.lock()?;
        if self.leader(&host.name).is_none() {
            return Err(LabError::HostOff { lab: self.name.clone(), host: host.name });
        }
        link::plug(&self.names.cable(&host.name), into)
    }

    /// Ends a host at once and takes away what it leaves on the machine. Its disk stays mounted.
    pub(super) fn pull_power(&self, host: &str) -> Result<(), LabError> {
        let cable = self.names.cable(host);
        // The cable first: a dying kernel would close the host's connections, as no machine without power does.
        link::unplug_if_there(&cable)?;
        if let Some(leader) = self.leader(host) {
            // The kernel ends a whole process namespace with its first process (pid_namespaces(7)).
            process::kill(leader.pid, || self.leader(host).is_some_and(|now| now.pid == leader.pid))?;
        }
        let not_down = || LabError::HostNotDown { host: host.to_owned(), after: OFF_LIMIT };
        if !process::wait_until(OFF_LIMIT, || self.leader(host).is_none()) {
            return Err(not_down());
        }
        let argument = nspawn::keeper_argument(&self.host_folder(host).root);
        if !process::wait_until(KEEPER_LIMIT, || process::keepers(&argument).is_empty()) {
            self.end_keepers(host)?;
            if !process::wait_until(OFF_LIMIT, || process::keepers(&argument).is_empty()) {
                return Err(not_down());
            }
        }
        link::remove(&cable)?;
        let machine = self.names.machine(host);
        nspawn::remove_leftovers(&machine)?;
        cgroup::remove(&machine)
    }
}
