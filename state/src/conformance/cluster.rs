//! A PostgreSQL server of the test's own, thrown away with it.
//!
//! It takes the newest server program of the machine (Debian: `postgresql-15`), a folder of its own, a free port and
//! an unprivileged user, since PostgreSQL refuses to run as root. A keeper process removes everything when the
//! test's process has ended, whichever way.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

/// How long the server may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    /// Bound and silent: nobody else is given the port while no server has it.
    _held: TcpSocket,
    databases: AtomicU32,
    server: Mutex<Option<Child>>,
    /// The keeper waits for its end.
    _keeper: ChildStdin,
}

impl Cluster {
    /// The one of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("fsync = off", |_| {}))
    }

    /// A new one, with these lines in its `postgresql.conf`. `prepare` may put files into the server's own folder
    /// before it starts.
    pub fn start(config: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("standfast-pg-").tempdir().unwrap().keep();
        let programs = programs();
        let held = hold_port();
        let port = held.local_addr().unwrap().port();
        if rustix::process::geteuid().is_root() {
            ran(Command::new("chown").arg("postgres:postgres").arg(&folder));
        }
        let data = folder.join("data");
        ran(unprivileged(&programs.join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--no-sync",
                "--encoding=UTF8",
                "--no-locale",
                "-D",
            ])
            .arg(&data));
        let config = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             max_connections = 200\nshared_buffers = 32MB\n{config}\n",
            folder.display()
        );
        let settings = data.join("postgresql.auto.conf");
        std::fs::write(&settings, config).unwrap();
        prepare(&data);
        if rustix::process::geteuid().is_root() {
            ran(Command::new("chown").args(["-R", "postgres:postgres"]).arg(&data));
        }
        let script = "read _; kill -QUIT $(head -n 1 \"$1/data/postmaster.pid\"); sleep 0.3; rm -rf \"$1\"";
        #[expect(clippy::zombie_processes, reason = "it outlives this process, to clean up after it")]
        let mut keeper = quiet(Command::new("sh").args(["-c", script, "keeper"]).arg(&folder))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let kept = keeper.stdin.take().unwrap();
        let cluster = Self {
            folder,
            programs,
            port,
            _held: held,
            databases: AtomicU32::new(0),
            server: Mutex::new(None),
            _keeper: kept,
        };
        cluster.launch();
        cluster
    }

    /// Starts the server over its folder, and waits until it answers.
    pub fn launch(&self) {
        let deadline = Instant::now() + START_PATIENCE;
        let mut server = self.server.lock().unwrap();
        loop {
            // One that was killed holds its memory for a moment, and its successor ends at once.
            let running = server.as_mut().is_some_and(|server| server.try_wait().unwrap().is_none());
            if !running {
                let mut command = unprivileged(&self.programs.join("postgres"));
                *server = Some(quiet(command.arg("-D").arg(self.folder.join("data"))).spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(50));
            let asked =
                quiet(Command::new(self.programs.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p"]))
                    .arg(self.port.to_string())
                    .status();
            if asked.unwrap().success() {
                return;
            }
            assert!(Instant::now() < deadline, "the PostgreSQL server does not answer");
        }
    }

    /// Kills the server as a power cut would: all of it, at once.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().trim().to_owned();
        ran(Command::new("kill").args(["-KILL", &pid]));
        // Until it is waited for, its number is taken, and its successor believes that it still lives.
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().unwrap();
        }
    }

    /// Where its sockets are, and where a test may put files for it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new database's name.
    pub fn database(&self) -> String {
        let name = format!("states_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database, through the socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// What `psql` prints for some SQL, its columns parted by `|`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql, "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string()]);
        ran(&mut psql).trim_end().to_owned()
    }
}

/// Linux gives no port away that is bound, but lets who allows the reuse of addresses, as PostgreSQL does, bind one beside a
/// socket that allows it too and does not listen.
fn hold_port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket
}

/// The folder of the newest server programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .expect("a PostgreSQL server in /usr/lib/postgresql (Debian: apt-get install postgresql-15)");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// A command of a user that is not root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
        .arg(program)
        .current_dir("/");
    command
}

/// Without the test's own output, which would never be closed.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
