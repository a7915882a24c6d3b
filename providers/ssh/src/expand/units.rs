//! Writes systemd units: the hardened service of a release, and what is added to HAProxy's own.

use std::time::Duration;

use super::{names::time, writer::Writer};
use crate::expand::haproxy::{SOCKET, STATE_FILE};

/// A drop-in of Debian's `haproxy.service`.
pub const HAPROXY_RELOAD: &str = "haproxy.service.d/standfast.conf";

/// Where [`save_state`] lies on a host.
pub const SAVE_STATE: &str = "/etc/haproxy/save-state";

/// Makes a reload keep what the Runtime API said: a member in mid-update must not be undrained by a certificate, and a
/// member that is down must not be taken for healthy until its checks say otherwise.
///
/// A start forgets it: what was true before a stop of unknown length says nothing. The first command is Debian's own
/// check; the state is written whole or not at all, and a failure to write it does not stop the reload.
pub fn haproxy_reload() -> String {
    let mut unit = Writer::default();
    unit.top("# Written by standfast: a reload keeps which members are drained and which are down.");
    unit.section("[Service]")
        .top(format!("ExecStartPre=-/bin/rm -f {STATE_FILE}"))
        .top("ExecReload=")
        .top("ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS")
        .top(format!("ExecReload=-{SAVE_STATE} $CONFIG"))
        .top("ExecReload=/bin/kill -USR2 $MAINPID");
    unit.finish()
}

/// The script that writes the state for the next process.
///
/// HAProxy 2.6 takes a member's port from the state rather than from its configuration, so a member whose port has
/// changed is left out, and the port of its checks (0 is the configuration's own). Column 2 is the backend, 4 the
/// server, 19 the port, 22 the port of the checks (management guide, "show servers state").
pub fn save_state() -> String {
    format!(
        r#"#!/bin/sh
# Written by standfast: keeps which members are drained and which are down for the process after a reload.
set -eu
rm -f {STATE_FILE}
echo 'show servers state' | socat -t5 stdio unix-connect:{SOCKET} | awk '
    NR == FNR && $1 == "backend" {{ backend = $2 }}
    NR == FNR && $1 == "server" {{ count = split($3, endpoint, ":"); port[backend " " $2] = endpoint[count] }}
    NR == FNR {{ next }}
    /^#/ || NF < 2 {{ print; next }}
    port[$2 " " $4] == $19 {{ $22 = 0; print }}
' "$1" - > {STATE_FILE}.new
mv {STATE_FILE}.new {STATE_FILE}
"#
    )
}

/// What a release's unit depends on.
pub struct ReleaseUnit<'a> {
    /// `autoscaling_groups.web of shop (production)`.
    pub of: String,
    /// The folder that holds `current`.
    pub root: &'a str,
    pub user: &'a str,
    /// A command line of a shell, in the release's folder.
    pub run: &'a str,
    pub environment_file: &'a str,
    /// What it may keep, below /var/lib.
    pub name: &'a str,
    pub port: u16,
    pub stop_timeout: Duration,
}

impl ReleaseUnit<'_> {
    /// The unit's text. Options: systemd.exec(5), systemd.service(5), systemd.resource-control(5).
    ///
    /// `MemoryDenyWriteExecute` is left out: runtimes that compile as they run (Java, Node.js) cannot start with it.
    pub fn text(&self) -> String {
        let mut unit = Writer::default();
        unit.top("# Written by standfast: what is changed here is changed back.");
        unit.section("[Unit]")
            .top(format!("Description={}", self.of.replace('%', "%%")))
            .top("Wants=network-online.target")
            .top("After=network-online.target");
        unit.section("[Service]")
            .top(format!("User={}", self.user))
            .top(format!("WorkingDirectory={}/current", self.root))
            .top(format!("EnvironmentFile={}", self.environment_file))
            .top(format!("ExecStart=/bin/sh -c '{}'", shell_words(self.run)))
            .top("Restart=on-failure")
            .top("RestartSec=1s")
            .top(format!("TimeoutStopSec={}", time(self.stop_timeout)))
            .top(format!("StateDirectory={}", self.name))
            .top(format!("RuntimeDirectory={}", self.name))
            .top("UMask=0027");
        unit.section("# Nothing but what serving asks for.");
        for line in HARDENING {
            unit.top(line);
        }
        // Ports below 1024 are for those who may.
        if self.port < 1024 {
            unit.top("CapabilityBoundingSet=CAP_NET_BIND_SERVICE")
                .top("AmbientCapabilities=CAP_NET_BIND_SERVICE");
        } else {
            unit.top("CapabilityBoundingSet=");
        }
        unit.section("[Install]").top("WantedBy=multi-user.target");
        unit.finish()
    }
}

const HARDENING: &[&str] = &[
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelLogs=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
];

/// A command line for the shell, quoted for systemd's own reading of `ExecStart='...'`.
///
/// `exec` puts the program in the shell's place, so that it gets the signals itself; a line of several commands needs
/// its shell.
fn shell_words(run: &str) -> String {
    let several = run.contains([';', '&', '|', '<', '>', '(', '\n']);
    let line = if several || run.starts_with("exec ") { run.to_owned() } else { format!("exec {run}") };
    let mut quoted = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_quoted_for_systemd() {
        for (run, quoted) in [
            ("./server --port $PORT", "exec ./server --port $$PORT"),
            ("./migrate && ./server", "./migrate && ./server"),
            (r#"./server --greeting "it's 100%\n""#, r#"exec ./server --greeting "it\'s 100%%\\n""#),
            ("exec ./server", "exec ./server"),
        ] {
            assert_eq!(shell_words(run), quoted);
        }
    }
}
