//! Objects in memory, for tests and benches: all of them shared by whoever has a clone, with faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use super::objects::{Found, Listed, ObjectError, Objects};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service refuses it as one too many.
    Throttled,
    /// It gets lost on its way, and nobody knows.
    LostBefore,
    /// It takes effect, and its answer gets lost.
    LostAfter,
}

/// Which calls a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strikes {
    /// Every n-th call of any kind.
    EveryNth(u64),
    /// Every n-th write.
    EveryNthWrite(u64),
    /// The n-th write and no other.
    Write(u64),
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    etag: u64,
    modified: SystemTime,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Object>>,
    fault: Mutex<Option<(Fault, Strikes)>>,
    latency: Mutex<Duration>,
    /// How far the service's clock is ahead of this machine's.
    ahead: Mutex<Duration>,
    etags: AtomicU64,
    calls: AtomicU64,
    writes: AtomicU64,
    struck: AtomicU64,
}

/// Objects in memory.
#[derive(Clone, Default)]
pub struct MemoryObjects(Arc<Shared>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryObjects {
    /// Every call takes this long.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        *lock(&self.0.latency) = latency;
        self
    }

    /// Begins to count calls anew, and strikes some of them.
    pub fn strike(&self, fault: Option<(Fault, Strikes)>) {
        *lock(&self.0.fault) = fault;
        for count in [&self.0.calls, &self.0.writes, &self.0.struck] {
            count.store(0, Ordering::SeqCst);
        }
    }

    /// How many calls were struck.
    pub fn struck(&self) -> u64 {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// How many calls there were since the last [`strike`](Self::strike).
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Lets the service's clock go on by this much at once.
    pub fn pass(&self, time: Duration) {
        *lock(&self.0.ahead) += time;
    }

    /// The keys that there are, in order.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.0.objects).keys().cloned().collect()
    }

    /// The bytes of an object.
    pub fn bytes(&self, key: &str) -> Option<Bytes> {
        lock(&self.0.objects).get(key).map(|object| object.bytes.clone())
    }

    /// Changes an object behind every store's back; `None` takes it away.
    pub fn meddle(&self, key: &str, bytes: Option<Bytes>) {
        let mut objects = lock(&self.0.objects);
        match bytes {
            Some(bytes) => {
                let (etag, modified) = (self.next_etag(), self.now());
                objects.insert(key.to_owned(), Object { bytes, etag, modified });
            }
            None => drop(objects.remove(key)),
        }
    }

    fn next_etag(&self) -> u64 {
        self.0.etags.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Lets a call happen, or not.
    async fn call<T>(
        &self,
        writes: bool,
        effect: impl FnOnce(&Self) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        let latency = *lock(&self.0.latency);
        // No service answers without letting others go on.
        if latency.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(latency).await;
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let write = if writes { self.0.writes.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        let struck = lock(&self.0.fault).filter(|(_, strikes)| match strikes {
            Strikes::EveryNth(n) => call.is_multiple_of(*n),
            Strikes::EveryNthWrite(n) => writes && write.is_multiple_of(*n),
            Strikes::Write(n) => writes && write == *n,
        });
        let Some((fault, _)) = struck else { return effect(self) };
        self.0.struck.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::Throttled => Err(ObjectError::Transient("one call too many".into())),
            Fault::LostBefore => Err(ObjectError::Unknown("no answer".into())),
            Fault::LostAfter => {
                let _ = effect(self);
                Err(ObjectError::Unknown("no answer".into()))
            }
        }
    }

    fn put(&self, key: &str, bytes: Bytes, expected: Option<&str>) -> Result<(), ObjectError> {
        let mut objects = lock(&self.0.objects);
        let present = objects.get(key).map(|object| object.etag.to_string());
        if present.as_deref() != expected {
            return Err(ObjectError::Precondition);
        }
        let (etag, modified) = (self.next_etag(), self.now());
        objects.insert(key.to_owned(), Object { bytes, etag, modified });
        Ok(())
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    fn place(&self) -> String {
        "memory://objects".to_owned()
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + *lock(&self.0.ahead)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, ObjectError> {
        self.call(false, |this| {
            let objects = lock(&this.0.objects);
            let found =
                |object: &Object| Found { bytes: object.bytes.clone(), etag: object.etag.to_string() };
            Ok(objects.get(key).map(found))
        })
        .await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<(), ObjectError> {
        self.call(true, |this| this.put(key, bytes, None)).await
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &str) -> Result<(), ObjectError> {
        self.call(true, |this| this.put(key, bytes, Some(etag))).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, ObjectError> {
        self.call(false, |this| {
            let objects = lock(&this.0.objects);
            let matching = objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
            let listed =
                |(key, object): (&String, &Object)| Listed { key: key.clone(), modified: object.modified };
            Ok(matching.take(limit).map(listed).collect())
        })
        .await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), ObjectError> {
        self.call(true, |this| {
            let mut objects = lock(&this.0.objects);
            for key in keys {
                objects.remove(key);
            }
            Ok(())
        })
        .await
    }
}
