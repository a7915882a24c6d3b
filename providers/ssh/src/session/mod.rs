//! Reaching hosts: one multiplexed ssh connection a host, shared by everything in this process.
//!
//! It is the user's own ssh: `~/.ssh/config`, agent, jump hosts, certificates and known_hosts hold. Host keys are
//! always checked. Deliberately absent: what a script says, and any knowledge of resources.

pub mod control;
pub mod diagnose;
pub mod error;
mod exec;
pub mod place;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use openssh::Session;
use standfast_contract::{ErrorClass, ProviderError};
use tokio::{
    process::Command,
    sync::{Mutex, OnceCell, Semaphore},
    time::{sleep, timeout},
};

use self::{control::ControlFolder, error::SessionError, place::Place};
use crate::script::{Answer, Script};

/// Connections being made at once; a connect costs this machine about 30 ms of processor time.
const CONNECTS_MAX: usize = 32;
/// Sessions at once on one connection; sshd's MaxSessions is 10, and the user may want one too.
const CHANNELS_MAX: usize = 7;
/// Tries of one connect where the server hung up before it said anything (MaxStartups).
const CONNECT_TRIES: u32 = 4;
/// A host that was not reached is not tried again for so long: a plan asks it three times, an apply once more.
const UNREACHABLE_FOR: Duration = Duration::from_secs(60);
/// How long a session that the server refuses (MaxSessions) is asked for again.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(30);

/// All hosts that this process talks to.
#[derive(Debug)]
pub struct Remote {
    folder: OnceCell<ControlFolder>,
    links: Mutex<HashMap<String, Arc<Link>>>,
    connects: Semaphore,
}

/// One host's connection.
#[derive(Debug)]
struct Link {
    session: Mutex<Slot>,
    channels: Semaphore,
    /// sudo refused the password: asking again would lock the account.
    refused: AtomicBool,
}

/// What is known of the way to a host.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Unknown,
    Connected(Arc<Session>),
    /// A connection that was there has ended: the host is most likely back in a moment.
    Ended,
    /// Never reached, and when that was found out: another wait would end no other way.
    Unreachable(Instant, SessionError),
}

impl Default for Remote {
    fn default() -> Self {
        Remote { folder: OnceCell::new(), links: Mutex::default(), connects: Semaphore::new(CONNECTS_MAX) }
    }
}

impl Remote {
    async fn folder(&self) -> Result<&ControlFolder, SessionError> {
        self.folder.get_or_try_init(|| async { ControlFolder::open() }).await
    }

    async fn link(&self, place: &Place) -> Arc<Link> {
        let mut links = self.links.lock().await;
        let link = links.entry(place.key()).or_insert_with(|| {
            Arc::new(Link {
                session: Mutex::default(),
                channels: Semaphore::new(CHANNELS_MAX),
                refused: AtomicBool::new(false),
            })
        });
        Arc::clone(link)
    }

    /// Runs a script on a host.
    ///
    /// A script that only reads is tried once more over a new connection when the old one turns out to be dead. One that
    /// changes something is tried again only while it cannot have begun; else the error is `Uncertain`.
    pub async fn run(
        &self,
        place: &Place,
        operation: &str,
        script: &Script,
    ) -> Result<Answer, ProviderError> {
        let link = self.link(place).await;
        let Ok(_permit) = link.channels.acquire().await else {
            return Err(ProviderError::transient(operation, "the connection was closed"));
        };
        let mut fresh_link = false;
        let mut refusals = 0;
        let patient_until = Instant::now() + CHANNEL_PATIENCE;
        loop {
            let session = self.session(&link, place).await.map_err(|error| error.during(operation))?;
            if link.refused.load(Ordering::Relaxed) {
                let user = place.user.clone().unwrap_or_default();
                return Err(SessionError::SudoPassword { host: place.host.clone(), user }.during(operation));
            }
            let failure = match exec::script(&session, place, script).await {
                Ok(answer) => return answer.check(operation),
                Err(failure) => failure,
            };
            match failure.error {
                SessionError::MaxSessions { .. } if Instant::now() < patient_until => {
                    refusals += 1;
                    sleep(Duration::from_millis(50 * refusals.min(10))).await;
                }
                SessionError::Lost { .. } | SessionError::Timeout { .. } => {
                    let dead = self.drop_if_dead(&link, &session).await;
                    if script.changes && failure.begun {
                        let mut error = failure.error.during(operation);
                        error.class = ErrorClass::Uncertain;
                        if dead && self.log_since(place, 0).await.contains("not responding") {
                            error.reason = format!("{} stopped answering in the middle of it", place.host);
                        }
                        return Err(error);
                    }
                    if fresh_link || !dead {
                        return Err(failure.error.during(operation));
                    }
                    fresh_link = true;
                }
                error => {
                    if matches!(error, SessionError::SudoPassword { .. }) {
                        link.refused.store(true, Ordering::Relaxed);
                    }
                    return Err(error.during(operation));
                }
            }
        }
    }

