//! `up`: from a list of hosts to hosts that answer. Idempotent: what is there and fits is kept, what is missing is made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::error::LabError;
use super::event::{LabEvent, UpReport};
use super::layout::{LabHost, LabSpec, Layout};
use super::record::Record;
use super::roots::{private_folder, require_space, write_whole};
use super::{Lab, command, furnish, image, keys, link, mounts, nspawn, process, require_root};

/// What a handful of hosts write in a rehearsal.
const HOSTS_SPACE_BYTES: u64 = 512 << 20;
/// A host that has booted long ago answers at once, or its sshd was broken on purpose.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const LAB_KEY_COMMENT: &str = "standfast lab";

/// A host's part in this run of `up`.
enum Outcome {
    Kept,
    Started,
}

impl Lab {
    /// Brings the lab up: image, bridge, disks, hosts. Running hosts are kept as they are; those that are off are
    /// started with their disks as they were. Returns when every host of `spec` has booted and its sshd answers.
    ///
    /// # Errors
    /// See [`LabError`]. Hosts that did start stay up, and a further `up` goes on from there.
    pub fn up(&self, spec: &LabSpec, on_event: &mut dyn FnMut(LabEvent)) -> Result<UpReport, LabError> {
        require_root()?;
        let wanted = spec.layout()?;
        command::require_tools()?;
        nspawn::require()?;
        let folder = self.folder();
        private_folder(&self.roots.state)?;
        private_folder(&folder)?;
        let _lock = self.lock()?;
        let outcome = self.bring_up(spec, &wanted, on_event);
        if outcome.is_err() && !Record::exists(&folder) {
            // Nothing was made yet. The error matters more than what removing an empty folder might say.
            let _ = mounts::remove_tree(&folder);
        }
        outcome
    }

