//! What goes wrong on real hosts: each is said clearly, nothing is half-made without being reported, and the next apply
//! goes on from there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::blueprints;
use super::stand::{Ran, Stand};

const LAB: &str = "user: deploy, become: sudo";
const APPLY: [&str; 4] = ["--lab", "apply", "shop.yaml", "--auto-approve"];

/// Takes a few seconds on each host, in three turns: a package, a file, a service.
const SLOW: &str = r#"
  common:
    packages: [haproxy]
    files:
      - { to: /etc/haproxy/note, content: "one\n" }
    services: { haproxy: {} }
"#;

#[test]
fn what_stops_half_way_is_reported_and_goes_on() {
    let blueprint = |name: &str, net: &str| blueprints::hosts(name, net, LAB, SLOW, "");
    let Some(stand) = Stand::up("hosts-halfway", blueprint, |_| {}) else { return };
    a_host_loses_power(&stand);
    stand.run(["--lab", "destroy", "shop.yaml", "--auto-approve"]).succeeded();
    somebody_else_holds_the_state_and_ctrl_c(&stand);
    stand.run(["--lab", "destroy", "shop.yaml", "--auto-approve"]).succeeded();
    the_process_is_killed(&stand);
    stale_and_used_plans(&stand);
    an_unreachable_host_is_no_good_news(&stand);
}

/// What could not be looked at is not called unchanged.
fn an_unreachable_host_is_no_good_news(stand: &Stand) {
    stand.lab.power_off("a3").unwrap();
    for command in [&["drift"] as &[&str], &["plan", "--detailed-exitcode"], &["apply", "--auto-approve"]] {
        let ran = stand.run([&["--lab"], command, &["shop.yaml"]].concat()).exits(1);
        let ran = ran.says(&["in what could be looked at: 6 resources", "3 could not be looked at"]);
        stand.snapshot(&format!("host-off-{}", command[0]), &ran);
    }
}

fn a_host_loses_power(stand: &Stand) {
    let mut going = stand.applying();
    going.until(&["task_started", "package.a3"]);
    stand.lab.power_off("a3").unwrap();
    let off = Instant::now();
    let ran = going.end().exits(1);
    println!("apply ends {:.1} s after a host lost power", off.elapsed().as_secs_f64());
    let report = ran.report();
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "{report}");
    assert_eq!(failed[0]["address"], "home/baselines.common/package.a3.packages");
    assert!(failed[0]["error"].as_str().unwrap().contains("a3"), "{report}");
    let blocked = report["blocked"].as_array().unwrap();
    let blocked: BTreeSet<&str> = blocked.iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert!(!blocked.is_empty() && blocked.iter().all(|address| address.contains(".a3.")), "{report}");
    assert_eq!(ran.done().len(), 6, "a1 and a2 are done: {:?}", ran.done());

    // Still off: what is to be done elsewhere is done all the same.
    stand.told("a1", "rm /etc/haproxy/note");
    let ran = stand.run(APPLY).exits(1);
    stand.snapshot("host-off", &ran);
    assert_eq!(stand.told("a1", "cat /etc/haproxy/note"), "one");
    stand.lab.power_on("a3").unwrap();
    let again = stand.apply().succeeded();
    assert!(again.done().iter().all(|address| address.contains(".a3.")), "{:?}", again.done());
    stand.clean("after the host came back");
    no_leftovers(stand);
}

fn somebody_else_holds_the_state_and_ctrl_c(stand: &Stand) {
    let mut going = stand.applying();
    going.until(&["task_started", "package.a1"]);
    let holder = format!("process {}", going.pid());
    let locked = stand.run(APPLY).exits(75).says(&[&holder]);
    stand.snapshot("state-locked", &locked);
    going.signal_group(Signal::INT);
    let ran = going.end().exits(130);
    let report = ran.report();
    assert_eq!(report["interrupted"], true);
    assert!(!report["cancelled"].as_array().unwrap().is_empty(), "{report}");
    assert_eq!(report["created"], 3, "what was in flight is finished: {report}");
    let again = stand.apply().succeeded();
    assert_eq!(again.report()["created"], 6);
    stand.clean("after Ctrl-C and another apply");
}

