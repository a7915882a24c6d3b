//! The shop on an AWS that behaves as AWS does: late lists, states that take their time, pages, what is in use; and under
//! throttling, errors and answers that are lost.

use std::time::{Duration, Instant};

use standfast_fault_proxy::{
    Call, Fault,
    aws::{InUse, Late, Pages, Slow, Tokens},
};

use super::{account::Account, regions, shop};

/// Runs that a command may need under a storm.
const RUNS_MAX: usize = 5;

/// Free to be destroyed.
fn unprotected(account: Account) -> Account {
    account.sandbox.edit("    storage: 20GiB\n", "    storage: 20GiB\n    deletion_protection: false\n");
    shop::let_sessions_go(&account);
    account
}

/// On an AWS with its manners.
fn mannered(account: Account) -> Account {
    account.proxy.switch("slow", false);
    account
        .proxy
        .add("tokens", Tokens::default())
        .add("late", Late::new(2, 1))
        .add("slower", Slow::new(2))
        .add("in use", InUse::new(account.upstream(), 2))
        .add("pages", Pages::of(2));
    account
}

#[test]
fn what_is_late_slow_paged_or_in_use_is_waited_for() {
    let account = mannered(unprotected(shop::account()));
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    let pages = account.proxy.seen().into_iter().filter(|seen| seen.action == "DescribeSubnets").count();
    assert!(pages > 9, "nine subnets in pages of two: {pages} calls");
    for (from, to) in [
        ("nat: per_zone", "nat: single"),
        ("replicas: 3 ", "replicas: 2 "),
        ("db.t4g.medium", "db.t4g.large"),
    ] {
        account.sandbox.edit(from, to);
    }
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
    assert!(account.proxy.struck("late") > 0 && account.proxy.struck("in use") > 0);
}

