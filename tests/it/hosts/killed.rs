//! The demo's five hosts, with standfast killed (`kill -9`) in the midst of building, of a rolling update and of
//! destroying: the next plan says what was in flight, the next command goes on, and in the end nothing is made twice,
//! left over or half-configured.
//!
//! The sweep over single points has fresh hosts for each, and so only two of them with the other tests; CONTRIBUTING.md
//! has the command for all, which takes a quarter of an hour.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::blueprints;
use super::demo::visit;
use super::stand::{Going, Ran, Stand, certificate};

const HOSTS: [&str; 5] = ["lb1", "lb2", "web1", "web2", "web3"];
const BUILD: &[&str] = &["apply", "shop.yaml", "--auto-approve"];
const UPDATE: &[&str] = &["apply", "shop.yaml", "--auto-approve", "--var", "greeting=Good evening"];
const DESTROY: &[&str] = &["destroy", "shop.yaml", "--auto-approve"];

/// Points of the sweep; the variable sets another number.
const POINTS: u32 = 2;
const POINTS_ENV: &str = "STANDFAST_KILLS";

/// What nobody may leave on a host: half-written files, what a host undoes by itself, processes and units of ours,
/// packages that are half configured, services that do not run.
const LEFT: &str = r"
find / -xdev \( -name '*.standfast-*' -o -path '*/incoming/*' -o -name '.standfast*' \) 2>/dev/null
find /tmp /var/tmp /run -name '*standfast*' 2>/dev/null
find /var/lib/standfast -type f \( -path '*/armed/*' -o -path '*/saved/*' -o -name '*.new' \) 2>/dev/null
pgrep -af standfast | grep -v pgrep
systemctl list-units --all --plain --no-legend 'standfast*'
systemctl list-units --failed --plain --no-legend
dpkg --audit
true";
/// What stands in the manifests, as addresses.
const MANIFESTS: &str =
    "ls /var/lib/standfast/*/manifest 2>/dev/null | sed -n -e 's/[.]json$//' -e 's/:/\\//gp'; true";

fn stand(name: &str) -> Option<Stand> {
    Stand::up(name, blueprints::shop, |stand| {
        stand.write("shop/index.html", blueprints::SHOP_PAGE);
        certificate(&stand.path("tls/shop.pem"));
    })
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// After so many lines of events.
    Line(usize),
    After(Duration),
}

fn start(stand: &Stand, command: &[&str]) -> Going {
    // The killed run's lease is free at once: no patience is needed.
    stand.start([&["--lab"], command, &["--format", "json"]].concat())
}

