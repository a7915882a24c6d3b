//! A call that goes no further: where a test kills the process that made it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// On which side of its effect a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The service never sees it.
    Before,
    /// The service has answered, and the answer is held back.
    After,
}

/// Counts the calls that match, and holds the one that it is armed for: for good.
#[derive(Debug)]
pub struct Halt {
    matches: fn(&Call) -> bool,
    armed: Mutex<Option<(u64, Moment)>>,
    matched: AtomicU64,
    holds: AtomicBool,
}

impl Halt {
    /// Counts the calls for which `matches` is true.
    pub fn on(matches: fn(&Call) -> bool) -> Self {
        let (matched, holds) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { matches, armed: Mutex::default(), matched, holds }
    }

    /// From now on counts anew, and holds the `nth` call, from 1; none without one.
    pub fn arm(&self, nth: Option<(u64, Moment)>) {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = nth;
        self.matched.store(0, Ordering::SeqCst);
        self.holds.store(false, Ordering::SeqCst);
    }

    /// How many matched since it was armed.
    pub fn count(&self) -> u64 {
        self.matched.load(Ordering::SeqCst)
    }

    /// Whether a call is held.
    pub fn holds(&self) -> bool {
        self.holds.load(Ordering::SeqCst)
    }

    fn armed(&self) -> Option<(u64, Moment)> {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn hold(&self) {
        self.holds.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
}

/// The header by which a call is known again when its answer comes.
const MARK: &str = "x-halt-after";

#[async_trait]
impl Rule for Halt {
    async fn before(&self, call: &mut Call) -> Verdict {
        if !(self.matches)(call) {
            return Verdict::Pass;
        }
        let number = self.matched.fetch_add(1, Ordering::SeqCst) + 1;
        match self.armed() {
            Some((nth, Moment::Before)) if nth == number => self.hold().await,
            Some((nth, Moment::After)) if nth == number => {
                call.headers.insert(MARK, hyper::header::HeaderValue::from_static("1"));
            }
            _ => {}
        }
        Verdict::Pass
    }

    async fn after(&self, call: &Call, _: &mut Answer) -> Fate {
        if call.header(MARK).is_some() {
            self.hold().await;
        }
        Fate::Deliver
    }
}
