//! What can go wrong with a state, each with the operation that failed, the reason and the next move.
//!
//! The variants speak of states, not of SQLite: every store reports through them.

use std::{fs::File, io};

use jiff::Timestamp;

use crate::history::RunId;
use crate::journal::IntentId;
use crate::lock::Holder;
use crate::record::StackId;
use crate::seal::SealError;

/// Why an operation on a state failed. Nothing of a failed write is kept.
///
/// `operation` completes "could not ...", `place` is the store as [`Store::describe`](crate::Store::describe) names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another holds the lock.
    #[error("could not lock the state {place}: held by {holder}, last heartbeat {:.0}", holder.heartbeat)]
    Locked {
        /// The store.
        place: String,
        /// Who holds it.
        holder: Box<Holder>,
    },
    /// The lease that the write came with is no longer the current one.
    #[error("could not {operation}: the lock of {place} was lost, {}", match holder {
        Some(holder) => format!("it is held by {holder} now"),
        None => "it was broken or given back".to_owned(),
    })]
    LeaseLost {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// Who holds the lock now, if anybody.
        holder: Option<Box<Holder>>,
    },
    /// The saved plan was carried out before.
    #[error("could not use the saved plan {plan_id}: it was used at {at:.0}{}", match run {
        Some(run) => format!(" by run {run}"),
        None => String::new(),
    })]
    PlanUsed {
        /// The plan.
        plan_id: String,
        /// When it was used.
        at: Timestamp,
        /// The run that used it, when it got that far.
        run: Option<RunId>,
    },
    /// The history has no such run.
    #[error("could not find run {run} in the history of {place}")]
    NoSuchRun {
        /// The store.
        place: String,
        /// The run that was asked for.
        run: RunId,
    },
    /// The journal has no such intent.
    #[error("could not settle intent {intent}: it is not in the journal of {place}")]
    NoSuchIntent {
        /// The store.
        place: String,
        /// The intent that was to be settled.
        intent: IntentId,
    },
    /// The intent has its final outcome already.
    #[error("could not settle intent {intent}: it was settled before as {outcome}, at serial {serial}")]
    AlreadySettled {
        /// The intent that was to be settled.
        intent: IntentId,
        /// The outcome that it has: `done` or `failed`.
        outcome: String,
        /// The serial after that outcome.
        serial: u64,
    },
    /// A change does not fit what is recorded.
    #[error("could not change the record of {address}: {reason}")]
    Conflict {
        /// The resource.
        address: String,
        /// What stands against it.
        reason: String,
    },
    /// There is no state at all where one was expected.
    #[error("could not open the state {place}: there is nothing there")]
    Missing {
        /// The store.
        place: String,
    },
    /// The file is gone, and copies of it are left.
    #[error("could not open the state {place}: it is not there, and copies of it are left in {copies}")]
    Lost {
        /// The store.
        place: String,
        /// Their folder.
        copies: String,
        /// The newest that is good.
        backup: Option<String>,
    },
    /// The store is there, but it holds no such stack and environment.
    #[error("could not open the state {place}: it holds no state for {stack}{}", list(found))]
    NoSuchState {
        /// The store.
        place: String,
        /// What was asked for.
        stack: StackId,
        /// What it does hold.
        found: Vec<StackId>,
    },
    /// A file of 0 bytes where a state was expected. It is never taken for "nothing exists".
    #[error("could not open the state {place}: the file is empty (0 bytes), which no state ever is")]
    Empty {
        /// The store.
        place: String,
    },
    /// The place holds something of another program.
    #[error("could not open the state {place}: it is not a standfast state ({reason})")]
    Foreign {
        /// The store.
        place: String,
        /// How it is known.
        reason: String,
    },
    /// A later standfast wrote it.
    #[error(
        "could not open the state {place}: it has schema version {found}, and this standfast knows up to {supported}"
    )]
    Newer {
        /// The store.
        place: String,
        /// Its version.
        found: i64,
        /// The newest version that this build reads.
        supported: i64,
    },
    /// Its version is older than any that can be migrated.
    #[error(
        "could not open the state {place}: it has schema version {found}, and the oldest that can be migrated is {oldest}"
    )]
    TooOld {
        /// The store.
        place: String,
        /// Its version.
        found: i64,
        /// The oldest version that this build migrates.
        oldest: i64,
    },
    /// The data does not hold together.
    #[error("could not {operation}: the state {place} is damaged ({reason})")]
    Damaged {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// What was found.
        reason: String,
        /// The newest good backup, where the store keeps any.
        backup: Option<String>,
    },
    /// An object that holds a part of the state is missing, or not as it was written.
    #[error("could not {operation}: the object {object} of the state {place} is damaged ({reason})")]
    DamagedObject {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// Its key, below the place.
        object: String,
        /// What was found.
        reason: String,
    },
    /// The service that keeps the state refuses.
    #[error("could not {operation}: {place} is refused ({reason})")]
    Refused {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the service words it.
        reason: String,
        /// What the user can do, as a sentence.
        next_move: String,
    },
    /// No space is left.
    #[error("could not {operation}: no space is left for the state {place}")]
    DiskFull {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
    },
    /// This process, or the whole machine, may open no more files.
    #[error("could not {operation}: no more files may be opened for the state {place}")]
    TooManyFiles {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
    },
    /// The file or its directory cannot be written.
    #[error("could not {operation}: the state {place} or its directory is read-only ({reason})")]
    ReadOnly {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the system words it.
        reason: String,
    },
    /// The file cannot be opened or made.
    #[error("could not {operation}: the state {place} cannot be opened ({reason})")]
    CannotOpen {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the system words it.
        reason: String,
    },
    /// The file under an open store was removed or replaced; what is written now would be lost.
    #[error("could not {operation}: the file of the state {place} was removed or replaced while it was open")]
    Moved {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
    },
    /// The disk or the network failed under the store.
    #[error("could not {operation}: input or output failed for the state {place} ({reason})")]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the system words it.
        reason: String,
    },
    /// Other processes kept the store to themselves for too long.
    #[error("could not {operation}: the state {place} stayed busy with other processes for {waited_ms} ms")]
    Busy {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// How long it was tried.
        waited_ms: u64,
    },
    /// The store stopped: it was closed, or an earlier failure made it unsafe to write on.
    #[error("could not {operation}: the state {place} is closed ({reason})")]
    Closed {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// Why.
        reason: String,
    },
    /// An exported state that this build cannot read.
    #[error(
        "could not import into the state {place}: the export has format {found}, and this standfast reads {supported}"
    )]
    ExportFormat {
        /// The store.
        place: String,
        /// The export's format.
        found: u32,
        /// The format that this build reads.
        supported: u32,
    },
    /// A place that makes no sense, or that this build has no store for.
    #[error("could not use the state {url}: {reason}")]
    Url {
        /// As it was given, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server does not answer, or the connection to it was lost and could not be made again in time.
    #[error("could not {operation}: the server of the state {place} cannot be reached ({reason})")]
    Unreachable {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the system words it.
        reason: String,
    },
    /// The server does not let this user in.
    #[error("could not open the state {place}: the server refused the login ({reason})")]
    LoginRefused {
        /// The store.
        place: String,
        /// As the server words it.
        reason: String,
    },
    /// The server has no such database.
    #[error("could not open the state {place}: the server has no database `{database}`")]
    NoDatabase {
        /// The store.
        place: String,
        /// Its name.
        database: String,
    },
    /// The user is let in, but may not do this.
    #[error("could not {operation}: the user of {place} has no right to ({reason})")]
    NotAllowed {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the server words it.
        reason: String,
    },
    /// Encryption was asked for and the server offers none.
    #[error(
        "could not open the state {place}: the server does not encrypt connections, and sslmode asks for it"
    )]
    NoTls {
        /// The store.
        place: String,
    },
    /// The encrypted connection failed: most often the server's certificate is not trusted.
    #[error("could not open the state {place}: the encrypted connection was not made ({reason})")]
    NotTrusted {
        /// The store.
        place: String,
        /// As the library words it.
        reason: String,
    },
    /// The state is encrypted, and cannot be opened or written with the key that was given.
    #[error("could not {operation} in {place}: {error}")]
    Sealed {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// What is wrong with key or text.
        error: Box<SealError>,
    },
    /// Anything else that the store's engine reports.
    #[error("could not {operation}: the store {place} reports: {reason}")]
    Backend {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        place: String,
        /// As the engine words it.
        reason: String,
    },
}

