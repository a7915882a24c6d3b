//! Where a run can die: before and after every write to the store and every call of the provider, numbered from 1 in the
//! order in which they are passed.

use std::{
    future::pending,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::sync::Notify;

/// How a run dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// `kill -9` of this very process.
    Process,
    /// It never goes on: whoever drives it drops it, as a killed process is dropped.
    Task,
}

/// What a run passed.
#[derive(Clone, Default, Debug)]
pub struct Passed {
    /// Points, the last one included.
    pub count: u64,
    /// The last one: "after intend".
    pub last: String,
    /// A run was begun in the history and not ended there.
    pub in_run: bool,
}

/// Counts the points of one run and ends it at one of them.
pub struct Points {
    count: AtomicU64,
    /// 0: it lives.
    kill_at: u64,
    death: Death,
    in_run: AtomicBool,
    dead: AtomicBool,
    last: Mutex<String>,
    died: Notify,
    /// Told before a process ends.
    epitaph: Box<dyn Fn(&Passed) + Send + Sync>,
}

impl Points {
    pub fn new(kill_at: u64, death: Death, epitaph: impl Fn(&Passed) + Send + Sync + 'static) -> Points {
        Points {
            count: AtomicU64::new(0),
            kill_at,
            death,
            in_run: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            last: Mutex::default(),
            died: Notify::new(),
            epitaph: Box::new(epitaph),
        }
    }

    /// Runs `work` between two points.
    pub async fn around<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        self.pass("before", what).await;
        if what == "end_run" {
            self.in_run.store(false, SeqCst);
        }
        let done = work.await;
        if what == "begin_run" {
            self.in_run.store(true, SeqCst);
        }
        self.pass("after", what).await;
        done
    }

    async fn pass(&self, side: &str, what: &str) {
        self.live().await;
        let count = self.count.fetch_add(1, SeqCst) + 1;
        if count == self.kill_at {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = format!("{side} {what}");
            self.die().await;
        }
    }

    /// Nothing is done by the dead.
    pub async fn live(&self) {
        if self.dead.load(SeqCst) {
            pending::<()>().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, SeqCst);
        if self.death == Death::Process {
            (self.epitaph)(&self.passed());
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        self.died.notify_one();
        pending::<()>().await;
    }

    /// Waits for the death.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    pub fn passed(&self) -> Passed {
        Passed {
            // At one point it died; what another task would have passed meanwhile does not count.
            count: self.count.load(SeqCst),
            last: self.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            in_run: self.in_run.load(SeqCst),
        }
    }
}
