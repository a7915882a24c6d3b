//! Runs, used plans, and a whole state on its way to another store.

use super::{Bench, begin, claimant, intent, resource, start};
use crate::error::StoreError;
use crate::export::Export;
use crate::history::{RunId, RunStart};
use crate::journal::Outcome;
use crate::record::Change;

pub(super) async fn runs_are_numbered_and_listed_newest_first(bench: Bench) {
    let store = bench.open().await;
    for number in 1..=3 {
        let (lease, run) = begin(&store).await;
        assert_eq!(run, RunId(number));
        store.record(&lease, &[Change::Put(resource("a"))]).await.unwrap();
        store.end_run(&lease, run, "converged", &format!("created {number}")).await.unwrap();
        store.release(lease).await.unwrap();
    }
    let runs = bench.open().await.runs(2).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id.0).collect::<Vec<_>>(), [3, 2]);
    let last = &runs[0];
    assert_eq!((last.serial_before, last.serial_after), (2, Some(3)));
    assert_eq!((last.result.as_deref(), last.summary.as_str()), (Some("converged"), "created 3"));
    assert_eq!(
        (last.command.as_str(), last.owner.as_str(), last.host.as_str()),
        ("apply", "ann", "elsewhere")
    );
    assert!(last.ended.unwrap() >= last.started);
}

pub(super) async fn a_run_keeps_its_blueprint_variables_and_journal(bench: Bench) {
    let store = bench.open().await;
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    let with = RunStart {
        blueprint: Some("standfast: 1\nname: shop\n".to_owned()),
        variables: r#"{"release":"1.4.2"}"#.to_owned(),
        plan_id: Some("plan-7".to_owned()),
        ..start()
    };
    let first = store.begin_run(&lease, &with).await.unwrap();
    store.intend(&lease, &intent(first, "a")).await.unwrap();
    let second = store.begin_run(&lease, &with).await.unwrap();
    store.intend(&lease, &intent(second, "b")).await.unwrap();
    store.intend(&lease, &intent(second, "c")).await.unwrap();

    let detail = store.run(first).await.unwrap();
    assert_eq!(detail.blueprint, with.blueprint);
    assert_eq!(detail.variables, with.variables);
    assert_eq!(detail.record.plan_id, with.plan_id);
    let digest = blake3::hash(b"standfast: 1\nname: shop\n").to_hex().to_string();
    assert_eq!(detail.record.blueprint_digest, Some(digest));
    let addresses: Vec<_> = detail.journal.iter().map(|entry| entry.intent.address.as_str()).collect();
    assert_eq!(addresses, ["a"]);
    let detail = store.run(second).await.unwrap();
    assert_eq!(detail.blueprint, with.blueprint);
    let addresses: Vec<_> = detail.journal.iter().map(|entry| entry.intent.address.as_str()).collect();
    assert_eq!(addresses, ["b", "c"]);
    let missing = store.run(RunId(77)).await;
    assert!(matches!(missing, Err(StoreError::NoSuchRun { run: RunId(77), .. })), "got {missing:?}");
}

pub(super) async fn a_killed_run_has_no_end_and_may_be_ended_later(bench: Bench) {
    let store = bench.open().await;
    let (_, dead) = begin(&store).await;
    store.break_lock().await.unwrap();
    let record = store.run(dead).await.unwrap().record;
    assert_eq!((record.ended, record.result, record.serial_after), (None, None, None));
    let (lease, _) = begin(&store).await;
    store.end_run(&lease, dead, "interrupted", "found dead").await.unwrap();
    assert_eq!(store.run(dead).await.unwrap().record.result.as_deref(), Some("interrupted"));
    let missing = store.end_run(&lease, RunId(77), "done", "").await;
    assert!(matches!(missing, Err(StoreError::NoSuchRun { .. })), "got {missing:?}");
}

pub(super) async fn a_plan_is_used_once(bench: Bench) {
    let store = bench.open().await;
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.consume_plan(&lease, "plan-1").await.unwrap();
    store.consume_plan(&lease, "plan-2").await.unwrap();
    let used = store.consume_plan(&lease, "plan-1").await;
    assert!(matches!(used, Err(StoreError::PlanUsed { run: None, .. })), "got {used:?}");
    let with = RunStart { plan_id: Some("plan-1".to_owned()), ..start() };
    let run = store.begin_run(&lease, &with).await.unwrap();
    let used = bench.open().await.consume_plan(&lease, "plan-1").await;
    match used {
        Err(StoreError::PlanUsed { plan_id, run: by, .. }) => {
            assert_eq!((plan_id.as_str(), by), ("plan-1", Some(run)), "whoever began with it used it");
        }
        other => panic!("got {other:?}"),
    }
}