impl StoreError {
    /// The next move, as a sentence for the user; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Locked { holder, .. } => format!(
                "wait for it with --lock-timeout; without a heartbeat the lock frees itself at {:.0}. \
                 `standfast state unlock` takes it away from a holder that is certainly gone",
                holder.expires
            ),
            Self::LeaseLost { .. } => {
                "nothing of this write was kept; when the other run has ended, plan again: \
                 what was in flight is in the journal and is looked up first"
                    .to_owned()
            }
            Self::PlanUsed { run: Some(run), .. } => {
                format!("make a new plan; `standfast history show {run}` says what that run did")
            }
            Self::PlanUsed { run: None, .. } => "make a new plan".to_owned(),
            Self::NoSuchRun { .. } => "`standfast history` lists the runs".to_owned(),
            Self::NoSuchIntent { .. } | Self::AlreadySettled { .. } => {
                "another run settled it or the state was replaced; plan again".to_owned()
            }
            Self::Conflict { .. } => "`standfast state list` shows what is recorded".to_owned(),
            Self::Missing { .. } => {
                "check --state and the directory; the first `standfast apply` makes the state, \
                 and `standfast state rebuild` recovers a lost one from what carries its tags"
                    .to_owned()
            }
            Self::Lost { backup, copies, .. } => {
                let restore = backup.as_ref().map_or(String::new(), |backup| {
                    format!("`standfast state push --force {backup}` restores the newest, in which the last run is missing; ")
                });
                format!(
                    "{restore}`standfast state rebuild` finds what stands; only where nothing does, remove {copies} too"
                )
            }
            Self::NoSuchState { .. } => {
                "check the blueprint's name and --env; the first `standfast apply` makes the state".to_owned()
            }
            Self::Empty { .. } => {
                "put a backup in its place, or move the file away and recover the state with \
                 `standfast state rebuild`; only where nothing was ever built, delete the file"
                    .to_owned()
            }
            Self::Foreign { .. } => {
                "check --state: the file is left as it is; choose another path".to_owned()
            }
            Self::Newer { .. } => "use the standfast that wrote it, or a later one".to_owned(),
            Self::TooOld { .. } => "open it once with an older standfast that can migrate it".to_owned(),
            Self::Damaged { backup: Some(backup), .. } => format!(
                "the newest good backup is {backup}; `standfast state push --force {backup}` sets the damaged \
                 state aside and restores it; what was made since that copy is not in it, and \
                 `standfast state rebuild` finds that"
            ),
            Self::Damaged { .. } => {
                "keep a copy of the file with its -wal and -shm, then put a backup in its place \
                 or recover the state with `standfast state rebuild`"
                    .to_owned()
            }
            Self::DamagedObject { place, .. } => format!(
                "where the bucket keeps versions, put the last good one of that object back; else \
                 `standfast state pull --state '{place}?snapshot=NUMBER' --out FILE` reads a snapshot, the newest \
                 under `snapshot/` first, and `standfast state push FILE --state` another prefix restores it; what was \
                 made since is found by `standfast state rebuild`"
            ),
            Self::Refused { next_move, .. } => next_move.clone(),
            Self::DiskFull { .. } => {
                "free some space and run again: the journal holds what was in flight".to_owned()
            }
            Self::TooManyFiles { .. } => {
                "raise the limit of open files (`ulimit -n`; for the machine `fs.file-max`) and run again: \
                 the journal holds what was in flight"
                    .to_owned()
            }
            Self::ReadOnly { .. } => {
                "make the file and its directory writable for this user, or choose another place with --state"
                    .to_owned()
            }
            Self::CannotOpen { .. } => {
                "check the path and its permissions, or choose another place with --state".to_owned()
            }
            Self::Moved { .. } => "put the file back, or look for what removed it; then run again".to_owned(),
            Self::Io { .. } => {
                "check the disk (`dmesg`, mount, network file system) and run again".to_owned()
            }
            Self::Busy { .. } => {
                "look for another standfast or a tool that has the file open, and run again".to_owned()
            }
            Self::Closed { .. } => "run again: the journal holds what was in flight".to_owned(),
            Self::ExportFormat { .. } => "use the standfast that wrote the export, or a later one".to_owned(),
            Self::Url { .. } => "check --state, or the variable STANDFAST_STATE".to_owned(),
            Self::Unreachable { .. } => {
                "check that the server runs, its host and port, and the network between; then run again: \
                 what was in flight is in the journal and is looked up first"
                    .to_owned()
            }
            Self::LoginRefused { .. } => {
                "set PGPASSWORD, or put the password into ~/.pgpass (which nobody else may read: mode 0600); \
                 and see what the server's pg_hba.conf allows this user"
                    .to_owned()
            }
            Self::NoDatabase { database, .. } => {
                format!("check the name, or make it on the server: `createdb {database}`")
            }
            Self::NotAllowed { .. } => {
                "let the database's owner run `CREATE SCHEMA standfast AUTHORIZATION \"USER\"`, or grant the user \
                 what is missing"
                    .to_owned()
            }
            Self::NoTls { .. } => {
                "switch TLS on at the server (`ssl = on`); only on a network that nobody else can listen to, \
                 use `sslmode=disable`"
                    .to_owned()
            }
            Self::NotTrusted { .. } => {
                "give the certificate of its authority with `sslrootcert=FILE`, and the host by the name that \
                 the server's certificate carries"
                    .to_owned()
            }
            Self::Sealed { error, .. } => return error.hint(),
            Self::Backend { .. } => return None,
        };
        Some(hint)
    }

    /// The error for a failed file operation around a store.
    pub fn from_io(operation: &'static str, place: &str, error: &io::Error) -> Self {
        let (place, reason) = (place.to_owned(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { operation, place },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { operation, place, reason }
            }
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename => Self::CannotOpen { operation, place, reason },
            _ if is_out_of_files() => Self::TooManyFiles { operation, place },
            _ => Self::Io { operation, place, reason },
        }
    }
}

/// Whether no file can be opened at all now: this process or the machine has as many open as it may. Neither SQLite nor
/// tempfile hands the system's number through, so it is asked.
pub(crate) fn is_out_of_files() -> bool {
    // EMFILE, ENFILE: <https://man7.org/linux/man-pages/man2/open.2.html>.
    cfg!(unix)
        && File::open("/").is_err_and(|error| {
            [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
        })
}

fn list(found: &[StackId]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let names: Vec<String> = found.iter().map(ToString::to_string).collect();
    format!(", only for {}", names.join(", "))
}
