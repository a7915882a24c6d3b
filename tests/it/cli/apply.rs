//! Applying when things go wrong: failures, faults, rollouts, kills.

use std::time::Duration;

use super::{FLEET, Ran, SHOP, Sandbox, snapshot};

const REFUSED: &str = r#"{"fault":{"address":"home/databases.orders/database.main","verb":"create","kind":"refused","forever":true,"reason":"InstanceLimitExceeded: no more databases"}}"#;
/// The second release never answers well.
const SICK: &str = r#"{"fault":{"address":"autoscaling_groups.web","verb":"health","kind":"refused","when":{"release":"nginx=2"},"forever":true,"reason":"GET / answered 500"}}"#;
/// It answers well on the first two members only.
const SICK_LATER: &str = r#"{"fault":{"address":"home/autoscaling_groups.web/member.w3","verb":"health","kind":"refused","when":{"release":"nginx=2"},"forever":true,"reason":"GET / answered 500"}}"#;

/// Latency makes an apply long enough to be met in the middle.
fn slow(blueprint: &str, latency: &str) -> String {
    blueprint.replace("provider: sim", &format!("provider: sim\n    sim: {{ latency: {latency} }}"))
}

#[test]
fn a_failing_branch_does_not_stop_the_others() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(REFUSED);
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(1);
    assert_eq!(sandbox.world().len().unwrap(), 8, "all but the database and its replica");
    let unknown = sandbox.run("outputs --only databases.orders.writer").code(1);
    let ran = [ran, unknown, sandbox.run("plan").code(0), sandbox.run("history").code(0)];
    snapshot("a-branch-fails", &ran);
    assert_eq!(
        sandbox.plan("").steps(),
        [
            "create home/databases.orders/database.main (new)",
            "create home/databases.orders/replica.db2 (new)"
        ]
    );
    let json = sandbox.run("apply --auto-approve --format json").code(1);
    let last = json.stdout.lines().rev().find(|line| !line.is_empty()).unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert!(last.to_string().contains("InstanceLimitExceeded"), "{last}");
}

#[test]
fn transient_faults_are_tried_again() {
    let faults = "provider: sim\n    sim: { seed: 7, faults: 20%, lost_answers: 10% }";
    let sandbox = Sandbox::new(&SHOP.replace("provider: sim", faults));
    let mut rounds = 1;
    while sandbox.run("apply --auto-approve").code != Some(0) {
        rounds += 1;
        assert!(rounds < 6, "it does not get done");
    }
    let world = sandbox.world();
    assert_eq!(world.duplicates().unwrap(), []);
    assert_eq!(world.len().unwrap(), 10);
}

#[test]
fn a_retry_is_told() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"throttled","times":2,"wait_ms":50}}"#);
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(0);
    assert!(ran.stderr.contains("Throttling"), "{}", ran.shown());
    sandbox.assert_settled();
}

#[test]
fn an_answer_that_is_lost_makes_no_second_one() {
    let sandbox = Sandbox::new(SHOP);
    sandbox
        .meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"lost_answer","times":2}}"#);
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn a_rollout_goes_canary_first_and_one_at_a_time() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    let plan = sandbox.run("plan").code(0);
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(0);
    snapshot("rollout", &[plan, ran]);
    sandbox.assert_settled();
    assert!(sandbox.world().objects().unwrap().iter().all(|object| !object.drained));
}

#[test]
fn never_more_members_are_out_than_may_be() {
    for most in 1..=3 {
        let blueprint = FLEET.replace("max_unavailable: 1", &format!("max_unavailable: {most}"));
        let sandbox = Sandbox::applied(&slow(&blueprint, "10ms"));
        let before = std::fs::read_to_string(sandbox.world_file()).unwrap().lines().count();
        sandbox.edit("version: \"1\"", "version: \"2\"");
        sandbox.ok("apply --auto-approve");
        let text = std::fs::read_to_string(sandbox.world_file()).unwrap();
        let mut out = std::collections::BTreeSet::new();
        let mut widest = 0;
        for (number, line) in text.lines().skip(before).enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(id) = line["drained"]["id"].as_str() else { continue };
            if line["drained"]["drained"] == true {
                out.insert(id.to_owned());
            } else {
                out.remove(id);
            }
            widest = widest.max(out.len());
            if number == 0 {
                assert_eq!(out.len(), 1, "the canary is alone");
            }
        }
        assert_eq!(widest, most, "with max_unavailable {most}");
    }
}

