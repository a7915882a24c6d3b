//! The recorded resources of a state in memory, and the changes that entries make to them.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::error::StoreError;
use crate::record::{Change, ResourceRecord};

/// Ordered by address, the current object (which has no key) before its deposed copies.
#[derive(Debug, Clone, Default)]
pub(super) struct Records(RedBlackTreeMapSync<(String, String), Arc<ResourceRecord>>);

impl Records {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ResourceRecord>> {
        self.0.values()
    }

    pub(super) fn put(&mut self, record: ResourceRecord) {
        self.0.insert_mut((record.address.clone(), record.deposed.clone()), Arc::new(record));
    }

    /// Makes one change. What was changed before one that is refused is for the caller to undo.
    pub(super) fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Put(record) => self.put(record.clone()),
            Change::Remove { address, deposed } => {
                self.0.remove_mut(&(address.clone(), deposed.clone()));
            }
            Change::Move { from, to } => self.rename(from, to)?,
            Change::Depose { address, deposed } => self.depose(address, deposed)?,
        }
        Ok(())
    }

    /// The records under an address, the current one and its copies.
    pub(super) fn under(&self, address: &str) -> Vec<Arc<ResourceRecord>> {
        let from = (address.to_owned(), String::new());
        let found = self.0.range(from..).map(|(_, record)| record);
        found.take_while(|record| record.address == address).cloned().collect()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StoreError> {
        let moving = self.under(from);
        if moving.is_empty() {
            return Err(conflict(from, "nothing is recorded under that address"));
        }
        if !self.under(to).is_empty() {
            return Err(conflict(to, "something is recorded under that address already"));
        }
        for record in moving {
            self.0.remove_mut(&(from.to_owned(), record.deposed.clone()));
            self.put(ResourceRecord { address: to.to_owned(), ..(*record).clone() });
        }
        let depends = |record: &Arc<ResourceRecord>| record.dependencies.iter().any(|on| on == from);
        let dependants: Vec<Arc<ResourceRecord>> =
            self.all().filter(|record| depends(record)).cloned().collect();
        for record in dependants {
            let mut record = (*record).clone();
            for on in record.dependencies.iter_mut().filter(|on| *on == from) {
                to.clone_into(on);
            }
            self.put(record);
        }
        Ok(())
    }

    fn depose(&mut self, address: &str, deposed: &str) -> Result<(), StoreError> {
        if deposed.is_empty() {
            return Err(conflict(address, "an old copy needs a key"));
        }
        if self.0.contains_key(&(address.to_owned(), deposed.to_owned())) {
            return Err(conflict(address, &format!("it has an old copy {deposed} already")));
        }
        let current = (address.to_owned(), String::new());
        let Some(record) = self.0.get(&current).cloned() else {
            return Err(conflict(address, "no current object is recorded under that address"));
        };
        self.0.remove_mut(&current);
        self.put(ResourceRecord { deposed: deposed.to_owned(), ..(*record).clone() });
        Ok(())
    }
}

fn conflict(address: &str, reason: &str) -> StoreError {
    StoreError::Conflict { address: address.to_owned(), reason: reason.to_owned() }
}
