//! Fetching secrets on this machine: from the environment, a file, a command, or made once at random.
//!
//! Deliberately absent: AWS Secrets Manager, which needs the AWS provider. No value is ever part of an error.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use secrecy::SecretString;
use standfast_contract::{
    SecretSource,
    address::is_name,
    secret::{SecretError, SecretReader},
};
use zeroize::Zeroize;

/// A command that has not printed its secret after so long is ended.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of one secret.
pub const SECRET_SIZE_MAX: usize = 64 << 10;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Reads what this machine can tell. Commands run in the current folder.
#[derive(Clone, Debug)]
pub struct LocalSecrets {
    /// Where generated secrets are kept: `.standfast/secrets`.
    pub generated_dir: PathBuf,
    /// See [`COMMAND_TIMEOUT`].
    pub command_timeout: Duration,
}

impl LocalSecrets {
    pub fn new(generated_dir: impl Into<PathBuf>) -> Self {
        LocalSecrets { generated_dir: generated_dir.into(), command_timeout: COMMAND_TIMEOUT }
    }
}

impl SecretReader for LocalSecrets {
    fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        let fetched = match source {
            SecretSource::Env(name) => from_environment(name),
            SecretSource::File(path) => from_file(Path::new(path)).map(without_newline),
            SecretSource::FileExact(path) => from_file(Path::new(path)),
            SecretSource::Command(command) => {
                from_command(command, self.command_timeout).map(without_newline)
            }
            SecretSource::Inline(text) => Ok(text.clone()),
            SecretSource::Generate { name, length } => generated(&self.generated_dir, name, *length),
            SecretSource::AwsSecretsManager(_) => Err(Failure::hint(
                "this release cannot ask AWS Secrets Manager",
                "until the AWS provider does, use `command: aws secretsmanager get-secret-value ...`, `env` or `file`",
            )),
        };
        let refuse = |failure: Failure| SecretError {
            from: source.to_string(),
            reason: failure.reason,
            hint: failure.hint,
        };
        match fetched.map_err(refuse)? {
            empty if empty.is_empty() => Err(refuse(Failure::new("it is empty"))),
            text => Ok(SecretString::from(text)),
        }
    }
}

/// Why it could not be had.
struct Failure {
    reason: String,
    hint: Option<String>,
}

impl Failure {
    fn new(reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), hint: None }
    }

    fn hint(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure { reason: reason.into(), hint: Some(hint.into()) }
    }
}

fn from_environment(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => Failure::hint(
            "it is not set",
            format!("set it in the environment of this command: `export {name}=...`"),
        ),
        std::env::VarError::NotUnicode(_) => Failure::new("it is not UTF-8"),
    })
}

fn from_file(path: &Path) -> Result<String, Failure> {
    let file = fs::File::open(path).map_err(|error| Failure::new(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(SECRET_SIZE_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(error.to_string()))?;
    as_text(bytes)
}

fn as_text(bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.len() > SECRET_SIZE_MAX {
        return Err(Failure::new(format!("it is larger than {} KiB", SECRET_SIZE_MAX >> 10)));
    }
    String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        Failure::new("it is not UTF-8")
    })
}

fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn from_command(command: &str, timeout: Duration) -> Result<String, Failure> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what the shell starts can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::new(format!("could not start sh: {error}")))?;
    let deadline = Instant::now() + timeout;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            Ok(None) => {
                end(&mut child);
                return Err(Failure::hint(
                    format!("the command did not end within {} s", timeout.as_secs()),
                    "it may be waiting for input, which it cannot get here",
                ));
            }
            Err(error) => {
                end(&mut child);
                return Err(Failure::new(error.to_string()));
            }
        }
    };
    // What it left running in the background may hold the pipes open: not waited for beyond the deadline.
    let left = || deadline.saturating_duration_since(Instant::now()).max(POLL_INTERVAL);
    let output = stdout.recv_timeout(left());
    if !status.success() {
        let said = stderr.recv_timeout(left()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said: String = said.trim().chars().take(1000).collect();
        let reason = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
        return Err(Failure::new(reason));
    }
    match output {
        Ok(bytes) => as_text(bytes),
        Err(_) => {
            end(&mut child);
            Err(Failure::new("the command ended, and something that it started still holds its output open"))
        }
    }
}

/// Ends a command with all that it started.
fn end(child: &mut Child) {
    let group = rustix::process::Pid::from_child(child);
    // Gone already is as good.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _ = child.wait();
}