#[test]
fn a_sick_release_is_rolled_back_at_the_canary() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.meddle(SICK);
    let pending = sandbox.plan("").steps();
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(1);
    let members: Vec<_> = sandbox.world().objects().unwrap();
    for member in members.iter().filter(|object| object.kind == "member") {
        assert_eq!(member.inputs["release"].as_str(), Some("nginx=1"), "{member:?}");
        assert!(!member.drained, "{member:?}");
    }
    let ran = [ran, sandbox.run("history").code(0)];
    snapshot("rolled-back-at-the-canary", &ran);
    // What is left to do is the change, less what no member was needed for.
    let left = sandbox.plan("").steps();
    assert!(!left.is_empty());
    assert!(
        left.iter()
            .filter(|step| step.contains("/member."))
            .eq(pending.iter().filter(|step| step.contains("/member."))),
        "{left:#?}\n{pending:#?}"
    );
}

#[test]
fn a_release_that_fails_late_is_rolled_back_everywhere() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.meddle(SICK_LATER);
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(1);
    for member in sandbox.world().objects().unwrap().iter().filter(|object| object.kind == "member") {
        assert_eq!(member.inputs["release"].as_str(), Some("nginx=1"), "{member:?}");
        assert!(!member.drained, "{member:?}");
    }
    snapshot("rolled-back-late", &[ran]);
    // The old release again in the blueprint: nothing is left to be done to a member.
    sandbox.edit("version: \"2\"", "version: \"1\"");
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

/// A member whose update had no answer and was then refused was put back: the next plan has nothing to look up.
#[test]
fn what_had_no_answer_and_was_rolled_back_is_not_in_flight() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    // The second fault waits until the first is used up.
    for kind in ["lost_answer", "refused"] {
        sandbox.meddle(&format!(
            r#"{{"fault":{{"address":"home/autoscaling_groups.web/member.w3","verb":"update","kind":"{kind}"}}}}"#
        ));
    }
    sandbox.run("apply --auto-approve --parallelism 1").code(1);
    for member in sandbox.world().objects().unwrap().iter().filter(|object| object.kind == "member") {
        assert_eq!(member.inputs["release"].as_str(), Some("nginx=1"), "{member:?}");
    }
    let plan = sandbox.plan("").0;
    assert!(plan["in_flight"].as_array().is_none_or(Vec::is_empty), "{plan}");
    assert!(sandbox.ok("history show 2").contains("no answer; rolled back"));
}

#[test]
fn on_failure_stop_leaves_the_failed_member_out_of_service() {
    let sandbox = Sandbox::applied(&FLEET.replace("on_failure: rollback", "on_failure: stop"));
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.meddle(SICK_LATER);
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(1);
    let objects = sandbox.world().objects().unwrap();
    let release = |name: &str| {
        let object = objects.iter().find(|object| object.address.name() == name).unwrap();
        (object.inputs["release"].as_str().unwrap().to_owned(), object.drained)
    };
    assert_eq!(release("w1"), ("nginx=2".to_owned(), false));
    assert_eq!(release("w3"), ("nginx=2".to_owned(), true));
    assert_eq!(release("w4"), ("nginx=1".to_owned(), false));
    snapshot("stopped", &[ran]);
}

