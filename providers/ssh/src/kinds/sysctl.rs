//! `sysctl`: kernel settings, now and after a reboot (/etc/sysctl.d/60-standfast-NAME.conf).

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{Refused, Work, Works, file_look::known, input};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub(crate) const SYSCTL: &str = include_str!("sysctl.sh");

pub struct Sysctl;

static KIND: Kind = Kind::new(
    "sysctl",
    &[Attribute::new("name").required().replaces(), Attribute::new("settings").required()],
);

fn conf(inputs: &Map) -> Result<String, Refused> {
    Ok(format!("/etc/sysctl.d/60-standfast-{}.conf", input::name(inputs, "name")?))
}

/// Key and value as texts, white space made single as the kernel's files have tabs.
fn settings(inputs: &Map) -> Result<Vec<(String, String)>, Refused> {
    let map = inputs.get("settings").and_then(Value::as_map);
    map.into_iter()
        .flatten()
        .map(|(key, value)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
            if key.is_empty()
                || !key.chars().all(plain)
                || key.contains("..")
                || key.starts_with(['.', '/', '-'])
            {
                return Err(Refused(format!("`{}` is no kernel setting", key.escape_debug())));
            }
            let value = words(
                &plain_text(value)
                    .ok_or_else(|| Refused(format!("`{key}` is neither a text nor a number")))?,
            );
            Ok((key.clone(), value))
        })
        .collect()
}

fn plain_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Bool(bool) => i32::from(*bool).to_string(),
        _ => return None,
    })
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines(settings: &[(String, String)]) -> String {
    settings.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
}

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let mut work = Work::new(&[MARKS, SYSCTL]);
    work.script
        .set("CONF", &conf(&call.inputs)?)
        .set("SETTINGS", &lines(&settings(&call.inputs)?))
        .set("OLD_SETTINGS", &lines(&settings(&call.prior).unwrap_or_default()))
        .main(main);
    Ok(work)
}

/// `/proc/sys` of a key: a slash within it stands for a dot, as sysctl(8) has it.
fn proc_path(key: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    format!("/proc/sys/{}", key.chars().map(swap).collect::<String>())
}

impl Works for Sysctl {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        conf(inputs)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "begin sysctl_snapshot\nput_sysctl\nfinish")
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "marks_open\nrestore_sysctl\nforget")
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        for (index, request) in requests {
            let Some(inputs) = known(request) else { continue };
            let (Ok(conf), Ok(mut settings)) = (conf(inputs), settings(inputs)) else { continue };
            settings.extend(
                request.desired.as_ref().and_then(|desired| self::settings(desired).ok()).unwrap_or_default(),
            );
            let paths: Vec<String> = settings.iter().map(|(key, _)| quote(&proc_path(key))).collect();
            script.main(&format!(
                "sect sysctl-file.{index}\ncat -- {} 2>/dev/null >&3 || :\nsect sysctl-now.{index}\ngrep -s '' /dev/null {} >&3 || :",
                quote(&conf),
                paths.join(" ")
            ));
        }
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        let Some(inputs) = known(request) else { return Ok(None) };
        let file = answer.text(&format!("sysctl-file.{index}")).unwrap_or_default();
        if file.is_empty() {
            return Ok(None);
        }
        let now = answer.text(&format!("sysctl-now.{index}")).unwrap_or_default();
        let mut seen = Map::new();
        let asked = [request.recorded.as_ref().map(|(inputs, _)| inputs), request.desired.as_ref()];
        for inputs in asked.into_iter().flatten() {
            let given = inputs.get("settings").and_then(Value::as_map).cloned().unwrap_or_default();
            for (key, value) in settings(inputs)? {
                let path = format!("{}:", proc_path(&key));
                let live = now.lines().find_map(|line| line.strip_prefix(&path)).map(words);
                let kept = file
                    .lines()
                    .find_map(|line| line.split_once('=').filter(|(name, _)| *name == key))
                    .map(|(_, kept)| words(kept));
                let found = match (live, kept) {
                    // As asked for, now and after a reboot: the value in the very form of the inputs.
                    (Some(live), Some(kept)) if live == value && kept == value => {
                        given.get(&key).cloned().unwrap_or_default()
                    }
                    (Some(live), Some(_)) if live != value => Value::Text(live),
                    (_, Some(kept)) => Value::Text(kept),
                    (_, None) => continue,
                };
                // What is recorded counts; desired adds what only it asks for.
                seen.entry(key).or_insert(found);
            }
        }
        let attributes = Map::from([
            ("name".to_owned(), inputs.get("name").cloned().unwrap_or_default()),
            ("settings".to_owned(), Value::Map(seen)),
        ]);
        Ok(Some(Observed { id: conf(inputs)?, attributes, outputs: Map::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_made_text() {
        let map = |key: &str, value: Value| {
            Map::from([("settings".to_owned(), Value::Map(Map::from([(key.to_owned(), value)])))])
        };
        let of = |map: Map| settings(&map).map(|settings| lines(&settings));
        assert_eq!(
            of(map("net.ipv4.ip_nonlocal_bind", Value::Int(1))).unwrap(),
            "net.ipv4.ip_nonlocal_bind=1"
        );
        assert_eq!(
            of(map("net.ipv4.tcp_rmem", Value::text("4096\t87380  6291456"))).unwrap(),
            "net.ipv4.tcp_rmem=4096 87380 6291456"
        );
        assert!(of(map("../../etc/passwd", Value::Int(1))).is_err());
        assert_eq!(proc_path("net.ipv4.conf.eth0/1.rp_filter"), "/proc/sys/net/ipv4/conf/eth0.1/rp_filter");
    }
}
