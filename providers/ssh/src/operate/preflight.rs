//! Before the first change: every host is asked at once for everything that can be known to fail.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use standfast_contract::{Call, Context, ErrorClass, Obstacle, ProviderError, Value};

use crate::{
    kinds::{input, known_packages, unit_of},
    marks::MARKS,
    provider::{SshProvider, by_host},
    script::Script,
    session::place::Place,
};

const PREFLIGHT: &str = include_str!("preflight.sh");

/// What must be free on `/` and `/var`.
const FREE_KIB: u64 = 200 << 10;

/// What one host said.
#[derive(Default)]
struct Said {
    host: String,
    /// Positions of the calls there.
    calls: Vec<usize>,
    problems: Vec<ProviderError>,
    holds: BTreeSet<String>,
    answered: BTreeMap<String, String>,
}

/// Every problem of every host.
pub(crate) async fn check(provider: &SshProvider, context: &Context, calls: &[Call]) -> Vec<Obstacle> {
    let (hosts, refused) = by_host(calls, |call| &call.place);
    let mut obstacles: Vec<Obstacle> =
        refused.into_iter().map(|(at, error)| Obstacle { error, calls: vec![at] }).collect();
    let said = join_all(hosts.iter().map(|(place, calls)| {
        let (positions, calls): (Vec<usize>, Vec<&Call>) = calls.iter().copied().unzip();
        async move { Said { calls: positions, ..one(provider, context, place, &calls).await } }
    }))
    .await;
    // An address that answers and that none of these hosts holds belongs to somebody else.
    let held: BTreeSet<&String> = said.iter().flat_map(|said| &said.holds).collect();
    let mut strangers: BTreeMap<&String, (&Said, &String)> = BTreeMap::new();
    for said in &said {
        for (address, neighbour) in said.answered.iter().filter(|(address, _)| !held.contains(address)) {
            strangers.entry(address).or_insert((said, neighbour));
        }
    }
    for (address, (said, neighbour)) in strangers {
        let error = ProviderError::permanent(
            "claim a virtual IP",
            format!(
                "{address} is already in use: seen from {}, the machine with {neighbour} answers for it",
                said.host
            ),
        )
        .hint("choose a free address for `virtual_ip`, or take it from the other machine first");
        obstacles.push(Obstacle { error, calls: said.calls.clone() });
    }
    for Said { calls, problems, .. } in said {
        obstacles.extend(problems.into_iter().map(|error| Obstacle { error, calls: calls.clone() }));
    }
    obstacles
}

async fn one(provider: &SshProvider, context: &Context, place: &Place, calls: &[&Call]) -> Said {
    let operation = format!("prepare {}", place.host);
    let packages: BTreeSet<String> = calls.iter().flat_map(|call| known_packages(call)).collect();
    let mut ports = Vec::new();
    let (mut claims, mut peers) = (BTreeSet::new(), BTreeSet::new());
    for call in calls {
        let Some(unit) = unit_of(call) else { continue };
        let list = call.inputs.get("ports").and_then(Value::as_list).unwrap_or_default();
        ports.extend(list.iter().filter_map(Value::as_int).map(|port| format!("{port} {unit}")));
        for (key, addresses) in [("claims", &mut claims), ("peers", &mut peers)] {
            let said = input::texts(&call.inputs, key).into_iter();
            addresses.extend(said.filter(|text| text.parse::<std::net::IpAddr>().is_ok()));
        }
    }
    let mut script = Script::reads();
    provider.locate(&mut script, &context.stack);
    script
        .library(MARKS)
        .library(PREFLIGHT)
        .set("FREE_KIB", &FREE_KIB.to_string())
        .set("PACKAGES", &packages.into_iter().collect::<Vec<_>>().join(" "))
        .set("PORTS", &ports.join("\n"))
        .set("CLAIMS", &claims.into_iter().collect::<Vec<_>>().join(" "))
        .set("PEERS", &peers.into_iter().collect::<Vec<_>>().join(" "))
        .main("look_at_disks\nlook_at_init\nlook_at_ports\nlook_at_claims\nlook_at_packages");
    let mut said = Said { host: place.host.clone(), ..Said::default() };
    let answer = match provider.remote().run(place, &operation, &script).await {
        Ok(answer) => answer,
        Err(error) => {
            said.problems.push(error);
            return said;
        }
    };
    for (kind, section) in answer.with_prefix("problem ") {
        let reason = String::from_utf8_lossy(&section.body).trim().to_owned();
        said.problems.push(ProviderError {
            operation: operation.clone(),
            reason,
            hint: hint(kind).map(str::to_owned),
            class: ErrorClass::Permanent,
            retry_after: None,
            shut_by: None,
        });
    }
    said.holds.extend(answer.with_prefix("holds ").map(|(address, _)| address.to_owned()));
    for (address, section) in answer.with_prefix("answered ") {
        said.answered.insert(address.to_owned(), String::from_utf8_lossy(&section.body).trim().to_owned());
    }
    said
}

fn hint(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "disk" => "free some space there, then apply again",
        "init" => "use a host that runs systemd",
        "package" => "check the name, and the host's apt sources",
        "port" => "stop what holds the port, or choose another one",
        _ => return None,
    })
}
