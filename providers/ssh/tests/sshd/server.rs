//! A private sshd on a loopback port, with its own keys, in a folder of its own.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use standfast_contract::{Map, Value};
use standfast_ssh::session::place::Place;
use tempfile::TempDir;

pub struct Server {
    child: Child,
    folder: TempDir,
    pub port: u16,
}

impl Server {
    /// Starts one; `settings` are further lines of its sshd_config.
    pub fn start(settings: &str) -> Server {
        let folder = tempfile::Builder::new().prefix("sf").tempdir().unwrap();
        for key in ["host", "user", "stranger"] {
            keygen(&folder.path().join(key));
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::copy(path("user.pub"), path("authorized")).unwrap();
        // sshd as root keeps its unprivileged half there.
        let _ = fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n{settings}\n",
            path("host"),
            path("authorized")
        );
        fs::write(path("config"), config).unwrap();
        let host_key = fs::read_to_string(path("host.pub")).unwrap();
        let host_key: Vec<&str> = host_key.split_whitespace().take(2).collect();
        fs::write(path("known"), format!("[127.0.0.1]:{port} {}\n", host_key.join(" "))).unwrap();
        let child = Command::new(sshd())
            .args(["-D", "-e", "-f", &path("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .expect("these tests need openssh-server");
        let server = Server { child, folder, port };
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < end,
                "sshd did not start: {}",
                fs::read_to_string(server.path("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How it is reached, as a resource has it.
    pub fn place(&self) -> Map {
        let text = |value: PathBuf| Value::text(value.display().to_string());
        [
            ("host", Value::text("here")),
            ("address", Value::text("127.0.0.1")),
            ("port", Value::Int(self.port.into())),
            ("user", Value::text(user())),
            ("become", Value::text("no")),
            ("known_hosts", text(self.path("known"))),
            ("identity_file", text(self.path("user"))),
            ("config", Value::text("/dev/null")),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// The same with some keys changed.
    pub fn with(&self, changes: &[(&str, Value)]) -> Place {
        let mut place = self.place();
        place.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        Place::parse(&Value::Map(place)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// `SHA256:...` of a public key, as ssh-keygen prints it.
pub fn fingerprint(path: &Path) -> String {
    let output = Command::new("ssh-keygen").arg("-lf").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

fn sshd() -> &'static str {
    if Path::new("/usr/sbin/sshd").exists() { "/usr/sbin/sshd" } else { "sshd" }
}
