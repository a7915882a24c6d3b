//! Where a host is and how it is entered: the `place` of every resource of this provider.

use std::time::Duration;

use standfast_contract::{
    Map, ProviderError, Region, Sensitive, Value,
    component::{Become, Host},
};

/// The place of everything on a host, as expansion writes it and records keep it.
///
/// A key is there only when the blueprint says something; the user's ssh_config decides the rest.
pub fn place(region: &Region, host: &Host) -> Value {
    let ssh = &region.ssh;
    let mut place = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            place.insert(key.to_owned(), value);
        }
    };
    put("host", Some(Value::text(&host.name)));
    put("address", Some(Value::text(&host.address)));
    put("port", host.port.or(ssh.port).map(|port| Value::Int(port.into())));
    put("user", host.user.as_ref().or(ssh.user.as_ref()).map(Value::text));
    put(
        "become",
        Some(Value::text(match ssh.r#become {
            Become::No => "no",
            Become::Sudo => "sudo",
        })),
    );
    put("become_password", ssh.become_password.clone().map(Value::Secret));
    put("known_hosts", ssh.known_hosts.as_ref().map(Value::text));
    put("identity_file", ssh.identity_file.as_ref().map(Value::text));
    put("config", ssh.config.as_ref().map(Value::text));
    put("jump_host", ssh.jump_host.as_ref().map(Value::text));
    let timeout = ssh.connect_timeout.map(|timeout| timeout.as_millis());
    put("connect_timeout_ms", timeout.and_then(|ms| i64::try_from(ms).ok()).map(Value::Int));
    Value::Map(place)
}

/// A place, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its name in the blueprint: for messages.
    pub host: String,
    pub address: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub sudo: bool,
    pub become_password: Option<Sensitive>,
    pub known_hosts: Option<String>,
    pub identity_file: Option<String>,
    pub config: Option<String>,
    pub jump_host: Option<String>,
    pub connect_timeout: Duration,
}

/// How long one connection may take when the blueprint says nothing.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Place {
    /// Takes a resolved place apart.
    pub fn parse(value: &Value) -> Result<Place, ProviderError> {
        let refuse = |reason: String| ProviderError::permanent("read where a resource lives", reason);
        let map = value.as_map().ok_or_else(|| refuse("its place is no map".to_owned()))?;
        let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let address = text("address").ok_or_else(|| refuse("its place has no `address`".to_owned()))?;
        // A word of ssh's command line: a leading dash would be an option.
        for (key, word) in [
            ("address", Some(&address)),
            ("user", text("user").as_ref()),
            ("jump_host", text("jump_host").as_ref()),
        ] {
            if let Some(word) = word.filter(|word| {
                word.is_empty()
                    || word.starts_with('-')
                    || word.contains(|c: char| c.is_whitespace() || c.is_control())
            }) {
                return Err(refuse(format!("`{key}: {word}` is no {key}")));
            }
        }
        let port = match map.get("port").and_then(Value::as_int) {
            Some(port) => Some(u16::try_from(port).map_err(|_| refuse(format!("{port} is no port")))?),
            None => None,
        };
        let timeout = map.get("connect_timeout_ms").and_then(Value::as_int);
        Ok(Place {
            host: text("host").unwrap_or_else(|| address.clone()),
            port,
            user: text("user"),
            sudo: text("become").as_deref() == Some("sudo"),
            become_password: match map.get("become_password") {
                Some(Value::Sensitive(password)) => Some(password.clone()),
                _ => None,
            },
            known_hosts: text("known_hosts"),
            identity_file: text("identity_file"),
            config: text("config"),
            jump_host: text("jump_host"),
            connect_timeout: timeout
                .and_then(|ms| u64::try_from(ms).ok())
                .filter(|ms| *ms > 0)
                .map_or(CONNECT_TIMEOUT, Duration::from_millis),
            address,
        })
    }

    /// What makes a connection this one and no other, as a short file name: 16 hex digits.
    pub fn key(&self) -> String {
        let agent = std::env::var("SSH_AUTH_SOCK").unwrap_or_default();
        let port = self.port.map_or_else(String::new, |port| port.to_string());
        let mut hasher = blake3::Hasher::new();
        for part in [
            Some(self.address.as_str()),
            Some(port.as_str()),
            self.user.as_deref(),
            self.known_hosts.as_deref(),
            self.identity_file.as_deref(),
            self.config.as_deref(),
            self.jump_host.as_deref(),
            Some(agent.as_str()),
        ] {
            let part = part.unwrap_or("\u{1}");
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use standfast_contract::component::{SimWorld, SshAccess, Zone};

    use super::*;

    fn region(ssh: SshAccess) -> Region {
        let host =
            Host { name: "lb1".into(), address: "10.77.0.11".into(), port: None, user: Some("root".into()) };
        Region {
            name: "home".into(),
            provider: "ssh".into(),
            location: None,
            zones: vec![Zone { name: "a".into(), hosts: vec![host] }],
            ssh,
            network: None,
            account: None,
            assume_role: None,
            sim: SimWorld::default(),
            tags: Map::new(),
        }
    }

    #[test]
    fn a_host_overrides_its_region() {
        let region = region(SshAccess {
            user: Some("deploy".into()),
            port: Some(2222),
            r#become: Become::Sudo,
            connect_timeout: Some(Duration::from_millis(2500)),
            ..SshAccess::default()
        });
        let place = Place::parse(&place(&region, region.host("lb1").unwrap())).unwrap();
        assert_eq!((place.user.as_deref(), place.port), (Some("root"), Some(2222)));
        assert_eq!((place.sudo, place.connect_timeout), (true, Duration::from_millis(2500)));
        assert_eq!(place.host, "lb1");
    }

    #[test]
    fn a_word_that_ssh_would_take_for_an_option_is_refused() {
        let value = Value::Map(Map::from([("address".into(), Value::text("-oProxyCommand=reboot"))]));
        assert!(Place::parse(&value).is_err());
    }

    #[test]
    fn what_is_reached_differently_has_another_key() {
        let parse = |port| {
            Place::parse(&Value::Map(Map::from([
                ("address".into(), Value::text("h")),
                ("port".into(), Value::Int(port)),
            ])))
            .unwrap()
            .key()
        };
        assert_eq!(parse(22), parse(22));
        assert_ne!(parse(22), parse(23));
    }
}