pub(super) async fn pruning_keeps_what_may_still_be_needed(bench: Bench) {
    let store = bench.open().await;
    let neighbour = bench.open_environment("other").await;
    let (held, theirs) = begin(&neighbour).await;
    neighbour.intend(&held, &intent(theirs, "n")).await.unwrap();
    let lease = store.lock(&claimant("ann", 60_000)).await.unwrap();
    store.consume_plan(&lease, "plan-2").await.unwrap();
    let blueprint = |number: u64| format!("blueprint of {number}");
    for number in 1..=9 {
        let with = RunStart {
            blueprint: (number != 7).then(|| blueprint(number)),
            plan_id: (number == 2).then(|| "plan-2".to_owned()),
            ..start()
        };
        let run = store.begin_run(&lease, &with).await.unwrap();
        if number <= 6 {
            let entry = store.intend(&lease, &intent(run, &format!("r{number}"))).await.unwrap();
            // The third run lost an answer.
            let outcome = if number == 3 { Outcome::Unknown } else { Outcome::Done };
            store.settle(&lease, entry, &outcome, &[]).await.unwrap();
        }
        let result = if number == 1 || number >= 6 { "failed" } else { "succeeded" };
        store.end_run(&lease, run, result, "").await.unwrap();
    }
    let before = store.snapshot().await.unwrap();
    let last = store.run(RunId(6)).await.unwrap().journal[0].id;

    assert_eq!(store.prune(&lease, 2).await.unwrap(), 4);
    let kept: Vec<u64> = store.runs(20).await.unwrap().iter().map(|run| run.id.0).collect();
    // The last two; the last that wrote an intent; the last that succeeded; the one that is not over.
    assert_eq!(kept, [9, 8, 6, 5, 3]);
    for number in [9, 8, 6, 5, 3] {
        let detail = bench.open().await.run(RunId(number)).await.unwrap();
        assert_eq!(detail.blueprint, Some(blueprint(number)));
        assert_eq!(detail.journal.len(), usize::from(number <= 6), "of run {number}");
    }
    assert_eq!(store.snapshot().await.unwrap(), before, "records and open intents stay");
    let gone = store.run(RunId(2)).await;
    assert!(matches!(gone, Err(StoreError::NoSuchRun { .. })), "got {gone:?}");
    let used = store.consume_plan(&lease, "plan-2").await;
    assert!(matches!(used, Err(StoreError::PlanUsed { run: Some(RunId(2)), .. })), "got {used:?}");
    assert_eq!(neighbour.runs(20).await.unwrap().len(), 1);
    assert_eq!(neighbour.snapshot().await.unwrap().open_intents.len(), 1);

    assert_eq!(store.prune(&lease, 0).await.unwrap(), 1, "never the last one");
    assert_eq!(store.prune(&lease, 1).await.unwrap(), 0);
    let run = store.begin_run(&lease, &start()).await.unwrap();
    assert_eq!(run, RunId(10));
    assert!(
        store.intend(&lease, &intent(run, "later")).await.unwrap() > last,
        "no number is given out twice"
    );
    store.break_lock().await.unwrap();
    let fenced = store.prune(&lease, 1).await;
    assert!(matches!(fenced, Err(StoreError::LeaseLost { .. })), "got {fenced:?}");
}

pub(super) async fn an_export_brings_a_state_to_another_store(bench: Bench) {
    let source = bench.open().await;
    let lease = source.lock(&claimant("ann", 60_000)).await.unwrap();
    let with = RunStart { blueprint: Some("name: shop".to_owned()), ..start() };
    let run = source.begin_run(&lease, &with).await.unwrap();
    let done = source.intend(&lease, &intent(run, "a")).await.unwrap();
    source.intend(&lease, &intent(run, "b")).await.unwrap();
    let lost = source.intend(&lease, &intent(run, "c")).await.unwrap();
    source.settle(&lease, done, &Outcome::Done, &[Change::Put(resource("a"))]).await.unwrap();
    source.settle(&lease, lost, &Outcome::Unknown, &[]).await.unwrap();
    source.consume_plan(&lease, "plan-1").await.unwrap();
    source.put_meta(None, "digest_key", "secret-digest-key").await.unwrap();
    source.end_run(&lease, run, "failed", "1 created").await.unwrap();
    let export = source.export().await.unwrap();
    let text = serde_json::to_string(&export).unwrap();
    let export: Export = serde_json::from_str(&text).unwrap();

    let target = bench.open_environment("copy").await;
    let (lease, _) = begin(&target).await;
    target.record(&lease, &[Change::Put(resource("old"))]).await.unwrap();
    target.import(&lease, &export).await.unwrap();
    let mut arrived = target.export().await.unwrap();
    assert_eq!(arrived.stack.environment, "copy");
    arrived.stack = export.stack.clone();
    for (here, there) in arrived.runs[0].journal.iter_mut().zip(&export.runs[0].journal) {
        here.id = there.id; // a store numbers its journal itself
    }
    assert_eq!(arrived, export);
    let open = target.snapshot().await.unwrap().open_intents;
    let open: Vec<_> = open.iter().map(|open| (open.intent.address.as_str(), open.answer_lost)).collect();
    assert_eq!(open, [("b", false), ("c", true)]);
    let next = target.begin_run(&lease, &start()).await.unwrap();
    assert!(next > run, "no number is given out twice");

    let later = Export { format: export.format + 1, ..export };
    let refused = target.import(&lease, &later).await;
    assert!(matches!(refused, Err(StoreError::ExportFormat { .. })), "got {refused:?}");
}