fn the_process_is_killed(stand: &Stand) {
    let mut going = stand.applying();
    going.until(&["task_started", "package.a2"]);
    std::thread::sleep(Duration::from_millis(1500));
    going.signal(Signal::KILL);
    assert_eq!(going.end().code, None);
    let again = stand.run([
        "--lab",
        "apply",
        "shop.yaml",
        "--auto-approve",
        "--format",
        "json",
        "--lock-timeout",
        "60s",
    ]);
    let again = again.succeeded();
    println!("apply after kill -9: {:.1} s", again.took.as_secs_f64());
    stand.clean("after kill -9 and another apply");
    // The state is lost as well: the hosts know what is theirs.
    for file in std::fs::read_dir(stand.path(".standfast")).unwrap().flatten() {
        if file.file_name().to_string_lossy().contains(".lab.db") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    stand.run(["--lab", "state", "rebuild", "--blueprint", "shop.yaml"]).succeeded();
    stand.clean("after the state was rebuilt");
    no_leftovers(stand);
}

fn stale_and_used_plans(stand: &Stand) {
    stand.edit("shop.yaml", "one\\n", "two\\n");
    for plan in ["first.plan", "second.plan"] {
        stand.run(["--lab", "plan", "shop.yaml", "--out", plan]).succeeded();
    }
    stand.run(["--lab", "apply", "first.plan"]).succeeded();
    assert_eq!(stand.told("a1", "cat /etc/haproxy/note"), "two");
    stand.snapshot("plan-stale", &stand.run(["--lab", "apply", "second.plan"]).exits(1));
    stand.snapshot("plan-used", &stand.run(["--lab", "apply", "first.plan"]).exits(1));
    stand.clean("after refused plans");
}

/// No temporary file, no half-written one, no process of ours.
fn no_leftovers(stand: &Stand) {
    for host in ["a1", "a2", "a3"] {
        let found = stand.told(host, "find / -xdev -name '*.standfast-*' -o -xdev -path '*/incoming/*'; pgrep -af standfast | grep -v pgrep || :");
        assert_eq!(found, "", "{host}");
    }
}

#[test]
fn bad_input_is_refused_with_the_next_move() {
    let blueprint = |name: &str, net: &str| blueprints::hosts(name, net, LAB, GOOD, "");
    let Some(stand) = Stand::up("hosts-misuse", blueprint, |_| {}) else { return };
    stand.apply().succeeded();
    host_keys(&stand);
    sudo_passwords(&stand);
    preflight(&stand);
    rejected_by_the_host(&stand);
    disks(&stand);
    stand.write("shop.yaml", &blueprint("hosts-misuse", &stand.net));
    assert_eq!(stand.apply().succeeded().report()["deleted"], 2);
    a_users_links_lead_nowhere(&stand);
    a_rejected_secret_is_not_told(&stand);
    stand.write("shop.yaml", &blueprint("hosts-misuse", &stand.net));
    stand.clean("after all that was refused");
}

const GOOD: &str = r#"
  serving:
    hosts: [a1]
    packages: [haproxy]
    files:
      - to: /etc/haproxy/haproxy.cfg
        validate: haproxy -c -f %s
        reloads: [haproxy]
        content: |
          defaults
            mode http
            timeout connect 1s
            timeout client 1s
            timeout server 1s
          frontend hello
            bind *:8000
            http-request return status 200 content-type text/plain string "as before"
"#;

/// Applies without the lab's own way in, and with a state that knows nothing yet.
fn from_outside(stand: &Stand, ssh: &str, env: &[(&str, &str)]) -> Ran {
    let name = stand.lab.name();
    let config = stand.lab.ssh_config().unwrap();
    let ssh = format!("become: sudo, config: {}, {ssh}", config.display());
    let secrets = "secrets: { password: { env: HOSTS_PASSWORD } }";
    stand.write("outside.yaml", &blueprints::hosts(name, &stand.net, &ssh, GOOD, secrets));
    stand.run_with(env, ["apply", "outside.yaml", "--auto-approve", "--state", "outside.db"])
}

fn host_keys(stand: &Stand) {
    stand.write("empty", "");
    let ran = from_outside(stand, "user: deploy, known_hosts: ./empty", &[]).exits(1);
    let print = stand.told("a1", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    let print = print.split(' ').nth(1).unwrap();
    let ran = ran.says(&[print]);
    stand.snapshot("host-key-unknown", &ran);

    let key = stand.told("a2", "cat /etc/ssh/ssh_host_ed25519_key.pub");
    stand.write("changed", &format!("{}.11 {key}\n", stand.net));
    let ran = from_outside(stand, "user: deploy, known_hosts: ./changed", &[]).exits(1);
    let ran = ran.says(&[print]);
    stand.snapshot("host-key-changed", &ran);
}

fn sudo_passwords(stand: &Stand) {
    for host in ["a1", "a2", "a3"] {
        stand.told(
            host,
            "useradd -m -s /bin/bash -G sudo asks && echo asks:right | chpasswd && \
             install -d -o asks -g asks -m 0700 /home/asks/.ssh && \
             install -o asks -g asks -m 0600 /home/deploy/.ssh/authorized_keys /home/asks/.ssh/authorized_keys",
        );
    }
    stand.snapshot("sudo-password-missing", &from_outside(stand, "user: asks", &[]).exits(1));
    let password = "user: asks, become_password: '${secrets.password}'";
    let wrong = from_outside(stand, password, &[("HOSTS_PASSWORD", "wr0ng-w0rd")]).exits(1);
    assert!(!wrong.stderr.contains("wr0ng-w0rd"));
    stand.snapshot("sudo-password-wrong", &wrong);
    from_outside(stand, password, &[("HOSTS_PASSWORD", "right")]).succeeded();
}

fn apply_with(stand: &Stand, baselines: &str, more: &str) -> Ran {
    stand.write("shop.yaml", &blueprints::hosts(stand.lab.name(), &stand.net, LAB, baselines, more));
    stand.run(APPLY)
}

/// Known to fail before the first change.
fn preflight(stand: &Stand) {
    let unknown = format!("{GOOD}\n  more: {{ hosts: [a2], packages: [no-such-package] }}");
    let ran = apply_with(stand, &unknown, "").exits(1);
    stand.snapshot("package-unknown", &ran);

    stand.told("a2", "systemd-run -q --unit squatter perl -MIO::Socket::INET -e 'IO::Socket::INET->new(LocalPort => 80, Listen => 5)->accept'; until ss -Hltn | grep -q :80; do sleep 0.1; done");
    let group = "autoscaling_groups:\n  web: { hosts: [a2], capacity: { min: 1, max: 1 }, workload: { package: nginx }, port: 80 }";
    let ran = apply_with(stand, GOOD, group).exits(1);
    stand.snapshot("port-taken", &ran);
    let balancer = format!(
        "load_balancers:\n  front: {{ hosts: [a1, a2], virtual_ip: {0}.100, listeners: [{{ port: 81, to: web }}] }}\n{group}",
        stand.net
    );
    stand.told("a3", &format!("ip address add {}.100/24 dev host0", stand.net));
    let ran = apply_with(stand, GOOD, &balancer).exits(1);
    stand.snapshot("virtual-ip-taken", &ran);
    stand.told("a3", &format!("ip address delete {}.100/24 dev host0", stand.net));
    stand.told("a2", "systemctl stop squatter; ! dpkg -s nginx 2>&1 | grep -q '^Status'");
}

/// HAProxy is asked before the new configuration takes the old one's place.
fn rejected_by_the_host(stand: &Stand) {
    let serves = || stand.told("a1", "curl -s http://127.0.0.1:8000/");
    assert_eq!(serves(), "as before");
    let broken = GOOD.replace("mode http", "mode carrier-pigeon");
    let ran = apply_with(stand, &broken, "").exits(1);
    stand.snapshot("config-rejected", &ran);
    assert_eq!(serves(), "as before");
    stand.told("a1", "grep -q 'mode http' /etc/haproxy/haproxy.cfg");
}

/// A user may put links into his home that lead anywhere; his keys are written as he.
fn a_users_links_lead_nowhere(stand: &Stand) {
    let keys = |key: &str| {
        let key =
            format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqrstuvwxyz0123456789ABCDEF {key}");
        format!(
            "{GOOD}\n  people: {{ hosts: [a2], users: {{ mallory: {{ authorized_keys: [\"{key}\"] }} }} }}"
        )
    };
    apply_with(stand, &keys("one"), "").succeeded();
    assert!(stand.told("a2", "cat /home/mallory/.ssh/authorized_keys").ends_with(" one"));
    stand.told(
        "a2",
        "echo safe >/etc/victim; cd /home/mallory/.ssh; \
         runuser -u mallory -- ln -s /etc/victim authorized_keys.standfast; \
         runuser -u mallory -- ln -sf /etc/victim authorized_keys",
    );
    apply_with(stand, &keys("two"), "");
    assert_eq!(stand.told("a2", "cat /etc/victim; stat -c %U /etc/victim"), "safe\nroot");
    stand.told("a2", "rm -f /home/mallory/.ssh/authorized_keys.standfast /etc/victim");
    apply_with(stand, &keys("two"), "").succeeded();
    assert!(stand.told("a2", "cat /home/mallory/.ssh/authorized_keys").ends_with(" two"));
    // What he cannot read is not taken for empty.
    stand.told("a2", "chown root: /home/mallory/.ssh/authorized_keys");
    apply_with(stand, &keys("three"), "")
        .exits(1)
        .says(&["cannot be read by user mallory", "that user's own file"]);
    stand.told("a2", "chown mallory: /home/mallory/.ssh/authorized_keys");
    apply_with(stand, &keys("three"), "").succeeded();
}

/// A checker quotes what it objects to; of a file with a secret in it none of its words is told or kept.
fn a_rejected_secret_is_not_told(stand: &Stand) {
    let file = "{ to: /etc/with-secret, content: \"key ${secrets.key}\\n\", mode: \"0600\", validate: \"cat %s; false\" }";
    let baselines = format!("{GOOD}\n  more: {{ hosts: [a2], files: [{file}] }}");
    let secrets = "secrets: { key: { env: HOSTS_KEY } }";
    stand.write("shop.yaml", &blueprints::hosts(stand.lab.name(), &stand.net, LAB, &baselines, secrets));
    let ran = stand.run_with(&[("HOSTS_KEY", "hush-hush-42")], APPLY).exits(1);
    stand.snapshot("secret-rejected", &ran);
    for file in std::fs::read_dir(stand.path(".standfast")).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let told = bytes.windows(12).any(|window| window == b"hush-hush-42");
        assert!(!told, "{}", file.path().display());
    }
}

fn disks(stand: &Stand) {
    // A disk of its own for the folder that is written to.
    stand.told("a3", "mkdir -p /srv/small && mount -t tmpfs -o size=64k tmpfs /srv/small");
    let text = "x".repeat(200_000);
    stand.write("large", &text);
    let large =
        format!("{GOOD}\n  more: {{ hosts: [a2, a3], files: [{{ from: ./large, to: /srv/small/large }}] }}");
    let ran = apply_with(stand, &large, "").exits(1);
    stand.snapshot("disk-full", &ran);
    assert_eq!(stand.told("a3", "ls -A /srv/small"), "", "nothing half-written");
    assert_eq!(stand.told("a2", "stat -c %s /srv/small/large"), "200000");

    // The host's own is full: known before.
    stand.told("a3", "umount /srv/small && mount -t tmpfs -o size=8m tmpfs /var");
    let ran = apply_with(stand, &large, "").exits(1);
    stand.told("a3", "umount -l /var");
    stand.snapshot("disk-full-before", &ran);
    apply_with(stand, &large, "").succeeded();
}