/// A captive portal, or a proxy that is at its end: what was made is looked for, and not made twice.
#[test]
fn an_answer_that_cannot_be_read_is_no_refusal() {
    let account = unprotected(shop::account());
    let makes = |call: &Call| call.action.starts_with("Create");
    account.proxy.add("blank", Fault::blank_answer().on(makes).every(2));
    account.run("apply --auto-approve").code(0);
    assert!(account.proxy.struck("blank") > 9);
    account.proxy.switch("blank", false);
    account.assert_settled();
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

/// 10% throttled, 5% failed inside, 5% without their answer after their effect, 50 ms each.
fn storm(account: &Account, seed: u64) {
    let signed = |call: &Call| !call.service.is_empty();
    account
        .proxy
        .add("latency", Fault::latency(Duration::from_millis(50)).on(signed))
        .add("throttled", Fault::throttled().on(signed).chance(10, seed))
        .add("failed", Fault::internal_error().on(signed).chance(5, seed + 1))
        .add("lost", Fault::lose_answer().on(signed).chance(5, seed + 2));
}

fn calm(account: &Account, is_calm: bool) {
    for name in ["latency", "throttled", "failed", "lost"] {
        account.proxy.switch(name, !is_calm);
    }
}

/// Runs a command until it succeeds, then counts in peace.
#[track_caller]
fn weather(account: &Account, line: &str) -> usize {
    let begun = Instant::now();
    for runs in 1..=RUNS_MAX {
        let ran = account.run(line);
        if ran.code == Some(0) {
            println!("{line}: {runs} runs, {:.0?}", begun.elapsed());
            return runs;
        }
        let failed = ran.stderr.lines().chain(ran.stdout.lines()).filter(|line| line.contains("could not"));
        failed.filter(|line| !line.contains(" retry ")).for_each(|line| println!("{line}"));
        assert!(runs < RUNS_MAX, "{}", ran.shown());
    }
    unreachable!()
}

/// Made, changed and removed, each counted in peace. The SDK slows down where it is throttled: this takes minutes, in which
/// nobody computes.
fn weather_out(account: Account, edits: &[(&str, &str)]) {
    let account = mannered(unprotected(account));
    storm(&account, 7);
    weather(&account, "apply --auto-approve");
    calm(&account, true);
    account.assert_settled();
    calm(&account, false);
    for (from, to) in edits {
        account.sandbox.edit(from, to);
    }
    weather(&account, "apply --auto-approve");
    calm(&account, true);
    account.assert_settled();
    calm(&account, false);
    weather(&account, "destroy --auto-approve");
    assert_eq!(account.census(), Default::default());
    for name in ["throttled", "failed", "lost"] {
        let struck = account.proxy.struck(name);
        println!("{name}: {struck} of {} calls", account.proxy.seen().len());
        assert!(struck > 0, "{name}: {struck}");
    }
}

#[test]
fn under_a_storm_the_shop_is_made_changed_and_removed_once() {
    let edits = [("db.t4g.medium", "db.t4g.large"), ("ttl: 1h", "ttl: 2h"), ("nat: per_zone", "nat: single")];
    weather_out(shop::account(), &edits);
}

#[test]
fn under_a_storm_two_regions_are_made_changed_and_removed_once() {
    let edits = [("db.t4g.medium", "db.t4g.large"), ("path: /, interval: 10s }", "path: /, interval: 30s }")];
    weather_out(regions::account(), &edits);
}

/// The stack of scripts/bench-aws: each kind of thing in a call of its own, but what the answers about others tell.
const STACK: &str = include_str!("stack.yaml");

#[test]
fn a_plan_of_an_unchanged_stack_asks_twenty_questions() {
    let account = Account::applied(STACK);
    account.proxy.forget();
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    let mut asked: Vec<_> = account.proxy.seen().into_iter().map(|seen| seen.action).collect();
    asked.sort_unstable();
    assert!(asked.len() <= 20, "{}: {asked:?}", asked.len());
    // What others tell of, and is another than it was, is looked at all the same.
    account.python(
        "held = ec2.describe_addresses()['Addresses'][0]\n\
         nat = [n for n in ec2.describe_nat_gateways()['NatGateways'] if n['NatGatewayAddresses'][0]['AllocationId'] == held['AllocationId']][0]\n\
         ec2.delete_nat_gateway(NatGatewayId=nat['NatGatewayId'])\n\
         ec2.disassociate_address(AssociationId=held['AssociationId'])\n\
         ec2.release_address(AllocationId=held['AllocationId'])",
    );
    let steps = account.plan("").steps();
    let is_anew =
        |kind: &str| steps.iter().any(|step| step.contains(kind) && step.ends_with("(drift: it is gone)"));
    assert!(is_anew("nat_gateway.") && is_anew("elastic_ip."), "{steps:#?}");
}

/// Groups without machines, and how many calls a plan of nothing to do makes for so many.
fn calls_of_a_plan(groups: usize) -> usize {
    let group = |at: usize| {
        format!(
            "  g{at}: {{ capacity: {{ min: 0, max: 1 }}, instance_type: t3.small, port: 80, workload: {{ package: nginx }}, \
             image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 }}\n"
        )
    };
    let groups: String = (0..groups).map(group).collect();
    let account = Account::applied(&format!(
        "standfast: 1\nname: crowd\nregions:\n  home: {{ provider: aws, location: eu-west-1, zones: 2 }}\n\
         networks:\n  main: {{ cidr: 10.20.0.0/16, nat: none }}\nautoscaling_groups:\n{groups}"
    ));
    account.proxy.forget();
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    let seen = account.proxy.seen();
    let mut each: Vec<_> = seen.iter().map(|seen| seen.action.as_str()).collect();
    each.sort_unstable();
    println!("{groups} calls: {each:?}", groups = each.len());
    each.len()
}

#[test]
fn a_plan_of_a_hundred_groups_asks_for_pages_and_not_for_groups() {
    let (few, many) = (calls_of_a_plan(10), calls_of_a_plan(100));
    // Groups are told by name in fifties; all else of these fits into a page.
    assert!(many <= few + 3, "{few} calls for 10 groups, {many} for 100");
}
