//! How a provider says that a call failed.

use std::{fmt, time::Duration};

/// What the engine may do about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorClass {
    /// Trying again may help: throttled, a lock held, a connection lost before the call took effect.
    Transient,
    /// The place could not be reached at all; nothing else there will work either.
    Unreachable,
    /// Trying again will not help.
    Permanent,
    /// The call may have taken effect and its answer was lost; only a look at the world tells.
    Uncertain,
}

/// A failed provider call: what was tried, why it failed, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ProviderError {
    /// "install haproxy on lb1".
    pub operation: String,
    /// "dpkg is locked by pid 812".
    pub reason: String,
    /// The next move, as a sentence.
    pub hint: Option<String>,
    pub class: ErrorClass,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    /// The key of the region by which it cannot be worked in at all, whatever is asked: `account`.
    pub shut_by: Option<&'static str>,
}

impl ProviderError {
    pub fn new(class: ErrorClass, operation: impl Into<String>, reason: impl Into<String>) -> Self {
        ProviderError {
            operation: operation.into(),
            reason: reason.into(),
            hint: None,
            class,
            retry_after: None,
            shut_by: None,
        }
    }

    pub fn permanent(operation: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, operation, reason)
    }

    pub fn transient(operation: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(ErrorClass::Transient, operation, reason)
    }

    /// Nothing can be done in the region: see [`ProviderError::shut_by`].
    #[must_use]
    pub fn shuts(mut self, key: &'static str) -> Self {
        self.shut_by = Some(key);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.operation, self.reason)
    }
}
