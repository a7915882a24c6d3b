//! Taking a member out of service and back, at every load balancer, through HAProxy's Runtime API
//! (Management Guide, 9.3: `set server`).
//!
//! Drain: no new connections, then wait until those that are open have ended or the time is up, then maintenance, so
//! that a client with a cookie is sent elsewhere too. Undrain: its port as it is now, ready, and wait until HAProxy sees
//! it up.

use std::time::Duration;

use futures::future::join_all;
use standfast_contract::{Context, ErrorClass, Operation, ProviderError};

use super::{millis, places, port};
use crate::{
    kinds::{Refused, input},
    script::{Answer, Script},
    session::{Remote, place::Place},
};

pub(crate) const HAPROXY: &str = include_str!("haproxy.sh");

/// What an undrain leaves of its time for the way there and back.
const MARGIN: Duration = Duration::from_secs(2);

struct Asked {
    balancers: Vec<Place>,
    backends: Vec<String>,
    server: String,
    socket: String,
    /// Some backend honours cookies.
    sticky: bool,
    /// Where the member serves, and where it is checked, now.
    port: Option<u16>,
    check_port: Option<u16>,
    operation: String,
}

fn asked(operation: &Operation) -> Result<Asked, ProviderError> {
    let what = format!("{} {}", operation.verb, operation.address.name());
    let refuse = |refused: Refused| ProviderError::permanent(&what, refused.to_string());
    let server = input::name(&operation.inputs, "server").map_err(refuse)?.to_owned();
    let backends = input::texts(&operation.inputs, "backends");
    let plain = |text: &String| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) && !text.is_empty()
    };
    if let Some(bad) = backends.iter().find(|backend| !plain(backend)) {
        return Err(ProviderError::permanent(
            &what,
            format!("`{}` is no name of a backend", bad.escape_debug()),
        ));
    }
    Ok(Asked {
        balancers: places(&operation.inputs, "haproxy")?,
        backends,
        socket: input::text_or(&operation.inputs, "socket", "/run/haproxy/admin.sock").to_owned(),
        sticky: input::bool_or(&operation.inputs, "sticky", false),
        port: port(&operation.inputs, "port"),
        check_port: port(&operation.inputs, "check_port"),
        operation: format!("{} {server} at the load balancers", operation.verb),
        server,
    })
}

impl Asked {
    /// Runs the same at every balancer at once. One that cannot be reached serves nobody: it is a warning as long as
    /// another one answered.
    async fn everywhere(
        &self,
        remote: &Remote,
        context: &Context,
        main: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Answer)>, ProviderError> {
        let mut script = Script::changes();
        script.library(HAPROXY).set("SOCKET", &self.socket).set("SERVER", &self.server);
        script.set("BACKENDS", &self.backends.join(" ")).set("WAIT_S", &wait.as_secs().to_string());
        script.set("STICKY", if self.sticky { "1" } else { "" });
        for (variable, port) in [("PORT", self.port), ("CHECK_PORT", self.check_port)] {
            script.set(variable, &port.map_or_else(String::new, |port| port.to_string()));
        }
        script.timeout(wait + Duration::from_secs(30)).main(main);
        let script = &script;
        let answers = join_all(self.balancers.iter().map(|place| async move {
            // Setting a state twice is as good as once: a lost answer is asked for again.
            let first = remote.run(place, &self.operation, script).await;
            match first {
                Err(error) if error.class == ErrorClass::Uncertain => {
                    remote.run(place, &self.operation, script).await
                }
                first => first,
            }
        }))
        .await;
        let mut reached = Vec::new();
        let mut failed = None;
        for (place, answer) in self.balancers.iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    for note in answer.notes() {
                        (context.progress)(&format!("{}: {note}", place.host));
                    }
                    reached.push((place.host.clone(), answer));
                }
                Err(error) if matches!(error.class, ErrorClass::Unreachable | ErrorClass::Transient) => {
                    (context.progress)(&format!("warning: {} left out: {}", place.host, error.reason));
                    failed = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failed {
            Some(error) if reached.is_empty() => Err(error),
            _ => Ok(reached),
        }
    }
}

pub(super) async fn drain(
    remote: &Remote,
    context: &Context,
    operation: &Operation,
) -> Result<(), ProviderError> {
    let asked = asked(operation)?;
    let wait = millis(&operation.inputs, "drain_timeout_ms", 30_000);
    for (host, answer) in asked.everywhere(remote, context, "drain_here", wait).await? {
        let left = answer.text("left").and_then(|left| left.trim().parse::<u64>().ok()).unwrap_or(0);
        if left > 0 {
            let seconds = wait.as_secs();
            (context.progress)(&format!("{host}: {left} sessions were still open after {seconds} s"));
        }
    }
    Ok(())
}

pub(super) async fn undrain(
    remote: &Remote,
    context: &Context,
    operation: &Operation,
) -> Result<(), ProviderError> {
    let asked = asked(operation)?;
    let wait = Duration::from_millis(operation.timeout_ms).saturating_sub(MARGIN).max(MARGIN);
    for (host, answer) in asked.everywhere(remote, context, "undrain_here", wait).await? {
        if let Some(lines) = answer.text("down") {
            return Err(ProviderError::permanent(
                &asked.operation,
                format!("HAProxy on {host} does not see it up after {} s: {}", wait.as_secs(), lines.trim()),
            )
            .hint(format!(
                "see what its health check gets: echo 'show servers state' | socat - {}",
                asked.socket
            )));
        }
    }
    Ok(())
}

/// How members of HAProxy stand, from `show stat` (CSV with a header line).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub backend: String,
    pub server: String,
    pub status: String,
    pub check: String,
}

pub(crate) fn members(csv: &str) -> Vec<Member> {
    let mut lines = csv.lines().filter(|line| !line.is_empty());
    let Some(header) = lines.next() else { return Vec::new() };
    let names: Vec<&str> = header.trim_start_matches("# ").split(',').collect();
    let at = |name: &str| names.iter().position(|one| *one == name);
    let (Some(px), Some(sv), Some(status)) = (at("pxname"), at("svname"), at("status")) else {
        return Vec::new();
    };
    let check = at("check_status");
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |at: usize| fields.get(at).map(|field| (*field).to_owned());
            Some(Member {
                backend: field(px)?,
                server: field(sv)?,
                status: field(status)?,
                check: check.and_then(field).unwrap_or_default(),
            })
        })
        .filter(|member| member.server != "FRONTEND" && member.server != "BACKEND")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_by_the_header() {
        let csv = "# pxname,svname,qcur,status,check_status,\nfront,FRONTEND,,OPEN,,\nweb,web1,0,UP,L7OK,\nweb,web2,0,DOWN,L4CON,\nweb,BACKEND,0,UP,,\n";
        let members = members(csv);
        assert_eq!(members.len(), 2);
        assert_eq!(
            (members[1].server.as_str(), members[1].status.as_str(), members[1].check.as_str()),
            ("web2", "DOWN", "L4CON")
        );
    }
}
