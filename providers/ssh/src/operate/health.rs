//! Holding a member to its health check, asked on the member's own host.
//!
//! Over plain HTTP or TCP the question goes through ssh's own channel (`-W`), which needs nothing on the host; where
//! forwarding is forbidden there, and for TLS, the host asks itself with curl, perl or wget.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use standfast_contract::{Context, ErrorClass, Map, Operation, ProviderError, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::{millis, port};
use crate::{
    kinds::input,
    script::{Script, quote},
    session::{Remote, place::Place},
};

const HEALTH: &str = include_str!("health.sh");

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// `http`, `https` or `tcp`.
    pub scheme: String,
    pub address: String,
    pub port: u16,
    pub path: String,
    pub host: String,
    pub timeout: Duration,
}

/// What one check found: what is well, or why it is not.
pub(crate) type Verdict = Result<String, String>;

impl Check {
    pub(crate) fn parse(inputs: &Map, place: &Place) -> Result<Check, String> {
        let address = input::text_or(inputs, "address", "127.0.0.1").to_owned();
        let path = input::text_or(inputs, "path", "").to_owned();
        let tcp = input::bool_or(inputs, "tcp", path.is_empty());
        let scheme = if tcp { "tcp" } else { input::text_or(inputs, "scheme", "http") };
        if !["http", "https", "tcp"].contains(&scheme) {
            return Err(format!("`{scheme}` is no scheme of a health check"));
        }
        let host = input::text_or(inputs, "host", &place.host).to_owned();
        let strange = |text: &String| text.contains(|c: char| c.is_whitespace() || c.is_control());
        if [&path, &host, &address].into_iter().any(strange) {
            return Err("a health check's path, host and address hold no white space".to_owned());
        }
        Ok(Check {
            scheme: scheme.to_owned(),
            address,
            port: port(inputs, "port").ok_or("a health check needs a `port`")?,
            path: if path.is_empty() { "/".to_owned() } else { path },
            host,
            timeout: millis(inputs, "timeout_ms", 2000),
        })
    }

    /// What it asks, for messages.
    pub(crate) fn shown(&self) -> String {
        match self.scheme.as_str() {
            "tcp" => format!("tcp {}:{}", self.address, self.port),
            scheme => format!("{scheme}://{}:{}{}", self.address, self.port, self.path),
        }
    }

    /// Asks once. An error is a host that could not be asked.
    pub(crate) async fn ask(&self, remote: &Remote, place: &Place) -> Result<Verdict, ProviderError> {
        if self.scheme != "https"
            && let Some(verdict) = self.through_ssh(remote, place).await?
        {
            return Ok(verdict);
        }
        self.on_host(remote, place).await
    }

    /// `None` when the host's sshd forbids it.
    async fn through_ssh(&self, remote: &Remote, place: &Place) -> Result<Option<Verdict>, ProviderError> {
        let operation = format!("check {} on {}", self.shown(), place.host);
        let before = remote.log_length(place).await;
        let mut child = remote
            .forward(place, &operation, &self.address, self.port)
            .await?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| ProviderError::permanent(&operation, format!("could not start ssh: {error}")))?;
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Ok(None);
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: standfast\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.path, self.host
        );
        let tcp = self.scheme == "tcp";
        let talk = async {
            if !tcp {
                let _ = stdin.write_all(request.as_bytes()).await;
            }
            let mut heard = Vec::new();
            let mut piece = [0u8; 512];
            while !heard.contains(&b'\n') && heard.len() < 4096 {
                match stdout.read(&mut piece).await {
                    Ok(0) | Err(_) => return (heard, true),
                    Ok(read) => heard.extend_from_slice(&piece[..read]),
                }
                if tcp {
                    break;
                }
            }
            (heard, false)
        };
        // A server that waits for us to speak says nothing: for tcp, an open channel that stays open is the proof.
        let patience = if tcp { self.timeout.min(Duration::from_millis(700)) } else { self.timeout };
        let (heard, closed) = match timeout(patience, talk).await {
            Ok(heard) => heard,
            Err(_) if tcp => return Ok(Some(Ok("connected".to_owned()))),
            Err(_) => return Ok(Some(Err(format!("no answer within {} ms", self.timeout.as_millis())))),
        };
        if let Some(status) = status(&heard) {
            return Ok(Some(judge(status)));
        }
        if tcp && !closed {
            return Ok(Some(Ok("connected".to_owned())));
        }
        let said = remote.log_since(place, before).await;
        let why = said
            .lines()
            .rev()
            .find_map(|line| line.split_once("open failed: ").map(|(_, why)| why.trim().to_owned()));
        Ok(match why {
            Some(why) if why.contains("prohibited") => None,
            Some(why) => Some(Err(why
                .trim_start_matches("connect failed: ")
                .to_lowercase()
                .trim_end_matches(": ")
                .to_owned())),
            None if tcp => Some(Ok("connected".to_owned())),
            None => Some(Err("no HTTP answer".to_owned())),
        })
    }

    async fn on_host(&self, remote: &Remote, place: &Place) -> Result<Verdict, ProviderError> {
        let mut script = Script::reads();
        let address =
            if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        script
            .library(HEALTH)
            .set("SCHEME", &self.scheme)
            .set("ADDRESS", &self.address)
            .set("URL_ADDRESS", &address)
            .set("PORT", &self.port.to_string())
            .set("REQUEST_PATH", &self.path)
            .set("HOST", &self.host)
            .set("TIMEOUT_S", &format!("{:.1}", self.timeout.as_secs_f64()))
            .timeout(self.timeout + Duration::from_secs(20))
            .main("check_here");
        let operation = format!("check {} on {}", self.shown(), place.host);
        let answer = remote.run(place, &operation, &script).await?;
        let said = answer.text("health").unwrap_or_default();
        Ok(match said.trim().split_once(' ') {
            Some(("status", status)) => judge(status.parse().unwrap_or(0)),
            Some(("ok", detail)) => Ok(detail.to_owned()),
            Some(("bad", reason)) => Err(reason.to_owned()),
            _ => {
                return Err(ProviderError::permanent(
                    operation,
                    "sshd forbids forwarding and the host has neither curl, perl nor wget",
                )
                .hint("add the package curl to the host, or allow TCP forwarding in its sshd_config"));
            }
        })
    }
}

