//! Many small things on each of five hosts: what a look at them costs when nothing has changed, what was there before
//! and is taken over, and that what is sensitive stays so.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::stand::Stand;

const HOSTS: usize = 5;
/// Of each host: 1 of packages, 1 of sysctl, 1 firewall, and as many of the others as [`mixed`] writes.
const RESOURCES: usize = 66;
/// What a first look, and one at unchanged hosts, may take on a machine that does other things as well.
const FIRST_PLAN_MAX: Duration = Duration::from_secs(8);
const PLAN_MAX: Duration = Duration::from_secs(4);

/// A word that no file of ours may hold but the one that it is written to.
const CANARY: &str = "c4n4ry-0f-the-m1ne";

#[test]
fn many_things_on_five_hosts() {
    let Some(stand) = Stand::up("hosts-mixed", mixed, |_| {}) else { return };
    let plan = || {
        let before = children_cpu_s();
        let ran = stand.run(["--lab", "plan", "shop.yaml", "--format", "json"]).succeeded();
        (ran.json()["summary"].clone(), ran.took, children_cpu_s() - before)
    };
    let (summary, took, cpu) = plan();
    println!("first plan: {:.2} s, {cpu:.2} s of CPU", took.as_secs_f64());
    assert_eq!(summary["create"], HOSTS * RESOURCES, "{summary}");
    assert!(took < FIRST_PLAN_MAX);

    let built = stand.apply().succeeded();
    println!("apply of {}: {:.1} s", HOSTS * RESOURCES, built.took.as_secs_f64());
    for _ in 0..3 {
        let (summary, took, cpu) = plan();
        println!("unchanged plan: {:.2} s, {cpu:.2} s of CPU", took.as_secs_f64());
        assert_eq!(summary["no_op"], HOSTS * RESOURCES, "{summary}");
        assert!(took < PLAN_MAX);
    }
    import(&stand);
    secrets(&stand);
}

/// 66 resources on each host.
fn mixed(name: &str, net: &str) -> String {
    let hosts = (1..=HOSTS).map(|n| format!("h{n}: {net}.{}", n + 10)).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "standfast: 1\nname: {name}\nregions:\n  home:\n    provider: ssh\n    ssh: {{ user: deploy, become: sudo }}\n    \
         zones: {{ rack: {{ hosts: {{ {hosts} }} }} }}\nbaselines:\n  mixed:\n    hosts: [h1, h2, h3, h4, h5]\n    \
         packages: [jq, rsync, socat]\n    sysctl: {{ net.core.somaxconn: 2048 }}\n    \
         firewall: {{ allow: [{{ ports: [80, 443] }}] }}\n    users:\n"
    );
    let mut list = |key: &str, count: usize, line: &dyn Fn(usize) -> String| {
        if !key.is_empty() {
            writeln!(text, "    {key}:").unwrap();
        }
        (1..=count).for_each(|n| writeln!(text, "      {}", line(n)).unwrap());
    };
    list("", 6, &|n| format!("crew{n}: {{ groups: [adm] }}"));
    list("directories", 12, &|n| format!("- {{ path: /srv/app/d{n}, owner: crew1, mode: \"0750\" }}"));
    list("files", 35, &|n| {
        let text = format!("setting{n} = {}\\n", "v".repeat(n * 40));
        format!("- {{ to: /srv/app/d{}/f{n}.conf, owner: crew2, content: \"{text}\" }}", n % 12 + 1)
    });
    let unit = "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n";
    list("units", 5, &|n| format!("job{n}.service: {{ content: \"{unit}\" }}"));
    list("services", 5, &|n| format!("job{n}: {{}}"));
    text
}

