//! This machine's clocks, and whether a process on it still lives.
//!
//! What cannot be known for certain is `None`, and then only the lease's own time counts.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What tells one process from every other, also from a later one with the same number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The kernel's boot: another one means that every process of before is gone, and that clock too.
    pub(crate) boot: Option<String>,
    /// The pid namespace, outside of which the process number means nothing (containers).
    pub(crate) pid_namespace: Option<String>,
    /// When the process started, in clock ticks since boot.
    pub(crate) started: Option<u64>,
}

/// Both clocks at one moment, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// The wall clock since 1970, which people and NTP set at will.
    pub(crate) wall_ms: i64,
    /// The clock that counts from boot, through suspend, and cannot be set.
    pub(crate) boot_ms: Option<i64>,
}

/// The time now.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX), boot_ms: boot_clock_ms() }
}

#[cfg(target_os = "linux")]
fn boot_clock_ms() -> Option<i64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000))
}

#[cfg(not(target_os = "linux"))]
fn boot_clock_ms() -> Option<i64> {
    None
}

/// This process, when `process` is its number; for any other number only what is true of the whole machine.
pub(crate) fn identity(process: u32) -> Identity {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned());
    if process != std::process::id() {
        return Identity { boot, ..Identity::default() };
    }
    let pid_namespace =
        fs::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned());
    Identity { boot, pid_namespace, started: stat(process).map(|stat| stat.started) }
}

/// Whether the process that had this number and start time is certainly gone. Ask only within one boot and
/// pid namespace.
pub(crate) fn is_gone(process: u32, started: u64) -> bool {
    // The signal probe comes first: /proc may hide other users' processes (hidepid), and then says nothing.
    let Some(pid) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return true;
    }
    match stat(process) {
        // A zombie has ended and only waits for its parent to notice.
        Some(stat) => stat.started != started || matches!(stat.state, b'Z' | b'X'),
        None => false,
    }
}

struct Stat {
    state: u8,
    started: u64,
}

/// Fields 3 and 22 of `/proc/PID/stat` (man proc_pid_stat), counted from the last `)`: a name may hold anything.
fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_gone_and_a_reused_number_is() {
        let me = identity(std::process::id());
        let started = me.started.unwrap();
        assert!(!is_gone(std::process::id(), started));
        assert!(is_gone(std::process::id(), started - 1), "another process had this number before");
    }

    #[test]
    fn an_ended_process_is_gone_even_before_its_parent_collects_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = stat(child.id()).unwrap().started;
        assert!(!is_gone(child.id(), started));
        child.kill().unwrap();
        while !is_gone(child.id(), started) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(is_gone(child.id(), started));
    }
}