/// Runs a command and kills it at a point. `Ok` is how it ended when the point did not come.
fn kill(stand: &Stand, command: &[&str], point: Point) -> Result<Ran, Ran> {
    let mut going = start(stand, command);
    let begun = Instant::now();
    while let Some(lines) = going.lines() {
        let come = match point {
            Point::Line(line) => lines >= line,
            Point::After(time) => begun.elapsed() >= time,
        };
        if come {
            going.signal(Signal::KILL);
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ran = going.end();
    if ran.code.is_none() { Err(ran) } else { Ok(ran) }
}

/// What the journal has open is what the plan tells as in flight; returns how many those are.
#[track_caller]
fn in_flight(stand: &Stand, command: &[&str]) -> usize {
    let state = stand.run(["--lab", "state", "pull", "--blueprint", "shop.yaml"]).succeeded().json();
    let runs = state["runs"].as_array().unwrap();
    let entries = runs.iter().flat_map(|run| run["journal"].as_array().unwrap());
    let open: BTreeSet<&str> = entries
        .filter(|entry| entry["outcome"].is_null())
        .map(|entry| entry["intent"]["address"].as_str().unwrap())
        .collect();
    let mut plan: Vec<&str> = command.iter().copied().filter(|word| *word != "--auto-approve").collect();
    if std::mem::replace(&mut plan[0], "plan") == "destroy" {
        plan.push("--destroy");
    }
    let plan = stand.run([&["--lab"], plan.as_slice(), &["--format", "json"]].concat()).succeeded().json();
    let told = plan["in_flight"].as_array().into_iter().flatten();
    let told: BTreeSet<&str> = told.map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(told, open, "what the plan tells, and what the journal has open");
    open.len()
}

/// Nothing is left to do, all serve, and hosts and state agree to the last resource.
#[track_caller]
fn whole(stand: &Stand, command: &[&str], when: &str) {
    let plan: Vec<&str> = command.iter().copied().filter(|word| *word != "--auto-approve").collect();
    let plan = [&["--lab", "plan"], &plan[1..], &["--detailed-exitcode"]].concat();
    let ran = stand.run(plan);
    assert_eq!(ran.code, Some(0), "the plan {when}:\n{}\n{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("In flight"), "{when}: {}", ran.stdout);
    assert_eq!(visit(stand, 9).len(), 3, "{when}: each host serves");
    let state = stand.run(["--lab", "state", "list", "--blueprint", "shop.yaml", "--format", "json"]);
    let state = state.succeeded().json();
    let recorded: Vec<&str> =
        state["resources"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    let mut marked: Vec<String> = Vec::new();
    for host in HOSTS {
        assert_eq!(stand.told(host, LEFT), "", "{when}: left on {host}");
        marked.extend(stand.told(host, MANIFESTS).lines().map(str::to_owned));
    }
    marked.sort();
    assert_eq!(marked, recorded, "{when}: what hosts say is there, and what the state says");
    assert!(masters(stand) <= HOSTS.len(), "{when}: more than one connection to a host");
}

/// Nothing of it is left anywhere.
#[track_caller]
fn gone(stand: &Stand, when: &str) {
    let state = stand.run(["--lab", "state", "list", "--blueprint", "shop.yaml", "--format", "json"]);
    assert_eq!(state.succeeded().json()["resources"], serde_json::json!([]), "{when}");
    for host in HOSTS {
        assert_eq!(stand.told(host, LEFT), "", "{when}: left on {host}");
        stand.told(host, "test ! -e /var/lib/standfast && test ! -e /etc/keepalived/keepalived.conf");
        stand.told(host, "! dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -E '^(nginx|haproxy|keepalived) installed'");
    }
}

/// The ssh processes of this stand: one master a host while it lasts.
fn masters(stand: &Stand) -> usize {
    let folder = stand.path("standfast").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&folder)).count()
}

/// Kills a command every `lines` lines of events until one run of it comes through; returns how often.
fn chain(stand: &Stand, command: &[&str], lines: usize) -> usize {
    let begun = Instant::now();
    let mut flights = 0;
    for kills in 0.. {
        assert!(kills < 40, "it does not get done");
        match kill(stand, command, Point::Line(lines)) {
            Ok(ran) => {
                ran.succeeded();
                println!("{}: {kills} kills, {flights} calls in flight, {:.0?}", command[0], begun.elapsed());
                return kills;
            }
            Err(_) => flights += in_flight(stand, command),
        }
    }
    unreachable!()
}

#[test]
fn killed_again_and_again_it_comes_to_its_end() {
    let Some(stand) = stand("hosts-killed") else { return };
    assert!(chain(&stand, BUILD, 30) >= 2);
    whole(&stand, BUILD, "after building");
    assert!(chain(&stand, UPDATE, 14) >= 1);
    whole(&stand, UPDATE, "after a rolling update");
    assert!(chain(&stand, DESTROY, 30) >= 1);
    gone(&stand, "after destroying");
}

/// Points spread over the length of a run, one half by events and one by time.
fn spread(points: u32, of: &Ran) -> Vec<Point> {
    let lines = of.stdout.lines().count();
    let point = |number: u32| {
        let at = f64::from(number) / f64::from(points + 1);
        if number.is_multiple_of(2) {
            Point::After(of.took.mul_f64(at))
        } else {
            Point::Line((lines as f64 * at) as usize)
        }
    };
    (1..=points).map(point).collect()
}

#[test]
fn killed_at_any_point_it_goes_on_from_there() {
    let Some(stand) = stand("hosts-sweep") else { return };
    let points = std::env::var(POINTS_ENV).map_or(POINTS, |points| points.parse().unwrap());
    let unbroken = start(&stand, BUILD).end().succeeded();
    let (lines, took) = (unbroken.stdout.lines().count(), unbroken.took);
    println!("unbroken: {lines} lines of events in {took:.1?}");
    whole(&stand, BUILD, "unbroken");
    let updated = start(&stand, UPDATE).end().succeeded();
    let destroyed = start(&stand, DESTROY).end().succeeded();
    let (updates, destroys) = (spread(points.div_ceil(4), &updated), spread(points.div_ceil(4), &destroyed));
    let (mut kills, mut flights, mut late) = (0, 0, 0);
    let mut one = |command: &'static [&'static str], point: Point| {
        let killed = kill(&stand, command, point);
        let Err(killed) = killed else {
            late += 1;
            return;
        };
        kills += 1;
        let open = in_flight(&stand, command);
        flights += open;
        let again = start(&stand, command).end().succeeded();
        println!(
            "{} killed at {point:?}: {} done, {open} in flight; again: {:.1?}",
            command[0],
            killed.done().len(),
            again.took
        );
    };
    for (number, point) in spread(points, &unbroken).into_iter().enumerate() {
        fresh(&stand);
        one(BUILD, point);
        whole(&stand, BUILD, &format!("after a kill at {point:?}"));
        // Every fourth goes on to an update and its end.
        if number % 4 == 3 {
            one(UPDATE, updates[number / 4]);
            whole(&stand, UPDATE, &format!("after a kill at {:?} of an update", updates[number / 4]));
            one(DESTROY, destroys[number / 4]);
            gone(&stand, &format!("after a kill at {:?} of destroying", destroys[number / 4]));
        }
    }
    println!("{kills} kills, {flights} calls in flight and found, {late} points came too late");
    // A connection is kept for the next command for a minute, and no longer.
    let begun = Instant::now();
    while masters(&stand) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(75), "{} connections are left", masters(&stand));
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(kills > 0 && late * 5 <= kills.max(5), "{late} points came too late, beside {kills} kills");
}

/// Other hosts, and no state: quicker than to destroy what stands.
fn fresh(stand: &Stand) {
    stand.lab.down(false).unwrap();
    std::fs::remove_dir_all(stand.path(".standfast")).unwrap();
    stand.lab_up();
}