#[test]
fn killed_in_the_middle_the_next_apply_makes_no_second_one() {
    // On either side of an effect, in every branch; then by a real `kill -9`.
    for at in [
        "home/load_balancers.front/balancer.main",
        "home/autoscaling_groups.web/member.web2",
        "databases.orders",
    ] {
        for kind in ["die_before", "die_after"] {
            let sandbox = Sandbox::new(SHOP);
            sandbox.meddle(&format!(r#"{{"fault":{{"address":"{at}","verb":"create","kind":"{kind}"}}}}"#));
            assert_eq!(sandbox.run("apply --auto-approve").code, None, "{at} {kind}");
            sandbox.run("apply --auto-approve --lock-timeout 40s").code(0);
            sandbox.assert_settled();
            let history = sandbox.ok("history");
            assert!(history.contains("did not end"), "{history}");
        }
    }
}

#[test]
fn kill_9_loses_nothing() {
    let sandbox = Sandbox::new(&slow(SHOP, "500ms"));
    for _ in 0..3 {
        // Of the one before, which is gone, nobody says that it may still be at work.
        let plan = sandbox.run("plan").code(0);
        assert!(!plan.stderr.contains("may still be going"), "{}", plan.shown());
        let mut child = sandbox.start("apply", "apply --auto-approve --lock-timeout 40s");
        sandbox.wait_for("apply.err", "begins");
        std::thread::sleep(Duration::from_millis(400));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sandbox.edit("latency: 500ms", "latency: 1ms");
    sandbox.run("apply --auto-approve --lock-timeout 40s").code(0);
    sandbox.assert_settled();
}

#[test]
fn killed_in_a_rollout_the_next_apply_finishes_it() {
    for kind in ["die_before", "die_after"] {
        let sandbox = Sandbox::applied(FLEET);
        sandbox.edit("version: \"1\"", "version: \"2\"");
        sandbox.meddle(&format!(r#"{{"fault":{{"address":"home/autoscaling_groups.web/member.w2","verb":"update","kind":"{kind}"}}}}"#));
        assert_eq!(sandbox.run("apply --auto-approve").code, None);
        sandbox.run("apply --auto-approve --lock-timeout 40s").code(0);
        sandbox.assert_settled();
        let drained: Vec<_> =
            sandbox.world().objects().unwrap().into_iter().filter(|one| one.drained).collect();
        assert_eq!(drained, [], "{kind}: none is left out of service");
    }
}

#[test]
fn without_a_terminal_there_is_no_colour_and_no_spinner() {
    let sandbox = Sandbox::new(SHOP);
    for line in ["plan", "apply --auto-approve", "status", "history", "drift"] {
        let ran = sandbox.run(line).code(0);
        assert!(!ran.shown().contains('\u{1b}'), "{}", ran.shown());
        assert!(!ran.shown().contains('\r'), "{}", ran.shown());
    }
    // Colours can be forced, and NO_COLOR and --no-color win.
    let with = |variables: &[(&str, &str)], line: &str| {
        let mut command = sandbox.command(line);
        command.envs(variables.iter().copied());
        Ran::of(line, command).shown().contains('\u{1b}')
    };
    assert!(
        with(&[("CLICOLOR_FORCE", "1")], "drift --format text")
            || with(&[("CLICOLOR_FORCE", "1")], "plan --destroy")
    );
    assert!(!with(&[("NO_COLOR", "1")], "plan --destroy"));
    assert!(!with(&[("CLICOLOR_FORCE", "1")], "plan --destroy --no-color"));
}

/// A region that cannot be reached holds up what stands on it, and nothing else.
#[test]
fn an_unreachable_place_does_not_stop_the_others() {
    let sandbox = Sandbox::new(
        "\
standfast: 1
name: pair
regions:
  home: { provider: sim, zones: 1 }
  away: { provider: sim, zones: 1 }
databases:
  near: { region: home, engine: postgres }
  far: { region: away, engine: postgres }
",
    );
    for verb in ["preflight", "create"] {
        sandbox.meddle(&format!(
            r#"{{"fault":{{"address":"away/*","verb":"{verb}","kind":"unreachable","forever":true}}}}"#
        ));
    }
    let ran = sandbox.run("apply --auto-approve --parallelism 1").code(1);
    snapshot("a-place-is-unreachable", &[ran]);
    let there = sandbox.world().objects().unwrap();
    assert!(!there.is_empty() && there.iter().all(|object| object.address.region() == "home"), "{there:#?}");
}

/// Killed between drain and undrain, and the change taken back: the next plan says who is out and puts it back.
#[test]
fn who_was_left_out_of_service_is_put_back() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.meddle(r#"{"fault":{"address":"autoscaling_groups.web","verb":"drain","kind":"die_after"}}"#);
    let died = sandbox.run("apply --auto-approve --parallelism 1");
    assert_eq!(died.code, None, "{}", died.shown());
    let planned = sandbox.run("plan").code(0);
    sandbox.edit("version: \"2\"", "version: \"1\"");
    let json: serde_json::Value = serde_json::from_str(&sandbox.ok("plan --format json")).unwrap();
    assert_eq!(json["in_flight"][0]["found"], "still_out", "{json}");
    let runs = [planned, sandbox.run("plan").code(0), sandbox.run("apply --auto-approve").code(0)];
    snapshot("left-out-of-service", &runs);
    assert!(sandbox.world().objects().unwrap().iter().all(|object| !object.drained));
    sandbox.assert_settled();
}

/// A saved plan knows nothing of what an apply began after it.
#[test]
fn a_plan_older_than_an_interrupted_apply_is_stale() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out early.plan");
    sandbox.meddle(r#"{"fault":{"address":"home/*","verb":"create","kind":"die_before"}}"#);
    assert_eq!(sandbox.run("apply --auto-approve --parallelism 1").code, None);
    let ran = sandbox.run("apply early.plan --auto-approve").code(1);
    assert!(ran.stderr.contains("an apply was interrupted after it was made"), "{}", ran.shown());
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

/// What a plan does not select, or only refreshes, it does not call dealt with: what was made in vain is still found.
#[test]
fn what_was_in_flight_stays_open_until_a_plan_deals_with_it() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"die_after"}}"#);
    assert_eq!(sandbox.run("apply --auto-approve --parallelism 1").code, None);
    sandbox.ok("apply --auto-approve --target load_balancers.front");
    sandbox.ok("apply --auto-approve --refresh-only");
    let found = |arguments: &str| {
        let plan: serde_json::Value = serde_json::from_str(&sandbox.ok(arguments)).unwrap();
        plan["in_flight"].as_array().map(|all| all.iter().map(|one| one["found"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(found("plan --format json --target load_balancers.front").unwrap(), ["left_open"]);
    assert_eq!(found("plan --format json").unwrap(), ["took_effect"]);
    sandbox.ok("apply --auto-approve");
    assert_eq!(found("plan --format json"), None);
    sandbox.assert_settled();
    assert_eq!(sandbox.world().duplicates().unwrap(), []);
}

/// Killed between the new template and the members that move onto it: the old one goes after they have, in the same apply.
#[test]
fn an_old_copy_that_a_killed_run_left_waits_for_those_that_stand_on_it() {
    let sandbox = Sandbox::applied(
        &FLEET.replace("port: 80\n    health", "port: 80\n    instance_type: small\n    health"),
    );
    sandbox.edit("instance_type: small", "instance_type: large");
    sandbox.meddle(r#"{"fault":{"address":"autoscaling_groups.web","verb":"drain","kind":"die_before"}}"#);
    assert_eq!(sandbox.run("apply --auto-approve").code, None);
    let ran = sandbox.run("apply --auto-approve").code(0);
    assert!(!ran.stderr.contains("DependencyViolation"), "{}", ran.shown());
    sandbox.assert_settled();
}

/// Killed right after the new one of a replacement was made: whatever the blueprint says by then, the next apply knows of it.
#[test]
fn what_a_killed_replacement_made_is_adopted_changed_or_taken_away() {
    let small = FLEET.replace("port: 80\n    health", "port: 80\n    instance_type: small\n    health");
    for (kind, before) in [("die_before", 1), ("die_after", 2)] {
        let killed = || {
            let sandbox = Sandbox::applied(&small);
            sandbox.edit("instance_type: small", "instance_type: large");
            sandbox.meddle(&format!(
                r#"{{"fault":{{"address":"home/autoscaling_groups.web/launch_template.main","verb":"create","kind":"{kind}"}}}}"#
            ));
            assert_eq!(sandbox.run("apply --auto-approve").code, None);
            let templates = sandbox.world().objects().unwrap();
            assert_eq!(templates.iter().filter(|one| one.kind == "launch_template").count(), before);
            sandbox
        };
        let changed = killed();
        changed.edit("instance_type: large", "instance_type: huge");
        changed.ok("apply --auto-approve");
        changed.assert_settled();
        let same = killed();
        same.ok("apply --auto-approve");
        same.assert_settled();
        let unwanted = killed();
        unwanted.ok("destroy --auto-approve");
        assert!(unwanted.world().is_empty().unwrap(), "{kind}");
    }
}

/// The first try took effect and its answer was lost, the second was refused for good: it was made all the same.
#[test]
fn what_a_try_without_an_answer_made_is_found_although_the_next_one_was_refused() {
    let sandbox = Sandbox::new(SHOP);
    // The second fault waits until the first is used up.
    for kind in ["lost_answer", "refused"] {
        sandbox.meddle(&format!(
            r#"{{"fault":{{"address":"home/databases.orders/parameter_group.main","verb":"create","kind":"{kind}"}}}}"#
        ));
    }
    sandbox.run("apply --auto-approve").code(1);
    assert!(sandbox.world().objects().unwrap().iter().any(|one| one.kind == "parameter_group"));
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}
