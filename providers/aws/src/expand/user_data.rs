//! A workload as the script that a machine runs when it boots first: packages, files, the service.
//!
//! Whoever may look at a launch template reads it, so nothing secret goes in: that is a problem, not a warning.

use std::fmt::Write;

use standfast_contract::{
    Lookup, Map, Value,
    component::{FileContent, FileSpec, Workload, WorkloadSource},
};

use super::Build;
use crate::kinds::base64;

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>
const BYTES_MAX: usize = 16 * 1024;

pub(super) fn lookups(workload: &Workload) -> Vec<Lookup> {
    let paths = workload.files.iter().filter_map(|file| match &file.content {
        FileContent::From(path) => Some(path),
        _ => None,
    });
    // Whichever it is, the other has no answer.
    paths
        .flat_map(|path| [Lookup::File { path: path.clone() }, Lookup::Tree { path: path.clone() }])
        .collect()
}

/// The script; `None` where there are problems.
pub(super) fn of(build: &mut Build<'_>, workload: &Workload) -> Option<String> {
    let before = build.problems.len();
    let mut script =
        "#!/bin/sh\n# Made by standfast. Runs once, when the machine boots first.\nset -eu\n".to_owned();
    match &workload.source {
        WorkloadSource::Package { package, version, service } => {
            script += &install(package, version.as_deref());
            write_files(build, &mut script, &workload.files);
            let service = quoted(service);
            let _ = writeln!(script, "systemctl enable {service}\nsystemctl restart {service}");
        }
        WorkloadSource::Container { image, command } => {
            script += &install("podman", None);
            write_files(build, &mut script, &workload.files);
            let environment = environment(build, &workload.environment);
            script += &container(image, command, &environment);
        }
        WorkloadSource::Release { .. } => build.problem(
            "workload.release",
            "release archives are not built on AWS yet in this version",
            "Use a `package` or a `container`.",
        ),
    }
    if script.len() > BYTES_MAX {
        build.problem(
            "workload.files",
            format!("the workload's script has {} bytes, and AWS takes {BYTES_MAX}", script.len()),
            "Put large files into the container's image or into a package.",
        );
    }
    (build.problems.len() == before).then_some(script)
}

/// One word for `sh`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// By apt on Debian and its kin, by dnf elsewhere.
fn install(package: &str, version: Option<&str>) -> String {
    let with = |mark: &str| version.map_or(package.to_owned(), |version| format!("{package}{mark}{version}"));
    format!(
        "if command -v apt-get >/dev/null; then\n\
         \x20   export DEBIAN_FRONTEND=noninteractive\n\
         \x20   apt-get -q update\n\
         \x20   apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends {}\n\
         else\n\
         \x20   dnf -q -y install {}\n\
         fi\n",
        quoted(&with("=")),
        quoted(&with("-")),
    )
}

fn write_files(build: &mut Build<'_>, script: &mut String, files: &[FileSpec]) {
    for (at, file) in files.iter().enumerate() {
        let key = format!("workload.files[{at}]");
        if file.sensitive {
            build.problem(key, SECRET, SECRET_HINT);
            continue;
        }
        match &file.content {
            FileContent::Inline(value) => match value {
                value if value.is_sensitive() => build.problem(key, SECRET, SECRET_HINT),
                Value::Text(text) => write_file(script, &file.to, text, file),
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                    write_file(script, &file.to, &value.to_string(), file);
                }
                _ => build.problem(
                    key,
                    "a file with references is not built on AWS yet in this version",
                    "Give its content as it stands.",
                ),
            },
            FileContent::From(path) => local_file(build, script, &key, path, file),
            FileContent::Template { .. } => build.problem(
                key,
                "templates are not built on AWS yet in this version",
                "Give the file's content with `from` or `content`.",
            ),
        }
    }
}

const SECRET: &str = "a secret would be readable by everyone who may look at launch templates";
const SECRET_HINT: &str = "Let the workload fetch it when it starts, for example from AWS Secrets Manager.";

fn local_file(build: &mut Build<'_>, script: &mut String, key: &str, path: &str, file: &FileSpec) {
    let text_of = |map: &Map| map.get("text").and_then(Value::as_str).map(str::to_owned);
    let binary = "a file that is no text, or larger than 256 KiB, does not fit into a machine's first script";
    let hint = "Put it into the container's image or into a package.";
    if let Some(found) = build.answers.get(&Lookup::File { path: path.to_owned() }).and_then(Value::as_map) {
        match text_of(found) {
            Some(text) => write_file(script, &file.to, &text, file),
            None => build.problem(key, binary, hint),
        }
        return;
    }
    let tree = build.answers.get(&Lookup::Tree { path: path.to_owned() }).and_then(Value::as_list);
    let Some(tree) = tree else {
        build.problem(key, format!("the content of `{path}` is not known"), "");
        return;
    };
    for found in tree.iter().filter_map(Value::as_map) {
        let below = found.get("path").and_then(Value::as_str).unwrap_or_default();
        match text_of(found) {
            Some(text) => {
                write_file(script, &format!("{}/{below}", file.to.trim_end_matches('/')), &text, file)
            }
            None => build.problem(key, format!("{below}: {binary}"), hint),
        }
    }
}

fn write_file(script: &mut String, to: &str, content: &str, file: &FileSpec) {
    let folder = to.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let _ = writeln!(
        script,
        "mkdir -p {}\nbase64 -d >{to} <<'END'\n{}\nEND\nchown {} {to}\nchmod {} {to}",
        quoted(folder),
        base64::encode(content),
        quoted(&format!("{}:{}", file.owner, file.group)),
        quoted(&file.mode),
        to = quoted(to),
    );
}

fn environment(build: &mut Build<'_>, environment: &Map) -> String {
    let mut lines = String::new();
    for (name, value) in environment {
        match value {
            value if value.is_sensitive() => {
                build.problem(format!("workload.environment.{name}"), SECRET, SECRET_HINT);
            }
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)
                if !value.to_string().contains('\n') =>
            {
                let _ = writeln!(lines, "{name}={value}");
            }
            _ => build.problem(
                format!("workload.environment.{name}"),
                "a reference or a text of several lines is not built on AWS yet in this version",
                "Give a plain value.",
            ),
        }
    }
    lines
}

/// A systemd unit, so that it is started again when it ends, on the host's own network.
fn container(image: &str, command: &[String], environment: &str) -> String {
    // systemd takes `%` and `$` for its own, and words apart at spaces.
    let word = |text: &str| {
        let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
        format!("\"{escaped}\"")
    };
    let command: String = command.iter().map(|one| format!(" {}", word(one))).collect();
    let unit = format!(
        "[Unit]\nAfter=network-online.target\nWants=network-online.target\n\n\
         [Service]\nExecStartPre=-/usr/bin/podman rm -f workload\n\
         ExecStart=/usr/bin/podman run --name workload --rm --network host --env-file /etc/workload.env {}{command}\n\
         ExecStop=/usr/bin/podman stop workload\nRestart=always\nRestartSec=2\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        word(image)
    );
    format!(
        "base64 -d >/etc/workload.env <<'END'\n{}\nEND\n\
         base64 -d >/etc/systemd/system/workload.service <<'END'\n{}\nEND\n\
         systemctl daemon-reload\nsystemctl enable --now workload.service\n",
        base64::encode(environment),
        base64::encode(&unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_blueprint_stays_one_word() {
        let script = install("nginx'; reboot; '", Some("1.0"));
        assert!(script.contains(r"'nginx'\''; reboot; '\''=1.0'"), "{script}");
    }
}
