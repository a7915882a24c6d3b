//! The shop, in one region and in two, with the program killed (`kill -9`) at the calls that change something: before one
//! has reached AWS, and after its effect while its answer is on the way. The same command again must come to its end, with
//! nothing made twice and nothing left over, counted by boto3.
//!
//! With the other tests at a few points, evenly spread; CONTRIBUTING.md has the command for all of them.

use std::{sync::Arc, time::Instant};

use standfast_fault_proxy::{
    Halt, Moment,
    aws::{InUse, Late, Slow, Tokens, changes},
};

use super::{account::Account, regions, shop};

const APPLY: &str = "apply --auto-approve";
/// What is made beside the old one, what is made after it, and what they stand on.
const REPLACE: &str = "apply --auto-approve --replace load_balancers.front --replace home/databases.orders/db_parameter_group.main";
const DESTROY: &str = "destroy --auto-approve";

/// Points of each command; the variable sets another number, or `all`.
const POINTS: u64 = 2;
const POINTS_ENV: &str = "STANDFAST_AWS_KILLS";

/// What an update changes, there and back: replacements, modifications, rules, what is added and taken away.
type Edits = &'static [(&'static str, &'static str)];

const OF_THE_SHOP: Edits = &[
    ("nat: per_zone", "nat: single"),
    ("ttl: 1h", "ttl: 2h"),
    ("max: 6", "max: 8"),
    // Another target group, made before the old one goes.
    ("    port: 80\n", "    port: 81\n"),
    ("db.t4g.medium", "db.t4g.large"),
    ("keep: 14d", "keep: 21d"),
    ("replicas: 3 ", "replicas: 2 "),
    ("cache.t4g.small", "cache.t4g.medium"),
    ("- { port: 80, to: web }", "- { port: 8080, routes: [{ path: /a/*, to: web }, { to: web }] }"),
];

const OF_TWO_REGIONS: Edits = &[
    ("strategy: warm_standby", "strategy: pilot_light"),
    // Another health check, made before the old one goes.
    ("path: /, interval: 10s }", "path: /, interval: 30s, unhealthy: 5 }"),
    ("db.t4g.medium", "db.t4g.large"),
    ("keep: 14d", "keep: 7d"),
    ("    port: 80\n", "    port: 81\n"),
    (
        "      - { name: www, to: ireland",
        "      - { name: shop, to: ireland, routing: simple }\n      - { name: www, to: ireland",
    ),
];

struct Stand {
    account: Account,
    edits: Edits,
    halt: Arc<Halt>,
    there: bool,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    points: u64,
    killed: u64,
    runs: u64,
    findings: Vec<String>,
}

/// What a command left behind where it was killed.
type Point = (u64, Moment);

impl Stand {
    fn new(account: Account, edits: Edits) -> Self {
        account.sandbox.edit("    storage: 20GiB\n", "    storage: 20GiB\n    deletion_protection: false\n");
        shop::let_sessions_go(&account);
        let halt = Arc::new(Halt::on(changes));
        account.proxy.switch("slow", false);
        account
            .proxy
            .add("tokens", Tokens::default())
            .add("late", Late::new(1, 0))
            .add("slower", Slow::new(1))
            .add("in use", InUse::new(account.upstream(), 1))
            // Last, so that the others have seen what took effect.
            .add("halt", Arc::clone(&halt));
        Stand { account, edits, halt, there: false, tally: Tally::default() }
    }

    /// How many changing calls a command makes that nobody interrupts.
    fn calls(&mut self, line: &str) -> u64 {
        self.halt.arm(None);
        self.account.run(line).code(0);
        self.halt.count()
    }

    /// Runs a command and kills it at a point, when it comes so far.
    fn kill(&mut self, line: &str, point: Point) {
        self.tally.points += 1;
        self.tally.runs += 1;
        self.halt.arm(Some(point));
        self.tally.killed += u64::from(self.account.kill_at_call(line, &self.halt));
    }

    fn finish(&mut self, line: &str, when: &str) {
        self.tally.runs += 1;
        let ran = self.account.run(line);
        if ran.code != Some(0) {
            self.find(format!("{line} {when}:\n{}", ran.shown()));
        }
    }

    /// Nothing is left to do, and what boto3 counts is what the state knows.
    fn count(&mut self, when: &str) {
        let left = self.account.plan("").steps();
        let (there, recorded) = self.account.counted();
        if !left.is_empty() || there != recorded {
            let odd: Vec<_> = there.iter().filter(|one| !recorded.contains(one)).collect();
            let lost: Vec<_> = recorded.iter().filter(|one| !there.contains(one)).collect();
            let counts = (there.len(), recorded.len());
            self.find(format!(
                "{when}: to do {left:?}; there and recorded {counts:?}, not recorded {odd:?}, not there {lost:?}"
            ));
        }
    }

