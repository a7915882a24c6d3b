//! Starting one host with systemd-nspawn and waiting until it is a host one can work on.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cgroup;
use super::command::run;
use super::error::LabError;
use super::process::{IDENTITY_VARIABLE, keepers};

/// From start to a host that answers. Five hosts on two cores need 3 s; a loaded machine gets its time.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
const CONSOLE_TAIL_BYTES: u64 = 4096;
const CONSOLE_TAIL_LINES: usize = 12;
const SSH_PORT: u16 = 22;

/// Runs the command after `--`, again when it asks for it with 133 (systemd-nspawn's code for a host that reboots),
/// each time in the control groups named before `--`. Every word that varies is an argument.
const KEEPER: &str = "while :; do\n\
    (while [ \"$1\" != -- ]; do echo 0 >\"$1/cgroup.procs\" || exit 1; shift; done; shift; exec \"$@\")\n\
    code=$?; [ \"$code\" -eq 133 ] || exit \"$code\"\ndone";

/// What it takes to start a host.
pub(super) struct Boot<'a> {
    pub(super) host: &'a str,
    pub(super) address: Ipv4Addr,
    pub(super) machine: &'a str,
    pub(super) identity: &'a str,
    pub(super) bridge: &'a str,
    /// Its disk, mounted.
    pub(super) root: &'a Path,
    pub(super) console: &'a Path,
}

/// The argument by which a host's systemd-nspawn is known in the process list.
pub(super) fn keeper_argument(root: &Path) -> String {
    format!("--directory={}", root.display())
}

/// Starts a host in a session of its own, so that it outlives us, and waits until it has booted and its sshd answers.
pub(super) fn boot(boot: &Boot<'_>) -> Result<Duration, LabError> {
    let started = Instant::now();
    let groups = if cgroup::machine_runs_systemd() { Vec::new() } else { cgroup::make(boot.machine)? };
    let log = File::create(boot.console).map_err(LabError::io("open a console log", boot.console))?;
    let log_too = log.try_clone().map_err(LabError::io("open a console log", boot.console))?;
    // systemd tells when it has booted, through nspawn (sd_notify(3)). Abstract: no file is left when we die.
    let name = format!("standfast-lab/{}/{}", boot.identity, std::process::id());
    let bell =
        std::os::unix::net::SocketAddr::from_abstract_name(&name).and_then(|at| UnixDatagram::bind_addr(&at));
    let bell = bell.map_err(LabError::io("listen for a host's readiness", boot.console))?;

    let mut command = Command::new("setsid");
    command.args(["--fork", "sh", "-c", KEEPER, "standfast-lab"]).args(&groups).arg("--");
    command.args(arguments(boot, groups.is_empty()));
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    // Else a host could set no sysctl of its own network, which keepalived and others do.
    command.env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network");
    command.stdin(Stdio::null()).stdout(log).stderr(log_too);
    let status =
        command.status().map_err(|error| super::command::not_started("start a host", &command, &error))?;
    let failed = |why: String| LabError::HostNotUp {
        host: boot.host.to_owned(),
        why,
        console: boot.console.to_owned(),
        tail: console_tail(boot.console),
    };
    if !status.success() {
        return Err(failed(format!("setsid: {status}")));
    }
    wait_for_systemd(&bell, boot, started).map_err(failed)?;
    wait_for_sshd(boot.address, started + BOOT_LIMIT)
        .map_err(|why| failed(format!("its sshd does not answer: {why}")))?;
    Ok(started.elapsed())
}

fn arguments(boot: &Boot<'_>, own_scope: bool) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--settings=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        "--notify-ready=yes",
    ]
    .map(str::to_owned)
    .into();
    // Where systemd runs the machine, nspawn asks it for a scope, which also outlives the session of whoever ran us.
    if !own_scope {
        arguments.push("--keep-unit".to_owned());
    }
    arguments.push(format!("--machine={}", boot.machine));
    arguments.push(format!("--hostname={}", boot.host));
    arguments.push(keeper_argument(boot.root));
    arguments.push(format!("--network-bridge={}", boot.bridge));
    arguments.push(format!("--setenv={IDENTITY_VARIABLE}={}", boot.identity));
    arguments.push("--boot".to_owned());
    arguments
}

