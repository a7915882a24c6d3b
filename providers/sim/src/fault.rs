//! Faults: scripted ones that a test asks for, and random ones that the seed decides.
//!
//! A random fault depends on seed, address, verb and attempt alone, never on the order in which calls arrive; so a run
//! with sixteen steps at once meets the same faults as one with a single step at a time.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_contract::{Address, ErrorClass, ProviderError, Value};

use crate::settings::Settings;

/// How a call goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Too many calls at once: refused, with a time after which to ask again; nothing happened.
    Throttled,
    /// An error of the other side; nothing happened.
    Internal,
    /// It happened, and the answer was lost.
    LostAnswer,
    /// It happened, and is a while until it is ready: waited for, and no error.
    Pending,
    /// No answer for a while, then none at all; nothing happened, but the caller cannot know.
    Hang,
    /// Refused for good: quota, permission, a health check that fails.
    Refused,
    /// The region cannot be reached.
    Unreachable,
    /// This process dies before the effect, as if by `kill -9`.
    DieBefore,
    /// This process dies right after the effect, before it knows.
    DieAfter,
}

impl FaultKind {
    pub(crate) fn takes_effect(self) -> bool {
        matches!(self, FaultKind::LostAnswer | FaultKind::Pending | FaultKind::DieAfter)
    }
}

/// A fault on demand; also a line of the world file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which addresses: as `--target` has it, `*` at the end allowed.
    pub address: String,
    /// `create`, `update`, `delete`, `read`, `find`, `probe`, `lookup`, `preflight`, the verb of an operation
    /// (`drain`, `health`, `undrain`), or `*`.
    pub verb: String,
    pub kind: FaultKind,
    /// The first matching call that it hits, counted from 1 within one process.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u32,
    /// How many matching calls in a row it hits, over all processes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub times: u32,
    /// It never wears off; `times` does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forever: bool,
    /// Only where these attributes have these values: `{"release": "nginx=1.25"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Value>,
    /// What the error says; else a phrase that fits the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long a hang or a pending state lasts, or a throttled caller shall wait, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

fn one() -> u32 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Fault {
    /// Hits the first matching call.
    pub fn new(address: impl Into<String>, verb: impl Into<String>, kind: FaultKind) -> Self {
        Fault {
            address: address.into(),
            verb: verb.into(),
            kind,
            nth: 1,
            times: 1,
            forever: false,
            when: BTreeMap::new(),
            reason: None,
            wait_ms: None,
        }
    }

    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    #[must_use]
    pub fn forever(mut self) -> Self {
        self.forever = true;
        self
    }

    #[must_use]
    pub fn when(mut self, attribute: impl Into<String>, value: impl Into<Value>) -> Self {
        self.when.insert(attribute.into(), value.into());
        self
    }

    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// What a call is about, for the matching of faults.
pub(crate) enum Subject<'a> {
    Resource(&'a Address),
    /// `find` and `lookup` ask a whole region.
    Region(&'a str),
}

impl Subject<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Subject::Resource(address) => address.as_str(),
            Subject::Region(region) => region,
        }
    }

    fn matches(&self, selector: &str) -> bool {
        match self {
            Subject::Resource(address) => address.matches(selector),
            Subject::Region(region) => {
                selector == *region || selector.strip_suffix('*').is_some_and(|head| region.starts_with(head))
            }
        }
    }
}

/// A scripted fault and how far it is used up.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub fault: Fault,
    /// Matching calls in this process.
    seen: u32,
    /// Hits, over all processes.
    pub fired: u32,
}

impl Scripted {
    pub fn new(fault: Fault) -> Self {
        Scripted { fault, seen: 0, fired: 0 }
    }

    pub fn is_spent(&self) -> bool {
        !self.fault.forever && self.fired >= self.fault.times
    }

    /// Counts a call and says whether it is hit. What is used up counts no more.
    pub fn hits(
        &mut self,
        subject: &Subject<'_>,
        verb: &str,
        attribute: &dyn Fn(&str) -> Option<Value>,
    ) -> bool {
        let fault = &self.fault;
        if self.is_spent()
            || !(fault.verb == "*" || fault.verb == verb)
            || !subject.matches(&fault.address)
            || !fault.when.iter().all(|(name, value)| attribute(name).as_ref() == Some(value))
        {
            return false;
        }
        self.seen += 1;
        // A fault that has fired in an earlier process goes on from its first match here.
        self.fired > 0 || self.seen >= fault.nth
    }
}

/// A fault that a call meets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Struck {
    pub kind: FaultKind,
    pub reason: Option<String>,
    pub wait: Duration,
}

const HANG_SCRIPTED: Duration = Duration::from_secs(30);
/// A random hang lasts as long as twenty calls, within these bounds.
const HANG_MIN: Duration = Duration::from_millis(100);
const HANG_MAX: Duration = Duration::from_secs(30);
const RETRY_AFTER_MIN: Duration = Duration::from_millis(10);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

impl Struck {
    pub fn scripted(fault: &Fault, settings: Settings<'_>) -> Self {
        let usual = if fault.kind == FaultKind::Hang { HANG_SCRIPTED } else { retry_after(settings) };
        Struck {
            kind: fault.kind,
            reason: fault.reason.clone(),
            wait: fault.wait_ms.map_or(usual, Duration::from_millis),
        }
    }

    /// What is pending is there in the end, and where nothing is made there is nothing to wait for.
    pub fn is_error(&self) -> bool {
        self.kind != FaultKind::Pending
    }

