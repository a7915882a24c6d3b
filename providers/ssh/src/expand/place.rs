//! Where a host is and how it is reached, as every resource on it carries it.
//!
//! A place is kept with the record, so that what was made can be deleted when the blueprint no longer names the host.

use standfast_contract::{
    Map, Region, Value,
    component::{Become, Host},
};

/// The place of everything on a host. What the blueprint does not say is left to the user's ssh configuration.
pub fn place(region: &Region, host: &Host) -> Value {
    let ssh = &region.ssh;
    let mut place = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            place.insert(key.to_owned(), value);
        }
    };
    put("host", Some(host.name.as_str().into()));
    put("address", Some(host.address.as_str().into()));
    put("port", host.port.or(ssh.port).map(Value::from));
    put("user", host.user.as_deref().or(ssh.user.as_deref()).map(Value::from));
    put("become", Some(if ssh.r#become == Become::Sudo { "sudo".into() } else { "no".into() }));
    put("become_password", ssh.become_password.clone().map(Value::Secret));
    put("known_hosts", ssh.known_hosts.as_deref().map(Value::from));
    put("identity_file", ssh.identity_file.as_deref().map(Value::from));
    put("config", ssh.config.as_deref().map(Value::from));
    put("jump_host", ssh.jump_host.as_deref().map(Value::from));
    put(
        "connect_timeout_ms",
        ssh.connect_timeout.map(|timeout| Value::Int(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX))),
    );
    Value::Map(place)
}

/// The lane of steps on a host: what shares its limit of sessions.
pub fn lane(region: &Region, host: &Host) -> String {
    format!("ssh:{}@{}", host.name, region.name)
}
