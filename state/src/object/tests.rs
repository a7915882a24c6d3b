//! The pure part, over random entries: reading again comes to the same, a refusal leaves nothing, a snapshot is the state.

use jiff::Timestamp;
use proptest::prelude::*;

use super::entry::Entry;
use super::lease::LockRow;
use super::model::{Context, Model, Saved};
use crate::error::StoreError;
use crate::history::{RunId, RunStart};
use crate::journal::{Intent, IntentId, Outcome};
use crate::lock::LockRequest;
use crate::record::{Change, ResourceRecord};

const CONTEXT: Context<'_> = Context { operation: "test", place: "memory" };
const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// Everything of a model, to compare.
fn shown(model: &Model) -> String {
    serde_json::to_string(&Saved::from(model)).unwrap()
}

fn lock(token: u64) -> Box<LockRow> {
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: 1,
        command: "apply".into(),
        lease_ms: 1,
    };
    Box::new(LockRow::new(&request, token, AT))
}

fn record(address: &str, deposed: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.into(),
        deposed: deposed.into(),
        kind: "unit".into(),
        id: "i".into(),
        provider: "sim".into(),
        inputs_digest: "d".into(),
        dependencies: vec!["a".into()],
        payload: "{}".into(),
    }
}

fn start() -> RunStart {
    RunStart {
        command: "apply".into(),
        owner: "ann".into(),
        host: "here".into(),
        blueprint: None,
        variables: "{}".into(),
        plan_id: None,
        summary: String::new(),
    }
}

fn intent(run: u64) -> Intent {
    Intent {
        run: RunId(run),
        address: "a".into(),
        deposed: String::new(),
        action: "create".into(),
        token: "t".into(),
        payload: "{}".into(),
    }
}

fn change() -> impl Strategy<Value = Change> {
    let address = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let deposed = || prop::sample::select(vec!["", "", "k"]).prop_map(str::to_owned);
    prop_oneof![
        3 => (address(), deposed()).prop_map(|(address, deposed)| Change::Put(record(&address, &deposed))),
        1 => (address(), deposed()).prop_map(|(address, deposed)| Change::Remove { address, deposed }),
        1 => (address(), address()).prop_map(|(from, to)| Change::Move { from, to }),
        1 => (address(), deposed()).prop_map(|(address, deposed)| Change::Depose { address, deposed }),
    ]
}

/// Few tokens, runs and intents, so that right ones and stale ones meet.
fn entry() -> impl Strategy<Value = Entry> {
    let changes = || prop::collection::vec(change(), 0..4);
    let outcome = prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Unknown),
        Just(Outcome::Failed { message: "no".into() })
    ];
    let token = || 1..4u64;
    prop_oneof![
        (token(), prop::option::of(token()))
            .prop_map(|(token, over)| Entry::Locked { lock: lock(token), over }),
        token().prop_map(|token| Entry::Released { token }),
        Just(Entry::Broken),
        token().prop_map(|token| Entry::RunBegun { token, start: start(), at: AT }),
        (token(), 1..3u64).prop_map(|(token, run)| Entry::RunEnded {
            token,
            run: RunId(run),
            result: "done".into(),
            summary: String::new(),
            at: AT
        }),
        (token(), 1..3u64).prop_map(|(token, run)| Entry::Intended { token, intent: intent(run), at: AT }),
        (token(), 1..5u64, outcome, changes()).prop_map(|(token, id, outcome, changes)| Entry::Settled {
            token,
            intent: IntentId(id),
            outcome,
            changes,
            at: AT
        }),
        (token(), changes()).prop_map(|(token, changes)| Entry::Recorded { token, changes }),
        (token(), "[pq]").prop_map(|(token, plan_id)| Entry::PlanUsed { token, plan_id, at: AT }),
        (prop::option::of(token()), "[kl]").prop_map(|(token, key)| Entry::Meta {
            token,
            key,
            value: "v".into()
        }),
    ]
}

proptest! {
    #[test]
    fn reading_again_comes_to_the_same(entries in prop::collection::vec(entry(), 0..60)) {
        let mut live = Model::default();
        let (mut accepted, mut half) = (Vec::new(), None);
        for (at, entry) in entries.iter().enumerate() {
            let before = shown(&live);
            let serial = live.head.serial;
            match live.apply(entry, CONTEXT) {
                Ok(_) => accepted.push(entry.clone()),
                Err(_) => prop_assert_eq!(shown(&live), before, "a refusal left something"),
            }
            prop_assert!(live.head.serial - serial <= 1);
            if at == entries.len() / 2 {
                half = Some((shown(&live), accepted.len()));
            }
        }
        // From the beginning, and from a snapshot in the middle.
        let mut again = Model::default();
        for entry in &accepted {
            again.apply(entry, CONTEXT).unwrap();
        }
        prop_assert_eq!(shown(&again), shown(&live));
        if let Some((saved, read)) = half {
            let mut resumed = Model::from(serde_json::from_str::<Saved>(&saved).unwrap());
            prop_assert_eq!(shown(&resumed), saved);
            for entry in &accepted[read..] {
                resumed.apply(entry, CONTEXT).unwrap();
            }
            prop_assert_eq!(shown(&resumed), shown(&live));
        }
    }
}

#[test]
fn a_claimant_takes_over_only_the_lease_that_it_judged() {
    let mut model = Model::default();
    model.apply(&Entry::Locked { lock: lock(1), over: None }, CONTEXT).unwrap();
    for over in [None, Some(7)] {
        let refused = model.apply(&Entry::Locked { lock: lock(2), over }, CONTEXT);
        assert!(matches!(refused, Err(StoreError::Locked { .. })), "{over:?}: {refused:?}");
    }
    model.apply(&Entry::Locked { lock: lock(2), over: Some(1) }, CONTEXT).unwrap();
    let late = model.apply(&Entry::Recorded { token: 1, changes: Vec::new() }, CONTEXT);
    assert!(matches!(late, Err(StoreError::LeaseLost { holder: Some(_), .. })), "{late:?}");
}
