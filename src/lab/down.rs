//! `down`: nothing of the lab is left, whatever state it was in. Needs no readable record.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::LabError;
use super::event::DownReport;
use super::record::Record;
use super::{Lab, cgroup, image, link, mounts, nspawn, process, require_root};

impl Lab {
    /// Takes the whole lab away: hosts, mounts, cables, bridge, control groups, disks, keys. With `purge_image` the
    /// cached images go too. A lab that does not exist is taken away already.
    ///
    /// # Errors
    /// When something cannot be removed, or another lab uses an image that is to be purged.
    pub fn down(&self, purge_image: bool) -> Result<DownReport, LabError> {
        require_root()?;
        let mut report = DownReport::default();
        let folder = self.folder();
        if folder.is_dir() {
            let lock = self.lock()?;
            self.take_down(&folder, &mut report)?;
            drop(lock);
        }
        // Also without a folder: somebody may have removed it under a running lab.
        link::remove(&self.names.bridge())?;
        if purge_image {
            report.images_purged = image::purge(&self.roots, &self.images_used()?)?;
        }
        Ok(report)
    }

    fn take_down(&self, folder: &Path, report: &mut DownReport) -> Result<(), LabError> {
        let hosts = self.hosts_to_remove(folder);
        for host in &hosts {
            if self.leader(host).is_some() {
                report.stopped.push(host.clone());
            }
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(|| self.pull_power(host))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Result<Vec<()>, LabError>>()
        })?;
        link::remove(&self.names.bridge())?;
        mounts::remove_tree(folder)?;
        let left = self.left(&hosts)?;
        if !left.is_empty() {
            return Err(LabError::LeftBehind { lab: self.name.clone(), left });
        }
        report.removed = hosts.into_iter().collect();
        Ok(())
    }

    /// From the record and from the folders: after a crash either may lack one.
    fn hosts_to_remove(&self, folder: &Path) -> BTreeSet<String> {
        let recorded = Record::read(folder).ok().flatten().map(|record| record.hosts).unwrap_or_default();
        let mut hosts: BTreeSet<String> = recorded.into_iter().map(|host| host.name).collect();
        let entries = std::fs::read_dir(folder.join("hosts")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        hosts.extend(names.filter(|name| super::names::check_host(name).is_ok()));
        hosts
    }

    /// What is still on the machine, in words.
    fn left(&self, hosts: &BTreeSet<String>) -> Result<Vec<String>, LabError> {
        let mut left = Vec::new();
        let links = link::links()?;
        let cables = hosts.iter().map(|host| self.names.cable(host));
        for name in cables.chain([self.names.bridge()]) {
            if links.iter().any(|link| link.name == name) {
                left.push(format!("interface {name}"));
            }
        }
        let folder = self.folder();
        let mounted = mounts::mounts()?.into_iter().filter(|mount| mount.at.starts_with(&folder));
        left.extend(mounted.map(|mount| format!("mount {}", mount.at.display())));
        for host in hosts {
            let machine = self.names.machine(host);
            if let Some(leader) = self.leader(host) {
                left.push(format!("process {}", leader.pid));
            }
            let argument = nspawn::keeper_argument(&self.host_folder(host).root);
            left.extend(process::keepers(&argument).into_iter().map(|pid| format!("process {pid}")));
            let groups = cgroup::leftovers(&machine)?.into_iter().chain(nspawn::leftovers(&machine));
            left.extend(groups.map(|path| path.display().to_string()));
        }
        Ok(left)
    }

    /// Images that some lab's disks lie on, with the lab's name.
    fn images_used(&self) -> Result<Vec<(String, String)>, LabError> {
        let mut used = Vec::new();
        for lab in self.roots.labs()? {
            if let Some(record) = Record::read(&self.roots.state.join(&lab)).ok().flatten() {
                used.push((record.image, lab));
            }
        }
        Ok(used)
    }
}
