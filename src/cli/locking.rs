//! The state's lock around a command: taken with patience, kept alive, given back.

use std::{sync::Arc, time::Duration};

use standfast_state::{LEASE_MS_DEFAULT, Lease, LockRequest, SEAL_KEY, SealError, Store, StoreError};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::{error::CliError, signals, terminal};
use crate::apply::Interrupt;

/// How often a held lock is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A held lock with its heartbeat.
pub struct Lock {
    store: Arc<dyn Store>,
    lease: Lease,
    heartbeat: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock, waiting up to `patience` for another holder.
    ///
    /// A wish to stop ends the waiting. `stop` is told to stop at once when another writer has taken the lease over.
    pub async fn take(
        store: &Arc<dyn Store>,
        command: &str,
        patience: Duration,
        stop: watch::Sender<Interrupt>,
    ) -> Result<Lock, CliError> {
        let lock = Lock::take_as_it_is(store, command, patience, stop).await?;
        // A sealed state sees for itself that its key is still the same. One that was opened as plain may have been sealed
        // while we waited, and plain text must not get into it.
        if store.seal().is_none() && store.get_meta(SEAL_KEY).await?.is_some() {
            lock.release().await?;
            return Err(StoreError::Sealed {
                operation: "lock the state",
                place: store.describe(),
                error: Box::new(SealError::OtherKey { what: "the state".to_owned() }),
            }
            .into());
        }
        Ok(lock)
    }

    /// The same for what is moved as it is, sealed or not.
    pub async fn take_as_it_is(
        store: &Arc<dyn Store>,
        command: &str,
        patience: Duration,
        stop: watch::Sender<Interrupt>,
    ) -> Result<Lock, CliError> {
        let request = LockRequest {
            owner: user(),
            host: host(),
            process: std::process::id(),
            command: command.to_owned(),
            lease_ms: LEASE_MS_DEFAULT,
        };
        let deadline = Instant::now() + patience;
        let mut told = false;
        let mut stopped = stop.subscribe();
        let lease = loop {
            let asked = tokio::select! {
                asked = store.lock(&request) => asked,
                // The second wish: a server that does not answer is not waited for. What it grants all the same is the
                // lock of a process that is gone.
                _ = stopped.wait_for(|level| *level == Interrupt::Now) => return Err(signals::stopped()),
            };
            match asked {
                Ok(lease) => break lease,
                Err(StoreError::Locked { holder, .. }) if Instant::now() < deadline => {
                    if !told {
                        terminal::say(format_args!("waiting for the state: {holder} holds it"));
                        told = true;
                    }
                    // The first is not heard in the midst of asking: a lock that was granted then would be nobody's.
                    tokio::select! {
                        () = tokio::time::sleep(ASK_EVERY) => {}
                        _ = stopped.wait_for(|level| *level > Interrupt::None) => return Err(signals::stopped()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let heartbeat = tokio::spawn(beat(Arc::clone(store), lease.clone(), stop));
        Ok(Lock { store: Arc::clone(store), lease, heartbeat })
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    pub async fn release(self) -> Result<(), CliError> {
        self.heartbeat.abort();
        // It holds the store too, and what the last one drops is closed in order: a file without a log beside it.
        let _ = self.heartbeat.await;
        Ok(self.store.release(self.lease).await?)
    }
}

/// Renews the lease three times in its life. One missed beat is survived; a lost lease stops the run.
async fn beat(store: Arc<dyn Store>, lease: Lease, lost: watch::Sender<Interrupt>) {
    let every = Duration::from_millis(lease.lease_ms / 3);
    loop {
        tokio::time::sleep(every).await;
        if let Err(error @ StoreError::LeaseLost { .. }) = store.renew(&lease).await {
            terminal::warn("state", &error.to_string(), error.hint().as_deref());
            let _ = lost.send(Interrupt::Now);
            return;
        }
    }
}

pub fn user() -> String {
    let named = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    // Containers and timers often set neither.
    named.unwrap_or_else(|_| format!("uid-{}", rustix::process::getuid().as_raw()))
}

pub fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
