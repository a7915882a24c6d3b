//! One script through one channel: how it is started, fed, heard and understood.

use std::{path::Path, process::Stdio, time::Duration};

use openssh::Session;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    process::Command,
    time::timeout,
};

use super::{
    control::{self, ControlFolder},
    diagnose,
    error::SessionError,
    place::Place,
};
use crate::script::{
    Answer, Script,
    frame::{self, Arrived},
    nonce, quote,
};

/// The most that a host may answer, bytes.
const ANSWER_MAX: usize = 16 << 20;
/// The most that is kept of standard error, bytes.
const WORDS_MAX: usize = 256 << 10;
/// Between two pieces of an upload the host may be silent for so long.
const UPLOAD_STALL: Duration = Duration::from_secs(60);

/// A script without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: SessionError,
    /// The script was sent whole, or said that it began: it may have done its work.
    pub begun: bool,
}

/// How a shell is started, and what must be said to get there.
struct Entry {
    command: String,
    password: Option<String>,
}

/// Waits for the word that the script follows, so that a password that sudo did not want is never run as a command.
/// `read` takes a byte at a time: nothing of the script is lost.
fn entry(place: &Place, nonce: &str, then: &str) -> Result<Entry, SessionError> {
    if !place.sudo {
        return Ok(Entry { command: format!("exec sh {then}"), password: None });
    }
    let Some(password) = &place.become_password else {
        return Ok(Entry { command: format!("exec sudo -n -- sh {then}"), password: None });
    };
    let Some(plain) = password.expose().filter(|plain| !plain.contains('\n')) else {
        let user = place.user.clone().unwrap_or_default();
        return Err(SessionError::SudoPasswordRequired { host: place.host.clone(), user });
    };
    let wait = format!(
        "printf '\\n#{nonce} ready\\n'; while IFS= read -r line; do [ \"$line\" = {nonce} ] && exec sh {then}; done; exit 91"
    );
    Ok(Entry {
        command: format!("exec sudo -S -k -p '' -- sh -c {}", quote(&wait)),
        password: Some(plain.to_owned()),
    })
}

/// The two ends of a shell, heard together.
struct Shell<I, O, E> {
    stdin: I,
    stdout: O,
    stderr: E,
    out: Vec<u8>,
    err: Vec<u8>,
}

enum Event {
    More,
    Closed,
}

