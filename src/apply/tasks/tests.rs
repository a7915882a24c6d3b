//! Plans in, orders out: each test reads as steps and what comes before what.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A step: its name, what is done to it, what it waits for, whose old objects depend on its old one.
pub type Said = (&'static str, Action, bool, Vec<u32>, Vec<u32>);

pub fn plan(steps: &[Said], rollouts: &serde_json::Value) -> Plan {
    let steps: Vec<_> = steps
        .iter()
        .map(|(name, action, first, after, dependants)| {
            json!({
                "address": format!("home/baselines.b/node.{name}"), "kind": "node", "provider": "sim",
                "action": action, "reason": "", "lane": "sim:home", "place": null, "inputs": {},
                "after": after.iter().map(|step| json!({ "step": step })).collect::<Vec<_>>(),
                "dependants": dependants, "create_before_destroy": first,
            })
        })
        .collect();
    let summary = json!({"create": 0, "update": 0, "replace": 0, "delete": 0, "forget": 0, "refresh": 0, "move": 0, "no_op": 0});
    serde_json::from_value(json!({
        "format_version": 1, "id": "p", "purpose": "apply", "stack": { "name": "s", "environment": "e" },
        "lineage": "l", "serial": 0, "summary": summary, "steps": steps, "rollouts": rollouts, "outputs": {},
        "probes": [], "warnings": [], "secrets": [], "blueprint": null, "blueprint_path": null, "variables": {},
    }))
    .unwrap()
}

pub fn member(name: &str, steps: &[u32]) -> serde_json::Value {
    let operation = |verb: &str| {
        json!({
            "address": format!("home/baselines.b/{verb}.{name}"), "provider": "sim", "verb": verb, "place": null,
            "lane": "sim:home", "inputs": {}, "timeout_ms": 1000,
        })
    };
    json!({
        "name": name, "steps": steps, "before": [operation("drain")],
        "after": [operation("health"), operation("undrain")], "new": false,
    })
}

pub fn say(plan: &Plan, work: &Work) -> String {
    let name = |step: &u32| plan.steps[*step as usize].address.name().to_owned();
    match work {
        Work::Make(step) => format!("make {}", name(step)),
        Work::Drop(step) => format!("drop {}", name(step)),
        Work::Undo(step) => format!("undo {}", name(step)),
        Work::Operate(operation, _) => format!("{} {}", operation.verb, operation.address.name()),
    }
}

/// The tasks in an order in which they may run, the earliest first; `None` where some wait for each other.
fn order(plan: &Plan) -> Option<Vec<String>> {
    let tasks = lower(plan);
    let mut done = vec![false; tasks.len()];
    let mut order = Vec::new();
    while let Some(next) =
        (0..tasks.len()).find(|&at| !done[at] && tasks[at].needs.iter().all(|need| done[need.task as usize]))
    {
        done[next] = true;
        order.push(say(plan, &tasks[next].work));
    }
    (order.len() == tasks.len()).then_some(order)
}

#[track_caller]
fn check(steps: &[Said], expected: &[&str]) {
    assert_eq!(order(&plan(steps, &json!([]))).unwrap(), expected);
}

#[test]
fn a_dependant_is_made_after_and_deleted_before() {
    check(
        &[("low", Action::Create, false, vec![], vec![]), ("high", Action::Create, false, vec![0], vec![])],
        &["make low", "make high"],
    );
    check(
        &[("low", Action::Delete, false, vec![], vec![1]), ("high", Action::Delete, false, vec![], vec![])],
        &["drop high", "drop low"],
    );
}

#[test]
fn replaced_in_place_the_dependant_goes_first_and_comes_back_last() {
    check(
        &[
            ("low", Action::Replace, false, vec![], vec![1]),
            ("high", Action::Replace, false, vec![0], vec![]),
        ],
        &["drop high", "drop low", "make low", "make high"],
    );
}

#[test]
fn made_before_destroyed_the_old_one_outlives_the_change_of_its_dependant() {
    check(
        &[("low", Action::Replace, true, vec![], vec![1]), ("high", Action::Update, false, vec![0], vec![])],
        &["make low", "make high", "drop low"],
    );
}

#[test]
fn what_did_without_a_deleted_one_is_changed_before_it_goes() {
    check(
        &[("high", Action::Update, false, vec![], vec![]), ("low", Action::Delete, false, vec![], vec![0])],
        &["make high", "drop low"],
    );
}

#[test]
fn members_go_one_after_the_other_each_drained_first() {
    let steps: Vec<Said> = ["a", "b", "c"].map(|name| (name, Action::Update, false, vec![], vec![])).into();
    let rollout = |canary: u32, most: u32| {
        json!([{
            "component": "baselines.b", "canary": canary, "max_unavailable": most, "on_failure": "rollback",
            "members": [member("a", &[0]), member("b", &[1]), member("c", &[2])],
        }])
    };
    let one: Vec<String> = ["a", "b", "c"]
        .iter()
        .flat_map(|name| ["drain", "make", "health", "undrain"].map(|verb| format!("{verb} {name}")))
        .collect();
    assert_eq!(order(&plan(&steps, &rollout(1, 1))).unwrap(), one);
    // Two at once after the canary: the second of them waits for the canary alone.
    let plan = plan(&steps, &rollout(1, 2));
    let tasks = lower(&plan);
    let drain = |name: &str| {
        tasks
            .iter()
            .position(|task| matches!(&task.work, Work::Operate(one, _) if one.verb == "drain" && one.address.name() == name))
            .unwrap()
    };
    assert!(tasks[drain("a")].needs.is_empty());
    assert_eq!(tasks[drain("b")].needs, tasks[drain("c")].needs);
    assert_eq!(tasks[drain("b")].needs.len(), 1);
}

/// No order keeps one member in service while what both stand on is replaced, the old one first: they go together.
#[test]
fn members_on_something_that_is_replaced_beneath_them_go_together() {
    let replace = |name, after, dependants| (name, Action::Replace, false, after, dependants);
    let steps: Vec<Said> = vec![
        replace("net", vec![], vec![1, 2]),
        replace("a", vec![0], vec![]),
        replace("b", vec![0], vec![]),
    ];
    let rollout = json!([{
        "component": "baselines.b", "canary": 1, "max_unavailable": 1, "on_failure": "rollback",
        "members": [member("a", &[1]), member("b", &[2])],
    }]);
    let order = order(&plan(&steps, &rollout)).unwrap();
    let at = |what: &str| order.iter().position(|said| said == what).unwrap();
    for name in ["a", "b"] {
        let turn = ["drain", "drop", "make", "health", "undrain"].map(|verb| at(&format!("{verb} {name}")));
        assert!(turn.is_sorted(), "{order:?}");
        assert!(turn[1] < at("drop net") && at("make net") < turn[2], "{order:?}");
    }
}

#[test]
fn who_follows_members_waits_until_they_are_back_and_does_not_go_on_without_them() {
    let update = |name, after| (name, Action::Update, false, after, vec![]);
    let steps: Vec<Said> = vec![update("a", vec![]), update("b", vec![]), update("front", vec![0, 1])];
    let rollout = json!([{
        "component": "baselines.b", "canary": 1, "max_unavailable": 1, "on_failure": "rollback",
        "members": [member("a", &[0]), member("b", &[1])],
    }]);
    let mut plan = plan(&steps, &rollout);
    plan.steps[2].after.iter_mut().for_each(|wait| wait.soft = true);
    let needs = |plan: &Plan| {
        let mut tasks = lower(plan).into_iter();
        tasks.find(|task| task.work == Work::Make(2)).unwrap().needs
    };
    assert_eq!(order(&plan).unwrap().last().unwrap(), "make front");
    assert_eq!(needs(&plan).len(), 4, "what is made of both, and that both are back");
    assert!(needs(&plan).iter().all(|need| !need.soft));

    // Newcomers are waited for, but it comes up without them.
    plan.rollouts[0].members.iter_mut().for_each(|member| member.new = true);
    assert_eq!(needs(&plan), [Need { task: 0, soft: true }, Need { task: 1, soft: true }]);
}

proptest! {
    /// Whatever is replaced, deleted or changed: where what was recorded is ordered as what is wanted, no task waits for
    /// itself, and every old object goes after those that depended on it.
    #[test]
    fn no_task_waits_for_itself(
        actions in prop::collection::vec((0_usize..4, any::<bool>()), 1..24),
        edges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
        members in 0_usize..5,
    ) {
        let kinds = [Action::Create, Action::Update, Action::Replace, Action::Delete];
        let mut steps: Vec<Said> = actions
            .iter()
            .map(|(kind, first)| ("n", kinds[*kind], *first && kinds[*kind] == Action::Replace, vec![], vec![]))
            .collect();
        for (a, b) in &edges {
            let (a, b) = (a.index(steps.len()), b.index(steps.len()));
            let (low, high) = (a.min(b), a.max(b));
            if low == high {
                continue;
            }
            if steps[low].1 != Action::Delete && steps[high].1 != Action::Delete {
                steps[high].3.push(low as u32);
            }
            if matches!(steps[low].1, Action::Delete | Action::Replace) && steps[high].1 != Action::Create {
                steps[low].4.push(high as u32);
            }
            // As the planner has it: nothing is made before its old one goes above what must go first.
            if steps[low].1 == Action::Replace && !steps[low].2 {
                steps[high].2 = false;
            }
        }
        // What is first made non-first lower down says so to all above it.
        for high in 0..steps.len() {
            let below = edges.iter().filter_map(|(a, b)| {
                let (a, b) = (a.index(steps.len()), b.index(steps.len()));
                (a.max(b) == high && a != b).then_some(a.min(b))
            });
            if below.clone().any(|low| steps[low].1 == Action::Replace && !steps[low].2) {
                steps[high].2 = false;
            }
        }
        // A rollout of the last updates: nothing above them, as members are.
        let above: Vec<u32> = steps.iter().flat_map(|step| step.3.clone()).collect();
        let free: Vec<u32> = (0..steps.len() as u32)
            .filter(|at| matches!(steps[*at as usize].1, Action::Update | Action::Replace) && !above.contains(at))
            .take(members)
            .collect();
        let list: Vec<_> = free.iter().map(|at| member(&format!("m{at}"), &[*at])).collect();
        let rollouts = if list.is_empty() { json!([]) } else { json!([{
            "component": "baselines.b", "canary": 1, "max_unavailable": 2, "on_failure": "stop", "members": list,
        }]) };
        prop_assert!(order(&plan(&steps, &rollouts)).is_some());
    }
}