/// The status of an HTTP answer's first line.
fn status(heard: &[u8]) -> Option<u16> {
    let line = heard.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/")?.split_whitespace().nth(1)?.parse().ok()
}

/// 2xx and 3xx are well, as HAProxy has it.
fn judge(status: u16) -> Verdict {
    if (200..400).contains(&status) {
        Ok(format!("status {status}"))
    } else {
        Err(format!("status {status}"))
    }
}

/// Asks until it passed `healthy` times in a row, or the time is up; then the last reason and the unit's last words.
pub(super) async fn gate(
    remote: &Remote,
    context: &Context,
    operation: &Operation,
    limit: Duration,
) -> Result<(), ProviderError> {
    let place = Place::parse(&operation.place)?;
    let what = format!("hold {} to its health check", place.host);
    let check =
        Check::parse(&operation.inputs, &place).map_err(|reason| ProviderError::permanent(&what, reason))?;
    let healthy = operation.inputs.get("healthy").and_then(Value::as_int).unwrap_or(2).max(1);
    let interval = millis(&operation.inputs, "interval_ms", 2000);
    let end = Instant::now() + limit;
    let mut passed = 0;
    let mut last;
    loop {
        let began = Instant::now();
        match check.ask(remote, &place).await {
            Ok(Ok(detail)) => {
                passed += 1;
                (context.progress)(&format!("{passed} of {healthy} checks passed"));
                if passed >= healthy {
                    return Ok(());
                }
                last = format!("{passed} of {healthy} passed, {detail}");
            }
            Ok(Err(reason)) => {
                if passed > 0 {
                    (context.progress)("a check failed, counting from the start");
                }
                passed = 0;
                last = reason;
            }
            Err(error) if error.class == ErrorClass::Permanent => return Err(error),
            Err(error) => {
                passed = 0;
                last = error.reason;
            }
        }
        if Instant::now() + interval > end {
            break;
        }
        sleep(interval.saturating_sub(began.elapsed())).await;
    }
    let mut reason = format!("{} is not healthy after {} s: {last}", check.shown(), limit.as_secs());
    if let Some(service) = operation.inputs.get("service").and_then(Value::as_str) {
        let words = last_words(remote, &place, service).await;
        if !words.is_empty() {
            reason.push_str(&format!("\nthe last words of {service}:\n{words}"));
        }
    }
    Err(ProviderError::permanent(what, reason))
}

async fn last_words(remote: &Remote, place: &Place, service: &str) -> String {
    let script = |script: &mut Script| {
        script.main(&format!(
            "sect words; journalctl -u {} -n 12 --no-pager -o cat 2>/dev/null >&3 || :",
            quote(service)
        ));
    };
    let answer = crate::provider::tell(remote, place, "read the journal", script).await;
    answer.ok().and_then(|answer| answer.text("words")).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status() {
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\n"), Some(503));
        assert_eq!(status(b"SSH-2.0-x\r\n"), None);
        for (status, well) in
            [(100, false), (199, false), (200, true), (302, true), (399, true), (400, false), (503, false)]
        {
            let said = format!("status {status}");
            assert_eq!(judge(status), if well { Ok(said) } else { Err(said) });
        }
    }
}