impl<I, O, E> Shell<I, O, E>
where
    I: AsyncWrite + Unpin,
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    /// Reads a piece from either stream. Closed once standard output is.
    async fn hear(&mut self, err_open: &mut bool) -> std::io::Result<Event> {
        let mut out = [0u8; 16 << 10];
        let mut err = [0u8; 4 << 10];
        tokio::select! {
            read = self.stdout.read(&mut out) => {
                let read = read?;
                if read == 0 {
                    return Ok(Event::Closed);
                }
                if self.out.len() + read > ANSWER_MAX {
                    return Err(std::io::Error::other("the answer is longer than 16 MiB"));
                }
                self.out.extend_from_slice(&out[..read]);
            }
            read = self.stderr.read(&mut err), if *err_open => {
                let read = read?;
                *err_open = read > 0;
                let room = WORDS_MAX.saturating_sub(self.err.len());
                self.err.extend_from_slice(&err[..read.min(room)]);
            }
        }
        Ok(Event::More)
    }

    /// Gives sudo its password and waits until the shell behind it says that it is there.
    async fn unlock(&mut self, password: &str, nonce: &str) -> std::io::Result<bool> {
        self.stdin.write_all(password.as_bytes()).await?;
        self.stdin.write_all(b"\n").await?;
        let ready = format!("\n#{nonce} ready\n");
        let mut err_open = true;
        loop {
            if self.out.windows(ready.len()).any(|window| window == ready.as_bytes()) {
                self.stdin.write_all(format!("{nonce}\n").as_bytes()).await?;
                return Ok(true);
            }
            // It would take the next line for another guess.
            let words = String::from_utf8_lossy(&self.err);
            if words.contains("try again") || words.contains("incorrect password") {
                return Ok(false);
            }
            if matches!(self.hear(&mut err_open).await?, Event::Closed) {
                return Ok(false);
            }
        }
    }

    /// Sends the script and listens until its end is heard. True when all of the script was sent.
    async fn converse(&mut self, text: &str, nonce: &str) -> (bool, std::io::Result<()>) {
        let mut sent = 0;
        let mut err_open = true;
        let bytes = text.as_bytes();
        loop {
            if frame::ends(&self.out, nonce) {
                break;
            }
            let mut out = [0u8; 16 << 10];
            let mut err = [0u8; 4 << 10];
            tokio::select! {
                wrote = self.stdin.write(&bytes[sent..]), if sent < bytes.len() => match wrote {
                    Ok(0) => return (false, Ok(())),
                    Ok(wrote) => sent += wrote,
                    // The shell is gone; what it said tells why.
                    Err(_) => {
                        let _ = timeout(Duration::from_secs(2), async { while let Ok(Event::More) = self.hear(&mut err_open).await {} }).await;
                        return (false, Ok(()));
                    }
                },
                read = self.stdout.read(&mut out) => match read {
                    Ok(0) => break,
                    Ok(read) if self.out.len() + read > ANSWER_MAX => {
                        return (true, Err(std::io::Error::other("the answer is longer than 16 MiB")));
                    }
                    Ok(read) => self.out.extend_from_slice(&out[..read]),
                    Err(error) => return (sent == bytes.len(), Err(error)),
                },
                read = self.stderr.read(&mut err), if err_open => match read {
                    Ok(0) | Err(_) => err_open = false,
                    Ok(read) => {
                        let room = WORDS_MAX.saturating_sub(self.err.len());
                        self.err.extend_from_slice(&err[..read.min(room)]);
                    }
                },
            }
        }
        // Standard error's own end is near; a daemon that keeps the stream open must not keep us.
        let rest = async {
            let mut err = [0u8; 4 << 10];
            while err_open && !frame::ends(&self.err, nonce) && self.err.len() < WORDS_MAX {
                match self.stderr.read(&mut err).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => self.err.extend_from_slice(&err[..read]),
                }
            }
        };
        let _ = timeout(Duration::from_millis(500), rest).await;
        (sent == bytes.len(), Ok(()))
    }

    /// The whole talk: password, script, answer.
    async fn talk(
        mut self,
        place: &Place,
        entry: &Entry,
        script: &Script,
        nonce: &str,
    ) -> Result<Answer, Failure> {
        let lost = |reason: String| SessionError::Lost { host: place.host.clone(), reason };
        let talk = async {
            if let Some(password) = &entry.password {
                match self.unlock(password, nonce).await {
                    Ok(true) => {}
                    Ok(false) => return (false, Ok(())),
                    Err(error) => return (false, Err(error)),
                }
            }
            self.converse(&script.render(nonce), nonce).await
        };
        let (sent, ended) = match timeout(script.timeout, talk).await {
            Ok(ended) => ended,
            Err(_) => {
                let error =
                    SessionError::Timeout { host: place.host.clone(), seconds: script.timeout.as_secs() };
                return Err(Failure { error, begun: true });
            }
        };
        // Standard input ends here: a shell that still waits goes away.
        drop(self.stdin);
        let begun = match frame::parse(&self.out, nonce) {
            Arrived::Whole(frame) => return Ok(Answer::new(frame, &frame::inside(&self.err, nonce))),
            Arrived::Begun => true,
            Arrived::Nothing => false,
        };
        let words = match begun {
            true => String::from_utf8_lossy(&frame::inside(&self.err, nonce)).into_owned(),
            false => String::from_utf8_lossy(&self.err).into_owned(),
        };
        if let Err(error) = ended {
            return Err(Failure { error: lost(error.to_string()), begun: begun || sent });
        }
        if !begun
            && place.sudo
            && let Some(error) = diagnose::sudo_failure(place, &words)
        {
            return Err(Failure { error, begun: false });
        }
        let last = words.trim().lines().last().unwrap_or_default().to_owned();
        let error = match last.is_empty() {
            true => lost("no answer came".to_owned()),
            false => lost(format!("no answer came; the last words were: {last}")),
        };
        Err(Failure { error, begun: begun || sent })
    }
}

/// Runs a script over the host's shared connection.
pub(super) async fn script(session: &Session, place: &Place, script: &Script) -> Result<Answer, Failure> {
    let nonce = nonce();
    let untouched = |error| Failure { error, begun: false };
    let entry = entry(place, &nonce, "-s").map_err(untouched)?;
    let mut child = spawn(session, place, &entry.command).await.map_err(untouched)?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin().take(), child.stdout().take(), child.stderr().take())
    else {
        return Err(untouched(SessionError::Local { reason: "a channel has no streams".to_owned() }));
    };
    let shell = Shell { stdin, stdout, stderr, out: Vec::new(), err: Vec::new() };
    let answer = shell.talk(place, &entry, script, &nonce).await;
    // The channel closes once the shell has ended; a daemon that holds it open is left to itself.
    let _ = timeout(Duration::from_millis(if answer.is_ok() { 300 } else { 20 }), child.wait()).await;
    answer
}

