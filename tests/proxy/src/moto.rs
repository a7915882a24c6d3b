//! A server that speaks for AWS: moto, one for each test process, thrown away with it.
//!
//! `STANDFAST_MOTO` names the program `moto_server`; `scripts/test` installs it. It keeps everything in memory: ending it
//! forgets all.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

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
    #[expect(clippy::panic, reason = "a helper of tests: without a server they fail")]
    pub fn start() -> Self {
        let Some(program) = std::env::var_os(VARIABLE) else {
            panic!("{VARIABLE} must name moto_server: `scripts/test` installs it and sets it");
        };
        Self::start_program(&program)
    }

    #[expect(clippy::expect_used, reason = "a helper of tests: without a server they fail")]
    fn start_program(program: &OsStr) -> Self {
        let held = hold_port().expect("a free port");
        let address = held.local_addr().expect("its address");
        #[expect(clippy::zombie_processes, reason = "the keeper ends it")]
        let mut server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            // AWS's own policies are there in every account.
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server");
        // The keeper's standard input ends with this process, however that ends.
        #[expect(
            clippy::zombie_processes,
            reason = "it outlives this value for a moment, to clean up after it"
        )]
        let mut keeper = Command::new("sh")
            .args(["-c", "read _; kill \"$1\"", "keeper", &server.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let kept = keeper.stdin.take().expect("its input");
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(address).is_err() {
            let ended = server.try_wait().expect("how it is");
            assert!(ended.is_none(), "moto_server ended before it answered: {ended:?}");
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

/// A port that nobody else is given while a server takes seconds to come to it: Linux gives none away that is bound,
/// but lets who allows the reuse of addresses, as werkzeug does, bind one beside a socket that allows it too and does not
/// listen.
fn hold_port() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_held_port_is_its_servers_and_silent_until_then() {
        let held = hold_port().unwrap();
        let address = held.local_addr().unwrap();
        assert!(TcpStream::connect(address).is_err());
        // The standard library's listeners allow reuse, too.
        let _server = TcpListener::bind(address).unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    #[should_panic(expected = "ended before it answered")]
    fn a_server_that_ends_is_not_waited_for() {
        Moto::start_program(OsStr::new("false"));
    }
}
