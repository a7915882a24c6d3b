//! A failure in, what is undone in which order out.

use serde_json::json;
use standfast_contract::OutputRef;

use super::*;
use crate::apply::tasks::{
    lower,
    tests::{Said, member, plan, say},
};

/// A rollout of a, b and c, two steps each, the second of which needs the first.
fn three(on_failure: &str, at_once: u32) -> Plan {
    let update = |name, after| -> Said { (name, Action::Update, false, after, vec![]) };
    let steps = [
        update("a.file", vec![]),
        update("a.service", vec![0]),
        update("b.file", vec![]),
        update("b.service", vec![2]),
        update("c.file", vec![]),
        update("c.service", vec![4]),
    ];
    plan(
        &steps,
        &json!([{
            "component": "baselines.b", "canary": 0, "max_unavailable": at_once, "on_failure": on_failure,
            "members": [member("a", &[0, 1]), member("b", &[2, 3]), member("c", &[4, 5])],
        }]),
    )
}

/// Runs a plan up to the task that fails, and what was started beside it to its end. What is undone then, in order, and
/// the tasks that are never begun.
fn fail(plan: &Plan, what: &str) -> (Vec<String>, Vec<String>) {
    let tasks = lower(plan);
    let mut scheduler = Scheduler::default();
    scheduler.add(tasks.iter().map(|task| (task.needs.clone(), Vec::new())));
    let failed = loop {
        // All that may run is begun before the first of it ends.
        let begun: Vec<u32> = std::iter::from_fn(|| scheduler.start()).collect();
        let failed = begun.iter().find(|&&task| say(plan, &tasks[task as usize].work) == what).copied();
        for task in begun {
            scheduler.finish(task, Some(task) != failed);
        }
        if let Some(failed) = failed {
            break failed;
        }
        assert!(!scheduler.is_finished(), "`{what}` was never begun");
    };
    let key = tasks[failed as usize].member.unwrap();
    for task in stopped_by(plan, &tasks, &scheduler, key) {
        scheduler.block(task, failed);
    }
    let never = (0..).zip(&tasks).filter(|(task, _)| matches!(scheduler.state(*task), State::Blocked { .. }));
    let never = never.map(|(_, task)| say(plan, &task.work)).collect();
    let first = tasks.len() as u32;
    let undoing = undo(plan, &tasks, &scheduler, key, first).tasks;
    // One after the other: each waits for the one before it.
    for (at, task) in (first..).zip(&undoing) {
        let needed: Vec<u32> = task.needs.iter().map(|need| need.task).collect();
        assert_eq!(needed, if at == first { vec![] } else { vec![at - 1] });
    }
    (undoing.iter().map(|task| say(plan, &task.work)).collect(), never)
}

fn of(members: &[&str], verbs: &[&str]) -> Vec<String> {
    let each = |member: &&str| verbs.iter().map(move |verb| verb.replace('*', member)).collect::<Vec<_>>();
    members.iter().flat_map(each).collect()
}

const WHOLE: &[&str] = &["drain *", "undo *.file", "undo *.service", "health *", "undrain *"];

#[test]
fn the_failed_member_is_undone_first_then_the_others_from_the_last() {
    let (undone, never) = fail(&three("rollback", 1), "health c");
    assert_eq!(undone, of(&["c", "b", "a"], WHOLE));
    assert_eq!(never, ["undrain c"]);
}

#[test]
fn what_was_not_touched_is_not_undone() {
    let (undone, never) = fail(&three("rollback", 1), "make b.file");
    let b = ["drain b", "undo b.file", "health b", "undrain b"].map(str::to_owned);
    assert_eq!(undone, [b.to_vec(), of(&["a"], WHOLE)].concat());
    for task in ["make b.service", "undrain b", "drain c", "make c.file", "undrain c"] {
        assert!(never.contains(&task.to_owned()), "{task}: {never:?}");
    }
    // Drained and nothing more: it is only brought back.
    let (undone, _) = fail(&three("rollback", 1), "drain a");
    assert_eq!(undone, ["drain a", "health a", "undrain a"]);
}

#[test]
fn members_that_were_changed_together_are_undone_one_by_one() {
    let (undone, _) = fail(&three("rollback", 3), "make a.service");
    assert_eq!(undone[..5], of(&["a"], WHOLE));
    assert_eq!(undone[5..], of(&["c", "b"], WHOLE));
}

#[test]
fn newcomers_are_left_as_they_are() {
    let mut plan = three("rollback", 1);
    plan.rollouts[0].members[0].new = true;
    let (undone, _) = fail(&plan, "health c");
    assert_eq!(undone, of(&["c", "b"], WHOLE));
}

#[test]
fn stopping_lets_members_that_have_begun_come_to_their_end() {
    let plan = three("stop", 2);
    let (_, never) = fail(&plan, "make a.file");
    let of_b = |task: &String| task.split(' ').nth(1).is_some_and(|name| name.starts_with('b'));
    assert!(!never.iter().any(of_b), "{never:?}");
    assert!(never.contains(&"drain c".to_owned()) && never.contains(&"undrain a".to_owned()), "{never:?}");
}

/// A group behind a target group that is replaced, with its listener, its guard, and something else that is changed.
fn behind(old_is_there: bool) -> Plan {
    let update = |name, after| -> Said { (name, Action::Update, false, after, vec![]) };
    let steps = [
        ("target", Action::Replace, old_is_there, vec![], vec![1, 4]),
        update("listener", vec![0]),
        update("guard", vec![]),
        update("other", vec![]),
        update("a.group", vec![1]),
    ];
    let rollout = json!([{
        "component": "baselines.b", "canary": 0, "max_unavailable": 1, "on_failure": "rollback",
        "members": [member("a", &[4])],
    }]);
    let mut plan = plan(&steps, &rollout);
    for (at, component) in [(0, "load_balancers.front"), (1, "load_balancers.front"), (3, "databases.orders")]
    {
        let name = plan.steps[at].address.name().to_owned();
        plan.steps[at].address = format!("home/{component}/node.{name}").parse().unwrap();
    }
    let target = plan.steps[0].address.clone();
    for at in [1, 4] {
        plan.steps[at].inputs.insert("target".into(), OutputRef::resource(&target, "id"));
    }
    plan
}

#[test]
fn what_was_fitted_to_a_replacement_is_put_back_with_its_members() {
    let (undone, _) = fail(&behind(true), "health a");
    assert_eq!(undone, ["undo listener", "undo guard", "drain a", "undo a.group", "health a", "undrain a"]);
}

#[test]
fn nothing_is_put_back_onto_what_is_gone() {
    let plan = behind(false);
    assert_eq!(fail(&plan, "health a").0, Vec::<String>::new());
}