    /// The error that the caller sees.
    pub fn error(&self, operation: String) -> ProviderError {
        let (class, phrase) = match self.kind {
            FaultKind::Throttled => (ErrorClass::Transient, "Throttling: rate exceeded"),
            FaultKind::Internal => (ErrorClass::Transient, "InternalError: the service failed"),
            FaultKind::LostAnswer => {
                (ErrorClass::Uncertain, "the connection was closed before an answer came")
            }
            FaultKind::Hang => (ErrorClass::Uncertain, "no answer within the time limit"),
            FaultKind::Unreachable => (ErrorClass::Unreachable, "the region does not answer"),
            // What is pending is no error, and of the last two the process is gone before they are seen.
            FaultKind::Refused | FaultKind::Pending | FaultKind::DieBefore | FaultKind::DieAfter => {
                (ErrorClass::Permanent, "OperationNotPermitted: refused")
            }
        };
        let mut error = ProviderError::new(class, operation, self.reason.as_deref().unwrap_or(phrase));
        if self.kind == FaultKind::Throttled {
            error.retry_after = Some(self.wait);
        }
        error
    }
}

fn retry_after(settings: Settings<'_>) -> Duration {
    Duration::from_millis(settings.latency_ms.saturating_mul(2)).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// What a verb may suffer at random.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Faults before the effect, hangs and lost answers.
    Full,
    /// Refused for now and nothing more: the call changes nothing, or nothing that could be looked up later.
    Refusals,
    /// Nothing but what is scripted.
    None,
}

/// Whether this attempt fails, and how.
pub(crate) fn at_random(
    settings: Settings<'_>,
    subject: &str,
    verb: &str,
    attempt: u32,
    exposure: Exposure,
) -> Option<Struck> {
    if exposure == Exposure::None {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&settings.seed.to_le_bytes());
    hasher.update(&attempt.to_le_bytes());
    hasher.update(verb.as_bytes()).update(b"\0").update(subject.as_bytes());
    let mut dice = [0_u8; 12];
    hasher.finalize_xof().fill(&mut dice);
    let share = |at: usize| {
        f64::from(u32::from_le_bytes([dice[at], dice[at + 1], dice[at + 2], dice[at + 3]]))
            / (f64::from(u32::MAX) + 1.0)
    };
    let strike = |kind, wait| Some(Struck { kind, reason: None, wait });
    if share(0) < settings.fault_rate {
        let which = share(4);
        if which < 0.1 && exposure == Exposure::Full {
            let wait =
                Duration::from_millis(settings.latency_ms.saturating_mul(20)).clamp(HANG_MIN, HANG_MAX);
            return strike(FaultKind::Hang, wait);
        }
        let kind = if which < 0.55 { FaultKind::Throttled } else { FaultKind::Internal };
        return strike(kind, retry_after(settings));
    }
    if exposure == Exposure::Full && share(8) < settings.lost_answer_rate {
        return strike(FaultKind::LostAnswer, Duration::ZERO);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(fault_rate: f64, lost_answer_rate: f64) -> Settings<'static> {
        Settings { region: "home", seed: 7, latency_ms: 0, fault_rate, lost_answer_rate }
    }

    #[test]
    fn the_seed_decides_and_the_rates_hold() {
        let roll = |seed, rates: (f64, f64)| -> Vec<_> {
            let settings = Settings { seed, ..settings(rates.0, rates.1) };
            (0..4000)
                .map(|attempt| at_random(settings, "home/x", "create", attempt, Exposure::Full))
                .map(|struck| struck.map(|struck| struck.kind))
                .collect()
        };
        assert_eq!(roll(1, (0.2, 0.1)), roll(1, (0.2, 0.1)));
        assert_ne!(roll(1, (0.2, 0.1)), roll(2, (0.2, 0.1)));
        let rolled = roll(1, (0.2, 0.1));
        let lost = rolled.iter().filter(|kind| **kind == Some(FaultKind::LostAnswer)).count();
        let failed = rolled.iter().flatten().count() - lost;
        assert!((700..900).contains(&failed), "{failed}");
        assert!((250..390).contains(&lost), "{lost}");
        assert!(roll(1, (0.0, 0.0)).iter().all(Option::is_none));
    }

    #[test]
    fn what_cannot_be_looked_up_later_is_only_refused() {
        for attempt in 0..2000 {
            let kind = at_random(settings(0.5, 0.5), "a", "drain", attempt, Exposure::Refusals)
                .map(|struck| struck.kind);
            assert!(matches!(kind, None | Some(FaultKind::Throttled | FaultKind::Internal)), "{kind:?}");
        }
    }

    #[test]
    fn a_script_counts_its_matches() {
        let address: Address = "home/networks.main/subnet.a".parse().unwrap();
        let subject = Subject::Resource(&address);
        let fault =
            Fault::new("networks.main", "create", FaultKind::Refused).nth(2).times(2).when("zone", "a");
        let mut scripted = Scripted::new(fault);
        let in_zone_a = |name: &str| (name == "zone").then(|| Value::text("a"));
        assert!(!scripted.hits(&subject, "create", &|_| None));
        assert!(!scripted.hits(&subject, "delete", &in_zone_a));
        let mut hits = Vec::new();
        for _ in 0..5 {
            let hit = scripted.hits(&subject, "create", &in_zone_a);
            scripted.fired += u32::from(hit);
            hits.push(hit);
        }
        assert_eq!(hits, [false, true, true, false, false]);
    }
}
