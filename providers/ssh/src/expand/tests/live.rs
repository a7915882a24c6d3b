//! A running HAProxy under a rendered configuration: what it does with requests while members are drained, lost, and
//! the process reloaded. Its members are threads on loopback addresses; it runs on free ports in a temporary folder.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use standfast_contract::component::Algorithm;

use super::{content, expand, fixtures, real};
use crate::expand::{haproxy, units};

/// A member: answers its own address to everything until it is stopped.
struct Server {
    stop: Arc<AtomicBool>,
    address: (&'static str, u16),
}

impl Server {
    fn start(host: &'static str, port: u16) -> Self {
        let listener = TcpListener::bind((host, port)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 4096];
                if stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{host}",
                        host.len()
                    );
                    drop(stream.write_all(answer.as_bytes()));
                }
            }
        });
        Server { stop, address: (host, port) }
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// HAProxy, ended when the test is.
struct Running {
    master: Child,
    folder: PathBuf,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal("TERM");
        self.master.wait().unwrap();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        Command::new("kill").args([&format!("-{name}"), &self.master.id().to_string()]).status().unwrap();
    }

    fn api(&self, command: &str) -> String {
        let mut stream = std::os::unix::net::UnixStream::connect(self.folder.join("admin.sock")).unwrap();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// As `ExecReload` of the drop-in does it.
    fn reload(&self) {
        let before = self.api("show info");
        let config = self.folder.join("haproxy.cfg");
        real::accepts(self.folder.join("save-state").to_str().unwrap(), "socat", &[config.to_str().unwrap()]);
        self.signal("USR2");
        let pid = |info: &str| info.lines().find(|line| line.starts_with("Pid:")).map(str::to_owned);
        wait_until("the new process serves", || pid(&self.api("show info")) != pid(&before));
    }

    fn is_up(&self, member: &str) -> bool {
        self.api("show stat").lines().any(|line| {
            let mut fields = line.split(',');
            fields.next() == Some("web") && fields.next() == Some(member) && line.contains(",UP,")
        })
    }

    /// Status line with headers, and body.
    fn ask(&self, request: &str) -> (String, String) {
        ask(self.port, request)
    }

    fn get(&self, path: &str, cookie: &str) -> (String, String) {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: shop\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ))
    }
}

fn ask(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "20 s and not yet: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts HAProxy for the shop with its members on loopback; the ports are of the redirect, of https and of the members.
fn start(folder: &Path, [redirect, https, members]: [u16; 3]) -> Running {
    let mut blueprint = fixtures::shop();
    for host in blueprint.regions[0].zones.iter_mut().flat_map(|zone| &mut zone.hosts) {
        host.address = host.address.replace("10.77.0", "127.0.0");
    }
    let port = free_port();
    let front = blueprint.front();
    front.virtual_ip = None;
    front.algorithm = Algorithm::RoundRobin;
    front.listeners[0].port = redirect;
    front.listeners[1].port = https;
    let mut plain = front.listeners[1].clone();
    (plain.port, plain.certificate) = (port, None);
    plain.routes[2].host = Some("shop".into());
    front.listeners.push(plain);
    let web = blueprint.group("web");
    web.port = members;
    web.health_check.interval = Duration::from_millis(200);
    web.health_check.timeout = Duration::from_millis(200);
    let expansion = expand(&blueprint, "load_balancers.front");
    let config: String = content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg")
        .replace(haproxy::CERTIFICATES, folder.to_str().unwrap())
        .replace("/run/haproxy", folder.to_str().unwrap())
        .lines()
        // What only root may do.
        .filter(|line| {
            !["chroot", "user", "group"].contains(&line.split_whitespace().next().unwrap_or_default())
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let config = real::write(folder, "haproxy.cfg", &config);
    real::write(folder, &format!("front-{https}.pem"), &real::certificate(folder));
    let save = real::write(
        folder,
        "save-state",
        &units::save_state().replace("/run/haproxy", folder.to_str().unwrap()),
    );
    real::accepts("chmod", "coreutils", &["755", &save]);
    real::accepts("haproxy", "haproxy", &["-c", "-f", &config]);
    let log = fs::File::create(folder.join("log")).unwrap();
    let master = Command::new("/usr/sbin/haproxy")
        .args(["-W", "-f", &config])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut running = Running { master, folder: folder.to_owned(), port };
    wait_until("HAProxy listens", || {
        let ended = running.master.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(folder.join("log")).unwrap());
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    running
}

#[test]
fn requests_are_served_while_members_are_drained_lost_and_haproxy_is_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let members = free_port();
    let [first, _second, third] =
        ["127.0.0.21", "127.0.0.22", "127.0.0.23"].map(|host| Server::start(host, members));
    let ports = [free_port(), free_port(), members];
    let running = start(folder.path(), ports);
    wait_until("all members are up", || ["web1", "web2", "web3"].iter().all(|member| running.is_up(member)));

    // In turn, and no request that fits no route reads as an outage.
    let mut seen: Vec<String> = (0..6).map(|_| running.get("/", "").1).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["127.0.0.21", "127.0.0.22", "127.0.0.23"]);
    let (head, _) = running.ask("GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");

    // A client stays with its member until that is drained, and HAProxy's reload does not undrain it.
    let cookie = (0..6)
        .map(|_| running.get("/", ""))
        .find(|(_, member)| member == "127.0.0.21")
        .and_then(|(head, _)| {
            let (_, rest) = head.split_once("set-cookie: ")?;
            Some(rest.split(';').next()?.to_owned())
        })
        .unwrap();
    let stays = |member: &str| (0..6).all(|_| running.get("/", &cookie).1 == member);
    assert!(stays("127.0.0.21"), "{cookie}");
    running.api("set server web/web1 state drain");
    running.api("set server web/web1 weight 0");
    let leaves =
        || (0..6).all(|_| ["127.0.0.22", "127.0.0.23"].contains(&running.get("/", &cookie).1.as_str()));
    assert!(leaves(), "a drained member still gets its clients");
    running.reload();
    assert!(leaves(), "a reload undrained it");
    assert!((0..6).all(|_| running.get("/", "").1 != "127.0.0.21"), "a reload undrained it");
    running.api("set server web/web1 state maint");
    running.reload();
    assert!(leaves(), "a reload took it out of maintenance");
    running.api("set server web/web1 state ready");
    running.api("set server web/web1 weight 100%");
    wait_until("it is up again", || running.is_up("web1"));
    assert!(stays("127.0.0.21"), "it did not come back");

    // A member that is gone costs no request, its own clients' included.
    first.stop();
    for attempt in 0..50 {
        let (head, member) = running.get("/", if attempt % 2 == 0 { &cookie } else { "" });
        assert!(head.starts_with("HTTP/1.1 200"), "request {attempt}: {head}");
        assert_ne!(member, "127.0.0.21");
    }
    wait_until("its checks say so", || !running.is_up("web1"));
    // One that is known to be down is not tried again because of a reload.
    running.reload();
    assert!(!running.is_up("web1"));
    third.stop();
    assert!(running.get("/", "").0.starts_with("HTTP/1.1 200"));

    for (method, status) in [("GET", "301"), ("POST", "308")] {
        let request = format!(
            "{method} /a?b=c HTTP/1.1\r\nHost: shop:80\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let (head, _) = ask(ports[0], &request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(head.contains(&format!("location: https://shop:{}/a?b=c", ports[1])), "{head}");
    }
}