    /// Runs a script over a connection of its own, made now.
    pub async fn run_fresh(
        &self,
        place: &Place,
        operation: &str,
        script: &Script,
    ) -> Result<Answer, ProviderError> {
        let folder = self.folder().await.map_err(|error| error.during(operation))?;
        exec::fresh(folder, place, script).await.map_err(|error| error.during(operation))?.check(operation)
    }

    /// Sends a local file, a piece at a time, to a file that only its owner may read. `progress` hears bytes sent.
    pub async fn upload(
        &self,
        place: &Place,
        operation: &str,
        local: &Path,
        remote: &str,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ProviderError> {
        let link = self.link(place).await;
        let Ok(_permit) = link.channels.acquire().await else {
            return Err(ProviderError::transient(operation, "the connection was closed"));
        };
        let session = self.session(&link, place).await.map_err(|error| error.during(operation))?;
        match exec::upload(&session, place, local, remote, progress).await {
            Ok(answer) => answer.check(operation).map(drop),
            Err(failure) => {
                self.drop_if_dead(&link, &session).await;
                Err(failure.during(operation))
            }
        }
    }

    /// An ssh client that opens a channel from the host to an address, over the host's connection and no other.
    pub async fn forward(
        &self,
        place: &Place,
        operation: &str,
        address: &str,
        port: u16,
    ) -> Result<Command, ProviderError> {
        let link = self.link(place).await;
        self.session(&link, place).await.map_err(|error| error.during(operation))?;
        let folder = self.folder().await.map_err(|error| error.during(operation))?;
        let mut command = Command::new("ssh");
        // As every ssh here: Ctrl-C is for standfast alone.
        command.args(control::forward(place, folder, address, port)).process_group(0);
        Ok(command)
    }

    /// How long the log of the host's master is now, bytes.
    pub async fn log_length(&self, place: &Place) -> u64 {
        let Ok(folder) = self.folder().await else { return 0 };
        std::fs::metadata(folder.log(place)).map_or(0, |log| log.len())
    }

    /// What the host's master logged since then.
    pub async fn log_since(&self, place: &Place, length: u64) -> String {
        let Ok(folder) = self.folder().await else { return String::new() };
        let log = std::fs::read(folder.log(place)).unwrap_or_default();
        let from = usize::try_from(length).unwrap_or(0).min(log.len());
        String::from_utf8_lossy(&log[from..]).into_owned()
    }

    /// The host's connection, made if there is none.
    async fn session(&self, link: &Link, place: &Place) -> Result<Arc<Session>, SessionError> {
        let mut slot = link.session.lock().await;
        match &*slot {
            Slot::Connected(session) => return Ok(Arc::clone(session)),
            Slot::Unreachable(since, error) if since.elapsed() < UNREACHABLE_FOR => return Err(error.clone()),
            _ => {}
        }
        let folder = self.folder().await?;
        let socket = folder.socket(place);
        let connected = match resume(&socket).await {
            Some(session) => Ok(session),
            None => self.connect(folder, place, &socket).await,
        };
        match connected {
            Ok(session) => {
                let session = Arc::new(session);
                *slot = Slot::Connected(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                let never = !matches!(*slot, Slot::Ended);
                if never && matches!(error, SessionError::Unreachable { .. }) {
                    *slot = Slot::Unreachable(Instant::now(), error.clone());
                }
                Err(error)
            }
        }
    }

    async fn connect(
        &self,
        folder: &ControlFolder,
        place: &Place,
        socket: &Path,
    ) -> Result<Session, SessionError> {
        let local = |reason: String| SessionError::Local { reason };
        let _permit = self.connects.acquire().await.map_err(|error| local(error.to_string()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let _ = std::fs::remove_file(socket);
            let log = folder.log(place);
            let _ = std::fs::remove_file(&log);
            // A file and no pipe: the master keeps it open for as long as it lives.
            let words = private_log(&log)
                .map_err(|error| local(format!("could not make {}: {error}", log.display())))?;
            let mut child = Command::new("ssh")
                .args(control::master(place, folder))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(words)
                // Ctrl-C is for standfast alone, which lets what is in flight end.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| local(format!("could not start ssh: {error}")))?;
            let patience = place.connect_timeout * 2 + Duration::from_secs(15);
            let ended = timeout(patience, child.wait()).await;
            let said =
                std::fs::read(&log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default();
            match ended {
                Ok(Ok(status)) if status.success() => {
                    if let Some(session) = resume(socket).await {
                        return Ok(session);
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(local(error.to_string())),
                Err(_) => {
                    return Err(SessionError::Unreachable {
                        host: place.host.clone(),
                        address: place.address.clone(),
                        port: place.port.unwrap_or(22).to_string(),
                        reason: format!("no connection within {} s", patience.as_secs()),
                    });
                }
            }
            if tries >= CONNECT_TRIES || !diagnose::worth_another_try(&said) {
                return Err(diagnose::connect_failure(place, &said));
            }
            // Spread by the key, so that hosts behind one bastion do not come back together.
            let spread = place.key().bytes().fold(0u64, |sum, byte| sum * 31 % 211 + u64::from(byte));
            sleep(Duration::from_millis(100 * u64::from(tries) + spread)).await;
        }
    }

    /// Forgets a connection whose master does not answer any more.
    async fn drop_if_dead(&self, link: &Link, session: &Arc<Session>) -> bool {
        if matches!(timeout(Duration::from_secs(2), session.check()).await, Ok(Ok(()))) {
            return false;
        }
        let mut slot = link.session.lock().await;
        if matches!(&*slot, Slot::Connected(current) if Arc::ptr_eq(current, session)) {
            *slot = Slot::Ended;
        }
        true
    }

    /// Forgets every connection. The masters end by themselves after a minute, so that the next command finds them.
    pub async fn close(&self) {
        self.links.lock().await.clear();
    }

    /// Ends a host's master at once: after a change of the way in, nobody shall go on over the old connection.
    pub async fn hang_up(&self, place: &Place) {
        let link = self.link(place).await;
        *link.session.lock().await = Slot::Ended;
        let Ok(folder) = self.folder().await else { return };
        let socket = folder.socket(place);
        let end = Command::new("ssh")
            .args(["-O", "exit", "-S"])
            .arg(&socket)
            .args(["--", &place.address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .process_group(0)
            .status();
        let _ = timeout(Duration::from_secs(5), end).await;
        let _ = std::fs::remove_file(socket);
    }
}

/// A master that is already there.
async fn resume(socket: &Path) -> Option<Session> {
    if !socket.exists() {
        return None;
    }
    let session = Session::resume_mux(PathBuf::from(socket).into_boxed_path(), None);
    matches!(timeout(Duration::from_secs(2), session.check()).await, Ok(Ok(()))).then_some(session)
}

fn private_log(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
