//! A workload that is an archive with a command: a user, the release, its environment, a hardened unit, the service.

use std::time::Duration;

use standfast_contract::{Answers, Desired, Map, OutputRef, Value, component::AutoscalingGroup};

use super::{
    files::{self, Files, Unsaid},
    names,
    package_workload::services,
    site::{Problems, Site, inputs},
    units::ReleaseUnit,
};

/// What requests in flight may still take when the service is stopped; a drain came before.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The resources of one slot, in the order in which they are made. The source is archive, command and user.
pub fn expand(
    site: &Site<'_>,
    group: &AutoscalingGroup,
    (archive, run, given_user): (&str, &str, Option<&str>),
    answers: &Answers,
    problems: &mut Problems,
) -> Vec<Desired> {
    let name = names::on_hosts(site.stack, &group.common.name);
    let root = format!("/srv/standfast/{name}");
    let archive = files::source(archive, "workload.release", answers, problems).unwrap_or_default();
    let release =
        inputs([("name", name.as_str().into()), ("archive", archive), ("root", root.as_str().into())]);
    let release = site.resource("release", &name, release, Vec::new());

    let own_user = names::user(site.stack, &group.common.name);
    let user = given_user.is_none().then(|| user(site, &own_user));
    let after_user: Vec<_> = user.iter().map(|user| user.address.clone()).collect();

    let environment_file = format!("/etc/standfast/{name}.env");
    let mut quoted = Vec::new();
    let content = environment(site, group, &mut quoted, problems);
    let environment = inputs([
        ("path", environment_file.as_str().into()),
        ("content", content),
        ("quoted", Value::List(quoted)),
        ("owner", "root".into()),
        ("group", "root".into()),
        ("mode", "0600".into()),
    ]);
    let environment = site.resource("file", &format!("{name}.env"), environment, Vec::new());

    let mut files = Files::new(site, answers);
    for (index, file) in group.workload.files.iter().enumerate() {
        files.add(file, &format!("workload.files[{index}]"), &after_user, problems);
    }

    let unit = ReleaseUnit {
        of: format!(
            "autoscaling_groups.{} of {} ({})",
            group.common.name, site.stack.name, site.stack.environment
        ),
        root: &root,
        user: given_user.unwrap_or(&own_user),
        run,
        environment_file: &environment_file,
        name: &name,
        port: group.port,
        stop_timeout: STOP_TIMEOUT,
    };
    let unit_name = format!("{name}.service");
    let unit = inputs([("name", unit_name.as_str().into()), ("content", unit.text().into())]);
    let unit = site.resource("systemd_unit", &unit_name, unit, after_user.clone());

    let mut made: Vec<Desired> = user.into_iter().collect();
    made.extend([release, environment, unit]);
    let after: Vec<_> = made.iter().map(|resource| resource.address.clone()).collect();
    let mut services = services(site, &files, (&name, group.port), Unsaid::Restart, &after);
    if let Some(own) = services.first_mut() {
        let digests = made.iter().filter(|resource| resource.kind != "user").map(|resource| {
            let name = match resource.kind.as_str() {
                "systemd_unit" => "unit",
                "file" => "environment",
                kind => kind,
            };
            (name.to_owned(), OutputRef::resource(&resource.address, "digest"))
        });
        restart_on(&mut own.inputs, digests.collect());
    }
    made.extend(files.into_resources());
    made.extend(services);
    made
}

/// Adds to what restarts a service. A release knows no reload: what would reload it restarts it.
fn restart_on(inputs: &mut Map, digests: Map) {
    let mut all = digests;
    for key in ["restart_on", "reload_on"] {
        if let Some(Value::Map(map)) = inputs.remove(key) {
            all.extend(map);
        }
    }
    inputs.insert("restart_on".to_owned(), all.into());
}

fn user(site: &Site<'_>, name: &str) -> Desired {
    let inputs = inputs([
        ("name", name.into()),
        ("groups", Value::List(Vec::new())),
        ("shell", "/usr/sbin/nologin".into()),
        ("system", true.into()),
        ("authorized_keys", Value::List(Vec::new())),
    ]);
    site.resource("user", name, inputs, Vec::new())
}

/// The environment file: `PORT` and `HOST` say where to listen, unless the blueprint says otherwise.
/// What is not known yet is `quoted`: it may hold no single quote.
fn environment(
    site: &Site<'_>,
    group: &AutoscalingGroup,
    quoted: &mut Vec<Value>,
    problems: &mut Problems,
) -> Value {
    let mut variables = inputs([("HOST", site.host.address.as_str().into()), ("PORT", group.port.into())]);
    variables.extend(group.workload.environment.clone());
    let mut parts = vec![Value::text("# Written by standfast: what is changed here is changed back.\n")];
    for (name, value) in &variables {
        let key = format!("workload.environment.{name}");
        if !is_variable(name) {
            problems.add(
                &*key,
                format!("`{}` is no name of an environment variable", name.escape_debug()),
                "use letters, digits and `_`, and begin with a letter",
            );
        }
        parts.push(Value::text(format!("{name}=")));
        quote(value, &mut parts, quoted, &key, problems);
        parts.push("\n".into());
    }
    join(parts)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value as systemd reads it (systemd.exec(5), `EnvironmentFile=`): quoted pieces one after the other.
///
/// What is known is put in double quotes and escaped. What is not known yet goes in single quotes, where nothing but a
/// single quote means anything.
fn quote(value: &Value, parts: &mut Vec<Value>, quoted: &mut Vec<Value>, key: &str, problems: &mut Problems) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => parts.push(value.to_string().into()),
        Value::Text(text) => {
            let mut escaped = String::with_capacity(text.len() + 2);
            escaped.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\' | '`' | '$') {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            escaped.push('"');
            parts.push(escaped.into());
        }
        Value::Join(pieces) => pieces.iter().for_each(|piece| quote(piece, parts, quoted, key, problems)),
        Value::Output(_) | Value::Secret(_) | Value::Sensitive(_) | Value::Unknown => {
            quoted.push(value.clone());
            parts.extend(["'".into(), value.clone(), "'".into()]);
        }
        Value::List(_) | Value::Map(_) => {
            problems.add(
                key,
                "an environment variable is one text",
                "write it as a text, as JSON for example",
            );
        }
    }
}

/// One text where all parts are known, a join where they are not; texts side by side become one.
fn join(parts: Vec<Value>) -> Value {
    let mut joined: Vec<Value> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Value::Text(last)), Value::Text(text)) => last.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    match <[Value; 1]>::try_from(joined) {
        Ok([Value::Text(text)]) => Value::Text(text),
        Ok([other]) => Value::Join(vec![other]),
        Err(joined) => Value::Join(joined),
    }
}