    fn turn(&mut self) {
        for (one, other) in self.edits {
            let (from, to) = if self.there { (other, one) } else { (one, other) };
            self.account.sandbox.edit(from, to);
        }
        self.there = !self.there;
    }

    fn empty(&mut self, when: &str) {
        let left = self.account.census();
        if !left.is_empty() {
            self.find(format!("{when}: left over {left:?}"));
        }
    }

    fn end(self) {
        let Tally { points, killed, findings, .. } = self.tally;
        assert!(killed * 10 >= points * 9, "{killed} of {points} points came");
        assert!(findings.is_empty(), "{}", findings.join("\n\n"));
    }

    fn find(&mut self, finding: String) {
        println!("{finding}");
        self.tally.findings.push(finding);
    }
}

/// So many of all the points of a command with so many calls, evenly spread over it; in an order in which those of any
/// beginning are, too.
fn spread(calls: u64, points: u64) -> Vec<Point> {
    let all = calls * 2;
    let points = points.min(all);
    let at = |number: u64| (number * 2 + 1) * all / (points * 2);
    let point = |at: u64| (at / 2 + 1, if at.is_multiple_of(2) { Moment::Before } else { Moment::After });
    let is_coprime =
        |step: &u64| (2..=*step).all(|by| !step.is_multiple_of(by) || !points.is_multiple_of(by));
    let step = (points * 5 / 8..).find(is_coprime).unwrap_or(1);
    (0..points).map(|number| point(at(number * step % points))).collect()
}

#[test]
fn killed_at_any_call_the_next_run_makes_nothing_twice_and_leaves_nothing() {
    kill_all_over(Stand::new(shop::account(), OF_THE_SHOP));
}

#[test]
fn nor_does_it_in_two_regions() {
    kill_all_over(Stand::new(regions::account(), OF_TWO_REGIONS));
}

/// Of each command.
fn points() -> u64 {
    match std::env::var(POINTS_ENV).as_deref() {
        Ok("all") => u64::MAX / 4,
        Ok(number) => number.parse().unwrap(),
        Err(_) => POINTS,
    }
}

fn kill_all_over(mut stand: Stand) {
    let points = points();
    let begun = Instant::now();
    let creates = stand.calls(APPLY);
    stand.count("unbroken");
    stand.turn();
    let updates = stand.calls(APPLY);
    let destroys = stand.calls(DESTROY);
    stand.empty("unbroken");
    println!(
        "unbroken: {creates}, {updates} and {destroys} changing calls of a create, an update, a destroy"
    );

    let (creates, destroys) = (spread(creates, points), spread(destroys, points));
    let mut updates = spread(updates, points).into_iter();
    for life in 0..creates.len().max(destroys.len()) {
        stand.account.reset();
        if let Some(&point) = creates.get(life) {
            stand.kill(APPLY, point);
            stand.finish(APPLY, &format!("after a kill of a create at {point:?}"));
            stand.count(&format!("create, {point:?}"));
        } else {
            stand.finish(APPLY, "unbroken");
        }
        if let Some(point) = updates.next() {
            stand.turn();
            stand.kill(APPLY, point);
            stand.finish(APPLY, &format!("after a kill of an update at {point:?}"));
            stand.count(&format!("update, {point:?}"));
        }
        if let Some(&point) = destroys.get(life) {
            stand.kill(DESTROY, point);
            stand.finish(DESTROY, &format!("after a kill of a destroy at {point:?}"));
            stand.empty(&format!("destroy, {point:?}"));
        }
        let tally = &stand.tally;
        println!(
            "{:4.0} s: {} points, {} killed, {} runs, {} findings",
            begun.elapsed().as_secs_f64(),
            tally.points,
            tally.killed,
            tally.runs,
            tally.findings.len()
        );
        assert!(tally.findings.len() < 10, "{}", tally.findings.join("\n\n"));
    }
    stand.end();
}

#[test]
fn nor_where_it_makes_anew_what_has_not_changed() {
    let mut stand = Stand::new(shop::account(), &[]);
    stand.calls(APPLY);
    let calls = stand.calls(REPLACE);
    for point in spread(calls, points()) {
        stand.kill(REPLACE, point);
        stand.finish(APPLY, &format!("after a kill of a replacement at {point:?}"));
        stand.count(&format!("replacement, {point:?}"));
    }
    stand.end();
}

#[test]
fn points_are_all_there_once_in_whatever_order() {
    for (calls, points) in [(68, u64::MAX / 4), (44, 40), (7, 3), (1, 2)] {
        let spread = spread(calls, points);
        let mut sorted: Vec<(u64, bool)> =
            spread.iter().map(|(at, moment)| (*at, *moment == Moment::After)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len() as u64, points.min(calls * 2));
        assert!(sorted.iter().all(|(at, _)| (1..=calls).contains(at)));
    }
}