/// `Err` says why not.
fn wait_for_systemd(bell: &UnixDatagram, boot: &Boot<'_>, started: Instant) -> Result<(), String> {
    let argument = keeper_argument(boot.root);
    let mut message = [0_u8; 4096];
    while started.elapsed() < BOOT_LIMIT {
        bell.set_read_timeout(Some(Duration::from_millis(250))).map_err(|error| error.to_string())?;
        match bell.recv(&mut message) {
            Ok(length) => {
                let text = String::from_utf8_lossy(&message[..length]);
                if text.lines().any(|line| line == "READY=1") {
                    return Ok(());
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                if keepers(&argument).is_empty() {
                    return Err("systemd-nspawn ended".to_owned());
                }
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("it had not finished booting after {} s", BOOT_LIMIT.as_secs()))
}

/// An sshd that sends its banner is one that takes connections (RFC 4253, section 4.2).
pub(super) fn wait_for_sshd(address: Ipv4Addr, deadline: Instant) -> Result<(), String> {
    loop {
        let why = match banner(address) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Err(why);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn banner(address: Ipv4Addr) -> std::io::Result<()> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, SSH_PORT)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut start = [0_u8; 4];
    stream.read_exact(&mut start)?;
    if &start == b"SSH-" {
        Ok(())
    } else {
        Err(std::io::Error::new(ErrorKind::InvalidData, "something else answers"))
    }
}

/// The end of a console log, without the terminal's colours.
pub(super) fn console_tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = plain(&String::from_utf8_lossy(&read().unwrap_or_default()));
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(CONSOLE_TAIL_LINES)..].join("\n")
}

/// Drops escape sequences (ECMA-48: ESC `[`, parameters, one final byte from `@` on) and other control characters.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next() == Some('[') {
                let _ = chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if c == '\n' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

/// What systemd-nspawn leaves under `/run` when its host is killed.
pub(super) fn leftovers(machine: &str) -> Vec<PathBuf> {
    let run = Path::new("/run/systemd/nspawn");
    [run.join("propagate").join(machine), run.join("unix-export").join(machine)]
        .into_iter()
        .filter(|path| path.exists())
        .collect()
}

pub(super) fn remove_leftovers(machine: &str) -> Result<(), LabError> {
    leftovers(machine).iter().try_for_each(|path| super::mounts::remove_tree(path))
}

/// Is systemd-nspawn itself there and working?
pub(super) fn require() -> Result<(), LabError> {
    run("ask for systemd-nspawn's version", Command::new("systemd-nspawn").arg("--version")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_tail_is_plain_and_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut log = "\u{1b}[0;32m  OK  \u{1b}[0m Started \u{1b}[0;1;39mssh.service\u{1b}[0m.\r\n".repeat(3);
        log.extend((0..40).map(|n| format!("line {n}\n\n")));
        std::fs::write(&path, &log).unwrap();
        let tail = console_tail(&path);
        assert_eq!(tail.lines().count(), CONSOLE_TAIL_LINES);
        assert!(tail.ends_with("line 39"), "{tail}");
        assert_eq!(plain("\u{1b}[0;32m  OK  \u{1b}[0m Started\r\n"), "  OK   Started\n");
        assert_eq!(console_tail(&folder.path().join("none")), "");
    }

    #[test]
    fn the_keeper_passes_words_untouched_and_loops_on_a_reboot() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        // Asks for a reboot twice, then ends with 7; its words hold what a shell would chew.
        let script = "echo \"$2\" >>\"$1\"; [ \"$(wc -l <\"$1\")\" -lt 3 ] && exit 133; exit 7";
        let status = Command::new("sh")
            .args(["-c", KEEPER, "keeper", "--", "sh", "-c", script, "x"])
            .arg(&count)
            .arg("$(id); \"'*")
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "$(id); \"'*\n".repeat(3));
    }
}
