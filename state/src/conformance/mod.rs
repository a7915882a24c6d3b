//! The suite that every store passes or fails as a whole.
//!
//! A store's test calls [`run`] with a function that opens it. All cases run, each on a state of its own, and the
//! failures are reported together. What only one kind of store can suffer (a damaged file, a lost connection)
//! is tested beside that store.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a suite of tests, built as a library")]

#[cfg(all(feature = "postgres", unix))]
pub mod cluster;
mod history;
mod journal;
mod locks;
mod records;
pub mod sealing;
pub mod work;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::history::{RunId, RunStart};
use crate::journal::Intent;
use crate::lock::{Lease, LockRequest};
use crate::record::{ResourceRecord, StackId};
use crate::store::Store;

/// A future without its type.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens a store for a state, making it where it is missing. Called again for the same state it must give a
/// handle on the same data, as another process would get it.
pub type Open = dyn Fn(StackId) -> Pending<Arc<dyn Store>> + Send + Sync;

type Case = fn(Bench) -> Pending<()>;

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        &[$((stringify!($case), (|bench| Box::pin($module::$case(bench))) as Case)),*]
    };
}

const CASES: &[(&str, Case)] = cases![
    locks::one_of_two_claimants_gets_the_lock,
    locks::many_claimants_at_once_make_one_holder,
    locks::a_released_lock_is_free,
    locks::a_lease_runs_out_and_a_renewed_one_does_not,
    locks::the_former_holder_cannot_write_anything,
    locks::a_broken_lock_fences_its_holder,
    locks::tokens_grow_over_every_way_a_lock_can_end,
    locks::environments_lock_apart,
    records::a_new_state_is_empty_with_a_lineage,
    records::records_come_back_as_they_were,
    records::the_serial_counts_committed_changes_only,
    records::a_change_that_does_not_fit_undoes_the_whole_write,
    records::a_rename_takes_copies_and_dependants_along,
    records::a_deposed_copy_lives_beside_its_successor,
    records::states_in_one_store_do_not_mix,
    records::a_value_is_inserted_once,
    records::a_value_may_depend_on_the_lease,
    journal::an_intent_is_open_until_it_is_settled,
    journal::an_unknown_outcome_stays_open_for_the_next_run,
    journal::what_a_dead_run_left_open_is_found_and_settled,
    journal::an_intent_is_settled_once,
    journal::an_outcome_and_its_changes_stand_or_fall_together,
    journal::only_the_run_under_the_lock_writes_intents,
    journal::parallel_writes_all_arrive_and_a_failing_one_takes_none_with_it,
    journal::a_reader_never_sees_half_a_write,
    history::runs_are_numbered_and_listed_newest_first,
    history::a_run_keeps_its_blueprint_variables_and_journal,
    history::a_killed_run_has_no_end_and_may_be_ended_later,
    history::a_plan_is_used_once,
    history::pruning_keeps_what_may_still_be_needed,
    history::an_export_brings_a_state_to_another_store,
];

/// Runs every case and returns how many there are.
///
/// # Panics
/// When any case failed, naming all that did. Must be called on a multi-threaded tokio runtime.
pub async fn run(open: impl Fn(StackId) -> Pending<Arc<dyn Store>> + Send + Sync + 'static) -> usize {
    let open: Arc<Open> = Arc::new(open);
    let mut failures = Vec::new();
    for (name, case) in CASES {
        let bench = Bench { open: Arc::clone(&open), stack: StackId::new(*name, None) };
        if let Err(failure) = tokio::spawn(case(bench)).await {
            let panic = failure.into_panic();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked");
            failures.push(format!("{name}: {text}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        CASES.len(),
        failures.join("\n")
    );
    CASES.len()
}

/// What a case works with: a state of its own, to be opened as often as it likes.
struct Bench {
    open: Arc<Open>,
    stack: StackId,
}

impl Bench {
    async fn open(&self) -> Arc<dyn Store> {
        (self.open)(self.stack.clone()).await
    }

    async fn open_environment(&self, environment: &str) -> Arc<dyn Store> {
        (self.open)(StackId::new(self.stack.stack.clone(), Some(environment))).await
    }
}

/// A claimant whose process cannot be looked for: only the lease's time counts.
fn claimant(owner: &str, lease_ms: u64) -> LockRequest {
    LockRequest {
        owner: owner.to_owned(),
        host: "elsewhere".to_owned(),
        process: 1,
        command: "apply".to_owned(),
        lease_ms,
    }
}

fn start() -> RunStart {
    RunStart {
        command: "apply".to_owned(),
        owner: "ann".to_owned(),
        host: "elsewhere".to_owned(),
        blueprint: None,
        variables: "{}".to_owned(),
        plan_id: None,
        summary: "to create 3".to_owned(),
    }
}

/// Takes the lock for a minute and begins a run.
async fn begin(store: &Arc<dyn Store>) -> (Lease, RunId) {
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    let run = store.begin_run(&lease, &start()).await.unwrap();
    (lease, run)
}

fn intent(run: RunId, address: &str) -> Intent {
    Intent {
        run,
        address: address.to_owned(),
        deposed: String::new(),
        action: "create".to_owned(),
        token: format!("token-of-{address}"),
        payload: r#"{"size":3}"#.to_owned(),
    }
}

fn resource(address: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.to_owned(),
        deposed: String::new(),
        kind: "host".to_owned(),
        id: format!("i-{address}"),
        provider: "sim".to_owned(),
        inputs_digest: "d1".to_owned(),
        dependencies: vec!["net".to_owned(), "a \"quoted\", odd\\one".to_owned()],
        payload: "{\"outputs\":{\"address\":\"10.0.0.1\"},\"note\":\"\u{fc}\\n\"}".to_owned(),
    }
}