/// Reads a pipe to its end beside us, at most one byte more than a secret may have.
fn drain(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(SECRET_SIZE_MAX as u64 + 1).read_to_end(&mut bytes);
            // The rest, so that the command is not stopped by a full pipe.
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        // Nobody waits any more after a time-out.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Reads it where it was made before, else makes it.
fn generated(dir: &Path, name: &str, length: u16) -> Result<String, Failure> {
    if !is_name(name) {
        return Err(Failure::new(format!("`{name}` is no name of a secret")));
    }
    let path = dir.join(name);
    match from_file_if_there(&path)? {
        Some(text) => Ok(text),
        None => make(dir, &path, length),
    }
}

fn from_file_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
        Ok(_) => from_file(path).map(|text| Some(without_newline(text))),
    }
}

/// Written whole beside its place, then linked there: another process that makes the same one at the same time wins or
/// loses, and both go on with the same secret.
fn make(dir: &Path, path: &Path, length: u16) -> Result<String, Failure> {
    let refuse = |error: io::Error| Failure::new(format!("could not keep it in {}: {error}", dir.display()));
    make_dir(dir).map_err(refuse)?;
    let mut text = random(length)?;
    // tempfile makes it with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(refuse)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(refuse)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            // The name too must survive a power cut: what is encrypted with the secret would be lost with it.
            fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(refuse)?;
            Ok(text)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            text.zeroize();
            from_file(path).map(without_newline)
        }
        Err(error) => Err(refuse(error.error)),
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Letters and digits, each as likely as any other.
fn random(length: u16) -> Result<String, Failure> {
    let mut text = String::with_capacity(usize::from(length));
    let mut bytes = [0u8; 64];
    while text.len() < usize::from(length) {
        getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no randomness: {error}")))?;
        // 248 = 4 * 62: the bytes above would make the first letters likelier.
        let fair =
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(fair.take(usize::from(length) - text.len()));
    }
    bytes.zeroize();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn read(source: SecretSource) -> Result<String, SecretError> {
        let dir = tempfile::tempdir().unwrap();
        LocalSecrets::new(dir.path()).read(&source).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_command_gives_its_output_without_the_last_newline() {
        assert_eq!(read(SecretSource::Command("printf 'two\\nlines\\n'".into())).unwrap(), "two\nlines");
    }

    #[test]
    fn a_failing_command_tells_its_stderr_and_never_its_output() {
        let error = read(SecretSource::Command("echo hunter2; echo locked >&2; exit 3".into())).unwrap_err();
        assert!(error.reason.contains("locked") && error.reason.contains('3'), "{error}");
        assert!(!error.to_string().contains("hunter2") || error.from.contains("hunter2"), "{error}");
        assert!(!error.reason.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let secrets =
            LocalSecrets { command_timeout: Duration::from_millis(200), ..LocalSecrets::new(dir.path()) };
        let marker = dir.path().join("marker");
        let command = format!("(sleep 2; touch {}) & sleep 60", marker.display());
        let begun = Instant::now();
        let error = secrets.read(&SecretSource::Command(command)).unwrap_err();
        assert!(error.reason.contains("did not end"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2));
        thread::sleep(Duration::from_millis(2300));
        assert!(!marker.exists(), "a child went on");
    }

    #[test]
    fn a_generated_secret_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = LocalSecrets::new(dir.path().join("deep/secrets"));
        let source = SecretSource::Generate { name: "db".into(), length: 32 };
        let first = secrets.read(&source).unwrap();
        let again = secrets.read(&source).unwrap();
        assert_eq!(first.expose_secret(), again.expose_secret());
        assert_eq!(first.expose_secret().len(), 32);
        let mode = fs::metadata(dir.path().join("deep/secrets/db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = secrets.read(&SecretSource::Generate { name: "other".into(), length: 32 }).unwrap();
        assert_ne!(first.expose_secret(), other.expose_secret());
    }

    #[test]
    fn generated_at_the_same_time_it_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let made: Vec<_> = thread::scope(|scope| {
            let one = || {
                let source = SecretSource::Generate { name: "db".into(), length: 40 };
                LocalSecrets::new(dir.path()).read(&source).unwrap().expose_secret().to_owned()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|text| *text == made[0]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn files_are_whole_and_exact_ones_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "line\n").unwrap();
        let path = path.display().to_string();
        assert_eq!(read(SecretSource::File(path.clone())).unwrap(), "line");
        assert_eq!(read(SecretSource::FileExact(path)).unwrap(), "line\n");
        assert!(read(SecretSource::File("/nowhere/at/all".into())).is_err());
    }

    #[test]
    fn what_is_not_there_says_what_to_do() {
        let error = read(SecretSource::Env("STANDFAST_TEST_NOT_SET".into())).unwrap_err();
        assert!(error.hint.unwrap().contains("export STANDFAST_TEST_NOT_SET"));
        assert!(read(SecretSource::AwsSecretsManager("x".into())).unwrap_err().hint.is_some());
        assert!(read(SecretSource::Generate { name: "../x".into(), length: 32 }).is_err());
    }
}
