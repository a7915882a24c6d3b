//! What may happen to a call: the trait for any rule, and the faults that every service knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;

use crate::call::{Answer, Call};

/// What a rule says before the call reaches the service.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing against it; the rule may have changed the call.
    Pass,
    /// The service never sees it; this is the answer.
    Answer(Answer),
    /// The service never sees it, and the connection is dropped.
    Drop,
}

/// What a rule says when the service has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The answer goes back; the rule may have changed it.
    Deliver,
    /// Another answer goes back, which tells nothing of it.
    Swap,
    /// The call took effect and nobody learns of it: the connection is dropped.
    Lose,
}

/// One behaviour, named and switched where it is added to a [`Proxy`](crate::Proxy).
#[async_trait]
pub trait Rule: Send + Sync {
    /// Before the call goes on.
    async fn before(&self, call: &mut Call) -> Verdict {
        let _ = call;
        Verdict::Pass
    }

    /// With the service's answer.
    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let _ = (call, answer);
        Fate::Deliver
    }
}

/// A rule that the test keeps a hand on.
#[async_trait]
impl<R: Rule> Rule for Arc<R> {
    async fn before(&self, call: &mut Call) -> Verdict {
        R::before(self, call).await
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        R::after(self, call, answer).await
    }
}

enum Kind {
    Latency(Duration),
    LateAnswer(Duration),
    Answer(StatusCode, String),
    DropBefore,
    LoseAnswer,
    BlankAnswer,
}

enum When {
    Always,
    EveryNth(u64),
    /// Exactly the n-th that matches, once.
    Nth(u64),
    /// With a seed, so that a failure can be repeated.
    Chance {
        percent: u64,
        seed: u64,
    },
}

type Matches = Box<dyn Fn(&Call) -> bool + Send + Sync>;

/// A fault that every service knows, for the calls that match it.
pub struct Fault {
    kind: Kind,
    when: When,
    matches: Matches,
    matched: AtomicU64,
}

impl Fault {
    /// The call waits before it goes on.
    pub fn latency(duration: Duration) -> Self {
        Self::new(Kind::Latency(duration))
    }

    /// The call takes effect at once, and its answer waits.
    pub fn late_answer(duration: Duration) -> Self {
        Self::new(Kind::LateAnswer(duration))
    }

    /// The service never sees the call; the answer is this one.
    pub fn answer(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new(Kind::Answer(status, body.into()))
    }

    /// The service refuses the call as one too many, in S3's words (503, `SlowDown`).
    pub fn slow_down() -> Self {
        Self::answer(
            StatusCode::SERVICE_UNAVAILABLE,
            xml_error("SlowDown", "Please reduce your request rate."),
        )
    }

    /// The service refuses the call as one too many, in the words of EC2 (503, `RequestLimitExceeded`), which the other
    /// query protocols share.
    pub fn throttled() -> Self {
        let error =
            "<Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error>";
        Self::answer(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("<Response><Errors>{error}</Errors>{error}<RequestID>proxy</RequestID></Response>"),
        )
    }

    /// The service fails inside (500, `InternalError`).
    pub fn internal_error() -> Self {
        Self::answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            xml_error("InternalError", "We encountered an error."),
        )
    }

    /// The connection is dropped before the service sees the call.
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// The call takes effect, and its answer is lost.
    pub fn lose_answer() -> Self {
        Self::new(Kind::LoseAnswer)
    }

    /// The call takes effect, and something on the way answers with an empty page.
    pub fn blank_answer() -> Self {
        Self::new(Kind::BlankAnswer)
    }

    /// AWS's word for a missing permission, as its services with the query protocol say it.
    pub fn denied(message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>\
             <RequestId>1</RequestId></ErrorResponse>"
        );
        Self::answer(StatusCode::FORBIDDEN, body)
    }

    fn new(kind: Kind) -> Self {
        Self { kind, when: When::Always, matches: Box::new(|_| true), matched: AtomicU64::new(0) }
    }

    /// Only calls for which `matches` is true; with an earlier condition, both count.
    #[must_use]
    pub fn on(mut self, matches: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        let before = std::mem::replace(&mut self.matches, Box::new(|_| true));
        self.matches = Box::new(move |call| before(call) && matches(call));
        self
    }

    /// Only this action of this service.
    #[must_use]
    pub fn on_action(self, service: &'static str, action: &'static str) -> Self {
        self.on(move |call| call.service == service && call.action == action)
    }

    /// Only every `n`-th of the calls that match.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.when = When::EveryNth(n.max(1));
        self
    }

    /// Only the `n`-th of the calls that match, and none after it.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// Only `percent` of the calls that match, chosen by `seed`.
    #[must_use]
    pub fn chance(mut self, percent: u64, seed: u64) -> Self {
        self.when = When::Chance { percent, seed };
        self
    }

    /// Whether this call is hit. Counts, so it is asked once a call.
    fn strikes(&self, call: &Call) -> bool {
        if !(self.matches)(call) {
            return false;
        }
        let number = self.matched.fetch_add(1, Ordering::Relaxed) + 1;
        match self.when {
            When::Always => true,
            When::EveryNth(n) => number.is_multiple_of(n),
            When::Nth(n) => number == n,
            When::Chance { percent, seed } => mixed(seed.wrapping_add(number)) % 100 < percent,
        }
    }
}

#[async_trait]
impl Rule for Fault {
    async fn before(&self, call: &mut Call) -> Verdict {
        let strikes_after = matches!(self.kind, Kind::LateAnswer(_) | Kind::LoseAnswer | Kind::BlankAnswer);
        if strikes_after || !self.strikes(call) {
            return Verdict::Pass;
        }
        match &self.kind {
            Kind::Latency(duration) => {
                tokio::time::sleep(*duration).await;
                Verdict::Pass
            }
            Kind::Answer(status, body) => Verdict::Answer(Answer::new(*status, body.clone())),
            Kind::DropBefore | Kind::LateAnswer(_) | Kind::LoseAnswer | Kind::BlankAnswer => Verdict::Drop,
        }
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        match self.kind {
            Kind::LateAnswer(duration) if self.strikes(call) => {
                tokio::time::sleep(duration).await;
                Fate::Deliver
            }
            Kind::LoseAnswer if self.strikes(call) => Fate::Lose,
            Kind::BlankAnswer if self.strikes(call) => {
                *answer = Answer::new(StatusCode::OK, "");
                Fate::Swap
            }
            _ => Fate::Deliver,
        }
    }
}

/// An error as the XML protocols write it.
fn xml_error(code: &str, message: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number that looks random for each number.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
