//! Changes that can cut the way in, and what is checked and undone for them.

use crate::{
    marks,
    script::{Script, quote},
};

/// What is special about a path.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Guard {
    /// The old state comes back unless a fresh connection succeeds.
    pub armed: bool,
    /// Checks the candidate, `%s` being its path.
    pub check: Option<&'static str>,
    /// Checks the whole with the new content in place.
    pub check_in_place: Option<&'static str>,
    /// Makes it effective.
    pub reload: Option<&'static str>,
}

const SSHD_RELOAD: &str = "if systemctl is-active --quiet ssh; then systemctl reload ssh; elif systemctl is-active --quiet sshd; \
                           then systemctl reload sshd; fi";

/// The guard of a file. Everything under /etc/ssh, sudoers and the network's configuration is armed.
pub fn of(path: &str) -> Guard {
    let under = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    if path == "/etc/ssh/sshd_config" {
        Guard {
            armed: true,
            check: Some("mkdir -p /run/sshd && sshd -t -f %s"),
            check_in_place: None,
            reload: Some(SSHD_RELOAD),
        }
    } else if under("/etc/ssh") {
        Guard {
            armed: true,
            check: None,
            check_in_place: Some("mkdir -p /run/sshd && sshd -t"),
            reload: Some(SSHD_RELOAD),
        }
    } else if path == "/etc/sudoers" || under("/etc/sudoers.d") {
        Guard { armed: true, check: Some("visudo -c -f %s"), ..Guard::default() }
    } else if under("/etc/systemd/network") {
        Guard { armed: true, reload: Some("networkctl reload 2>&1 || :"), ..Guard::default() }
    } else if under("/etc/network") || under("/etc/netplan") || under("/etc/NetworkManager") {
        Guard { armed: true, ..Guard::default() }
    } else {
        Guard::default()
    }
}

/// The script that an armed host runs by itself. `undo` puts the old state back; the mark follows.
pub fn restore(script: &mut Script, undo: &str) {
    // The folder's name is only known on the host: the first lines are written there by the shell.
    let text = format!(
        "mv \"$ARMED.sh\" \"$ARMED.run\" || exit 0\n{undo}\n\
         if [ -f \"$ARMED.json\" ]; then mv -f \"$ARMED.json\" \"$MANIFEST\"; else rm -rf \"$MANIFEST\" \"$B\" \"$KEPT\"; fi\n\
         rm -rf \"$ARMED.old\" \"$ARMED.run\"\n: >\"$ARMED.reverted\""
    );
    script.set("RESTORE_BODY", &text);
    script.main(
        "RESTORE=\"PATH=$PATH; ARMED='$ARMED'; MANIFEST='$MANIFEST'; B='$B'; KEPT='$KEPT'\n$RESTORE_BODY\"",
    );
}

/// Undoes a file's change from the copy that was set aside.
pub fn undo_file(path: &str, reload: Option<&str>) -> String {
    let path = quote(path);
    format!(
        "if [ -e \"$ARMED.old\" ] || [ -L \"$ARMED.old\" ]; then cp -pP \"$ARMED.old\" {path}.standfast-old && mv -f {path}.standfast-old {path}; \
         else rm -f -- {path}; fi\n{}",
        reload.unwrap_or(":")
    )
}

/// The script that a fresh connection runs when it got through.
pub fn disarm(script: &mut Script, deleted: bool) {
    script.library(marks::MARKS);
    script.main(if deleted { "disarm\nforget" } else { "disarm" });
}

/// Tells whether the host has put the old state back.
pub fn ask_reverted(script: &mut Script) {
    script.library(marks::MARKS);
    script.main(
        "sect reverted\nif [ -f \"$ARMED.reverted\" ]; then rm -f \"$ARMED.reverted\"; printf yes >&3; \
         [ -f \"$MANIFEST\" ] || marks_tidy; fi",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_lock_out_is_armed() {
        for path in [
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/10-x.conf",
            "/etc/sudoers",
            "/etc/sudoers.d/ops",
            "/etc/network/interfaces",
            "/etc/systemd/network/10.network",
        ] {
            assert!(of(path).armed, "{path}");
        }
        for path in ["/etc/haproxy/haproxy.cfg", "/etc/sshfoo", "/etc/systemd/system/x.service"] {
            assert!(!of(path).armed, "{path}");
        }
    }
}
