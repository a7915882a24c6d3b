//! What a lab remembers between runs: `lab.json` in its folder. Everything that runs is found on the machine instead.

use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::layout::LabHost;
use super::roots::write_whole;

const FILE: &str = "lab.json";
const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format_version: u32,
    pub(super) user: String,
    pub(super) subnet: Ipv4Net,
    pub(super) gateway: Ipv4Addr,
    /// Digest of the recipe whose image the hosts' disks lie on.
    pub(super) image: String,
    pub(super) reserved: Vec<Ipv4Addr>,
    pub(super) hosts: Vec<LabHost>,
}

impl Record {
    pub(super) fn new(user: &str, subnet: Ipv4Net, gateway: Ipv4Addr, image: String) -> Self {
        let (user, reserved, hosts) = (user.to_owned(), Vec::new(), Vec::new());
        Self { format_version: FORMAT_VERSION, user, subnet, gateway, image, reserved, hosts }
    }

    /// Is there a record, readable or not?
    pub(super) fn exists(lab_folder: &Path) -> bool {
        lab_folder.join(FILE).exists()
    }

    /// `None` when the lab has no record (yet).
    pub(super) fn read(lab_folder: &Path) -> Result<Option<Self>, LabError> {
        let path = lab_folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::io("read the lab's record", &path)(error)),
        };
        let bad = |why: String| LabError::BadRecord { path: path.clone(), why };
        let record: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if record.format_version != FORMAT_VERSION {
            return Err(bad(format!("it has format {}, this is {FORMAT_VERSION}", record.format_version)));
        }
        Ok(Some(record))
    }

    pub(super) fn write(&self, lab_folder: &Path) -> Result<(), LabError> {
        let path = lab_folder.join(FILE);
        let bad =
            |error: serde_json::Error| LabError::BadRecord { path: path.clone(), why: error.to_string() };
        let text = serde_json::to_string_pretty(self).map_err(bad)?;
        write_whole(&path, text.as_bytes())
    }

    /// Takes the hosts of a blueprint in. A host that is there must be the same; one that the blueprint no longer has
    /// is kept, and named in the answer.
    pub(super) fn merge(
        &mut self,
        lab: &str,
        user: &str,
        hosts: &[LabHost],
    ) -> Result<Vec<String>, LabError> {
        let differs = |what: String| LabError::LabDiffers { lab: lab.to_owned(), what };
        if self.user != user {
            return Err(differs(format!("its login user is `{}`, not `{user}`", self.user)));
        }
        for host in hosts {
            match self.hosts.iter_mut().find(|known| known.name == host.name) {
                Some(known) if known.address != host.address => {
                    let what =
                        format!("its host `{}` has {}, not {}", host.name, known.address, host.address);
                    return Err(differs(what));
                }
                Some(known) => known.zone.clone_from(&host.zone),
                None => self.hosts.push(host.clone()),
            }
        }
        let extra = self.hosts.iter().filter(|known| !hosts.iter().any(|host| host.name == known.name));
        Ok(extra.map(|host| host.name.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, address: &str, zone: &str) -> LabHost {
        LabHost { name: name.into(), address: address.parse().unwrap(), zone: zone.into() }
    }

    fn record() -> Record {
        let mut record = Record::new(
            "deploy",
            "10.77.0.0/24".parse().unwrap(),
            "10.77.0.1".parse().unwrap(),
            "abcd".into(),
        );
        record
            .merge("shop", "deploy", &[host("lb1", "10.77.0.11", "a"), host("lb2", "10.77.0.12", "b")])
            .unwrap();
        record
    }

    #[test]
    fn a_record_survives_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), None);
        record().write(folder.path()).unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), Some(record()));
    }

    #[test]
    fn a_damaged_or_newer_record_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "{\"format_version\": 1}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert!(matches!(Record::read(folder.path()), Err(LabError::BadRecord { .. })), "{text}");
        }
        let newer = Record { format_version: 2, ..record() };
        newer.write(folder.path()).unwrap();
        let error = Record::read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
    }

    #[test]
    fn a_blueprint_may_add_hosts_but_not_move_them() {
        let mut record = record();
        let extra = record.merge(
            "shop",
            "deploy",
            &[host("lb1", "10.77.0.11", "c"), host("web1", "10.77.0.21", "a")],
        );
        assert_eq!(extra.unwrap(), ["lb2"]);
        assert_eq!(record.hosts.len(), 3);
        assert_eq!(record.hosts[0].zone, "c");
        let moved = record.merge("shop", "deploy", &[host("lb1", "10.77.0.99", "a")]).unwrap_err();
        assert!(moved.to_string().contains("`lb1` has 10.77.0.11, not 10.77.0.99"), "{moved}");
        let user = record.merge("shop", "admin", &[]).unwrap_err();
        assert!(user.to_string().contains("login user is `deploy`"), "{user}");
    }
}
