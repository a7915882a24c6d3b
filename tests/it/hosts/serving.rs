//! Five hosts under a steady client: updated, updated with a release that does not work, and losing power.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::blueprints::{self, HEALTH_WINDOW_S};
use super::client::{Steady, Tally, get};
use super::stand::{Ran, Stand};

const PER_SECOND: u32 = 50;
const WEB: [&str; 3] = ["web1", "web2", "web3"];

#[test]
fn traffic_survives_updates_and_power_cuts() {
    let files = |stand: &Stand| {
        for (release, healthy) in [("1", true), ("2", true), ("broken", false)] {
            pack(&stand.path("releases"), release, healthy);
        }
    };
    let Some(stand) = Stand::up("hosts-serving", blueprints::release, files) else { return };

    let built = stand.apply().succeeded();
    println!("first apply: {} created in {:.1} s", built.report()["created"], built.took.as_secs_f64());
    stand.run(["--lab", "status", "shop.yaml"]).succeeded();
    assert_eq!(releases(&stand, 8080), ["1"; 3]);

    // A new release.
    let (updated, tally) = under_load(&stand, || release(&stand, "2"));
    updated.succeeded();
    tally.tell("rolling update");
    assert!(tally.lost.is_empty());
    assert_eq!(releases(&stand, 8080), ["2"; 3]);

    // One that never becomes healthy: undone, and the others left alone.
    let (failed, tally) = under_load(&stand, || release(&stand, "broken"));
    tally.tell("broken release");
    let failed = failed.exits(1);
    let report = failed.report();
    assert_ne!(report["rolled_back"], 0, "{report}");
    assert!(report["failed"].to_string().contains("404"), "the reason that the check gave: {report}");
    assert!(tally.lost.is_empty());
    assert_eq!(releases(&stand, 8080), ["2"; 3]);
    stand.edit("shop.yaml", r#"default: "1""#, r#"default: "2""#);
    stand.clean("after the rollback");
    stand.run(["--lab", "history", "shop.yaml"]).succeeded().says(&["rolled back"]);

    move_to_another_port(&stand);
    lose_a_web_host(&stand);
    lose_the_load_balancer(&stand);
}

/// A member after the other serves on the new port, and the load balancers know where at every moment.
fn move_to_another_port(stand: &Stand) {
    stand.edit("shop.yaml", "port: 8080", "port: 9090");
    let (moved, tally) = under_load(stand, || release(stand, "2"));
    moved.succeeded();
    tally.tell("another port");
    assert!(tally.lost.is_empty());
    assert_eq!(releases(stand, 9090), ["2"; 3]);
    stand.told("lb1", "grep -q ':9090 ' /etc/haproxy/haproxy.cfg");
    stand.run(["--lab", "status", "shop.yaml"]).succeeded();
    stand.clean("after the move to another port");

    // One that does not come up there: back to the port before, and the load balancers have not moved either.
    stand.edit("shop.yaml", "port: 9090", "port: 7070");
    let (failed, tally) = under_load(stand, || release(stand, "broken"));
    tally.tell("another port, with a broken release");
    let report = failed.exits(1).report();
    assert!(tally.lost.is_empty());
    assert_eq!(releases(stand, 9090), ["2"; 3]);
    let blocked = report["blocked"].to_string();
    assert!(
        blocked.contains("file.lb1.haproxy.cfg") && blocked.contains("file.lb2.haproxy.cfg"),
        "{blocked}"
    );
    stand.told("lb1", "grep -q ':9090 ' /etc/haproxy/haproxy.cfg");
    stand.edit("shop.yaml", "port: 7070", "port: 9090");
    stand.clean("after the move that was undone");
    stand.run(["--lab", "status", "shop.yaml"]).succeeded();
}

fn lose_a_web_host(stand: &Stand) {
    let ((), tally) = under_load(stand, || {
        stand.lab.power_off("web2").unwrap();
        std::thread::sleep(Duration::from_secs(12));
    });
    tally.tell("a web host powered off");
    assert!(tally.loss_window() <= HEALTH_WINDOW_S);
    let status = stand.run(["--lab", "status", "shop.yaml"]).exits(2);
    status.says(&["web2"]);
    let ((), tally) = under_load(stand, || {
        stand.lab.power_on("web2").unwrap();
        std::thread::sleep(Duration::from_secs(4));
    });
    tally.tell("and on again");
    assert!(tally.lost.is_empty());
    stand.clean("after a web host came back");
}

fn lose_the_load_balancer(stand: &Stand) {
    let holder = stand.holder();
    let ((), tally) = under_load(stand, || {
        stand.lab.power_off(holder).unwrap();
        std::thread::sleep(Duration::from_secs(10));
    });
    tally.tell("the load balancer with the virtual IP powered off");
    assert!(tally.longest_gap() <= 5.0);
    let ((), tally) = under_load(stand, || {
        stand.lab.power_on(holder).unwrap();
        std::thread::sleep(Duration::from_secs(6));
    });
    tally.tell("and on again");
    // It must not take the address back: that would be one more gap for nothing.
    assert!(tally.lost.is_empty());
    stand.recovered().succeeded();
    stand.clean("after the load balancer came back");
}

/// What is done while the client asks, one second longer on both sides.
fn under_load<T>(stand: &Stand, what: impl FnOnce() -> T) -> (T, Tally) {
    let address: IpAddr = format!("{}.100", stand.net).parse().unwrap();
    let steady = Steady::start(address, 80, PER_SECOND);
    std::thread::sleep(Duration::from_secs(1));
    let done = what();
    std::thread::sleep(Duration::from_secs(1));
    (done, steady.stop())
}

fn release(stand: &Stand, release: &str) -> Ran {
    let variable = format!("release={release}");
    let ran =
        stand.run(["--lab", "apply", "shop.yaml", "--auto-approve", "--format", "json", "--var", &variable]);
    println!("apply of release {release}: {:.1} s", ran.took.as_secs_f64());
    ran
}

/// What each web host serves, asked past the load balancers.
fn releases(stand: &Stand, port: u16) -> Vec<String> {
    let ask = |last: u8| {
        let at = format!("{}.{last}:{port}", stand.net).parse().unwrap();
        get(at, "/", Duration::from_secs(3)).unwrap_or_else(|why| why).trim().to_owned()
    };
    (21..).map(ask).take(WEB.len()).collect()
}

/// A release that serves its own name, and says that it is healthy if it is.
fn pack(folder: &Path, release: &str, healthy: bool) {
    use std::os::unix::fs::PermissionsExt;
    let source = folder.join(release);
    std::fs::create_dir_all(source.join("www")).unwrap();
    let serve = source.join("serve");
    std::fs::write(&serve, "#!/bin/sh\nexec /bin/busybox httpd -f -p \"$PORT\" -h www\n").unwrap();
    std::fs::set_permissions(&serve, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(source.join("www/index.html"), format!("{release}\n")).unwrap();
    if healthy {
        std::fs::write(source.join("www/healthz"), "ok\n").unwrap();
    }
    let archive = folder.join(format!("{release}.tar.gz"));
    let packed =
        Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(source).arg(".").status().unwrap();
    assert!(packed.success());
}
