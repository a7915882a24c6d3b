//! What ssh's own words mean. Pure: a log in, an error out.
//!
//! The log is that of `ssh -v` (OpenSSH 8 and later): it names the key that the host showed, the keys that were
//! offered and the file and line of a known key.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    error::{ChangedKey, SessionError, UnknownKey},
    place::Place,
};
use crate::script::quote;

/// Why ssh ended without a connection.
pub fn connect_failure(place: &Place, log: &str) -> SessionError {
    let (mut host, mut address) = (place.host.clone(), place.address.clone());
    let port = port(place, log);
    let mut user = user(place, log);
    // On the way there it may be the jump host that fails.
    if let Some(jump) = place.jump_host.as_ref().filter(|_| !log.contains("Entering interactive session")) {
        let named =
            log.lines().find_map(|line| line.split_once("host key is known for ").map(|(_, rest)| rest));
        let refused = log.lines().find(|line| line.contains(": Permission denied ("));
        let other =
            |name: &str| name.trim_start_matches('[').split([' ', ']', ':']).next() != Some(address.as_str());
        if named.is_some_and(other) || refused.is_some_and(|line| !line.contains(&format!("@{address}:"))) {
            host = format!("the jump host of {}", place.host);
            address = jump.clone();
            if let Some((name, at)) = jump.rsplit_once('@') {
                user = name.trim_start_matches("ssh://").to_owned();
                address = at.to_owned();
            }
        }
    }
    let (kind, shown) =
        shown_key(log).unwrap_or_else(|| ("a key".to_owned(), "of unknown fingerprint".to_owned()));
    if log.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let at = offending(log);
        let known = at.as_deref().and_then(known_fingerprint).unwrap_or_else(|| "see there".to_owned());
        let file = at.as_deref().and_then(|at| at.rsplit_once(':')).map(|(file, _)| file.to_owned());
        return SessionError::ChangedHostKey(Box::new(ChangedKey {
            forget: forget(place, &port, file.as_deref()),
            at: at.unwrap_or_else(|| "known_hosts".to_owned()),
            host,
            address,
            port,
            kind,
            known,
            shown,
        }));
    }
    if log.contains("REVOKED HOST KEY") || log.contains("is marked as revoked") {
        return SessionError::RevokedHostKey { host, address, fingerprint: shown };
    }
    if log.contains("host key is known for") || log.contains("Host key verification failed") {
        return SessionError::UnknownHostKey(Box::new(UnknownKey {
            accept: accept(place, &port),
            host,
            address,
            port,
            kind,
            fingerprint: shown,
        }));
    }
    if let Some(methods) = denied(log) {
        return SessionError::Authentication { host, address, user, offered: offered(log), methods };
    }
    SessionError::Unreachable { host, address, port, reason: unreachable_reason(place, log) }
}

/// Whether another try may help: the server was busy or hung up before it said anything.
pub fn worth_another_try(log: &str) -> bool {
    ["kex_exchange_identification", "Connection reset by", "Connection closed by", "banner exchange"]
        .iter()
        .any(|words| log.contains(words))
        // The whole time was waited for a word of it: more of that is no help.
        && !log.contains("timed out during banner exchange")
        && denied(log).is_none()
        // The jump host is there and cannot get any further.
        && !log.contains("open failed: ")
}

fn shown_key(log: &str) -> Option<(String, String)> {
    let line =
        log.lines().rev().find_map(|line| line.split_once("Server host key: ").map(|(_, rest)| rest))?;
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// `FILE:LINE` of the key that no longer fits.
fn offending(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("Offending ") && line.contains(" key in "))?;
    line.rsplit_once(" key in ").map(|(_, at)| at.trim().to_owned())
}

fn known_fingerprint(at: &str) -> Option<String> {
    let (file, line) = at.rsplit_once(':')?;
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
    fingerprint_of_line(line)
}

/// Type and SHA256 fingerprint of a line of known_hosts, as ssh-keygen writes them.
fn fingerprint_of_line(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = words.windows(2).find(|pair| pair[1].starts_with("AAAA"))?;
    let blob = STANDARD.decode(key[1]).ok()?;
    let digest = STANDARD.encode(Sha256::digest(&blob));
    Some(format!("{} SHA256:{}", key[0], digest.trim_end_matches('=')))
}

