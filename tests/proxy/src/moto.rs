//! A server that speaks for AWS: moto, one for each test process, thrown away with it.
//!
//! `STANDFAST_MOTO` names the program `moto_server`; `scripts/test` installs it. It keeps everything in memory: ending it
//! forgets all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The variable with the program's path.
const VARIABLE: &str = "STANDFAST_MOTO";

/// How long it may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It ends with this value, or with the test's process, whichever way that ends.
pub struct Moto {
    /// Where it answers.
    pub address: SocketAddr,
    buckets: AtomicUsize,
    /// The keeper waits for its end.
    _keeper: ChildStdin,
}

impl Moto {
    /// The one of this test process.
    ///
    /// # Panics
    /// When there is none to be had: a test that needs it must fail.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A new one.
    ///
    /// # Panics
    /// When there is none to be had: a test that needs it must fail.
    #[expect(clippy::panic, clippy::expect_used, reason = "a helper of tests: without a server they fail")]
    pub fn start() -> Self {
        let Some(program) = std::env::var_os(VARIABLE) else {
            panic!("{VARIABLE} must name moto_server: `scripts/test` installs it and sets it");
        };
        let probe = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = probe.expect("a free port");
        // The keeper's standard input ends with this process, however that ends.
        let script = "\"$1\" -H 127.0.0.1 -p \"$2\" </dev/null & read _; kill $!";
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "keeper"]).arg(program).arg(address.port().to_string());
        #[expect(
            clippy::zombie_processes,
            reason = "it outlives this value for a moment, to clean up after it"
        )]
        // AWS's own policies are there in every account.
        let mut keeper = keeper
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let kept = keeper.stdin.take().expect("its input");
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "moto_server does not answer at {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { address, buckets: AtomicUsize::new(0), _keeper: kept }
    }

    /// A new bucket of S3, and its name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn bucket(&self) -> String {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::SeqCst));
        self.ask("PUT", &format!("/{name}"));
        name
    }

    /// Forgets everything.
    ///
    /// # Panics
    /// When it does not.
    pub fn reset(&self) {
        self.ask("POST", "/moto-api/reset");
    }

    #[expect(clippy::expect_used, reason = "a helper of tests")]
    fn ask(&self, method: &str, path: &str) {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let head = "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{method} {path} {head}").as_bytes()).expect("to send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{method} {path} was answered with {answer}");
    }

    /// Its URL, such as `http://127.0.0.1:4567`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
