//! Changes that a store cannot make by itself on what it cannot read: a rename and a deposing seal a record anew, under
//! its new name.
//!
//! They are worked out here, on the records that they concern, and arrive as writes and removals in one transaction.
//! Nobody else writes meanwhile: other processes have no lease, and this one waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::record::{Change, ResourceRecord};

/// Whether a store can make it without reading the record.
pub(super) fn is_plain(change: &Change) -> bool {
    matches!(change, Change::Put(_) | Change::Remove { .. })
}

/// Records by address and key, and which of them were touched.
#[derive(Default)]
pub(super) struct Desk {
    records: BTreeMap<(String, String), ResourceRecord>,
    touched: BTreeSet<(String, String)>,
}

impl Desk {
    pub(super) fn new(records: impl IntoIterator<Item = ResourceRecord>) -> Self {
        let keyed = |record: ResourceRecord| ((record.address.clone(), record.deposed.clone()), record);
        Self { records: records.into_iter().map(keyed).collect(), touched: BTreeSet::new() }
    }

    /// Makes the changes in order.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Put(record) => self.put(record.clone()),
                Change::Remove { address, deposed } => {
                    self.take(address, deposed);
                }
                Change::Move { from, to } => self.rename(from, to)?,
                Change::Depose { address, deposed } => self.depose(address, deposed)?,
            }
        }
        Ok(())
    }

    /// What came of it, as plain changes: one for each object that was touched.
    pub(super) fn outcome(mut self) -> Vec<Change> {
        let settle = |key: (String, String)| match self.records.remove(&key) {
            Some(record) => Change::Put(record),
            None => Change::Remove { address: key.0, deposed: key.1 },
        };
        self.touched.into_iter().map(settle).collect()
    }

    fn put(&mut self, record: ResourceRecord) {
        let key = (record.address.clone(), record.deposed.clone());
        self.touched.insert(key.clone());
        self.records.insert(key, record);
    }

    fn take(&mut self, address: &str, deposed: &str) -> Option<ResourceRecord> {
        let key = (address.to_owned(), deposed.to_owned());
        self.touched.insert(key.clone());
        self.records.remove(&key)
    }

    fn keys_at(&self, address: &str) -> Vec<String> {
        let at = |(found, deposed): &(String, String)| (found == address).then(|| deposed.clone());
        self.records.keys().filter_map(at).collect()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        let keys = self.keys_at(from);
        if keys.is_empty() {
            return Err(conflict(from, "nothing is recorded under that address"));
        }
        if !self.keys_at(to).is_empty() {
            return Err(conflict(to, "something is recorded under that address already"));
        }
        for key in keys {
            if let Some(old) = self.take(from, &key) {
                self.put(ResourceRecord { address: to.to_owned(), ..old });
            }
        }
        for (key, record) in &mut self.records {
            for dependency in record.dependencies.iter_mut().filter(|dependency| *dependency == from) {
                to.clone_into(dependency);
                self.touched.insert(key.clone());
            }
        }
        Ok(())
    }

    fn depose(&mut self, address: &str, deposed: &str) -> Result<(), StoreError> {
        if deposed.is_empty() {
            return Err(conflict(address, "an old copy needs a key"));
        }
        if self.keys_at(address).iter().any(|key| key == deposed) {
            return Err(conflict(address, &format!("it has an old copy {deposed} already")));
        }
        match self.take(address, "") {
            Some(old) => self.put(ResourceRecord { deposed: deposed.to_owned(), ..old }),
            None => return Err(conflict(address, "no current object is recorded under that address")),
        }
        Ok(())
    }
}

fn conflict(address: &str, reason: &str) -> StoreError {
    StoreError::Conflict { address: address.to_owned(), reason: reason.to_owned() }
}