/// The methods that the server still takes, when it refused.
fn denied(log: &str) -> Option<String> {
    if log.contains("Too many authentication failures") {
        return Some("no more tries (too many keys: name one with `ssh.identity_file`)".to_owned());
    }
    let line = log.lines().rev().find(|line| line.contains("Permission denied"))?;
    Some(line.split_once("Permission denied (").map_or_else(String::new, |(_, rest)| {
        rest.trim_end().trim_end_matches(['.', ')']).replace(',', ", ")
    }))
}

fn offered(log: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Offering public key: ") {
            let mut words = rest.split_whitespace();
            let key =
                words.by_ref().take_while(|word| !word.starts_with("SHA256:")).collect::<Vec<_>>().join(" ");
            let key = key.rsplit_once(' ').map_or(key.clone(), |(path, kind)| format!("{path} ({kind})"));
            if !keys.contains(&key) {
                keys.push(key);
            }
        } else if let Some((_, key)) = line.split_once("Load key \"") {
            keys.push(format!("{} (unreadable)", key.replace("\":", ":")));
        }
    }
    keys
}

fn port(place: &Place, log: &str) -> String {
    let said =
        log.lines().find(|line| line.contains("Connecting to ")).and_then(|line| line.rsplit_once(" port "));
    match (place.port, said) {
        (Some(port), _) => port.to_string(),
        (None, Some((_, port))) => port.trim().trim_end_matches('.').to_owned(),
        (None, None) => "22".to_owned(),
    }
}

fn user(place: &Place, log: &str) -> String {
    let said = log
        .lines()
        .find_map(|line| line.rsplit_once(" as '"))
        .map(|(_, user)| user.trim().trim_end_matches('\''));
    place.user.clone().or_else(|| said.map(str::to_owned)).unwrap_or_else(|| "(the default user)".to_owned())
}

fn unreachable_reason(place: &Place, log: &str) -> String {
    if let Some(jump) = &place.jump_host
        && let Some((_, why)) = log.lines().find_map(|line| line.split_once("open failed: "))
    {
        return format!("{} (seen from {jump})", why.trim().trim_start_matches("connect failed: "));
    }
    let words =
        log.lines().rev().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("debug"));
    let mut last = None;
    for line in words {
        let line = line.strip_prefix("ssh: ").unwrap_or(line);
        if line.starts_with("connect to host") || line.starts_with("Could not resolve") {
            return line.rsplit_once(": ").map_or_else(
                || line.to_owned(),
                |(what, why)| {
                    if line.starts_with("Could") { format!("{what}: {why}") } else { why.to_owned() }
                },
            );
        }
        last.get_or_insert_with(|| line.to_owned());
    }
    last.unwrap_or_else(|| "ssh said nothing".to_owned())
}

fn target(place: &Place) -> String {
    let user = place.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
    quote(&format!("{user}{}", place.address))
}

/// The command that shows the key once more and asks.
fn accept(place: &Place, port: &str) -> String {
    let mut command = "ssh".to_owned();
    if let Some(config) = &place.config {
        command.push_str(&format!(" -F {}", quote(config)));
    }
    if let Some(jump) = &place.jump_host {
        command.push_str(&format!(" -J {}", quote(jump)));
    }
    if let Some(known_hosts) = &place.known_hosts {
        command.push_str(&format!(" -o UserKnownHostsFile={}", quote(known_hosts)));
    }
    format!("{command} -o StrictHostKeyChecking=ask -p {port} {} true", target(place))
}

fn forget(place: &Place, port: &str, file: Option<&str>) -> String {
    let name = if port == "22" { place.address.clone() } else { format!("[{}]:{port}", place.address) };
    let file =
        file.or(place.known_hosts.as_deref()).map_or_else(String::new, |file| format!(" -f {}", quote(file)));
    format!("ssh-keygen -R {}{file} && {}", quote(&name), accept(place, port))
}

