//! `service`: a systemd unit enabled and running, reloaded or restarted when what it depends on changed and only then.
//!
//! `reload_on` and `restart_on` hold whatever the unit reads, by name (digests of files, mostly); they are compared and
//! never looked into. `ports` are those that it will bind, `claims` the addresses that it will take and `peers` those
//! of the hosts that may hold them as well: preflight sees whether somebody else has them.

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{LONG, Refused, Work, Works, file_look::known, input};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub(crate) const SERVICE: &str = include_str!("service.sh");

/// How long a start may take when `wait_active` says nothing.
const WAIT_S: u64 = 10;

pub struct Service;

static KIND: Kind = Kind::new(
    "service",
    &[
        Attribute::new("name").required().replaces(),
        Attribute::new("enabled"),
        Attribute::new("running"),
        Attribute::new("reload_on").unobserved(),
        Attribute::new("restart_on").unobserved(),
        Attribute::new("wait_active").unobserved().unit("milliseconds"),
        Attribute::new("ports").unobserved(),
        Attribute::new("claims").unobserved(),
        Attribute::new("peers").unobserved(),
    ],
);

/// The unit's full name: `haproxy` is `haproxy.service`.
pub(crate) fn unit(inputs: &Map) -> Result<String, Refused> {
    let name = input::name(inputs, "name")?;
    let typed = [
        "service",
        "socket",
        "timer",
        "target",
        "path",
        "mount",
        "slice",
        "scope",
        "device",
        "swap",
        "automount",
    ];
    let known = name.rsplit_once('.').is_some_and(|(_, kind)| typed.contains(&kind));
    Ok(if known { name.to_owned() } else { format!("{name}.service") })
}

fn says(inputs: &Map, key: &str) -> &'static str {
    match inputs.get(key).and_then(Value::as_bool) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}

/// What must be done to a running unit: `(reload, restart)`.
///
/// On create everything is new to it: a unit that the package has started already runs with older files. On update only
/// what differs counts; a try that failed is not recorded, so it differs again.
fn needs(call: &Call) -> (bool, bool) {
    let differs = |key: &str| {
        let (now, before) = (call.inputs.get(key), call.prior.get(key));
        let empty = |value: Option<&Value>| value.and_then(Value::as_map).is_none_or(Map::is_empty);
        now != before && !(empty(now) && empty(before))
    };
    (differs("reload_on"), differs("restart_on"))
}

fn work(call: &Call) -> Result<Work, Refused> {
    let mut work = Work::new(&[MARKS, SERVICE]);
    let (reload, restart) = needs(call);
    let yes = |yes: bool| if yes { "yes" } else { "" };
    let wait = call.inputs.get("wait_active").and_then(Value::as_int).and_then(|ms| u64::try_from(ms).ok());
    work.script
        .set("UNIT", &unit(&call.inputs)?)
        .set("ENABLED", says(&call.inputs, "enabled"))
        .set("RUNNING", says(&call.inputs, "running"))
        .set("RELOAD", yes(reload))
        .set("RESTART", yes(restart))
        .set("WAIT_S", &wait.map_or(WAIT_S, |ms| ms.div_ceil(1000).max(2)).to_string())
        .timeout(LONG);
    Ok(work)
}

impl Works for Service {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        unit(inputs)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let mut work = work(call)?;
        work.script.main("begin service_snapshot\nput_service\nfinish");
        Ok(work)
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let mut work = work(call)?;
        work.script.main("marks_open\nrestore_service\nforget");
        Ok(work)
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        let named: Vec<(usize, String)> = requests
            .iter()
            .filter_map(|(index, request)| Some((*index, unit(known(request)?).ok()?)))
            .collect();
        if named.is_empty() {
            return;
        }
        let units: Vec<String> = named.iter().map(|(_, unit)| quote(unit)).collect();
        // Blocks in the order of the arguments, an empty line between; asked by an alias, it answers all the same.
        script.main(&format!(
            "sect units\nsystemctl show -p LoadState,ActiveState,SubState,UnitFileState -- {} 2>/dev/null >&3 || :",
            units.join(" ")
        ));
        for (block, (index, _)) in named.iter().enumerate() {
            script.main(&format!("sect unit.{index}\nprintf {block} >&3"));
        }
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        let Some(inputs) = known(request) else { return Ok(None) };
        let id = unit(inputs)?;
        let listing = answer.text("units").unwrap_or_default();
        let block = answer.text(&format!("unit.{index}")).and_then(|at| at.trim().parse::<usize>().ok());
        let Some(block) = block.and_then(|at| listing.trim_end().split("\n\n").nth(at)) else {
            return Ok(None);
        };
        let property = |name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        if matches!(property("LoadState"), "not-found" | "") {
            return Ok(None);
        }
        let running = match property("ActiveState") {
            "active" | "reloading" => true,
            "activating" => !property("SubState").contains("auto-restart"),
            _ => false,
        };
        let mut attributes =
            Map::from([("name".to_owned(), inputs.get("name").cloned().unwrap_or_default())]);
        let enabled = match property("UnitFileState") {
            "enabled" | "enabled-runtime" | "alias" => Some(true),
            // Neither can be changed: it is what was asked for.
            "static" | "generated" | "indirect" | "transient" => {
                inputs.get("enabled").and_then(Value::as_bool)
            }
            _ => Some(false),
        };
        for (key, value) in [("enabled", enabled), ("running", Some(running))] {
            if let Some(value) = value.filter(|_| inputs.contains_key(key)) {
                attributes.insert(key.to_owned(), Value::Bool(value));
            }
        }
        Ok(Some(Observed { id, attributes, outputs: Map::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(inputs: Map, prior: Map) -> Call {
        Call {
            address: "home/baselines.b/service.x".parse().unwrap(),
            kind: "service".into(),
            place: Value::Null,
            token: String::new(),
            id: None,
            inputs,
            prior,
            prior_outputs: Map::new(),
            changed: Vec::new(),
        }
    }

    fn on(key: &str, digest: &str) -> Map {
        Map::from([(key.to_owned(), Value::Map(Map::from([("/etc/x".to_owned(), Value::text(digest))])))])
    }

    #[test]
    fn only_what_differs_reloads_or_restarts() {
        assert_eq!(needs(&call(on("reload_on", "1"), on("reload_on", "1"))), (false, false));
        assert_eq!(needs(&call(on("reload_on", "2"), on("reload_on", "1"))), (true, false));
        assert_eq!(needs(&call(on("restart_on", "1"), Map::new())), (false, true));
        assert_eq!(needs(&call(Map::new(), Map::new())), (false, false));
    }

    #[test]
    fn a_unit_has_its_full_name() {
        let unit_of = |name: &str| unit(&Map::from([("name".to_owned(), Value::text(name))])).unwrap();
        assert_eq!(unit_of("haproxy"), "haproxy.service");
        assert_eq!(unit_of("backup.timer"), "backup.timer");
        assert_eq!(unit_of("php8.2-fpm"), "php8.2-fpm.service");
    }
}