/// A package, a file and a service that somebody set up by hand, before anybody wrote a blueprint.
fn import(stand: &Stand) {
    stand.told("h1", "apt-get install -qy tcpdump >/dev/null; mkdir -p /srv/old; echo one >/srv/old/app.conf; chmod 0640 /srv/old/app.conf");
    let before = std::fs::read_to_string(stand.path("shop.yaml")).unwrap();
    stand.write(
        "shop.yaml",
        &format!(
            "{before}  legacy:\n    hosts: [h1]\n    packages: [tcpdump]\n    \
             files: [{{ to: /srv/old/app.conf, mode: \"0640\", content: \"two\\n\" }}]\n    services: {{ ssh: {{}} }}\n"
        ),
    );
    let address = |rest: &str| format!("home/baselines.legacy/{rest}");
    let import =
        |rest: &str| stand.run(["--lab", "state", "import", &address(rest), "--blueprint", "shop.yaml"]);
    let all = ["package.h1.packages", "file.h1.srv-old-app.conf", "service.h1.ssh"];
    for rest in all {
        import(rest).succeeded().says(&["is recorded"]);
    }
    import(all[0]).exits(1).says(&["is recorded already"]);
    import("file.h1.nothing").exits(1).says(&["is not in the blueprint", "standfast graph"]);

    // What was taken over is as it was; only what the blueprint wants otherwise is changed.
    let changed = address("file.h1.srv-old-app.conf");
    assert_eq!(stand.planned(), [(changed.clone(), "update".to_owned())]);
    assert_eq!(stand.apply().succeeded().done(), [changed]);
    assert_eq!(stand.told("h1", "cat /srv/old/app.conf; stat -c %a /srv/old/app.conf"), "two\n640");
    stand.clean("after the import");

    // And comes back as it was when the blueprint lets go of it.
    stand.write("shop.yaml", &before);
    assert_eq!(stand.apply().succeeded().report()["deleted"], 3);
    assert_eq!(
        stand.told("h1", "cat /srv/old/app.conf; systemctl is-active ssh; dpkg -s tcpdump | grep ^Status"),
        "one\nactive\nStatus: install ok installed"
    );
    stand.clean("after it was let go of");
}

/// A sensitive folder: its text is on the host and nowhere else.
fn secrets(stand: &Stand) {
    stand.write("keys/api/token", &format!("{CANARY}\n"));
    stand.write("keys/plain.pem", &format!("-----\n{CANARY}\n-----\n"));
    let before = std::fs::read_to_string(stand.path("shop.yaml")).unwrap();
    let vault = "  vault:\n    hosts: [h1, h2]\n    \
                 files: [{ from: ./keys, to: /srv/keys, mode: \"0600\", sensitive: true }]\n";
    stand.write("shop.yaml", &format!("{before}{vault}"));
    let mut said = Vec::new();
    said.push(stand.run(["--lab", "plan", "shop.yaml", "--out", "saved.plan"]).succeeded());
    said.push(stand.run(["--lab", "plan", "shop.yaml", "--format", "json"]).succeeded());
    said.push(stand.run(["--lab", "apply", "saved.plan", "--format", "json"]).succeeded());
    assert_eq!(
        stand.told("h2", "cat /srv/keys/api/token; stat -c %a /srv/keys/api/token"),
        format!("{CANARY}\n600")
    );
    stand.clean("after the sensitive folder");

    // Drift of it is named and not shown, on either side.
    stand.told("h1", &format!("echo {CANARY}-by-hand >/srv/keys/api/token"));
    said.push(stand.run(["--lab", "drift", "shop.yaml"]).exits(2).says(&["file.h1.srv-keys-api-token"]));
    said.push(stand.run(["--lab", "drift", "shop.yaml", "--format", "json"]).exits(2));
    said.push(stand.apply().succeeded());
    stand.write("keys/api/token", &format!("{CANARY}-new\n"));
    said.push(stand.run(["--lab", "plan", "shop.yaml", "--format", "html"]).succeeded());
    said.push(stand.apply().succeeded());
    said.push(
        stand
            .run([
                "--lab",
                "state",
                "show",
                "home/baselines.vault/file.h1.srv-keys-api-token",
                "--blueprint",
                "shop.yaml",
            ])
            .succeeded(),
    );
    for ran in &said {
        assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "{ran:?}");
    }
    let kept = stand.told("h1", &format!("grep -rl {CANARY} /var/lib/standfast --include=*.json || true"));
    assert_eq!(kept, "", "the marks on the host");
    let mut looked_at = Vec::new();
    no_file_has(&stand.path("."), CANARY, &mut looked_at);
    assert!(looked_at.iter().any(|file| file.ends_with("saved.plan")), "{looked_at:?}");
    assert!(looked_at.iter().any(|file| file.ends_with(".db")), "{looked_at:?}");
}

/// Every file below the folder but the keys themselves and the hosts' own disks.
fn no_file_has(folder: &Path, word: &str, looked_at: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.ends_with("keys") || path.ends_with("labs") {
            continue;
        }
        if path.is_dir() {
            no_file_has(&path, word, looked_at);
        // The sockets of ssh's masters hold nothing.
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{}", path.display());
            looked_at.push(path.display().to_string());
        }
    }
}

/// Processor time of this process's children that have ended, and of theirs; proc(5), `cutime` and `cstime`.
fn children_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap()) / 100.0
}