/// What sudo's words mean, if they are sudo's.
pub fn sudo_failure(place: &Place, stderr: &str) -> Option<SessionError> {
    let host = place.host.clone();
    let user = place.user.clone().unwrap_or_else(|| "the login user".to_owned());
    let says = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    if says(&[
        "Sorry, try again",
        "incorrect password attempt",
        "Authentication failure",
        "a password was not provided",
        "no password was provided",
    ]) {
        return Some(if place.become_password.is_some() {
            SessionError::SudoPassword { host, user }
        } else {
            SessionError::SudoPasswordRequired { host, user }
        });
    }
    if says(&["a password is required", "a terminal is required"]) {
        return Some(SessionError::SudoPasswordRequired { host, user });
    }
    let reason = if says(&["you must have a tty"]) {
        "it asks for a terminal (`requiretty` in sudoers)".to_owned()
    } else if says(&["not in the sudoers", "is not allowed to", "may not run sudo"]) {
        "the user may not use it".to_owned()
    } else if says(&["sudo: not found", "sudo: command not found"]) {
        "it is not installed".to_owned()
    } else {
        stderr.lines().find_map(|line| line.trim().strip_prefix("sudo: "))?.to_owned()
    };
    Some(SessionError::Sudo { host, user, reason })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn place() -> Place {
        Place {
            host: "lb1".into(),
            address: "10.77.0.11".into(),
            port: None,
            user: Some("deploy".into()),
            sudo: true,
            become_password: None,
            known_hosts: Some("/srv/known hosts".into()),
            identity_file: None,
            config: None,
            jump_host: None,
            connect_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn refused_timed_out_and_unknown_names_are_unreachable() {
        for (log, reason) in [
            (
                "debug1: x\nssh: connect to host 10.77.0.11 port 22: Connection refused\r\n",
                "Connection refused",
            ),
            ("ssh: connect to host 10.77.0.11 port 22: No route to host", "No route to host"),
            (
                "ssh: Could not resolve hostname nowhere: Name or service not known",
                "Could not resolve hostname nowhere: Name or service not known",
            ),
            (
                "Connection timed out during banner exchange\r\n",
                "Connection timed out during banner exchange",
            ),
        ] {
            match connect_failure(&place(), log) {
                SessionError::Unreachable { reason: found, port, .. } => {
                    assert_eq!((found.as_str(), port.as_str()), (reason, "22"))
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_refused_user_is_told_which_keys_were_tried() {
        let log = "debug1: Connecting to 10.77.0.11 [10.77.0.11] port 2200.\n\
                   debug1: Offering public key: /root/.ssh/id_ed25519 ED25519 SHA256:abc agent\n\
                   deploy@10.77.0.11: Permission denied (publickey,password).\r\n";
        let error = connect_failure(&place(), log).to_string();
        assert_eq!(
            error,
            "lb1 (10.77.0.11) refused user deploy: tried /root/.ssh/id_ed25519 (ED25519); it takes publickey, password"
        );
    }

    #[test]
    fn an_unknown_key_comes_with_its_fingerprint_and_the_way_to_accept_it() {
        let log = "debug1: Server host key: ssh-ed25519 SHA256:AAbb\nNo ED25519 host key is known for 10.77.0.11 and you have requested strict checking.\r\nHost key verification failed.\r\n";
        let SessionError::UnknownHostKey(key) = connect_failure(&place(), log) else { panic!() };
        assert_eq!(key.fingerprint, "SHA256:AAbb");
        assert_eq!(
            key.accept,
            "ssh -o UserKnownHostsFile='/srv/known hosts' -o StrictHostKeyChecking=ask -p 22 deploy@10.77.0.11 true"
        );
    }

    #[test]
    fn sudo_is_understood() {
        let failure = |words: &str| sudo_failure(&place(), words).map(|error| error.to_string());
        assert!(failure("sudo: a password is required\n").unwrap().contains("asks for a password of deploy"));
        assert!(failure("deploy is not in the sudoers file.").unwrap().contains("may not use it"));
        assert_eq!(failure("Welcome to the machine\n"), None);
    }

    #[test]
    fn a_known_hosts_line_has_the_fingerprint_that_ssh_keygen_prints() {
        // github.com's published ed25519 key and fingerprint.
        let line =
            "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let expected = "ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(fingerprint_of_line(line).as_deref(), Some(expected));
    }
}
