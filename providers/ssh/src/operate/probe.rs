//! The questions of `status`, each answered with one line.

use standfast_contract::{ErrorClass, Health, HealthState, Map, Probe, ProviderError, Value};

use super::{
    drain::{HAPROXY, members},
    health::Check,
    virtual_ip,
};
use crate::{
    kinds::input,
    provider::tell,
    script::{Script, quote},
    session::{Remote, place::Place},
};

/// Answers one probe. Whatever fails is an answer too.
pub(crate) async fn ask(remote: &Remote, probe: &Probe) -> Health {
    let answered = async {
        match probe.verb.as_str() {
            "virtual_ip" => virtual_ip::probe(remote, &probe.inputs).await,
            verb => {
                let place = Place::parse(&probe.place)?;
                match verb {
                    "service" => service(remote, &place, &probe.inputs).await,
                    "haproxy" => haproxy(remote, &place, &probe.inputs).await,
                    "health" => health(remote, &place, &probe.inputs).await,
                    "host" => host(remote, &place).await,
                    verb => Ok(down(format!("the ssh provider cannot answer `{verb}`"))),
                }
            }
        }
    };
    answered.await.unwrap_or_else(|error: ProviderError| Health {
        state: if error.class == ErrorClass::Permanent {
            HealthState::Down
        } else {
            HealthState::Unreachable
        },
        detail: error.reason.lines().next().unwrap_or_default().to_owned(),
    })
}

fn healthy(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Healthy, detail: detail.into() }
}

fn degraded(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Degraded, detail: detail.into() }
}

fn down(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Down, detail: detail.into() }
}

async fn service(remote: &Remote, place: &Place, inputs: &Map) -> Result<Health, ProviderError> {
    let name = input::text_or(inputs, "name", "");
    let answer = tell(remote, place, "ask for a service", |script| {
        script.main(&format!(
            "sect unit; systemctl show -p LoadState,ActiveState,SubState,NRestarts -- {} 2>/dev/null >&3 || :",
            quote(name)
        ));
    })
    .await?;
    let text = answer.text("unit").unwrap_or_default();
    let property = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    Ok(match (property("LoadState"), property("ActiveState"), property("SubState")) {
        ("not-found" | "", ..) => down(format!("{name} is not installed")),
        (_, "active" | "reloading", sub) => healthy(format!("{name} is {sub}")),
        (_, "activating", sub) => degraded(format!("{name} is starting ({sub})")),
        (_, state, sub) => down(format!("{name} is {state} ({sub})")),
    })
}

async fn haproxy(remote: &Remote, place: &Place, inputs: &Map) -> Result<Health, ProviderError> {
    let socket = input::text_or(inputs, "socket", "/run/haproxy/admin.sock");
    let answer = tell(remote, place, "ask HAProxy", |script: &mut Script| {
        script
            .library(HAPROXY)
            .set("SOCKET", socket)
            .main("sect stat; if api_up; then api 'show stat' >&3; fi");
    })
    .await?;
    let members = members(&answer.text("stat").unwrap_or_default());
    if members.is_empty() {
        return Ok(down("HAProxy does not answer"));
    }
    let up = |status: &str| status.starts_with("UP") || status.starts_with("no check");
    let total = members.len();
    let alive = members.iter().filter(|member| up(&member.status)).count();
    let not: Vec<String> = members
        .iter()
        .filter(|member| !up(&member.status))
        .map(|member| {
            format!("{}/{} {} {}", member.backend, member.server, member.status, member.check)
                .trim()
                .to_owned()
        })
        .collect();
    Ok(match alive {
        _ if alive == total => healthy(format!("serving, {alive} of {total} members up")),
        0 => down(format!("no member of {total} is up: {}", not.join(", "))),
        _ => degraded(format!("serving, {alive} of {total} members up; {}", not.join(", "))),
    })
}

async fn health(remote: &Remote, place: &Place, inputs: &Map) -> Result<Health, ProviderError> {
    if inputs.get("port").is_some_and(Value::is_unknown) {
        return Ok(down("nothing was set up there that could serve"));
    }
    let check = match Check::parse(inputs, place) {
        Ok(check) => check,
        Err(reason) => return Ok(down(reason)),
    };
    Ok(match check.ask(remote, place).await? {
        Ok(detail) => healthy(format!("{}: {detail}", check.shown())),
        Err(reason) => down(format!("{}: {reason}", check.shown())),
    })
}

/// Load per processor, free disk.
async fn host(remote: &Remote, place: &Place) -> Result<Health, ProviderError> {
    let answer = tell(remote, place, "ask a host how it is", |script| {
        script.main(
            "sect host; cat /proc/loadavg /proc/uptime >&3; df -Pk / | tail -n 1 >&3; getconf _NPROCESSORS_ONLN >&3 2>/dev/null || echo 1 >&3",
        );
    })
    .await?;
    let text = answer.text("host").unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let word = |line: usize, at: usize| {
        lines.get(line).and_then(|line| line.split_whitespace().nth(at)).unwrap_or("?")
    };
    let uptime = word(1, 0).parse::<f64>().unwrap_or(0.0);
    let full = word(2, 4);
    let detail = format!("load {}, up {}, disk {full} full", word(0, 0), duration(uptime));
    let crowded = full.trim_end_matches('%').parse::<u32>().is_ok_and(|percent| percent >= 95);
    Ok(if crowded { degraded(detail) } else { healthy(detail) })
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_fits() {
        assert_eq!(duration(3.0), "3 s");
        assert_eq!(duration(90_000.0), "25 h");
    }
}
