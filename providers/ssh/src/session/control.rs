//! The folder of control sockets, and the ssh command lines.
//!
//! A master connection outlives this process by a minute, so that the next command's connect costs nothing; after that
//! it ends by itself. A socket whose master was killed is found and removed at start.

use std::{
    env, fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use super::{error::SessionError, place::Place};
use crate::script::quote;

/// How long a master stays without being used.
const PERSIST_S: u32 = 60;
/// A dead host is noticed after this many seconds without an answer, twice (3 x 4 s).
const ALIVE_INTERVAL_S: u32 = 4;
const ALIVE_COUNT_MAX: u32 = 3;
/// A Unix socket's path holds 107 bytes; ssh adds 17 while it makes one, we 20.
const FOLDER_LENGTH_MAX: usize = 64;
/// A log without a master is kept for so long: it tells why a connection failed.
const LOG_AGE_MAX: Duration = Duration::from_secs(3600);

/// A private folder for sockets and logs.
#[derive(Debug, Clone)]
pub struct ControlFolder(PathBuf);

impl ControlFolder {
    /// Finds or makes it, and removes sockets that nobody listens on.
    pub fn open() -> Result<Self, SessionError> {
        let local = |reason: String| SessionError::Local { reason };
        // The owner of our own process, without a system call of our own.
        let uid =
            fs::metadata("/proc/self").map(|own| own.uid()).map_err(|error| local(error.to_string()))?;
        let folder = env::var_os("XDG_RUNTIME_DIR")
            .map(|runtime| PathBuf::from(runtime).join("standfast"))
            .filter(|folder| folder.is_absolute() && folder.as_os_str().len() <= FOLDER_LENGTH_MAX)
            .filter(|folder| folder.parent().is_some_and(Path::is_dir))
            .unwrap_or_else(|| PathBuf::from(format!("/tmp/standfast-{uid}")));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(local(format!("could not make {}: {error}", folder.display())));
            }
            _ => {}
        }
        let found = fs::symlink_metadata(&folder).map_err(|error| local(error.to_string()))?;
        if !found.is_dir() || found.uid() != uid || found.mode() & 0o077 != 0 {
            return Err(local(format!(
                "{} is not a folder of this user's own with mode 0700; remove it",
                folder.display()
            )));
        }
        let folder = ControlFolder(folder);
        folder.reap();
        Ok(folder)
    }

    pub fn socket(&self, place: &Place) -> PathBuf {
        self.0.join(format!("{}.ctl", place.key()))
    }

    pub fn log(&self, place: &Place) -> PathBuf {
        self.0.join(format!("{}.log", place.key()))
    }

    /// A path for a fresh connection's log.
    pub fn fresh_log(&self, place: &Place, nonce: &str) -> PathBuf {
        self.0.join(format!("{}-{}.fresh", place.key(), &nonce[..8]))
    }

    /// Sockets that nobody listens on, and logs of masters that are gone for an hour.
    fn reap(&self) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            match path.extension().map(OsStrExt::as_bytes) {
                Some(b"ctl") if deaf(&path) => {
                    let _ = fs::remove_file(&path);
                }
                Some(b"log" | b"fresh") => {
                    let age =
                        entry.metadata().and_then(|log| log.modified()).ok().and_then(|at| at.elapsed().ok());
                    if age.is_some_and(|age| age > LOG_AGE_MAX) && !path.with_extension("ctl").exists() {
                        let _ = fs::remove_file(&path);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether nobody listens on a socket any more.
fn deaf(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// What a connection always insists on, whatever the user's ssh_config says.
fn firm(place: &Place) -> Vec<String> {
    // More than `LogLevel`: only so does ssh let a proxy's own words through to the log.
    let mut words = vec!["-v".to_owned()];
    let mut option = |option: String| words.extend(["-o".to_owned(), option]);
    option("BatchMode=yes".to_owned());
    option("StrictHostKeyChecking=yes".to_owned());
    option("UpdateHostKeys=no".to_owned());
    option("NumberOfPasswordPrompts=0".to_owned());
    option(format!("ConnectTimeout={}", place.connect_timeout.as_secs().max(1)));
    option(format!("ServerAliveInterval={ALIVE_INTERVAL_S}"));
    option(format!("ServerAliveCountMax={ALIVE_COUNT_MAX}"));
    option("TCPKeepAlive=yes".to_owned());
    if let Some(known_hosts) = &place.known_hosts {
        option(format!("UserKnownHostsFile={}", option_path(known_hosts)));
    }
    if let Some(identity) = &place.identity_file {
        option(format!("IdentityFile={}", option_path(identity)));
        option("IdentitiesOnly=yes".to_owned());
    }
    words
}

/// A path as ssh_config wants it: in double quotes, `%` doubled.
fn option_path(path: &str) -> String {
    format!("\"{}\"", path.replace('%', "%%"))
}

fn config(place: &Place) -> Vec<String> {
    place.config.iter().flat_map(|config| ["-F".to_owned(), config.clone()]).collect()
}

/// The arguments of a connection, without what it shall do.
fn connection(place: &Place) -> Vec<String> {
    let mut words = config(place);
    words.extend(firm(place));
    for quiet in [
        "ForwardAgent=no",
        "ForwardX11=no",
        "RequestTTY=no",
        "PermitLocalCommand=no",
        "ClearAllForwardings=yes",
    ] {
        words.extend(["-o".to_owned(), quiet.to_owned()]);
    }
    words.extend(["-o".to_owned(), "RemoteCommand=none".to_owned()]);
    if let Some(jump) = &place.jump_host {
        words.extend(["-o".to_owned(), format!("ProxyCommand={}", proxy_command(place, jump))]);
    }
    if let Some(port) = place.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &place.user {
        words.extend(["-l".to_owned(), user.clone()]);
    }
    words
}

/// `-J` would check the jump host's key by the user's settings only, and might ask on the terminal: this is as firm.
fn proxy_command(place: &Place, jump: &str) -> String {
    let mut words = vec!["ssh".to_owned()];
    words.extend(config(place));
    words.extend(firm(place));
    let (before, last) = match jump.rsplit_once(',') {
        Some((before, last)) => (Some(before), last),
        None => (None, jump),
    };
    if let Some(before) = before {
        words.extend(["-J".to_owned(), before.to_owned()]);
    }
    let uri = if last.starts_with("ssh://") { last.to_owned() } else { format!("ssh://{last}") };
    let quoted: Vec<String> = words.iter().map(|word| quote(word).replace('%', "%%")).collect();
    format!("{} -W '[%h]:%p' {}", quoted.join(" "), quote(&uri).replace('%', "%%"))
}

/// Starts a master that goes to the background once the user is let in.
pub fn master(place: &Place, folder: &ControlFolder) -> Vec<String> {
    let mut words = connection(place);
    words.extend(["-M", "-N", "-f", "-S"].map(str::to_owned));
    words.push(folder.socket(place).display().to_string());
    words.extend(["-o".to_owned(), format!("ControlPersist={PERSIST_S}")]);
    words.extend(["-E".to_owned(), folder.log(place).display().to_string()]);
    words.extend(["--".to_owned(), place.address.clone()]);
    words
}

/// A channel to an address through the master; never a connection of its own.
pub fn forward(place: &Place, folder: &ControlFolder, address: &str, port: u16) -> Vec<String> {
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let mut words: Vec<String> = ["-F", "none", "-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-S"]
        .map(str::to_owned)
        .to_vec();
    words.push(folder.socket(place).display().to_string());
    words.extend(["-W".to_owned(), format!("{address}:{port}"), "--".to_owned(), place.address.clone()]);
    words
}

/// A connection of its own, for one command: proves that the way in is open now.
pub fn fresh(place: &Place, log: &Path, command: &str) -> Vec<String> {
    let mut words = connection(place);
    words.extend(["-o", "ControlMaster=no", "-o", "ControlPath=none", "-T", "-E"].map(str::to_owned));
    words.push(log.display().to_string());
    words.extend(["--".to_owned(), place.address.clone(), command.to_owned()]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(jump: Option<&str>) -> Place {
        Place {
            host: "lb1".into(),
            address: "10.77.0.11".into(),
            port: Some(2222),
            user: None,
            sudo: false,
            become_password: None,
            known_hosts: Some("/srv/50% off/known hosts".into()),
            identity_file: None,
            config: None,
            jump_host: jump.map(str::to_owned),
            connect_timeout: Duration::from_millis(1500),
        }
    }

    #[test]
    fn host_keys_are_always_checked_also_on_the_way() {
        let words = connection(&place(Some("me@bastion:22"))).join(" ");
        assert!(words.contains("-o StrictHostKeyChecking=yes"));
        assert!(
            words.contains("ProxyCommand=ssh -v -o BatchMode=yes -o StrictHostKeyChecking=yes"),
            "{words}"
        );
        assert!(words.ends_with("-W '[%h]:%p' ssh://me@bastion:22 -p 2222"), "{words}");
    }

    #[test]
    fn a_path_with_spaces_and_percent_is_one_path() {
        let words = connection(&place(None));
        assert!(words.contains(&r#"UserKnownHostsFile="/srv/50%% off/known hosts""#.to_owned()), "{words:?}");
    }
}