async fn spawn<'s>(
    session: &'s Session,
    place: &Place,
    command: &str,
) -> Result<openssh::Child<&'s Session>, SessionError> {
    let host = place.host.clone();
    let mut command = session.raw_command(command);
    command.stdin(openssh::Stdio::piped()).stdout(openssh::Stdio::piped()).stderr(openssh::Stdio::piped());
    command.spawn().await.map_err(|error| {
        let reason = chain(&error);
        if reason.contains("refused") && !matches!(error, openssh::Error::Disconnected) {
            SessionError::MaxSessions { host }
        } else {
            SessionError::Lost { host, reason }
        }
    })
}

/// Runs a script over a connection made for it alone.
pub(super) async fn fresh(
    folder: &ControlFolder,
    place: &Place,
    script: &Script,
) -> Result<Answer, SessionError> {
    let nonce = nonce();
    let entry = entry(place, &nonce, "-s")?;
    let log = folder.fresh_log(place, &nonce);
    let local = |reason: String| SessionError::Local { reason };
    let mut child = Command::new("ssh")
        .args(control::fresh(place, &log, &entry.command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for standfast alone, which lets what is in flight end.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| local(format!("could not start ssh: {error}")))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(local("a channel has no streams".to_owned()));
    };
    let shell = Shell { stdin, stdout, stderr, out: Vec::new(), err: Vec::new() };
    let answer = shell.talk(place, &entry, script, &nonce).await;
    let ended = timeout(Duration::from_secs(2), child.wait()).await;
    let said = std::fs::read(&log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    answer.map_err(|failure| match (&failure.error, ended) {
        // 255: ssh itself failed, before or instead of the script.
        (SessionError::Lost { .. }, Ok(Ok(status))) if status.code() == Some(255) => {
            diagnose::connect_failure(place, &said)
        }
        _ => failure.error,
    })
}

/// Streams a file to the host.
pub(super) async fn upload(
    session: &Session,
    place: &Place,
    local: &Path,
    remote: &str,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Answer, SessionError> {
    let nonce = nonce();
    let take = format!(
        "umask 077; printf '\\n#{nonce} begin\\n'; said=$({{ mkdir -p -- \"${{1%/*}}\" && cat >\"$1\"; }} 2>&1); status=$?; \
         [ $status = 0 ] || {{ rm -f -- \"$1\"; printf '\\n#{nonce} fail permanent\\n%s' \"$said\"; }}; \
         printf '\\n#{nonce} end %s\\n' $status"
    );
    let entry = entry(place, &nonce, &format!("-c {} sh {}", quote(&take), quote(remote)))?;
    let lost = |reason: String| SessionError::Lost { host: place.host.clone(), reason };
    let read =
        |error: std::io::Error| SessionError::Local { reason: format!("{}: {error}", local.display()) };
    let mut file = tokio::fs::File::open(local).await.map_err(read)?;
    let mut child = spawn(session, place, &entry.command).await?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin().take(), child.stdout().take(), child.stderr().take())
    else {
        return Err(SessionError::Local { reason: "a channel has no streams".to_owned() });
    };
    let mut shell = Shell { stdin, stdout, stderr, out: Vec::new(), err: Vec::new() };
    if let Some(password) = &entry.password
        && !shell.unlock(password, &nonce).await.map_err(|error| lost(error.to_string()))?
    {
        let words = String::from_utf8_lossy(&shell.err).into_owned();
        return Err(diagnose::sudo_failure(place, &words).unwrap_or_else(|| lost(words)));
    }
    let mut piece = vec![0u8; 128 << 10];
    let mut sent = 0u64;
    loop {
        let read = file.read(&mut piece).await.map_err(read)?;
        if read == 0 {
            break;
        }
        match timeout(UPLOAD_STALL, shell.stdin.write_all(&piece[..read])).await {
            Ok(Ok(())) => {}
            // The other side has stopped reading: it says why.
            Ok(Err(_)) => break,
            Err(_) => return Err(lost(format!("nothing was taken for {} s", UPLOAD_STALL.as_secs()))),
        }
        sent += read as u64;
        progress(sent);
    }
    let Shell { stdin, mut stdout, mut stderr, mut out, mut err } = shell;
    drop(stdin);
    let rest = async {
        let _ = stdout.read_to_end(&mut out).await;
        let _ = stderr.read_to_end(&mut err).await;
    };
    let _ = timeout(UPLOAD_STALL, rest).await;
    match frame::parse(&out, &nonce) {
        Arrived::Whole(frame) => Ok(Answer::new(frame, &err)),
        _ => {
            let words = String::from_utf8_lossy(&err).into_owned();
            Err(diagnose::sudo_failure(place, &words).filter(|_| place.sudo).unwrap_or_else(|| lost(words)))
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