    /// Called with the lab's lock held.
    fn bring_up(
        &self,
        spec: &LabSpec,
        wanted: &Layout,
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<UpReport, LabError> {
        let folder = self.folder();
        require_space(&folder, HOSTS_SPACE_BYTES, "a lab")?;
        let known = Record::read(&folder)?;
        let (image_digest, image_built) = match &known {
            // Its disks lie on that very image; another one below them would be another machine.
            Some(record) if image::path(&self.roots, &record.image).is_dir() => {
                on_event(LabEvent::ImageCached);
                (record.image.clone(), false)
            }
            Some(record) if !record.hosts.is_empty() => {
                return Err(LabError::ImageGone {
                    lab: self.name.clone(),
                    image: image::path(&self.roots, &record.image),
                });
            }
            _ => image::ensure(&self.roots, on_event)?,
        };
        let fresh = || Record::new(&spec.user, wanted.subnet, wanted.gateway, image_digest.clone());
        let mut record = known.unwrap_or_else(fresh);
        let extra = record.merge(&self.name, &spec.user, &spec.hosts)?;
        let layout = self.fit(&mut record, spec)?;

        let bridge = self.names.bridge();
        link::ensure_bridge(&bridge, &self.names.mac(None), &layout)?;
        on_event(LabEvent::NetworkReady {
            bridge: bridge.clone(),
            subnet: layout.subnet,
            gateway: layout.gateway,
        });
        // Before the first disk: what exists is recorded, so that a run that dies here is gone on with.
        record.write(&folder)?;
        self.write_keys(&record)?;
        for host in &record.hosts {
            self.ensure_disk(host, &record, &layout)?;
        }
        let hosts: Vec<&LabHost> = record
            .hosts
            .iter()
            .filter(|host| spec.hosts.iter().any(|other| other.name == host.name))
            .collect();
        let (started, kept) = self.start_all(&record, &hosts, on_event)?;
        Ok(UpReport {
            subnet: layout.subnet,
            gateway: layout.gateway,
            bridge,
            image_built,
            started,
            kept,
            extra,
            ssh_config: folder.join(keys::SSH_CONFIG),
        })
    }

    /// The network for all hosts, old and new: the one that the lab has, if the new ones fit in.
    fn fit(&self, record: &mut Record, spec: &LabSpec) -> Result<Layout, LabError> {
        let reserved: BTreeSet<_> = record.reserved.iter().chain(&spec.reserved).copied().collect();
        record.reserved = reserved.into_iter().collect();
        let all = LabSpec {
            hosts: record.hosts.clone(),
            reserved: record.reserved.clone(),
            user: record.user.clone(),
        };
        let needed = all.layout()?;
        let differs = |what: String| LabError::LabDiffers { lab: self.name.clone(), what };
        if !record.subnet.contains(&needed.subnet) {
            return Err(differs(format!(
                "its subnet is {}, and the hosts need {}",
                record.subnet, needed.subnet
            )));
        }
        let takes_gateway = record.reserved.contains(&record.gateway)
            || record.hosts.iter().any(|host| host.address == record.gateway);
        if takes_gateway {
            return Err(differs(format!("its bridge has {}, which the blueprint now needs", record.gateway)));
        }
        Ok(Layout { subnet: record.subnet, gateway: record.gateway })
    }

    fn write_keys(&self, record: &Record) -> Result<(), LabError> {
        let folder = self.folder();
        keys::ensure_pair(&folder.join(keys::USER_KEY), LAB_KEY_COMMENT)?;
        private_folder(&folder.join("host-keys"))?;
        let mut public = Vec::with_capacity(record.hosts.len());
        for host in &record.hosts {
            let pair = self.host_key(&host.name);
            keys::ensure_pair(&pair, &format!("root@{}", host.name))?;
            public.push(keys::read_public(&pair)?);
        }
        write_whole(&folder.join(keys::KNOWN_HOSTS), keys::known_hosts(&record.hosts, &public).as_bytes())?;
        let config = keys::ssh_config(&folder, &record.user, &record.hosts);
        write_whole(&folder.join(keys::SSH_CONFIG), config.as_bytes())
    }

    fn host_key(&self, host: &str) -> std::path::PathBuf {
        self.folder().join("host-keys").join(host)
    }

    /// Makes and mounts a host's disk. One that exists is mounted as it is, but for names of hosts that joined later.
    fn ensure_disk(&self, host: &LabHost, record: &Record, layout: &Layout) -> Result<(), LabError> {
        let disk = self.host_folder(&host.name);
        let lower = image::path(&self.roots, &record.image);
        if !disk.path.is_dir() {
            let hosts = self.folder().join("hosts");
            private_folder(&hosts)?;
            // Furnished aside and renamed when whole: half a disk would boot as half a host.
            let aside = hosts.join(format!(".{}", host.name));
            mounts::remove_tree(&aside)?;
            for part in ["", "upper", "work", "root"] {
                let part = aside.join(part);
                std::fs::create_dir(&part).map_err(LabError::io("make a host's disk", &part))?;
            }
            self.furnish(&aside.join("upper"), &lower, host, record, layout)?;
            std::fs::rename(&aside, &disk.path).map_err(LabError::io("make a host's disk", &disk.path))?;
        }
        if !mounts::is_mounted(&disk.root)? {
            mounts::overlay(&lower, &disk.upper, &disk.work, &disk.root)?;
        }
        let path = disk.root.join("etc/hosts");
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        let missing = furnish::missing_host_lines(&current, &record.hosts);
        if !missing.is_empty() {
            std::fs::write(&path, current + &missing).map_err(LabError::io("write", &path))?;
        }
        Ok(())
    }

    fn furnish(
        &self,
        upper: &Path,
        image: &Path,
        host: &LabHost,
        record: &Record,
        layout: &Layout,
    ) -> Result<(), LabError> {
        let read =
            |path: std::path::PathBuf| std::fs::read_to_string(&path).map_err(LabError::io("read", &path));
        let pair = self.host_key(&host.name);
        let accounts = ["passwd", "group", "shadow"].map(|file| read(image.join("etc").join(file)));
        let [passwd, group, shadow] = accounts;
        let files = furnish::files(&furnish::Furniture {
            host,
            hosts: &record.hosts,
            layout,
            user: &record.user,
            mac: self.names.mac(Some(&host.name)),
            machine_id: self.names.machine_id(&host.name),
            user_key: keys::read_public(&self.folder().join(keys::USER_KEY))?,
            host_key: (read(pair.clone())?, keys::read_public(&pair)?),
            accounts: [passwd?, group?, shadow?],
        })?;
        furnish::write(upper, &files)
    }

    /// Starts what is off, all at once; the first failure is returned after every host has had its try.
    fn start_all(
        &self,
        record: &Record,
        hosts: &[&LabHost],
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<(Vec<String>, Vec<String>), LabError> {
        let (events, inbox) = channel();
        let outcomes: Vec<Result<Outcome, LabError>> = std::thread::scope(|scope| {
            let start = |host| {
                let events = events.clone();
                scope.spawn(move || {
                    let say = |event| drop(events.send(event));
                    let outcome = self.start(host, &say);
                    if outcome.is_err() {
                        say(LabEvent::HostFailed { host: host.name.clone() });
                    }
                    outcome
                })
            };
            let threads: Vec<_> = hosts.iter().copied().map(start).collect();
            drop(events);
            inbox.iter().for_each(on_event);
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        debug_assert!(
            hosts.iter().all(|host| record.hosts.contains(host)),
            "only recorded hosts are started"
        );
        let (mut started, mut kept) = (Vec::new(), Vec::new());
        for (host, outcome) in hosts.iter().zip(outcomes) {
            match outcome? {
                Outcome::Kept => kept.push(host.name.clone()),
                Outcome::Started => started.push(host.name.clone()),
            }
        }
        Ok((started, kept))
    }

    fn start(&self, host: &LabHost, say: &dyn Fn(LabEvent)) -> Result<Outcome, LabError> {
        let name = host.name.clone();
        if self.leader(&host.name).is_some() {
            self.check_running(host)?;
            say(LabEvent::HostKept { host: name });
            return Ok(Outcome::Kept);
        }
        say(LabEvent::HostBooting { host: name.clone(), address: host.address });
        let took = self.boot(host)?;
        say(LabEvent::HostReady { host: name, took });
        Ok(Outcome::Started)
    }

    /// A host that runs must answer, unless its cable was pulled on purpose.
    fn check_running(&self, host: &LabHost) -> Result<(), LabError> {
        let cable = self.names.cable(&host.name);
        if !link::links()?.iter().any(|link| link.name == cable && link.up) {
            return Ok(());
        }
        let console = self.host_folder(&host.name).console;
        nspawn::wait_for_sshd(host.address, Instant::now() + ANSWER_LIMIT).map_err(|why| {
            LabError::HostNotUp {
                host: host.name.clone(),
                why: format!("it runs, but its sshd does not answer: {why}"),
                tail: nspawn::console_tail(&console),
                console,
            }
        })
    }

    /// Boots a host that is off. Its disk is mounted and the bridge is there.
    pub(super) fn boot(&self, host: &LabHost) -> Result<Duration, LabError> {
        let disk = self.host_folder(&host.name);
        // A keeper without a host is one that failed; it would hold nspawn's lock on the disk.
        self.end_keepers(&host.name)?;
        link::remove(&self.names.cable(&host.name))?;
        nspawn::boot(&nspawn::Boot {
            host: &host.name,
            address: host.address,
            machine: &self.names.machine(&host.name),
            identity: &self.names.identity(&host.name),
            bridge: &self.names.bridge(),
            root: &disk.root,
            console: &disk.console,
        })
    }

    pub(super) fn end_keepers(&self, host: &str) -> Result<(), LabError> {
        let argument = nspawn::keeper_argument(&self.host_folder(host).root);
        for pid in process::keepers(&argument) {
            process::kill(pid, || process::keepers(&argument).contains(&pid))?;
        }
        Ok(())
    }
}
