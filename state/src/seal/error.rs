//! What can go wrong with a seal, each with its next move: no key, the wrong key, damage and tampering are told apart.

/// Why something sealed could not be opened, or something could not be sealed.
///
/// Damage shows in a checksum that anybody can compute; what has a right checksum and does not open was made by somebody
/// without the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No passphrase where one is needed.
    #[error("it is sealed with a passphrase, and none was given")]
    NoPassphrase,
    /// No identity where one is needed.
    #[error("it is sealed for {}, and no identity was given", recipients.join(", "))]
    NoIdentity {
        /// For whom it is sealed.
        recipients: Vec<String>,
    },
    /// The passphrase is another one.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The identities are those of others.
    #[error("no identity that was given fits; it is sealed for {}", recipients.join(", "))]
    NoIdentityFits {
        /// For whom it is sealed.
        recipients: Vec<String>,
    },
    /// The header does not match its checksum, or is none.
    #[error("the header of its seal is damaged ({reason})")]
    HeaderDamaged {
        /// What was found.
        reason: String,
    },
    /// A sealed text does not match its checksum, or is none.
    #[error("{what} is damaged ({reason})")]
    Damaged {
        /// Which text.
        what: String,
        /// What was found.
        reason: &'static str,
    },
    /// Whole, and yet not made with the key, or not for this place.
    #[error("{what} was tampered with: it is whole, but was not sealed for this place with this key")]
    Tampered {
        /// Which text, or the header.
        what: String,
    },
    /// Sealed with another key than the one that was opened.
    #[error("{what} is sealed with another key")]
    OtherKey {
        /// Which text, or the state.
        what: String,
    },
    /// A later standfast sealed it.
    #[error("its seal has format {found}, and this standfast knows up to {supported}")]
    Newer {
        /// Its format.
        found: u32,
        /// The newest that this build opens.
        supported: u32,
    },
    /// A file with a passphrase or an identity that cannot be used.
    #[error("the key file {file} cannot be used: {reason}")]
    KeyFile {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file with a passphrase or an identity that others can read.
    #[error("the key file {file} is not private: others can read it (mode {mode:04o})")]
    Exposed {
        /// Its path.
        file: String,
        /// Its permissions.
        mode: u32,
    },
    /// Not the public key of a recipient.
    #[error("`{text}` is no recipient: {reason}")]
    Recipient {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A library or the system failed.
    #[error("sealing failed ({reason})")]
    Failed {
        /// As it words it.
        reason: String,
    },
}

impl SealError {
    /// The next move, as a sentence for the user; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPassphrase => {
                "set STANDFAST_STATE_PASSPHRASE, or name a file that only you can read with --state-passphrase-file; \
                 at a terminal it is asked for"
            }
            Self::WrongPassphrase => {
                "try again with the passphrase that was set last: after `standfast state rekey` the old one opens \
                 nothing any more"
            }
            Self::NoIdentity { .. } => {
                "name the file that `age-keygen` wrote for one of them with --state-identity, or in \
                 STANDFAST_STATE_IDENTITY"
            }
            Self::NoIdentityFits { .. } => {
                "use the identity of one of them; any of them can add yours with `standfast state rekey --recipient`"
            }
            Self::HeaderDamaged { .. } | Self::Damaged { .. } => {
                "keep a copy of it, then restore a backup: `standfast state push --force BACKUP`; what was made since is \
                 not in that, and `standfast state rebuild` finds it"
            }
            Self::Tampered { .. } => {
                "trust nothing of it: keep a copy, find out who can write there, and restore a backup from before: \
                 `standfast state push --force BACKUP`"
            }
            Self::OtherKey { .. } => {
                "somebody may have given the state another key meanwhile: run again, and make saved plans anew"
            }
            Self::Newer { .. } => "use the standfast that sealed it, or a later one",
            Self::Exposed { file, .. } => return Some(format!("take the right away: `chmod 600 {file}`")),
            Self::Recipient { .. } => {
                "a recipient is a public key such as age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p; \
                 `age-keygen -y FILE` shows that of an identity"
            }
            Self::KeyFile { .. } => "check the path and what is in the file",
            Self::Failed { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// What is sealed, and has no header any more.
    pub fn header_lost() -> Self {
        Self::HeaderDamaged { reason: "it is not there, and what it opens is".to_owned() }
    }

    /// Whether it is lost and may be replaced, as a damaged state may.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::HeaderDamaged { .. } | Self::Damaged { .. } | Self::Tampered { .. })
    }
}
