//! Who holds a virtual address: asked at all hosts that may, for `status` and as the last gate of a load balancer.
//!
//! Deliberately absent: a wish who it should be. That is keepalived's to decide.

use std::time::{Duration, Instant};

use futures::future::join_all;
use standfast_contract::{Context, Health, HealthState, Map, Operation, ProviderError};
use tokio::time::{sleep, timeout_at};

use super::{millis, places};
use crate::{
    kinds::input,
    provider::tell,
    session::{Remote, place::Place},
};

/// What the hosts say of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Holders {
    address: String,
    held_by: Vec<String>,
    silent: Vec<String>,
    asked: usize,
}

/// Asks all hosts at once.
async fn ask(remote: &Remote, address: &str, hosts: &[Place]) -> Holders {
    let answers = join_all(hosts.iter().map(|place| {
        tell(remote, place, "ask for an address", |script| {
            script.main("sect addresses; ip -o addr show 2>/dev/null >&3 || :");
        })
    }))
    .await;
    let mut found = Holders { address: address.to_owned(), asked: hosts.len(), ..Holders::default() };
    for (place, answer) in hosts.iter().zip(answers) {
        match answer {
            Ok(answer) if lists(&answer.text("addresses").unwrap_or_default(), address) => {
                found.held_by.push(place.host.clone());
            }
            Ok(_) => {}
            Err(_) => found.silent.push(place.host.clone()),
        }
    }
    found
}

/// Whether the output of `ip -o addr show` has an address.
fn lists(listing: &str, address: &str) -> bool {
    listing.split_whitespace().any(|word| word.split('/').next() == Some(address))
}

impl Holders {
    /// As `status` tells it.
    fn health(&self) -> Health {
        let Holders { address, held_by, silent, .. } = self;
        let unasked = match silent.as_slice() {
            [] => String::new(),
            hosts => format!("; {} cannot be asked", hosts.join(", ")),
        };
        let (state, detail) = match held_by.as_slice() {
            [] if silent.len() == self.asked => {
                (HealthState::Unreachable, format!("no host can be asked for {address}"))
            }
            [] => (HealthState::Down, format!("no host holds {address}{unasked}")),
            [one] if silent.is_empty() => (HealthState::Healthy, format!("{one} holds {address}")),
            [one] => (HealthState::Degraded, format!("{one} holds {address}{unasked}")),
            many => (HealthState::Degraded, format!("{} hold {address} at once", many.join(" and "))),
        };
        Health { state, detail }
    }

    /// What to look at when it stays like this.
    fn hint(&self) -> String {
        match self.held_by.as_slice() {
            [] => "read what keepalived says there: journalctl -u keepalived".to_owned(),
            hosts => format!(
                "they do not hear each other: let VRRP through between {} (`protocol: vrrp` in a firewall, IP protocol 112)",
                hosts.join(" and ")
            ),
        }
    }
}

/// Answers a probe: `address` and `hosts`.
pub(super) async fn probe(remote: &Remote, inputs: &Map) -> Result<Health, ProviderError> {
    let hosts = places(inputs, "hosts")?;
    Ok(ask(remote, input::text_or(inputs, "address", ""), &hosts).await.health())
}

/// Waits until one host holds the address, and no second one, so many times in a row; a host that cannot be asked is
/// left out, since the others are there to do without it.
pub(super) async fn gate(
    remote: &Remote,
    context: &Context,
    operation: &Operation,
    limit: Duration,
) -> Result<(), ProviderError> {
    let hosts = places(&operation.inputs, "hosts")?;
    let address = input::text_or(&operation.inputs, "address", "");
    let wanted = operation.inputs.get("healthy").and_then(|value| value.as_int()).unwrap_or(2).max(1);
    let interval = millis(&operation.inputs, "interval_ms", 500);
    let end = Instant::now() + limit;
    let mut seen = Holders { address: address.to_owned(), asked: hosts.len(), ..Holders::default() };
    let mut passed = 0;
    // A host that has just gone silent must not make one question longer than the whole wait.
    while let Ok(now) = timeout_at(end.into(), ask(remote, address, &hosts)).await {
        seen = now;
        passed = if seen.held_by.len() == 1 { passed + 1 } else { 0 };
        if passed >= wanted {
            return Ok(());
        }
        if passed == 0 {
            (context.progress)(&seen.health().detail);
        }
        if Instant::now() + interval >= end {
            break;
        }
        sleep(interval).await;
    }
    let hosts: Vec<&str> = hosts.iter().map(|place| place.host.as_str()).collect();
    Err(ProviderError::permanent(
        format!("wait until one of {} holds the virtual IP {address}", hosts.join(", ")),
        format!("after {} s {}", limit.as_secs(), seen.health().detail),
    )
    .hint(seen.hint()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(held_by: &[&str], silent: &[&str], state: HealthState, detail: &str) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let holders = Holders {
            address: "10.77.0.100".to_owned(),
            held_by: owned(held_by),
            silent: owned(silent),
            asked: 2,
        };
        assert_eq!(holders.health(), Health { state, detail: detail.to_owned() });
    }

    #[test]
    fn one_holder_is_well_and_everything_else_is_said() {
        check(&["lb1"], &[], HealthState::Healthy, "lb1 holds 10.77.0.100");
        check(&["lb1"], &["lb2"], HealthState::Degraded, "lb1 holds 10.77.0.100; lb2 cannot be asked");
        check(&["lb1", "lb2"], &[], HealthState::Degraded, "lb1 and lb2 hold 10.77.0.100 at once");
        check(&[], &[], HealthState::Down, "no host holds 10.77.0.100");
        check(&[], &["lb2"], HealthState::Down, "no host holds 10.77.0.100; lb2 cannot be asked");
        check(&[], &["lb1", "lb2"], HealthState::Unreachable, "no host can be asked for 10.77.0.100");
    }

    #[test]
    fn an_address_is_found_whole() {
        let listing = "2: host0@if9    inet 10.77.0.11/24 brd 10.77.0.255 scope global host0";
        assert!(lists(listing, "10.77.0.11"));
        assert!(!lists(listing, "10.77.0.1"));
    }
}
