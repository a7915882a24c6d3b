//! What a host says of itself.

use standfast_contract::{Map, ProviderError, Value, component::Become};

use crate::{
    script::Script,
    session::{Remote, place::Place},
};

const FACTS: &str = r#"
sect facts
(
  ID=unknown; VERSION_ID=
  if [ -r /etc/os-release ]; then set +u; . /etc/os-release; fi
  printf 'os_id=%s\nos_version=%s\n' "$ID" "$VERSION_ID" >&3
)
if has dpkg; then printf 'arch=%s\n' "$(dpkg --print-architecture)" >&3; else printf 'arch=%s\n' "$(uname -m)" >&3; fi
printf 'cpus=%s\n' "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)" >&3
printf 'memory=%s\n' "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)" >&3
if [ -d /run/systemd/system ]; then echo init=systemd >&3; else printf 'init=%s\n' "$(cat /proc/1/comm 2>/dev/null)" >&3; fi
# CLIENT CLIENT_PORT SERVER SERVER_PORT: the port that sshd itself took this session on, whatever led there.
set -- ${SSH_CONNECTION-}
printf 'ssh_port=%s\n' "${4-}" >&3
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then echo sudo_ok=yes >&3; else echo sudo_ok=no >&3; fi
sect addresses
ip -o addr show 2>/dev/null >&3 || :
"#;

/// `{os_id, os_version, arch, cpus, memory (bytes), interfaces: {address: name}, init, sudo_ok, ssh_port}`; `ssh_port`
/// is there only where sshd tells it.
pub(crate) async fn ask(remote: &Remote, place: &Place, r#become: Become) -> Result<Value, ProviderError> {
    let mut script = Script::reads();
    script.main(FACTS);
    let operation = format!("ask {} for its facts", place.host);
    let answer = remote.run(place, &operation, &script).await?;
    let facts = answer.text("facts").unwrap_or_default();
    Ok(Value::Map(parse(&facts, &answer.text("addresses").unwrap_or_default(), r#become)))
}

fn parse(facts: &str, addresses: &str, r#become: Become) -> Map {
    let fact = |name: &str| {
        facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let number = |name: &str| fact(name).trim().parse::<i64>().unwrap_or(0);
    let mut map = Map::new();
    for name in ["os_id", "os_version", "arch", "init"] {
        map.insert(name.to_owned(), Value::text(fact(name)));
    }
    map.insert("cpus".into(), Value::Int(number("cpus")));
    map.insert("memory".into(), Value::Int(number("memory").saturating_mul(1024)));
    if let Ok(port) = fact("ssh_port").trim().parse::<u16>() {
        map.insert("ssh_port".into(), Value::Int(port.into()));
    }
    map.insert("sudo_ok".into(), Value::Bool(r#become == Become::No || fact("sudo_ok") == "yes"));
    // `2: host0    inet 10.77.0.11/24 brd ... scope global host0`
    let interfaces = addresses.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "inet" || *word == "inet6")?;
        let address = words.get(at + 1)?.split('/').next()?;
        let name = words.get(1)?.trim_end_matches(':').split('@').next()?;
        Some((address.to_owned(), Value::text(name)))
    });
    map.insert("interfaces".into(), Value::Map(interfaces.collect()));
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_an_address_is_found() {
        let addresses = "1: lo    inet 127.0.0.1/8 scope host lo\\ valid\n2: host0@if9    inet 10.77.0.11/24 brd 10.77.0.255 scope global host0\n";
        let map =
            parse("os_id=debian\ncpus=2\nmemory=1024\nssh_port=2222\nsudo_ok=yes\n", addresses, Become::Sudo);
        assert_eq!(map["ssh_port"], Value::Int(2222));
        assert_eq!(map["memory"], Value::Int(1024 * 1024));
        let interfaces = map["interfaces"].as_map().unwrap();
        assert_eq!(interfaces["10.77.0.11"], Value::text("host0"));
    }
}
