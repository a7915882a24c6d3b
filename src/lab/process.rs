//! Finding a lab's processes from `/proc` alone, and ending them. No pid is stored: a stored one can be someone else's.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::error::LabError;

/// Set in the environment of every host's first process; the value is [`super::names::Names::identity`].
pub(super) const IDENTITY_VARIABLE: &str = "STANDFAST_LAB_HOST";

const POLL: Duration = Duration::from_millis(10);

/// The first process of a running host, seen from outside.
#[derive(Debug, Clone)]
pub(super) struct Leader {
    pub(super) pid: u32,
    pub(super) identity: String,
    pub(super) uptime: Duration,
}

/// All first processes of lab hosts on this machine, of whatever lab.
pub(super) fn leaders() -> Vec<Leader> {
    let seconds_up = read_number("/proc/uptime");
    pids().filter_map(|pid| leader(pid, seconds_up)).collect()
}

fn leader(pid: u32, seconds_up: f64) -> Option<Leader> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    if !is_first_of_a_namespace(&status) {
        return None;
    }
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let identity = variable(&environment, IDENTITY_VARIABLE)?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "clock ticks per second, about 100")]
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let started = start_ticks(&stat)? / ticks_per_second;
    Some(Leader { pid, identity, uptime: Duration::from_secs_f64((seconds_up - started).max(0.0)) })
}

/// `NSpid:` lists the process's number in every PID namespace from ours inwards (proc_pid_status(5)).
fn is_first_of_a_namespace(status: &str) -> bool {
    let alive = !status.lines().any(|line| line.starts_with("State:\tZ"));
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = numbers.map(|list| list.split_whitespace().collect()).unwrap_or_default();
    alive && numbers.len() > 1 && numbers.last() == Some(&"1")
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    let entries = environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    entries
        .filter_map(|entry| entry.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Field 22 of `/proc/PID/stat`; the second field is a name in parentheses that can hold anything.
fn start_ticks(stat: &str) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn read_number(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What keeps a host running from outside: systemd-nspawn and the shell loop above it, known by one of their arguments.
pub(super) fn keepers(argument: &str) -> Vec<u32> {
    let has_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    };
    pids().filter(has_it).collect()
}

/// Sends SIGKILL, unless the process is gone or `still` no longer holds for its number.
pub(super) fn kill(pid: u32, still: impl FnOnce() -> bool) -> Result<(), LabError> {
    let failed = |errno: rustix::io::Errno| LabError::Io {
        doing: "end a process of the lab",
        path: PathBuf::from(format!("/proc/{pid}")),
        source: errno.into(),
    };
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    // The handle is taken before the check, so that a number reused in between is never hit.
    let handle = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    };
    if !still() {
        return Ok(());
    }
    match rustix::process::pidfd_send_signal(handle, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(failed(errno)),
    }
}

/// Waits until `done` holds; `false` when `limit` passed first.
pub(super) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        sleep(POLL);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_process_is_told_from_others() {
        assert!(is_first_of_a_namespace("Name:\tsystemd\nState:\tS (sleeping)\nNSpid:\t4711\t1\n"));
        assert!(is_first_of_a_namespace("State:\tS (sleeping)\nNSpid:\t4711\t20\t1\n"));
        assert!(!is_first_of_a_namespace("State:\tS (sleeping)\nNSpid:\t1\n"), "this machine's own");
        assert!(!is_first_of_a_namespace("State:\tS (sleeping)\nNSpid:\t4712\t7\n"));
        assert!(!is_first_of_a_namespace("State:\tZ (zombie)\nNSpid:\t4711\t1\n"));
    }

    #[test]
    fn environment_and_stat_are_read() {
        let environment = b"PATH=/bin\0STANDFAST_LAB_HOST=abcde/lb1\0X=";
        assert_eq!(variable(environment, IDENTITY_VARIABLE).as_deref(), Some("abcde/lb1"));
        assert_eq!(variable(b"PATH=/bin", IDENTITY_VARIABLE), None);
        let stat = "22407 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        assert_eq!(start_ticks(stat), Some(4242.0));
    }
}
