//! Why a host could not be worked on, with the next move.

use standfast_contract::{ErrorClass, ProviderError};

/// A connection or a way to root that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("{host} ({address} port {port}) cannot be reached: {reason}")]
    Unreachable { host: String, address: String, port: String, reason: String },
    #[error("{host} ({address}) refused user {user}: {}", tried(offered, methods))]
    Authentication { host: String, address: String, user: String, offered: Vec<String>, methods: String },
    #[error("{0}")]
    UnknownHostKey(Box<UnknownKey>),
    #[error("{0}")]
    ChangedHostKey(Box<ChangedKey>),
    #[error("the host key of {host} ({address}) is marked as revoked: {fingerprint}")]
    RevokedHostKey { host: String, address: String, fingerprint: String },
    #[error("sudo on {host} did not accept the password of {user}")]
    SudoPassword { host: String, user: String },
    #[error("sudo on {host} asks for a password of {user}, and none was given")]
    SudoPasswordRequired { host: String, user: String },
    #[error("sudo on {host} does not work for {user}: {reason}")]
    Sudo { host: String, user: String, reason: String },
    #[error("{host} allows no more sessions on one connection")]
    MaxSessions { host: String },
    #[error("the connection to {host} ended: {reason}")]
    Lost { host: String, reason: String },
    #[error("{host} gave no answer within {seconds} s")]
    Timeout { host: String, seconds: u64 },
    #[error("{host} did not run a script of ours: {reason}")]
    NoAnswer { host: String, reason: String },
    #[error("ssh on this machine: {reason}")]
    Local { reason: String },
}

/// A host whose key nobody has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host key of {host} ({address} port {port}) is not known. It shows {kind} {fingerprint}")]
pub struct UnknownKey {
    pub host: String,
    pub address: String,
    pub port: String,
    pub kind: String,
    pub fingerprint: String,
    /// The command that shows it once more and asks.
    pub accept: String,
}

/// A host that shows another key than the known one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "THE HOST KEY OF {host} ({address} port {port}) HAS CHANGED. Known ({at}): {known}. Shown now: {kind} {shown}. \
     Either the host was reinstalled or someone stands between you and it; nothing was sent"
)]
pub struct ChangedKey {
    pub host: String,
    pub address: String,
    pub port: String,
    pub kind: String,
    pub known: String,
    pub shown: String,
    /// Where the known key stands: `/root/.ssh/known_hosts:3`.
    pub at: String,
    /// The command that forgets the known key and asks for the new one.
    pub forget: String,
}

fn tried(offered: &[String], methods: &str) -> String {
    let keys = match offered {
        [] => "no key was offered".to_owned(),
        keys => format!("tried {}", keys.join(", ")),
    };
    if methods.is_empty() { keys } else { format!("{keys}; it takes {methods}") }
}

impl SessionError {
    fn class(&self) -> ErrorClass {
        match self {
            SessionError::Unreachable { .. } => ErrorClass::Unreachable,
            SessionError::MaxSessions { .. } | SessionError::Lost { .. } | SessionError::Timeout { .. } => {
                ErrorClass::Transient
            }
            _ => ErrorClass::Permanent,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            SessionError::Unreachable { address, .. } => {
                format!("check that {address} is powered on and that sshd runs there")
            }
            SessionError::Authentication { user, address, .. } => format!(
                "put your public key into ~{user}/.ssh/authorized_keys of the host, or name another `ssh.user` or \
                 `ssh.identity_file`; `ssh {user}@{address}` shows the same"
            ),
            SessionError::UnknownHostKey(key) => format!(
                "compare the fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host's own \
                 console, then accept it: {}",
                key.accept
            ),
            SessionError::ChangedHostKey(key) => format!(
                "do not go on before you know why: on the host's own console run `for k in /etc/ssh/ssh_host_*_key.pub; do \
                 ssh-keygen -lf $k; done` and compare. Only if the new key is right: {}",
                key.forget
            ),
            SessionError::RevokedHostKey { .. } => {
                "give the host a new key, or take the @revoked line out of known_hosts".to_owned()
            }
            SessionError::SudoPassword { host, user } => format!(
                "check the secret behind `ssh.become_password`: `sudo -k -v` as {user} on {host} must take it"
            ),
            SessionError::SudoPasswordRequired { user, .. } => format!(
                "give `ssh.become_password` a secret, or allow it without: `{user} ALL=(ALL) NOPASSWD: ALL` in \
                 /etc/sudoers.d"
            ),
            SessionError::MaxSessions { .. } => "raise MaxSessions in the host's sshd_config".to_owned(),
            SessionError::Local { .. } => "install openssh-client".to_owned(),
            _ => return None,
        })
    }

    /// As the contract has it.
    pub fn during(self, operation: &str) -> ProviderError {
        let mut error = ProviderError::new(self.class(), operation, self.to_string());
        error.hint = self.hint();
        error
    }
}
