//! The lab for real: each test brings hosts up on a network of its own, in folders of its own, from the shared image.
//!
//! Needs root, systemd-nspawn and mmdebstrap. Where they are missing the tests pass without a lab and say so, unless
//! `STANDFAST_REQUIRE_LAB` is set, as it is wherever a lab is known to work.
#![cfg(test)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use standfast::lab::{HostState, Lab, LabError, LabEvent, LabHost, LabSpec, Roots, UpReport};

const REQUIRE_ENV: &str = "STANDFAST_REQUIRE_LAB";

/// A lab of two hosts that is taken down when the test ends, also by a panic.
struct Rehearsal {
    lab: Lab,
    spec: LabSpec,
    roots: Roots,
    _folder: tempfile::TempDir,
}

impl Rehearsal {
    /// `None` where this machine cannot hold a lab. `number` keeps the networks of one process's tests apart.
    fn up(number: u32) -> Option<Self> {
        let this = Self::new(number);
        match this.lab.up(&this.spec, &mut |_| {}) {
            Ok(_) => Some(this),
            Err(error @ (LabError::NotRoot | LabError::NotLinux | LabError::MissingTool { .. })) => {
                let next = error.next_move().expect("a next move");
                assert!(std::env::var_os(REQUIRE_ENV).is_none(), "{error}: {next}");
                eprintln!("no lab here: {error}: {next}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn new(number: u32) -> Self {
        // Two checkouts may test at once on one machine.
        let third = u8::try_from((std::process::id() * 7 + number * 61) % 200 + 50).unwrap();
        let host = |name: &str, last: u8, zone: &str| LabHost {
            name: name.into(),
            address: Ipv4Addr::new(10, 78, third, last),
            zone: zone.into(),
        };
        let hosts = vec![host("lb1", 11, "rack-a"), host("web1", 21, "rack-b")];
        // Not under /tmp, which may be a tmpfs too small for disks.
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let roots = Roots { state: folder.path().join("labs"), cache: Roots::from_env().cache };
        let lab = Lab::open_in("test", roots.clone()).unwrap();
        Self {
            lab,
            spec: LabSpec { hosts, reserved: Vec::new(), user: "deploy".into() },
            roots,
            _folder: folder,
        }
    }

    fn again(&self) -> (UpReport, Vec<LabEvent>) {
        let mut events = Vec::new();
        let report = self.lab.up(&self.spec, &mut |event| events.push(event)).unwrap();
        (report, events)
    }

    fn ssh(&self, host: &str, script: &str) -> Output {
        self.lab.ssh_command(host).unwrap().args(["-o", "ConnectTimeout=3", script]).output().unwrap()
    }

    /// Runs a script on a host, which must succeed, and returns what it printed.
    fn told(&self, host: &str, script: &str) -> String {
        let output = self.ssh(host, script);
        assert!(output.status.success(), "{host}: {script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn states(&self) -> Vec<HostState> {
        self.lab.status().unwrap().into_iter().map(|host| host.state).collect()
    }

    fn folder(&self) -> PathBuf {
        self.roots.state.join("test")
    }

    /// Everything on this machine that shows the lab: interfaces, mounts, processes, control groups, files.
    fn traces(&self, bridge: &str, cables: &[String]) -> Vec<String> {
        let mut traces = Vec::new();
        let links = run("ip", &["-brief", "link"]);
        let ours =
            |line: &&str| line.starts_with(bridge) || cables.iter().any(|cable| line.starts_with(cable));
        traces.extend(links.lines().filter(ours).map(str::to_owned));
        let path = self.roots.state.display().to_string();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        traces.extend(mounts.lines().filter(|line| line.contains(&path)).map(str::to_owned));
        traces.extend(self.processes().into_iter().map(|pid| format!("process {pid}")));
        for cable in cables {
            let machine = cable.strip_prefix("vb-").unwrap();
            let found = run("find", &["/sys/fs/cgroup", "/run/systemd/nspawn", "-name", machine]);
            traces.extend(found.lines().map(str::to_owned));
        }
        if self.folder().exists() {
            traces.push(self.folder().display().to_string());
        }
        traces
    }

    /// Processes outside the hosts that keep them running.
    fn processes(&self) -> Vec<u32> {
        let path = self.roots.state.display().to_string();
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let named = |pid: &u32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&format!("--directory={path}"))
        };
        pids.filter(named).collect()
    }

    fn cables(&self) -> Vec<String> {
        let links = run("ip", &["-brief", "link", "show", "master", &self.bridge()]);
        let mut cables: Vec<String> =
            links.lines().map(|line| line.split(['@', ' ']).next().unwrap().to_owned()).collect();
        cables.sort();
        cables
    }

    fn bridge(&self) -> String {
        let route = run("ip", &["-4", "route", "get", &self.spec.hosts[0].address.to_string()]);
        route.split_whitespace().skip_while(|word| *word != "dev").nth(1).unwrap().to_owned()
    }

    /// What a restart of this machine does to a lab: all that runs is gone, all files stay.
    fn restart_machine(&self) {
        let bridge = self.bridge();
        for pid in self.lab.status().unwrap().into_iter().filter_map(|host| host.pid) {
            run("kill", &["-KILL", &pid.to_string()]);
        }
        wait("the keepers to end", || self.processes().is_empty());
        for host in &self.spec.hosts {
            run("umount", &[self.folder().join("hosts").join(&host.name).join("root").to_str().unwrap()]);
        }
        run("ip", &["link", "delete", &bridge]);
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Err(error) = self.lab.down(false) {
            eprintln!("the test's lab is still there: {error}");
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success() || program == "find", "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited 20 s for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answers(address: Ipv4Addr) -> bool {
    let at = std::net::SocketAddr::from((address, 22));
    std::net::TcpStream::connect_timeout(&at, Duration::from_millis(300)).is_ok()
}

#[test]
fn hosts_answer_and_a_second_up_changes_nothing() {
    let Some(rehearsal) = Rehearsal::up(1) else { return };
    for host in &rehearsal.spec.hosts {
        for way_in in [host.name.clone(), host.address.to_string()] {
            let config = rehearsal.lab.ssh_config().unwrap();
            let output = Command::new("ssh")
                .arg("-F")
                .arg(config)
                .args([&way_in, "hostname; id -un"])
                .output()
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                format!("{}\ndeploy\n", host.name),
                "{output:?}"
            );
        }
        assert_eq!(rehearsal.told(&host.name, "systemctl is-system-running"), "running");
        rehearsal.told(&host.name, "sudo -n true && sudo sysctl -qw net.ipv4.ip_nonlocal_bind=1");
    }
    let known = rehearsal.told("lb1", "getent hosts web1");
    assert!(known.starts_with(&rehearsal.spec.hosts[1].address.to_string()), "{known}");
    assert_ne!(rehearsal.told("lb1", "cat /etc/machine-id"), rehearsal.told("web1", "cat /etc/machine-id"));

    let pids = |rehearsal: &Rehearsal| -> Vec<_> {
        rehearsal.lab.status().unwrap().into_iter().map(|host| host.pid.unwrap()).collect()
    };
    let before = pids(&rehearsal);
    let (report, events) = rehearsal.again();
    assert_eq!((report.started, report.kept.len(), report.image_built), (vec![], 2, false));
    assert!(!events.iter().any(|event| matches!(event, LabEvent::HostBooting { .. })), "{events:?}");
    assert_eq!(pids(&rehearsal), before);

    let status = rehearsal.lab.status().unwrap();
    assert_eq!((status[0].name.as_str(), status[0].zone.as_str()), ("lb1", "rack-a"));
    assert!(
        status.iter().all(|host| host.state == HostState::Running && host.uptime.is_some()),
        "{status:?}"
    );
}

#[test]
fn a_power_cut_is_sudden_and_keeps_the_disk() {
    let Some(rehearsal) = Rehearsal::up(2) else { return };
    let address = rehearsal.spec.hosts[1].address;
    rehearsal.told("web1", "echo kept >mark; sudo sh -c 'echo kept >/etc/mark'");
    let mac = rehearsal.told("web1", "cat /sys/class/net/host0/address");

    rehearsal.lab.power_off("web1").unwrap();
    rehearsal.lab.power_off("web1").unwrap();
    assert_eq!(rehearsal.states(), [HostState::Running, HostState::Off]);
    assert!(!answers(address));
    let not_cut = rehearsal.lab.cut("web1").unwrap_err();
    assert!(matches!(not_cut, LabError::HostOff { .. }), "{not_cut}");

    assert!(rehearsal.lab.power_on("web1").unwrap().is_some());
    assert!(rehearsal.lab.power_on("web1").unwrap().is_none(), "it runs already");
    assert_eq!(rehearsal.told("web1", "cat mark /etc/mark"), "kept\nkept");
    assert_eq!(rehearsal.told("web1", "cat /sys/class/net/host0/address"), mac);
    assert_eq!(rehearsal.told("web1", "systemctl is-system-running"), "running");
    // No goodbye: a clean shutdown would be in the journal of the boot before.
    let clean = rehearsal.ssh("web1", "sudo journalctl -b -1 | grep -c 'Reached target.*Shutdown'");
    assert_eq!(String::from_utf8_lossy(&clean.stdout).trim(), "0");
}

#[test]
fn a_host_that_reboots_itself_comes_back() {
    let Some(rehearsal) = Rehearsal::up(3) else { return };
    let pid = |rehearsal: &Rehearsal| rehearsal.lab.status().unwrap()[1].pid;
    let before = pid(&rehearsal);
    let _ = rehearsal.ssh("web1", "sudo systemctl reboot");
    wait("a new first process", || pid(&rehearsal).is_some_and(|now| Some(now) != before));
    wait("sshd", || rehearsal.ssh("web1", "true").status.success());
    let _ = rehearsal.ssh("web1", "sudo systemctl poweroff");
    wait("the host to be off", || rehearsal.states()[1] == HostState::Off);
    let (report, _) = rehearsal.again();
    assert_eq!((report.started, report.kept), (vec!["web1".to_owned()], vec!["lb1".to_owned()]));
}

#[test]
fn a_cut_host_runs_on_unseen_until_healed() {
    let Some(rehearsal) = Rehearsal::up(4) else { return };
    let address = rehearsal.spec.hosts[1].address;
    rehearsal.told("web1", "nohup sh -c 'while sleep 0.1; do echo x >>beats; done' >/dev/null 2>&1 &");
    rehearsal.lab.cut("web1").unwrap();
    assert_eq!(rehearsal.states(), [HostState::Running, HostState::Cut]);
    assert!(!answers(address));
    let beats = rehearsal.folder().join("hosts/web1/root/home/deploy/beats");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let before = length(&beats);
    wait("a beat while cut", || length(&beats) > before);
    // A cut is part of a rehearsal: `up` must not end it.
    assert_eq!(rehearsal.again().0.kept.len(), 2);
    assert_eq!(rehearsal.states()[1], HostState::Cut);
    rehearsal.lab.heal("web1").unwrap();
    wait("sshd", || answers(address));
    assert_eq!(rehearsal.states(), [HostState::Running, HostState::Running]);
}

#[test]
fn packages_install_without_a_network() {
    let Some(rehearsal) = Rehearsal::up(5) else { return };
    rehearsal.told("lb1", "sudo apt-get -qq update");
    let start = Instant::now();
    rehearsal.told(
        "lb1",
        "sudo DEBIAN_FRONTEND=noninteractive apt-get -qq install haproxy keepalived nginx >/dev/null",
    );
    eprintln!("haproxy, keepalived and nginx installed in {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(rehearsal.told("lb1", "systemctl is-active haproxy nginx"), "active\nactive");
    let unknown = rehearsal.ssh("lb1", "sudo apt-get -qq install no-such-package");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("Unable to locate package"), "{unknown:?}");
    let rules = "table inet t { chain c { type filter hook input priority 0; policy accept; tcp dport 22 accept; }; }";
    rehearsal.told(
        "lb1",
        &format!("echo '{rules}' >r && sudo nft -c -f r && sudo nft -f r && sudo nft list table inet t"),
    );
}

#[test]
fn down_leaves_nothing() {
    let Some(rehearsal) = Rehearsal::up(6) else { return };
    let (bridge, cables) = (rehearsal.bridge(), rehearsal.cables());
    assert_eq!(cables.len(), 2);
    let before = rehearsal.traces(&bridge, &cables);
    assert!(before.len() >= 8, "the search itself must find a lab that is up: {before:?}");
    let report = rehearsal.lab.down(false).unwrap();
    assert_eq!(report.stopped, ["lb1", "web1"]);
    assert_eq!(rehearsal.traces(&bridge, &cables), Vec::<String>::new());
    assert!(matches!(rehearsal.lab.status(), Err(LabError::NoSuchLab { .. })));
    assert!(rehearsal.lab.ssh_config().is_none());
    assert_eq!(rehearsal.lab.down(false).unwrap(), standfast::lab::DownReport::default());
}

#[test]
fn a_lab_that_the_machine_lost_is_repaired() {
    let Some(rehearsal) = Rehearsal::up(7) else { return };
    rehearsal.told("web1", "echo kept >mark && sync");
    rehearsal.restart_machine();
    assert_eq!(rehearsal.states(), [HostState::Off, HostState::Off]);
    let (report, _) = rehearsal.again();
    assert_eq!(report.started.len(), 2);
    assert_eq!(rehearsal.told("web1", "cat mark"), "kept");
    // Power back for one host alone is enough, too.
    rehearsal.restart_machine();
    rehearsal.lab.power_on("web1").unwrap();
    assert_eq!(rehearsal.told("web1", "cat mark"), "kept");
}

#[test]
fn a_lab_with_a_damaged_record_and_lost_keepers_is_taken_down() {
    let Some(rehearsal) = Rehearsal::up(8) else { return };
    let (bridge, cables) = (rehearsal.bridge(), rehearsal.cables());
    for pid in rehearsal.processes() {
        run("kill", &["-KILL", &pid.to_string()]);
    }
    wait("the keepers to end", || rehearsal.processes().is_empty());
    assert_eq!(rehearsal.states(), [HostState::Running, HostState::Running], "hosts outlive their keepers");
    std::fs::write(rehearsal.folder().join("lab.json"), "{").unwrap();
    let refused = rehearsal.lab.up(&rehearsal.spec, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, LabError::BadRecord { .. }), "{refused}");
    rehearsal.lab.down(false).unwrap();
    assert_eq!(rehearsal.traces(&bridge, &cables), Vec::<String>::new());
}

#[test]
fn what_does_not_fit_is_refused_and_what_joins_is_known() {
    let Some(rehearsal) = Rehearsal::up(9) else { return };
    let third = rehearsal.spec.hosts[0].address.octets()[2];
    let other = Lab::open_in("other", rehearsal.roots.clone()).unwrap();
    let clash = other.up(&rehearsal.spec, &mut |_| {}).unwrap_err();
    assert!(clash.to_string().contains("another lab's bridge"), "{clash}");

    let mut moved = rehearsal.spec.clone();
    moved.hosts[0].address = Ipv4Addr::new(10, 78, third, 99);
    let differs = rehearsal.lab.up(&moved, &mut |_| {}).unwrap_err();
    assert!(matches!(differs, LabError::LabDiffers { .. }), "{differs}");

    let unknown = rehearsal.lab.power_off("web9").unwrap_err();
    assert!(unknown.to_string().contains("it has lb1, web1"), "{unknown}");

    let mut grown = rehearsal.spec.clone();
    let address = Ipv4Addr::new(10, 78, third, 22);
    grown.hosts = vec![LabHost { name: "web2".into(), address, zone: "rack-c".into() }];
    let report = rehearsal.lab.up(&grown, &mut |_| {}).unwrap();
    assert_eq!(
        (report.started, report.extra),
        (vec!["web2".to_owned()], vec!["lb1".to_owned(), "web1".to_owned()])
    );
    assert!(rehearsal.told("lb1", "getent hosts web2").starts_with(&address.to_string()));
    assert_eq!(rehearsal.told("web2", "getent hosts lb1 | wc -l"), "1");
    // The image stays while a lab lies on it: another lab's `down --purge-image` must not pull it away.
    let in_use = other.down(true).unwrap_err();
    assert!(matches!(in_use, LabError::ImageInUse { .. }), "{in_use}");
}
