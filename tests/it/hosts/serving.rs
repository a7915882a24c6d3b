//! Five hosts under a steady client: updated, updated with a release that does not work, and losing power.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

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
    assert_eq!(releases(&stand), ["1"; 3]);

    // A new release.
    let (updated, tally) = under_load(&stand, || release(&stand, "2"));
    updated.succeeded();
    tally.tell("rolling update");
    assert!(tally.lost.is_empty());
    assert_eq!(releases(&stand), ["2"; 3]);

    // One that never becomes healthy: undone, and the others left alone.
    let (failed, tally) = under_load(&stand, || release(&stand, "broken"));
    tally.tell("broken release");
    let failed = failed.exits(1);
    let report = failed.report();
    assert_ne!(report["rolled_back"], 0, "{report}");
    assert!(report["failed"].to_string().contains("404"), "the reason that the check gave: {report}");
    assert!(tally.lost.is_empty());
    assert_eq!(releases(&stand), ["2"; 3]);
    stand.edit("shop.yaml", r#"default: "1""#, r#"default: "2""#);
    stand.clean("after the rollback");
    stand.run(["--lab", "history", "shop.yaml"]).succeeded().says(&["rolled back"]);

    lose_a_web_host(&stand);
    lose_the_load_balancer(&stand);
}

fn lose_a_web_host(stand: &Stand) {
    let ((), tally) = under_load(stand, || {
        stand.lab.power_off("web2").unwrap();
        std::thread::sleep(Duration::from_secs(12));
    });
    tally.tell("a web host powered off");
    assert!(tally.loss_window() <= HEALTH_WINDOW_S, "{:?}", tally.lost);
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
    let holder = holder(stand).expect("a load balancer has the virtual IP");
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
    let status = settled(stand);
    status.succeeded();
    stand.clean("after the load balancer came back");
}

/// `status` once all is well, or as it is after 20 s.
fn settled(stand: &Stand) -> Ran {
    let began = Instant::now();
    loop {
        let status = stand.run(["--lab", "status", "shop.yaml"]);
        if status.code == Some(0) || began.elapsed() > Duration::from_secs(20) {
            return status;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn holder(stand: &Stand) -> Option<&'static str> {
    let address = format!("{}.100", stand.net);
    ["lb1", "lb2"].into_iter().find(|host| stand.told(host, "ip -brief -4 address").contains(&address))
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
fn releases(stand: &Stand) -> Vec<String> {
    let ask = |last: u8| {
        let at = format!("{}.{last}:8080", stand.net).parse().unwrap();
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
